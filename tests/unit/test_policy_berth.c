/* SPDX-License-Identifier: MIT */
/* berth: it finds what earns, leaves alone what does not, and never asks for what cannot be. */
#include "test.h"

#include "policy_fixture.h"

#define ROUND (100 * NS_PER_MS)

/* What a scan of accessed bits finds. */
static void touch(struct paper_world *world, uint64_t page)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, page);
	sample.hits = sample.checks = 1;
	sample.node = world->node[page];
	struct sample_batch batch = { &sample, 1, 1 };
	world->ops->observe(world->policy, &batch);
}

static void births(struct paper_world *world, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		paper_birth(world, i);
		touch(world, i);
	}
	paper_turn(world, ROUND);
}

static uint64_t nr_fast(const struct paper_world *world, uint64_t first, uint64_t nr)
{
	uint64_t nr_found = 0;
	for (uint64_t i = 0; i < nr; i++)
		nr_found += world->node[first + i] == 0;
	return nr_found;
}

static uint64_t nr_moves(const struct paper_world *world)
{
	return world->nr_promoted + world->nr_demoted;
}

/* 512 pages, the last 64 of them hot and slow. */
static void test_berth_finds_a_hot_set(void **state)
{
	struct paper_world world;
	struct random random;
	(void)state;
	random_init(&random, 1);
	paper_open(&world, "berth", "", 128, 1024);
	births(&world, 512);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 32; i++)
			touch(&world, 448 + random_below(&random, 64));
		touch(&world, random_below(&random, 448));
		paper_turn(&world, ROUND);
	}
	assert_int_equal(nr_fast(&world, 448, 64), 64);
	assert_in_range(world.nr_promoted, 64, 80);
	paper_close(&world);
}

/* The kernel wants 16 pages free: they are given up as hot ones come, and nothing else for them. */
static void test_berth_frees_what_reclaim_would(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 128, 1024);
	world.high_pages = 16;
	births(&world, 512);
	for (int round = 0; round < 50; round++)
		paper_turn(&world, ROUND);
	assert_int_equal(nr_moves(&world), 0);
	for (int round = 0; round < 400; round++) {
		for (uint64_t page = 448; page < 512; page++)
			touch(&world, page);
		paper_turn(&world, ROUND);
	}
	assert_int_equal(nr_fast(&world, 448, 64), 64);
	assert_int_equal(world.used[0], 112);
	assert_int_equal(world.nr_demoted, 64 + 16);
	paper_close(&world);
}

/* All pages are used alike: wherever they are, moving them gains nothing. Returns the moves of the
 * first half and of the second. */
static void play_even(uint64_t misses, uint64_t ret_moves[2])
{
	struct paper_world world;
	struct random random;
	random_init(&random, 1);
	paper_open(&world, "berth", "", 128, 1024);
	world.misses[0] = world.misses[1] = misses;
	births(&world, 512);
	for (int half = 0; half < 2; half++) {
		uint64_t before = nr_moves(&world);
		for (int round = 0; round < 1000; round++) {
			for (int i = 0; i < 16; i++)
				touch(&world, random_below(&random, 512));
			paper_turn(&world, ROUND);
		}
		ret_moves[half] = nr_moves(&world) - before;
	}
	paper_close(&world);
}

static void test_berth_leaves_alone_what_is_even(void **state)
{
	uint64_t moves[2];
	(void)state;
	play_even(8, moves); /* one miss per touch: 16,000 of them */
	assert_in_range(moves[0] + moves[1], 0, 300);
	play_even(POLICY_UNKNOWN,
		  moves); /* nobody counts misses: it tries, and the account ends it, but fades */
	assert_in_range(moves[1], 0, 80);
}

/* A table larger than fast memory, scanned over and over: each touch looks like the beginning of
 * something, and never is. */
static void test_berth_learns_that_a_scan_is_worth_nothing(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 128, 2048);
	births(&world, 1024);
	for (uint64_t i = 0; i < 1024 * 8; i += 16) {
		for (uint64_t j = 0; j < 16; j++)
			touch(&world, (i + j) % 1024);
		paper_turn(&world, ROUND);
	}
	assert_in_range(nr_moves(&world), 0, 20);
	paper_close(&world);
}

/* The first pass over memory, 8 pages a round, writes as many new ones: those that it has not come
 * to yet look idle, but nobody knows that they are. */
static void test_berth_doubts_that_idle_is_useless(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 600, 4096);
	births(&world, 512);
	for (uint64_t round = 0; round < 60; round++) {
		for (uint64_t i = 0; i < 8; i++) {
			touch(&world, round * 8 + i);
			paper_birth(&world, 1024 + round * 8 + i);
		}
		for (uint64_t i = 0; i < MIN(round + 1, 4) * 8; i++)
			touch(&world, 1024 + round * 8 + 7 - i);
		paper_turn(&world, ROUND);
	}
	assert_in_range(world.nr_demoted, 0, 300); /* 400 without the doubt */
	paper_close(&world);
}

static void fault(struct paper_world *world, uint64_t page, uint64_t latency_ns)
{
	struct sample sample = sample_of_page(SAMPLE_HINT_FAULT, world->now_ns, 0, page);
	sample.latency_ns = latency_ns;
	sample.node = world->node[page];
	struct sample_batch batch = { &sample, 1, 1 };
	world->ops->observe(world->policy, &batch);
}

/* All pages fault once a second, the last 64 at once. */
static void test_berth_hears_how_soon_a_page_faults(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 128, 1024);
	for (uint64_t i = 0; i < 512; i++)
		paper_birth(&world, i);
	for (int round = 0; round < 300; round++) {
		for (uint64_t i = 0; i < 512; i++)
			fault(&world, i, i < 448 ? 900 * NS_PER_MS : 2 * NS_PER_MS);
		paper_turn(&world, NS_PER_S);
	}
	assert_int_equal(nr_fast(&world, 448, 64), 64);
	paper_close(&world);
}

/* A hot set that moves on every 4 s wants each page back before it has settled: a few may go. */
static void test_berth_makes_few_round_trips(void **state)
{
	struct paper_world world;
	uint8_t before[1024];
	uint64_t moved_ns[1024] = { 0 }, nr_trips = 0;
	(void)state;
	paper_open(&world, "berth", "", 128, 1024);
	births(&world, 1024);
	for (uint64_t round = 0; round < 4000; round++) {
		for (uint64_t i = 0; i < 64; i++)
			touch(&world, 128 + round / 40 % 14 * 64 + i);
		memcpy(before, world.node, sizeof(before));
		paper_turn(&world, ROUND);
		for (uint64_t i = 0; i < 1024; i++) {
			if (world.node[i] == before[i])
				continue;
			nr_trips += moved_ns[i] && world.now_ns - moved_ns[i] < 10 * NS_PER_S;
			moved_ns[i] = world.now_ns;
		}
	}
	assert_in_range(nr_moves(&world), 1000, 100000);
	assert_in_range(nr_trips, 50, nr_moves(&world) / 20);
	paper_close(&world);
}

/* Whatever comes in, plans are sound and two runs are the same. */
static uint64_t play_random(uint64_t seed)
{
	struct paper_world world;
	struct random random;
	uint64_t digest = 0;
	random_init(&random, seed);
	paper_open(&world, "berth", "", 256, 4096);
	for (int round = 0; round < 300; round++) {
		uint64_t base = random_below(&random, 3000);
		for (uint64_t i = random_below(&random, 200); i > 0; i--) {
			uint64_t page = base + random_below(&random, 1 + i);
			paper_birth(&world, page);
			if (random_below(&random, 4))
				touch(&world, page);
			else
				paper_see(&world, page, random_below(&random, 2), 1);
		}
		for (uint64_t i = random_below(&random, 50); i > 0; i--)
			paper_death(&world, random_below(&random, 3200));
		world.budget_pages = random_below(&random, 300);
		paper_turn(&world, random_below(&random, ROUND));
		assert_true(plan_nr_pages(&world.plan) <= world.budget_pages);
		for (uint32_t i = 0; i < world.plan.nr; i++)
			digest = digest * 31 + world.plan.moves[i].page * 2 +
				 world.plan.moves[i].to;
	}
	paper_close(&world);
	return digest;
}

static void test_berth_random_samples(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++)
		assert_true(play_random(seed) == play_random(seed));
}

/* Two jobs: space 0 and space 1. Both use their pages alike; the second came too late for fast
 * memory. */
struct two_jobs {
	struct paper_world world;
	struct policy_job jobs[2];
};

static void touch_space(struct two_jobs *two, uint32_t space, uint64_t page, bool fast)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, two->world.now_ns, space, page);
	sample.hits = sample.checks = 1;
	sample.node = !fast;
	struct sample_batch batch = { &sample, 1, 1 };
	two->world.ops->observe(two->world.policy, &batch);
}

/* How often each reason was given for a page of space 0 to leave, or of space 1 to come. */
struct reasons {
	uint32_t nr_promoted, nr_exchanged, nr_made_room, nr_returned, nr_headroom;
	uint32_t most_left; /* pages of space 0 that one plan takes from fast memory */
};

static void count_reasons(const struct plan *plan, struct reasons *reasons)
{
	uint32_t nr_left = 0;
	for (uint32_t i = 0; i < plan->nr; i++) {
		const struct plan_move *move = &plan->moves[i];
		reasons->nr_promoted += move->to == 0;
		reasons->nr_exchanged += strcmp(move->why, "earns more than what it replaces") == 0;
		reasons->nr_made_room += strcmp(move->why, "makes room") == 0;
		reasons->nr_returned += strcmp(move->why, "borrowed memory returned") == 0;
		reasons->nr_headroom += strcmp(move->why, "new pages earn more") == 0;
		assert_int_equal(move->space, move->to == 0);
		nr_left += move->to == 1;
	}
	reasons->most_left = MAX(reasons->most_left, nr_left);
}

/* Pages 0 to 63 of space 0 are fast, 0 to 63 of space 1 slow; only the latter are used. The plan is
 * read, not done: what was asked for once is under way for ever. */
static struct reasons play_two_jobs(struct two_jobs *two)
{
	static const uint32_t job_of[2] = { 0, 1 };
	struct reasons reasons = { .nr_promoted = 0 };
	paper_open(&two->world, "berth", "", 64, 1024);
	for (int round = 0; round < 300; round++) {
		for (uint64_t i = 0; i < 64; i++) {
			if (round == 0)
				touch_space(two, 0, i, true);
			touch_space(two, 1, i, false);
		}
		struct policy_node nodes[2] = { { 64, 0, 64, POLICY_UNKNOWN, POLICY_UNKNOWN, 0, 0 },
						{ 1024, 960, 64, POLICY_UNKNOWN, POLICY_UNKNOWN, 0,
						  0 } };
		two->world.now_ns += ROUND;
		struct policy_view view = { two->world.now_ns, ROUND, 1000,   nodes, 2,
					    two->jobs,	       2,     job_of, 2 };
		plan_cut(&two->world.plan, 0);
		assert_int_equal(two->world.ops->decide(two->world.policy, &view, &two->world.plan),
				 0);
		count_reasons(&two->world.plan, &reasons);
	}
	paper_close(&two->world);
	return reasons;
}

static void test_berth_lends_what_is_idle(void **state)
{
	struct two_jobs two = { .jobs = { { 0, UINT64_MAX, 64, 0 }, { 0, UINT64_MAX, 0, 64 } } };
	(void)state;
	struct reasons reasons = play_two_jobs(&two);
	/* All of it leaves: for pages that are used, or ahead of new ones, since no move is done.
	 */
	assert_int_equal(reasons.nr_made_room + reasons.nr_headroom, 64);
	assert_int_equal(reasons.nr_exchanged, reasons.nr_made_room);
	assert_int_equal(reasons.nr_promoted, reasons.nr_exchanged);
	assert_in_range(reasons.nr_exchanged, 20, 64);
	assert_int_equal(reasons.nr_returned, 0);
}

static void test_berth_keeps_floors(void **state)
{
	struct two_jobs two = { .jobs = { { 40, UINT64_MAX, 64, 0 }, { 0, UINT64_MAX, 0, 64 } } };
	(void)state;
	/* Asked for anew each round, but never more than 24 in one. */
	struct reasons reasons = play_two_jobs(&two);
	assert_in_range(reasons.nr_promoted, 16, 64);
	assert_in_range(reasons.most_left, 1, 24);
	two.jobs[0].floor_pages = 64;
	reasons = play_two_jobs(&two);
	assert_int_equal(reasons.nr_promoted, 0);
	assert_int_equal(reasons.most_left, 0);
}

static void test_berth_keeps_caps(void **state)
{
	struct two_jobs two = { .jobs = { { 0, UINT64_MAX, 64, 0 }, { 0, 0, 0, 64 } } };
	(void)state;
	assert_int_equal(play_two_jobs(&two).nr_promoted, 0);
}

static void test_berth_returns_what_was_lent(void **state)
{
	struct two_jobs two = { .jobs = { { 0, UINT64_MAX, 64, 0 }, { 64, UINT64_MAX, 0, 64 } } };
	(void)state;
	struct reasons reasons = play_two_jobs(&two);
	assert_int_equal(reasons.nr_promoted, 64);
	assert_int_equal(reasons.nr_returned, 64);
	assert_int_equal(reasons.nr_made_room, 0);
}

/* The fast node is slower than the slow one under load: nothing is promoted. */
static void test_berth_stops_where_fast_memory_is_slower(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 128, 1024);
	world.misses[0] = world.misses[1] = 1000;
	world.loaded_ps[0] = 400000;
	world.loaded_ps[1] = 250000;
	births(&world, 512);
	for (int round = 0; round < 300; round++) {
		for (uint64_t i = 0; i < 64; i++)
			touch(&world, 448 + i);
		paper_turn(&world, ROUND);
		if (round == 150)
			world.nr_promoted = 0; /* the mean of the queue takes its time */
	}
	assert_int_equal(world.nr_promoted, 0);
	paper_close(&world);
}

/* What is used most there, and only as long as it is slower. */
static void test_berth_pushes_the_hottest_out_under_load(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "berth", "", 128, 1024);
	world.misses[0] = world.misses[1] = 1000;
	world.loaded_ps[0] = world.loaded_ps[1] = 250000;
	births(&world, 120);
	for (int round = 0; round < 600; round++) {
		for (uint64_t i = 0; i < 16; i++)
			touch(&world, 40 + i);
		for (uint64_t i = 0; i < 4; i++)
			touch(&world, 60 + (uint64_t)round % 15 * 4 + i);
		paper_turn(&world, ROUND);
		if (round != 100)
			continue;
		world.loaded_ps[0] = 600000;
		world.nr_demoted = 0; /* the room that was made for births */
	}
	uint64_t nr_hot = 0;
	for (uint64_t i = 0; i < 16; i++)
		nr_hot += world.node[40 + i] == 1;
	assert_true(nr_hot >= 12);
	assert_true(world.nr_demoted <= nr_hot + 4);
	paper_close(&world);
}
