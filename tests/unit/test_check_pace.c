/* SPDX-License-Identifier: MIT */
/* When all pages are looked at, by figures worked out by hand. */
#include "test.h"

#include "linux/check_pace.h"

#define COST_NS	  (10 * NS_PER_MS)
#define NR_MAPPED 100000

struct scene {
	struct machine *machine;
	struct live live;
	uint64_t job_pages[2];
	struct check_pace pace;
	struct check_seen seen;
	uint64_t now_ns;
};

static void set_up(struct scene *scene)
{
	*scene = (struct scene){ .now_ns = NS_PER_S };
	assert_int_equal(machine_parse("node:dram:1GiB@80ns/100GBps:cpus=0 "
				       "node:cxl:1GiB@250ns/20GBps",
				       &scene->machine, NULL),
			 0);
	scene->live.machine = scene->machine;
	scene->live.job_pages = scene->job_pages;
	scene->live.has_planner = true;
	scene->live.sampling_share_bp = scene->live.lasting_share_bp = 200;
	scene->seen = (struct check_seen){ .cost_ns = COST_NS,
					   .watched_ns = 100 * NS_PER_MS,
					   .nr_mapped = NR_MAPPED };
	check_pace_init(&scene->pace, scene->now_ns);
}

static void tear_down(struct scene *scene)
{
	machine_free(scene->machine);
}

/* A check that ends now, what it brought, and how long the rest after it is. */
static uint64_t check(struct scene *scene, uint64_t nr_planned)
{
	scene->live.nr_planned_pages += nr_planned;
	check_pace_settle(&scene->pace, &scene->live, &scene->seen, scene->now_ns);
	uint64_t rest_ns = scene->pace.due_ns - scene->now_ns;
	scene->now_ns = scene->pace.due_ns;
	return rest_ns;
}

static void test_bursts_end_at_the_third_check_in_vain(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	assert_int_equal(check(&scene, 0), CHECK_REST_MIN_NS);
	assert_int_equal(check(&scene, 0), CHECK_REST_MIN_NS);
	assert_int_equal(scene.pace.burst, 2);
	check(&scene, 0);
	assert_int_equal(scene.pace.burst, 0);
	/* From then on 2 % of the time, or 1 % while the burst is paid for. */
	uint64_t begin_ns = scene.now_ns;
	for (unsigned i = 0; i < 8; i++)
		check(&scene, 0);
	assert_in_range(scene.now_ns - begin_ns, 8 * 50 * COST_NS, 8 * 100 * COST_NS);
	tear_down(&scene);
}

static void test_bursts_last_while_they_bring_moves(void **state)
{
	struct scene scene;
	unsigned nr = 0;
	(void)state;
	set_up(&scene);
	scene.seen.cost_ns = 300 * NS_PER_MS; /* not to be saved up for in 100 ms */
	while (check(&scene, NR_MAPPED / 64 + 1) == CHECK_REST_MIN_NS)
		nr++;
	assert_int_equal(nr, CHECK_BURST_EXTRA); /* behind each of so many */
	tear_down(&scene);
}

/* Nothing by the first three checks, many by the one after them: the next is not to be saved up
 * for. */
static void test_a_burst_that_ended_too_soon_goes_on(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	scene.seen.cost_ns = 300 * NS_PER_MS;
	for (unsigned i = 0; i < 3; i++)
		check(&scene, 0);
	assert_int_equal(scene.pace.burst, 0);
	assert_in_range(check(&scene, NR_MAPPED / 64), 10 * NS_PER_S, 60 * NS_PER_S);
	assert_int_equal(scene.pace.burst, 0);
	assert_int_equal(check(&scene, NR_MAPPED / 64 + 1), CHECK_REST_MIN_NS);
	assert_int_equal(scene.pace.extra, CHECK_BURST_EXTRA - 1);
	assert_int_equal(check(&scene, 0), CHECK_REST_MIN_NS); /* one of two that follow it */
	assert_in_range(check(&scene, 0), 10 * NS_PER_S, 60 * NS_PER_S);
	assert_int_equal(scene.pace.burst, 0);
	scene.pace.extra = scene.pace.burst = 0; /* all that were to follow have */
	check(&scene, NR_MAPPED);
	assert_int_equal(scene.pace.burst, 0);
	tear_down(&scene);
}

/* 1,000 pages in 200 ms are few of many, but not when it is a hundredth a second. */
static void test_slow_filling_is_waited_for(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	assert_true(check_pace_is_growing(&scene.pace, 300000, 0));
	assert_int_equal(scene.pace.due_ns, CHECK_GROWING_NS);
	/* Somebody else asks right after it: nothing can have come since. */
	assert_true(check_pace_is_growing(&scene.pace, 300000, CHECK_GROWING_NS / 20));
	assert_int_equal(scene.pace.due_ns, CHECK_GROWING_NS);
	assert_true(check_pace_is_growing(&scene.pace, 301000, CHECK_GROWING_NS));
	assert_false(check_pace_is_growing(&scene.pace, 301500, 2 * CHECK_GROWING_NS));
	scene.pace.nr_met = 200000; /* a program that is known runs beside it */
	assert_false(check_pace_is_growing(&scene.pace, 302500, 3 * CHECK_GROWING_NS));
	assert_true(check_pace_is_growing(&scene.pace, 305500, 4 * CHECK_GROWING_NS));
	tear_down(&scene);
}

static void test_checks_in_vain_become_rare_until_an_alarm(void **state)
{
	struct scene scene;
	uint64_t rest_ns = 0;
	(void)state;
	set_up(&scene);
	for (unsigned i = 0; i < 40; i++)
		rest_ns = check(&scene, 0);
	assert_in_range(rest_ns, 50 * 16 * COST_NS, 54 * 16 * COST_NS);
	check_pace_scouted(&scene.pace, 0, scene.now_ns);
	assert_int_equal(scene.pace.scout_ns - scene.now_ns, 4 * CHECK_SCOUT_NS);
	check_pace_alarm(&scene.pace, scene.now_ns);
	assert_int_equal(scene.pace.due_ns, scene.now_ns);
	assert_int_equal(check(&scene, 0), CHECK_REST_MIN_NS);
	check_pace_scouted(&scene.pace, 0, scene.now_ns);
	assert_int_equal(scene.pace.scout_ns - scene.now_ns, CHECK_SCOUT_NS);
	tear_down(&scene);
}

static void test_scouts_take_two_percent(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	check_pace_scouted(&scene.pace, 10 * NS_PER_MS, 0);
	assert_int_equal(scene.pace.scout_ns, NS_PER_S);
	check_pace_scouted(&scene.pace, 50 * NS_PER_MS, 0);
	assert_int_equal(scene.pace.scout_ns, 2500 * NS_PER_MS);
	check_pace_scouted(&scene.pace, NS_PER_S, 0);
	assert_int_equal(scene.pace.scout_ns, CHECK_SCOUT_MAX_NS);
	tear_down(&scene);
}

/* A program that fills its memory slowly: three checks for each quarter that it grows by, and none
 * of them before there is memory in slow tiers. */
static void test_growing_begins_few_bursts(void **state)
{
	struct scene scene;
	unsigned nr_bursts = 0;
	(void)state;
	set_up(&scene);
	for (unsigned i = 0; i < 3; i++)
		check(&scene, 0);
	scene.pace.nr_waits = 1000; /* it has been waited for */
	for (uint64_t nr = 1000; nr <= 100000; nr += nr / 100) {
		scene.job_pages[1] = nr > 50000 ? nr - 50000 : 0;
		assert_false(check_pace_is_growing(&scene.pace, nr, scene.now_ns));
		bool has_grown = check_pace_has_grown(&scene.pace, &scene.live, nr);
		assert_true(check_pace_begin(&scene.pace, &scene.live));
		assert_int_equal(has_grown, scene.pace.burst == CHECK_BURST);
		nr_bursts += has_grown;
		check(&scene, 0);
		assert_true(nr > 50000 || scene.pace.burst == 0);
	}
	assert_int_equal(nr_bursts, 3); /* at 50,000, 63,000, 80,000 */
	tear_down(&scene);
}

static void test_a_change_that_scouts_missed_begins_a_burst(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	scene.seen.nr_slow_used = 1000;
	scene.seen.nr_fast_single = 20000;
	for (unsigned i = 0; i < 5; i++)
		check(&scene, 0);
	assert_int_equal(scene.pace.burst, 0);
	scene.seen.nr_slow_used = 2 * 1000 + NR_MAPPED / 64 + 1;
	check(&scene, 0);
	assert_int_equal(scene.pace.burst, CHECK_BURST - 1);
	for (unsigned i = 0; i < 5; i++)
		check(&scene, 0);
	assert_int_equal(scene.pace.burst, 0);
	scene.seen.nr_fast_single = 9000; /* it was twice as much, and many more */
	check(&scene, 0);
	assert_int_equal(scene.pace.burst, CHECK_BURST - 1);
	for (unsigned i = 0; i < 5; i++)
		check(&scene, 0);
	scene.seen.watched_ns /= 4; /* seen less for having been looked at for less */
	scene.seen.nr_fast_single /= 4;
	check(&scene, 0);
	assert_int_equal(scene.pace.burst, 0);
	tear_down(&scene);
}

static void test_checks_wait_for_the_mover(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	scene.live.backlog_ns = 5 * NS_PER_S;
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns)); /* a burst */
	check(&scene, 0);
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	check(&scene, NR_MAPPED / 2);
	assert_int_equal(scene.pace.burst, CHECK_BURST_REST);
	/* One more at once, for what was seen only once; then the mover has enough to do. */
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	check(&scene, 0);
	assert_int_equal(scene.pace.burst, 1);
	assert_true(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	assert_int_equal(scene.pace.due_ns, scene.now_ns + NS_PER_S);
	scene.now_ns += 10 * NS_PER_S;
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	scene.now_ns -= 9 * NS_PER_S;
	scene.live.backlog_ns = NS_PER_S;
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	scene.now_ns += 1500 * NS_PER_MS; /* so long does it take: moves would be over before */
	check(&scene, NR_MAPPED / 2);
	scene.live.backlog_ns = 1500 * NS_PER_MS;
	assert_false(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	scene.live.backlog_ns++;
	assert_true(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	scene.live.backlog_ns = LIVE_NEVER; /* not known until the first move is done: soon */
	assert_true(check_pace_puts_off(&scene.pace, &scene.live, scene.now_ns));
	assert_int_equal(scene.pace.due_ns, scene.now_ns + 200 * NS_PER_MS);
	tear_down(&scene);
}

static void test_nobody_runs_nobody_looks(void **state)
{
	struct scene scene;
	(void)state;
	set_up(&scene);
	check_pace_doze(&scene.pace, scene.now_ns);
	assert_int_equal(scene.pace.due_ns, scene.now_ns + 2 * NS_PER_S);
	assert_int_equal(scene.pace.scout_ns, scene.pace.due_ns);
	tear_down(&scene);
}
