/* SPDX-License-Identifier: MIT */
/* What the live world reads of a process: how much memory it has, and whether it has run. */
#include "test.h"

#include "root_fixture.h"

#include "linux/live.h"

static void test_time_that_a_process_ran(void **state)
{
	struct live_space spaces[] = { { .pid = 7, .pidfd = 1 },
				       { .pid = 7, .pidfd = -1 },
				       { .pid = 8, .pidfd = 1 },
				       { .pid = 9, .pidfd = 1 } };
	struct live live = { .root = &root, .spaces = spaces, .nr_spaces = 4 };
	(void)state;
	root_begin();
	put("proc/7/stat", "7 (a ) b) S 1 7 7 0 -1 4194304 10 11 12 13 1234 56 7 8 20 0 1 0 99");
	put("proc/7/schedstat", "1203345 22871 17\n");
	put("proc/8/stat", "8 (cut) S 1 8");
	assert_int_equal(live_run_ticks(&live, 0), 1234 + 56);
	assert_int_equal(live_run_ns(&live, 0), 1203345);
	assert_int_equal(live_run_ticks(&live, 1), 0); /* it ended */
	assert_int_equal(live_run_ns(&live, 1), 0);
	assert_int_equal(live_run_ticks(&live, 2), 0);
	assert_int_equal(live_run_ns(&live, 2), 0);
	assert_int_equal(live_run_ticks(&live, 3), 0); /* it is gone */
	assert_int_equal(live_run_ns(&live, 3), 0);
	root_end();
}

static void test_pages_that_a_process_has(void **state)
{
	struct live_space spaces[] = { { .pid = 7, .pidfd = 1 }, { .pid = 7, .pidfd = -1 } };
	struct live live = { .root = &root, .spaces = spaces, .nr_spaces = 2 };
	(void)state;
	root_begin();
	put("proc/7/statm", "175318 174902 312 4 0 5 0");
	assert_int_equal(live_resident_pages(&live, 0), 174902);
	assert_int_equal(live_resident_pages(&live, 1), 0);
	root_end();
}
