/* SPDX-License-Identifier: MIT */
/* Frames: where pages go, that none is lost, that no node holds more than it has. */
#include "test.h"

#include "sim/kernel.h"
#include "sim/kernel/watermark.h"
#include "sim_fixture.h"

struct box {
	struct machine *machine;
	struct cost_model *cost;
	struct cost_account account;
	struct kernel *kernel;
};

static struct box box_new(const char *line)
{
	struct box box = { .machine = machine_of(line) };
	assert_int_equal(cost_model_new(box.machine, 4096, 64, NULL, &box.cost, NULL), 0);
	assert_int_equal(cost_account_init(&box.account, box.cost), 0);
	return box;
}

static void box_start(struct box *box, const char *name, const uint64_t *values)
{
	uint64_t capacity[8];
	for (uint32_t i = 0; i < box->machine->nr_nodes; i++)
		capacity[i] = cost_capacity_pages(box->cost, i);
	assert_int_equal(kernel_new(kernel_find(name), box->cost, &box->account, capacity, values,
				    0, &box->kernel, NULL),
			 0);
	assert_int_equal(kernel_grow(box->kernel, 4096), 0);
}

static void box_fini(struct box *box)
{
	assert_true(kernel_is_valid(box->kernel));
	kernel_free(box->kernel);
	cost_account_fini(&box->account);
	cost_model_free(box->cost);
	machine_free(box->machine);
}

#define THREE                                                                                      \
	"node:dram:40KiB@80ns/100GBps:cpus=0 node:cxl:80KiB@250ns/30GBps "                         \
	"node:pmem:80KiB@400ns/10GBps"

/* One of ten and two of twenty pages are kept free while there is room elsewhere. */
static void test_kernel_first_touch_falls_through(void **state)
{
	static const uint32_t ends[][2] = { { 9, 0 },  { 27, 1 }, { 45, 2 },
					    { 46, 0 }, { 48, 1 }, { 50, 2 } };
	size_t step = 0;
	struct box box = box_new(THREE);
	(void)state;
	box_start(&box, "linux-none", NULL);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(kernel_fault(box.kernel, i, UINT32_MAX), 0);
		step += i == ends[step][0];
		assert_int_equal(box.kernel->pages[i].node, ends[step][1]);
	}
	assert_int_equal(kernel_fault(box.kernel, 50, UINT32_MAX), -ENOMEM);
	assert_int_equal(box.kernel->stats.nr_fallen, 40);
	kernel_release(box.kernel, 3);
	kernel_release(box.kernel, 3);
	assert_int_equal(kernel_fault(box.kernel, 50, UINT32_MAX), 0);
	assert_int_equal(box.kernel->pages[50].node, 0);
	box_fini(&box);
}

static void test_kernel_interleaves_in_turn(void **state)
{
	struct box box = box_new(THREE);
	(void)state;
	box_start(&box, "interleave", NULL);
	for (uint32_t i = 0; i < 27; i++) {
		assert_int_equal(kernel_fault(box.kernel, i, UINT32_MAX), 0);
		assert_int_equal(box.kernel->pages[i].node, i % 3);
	}
	for (uint32_t i = 27; i < 50; i++) /* the first is at LOW: the rest takes its share */
		assert_int_equal(kernel_fault(box.kernel, i, UINT32_MAX), 0);
	assert_int_equal(kernel_fault(box.kernel, 50, UINT32_MAX), -ENOMEM);
	box_fini(&box);
}

static void test_kernel_interleave_weighted(void **state)
{
	uint64_t weighted[] = { 1, WATERMARK_SCALE_DEFAULT, 0 };
	struct box box = box_new("node:dram:80KiB@80ns/100GBps:cpus=0 "
				 "node:cxl:80KiB@250ns/30GBps node:pmem:80KiB@400ns/10GBps");
	uint32_t on[3] = { 0 };
	(void)state;
	box_start(&box, "interleave", weighted);
	for (uint32_t i = 0; i < 14; i++) {
		assert_int_equal(kernel_fault(box.kernel, i, UINT32_MAX), 0);
		on[box.kernel->pages[i].node]++;
	}
	assert_int_equal(on[0], 10); /* 100 : 30 : 10 GB/s */
	assert_int_equal(on[1], 3);
	assert_int_equal(on[2], 1);
	box_fini(&box);
}

static void test_kernel_wish_is_honoured_where_it_fits(void **state)
{
	struct box box = box_new(THREE);
	(void)state;
	box_start(&box, "linux-none", NULL);
	for (uint32_t i = 0; i < 19; i++)
		assert_int_equal(kernel_fault(box.kernel, i, 2), 0);
	assert_int_equal(box.kernel->pages[17].node, 2);
	assert_int_equal(box.kernel->pages[18].node, 0);
	box_fini(&box);
}

static void test_kernel_loses_no_page(void **state)
{
	static const char *const names[] = { "linux-none", "interleave" };
	(void)state;
	for (size_t which = 0; which < ARRAY_SIZE(names); which++) {
		struct box box = box_new(THREE);
		struct random random;
		uint64_t moved = 0;
		random_init(&random, which);
		box_start(&box, names[which], NULL);
		for (uint32_t step = 0; step < 20000; step++) {
			uint32_t page = (uint32_t)random_below(&random, 60);
			uint32_t to = (uint32_t)random_below(&random, 4);
			bool here = box.kernel->pages[page].node != KERNEL_NOWHERE;
			int error = 0;
			switch (random_below(&random, 3)) {
			case 0:
				if (!here)
					kernel_fault(box.kernel, page, UINT32_MAX);
				break;
			case 1:
				error = kernel_migrate(box.kernel, page, to);
				assert_int_equal(error == -ENOENT, !here);
				moved += error == 0;
				break;
			default:
				kernel_release(box.kernel, page);
			}
			if (step % 100 == 0)
				assert_true(kernel_is_valid(box.kernel));
		}
		const struct kernel_stats *stats = &box.kernel->stats;
		assert_int_equal(stats->nr_promoted + stats->nr_demoted + stats->nr_sideways,
				 moved);
		assert_true(moved > 100 && stats->nr_refused > 100);
		box_fini(&box);
	}
}
