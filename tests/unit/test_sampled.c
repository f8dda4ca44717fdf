/* SPDX-License-Identifier: MIT */
/* Accesses made of samples: each page once, within its window, in time order; shares of ranges. */
#include "test.h"

#include <string.h>

#include "sim/sampled.h"

#define PAGES 10000

struct told {
	unsigned nr_of[PAGES];
	uint64_t nr, first_ns, last_ns, nr_ascending, last_page;
	uint32_t space;
};

static int take(void *context, const struct trace_batch *accesses)
{
	struct told *told = context;
	assert_int_equal(accesses->kind, TRACE_ACCESSES);
	assert_true(accesses->nr > 0 && accesses->nr <= TRACE_BATCH_EVENTS);
	told->space = accesses->space;
	for (uint32_t i = 0; i < accesses->nr; i++) {
		uint64_t time_ns = accesses->time_ns[i];
		assert_true(accesses->page[i] < PAGES);
		assert_int_equal(accesses->flags[i], TRACE_MISS | TRACE_TOUCH);
		assert_true(told->nr == 0 || time_ns >= told->last_ns);
		told->first_ns = told->nr == 0 ? time_ns : told->first_ns;
		told->last_ns = time_ns;
		told->nr_ascending += accesses->page[i] == told->last_page + 1;
		told->last_page = accesses->page[i];
		told->nr_of[accesses->page[i]]++;
		told->nr++;
	}
	return 0;
}

struct look {
	uint64_t time_ns[4], page[4], nr_pages[4], window_ns[4];
	uint32_t hits[4], checks[4];
};

static struct trace_batch batch_of(const struct look *look, uint32_t space, uint32_t nr)
{
	return (struct trace_batch){ .kind = TRACE_SAMPLES,
				     .space = space,
				     .nr = nr,
				     .time_ns = look->time_ns,
				     .page = look->page,
				     .nr_pages = look->nr_pages,
				     .hits = look->hits,
				     .checks = look->checks,
				     .window_ns = look->window_ns };
}

static void test_a_used_page_is_one_access_in_its_window(void **state)
{
	static const struct look look = { .time_ns = { 5000000, 5000000, 5000000, 5000000 },
					  .page = { 5000, 100, 9000, 7000 },
					  .nr_pages = { 2000, 3, 1, 1000 },
					  .hits = { 1, 1, 1, 0 },
					  .checks = { 1, 1, 1, 1 },
					  .window_ns = { 4000000, 4000000, 4000000, 4000000 } };
	struct told told = { .nr = 0 };
	struct sampled *sampled = sampled_new(take, &told);
	struct trace_batch batch = batch_of(&look, 3, 4);
	(void)state;
	assert_int_equal(sampled_feed(sampled, &batch), 0);
	assert_int_equal(told.nr, 0); /* the look may go on */
	assert_int_equal(sampled_flush(sampled), 0);
	assert_int_equal(told.nr, 2004);
	assert_int_equal(told.space, 3);
	for (unsigned page = 0; page < PAGES; page++)
		assert_int_equal(told.nr_of[page], (page >= 5000 && page < 7000) || page == 9000 ||
							   (page >= 100 && page < 103));
	assert_true(told.first_ns > 1000000 && told.first_ns < 1100000);
	assert_int_equal(told.last_ns, 5000000);
	assert_true(told.nr_ascending < 10);
	assert_int_equal(sampled_flush(sampled), 0);
	assert_int_equal(told.nr, 2004);
	sampled_free(sampled);
}

/* A quarter of the checks hit: a quarter of the pages, all of them after four looks. */
static void test_a_share_of_checks_is_a_share_of_pages(void **state)
{
	struct told told = { .nr = 0 };
	struct sampled *sampled = sampled_new(take, &told);
	(void)state;
	for (uint64_t turn = 1; turn <= 8; turn++) {
		struct look look = { .time_ns = { turn * 1000 },
				     .page = { 40 },
				     .nr_pages = { 100 },
				     .hits = { 5 },
				     .checks = { 20 },
				     .window_ns = { 1000 } };
		struct trace_batch batch = batch_of(&look, 0, 1);
		assert_int_equal(sampled_feed(sampled, &batch), 0);
		assert_int_equal(sampled_flush(sampled), 0);
		assert_int_equal(told.nr, turn * 25);
	}
	for (unsigned page = 40; page < 140; page++)
		assert_int_equal(told.nr_of[page], 2);
	sampled_free(sampled);
}

static void test_strange_windows_do_no_harm(void **state)
{
	static const struct look look = { .time_ns = { 10, 20, 20, 30 },
					  .page = { 1, 2, 3, 4 },
					  .nr_pages = { 1, 5, 0, 2 },
					  .hits = { 1, 1, 1, 9 },
					  .checks = { 1, 0, 1, 1 },
					  .window_ns = { TRACE_UNKNOWN, UINT64_MAX - 1, 0, 100 } };
	struct told told = { .nr = 0 };
	struct sampled *sampled = sampled_new(take, &told);
	struct trace_batch batch = batch_of(&look, 0, 4);
	(void)state;
	assert_int_equal(sampled_feed(sampled, &batch), 0);
	assert_int_equal(sampled_flush(sampled), 0);
	assert_int_equal(told.nr, 8);
	assert_int_equal(told.last_ns, 30);
	sampled_free(sampled);
}
