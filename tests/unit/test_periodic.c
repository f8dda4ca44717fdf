/* SPDX-License-Identifier: MIT */
/*
 * What the periodic job says of its releases: percentiles by their definition, what is left out for
 * warming up, what counts as an overrun.
 */
#include "test.h"

#include "lab/workloads/common/work.c"
#define main periodic_main
#include "lab/workloads/periodic.c"
#undef main

static void test_percentiles_are_of_nearest_rank(void **state)
{
	uint64_t values[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

	assert_int_equal(percentile(values, 10, 50), 5);
	assert_int_equal(percentile(values, 10, 99), 10);
	assert_int_equal(percentile(values, 10, 90), 9);
	assert_int_equal(percentile(values, 10, 91), 10);
	assert_int_equal(percentile(values, 1, 50), 1);
	assert_int_equal(percentile(values, 1, 99), 1);
	assert_int_equal(percentile(values, 2, 50), 1);
	assert_int_equal(percentile(values, 10, 0), 1);
	assert_int_equal(percentile(values, 0, 99), 0);
}

/* Any rank is the least value that at least so many in a hundred do not exceed. */
static void test_percentiles_agree_with_counting(void **state)
{
	uint64_t random = random_seed(7, 0), values[200];

	for (int round = 0; round < 200; round++) {
		uint64_t nr = 1 + random_below(random_next(&random), 200);
		unsigned percent = 1 + (unsigned)random_below(random_next(&random), 100);

		for (uint64_t i = 0; i < nr; i++)
			values[i] = random_below(random_next(&random), 50);
		spread_of(values, nr); /* sorts */
		uint64_t found = percentile(values, nr, percent), below = 0, within = 0;

		for (uint64_t i = 0; i < nr; i++) {
			below += values[i] < found;
			within += values[i] <= found;
		}
		assert_true(within * 100 >= nr * percent);
		assert_true(below * 100 < nr * percent);
	}
}

static void test_releases_are_added_up(void **state)
{
	struct release first[] = { { 900, 9000 }, { 10, 1000 }, { 30, 1001 } };
	struct release second[] = { { 800, 8000 }, { 20, 999 }, { 40, 3000 } };
	struct periodic p = { .period_ns = 1000,
			      .nr_threads = 2,
			      .nr_releases = 3,
			      .nr_warm_up = 1,
			      .start_ns = 500 };

	p.wakers[0] = (struct waker){ .releases = first, .nr_done = 3, .cpu_ns = 7 };
	p.wakers[1] = (struct waker){ .releases = second, .nr_done = 3, .cpu_ns = 8 };
	struct outcome outcome = add_up(&p, 4500);

	assert_int_equal(outcome.nr, 4);
	assert_int_equal(outcome.run_ns, 4000);
	assert_int_equal(outcome.cpu_ns, 15);
	assert_int_equal(outcome.nr_overruns, 2); /* 1001 and 3000 of a period of 1000 */
	assert_int_equal(outcome.late.p50, 20);
	assert_int_equal(outcome.late.p99, 40);
	assert_int_equal(outcome.late.max, 40);
	assert_int_equal(outcome.response.p50, 1000);
	assert_int_equal(outcome.response.p99, 3000);
}
