/* SPDX-License-Identifier: MIT */
/* damon: which ranges go first, how quotas and goals hold them back, what an action does to age. */
#include "test.h"

#include "policy_fixture.h"
#include "sim_fixture.h"

#define NO_GOALS "node_mem_free_bp=0,node_mem_used_bp=0"

static void births(struct paper_world *world, uint64_t first, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		paper_birth(world, first + i);
}

struct range {
	uint64_t page, nr_pages;
	uint32_t percent, age;
};

static uint32_t node_of(const struct paper_world *world, const struct range *range)
{
	uint32_t node = world->node[range->page];
	for (uint64_t i = 0; i < range->nr_pages; i++)
		if (world->node[range->page + i] != node)
			return SAMPLE_NONE;
	return node;
}

/* A snapshot a second after the last turn, then the turn. */
static void turn(struct paper_world *world, const struct range *ranges, size_t nr)
{
	struct sample samples[16];
	struct sample_batch batch = { samples, (uint32_t)nr, 16 };
	for (size_t i = 0; i < nr; i++) {
		samples[i] = sample_of_page(SAMPLE_HITS, world->now_ns + NS_PER_S, 0,
					    ranges[i].page);
		samples[i].nr_pages = ranges[i].nr_pages;
		samples[i].hits = ranges[i].percent / 5;
		samples[i].checks = 20;
		samples[i].age = ranges[i].age;
		samples[i].node = node_of(world, &ranges[i]);
	}
	world->ops->observe(world->policy, &batch);
	paper_turn(world, NS_PER_S);
}

static void check_move(const struct paper_world *world, uint64_t page, uint64_t nr_pages,
		       uint32_t to)
{
	assert_int_equal(world->plan.nr, 1);
	assert_int_equal(world->plan.moves[0].page, page);
	assert_int_equal(world->plan.moves[0].nr_pages, nr_pages);
	assert_int_equal(world->plan.moves[0].to, to);
}

/* The hottest first, four pages per window; a region may be cut; the next window goes on from there
 * and only then begins again. */
static void test_damon_quota_goes_to_the_hottest(void **state)
{
	const struct range ranges[] = { { 32, 32, 100, 0 },
					{ 64, 4, 50, 0 },
					{ 68, 4, 100, 0 },
					{ 72, 8, 75, 0 },
					{ 80, 50, 5, 0 } };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "quota=16KiB,hot_min=20%," NO_GOALS, 64, 1000);
	births(&world, 0, 164);
	for (uint64_t i = 0; i < 32; i++)
		paper_death(&world, i);
	turn(&world, ranges, 5);
	check_move(&world, 68, 4, 0);
	assert_string_equal(world.plan.moves[0].why, "hot");
	turn(&world, ranges, 5);
	check_move(&world, 72, 4, 0);
	turn(&world, ranges, 5);
	check_move(&world, 76, 4, 0);
	turn(&world, ranges, 5);
	assert_int_equal(world.plan.nr, 0);
	turn(&world, ranges, 5);
	check_move(&world, 64, 4, 0);
	assert_int_equal(world.nr_promoted, 16);
	paper_close(&world);
}

/* The oldest of the idle are demoted first; what is used stays. */
static void test_damon_demotes_the_oldest(void **state)
{
	const struct range ranges[] = { { 0, 4, 0, 5 }, { 4, 4, 0, 100 }, { 8, 4, 5, 100 } };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "quota=16KiB,hot_min=100%," NO_GOALS, 12, 1000);
	births(&world, 0, 12);
	turn(&world, ranges, 3);
	/* A snapshot counts 100 ms until two were seen: 0.5 s and 10 s old. */
	check_move(&world, 4, 4, 1);
	assert_string_equal(world.plan.moves[0].why, "cold");
	paper_close(&world);
}

/* Demotion's loop doubles from one byte while nothing is free, then settles at the goal: 0.5 % of
 * 1000 pages. Worked out by hand from next = last x (1 + (goal - now) / goal). */
static void test_damon_goal_steers_the_quota(void **state)
{
	static const uint64_t pages[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 2, 0, 0 };
	const struct range range = { 0, 1000, 0, 0 };
	struct paper_world world;
	uint64_t at = 0;
	(void)state;
	paper_open(&world, "damon", "hot_min=100%", 1000, 2000);
	births(&world, 0, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		turn(&world, &range, 1);
		if (pages[i])
			check_move(&world, at, pages[i], 1);
		else
			assert_int_equal(world.plan.nr, 0);
		at += pages[i];
	}
	assert_int_equal(world.nr_demoted, 9);
	paper_close(&world);
}

/* Promotion stops soon when fast memory is used up: its loop shrinks. */
static void test_damon_promotes_until_the_goal(void **state)
{
	const struct range range = { 1000, 500, 100, 0 };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "node_mem_used_bp=50%,cold_max=0", 1000, 2000);
	births(&world, 0, 1500);
	for (uint64_t i = 0; i < 600; i++)
		paper_death(&world, i);
	turn(&world, &range, 1);
	check_move(&world, 1000, 500, 0);
	assert_int_equal(world.nr_promoted, 500);
	births(&world, 0, 600);
	/* All is used, twice the goal: one byte. */
	turn(&world, &range, 1);
	assert_int_equal(world.plan.nr, 0);
	paper_close(&world);
}

/* An action makes a region young: a minimal age keeps it in peace for so many snapshots. */
static void test_damon_action_resets_age(void **state)
{
	struct range range = { 60, 8, 100, 5 };
	const uint32_t wanted[] = { 1, 0, 0, 1, 0, 0, 1 };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "hot_min_age=3," NO_GOALS, 64, 1000);
	births(&world, 0, 100); /* half of the range is fast, and no room for the rest */
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++, range.age++) {
		turn(&world, &range, 1);
		assert_int_equal(world.plan.nr, wanted[i]);
	}
	assert_int_equal(world.nr_promoted, 0);
	paper_close(&world);
}

/* A window of ten seconds and four pages: what was not there costs nothing of it, what moved does.
 */
static void test_damon_charges_what_moved(void **state)
{
	const struct range gone = { 200, 4, 100, 0 }, there = { 64, 4, 75, 0 },
			   more = { 68, 4, 50, 0 };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "quota=16KiB,quota_interval=10s," NO_GOALS, 64, 1000);
	births(&world, 0, 100);
	for (uint64_t i = 0; i < 32; i++)
		paper_death(&world, i);
	turn(&world, &gone, 1);
	check_move(&world, 200, 4, 0);
	assert_int_equal(world.nr_gone, 4);
	turn(&world, &there, 1); /* passed over once: below where the window ended */
	turn(&world, &there, 1);
	check_move(&world, 64, 4, 0);
	turn(&world, &more, 1);
	turn(&world, &more, 1);
	assert_int_equal(world.plan.nr, 0);
	paper_close(&world);
}

/* 2000 pages; of a thousand 600 free: rest; 390: work; 450: go on; 600, then 450: rest again. */
static void test_damon_watermarks(void **state)
{
	const struct range range = { 990, 60, 100, 0 };
	const struct {
		uint64_t used;
		uint32_t moves;
	} steps[] = { { 800, 0 }, { 1220, 1 }, { 1100, 1 }, { 800, 0 }, { 1100, 0 }, { 1220, 1 } };
	struct paper_world world;
	(void)state;
	paper_open(&world, "damon", "wmarks=1," NO_GOALS, 1000, 1000);
	births(&world, 0, 1060);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		/* What else is in use only counts. */
		world.used[0] = MIN(steps[i].used, 995);
		world.used[1] = steps[i].used - world.used[0];
		turn(&world, &range, 1);
		assert_int_equal(world.plan.nr, steps[i].moves);
	}
	paper_close(&world);
}

static void test_damon_refuses_marks_that_do_not_ascend(void **state)
{
	const struct policy_ops *ops = policy_find("damon");
	uint64_t values[TUNABLES_MAX];
	void *policy = NULL;
	PRINTBUF(err);
	(void)state;
	tunables_defaults(ops->tunables, ops->nr_tunables, values);
	assert_int_equal(tunables_parse("wmark_low=450", ops->tunables, ops->nr_tunables, "damon",
					values, NULL),
			 0);
	struct policy_config config = { .values = values, .page_bytes = 4096 };
	assert_int_equal(ops->new (&config, &policy, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "must ascend"));
}

/* Whatever a sampler says, plans are valid and quotas hold. */
static void test_damon_survives_any_samples(void **state)
{
	struct random random;
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct paper_world world;
		random_init(&random, seed);
		paper_open(&world, "damon", "quota=64KiB,cold_max=20%,hot_min=30%," NO_GOALS, 500,
			   4000);
		births(&world, 0, 4000);
		for (unsigned i = 0; i < 50; i++) {
			struct range ranges[16];
			uint64_t page = 0;
			for (size_t j = 0; j < 16; j++) {
				ranges[j] = (struct range){ page, 1 + random_below(&random, 400),
							    (uint32_t)random_below(&random, 101),
							    (uint32_t)random_below(&random, 50) };
				page += ranges[j].nr_pages + random_below(&random, 50);
			}
			turn(&world, ranges, random_below(&random, 17));
			assert_true(plan_nr_pages(&world.plan) <= 2 * 16);
		}
		assert_true(world.nr_promoted + world.nr_demoted <= 50 * 2 * 16);
		paper_close(&world);
	}
}

/* On a shipped recording, with periods as short as it is: exact figures, and the hot range found.
 */
static void test_damon_on_a_recording(void **state)
{
	static const char *const names[] = {
		"interleave",
		"damon:apply_interval=0,quota_interval=20ms,aggr_period=50ms,sample_period=2ms,"
		"quota=32KiB," NO_GOALS,
	};
	struct machine *machine = machine_two_tiers(64, 4096);
	struct sim_config config = { .machine = machine,
				     .policies = names,
				     .nr_policies = 2,
				     .kernel = "interleave",
				     .dilate = 40,
				     .seed = 1 };
	struct trace_reader *reader = NULL;
	struct sim_set *set = NULL;
	char path[512];
	PRINTBUF(err);
	(void)state;
	snprintf(path, sizeof(path), "%s/tests/golden/sim/phases.berth", getenv("TOP"));
	if (trace_open(path, NULL, &reader, &err) ||
	    sim_set_new(&config, trace_info(reader), &set, &err) || sim_set_run(set, reader, &err))
		fail_msg("%s", printbuf_str(&err));
	const struct sim_result *none = sim_set_result(set, 0), *damon = sim_set_result(set, 1);
	assert_int_equal(damon->nr_promoted, 48);
	assert_int_equal(damon->nr_demoted, 83);
	assert_int_equal(damon->nr_checks, 20428);
	assert_int_equal(damon->sampler_ns, damon->nr_checks * 100);
	assert_int_equal(damon->nr_faults, 0);
	assert_int_equal(damon->fast_misses, 20021);
	assert_true(none->fast_misses < damon->fast_misses * 2 / 3);
	sim_set_free(set);
	trace_close(reader);
	machine_free(machine);
}
