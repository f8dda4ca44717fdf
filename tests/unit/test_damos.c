/* SPDX-License-Identifier: MIT */
/*
 * Moving by schemes: pages become ranges that hold exactly them, against a bitmap; and a batch
 * against files that only keep what was written and a kernel that says where pages are. tests/lab/
 * damos.sh does it with kernels.
 */
#include "test.h"

#include "base/random.h"
#include "kdamond_fixture.h"
#include "linux/damos_batch.h"

#define PLACES 300
#define SPACE  2000
#define ROUNDS 300

static void test_ranges_hold_exactly_the_places(void **state)
{
	struct random random;
	(void)state;
	random_init(&random, 3);
	for (unsigned round = 0; round < ROUNDS; round++) {
		static struct kdamond_range ranges[PLACES];
		uint64_t places[PLACES];
		uint8_t wanted[SPACE + 1] = { 0 }, got[SPACE + 1] = { 0 };
		uint32_t nr = (uint32_t)random_below(&random, PLACES), nr_part = 0, nr_done = 0;
		uint32_t max = 1 + (uint32_t)random_below(&random, 60);
		for (uint32_t i = 0; i < nr; i++) {
			places[i] = i && random_below(&random, 2) ? (places[i - 1] + 1) % SPACE
								  : random_below(&random, SPACE);
			wanted[places[i]] = 1;
		}
		for (; nr_done < nr; nr_done += nr_part) {
			uint32_t nr_ranges = damos_ranges(places + nr_done, nr - nr_done, 4096,
							  ranges, max, &nr_part);
			assert_in_range(nr_ranges, 1, max);
			assert_true(nr_part > 0);
			for (uint32_t i = 0; i < nr_ranges; i++) {
				assert_true(i == 0 || ranges[i].start > ranges[i - 1].end);
				for (uint64_t at = ranges[i].start; at < ranges[i].end; at += 4096)
					got[at / 4096] = 1;
			}
		}
		assert_memory_equal(wanted, got, sizeof(got));
	}
}

static unsigned nr_asked;

/* Pages 10 to 12 and 20 are on node 1, 13 is not there; afterwards all but 20 are on node 0. */
static int where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	assert_int_equal(pid, 4711);
	for (size_t i = 0; i < nr; i++) {
		uint64_t page = (uintptr_t)pages[i] / 4096;
		ret_nodes[i] = page == 13 ? -ENOENT : nr_asked == 0 || page == 20 ? 1 : 0;
	}
	nr_asked++;
	return 0;
}

static struct machine *two_tiers(void)
{
	struct machine *machine = NULL;
	assert_int_equal(
		machine_open("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns", &machine, NULL), 0);
	return machine;
}

static void expect_result(const struct move_result *result, uint64_t page, uint64_t nr,
			  enum move_outcome outcome)
{
	assert_int_equal(result->page, page);
	assert_int_equal(result->nr_pages, nr);
	assert_int_equal(result->outcome, outcome);
}

static void run_batch(struct kdamond *kdamond, struct machine *machine)
{
	static const uint64_t pages[] = { 10, 11, 12, 13, 20 };
	struct damos_batch *batch = calloc(1, sizeof(*batch));
	int pipe_fds[2];
	assert_non_null(batch);
	assert_int_equal(pipe(pipe_fds), 0); /* nothing to read: as the pidfd of one that lives */
	batch->root = &root;
	batch->machine = machine;
	batch->is_virtual = true;
	batch->target = (struct move_target){ 5, 4711, pipe_fds[0] };
	batch->nr = ARRAY_SIZE(pages);
	for (uint32_t i = 0; i < batch->nr; i++)
		batch->items[i] = (struct damos_item){ .page = pages[i], .to = 0 };
	assert_int_equal(damos_batch_run(batch, kdamond), 0);
	assert_int_equal(batch->nr_results, 3);
	expect_result(&batch->results[0], 10, 3, MOVE_DONE);
	expect_result(&batch->results[1], 13, 1, MOVE_REFUSED_GONE);
	expect_result(&batch->results[2], 20, 1, MOVE_REFUSED_BUSY);
	assert_int_equal(batch->stats.tried_bytes, 12288);
	assert_int_equal(batch->stats.applied_bytes, 8192);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	free(batch);
}

/* As where(), of pages that are where they were told to be: 10 on node 0, 11 and 12 on node 1. */
static int where_always(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	(void)pid;
	for (size_t i = 0; i < nr; i++)
		ret_nodes[i] = (uintptr_t)pages[i] / 4096 == 10 ? 0 : 1;
	nr_asked++;
	return 0;
}

/* 10 is to go down, 11 up, 12 is there already; of frames 110, 111, 112. */
static struct damos_batch *both_ways(struct machine *machine, int pidfd)
{
	static const struct damos_item items[] = { { .page = 10, .to = 1 },
						   { .page = 11, .to = 0 },
						   { .page = 12, .to = 1 } };
	struct damos_batch *batch = calloc(1, sizeof(*batch));
	assert_non_null(batch);
	batch->root = &root;
	batch->machine = machine;
	batch->target = (struct move_target){ 5, 4711, pidfd };
	batch->nr = ARRAY_SIZE(items);
	memcpy(batch->items, items, sizeof(items));
	return batch;
}

static void put_pagemap(void)
{
	uint64_t entries[16] = { 0 };
	int fd;
	for (uint64_t page = 10; page < 13; page++)
		entries[page] = (uint64_t)1 << 63 | (100 + page);
	put("proc/4711/pagemap", "");
	fd = openat(root.fd, "proc/4711/pagemap", O_WRONLY);
	assert_int_equal(write(fd, entries, sizeof(entries)), sizeof(entries));
	close(fd);
}

/* Before addresses can be named: frames. Down first, to make room; last up, which is what stays in
 * the files. Then of one that has ended: nothing is asked of the kernel. */
static void test_a_batch_by_frames_goes_down_first(void **state)
{
	struct move_calls before = move_calls;
	struct kdamond_list list = { 0 };
	struct kdamond kdamond;
	struct machine *machine = two_tiers();
	int pipe_fds[2];
	(void)state;
	setup();
	struct journal journal = new_journal();
	put_pagemap();
	move_calls.where = where_always;
	nr_asked = 0;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, NULL), 0);
	struct damos_batch *batch = both_ways(machine, pipe_fds[0]);
	assert_int_equal(damos_batch_run(batch, &kdamond), 0);
	expect(CONTEXT "operations", "paddr");
	expect(CONTEXT "targets/0/regions/nr_regions", "1");
	expect(CONTEXT "targets/0/regions/0/start", "454656"); /* 111 x 4096 */
	expect(CONTEXT "targets/0/regions/0/end", "458752");
	expect(CONTEXT "schemes/0/action", "migrate_hot");
	expect(ADMIN "0/state", "off");
	assert_int_equal(batch->nr_results, 3);
	expect_result(&batch->results[0], 10, 1, MOVE_REFUSED_BUSY);
	expect_result(&batch->results[2], 12, 1, MOVE_REFUSED_THERE);
	batch->items[1] = batch->items[2]; /* down alone: one that is there, too */
	batch->nr = 2;
	assert_int_equal(damos_batch_run(batch, &kdamond), 0);
	expect(CONTEXT "targets/0/regions/nr_regions", "1");
	expect(CONTEXT "targets/0/regions/0/start", "450560"); /* 110 x 4096 */
	expect(CONTEXT "schemes/0/action", "migrate_cold");
	expect(CONTEXT "schemes/0/target_nid", "1");
	assert_int_equal(nr_asked, 4);
	close(pipe_fds[1]); /* readable: it has ended */
	put(CONTEXT "schemes/0/action", "stat");
	assert_int_equal(damos_batch_run(batch, &kdamond), 0);
	expect_result(&batch->results[0], 10, 1, MOVE_REFUSED_GONE);
	expect(CONTEXT "schemes/0/action", "stat");
	assert_int_equal(nr_asked, 4);
	free(batch);
	close(pipe_fds[0]);
	move_calls = before;
	kdamond_remove(&kdamond);
	machine_free(machine);
	drop(&journal);
	root_end();
}

static void test_a_batch_names_its_ranges_and_reads_back(void **state)
{
	struct move_calls before = move_calls;
	struct kdamond_list list = { 0 };
	struct kdamond kdamond;
	struct machine *machine = two_tiers();
	(void)state;
	setup();
	struct journal journal = new_journal();
	move_calls.where = where;
	nr_asked = 0;
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, NULL), 0);
	run_batch(&kdamond, machine);
	expect(CONTEXT "operations", "vaddr");
	expect(CONTEXT "targets/0/pid_target", "4711");
	expect(CONTEXT "targets/0/regions/nr_regions", "2");
	expect(CONTEXT "targets/0/regions/0/start", "40960");
	expect(CONTEXT "targets/0/regions/0/end", "53248");
	expect(CONTEXT "targets/0/regions/1/start", "81920");
	expect(CONTEXT "schemes/0/action", "migrate_hot");
	expect(CONTEXT "schemes/0/target_nid", "0");
	move_calls = before;
	kdamond_remove(&kdamond);
	expect(ADMIN "nr_kdamonds", "0");
	machine_free(machine);
	drop(&journal);
	root_end();
}
