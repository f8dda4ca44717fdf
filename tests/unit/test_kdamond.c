/* SPDX-License-Identifier: MIT */
/*
 * Making, starting and removing a kdamond against files that only keep what was written: what is
 * written where, who is refused, and what a journal of a killed berth undoes and what it leaves.
 * tests/lab/damon.sh does it with kernels.
 */
#include "test.h"

#include "kdamond_fixture.h"

static struct journal_change change_of(char *mark)
{
	static char *values[1];
	values[0] = mark;
	return (struct journal_change){
		.kind = (char *)KDAMOND_KIND,
		.object = (char *)"0-2",
		.original = (char *)"none",
		.values = values,
		.nr_values = 1,
	};
}

static void test_from_made_to_removed(void **state)
{
	struct kdamond_list list = { 0 };
	struct kdamond kdamond;
	pid_t targets[] = { 11, 12 };
	struct kdamond_settings settings = {
		.sample_us = 5000,
		.aggregation_us = 100000,
		.min_regions = 50,
		.max_regions = 200,
		.targets = targets,
		.nr_targets = 2,
	};
	setup();
	struct journal journal = new_journal();
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, NULL), 0);
	expect(ADMIN "nr_kdamonds", "3");
	expect(ADMIN "0/contexts/nr_contexts", "1");
	assert_in_range(list.mark_us, 1000001, 1099992);
	assert_int_equal(journal.nr_changes, 1);
	assert_int_equal(atoi(journal.changes[0].values[0]), list.mark_us);
	assert_int_equal(kdamond_start(&kdamond, &settings, NULL), 0);
	assert_int_equal(kdamond.pid, 77);
	assert_true(kdamond_is_on(&kdamond));
	assert_int_equal(kdamond_cpu_ns(&kdamond), 123456);
	expect(ADMIN "0/state", "on");
	expect(CONTEXT "operations", "vaddr");
	expect(CONTEXT "monitoring_attrs/intervals/sample_us", "5000");
	expect(CONTEXT "monitoring_attrs/intervals/aggr_us", "100000");
	expect(CONTEXT "monitoring_attrs/nr_regions/min", "50");
	expect(CONTEXT "monitoring_attrs/nr_regions/max", "200");
	expect(CONTEXT "targets/nr_targets", "2");
	expect(CONTEXT "targets/1/pid_target", "12");
	kdamond_remove(&kdamond);
	expect(ADMIN "0/state", "off");
	expect(ADMIN "nr_kdamonds", "0");
	kdamond_remove(&kdamond);
	drop(&journal);
	root_end();
}

static void test_who_has_one_keeps_it(void **state)
{
	struct kdamond_list list = { 0 };
	struct kdamond kdamond = { .pid = 5 };
	PRINTBUF(err);
	setup();
	struct journal journal = new_journal();
	put(ADMIN "nr_kdamonds", "2");
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "somebody made 2 kdamonds"));
	expect(ADMIN "nr_kdamonds", "2");
	assert_int_equal(journal.nr_changes, 0);
	assert_int_equal(kdamond.pid, 5);
	drop(&journal);
	root_end();
}

static void test_exclusive_users_are_named(void **state)
{
	PRINTBUF(err);
	setup();
	put("sys/module/damon_stat/parameters/enabled", "Y");
	assert_int_equal(kdamond_probe(&root, NULL, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "DAMON_STAT"));
	put("sys/module/damon_stat/parameters/enabled", "N");
	assert_int_equal(kdamond_probe(&root, NULL, &err), 0);
	root_end();
}

static void test_nothing_is_changed_without_a_journal(void **state)
{
	struct kdamond_list list = { 0 };
	struct kdamond kdamond;
	setup();
	assert_int_equal(kdamond_make(&list, &root, NULL, &kdamond, NULL), -EROFS);
	expect(ADMIN "nr_kdamonds", "0");
	root_end();
}

/* Somebody made the number anew: there is one, with other contents. */
static void test_one_that_became_theirs(void **state)
{
	struct kdamond_list list = { 0 };
	struct kdamond kdamond;
	struct kdamond_settings settings = { .nr_targets = 0 };
	setup();
	struct journal journal = new_journal();
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, NULL), 0);
	put(UPDATE, "1000000");
	put(ADMIN "0/state", "on");
	put(CONTEXT "targets/nr_targets", "1");
	assert_int_equal(kdamond_start(&kdamond, &settings, NULL), -EBUSY);
	kdamond_remove(&kdamond);
	expect(ADMIN "0/state", "on");
	expect(ADMIN "nr_kdamonds", "3");
	drop(&journal);
	root_end();
}

static void test_what_restore_undoes(void **state)
{
	char mark[] = "1004242";
	struct journal_change change = change_of(mark);
	static const struct {
		const char *nr, *state, *nr_contexts, *update_us, *nr_targets;
		enum journal_outcome outcome;
	} cases[] = {
		{ "0", "off", "0", "60000000", "0", JOURNAL_GONE },
		{ "3", "off", "0", "60000000", "0", JOURNAL_RESTORED }, /* killed right after */
		{ "3", "off", "1", "60000000", "0", JOURNAL_RESTORED }, /* before the mark */
		{ "3", "off", "1", "1004242", "1", JOURNAL_RESTORED },
		{ "3", "on", "1", "1004242", "1", JOURNAL_RESTORED },
		{ "3", "on", "1", "1004243", "1", JOURNAL_LEFT_ALONE }, /* somebody else's */
		{ "3", "off", "1", "1000000", "1", JOURNAL_LEFT_ALONE },
		{ "3", "on", "1", "1000000", "0", JOURNAL_LEFT_ALONE },
		{ "1", "on", "1", "1004242", "1", JOURNAL_LEFT_ALONE },
		{ "1", "off", "0", "60000000", "0", JOURNAL_LEFT_ALONE },
		{ "2", "off", "0", "1000000", "0", JOURNAL_LEFT_ALONE },
	};
	setup();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum journal_outcome outcome = 99;
		put(ADMIN "nr_kdamonds", cases[i].nr);
		put(ADMIN "0/state", cases[i].state);
		put(ADMIN "0/contexts/nr_contexts", cases[i].nr_contexts);
		put(UPDATE, cases[i].update_us);
		put(CONTEXT "targets/nr_targets", cases[i].nr_targets);
		assert_int_equal(kdamond_undo(&root, &change, &outcome, NULL), 0);
		assert_int_equal(outcome, cases[i].outcome);
		bool is_left = outcome == JOURNAL_LEFT_ALONE;
		expect(ADMIN "nr_kdamonds", is_left ? cases[i].nr : "0");
		expect(ADMIN "0/state", is_left ? cases[i].state : "off");
	}
	root_end();
}

/* A list serves several at a time, and goes with the last of them. */
static void test_slots_of_one_list(void **state)
{
	struct kdamond_list list = { 0 };
	struct kdamond kdamonds[KDAMOND_SLOTS], more;
	setup();
	struct journal journal = new_journal();
	for (uint32_t i = 0; i < KDAMOND_SLOTS; i++) {
		assert_int_equal(kdamond_make(&list, &root, &journal, &kdamonds[i], NULL), 0);
		assert_int_equal(kdamonds[i].slot, i);
		assert_int_equal(kdamond_probe(&root, &list, NULL), 0);
	}
	assert_int_equal(journal.nr_changes, 1);
	assert_int_equal(kdamond_make(&list, &root, &journal, &more, NULL), -EBUSY);
	expect(ADMIN "2/contexts/nr_contexts", "1");
	kdamond_remove(&kdamonds[0]);
	expect(ADMIN "nr_kdamonds", "3");
	assert_int_equal(kdamond_make(&list, &root, &journal, &more, NULL), 0);
	assert_int_equal(more.slot, 0);
	put(UPDATE, "1000000"); /* somebody rewrote it */
	kdamond_remove(&more);
	assert_int_equal(kdamond_make(&list, &root, &journal, &more, NULL), -EBUSY);
	put(UPDATE, "60000000");
	kdamond_remove(&kdamonds[1]);
	kdamond_remove(&kdamonds[2]);
	assert_int_equal(list.used, 0);
	drop(&journal);
	root_end();
}

/* Physical ranges with a scheme: no process, every region, the node that was asked for. */
static void test_a_scheme_on_physical_ranges(void **state)
{
	const struct kdamond_range ranges[] = { { 4096, 8192 }, { 40960, 81920 } };
	struct kdamond_list list = { 0 };
	struct kdamond first, kdamond;
	struct kdamond_stats stats;
	struct kdamond_settings settings = {
		.sample_us = 1000,
		.aggregation_us = 1000,
		.min_regions = 3,
		.max_regions = 1000,
		.is_physical = true,
		.ranges = ranges,
		.nr_ranges = 2,
		.scheme = { "migrate_cold", 1 },
	};
	setup();
	struct journal journal = new_journal();
	assert_int_equal(kdamond_make(&list, &root, &journal, &first, NULL), 0);
	assert_int_equal(kdamond_make(&list, &root, &journal, &kdamond, NULL), 0);
	assert_int_equal(kdamond_start(&kdamond, &settings, NULL), 0);
	expect(ADMIN "0/state", "off");
	expect(ADMIN "1/state", "on");
	expect(ADMIN "1/contexts/0/operations", "paddr");
	expect(ADMIN "1/contexts/0/targets/nr_targets", "1");
	expect(ADMIN "1/contexts/0/targets/0/pid_target", "0");
	expect(ADMIN "1/contexts/0/targets/0/regions/nr_regions", "2");
	expect(ADMIN "1/contexts/0/targets/0/regions/1/start", "40960");
	expect(ADMIN "1/contexts/0/targets/0/regions/1/end", "81920");
	expect(ADMIN "1/contexts/0/schemes/nr_schemes", "1");
	expect(ADMIN "1/contexts/0/schemes/0/action", "migrate_cold");
	expect(ADMIN "1/contexts/0/schemes/0/target_nid", "1");
	expect(ADMIN "1/contexts/0/schemes/0/access_pattern/sz/max", "18446744073709551615");
	expect(ADMIN "1/contexts/0/schemes/0/access_pattern/nr_accesses/max", "4294967295");
	expect(ADMIN "1/contexts/0/schemes/0/access_pattern/age/max", "4294967295");
	assert_int_equal(kdamond_read_stats(&kdamond, &stats), 0);
	expect(ADMIN "1/state", "update_schemes_stats");
	assert_int_equal(stats.nr_tried, 3);
	assert_int_equal(stats.tried_bytes, 12288);
	assert_int_equal(stats.applied_bytes, 8192);
	put(ADMIN "1/state", "on");
	assert_int_equal(kdamond_stop(&kdamond), 0);
	expect(ADMIN "1/state", "off");
	settings.scheme.action = NULL;
	assert_int_equal(kdamond_start(&kdamond, &settings, NULL), 0);
	expect(ADMIN "1/contexts/0/schemes/nr_schemes", "0");
	kdamond_remove(&kdamond);
	kdamond_remove(&first);
	expect(ADMIN "nr_kdamonds", "0");
	drop(&journal);
	root_end();
}
