/* SPDX-License-Identifier: MIT */
/* The layout of address spaces against the pages of a random program, one by one. */
#include "test.h"

#include "sim/layout.h"
#include "sim_fixture.h"

static int ignore_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	(void)context;
	(void)tick;
	(void)err;
	return 0;
}

static int feed_stage(void *context, const struct trace_batch *batch, struct printbuf *err)
{
	return stage_feed(context, batch, err);
}

/* Every live page lies in one extent of its space, each extent begins and ends with one, counts
 * are right, and there are gaps of LAYOUT_GAP between extents. */
static void check_layout(const struct layout *layout, const struct stage *stage, uint64_t nr_pages)
{
	uint64_t nr_live = 0;
	struct stage_stats stats;
	for (size_t i = 0; i < layout->nr; i++) {
		const struct layout_extent *extent = &layout->items[i];
		uint64_t nr = 0;
		if (i > 0 && layout->items[i - 1].space == extent->space)
			assert_true(extent->start >= layout->items[i - 1].end + LAYOUT_GAP);
		if (i > 0)
			assert_true(layout->items[i - 1].space <= extent->space);
		assert_true(stage_find(stage, extent->space, extent->start) != UINT32_MAX);
		assert_true(stage_find(stage, extent->space, extent->end - 1) != UINT32_MAX);
		for (uint64_t page = extent->start; page < extent->end; page++)
			nr += stage_find(stage, extent->space, page) != UINT32_MAX;
		assert_int_equal(nr, extent->nr_live);
		assert_true(extent->end <= nr_pages);
		nr_live += nr;
	}
	stage_stats(stage, &stats);
	assert_int_equal(nr_live, stats.nr_live);
}

static void test_layout_is_where_pages_live(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct tape tape = tape_new();
		struct stage *stage = NULL;
		struct layout layout = { 0 };
		struct stage_config config = { .tick_ns = NS_PER_MS };
		struct stage_consumer consumer = { .tick = ignore_tick };
		tape_random(&tape, seed, 3000, 100 + seed * 700);
		assert_int_equal(stage_new(&config, &stage), 0);
		assert_int_equal(stage_add_consumer(stage, &consumer), 0);
		assert_int_equal(layout_read(&layout, stage), 0);
		assert_int_equal(layout.nr, 0);
		assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
		assert_int_equal(layout_read(&layout, stage), 0);
		check_layout(&layout, stage, 2 * (100 + seed * 700) + 16);
		assert_true(layout.nr >= 2);
		layout_fini(&layout);
		stage_free(stage);
		tape_free(&tape);
	}
}
