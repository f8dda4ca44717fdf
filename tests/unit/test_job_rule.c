/* SPDX-License-Identifier: MIT */
/* Soft affinity on a timer: two CPUs preferred of six, any load by hand. */
#include "test.h"

#include "linux/job_rule.h"

#define NR_CPUS 6
#define WINDOW	(20 * NS_PER_MS)

static const uint32_t distances[NR_CPUS] = { 10, 10, 20, 20, 12, 12 };

struct fixture {
	struct job_rule rule;
	struct job_look look;
	struct cpustat_cpu cpus[NR_CPUS];
	struct set mask;
};

static void init(struct fixture *fixture, uint32_t spill_at_bp)
{
	*fixture = (struct fixture){ 0 };
	fixture->rule.soft = (struct soft_job){ spill_at_bp, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };
	fixture->rule.distances = distances;
	assert_int_equal(set_parse("0-1", &fixture->rule.preferred), 0);
	assert_int_equal(set_parse("0-5", &fixture->rule.allowed), 0);
	assert_int_equal(set_parse("0-1", &fixture->mask), 0);
	fixture->look = (struct job_look){ fixture->cpus, NR_CPUS, NS_PER_S, WINDOW, 0, 0 };
	for (int i = 0; i < NR_CPUS; i++)
		fixture->cpus[i] = (struct cpustat_cpu){ .elapsed_ns = WINDOW,
							 .recent_ns = 10 * WINDOW,
							 .is_online = true };
}

static void fini(struct fixture *fixture)
{
	set_fini(&fixture->rule.preferred);
	set_fini(&fixture->rule.allowed);
	set_fini(&fixture->mask);
}

static void busy(struct fixture *fixture, uint32_t cpu, uint32_t percent)
{
	fixture->cpus[cpu].busy_ns = WINDOW * percent / 100;
	fixture->cpus[cpu].recent_busy_ns = 10 * WINDOW * percent / 100;
}

static void job_did(struct fixture *fixture, uint32_t ran_percent, uint32_t waited_percent)
{
	fixture->look.ran_ns = WINDOW * ran_percent / 100;
	fixture->look.waited_ns = WINDOW * waited_percent / 100;
}

static void expect(struct fixture *fixture, const char *list)
{
	PRINTBUF(text);
	assert_int_equal(job_rule_decide(&fixture->rule, &fixture->look, &fixture->mask), 0);
	set_to_text(&text, &fixture->mask);
	assert_string_equal(printbuf_str(&text), list);
	fixture->look.now_ns += WINDOW;
}

static void fill_home(struct fixture *fixture)
{
	busy(fixture, 0, 100);
	busy(fixture, 1, 100);
}

/* Borrowing CPU 4, which it keeps busy. */
static void init_away(struct fixture *fixture)
{
	init(fixture, SOFT_SPILL_AT_BP);
	fill_home(fixture);
	job_did(fixture, 200, 100);
	expect(fixture, "0-1,4");
	busy(fixture, 4, 100);
}

static void test_spills_to_the_nearest_when_tasks_wait(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	job_did(&fixture, 200, 200);
	expect(&fixture, "0-1,4-5");
	assert_int_equal(fixture.rule.counts.nr_spilled, 2);
	fini(&fixture);
}

static void test_one_task_for_one_cpu_stays(void **state)
{
	struct fixture fixture;
	init(&fixture, 0);
	fill_home(&fixture);
	job_did(&fixture, 200, 5);
	expect(&fixture, "0-1");
	fini(&fixture);
}

static void test_hard_never_spills(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_HARD);
	fill_home(&fixture);
	job_did(&fixture, 200, 400);
	for (int i = 0; i < 10; i++)
		expect(&fixture, "0-1");
	fini(&fixture);
}

/* Who waits is dear to find out: it is asked where the answer changes what is done. */
static void test_asks_who_waits_only_where_that_matters(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	assert_true(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	for (uint32_t cpu = 2; cpu < NR_CPUS; cpu++)
		busy(&fixture, cpu, 60);
	assert_false(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	fini(&fixture);
	init_away(&fixture);
	job_did(&fixture, 300, 0);
	assert_false(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	job_did(&fixture, 250, 0); /* half a CPU of the three is somebody else's work */
	assert_true(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	fini(&fixture);
}

/* A preferred CPU did little: nobody needs another, whoever waited. */
static void test_asks_nobody_where_home_has_room(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	busy(&fixture, 0, 100);
	busy(&fixture, 1, 49);
	assert_false(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	job_did(&fixture, 150, 100);
	expect(&fixture, "0-1");
	assert_int_equal(fixture.rule.counts.nr_held, 0);
	busy(&fixture, 1, 60);
	assert_true(job_rule_asks_waiting(&fixture.rule, &fixture.look, &fixture.mask));
	fini(&fixture);
}

/* Away: one CPU more, or home. */
static void test_may_move_where_a_cpu_is_idle_or_home_has_room(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	job_did(&fixture, 300, 0);
	assert_true(job_rule_may_move(&fixture.rule, &fixture.look, &fixture.mask));
	for (uint32_t cpu = 2; cpu < NR_CPUS; cpu++)
		busy(&fixture, cpu, 100);
	assert_false(job_rule_may_move(&fixture.rule, &fixture.look, &fixture.mask));
	job_did(&fixture, 50, 0);
	assert_true(job_rule_may_move(&fixture.rule, &fixture.look, &fixture.mask));
	fini(&fixture);
}

static void test_looks_from_home_are_not_others_work(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	for (uint32_t cpu = 2; cpu < NR_CPUS; cpu++)
		busy(&fixture, cpu, 100);
	job_did(&fixture, 270, 30);
	fixture.look.own_ns = WINDOW * 10 / 100;
	for (int i = 0; i < 5; i++)
		expect(&fixture, "0-1,4");
	fixture.look.own_ns = 0;
	expect(&fixture, "0-1,4");
	expect(&fixture, "0-1");
	fini(&fixture);
}

static void test_borrows_no_more_on_what_waited_before(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	job_did(&fixture, 300, 100);
	fixture.look.is_waited_old = true;
	expect(&fixture, "0-1,4");
	fixture.look.is_waited_old = false;
	expect(&fixture, "0-1,4-5");
	fini(&fixture);
}

static void test_short_burst_is_held(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	busy(&fixture, 0, 60);
	busy(&fixture, 1, 60);
	job_did(&fixture, 120, 100);
	expect(&fixture, "0-1");
	assert_int_equal(fixture.rule.counts.nr_held, 1);
	expect(&fixture, "0-1,4"); /* patience is shorter than a look */
	fini(&fixture);
}

static void test_distance_and_busy_cpus_are_respected(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fixture.rule.soft.max_distance = 12;
	fill_home(&fixture);
	busy(&fixture, 4, 50);
	job_did(&fixture, 200, 400);
	expect(&fixture, "0-1,5");
	fini(&fixture);
}

static void test_stolen_and_offline_are_not_borrowed(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	fixture.cpus[4].stolen_ns = WINDOW * 60 / 100;
	fixture.cpus[5].is_online = false;
	fixture.cpus[2].is_online = false;
	job_did(&fixture, 200, 400);
	expect(&fixture, "0-1,3");
	fini(&fixture);
}

static void test_owner_evicts_and_keeps_its_cpu_a_while(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	job_did(&fixture, 270, 30); /* 30 % of a CPU was somebody else's */
	expect(&fixture, "0-1,4");
	expect(&fixture, "0-1");
	assert_int_equal(fixture.rule.counts.nr_evicted, 1);
	busy(&fixture, 4, 0);
	job_did(&fixture, 200, 100);
	for (uint64_t ns = WINDOW; ns < JOB_OWNER_NS; ns += WINDOW)
		expect(&fixture, "0-1");
	expect(&fixture, "0-1,4");
	fini(&fixture);
}

static void test_comes_home_when_it_fits(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	job_did(&fixture, 300, 0);
	expect(&fixture, "0-1,4");
	for (int i = 0; i < 5; i++)
		busy(&fixture, i, i < 2 ? 25 : 0);
	job_did(&fixture, 50, 0);
	for (int i = 1; i < JOB_NR_FITS; i++)
		expect(&fixture, "0-1,4");
	expect(&fixture, "0-1");
	assert_int_equal(fixture.rule.counts.nr_called_home, 1);
	fini(&fixture);
}

static void test_grows_by_who_waits(void **state)
{
	struct fixture fixture;
	init_away(&fixture);
	job_did(&fixture, 300, 300);
	expect(&fixture, "0-5");
	fini(&fixture);
}

/* Half a CPU of owner's work may show no tick in one window. */
static void test_an_owner_that_sleeps_now_is_remembered(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	for (int i = 2; i < NR_CPUS; i++)
		busy(&fixture, i, 60);
	fixture.cpus[4].busy_ns = 0;
	job_did(&fixture, 200, 100);
	expect(&fixture, "0-1");
	fixture.cpus[4].recent_busy_ns = fixture.cpus[4].recent_ns * 15 / 100;
	expect(&fixture, "0-1,4");
	fini(&fixture);
}

static void test_a_cpu_just_come_online_is_not_known(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	fixture.cpus[4].elapsed_ns = fixture.cpus[4].recent_ns = 0;
	job_did(&fixture, 200, 100);
	expect(&fixture, "0-1,5");
	fini(&fixture);
}

/* Nor is one that was watched for a few ticks: its owner may sleep for so long. */
static void test_a_cpu_watched_for_an_instant_is_not_known(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_SPILL_AT_BP);
	fill_home(&fixture);
	fixture.cpus[4].recent_ns = CPUSTAT_RECENT_NS - 10 * NS_PER_MS;
	job_did(&fixture, 200, 100);
	expect(&fixture, "0-1,5");
	fini(&fixture);
}

static void test_no_preferred_cpu_left(void **state)
{
	struct fixture fixture;
	init(&fixture, SOFT_HARD);
	set_fini(&fixture.rule.preferred);
	fixture.rule.preferred = SET_EMPTY;
	expect(&fixture, "0-5");
	fini(&fixture);
}

/* One CPU, busy and idle for so many ticks more. */
static void look_after(struct cpustat *stat, unsigned busy, unsigned idle)
{
	static unsigned all_busy, all_idle;
	char text[64];
	all_busy = stat->nr_cpus ? all_busy + busy : busy;
	all_idle = stat->nr_cpus ? all_idle + idle : idle;
	snprintf(text, sizeof(text), "cpu0 %u 0 0 %u 0 0 0 0\n", all_busy, all_idle);
	assert_int_equal(cpustat_parse(stat, text), 0);
}

static void test_cpustat_remembers_a_while(void **state)
{
	struct cpustat stat = { .fd = -1, .ns_per_tick = 10 * NS_PER_MS };
	look_after(&stat, 100, 100);
	const struct cpustat_cpu *cpu = &stat.cpus[0];
	assert_int_equal(cpu->recent_ns, 0);
	for (unsigned i = 1; i <= 100; i++) {
		look_after(&stat, i % 2, (i + 1) % 2); /* every other window of a tick */
		assert_int_equal(cpu->busy_ns, i % 2 * 10 * NS_PER_MS);
		assert_int_equal(cpu->elapsed_ns, 10 * NS_PER_MS);
		uint64_t ticks = i <= 20 ? i : 11 + (i - 1) % 10;
		assert_int_equal(cpu->recent_ns, ticks * 10 * NS_PER_MS);
		assert_true(cpu->recent_busy_ns * 2 <= cpu->recent_ns + 10 * NS_PER_MS);
		assert_true(cpu->recent_busy_ns * 2 + 10 * NS_PER_MS >= cpu->recent_ns);
	}
	look_after(&stat, 0, 100);
	look_after(&stat, 0, 1);
	assert_true(cpu->recent_busy_ns < cpu->recent_ns / 20);
	look_after(&stat, 0, 10);
	look_after(&stat, 0, 1);
	assert_int_equal(cpu->recent_busy_ns, 0);
	cpustat_fini(&stat);
}

static void test_cpustat_of_text(void **state)
{
	struct cpustat stat = { .fd = -1, .ns_per_tick = 10 * NS_PER_MS };
	assert_int_equal(cpustat_parse(&stat, "cpu  9 9\ncpu0 1 1 1 10 1 1 1 1 0 0\n"
					      "cpu2 0 0 0 5 0 0 0 0\nintr 1\n"),
			 0);
	assert_int_equal(stat.nr_cpus, 3);
	assert_true(stat.cpus[0].is_online && !stat.cpus[1].is_online);
	assert_int_equal(stat.cpus[0].elapsed_ns, 0);
	assert_int_equal(cpustat_parse(&stat, "cpu0 2 2 2 9 5 2 1 3\ncpu2 0 0 0 4 0 0 0 0\n"), 0);
	assert_int_equal(stat.cpus[0].busy_ns, 30 * NS_PER_MS);
	assert_int_equal(stat.cpus[0].stolen_ns, 30 * NS_PER_MS);
	assert_int_equal(stat.cpus[0].elapsed_ns, 90 * NS_PER_MS);
	assert_int_equal(stat.cpus[2].elapsed_ns, 0); /* idle went back */
	const char *const bad[] = { "", "intr", "cpu", "cpu9999999 1 2\n", "cpux 1\n" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cpustat_parse(&stat, bad[i]), -EBADMSG);
	cpustat_fini(&stat);
}
