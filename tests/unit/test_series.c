/* SPDX-License-Identifier: MIT */
/* Rows of a series: nothing is lost, whatever its length. */
#include "test.h"

#include "linux/series.h"

static void test_series_keeps_the_sums(void **state)
{
	static const unsigned nr_seconds[] = { 1, 3, SERIES_MAX, SERIES_MAX + 1, 5000 };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nr_seconds); i++) {
		struct series series = { .nr = 0 };
		uint64_t totals[SERIES_FIELDS] = { 0 }, sum = 0, last_ns = 0;
		for (uint64_t ms = 300; ms <= nr_seconds[i] * 1000; ms += 300) {
			totals[SERIES_SEEN] += ms;
			series_note(&series, ms * NS_PER_MS, totals);
		}
		series_finish(&series, nr_seconds[i] * NS_PER_S, totals);
		assert_in_range(series.nr, 1, SERIES_MAX);
		for (uint32_t j = 0; j < series.nr; j++) {
			sum += series.rows[j].values[SERIES_SEEN];
			assert_true(series.rows[j].end_ns > last_ns);
			/* As long as the step, give or take a note; the one after a doubling is
			 * cut. */
			if (j + 1 < series.nr)
				assert_in_range(series.rows[j].end_ns - last_ns,
						series.step_ns / 2 - 300 * NS_PER_MS,
						series.step_ns + 300 * NS_PER_MS);
			last_ns = series.rows[j].end_ns;
		}
		assert_int_equal(sum, totals[SERIES_SEEN]);
		assert_int_equal(last_ns, nr_seconds[i] * NS_PER_S);
	}
}

static void test_series_has_one_row_a_second(void **state)
{
	struct series series = { .nr = 0 };
	uint64_t totals[SERIES_FIELDS] = { 0 };
	(void)state;
	for (uint64_t second = 1; second <= 10; second++) {
		totals[SERIES_MOVING] += second;
		series_note(&series, second * NS_PER_S + 5, totals);
		series_note(&series, second * NS_PER_S + 6, totals);
	}
	assert_int_equal(series.nr, 10);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(series.rows[i].values[SERIES_MOVING], i + 1);
}
