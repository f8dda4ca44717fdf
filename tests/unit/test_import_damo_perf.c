/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "import_helper.h"

#define AT(time) "kdamond.0  4452 [000] " time ": damon:damon_aggregated: "

/* Lines of damon_aggregated, each its time, a blank, and its fields. */
static struct imported import_lines_of(const char *const lines[])
{
	PRINTBUF(text);
	for (; *lines; lines++) {
		const char *fields = strchr(*lines, ' ');
		prt_str(&text, "kdamond.0  4452 [000] ");
		prt_mem(&text, *lines, (size_t)(fields - *lines));
		prt_printf(&text, ": damon:damon_aggregated:%s\n", fields);
	}
	return import_bytes(text.buf, text.pos);
}

static void test_regions_become_ranges(void **state)
{
	static const char text[] = "# cmdline: perf script\n"
				   "ls 1 [001] 10.0: sched:sched_switch: prev_comm=x nr_regions=1\n"
				   "kdamond.0  4452 [000] 82877.315633: damon:damon_aggregated: "
				   "target_id=18446623435582458880 nr_regions=2 4096-8192: 0 3\n"
				   "kdamond.0  4452 [000] 82877.315640: damon:damon_aggregated: "
				   "target_id=18446623435582458880 nr_regions=2 "
				   "140731667070976-140731668037632: 9 3\r\n"
				   "kdamond.0  4452 [000] 82877.415633: damon:damon_aggregated: "
				   "target_id=18446623435582458880 nr_regions=1 4096-12288: 4\n";
	struct imported all = import_text(text);
	static const struct event expected[] = {
		{ 100000000, 1, 1, 100000000, .hits = 0, .checks = 20 },
		{ 100000000, 140731667070976 >> 12, 236, 100000000, .hits = 9, .checks = 20 },
		{ 200000000, 1, 2, 100000000, .hits = 4, .checks = 20 },
	};
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 3);
	assert_memory_equal(all.events, expected, sizeof(expected));
	assert_string_equal(all.info->spaces[0].name, "target 18446623435582458880");
	assert_int_equal(all.info->spaces[0].kind, TRACE_SPACE_MM);
	assert_int_equal(all.info->nr_notes, 1);
	assert_noted(&all, "default of 5 ms is assumed");
	imported_fini(&all);
}

static void test_a_lone_snapshot_with_its_successor(void **state)
{
	struct imported all = import_text(
		"kdamond.x xxxx xxxx 1.100000: damon:damon_aggregated: target_id=0 nr_regions=1 "
		"0-4096: 5 1\n"
		"kdamond.x xxxx xxxx 1.300000: damon:damon_aggregated: target_id=0 nr_regions=1 "
		"0-0: -1 -1\n");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 1);
	assert_int_equal(all.events[0].window_ns, 200000000);
	assert_int_equal(all.events[0].checks, 40);
	assert_int_equal(all.info->duration_ns, 200000000);
	imported_fini(&all);
}

static void test_a_lone_snapshot_without(void **state)
{
	struct imported all = import_lines_of(
		(const char *[]){ "1.1 target_id=0 nr_regions=1 0-4096: 5 1", NULL });
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 1);
	assert_int_equal(all.events[0].window_ns, 0); /* nobody knows */
	assert_int_equal(all.events[0].checks, 5);
	imported_fini(&all);
}

static void test_targets_between_each_other(void **state)
{
	static const char *const lines[] = {
		"1.100000 target_id=7 nr_regions=2 0-4096: 1 1",
		"1.100001 target_id=8 nr_regions=1 0-4096: 3 1",
		"1.100002 target_id=7 nr_regions=2 4096-8192: 2 1",
		"1.200002 target_id=8 nr_regions=1 0-4096: 4 1",
		"1.200003 target_id=7 nr_regions=1 0-4096: 5 1",
		NULL,
	};
	struct imported all = import_lines_of(lines);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 5);
	assert_int_equal(all.info->nr_spaces, 2);
	static const uint32_t spaces[] = { 0, 0, 1, 1, 0 }, hits[] = { 1, 2, 3, 4, 5 };
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(all.events[i].space, spaces[i]);
		assert_int_equal(all.events[i].hits, hits[i]);
	}
	imported_fini(&all);
}

static void test_lost_lines_are_noted(void **state)
{
	static const char *const lines[] = {
		"1.1 target_id=0 nr_regions=3 0-4096: 1 1",
		"1.1 target_id=0 nr_regions=3 4096-8192: 1 1",
		"1.2 target_id=0 nr_regions=3 0-4096: 2 1",
		"1.3 target_id=0 nr_regions=2 4096-8192: 3 1",
		"1.3 target_id=0 nr_regions=2 8192-9999: 3 1",
		"1.4 target_id=0 nr_regions=2 0-4096: 4 1",
		NULL,
	};
	struct imported all = import_lines_of(lines);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 6);
	assert_noted(&all, "because events were lost: 3");
	assert_int_equal(all.events[2].time_ns, 200000000);
	assert_int_equal(all.events[5].time_ns, 400000000);
	imported_fini(&all);
}

static void test_schemes_and_tuned_intervals(void **state)
{
	struct imported all = import_text(
		"kdamond.0 47293 [000] 80801.0: damon:damon_monitor_intervals_tune: "
		"sample_us=1000\n"
		"kdamond.0 47293 [000] 80801.1: damon:damos_before_apply: ctx_idx=0 scheme_idx=1 "
		"target_idx=0 nr_regions=1 121932607488-135128711168: 2 136\n"
		"kdamond.0 47293 [000] 80801.2: damon:damos_before_apply: ctx_idx=0 scheme_idx=1 "
		"target_idx=0 nr_regions=1 121932607488-135128711168: 3 137\n");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 2);
	assert_string_equal(all.info->spaces[0].name, "context 0 scheme 1 target 0");
	assert_int_equal(all.info->spaces[0].kind, TRACE_SPACE_PHYSICAL);
	assert_int_equal(all.events[1].checks, 100);
	imported_fini(&all);
}

static void test_the_form_of_ftrace(void **state)
{
	struct imported all = import_text(
		"       kdamond.0-4452    [000] .....  1.250000: damon_aggregated: target_id=0 "
		"nr_regions=1 0-4096: 5 1\n"
		"       kdamond.0-4452    [000] .....  1.500000: damon_aggregated: target_id=0 "
		"nr_regions=1 0-4096: 6 1\n");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 2);
	assert_int_equal(all.events[1].time_ns - all.events[0].time_ns, 250000000);
	imported_fini(&all);
}

static void test_unreadable_lines_are_noted(void **state)
{
	static const char *const bad[] = {
		"damon:damon_aggregated: target_id=0 nr_regions=1 0-4096: 5 1",
		" damon:damon_aggregated: target_id=0 nr_regions=1 0-4096: 5 1",
		"x: damon:damon_aggregated: target_id=0 nr_regions=1 0-4096: 5 1",
		AT("1.1") "target_id= nr_regions=1 0-4096: 5 1",
		AT("1.1") "target_id=0 nr_regions=1",
		AT("1.1") "target_id=0 nr_regions=1 8192-4096: 5 1",
		AT("1.1") "target_id=0 nr_regions=1 0-4096: x",
		AT("1.1") "target_id=0 nr_regions=1 0-4096:",
		AT("1.1") "target_id=0 nr_regions=1 0-99999999999999999999: 5 1",
		"k 1.1: damon:damos_before_apply: target_idx=0 nr_regions=1 0-4096: 5 1",
		"k 1.1: damon:damon_monitor_intervals_tune: sample_us=",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		PRINTBUF(text);
		prt_printf(&text, "%s%s\n", AT("1.1") "target_id=0 nr_regions=1 0-4096: 5 1\n",
			   bad[i]);
		struct imported all = import_bytes(text.buf, text.pos);
		assert_int_equal(all.error, 0);
		assert_int_equal(all.nr, 1);
		if (i) /* a name at the start of a line is no event of perf's */
			assert_noted(&all, "could not be read were passed over: 1");
		imported_fini(&all);
	}
}

static void test_nothing_readable_is_refused(void **state)
{
	struct imported all = import_lines_of(
		(const char *[]){ "1.1 target_id=0 nr_regions=1 0-", NULL });
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "no readable line of damon:damon_aggregated");
	imported_fini(&all);
}

static void test_perf_data_is_told_how_to_become_text(void **state)
{
	struct imported all = import_bytes("PERFILE2\x68\0\0\0\0\0\0\0", 16);
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "perf script -i");
	imported_fini(&all);
}

static void test_too_many_targets(void **state)
{
	PRINTBUF(text);
	for (unsigned i = 0; i < 1100; i++)
		prt_printf(&text, AT("1.1") "target_id=%u nr_regions=1 0-4096: 5 1\n", i);
	struct imported all = import_bytes(text.buf, text.pos);
	assert_int_equal(all.error, -E2BIG);
	assert_says(&all, "targets");
	imported_fini(&all);
}

static void test_a_huge_unfinished_snapshot(void **state)
{
	PRINTBUF(text);
	for (uint64_t i = 0; i < 60000; i++)
		prt_printf(&text,
			   AT("1.1") "target_id=0 nr_regions=18446744073709551615 %llu-%llu: 5 1\n",
			   (unsigned long long)i << 12, (unsigned long long)(i + 1) << 12);
	struct imported all = import_bytes(text.buf, text.pos);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 60000);
	assert_noted(&all, "because events were lost: 1");
	imported_fini(&all);
}
