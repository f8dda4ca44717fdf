/* SPDX-License-Identifier: MIT */
/* The decode stage: dense numbers, ticks and gaps, frees and remaps, against a naive oracle. */
#include "test.h"

#include "sim/blocked.h"
#include "sim/pagemap.h"
#include "sim/stage.h"
#include "sim_fixture.h"

#define ORACLE_PAGES 4096

struct watcher { /* a consumer that checks what it is told */
	struct stage *stage;
	uint32_t nr_pages;	     /* grown to */
	uint8_t alive[ORACLE_PAGES]; /* by number */
	uint64_t nr_births, nr_deaths, nr_events, nr_ticks;
	uint64_t end_ns;
	uint64_t ticks_ns[256]; /* ends of the first ticks */
	bool is_over;
};

static int watch_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct watcher *watcher = context;
	(void)err;
	assert_true(nr_pages > watcher->nr_pages);
	watcher->nr_pages = nr_pages;
	return 0;
}

static int watch_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct watcher *watcher = context;
	(void)err;
	assert_true(events->nr > 0 && events->nr <= TRACE_BATCH_EVENTS);
	for (uint32_t i = 0; i < events->nr; i++) {
		assert_true(events->page[i] < watcher->nr_pages);
		assert_true(events->page[i] < ORACLE_PAGES);
		watcher->nr_births += !watcher->alive[events->page[i]];
		watcher->alive[events->page[i]] = 1;
	}
	watcher->nr_events += events->nr;
	return 0;
}

static int watch_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct watcher *watcher = context;
	(void)err;
	for (uint32_t i = 0; i < nr; i++) {
		assert_true(watcher->alive[pages[i]]);
		watcher->alive[pages[i]] = 0;
	}
	watcher->nr_deaths += nr;
	return 0;
}

static int watch_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct watcher *watcher = context;
	(void)err;
	assert_false(watcher->is_over);
	assert_int_equal(tick->start_ns, watcher->end_ns);
	assert_true(tick->end_ns >= tick->start_ns);
	watcher->end_ns = tick->end_ns;
	if (watcher->nr_ticks < ARRAY_SIZE(watcher->ticks_ns))
		watcher->ticks_ns[watcher->nr_ticks] = tick->end_ns;
	watcher->nr_ticks++;
	watcher->is_over = tick->is_last;
	return 0;
}

static struct stage *watched_stage(struct watcher *watcher, uint64_t tick_ns)
{
	struct stage_config config = { .tick_ns = tick_ns };
	struct stage_consumer consumer = { watcher, watch_grow, watch_events, watch_freed,
					   watch_tick };
	*watcher = (struct watcher){ 0 };
	assert_int_equal(stage_new(&config, &watcher->stage), 0);
	assert_int_equal(stage_add_consumer(watcher->stage, &consumer), 0);
	return watcher->stage;
}

static int feed_stage(void *context, const struct trace_batch *batch, struct printbuf *err)
{
	return stage_feed(context, batch, err);
}

static void test_stage_ticks_join_without_holes(void **state)
{
	static struct watcher watcher;
	struct stage *stage = watched_stage(&watcher, 100);
	struct tape tape = tape_new();
	(void)state;
	tape_access(&tape, 99, 0, 1, TRACE_MISS);
	tape_access(&tape, 100, 0, 1, TRACE_MISS);
	tape_access(&tape, 350, 0, 2, TRACE_MISS);
	tape_access(&tape, 1000050, 0, 3, TRACE_MISS);
	assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
	/* 100, 200, 300; then 64 of the gap, one long one to its end. */
	assert_int_equal(watcher.nr_ticks, 3 + STAGE_GAP_TICKS + 1);
	assert_int_equal(watcher.ticks_ns[2], 300);
	assert_int_equal(watcher.ticks_ns[3 + STAGE_GAP_TICKS - 1], 300 + 64 * 100);
	assert_int_equal(watcher.end_ns, 1000000);
	assert_int_equal(stage_finish(stage, 1000070, NULL), 0);
	assert_int_equal(watcher.end_ns, 1000070);
	assert_true(watcher.is_over);
	assert_int_equal(watcher.nr_events, 4);
	stage_free(stage);
	tape_free(&tape);
}

static void test_stage_survives_hostile_times(void **state)
{
	static struct watcher watcher;
	struct stage *stage = watched_stage(&watcher, 1);
	struct tape tape = tape_new();
	(void)state;
	tape_access(&tape, 5, 0, UINT64_MAX, TRACE_MISS);
	tape_access(&tape, UINT64_MAX - 1, UINT32_MAX - 1, 0, TRACE_MISS);
	tape_mapping(&tape, UINT64_MAX, 0, TRACE_UNMAP, 1, UINT64_MAX, 0);
	tape_mapping(&tape, UINT64_MAX, 0, TRACE_REMAP, UINT64_MAX - 5, 100, 3);
	tape_mapping(&tape, UINT64_MAX, 0, TRACE_DISCARD, 3, 0, 0);
	assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
	assert_int_equal(stage_finish(stage, UINT64_MAX, NULL), 0);
	assert_true(watcher.nr_ticks < 1000);
	assert_int_equal(watcher.nr_deaths, 1);
	stage_free(stage);
	tape_free(&tape);
}

static void test_stage_numbers_are_used_again(void **state)
{
	static struct watcher watcher;
	struct stage *stage = watched_stage(&watcher, 1000);
	struct tape tape = tape_new();
	struct stage_stats stats;
	(void)state;
	for (uint64_t round = 0; round < 500; round++) {
		for (uint64_t page = 0; page < 100; page++)
			tape_access(&tape, round, 0, round * 1000000 + page, TRACE_MISS);
		tape_mapping(&tape, round, 0, TRACE_UNMAP, round * 1000000, 100, 0);
	}
	assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
	stage_stats(stage, &stats);
	assert_int_equal(stats.nr_lives, 50000);
	assert_int_equal(stats.nr_live, 0);
	assert_int_equal(stats.nr_peak, 100);
	assert_true(stats.bytes < 400000); /* as for 100 pages, not for 50,000 */
	assert_int_equal(watcher.nr_deaths, 50000);
	stage_free(stage);
	tape_free(&tape);
}

static void test_stage_remap_keeps_the_number(void **state)
{
	static struct watcher watcher;
	struct stage *stage = watched_stage(&watcher, 1000);
	struct tape tape = tape_new();
	(void)state;
	tape_access(&tape, 1, 0, 10, TRACE_MISS);
	tape_access(&tape, 1, 0, 11, TRACE_MISS);
	tape_access(&tape, 1, 0, 501, TRACE_MISS); /* in the way: it goes */
	tape_mapping(&tape, 2, 0, TRACE_REMAP, 500, 2, 10);
	assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
	assert_int_equal(stage_find(stage, 0, 10), UINT32_MAX);
	assert_int_equal(stage_find(stage, 0, 500), 0);
	assert_int_equal(stage_find(stage, 0, 501), 1);
	assert_int_equal(stage_page(stage, 1).page, 501);
	assert_int_equal(watcher.nr_deaths, 1);
	stage_free(stage);
	tape_free(&tape);
}

static void test_stage_child_has_its_own_pages(void **state)
{
	static struct watcher watcher;
	struct stage *stage = watched_stage(&watcher, 1000);
	struct tape tape = tape_new();
	(void)state;
	tape_access(&tape, 1, 0, 10, TRACE_MISS);
	tape_access(&tape, 2, 1, 10, TRACE_MISS);
	tape_mapping(&tape, 3, 1, TRACE_PROCESS_END, 0, 0, 0);
	assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
	assert_int_equal(watcher.nr_births, 2);
	assert_int_equal(stage_find(stage, 0, 10), 0);
	assert_int_equal(stage_find(stage, 1, 10), UINT32_MAX);
	stage_free(stage);
	tape_free(&tape);
}

/* Which pages should be alive, and since how many lives, by plain arrays. */
static void test_stage_equals_oracle(void **state)
{
	static struct watcher watcher;
	static uint8_t alive[2][1024];
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct stage *stage = watched_stage(&watcher, 10000);
		struct tape tape = tape_new();
		uint64_t lives = 0, nr_alive = 0;
		memset(alive, 0, sizeof(alive));
		tape_random(&tape, seed, 5000, 300);
		for (size_t i = 0; i < tape.nr; i++) {
			const struct tape_event *event = &tape.events[i];
			uint8_t *space = alive[event->space];
			uint8_t moved[16] = { 0 };
			lives += !event->is_mapping && !space[event->page];
			if (!event->is_mapping)
				space[event->page] = 1;
			for (uint64_t j = 0; event->is_mapping && j < event->nr_pages; j++) {
				bool remaps = event->op == TRACE_REMAP;
				moved[j] = remaps && space[event->from_page + j];
				space[remaps ? event->from_page + j : event->page + j] = 0;
			}
			for (uint64_t j = 0;
			     event->op == TRACE_REMAP && event->is_mapping && j < event->nr_pages;
			     j++)
				space[event->page + j] = moved[j];
		}
		assert_int_equal(tape_play(&tape, feed_stage, stage, NULL), 0);
		assert_int_equal(stage_finish(stage, 0, NULL), 0);
		for (uint32_t i = 0; i < 2048; i++) {
			bool found = stage_find(stage, i / 1024, i % 1024) != UINT32_MAX;
			assert_int_equal(found, alive[i / 1024][i % 1024]);
			nr_alive += found;
		}
		assert_int_equal(watcher.nr_births, lives);
		assert_int_equal(watcher.nr_births - watcher.nr_deaths, nr_alive);
		stage_free(stage);
		tape_free(&tape);
	}
}

static int count_taken(void *context, uint64_t page, uint32_t number)
{
	(void)page;
	(void)number;
	++*(uint32_t *)context;
	return 0;
}

static void test_pagemap_equals_array(void **state)
{
	static uint32_t numbers[20000];
	struct pagemap map;
	struct random random;
	(void)state;
	random_init(&random, 5);
	assert_int_equal(pagemap_init(&map), 0);
	memset(numbers, 0xff, sizeof(numbers));
	for (uint32_t step = 0; step < 60000; step++) {
		uint32_t page = (uint32_t)random_below(&random, 20000);
		uint64_t address = (uint64_t)page * (1 + page % 3) * 1315423911u;
		assert_int_equal(pagemap_find(&map, page % 3, address), numbers[page]);
		if (numbers[page] == PAGEMAP_NONE) {
			numbers[page] = step;
			assert_int_equal(pagemap_set(&map, page % 3, address, step), 0);
		} else {
			assert_int_equal(pagemap_take(&map, page % 3, address), numbers[page]);
			numbers[page] = PAGEMAP_NONE;
		}
		if (step % 10000 == 0)
			assert_true(pagemap_is_valid(&map));
	}
	uint32_t expected = 0, taken = 0;
	for (uint32_t i = 0; i < 20000; i++)
		expected += i % 3 == 1 && numbers[i] != PAGEMAP_NONE;
	assert_int_equal(pagemap_take_range(&map, 1, 0, UINT64_MAX, count_taken, &taken), 0);
	assert_int_equal(taken, expected);
	assert_true(pagemap_is_valid(&map));
	pagemap_fini(&map);
}

static void test_blocked_time_is_what_all_slept(void **state)
{
	struct blocked_time blocked = { 0 };
	(void)state;
	assert_int_equal(blocked_time_ns(&blocked), 0);
	blocked_time_add(&blocked, 0, 0, 500);
	blocked_time_add(&blocked, 0, 0, 500);
	assert_int_equal(blocked_time_ns(&blocked), 1000);
	blocked_time_add(&blocked, 0, 1, 300);
	assert_int_equal(blocked_time_ns(&blocked), 300);
	blocked_time_add(&blocked, 1, 1, 0);
	assert_int_equal(blocked_time_ns(&blocked), 0);
	for (uint32_t i = 0; i < 2 * BLOCKED_THREADS_MAX; i++)
		blocked_time_add(&blocked, 2, i, 1);
	assert_int_equal(blocked_time_ns(&blocked), 0);
	blocked_time_fini(&blocked);
}
