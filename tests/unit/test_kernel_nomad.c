/* SPDX-License-Identifier: MIT */
/* Shadows: what makes one, what each end of one does and costs, and copies that writes hit. */
#include "test.h"

#include "kernel_fixture.h"
#include "sim/kernel/nomad.h"

#define TWO   "node:dram:64MiB@80ns/100GBps:cpus=0 node:cxl:64MiB@250ns/30GBps"
#define SLOW  1
#define PAGES 40000

static struct nomad *nomad_of(const struct box *box)
{
	return linux_of(box->kernel)->nomad;
}

static void open_nomad(struct box *box)
{
	box_open(box, TWO, "nomad", PAGES);
}

static void close_nomad(struct box *box)
{
	assert_true(nomad_is_valid(linux_of(box->kernel)));
	box_close(box);
}

static void promote(struct box *box, uint32_t page)
{
	assert_true(nomad_queue(linux_of(box->kernel), page));
	nomad_tick(box->kernel);
	assert_int_equal(box->kernel->pages[page].node, 0);
}

static void test_nomad_promotes_at_the_next_tick_and_leaves_a_shadow(void **state)
{
	struct box box;
	open_nomad(&box);
	assert_int_equal(kernel_fault(box.kernel, 7, SLOW), 0);
	assert_true(nomad_queue(linux_of(box.kernel), 7));
	assert_int_equal(box.kernel->pages[7].node, SLOW);
	nomad_tick(box.kernel);
	assert_int_equal(box.kernel->pages[7].node, 0);
	assert_int_equal(nomad_of(&box)->shadow[7], SLOW);
	assert_int_equal(linux_of(box.kernel)->counters[LINUX_PGPROMOTE_SUCCESS], 1);
	close_nomad(&box);
}

/* As the simulation does. */
static void access_page(struct box *box, uint32_t page, uint8_t flags)
{
	if (flags & TRACE_WRITE && box->kernel->pages[page].bits & KERNEL_TELL_WRITE)
		nomad_written(box->kernel, page);
}

/* Down to its shadow: no copy is paid. After a write: it is. */
static void test_nomad_demotes_for_nothing_what_was_not_written(void **state)
{
	for (int is_written = 0; is_written <= 1; is_written++) {
		struct box box;
		open_nomad(&box);
		kernel_fault(box.kernel, 7, SLOW);
		promote(&box, 7);
		access_page(&box, 7, TRACE_MISS);
		assert_int_equal(nomad_of(&box)->shadow[7], SLOW);
		if (is_written)
			access_page(&box, 7, TRACE_WRITE);
		uint64_t paid_ps = box.account.epoch_move_ps;
		assert_int_equal(kernel_migrate(box.kernel, 7, SLOW), 0);
		assert_int_equal(box.kernel->pages[7].node, SLOW);
		assert_int_equal(box.account.epoch_move_ps - paid_ps,
				 is_written ? box.cost->move_ps[0 * 2 + SLOW] : 0);
		assert_int_equal(nomad_of(&box)->nr_hits, !is_written);
		assert_int_equal(nomad_of(&box)->nr_written, is_written);
		assert_int_equal(box.kernel->stats.nr_demoted, 1);
		assert_int_equal(nomad_of(&box)->shadow[7], KERNEL_NOWHERE);
		close_nomad(&box);
	}
}

/* Shadows live in free memory above LOW; the oldest give way first. */
static void test_nomad_gives_up_the_oldest_shadows_for_pages(void **state)
{
	struct box box;
	open_nomad(&box);
	struct nomad *nomad = nomad_of(&box);
	for (uint32_t page = 0; page < 100; page++) {
		kernel_fault(box.kernel, page, SLOW);
		promote(&box, page);
	}
	uint64_t low = linux_of(box.kernel)->nodes[SLOW].marks.low;
	uint32_t page = 1000;
	while (box.kernel->nodes[SLOW].free_pages > low + 100)
		kernel_fault(box.kernel, page++, SLOW);
	assert_int_equal(nomad->shadows[SLOW].nr_pages, 100);
	for (uint32_t i = 0; i < 30; i++)
		kernel_fault(box.kernel, page++, SLOW);
	assert_int_equal(nomad->shadows[SLOW].nr_pages, 70);
	assert_int_equal(nomad->nr_reclaimed, 30);
	assert_int_equal(nomad->shadow[29], KERNEL_NOWHERE);
	assert_int_equal(nomad->shadow[30], SLOW);
	kernel_release(box.kernel, 30);
	assert_int_equal(nomad->shadow[30], KERNEL_NOWHERE);
	close_nomad(&box);
}

/* So many writes in one tick that the copy is surely hit: three tries, each paid, then no more. */
static void test_nomad_aborts_copies_that_are_written(void **state)
{
	struct box box;
	open_nomad(&box);
	kernel_fault(box.kernel, 7, SLOW);
	assert_true(nomad_queue(linux_of(box.kernel), 7));
	for (int tick = 1; tick <= 5; tick++) {
		for (int i = 0; i < 2000; i++)
			access_page(&box, 7, TRACE_MISS | TRACE_WRITE);
		nomad_tick(box.kernel);
		assert_int_equal(nomad_of(&box)->nr_aborts, MIN(tick, NOMAD_TRIES));
	}
	assert_int_equal(box.kernel->pages[7].node, SLOW);
	assert_int_equal(box.account.epoch_move_ps, NOMAD_TRIES * box.cost->move_ps[SLOW * 2 + 0]);
	assert_int_equal(nomad_of(&box)->nr_queue, 0);
	promote(&box, 7);
	close_nomad(&box);
}

/* A few writes hit a copy of some microseconds in a tick of a millisecond now and then only. */
static void test_nomad_chance_of_an_abort_is_the_share_of_the_copy(void **state)
{
	struct box box;
	open_nomad(&box);
	for (uint32_t page = 0; page < 4000; page++) {
		kernel_fault(box.kernel, page, SLOW);
		nomad_queue(linux_of(box.kernel), page);
		for (int i = 0; i < 50; i++)
			access_page(&box, page, TRACE_WRITE);
	}
	nomad_tick(box.kernel);
	uint64_t copy_ns = box.cost->move_ps[SLOW * 2 + 0] / COST_PS_PER_NS;
	uint64_t expected = 4000 * 50 * copy_ns / box.cost->tick_ns;
	assert_in_range(nomad_of(&box)->nr_aborts, expected * 8 / 10, expected * 12 / 10);
	close_nomad(&box);
}

/* Anything in any order: frames add up, shadows are what they should be. */
static void test_nomad_keeps_its_books(void **state)
{
	struct box box;
	struct random random;
	random_init(&random, 5);
	open_nomad(&box);
	for (uint32_t step = 1; step <= 60000; step++) {
		uint32_t page = (uint32_t)random_below(&random, PAGES);
		uint16_t node = box.kernel->pages[page].node;
		uint64_t what = random_below(&random, 8);
		if (node == KERNEL_NOWHERE)
			kernel_fault(box.kernel, page, what < 4 ? SLOW : UINT32_MAX);
		else if (what == 0)
			kernel_release(box.kernel, page);
		else if (what < 4 && node == SLOW)
			nomad_queue(linux_of(box.kernel), page);
		else if (what == 4)
			kernel_migrate(box.kernel, page, node ? 0 : SLOW);
		else
			access_page(&box, page, what == 5 ? TRACE_WRITE : TRACE_MISS);
		box.kernel->now_ns = step * NS_PER_MS;
		if (step % 50 == 0)
			nomad_tick(box.kernel);
		if (step % 5000 == 0)
			assert_true(nomad_is_valid(linux_of(box.kernel)) &&
				    kernel_is_valid(box.kernel));
	}
	assert_true(nomad_of(&box)->nr_hits > 0);
	assert_true(nomad_of(&box)->nr_written > 0);
	close_nomad(&box);
}
