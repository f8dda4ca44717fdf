/* SPDX-License-Identifier: MIT */
/* The working set's series and histogram against a sorted array. */
#include "test.h"

#include "mem/workingset.h"

static struct workingset *new_set(void)
{
	struct workingset *set = calloc(1, sizeof(*set));
	assert_non_null(set);
	return set;
}

static void test_small_values_are_exact(void **state)
{
	struct workingset *set = new_set();
	for (uint64_t value = 1; value <= 100; value++)
		workingset_add(set, 0, value, 1);
	assert_int_equal(workingset_percentile(set, 0.5), 50);
	assert_int_equal(workingset_percentile(set, 0.99), 99);
	assert_int_equal(workingset_percentile(set, 1), 100);
	assert_int_equal(workingset_percentile(set, 0), 1);
	assert_int_equal(set->max, 100);
	assert_true(workingset_mean(set) == 50.5);
	free(set);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void test_large_values_are_close(void **state)
{
	static uint64_t values[5000];
	struct workingset *set = new_set();
	uint64_t seed = 42;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		values[i] = seed >> (seed >> 59);
		workingset_add(set, 0, values[i], 1);
	}
	qsort(values, ARRAY_SIZE(values), sizeof(values[0]), compare);
	for (unsigned p = 1; p <= 100; p++) {
		double exact = (double)values[ARRAY_SIZE(values) * p / 100 - 1];
		double got = (double)workingset_percentile(set, p / 100.0);
		assert_true(got >= exact);
		assert_true(got <= exact * 1.008 + 1);
	}
	free(set);
}

static void test_halving_keeps_sums(void **state)
{
	struct workingset *set = new_set();
	for (unsigned bin = 0; bin < GRID_BINS; bin++)
		workingset_add(set, bin, bin, 2);
	workingset_halve_time(set);
	assert_int_equal(set->bins[3].nr, 4);
	assert_int_equal(set->bins[3].max, 7);
	assert_true(set->bins[3].sum == 26);
	assert_int_equal(set->bins[GRID_BINS / 2].nr, 0);
	assert_int_equal(set->nr, 2 * GRID_BINS);
	free(set);
}

static void test_extremes(void **state)
{
	struct workingset *set = new_set();
	assert_int_equal(workingset_percentile(set, 0.5), 0);
	workingset_add(set, 0, UINT64_MAX, 1);
	workingset_add(set, 0, 255, 1);
	workingset_add(set, 0, 256, 1);
	assert_int_equal(workingset_percentile(set, 1), UINT64_MAX);
	assert_int_equal(workingset_percentile(set, 0.3), 255);
	free(set);
}
