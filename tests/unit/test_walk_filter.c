/* SPDX-License-Identifier: MIT */
/* Which page tables an ageing walk leaves out. */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/walk_filter.h"

static void test_filter_holds_everything_until_a_walk_cleared_it(void **state)
{
	struct walk_filter filter = { 0 };
	(void)state;
	assert_true(walk_filter_has(&filter, 3, 7));
	walk_filter_add(&filter, 3, 7);
	walk_filter_reset(&filter, 4);
	assert_false(walk_filter_has(&filter, 4, 7));
	assert_true(walk_filter_has(&filter, 3, 7));
	assert_true(walk_filter_has(&filter, 5, 8)); /* the same filter as 3 */
	walk_filter_add(&filter, 4, 7);
	assert_true(walk_filter_has(&filter, 4, 7));
	walk_filter_reset(&filter, 6);
	assert_false(walk_filter_has(&filter, 4, 7));
}

/* No table is lost, and few that are not there are taken for one. */
static void test_filter_loses_none_and_adds_few(void **state)
{
	struct walk_filter filter = { 0 };
	struct random random;
	uint64_t tables[2000];
	unsigned nr_wrong = 0;
	(void)state;
	random_init(&random, 1);
	walk_filter_reset(&filter, 0);
	for (unsigned i = 0; i < 2000; i++) {
		tables[i] = walk_table_of((uint32_t)random_below(&random, 64),
					  random_below(&random, 1ull << 36));
		walk_filter_add(&filter, 0, tables[i]);
	}
	for (unsigned i = 0; i < 2000; i++)
		assert_true(walk_filter_has(&filter, 0, tables[i]));
	for (unsigned i = 0; i < 2000; i++)
		nr_wrong += walk_filter_has(&filter, 0, walk_table_of(100, i * 512));
	assert_true(nr_wrong < 100); /* (4000 / 32768)^2 of them: 30 */
}

/* Against the plain rule, one table after the other. */
static void test_filter_takes_what_has_one_young_entry_in_eight(void **state)
{
	struct walk_filter filter = { 0 };
	struct walk_counts counts = { 0 };
	(void)state;
	walk_filter_reset(&filter, 1);
	for (uint64_t table = 0; table < 600; table++)
		for (uint64_t i = 0; i < table % 120; i++)
			assert_int_equal(walk_counts_add(&counts, table * 3), 0);
	walk_counts_finish(&counts, &filter, 1);
	assert_null(counts.tables);
	for (uint64_t table = 0; table < 600; table++)
		if (table % 120 >= 64)
			assert_true(walk_filter_has(&filter, 1, table * 3));
	unsigned nr_wrong = 0;
	for (uint64_t table = 0; table < 600; table++)
		nr_wrong += table % 120 < 64 && walk_filter_has(&filter, 1, table * 3);
	assert_true(nr_wrong < 5);
}
