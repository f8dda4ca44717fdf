/* SPDX-License-Identifier: MIT */
/* The program's clock in the lab, driven by scripted guests: what it stands still for. */
#include "test.h"

#include "../../lab/latency/work.c"
#include "base/random.h"

enum { PROGRAM = 0x1000, KSWAPD = 0x2000, KWORKER = 0x3000 };

static void assert_work(const struct work *work, enum work_kind kind, uint64_t nr, uint64_t ticks)
{
	assert_int_equal(work->counts[kind].nr, nr);
	assert_int_equal(work->counts[kind].ticks, ticks);
}

static void test_first_touches_and_ticks_are_the_programs(void **state)
{
	struct work work;
	work_init(&work);
	work_fault(&work, 100, false);
	work_return(&work, 300, true); /* of a first touch */
	work_return(&work, 500, true); /* of a timer tick */
	assert_int_equal(work_clock(&work, 600), 600);
}

static void test_hint_fault_is_left_out_from_its_beginning(void **state)
{
	struct work work;
	work_init(&work);
	work_fault(&work, 100, false);
	work_begin(&work, 150, WORK_HINT_FAULT);
	assert_int_equal(work_clock(&work, 160), 100);
	work_return(&work, 180, false); /* a tick within it */
	work_return(&work, 200, true);
	assert_int_equal(work_clock(&work, 230), 130);
	assert_work(&work, WORK_HINT_FAULT, 1, 100);
}

static void test_clock_never_goes_back(void **state)
{
	struct work work;
	work_init(&work);
	work_fault(&work, 100, false);
	assert_int_equal(work_clock(&work, 140), 140);
	work_begin(&work, 150, WORK_HINT_FAULT);
	assert_int_equal(work_clock(&work, 160), 140);
	work_return(&work, 200, true);
	assert_int_equal(work_clock(&work, 230), 140);
	assert_int_equal(work_clock(&work, 250), 150);
}

static void test_fault_is_told_by_how_far_it_went(void **state)
{
	static const enum work_kind calls[] = { WORK_HINT_FAULT, WORK_REFUSAL, WORK_PROMOTION };
	struct work work;
	work_init(&work);
	for (unsigned nr = 1; nr <= ARRAY_SIZE(calls); nr++) {
		uint64_t at = nr * 1000;
		work_fault(&work, at, false);
		for (unsigned i = 0; i < nr; i++)
			work_begin(&work, at + 10 + i, calls[i]);
		work_return(&work, at + 100 * nr, true);
		assert_work(&work, calls[nr - 1], 1, 100 * nr);
	}
}

static void test_fault_of_the_kernel_ends_there(void **state)
{
	struct work work;
	work_init(&work);
	work_fault(&work, 100, true);
	work_begin(&work, 150, WORK_HINT_FAULT);
	work_return(&work, 200, false);
	assert_int_equal(work_clock(&work, 300), 200); /* the system call goes on */
	assert_work(&work, WORK_HINT_FAULT, 1, 100);
}

static void test_scan_follows_the_fault_that_it_rides_on(void **state)
{
	struct work work;
	work_init(&work);
	work_fault(&work, 100, false);
	work_begin(&work, 150, WORK_HINT_FAULT);
	work_begin(&work, 200, WORK_SCAN);
	work_return(&work, 1200, true);
	assert_work(&work, WORK_HINT_FAULT, 1, 100);
	assert_work(&work, WORK_SCAN, 1, 1000);
	assert_int_equal(work_clock(&work, 1200), 100);
}

static void test_kswapd_is_left_out_and_kworker_is_not(void **state)
{
	struct work work;
	work_init(&work);
	work_switch(&work, 100, KSWAPD);
	work_begin(&work, 110, WORK_RECLAIM); /* what it is shows here */
	work_switch(&work, 200, KWORKER);
	work_switch(&work, 250, KSWAPD);
	work_switch(&work, 350, PROGRAM);
	assert_int_equal(work_clock(&work, 400), 400 - 90 - 100);
	assert_work(&work, WORK_THREAD, 2, 190);
}

static void test_direct_reclaim_ends_with_the_return(void **state)
{
	struct work work;
	work_init(&work);
	work_switch(&work, 10, PROGRAM);
	work_return(&work, 20, true);
	work_begin(&work, 100, WORK_RECLAIM);
	work_begin(&work, 120, WORK_RECLAIM);
	work_return(&work, 400, true);
	assert_work(&work, WORK_RECLAIM, 1, 300);
	assert_int_equal(work_clock(&work, 400), 100);
}

static void test_interrupted_window_goes_on_when_its_task_does(void **state)
{
	struct work work;
	work_init(&work);
	work_switch(&work, 10, PROGRAM);
	work_return(&work, 20, true);
	work_fault(&work, 100, false);
	work_begin(&work, 150, WORK_REFUSAL);
	work_switch(&work, 200, KWORKER);
	work_switch(&work, 300, PROGRAM);
	work_return(&work, 350, true);
	assert_work(&work, WORK_REFUSAL, 1, 150);
	assert_int_equal(work_clock(&work, 400), 250);
}

static void test_address_of_a_thread_that_a_program_gets(void **state)
{
	struct work work;
	work_init(&work);
	work_switch(&work, 100, KSWAPD);
	work_begin(&work, 110, WORK_RECLAIM);
	work_switch(&work, 200, PROGRAM);
	work_switch(&work, 300, KSWAPD); /* it ended; a program has its task_struct */
	work_return(&work, 310, true);
	work_switch(&work, 400, PROGRAM);
	work_switch(&work, 500, KSWAPD);
	work_switch(&work, 600, PROGRAM);
	assert_work(&work, WORK_THREAD, 2, 90 + 100);
}

/* Whatever is called in whatever order: the clock does not go back, nor ahead of all that runs, and
 * what it leaves out is what is counted. */
static void test_any_order(void **state)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct random random;
		struct work work;
		uint64_t now = 0, last = 0, counted = 0;
		random_init(&random, seed);
		work_init(&work);
		for (unsigned step = 0; step < 500; step++) {
			now += random_below(&random, 50);
			switch (random_below(&random, 4)) {
			case 0:
				work_switch(&work, now, random_below(&random, 400));
				break;
			case 1:
				work_fault(&work, now, random_below(&random, 2));
				break;
			case 2:
				work_begin(&work, now,
					   (enum work_kind)random_below(&random, WORK_THREAD));
				break;
			default:
				work_return(&work, now, random_below(&random, 2));
			}
			uint64_t clock = work_clock(&work, now);
			assert_true(clock >= last && clock <= now);
			last = clock;
		}
		for (unsigned i = 0; i < WORK_NR_KINDS; i++)
			counted += work.counts[i].ticks;
		assert_int_equal(counted, work.done);
		assert_true(work.done <= now);
	}
}
