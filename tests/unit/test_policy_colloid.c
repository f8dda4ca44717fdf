/* SPDX-License-Identifier: MIT */
/* colloid: where the latency under load is lower, how far a turn goes, and that it finds a balance.
 */
#include "test.h"

#include "policy_fixture.h"

#define TURN (10 * NS_PER_MS)
#define NS   UINT64_C(1000)

static void births(struct paper_world *world, uint64_t first, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		paper_birth(world, first + i);
}

static void load(struct paper_world *world, uint64_t fast_misses, uint64_t fast_ns,
		 uint64_t slow_misses, uint64_t slow_ns)
{
	world->misses[0] = fast_misses;
	world->misses[1] = slow_misses;
	world->loaded_ps[0] = fast_misses ? fast_ns * NS : POLICY_UNKNOWN;
	world->loaded_ps[1] = slow_misses ? slow_ns * NS : POLICY_UNKNOWN;
}

/* Eight fast and eight slow pages, half of each hot with the same share: one eighth. */
static void open_even(struct paper_world *world, const char *keys)
{
	paper_open(world, "colloid", keys, 16, 64);
	births(world, 0, 8);
	world->used[0] += 8; /* somebody else's */
	births(world, 8, 8);
	world->used[0] -= 8;
	for (uint64_t page = 0; page < 16; page += 2)
		paper_see(world, page, false, 4);
}

static void test_colloid_is_hemem_without_counters(void **state)
{
	struct paper_world world;
	(void)state;
	open_even(&world, "block=4KiB");
	paper_turn(&world, TURN);
	assert_int_equal(world.nr_promoted, 4);
	assert_int_equal(world.nr_demoted, 0);
	assert_int_equal(world.node[8], 0);
	assert_int_equal(world.node[9], 1);
	paper_close(&world);
}

/* Half of the misses are served by fast memory. Bounds 0.5 and 1: a quarter may come, two pages. */
static void test_colloid_promotes_half_of_the_way(void **state)
{
	struct paper_world world;
	(void)state;
	open_even(&world, "block=4KiB");
	load(&world, 10000, 80, 10000, 250);
	paper_turn(&world, TURN);
	assert_int_equal(world.nr_promoted, 2);
	load(&world, 15000, 80, 5000, 250);
	paper_turn(&world, TURN); /* bounds 0.75 and 1: one more */
	assert_int_equal(world.nr_promoted, 3);
	assert_int_equal(world.nr_demoted, 0);
	paper_close(&world);
}

static void test_colloid_pushes_hot_pages_out_under_load(void **state)
{
	struct paper_world world;
	(void)state;
	open_even(&world, "block=4KiB");
	load(&world, 10000, 400, 10000, 250);
	paper_turn(&world, TURN); /* bounds 0 and 0.5: a quarter goes, two pages */
	assert_int_equal(world.nr_demoted, 2);
	assert_int_equal(world.nr_promoted, 0);
	assert_int_equal(world.node[0], 1);
	assert_int_equal(world.node[2], 1);
	assert_int_equal(world.node[1], 0); /* cold: moving it would change nothing */
	assert_string_equal(world.plan.moves[0].why, "hot, but fast memory is slower under load");
	paper_close(&world);
}

static void test_colloid_rests_in_balance(void **state)
{
	struct paper_world world;
	(void)state;
	open_even(&world, "block=4KiB");
	load(&world, 10000, 240, 10000, 250);
	paper_turn(&world, TURN);
	assert_int_equal(world.plan.nr, 0);
	load(&world, 10000, 260, 10000, 250);
	paper_turn(&world, TURN);
	assert_int_equal(world.plan.nr, 0);
	paper_close(&world);
}

/* A short tick is one reading of the counters, and tells 1/32 of the story. */
static void test_colloid_averages(void **state)
{
	struct paper_world world;
	(void)state;
	open_even(&world, "block=4KiB,measure=1ms,tick=0s");
	load(&world, 10000, 80, 10000, 250);
	for (int i = 0; i < 100; i++)
		paper_turn(&world, TURN);
	uint64_t before = world.nr_demoted;
	load(&world, 1000, 8000, 1000, 250); /* one ms of it: 80 + 7920 / 32 = 327 ns */
	paper_turn(&world, NS_PER_MS);
	assert_true(world.nr_demoted > before);
	paper_close(&world);
	open_even(&world, "block=4KiB,measure=1ms,tick=0s");
	load(&world, 10000, 80, 10000, 250);
	for (int i = 0; i < 100; i++)
		paper_turn(&world, TURN);
	load(&world, 1000, 4000, 1000, 250); /* 80 + 3920 / 32 = 202 ns: still faster */
	paper_turn(&world, NS_PER_MS);
	assert_int_equal(world.nr_demoted, 0);
	paper_close(&world);
}

/* 64 hot pages with equal shares; a tier's latency grows with the square of its share. hemem keeps
 * all in fast memory at 980 ns; the balance is where both take the same. */
static uint64_t loaded_ns(uint64_t idle_ns, uint64_t nr_hot)
{
	return idle_ns + 900 * nr_hot * nr_hot / (64 * 64);
}

static uint64_t play_load(struct paper_world *world, uint32_t turns)
{
	uint64_t hot[2] = { 0 };
	for (uint32_t turn = 0; turn < turns; turn++) {
		hot[0] = hot[1] = 0;
		for (uint64_t page = 0; page < 64; page++) {
			paper_see(world, page, false, 1 + page % 2);
			hot[world->node[page]]++;
		}
		load(world, hot[0] * 1000, loaded_ns(80, hot[0]), hot[1] * 1000,
		     loaded_ns(250, hot[1]));
		paper_turn(world, TURN);
	}
	return hot[0];
}

static void test_colloid_balances_what_hemem_overloads(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB", 64, 256);
	births(&world, 100, 40);
	births(&world, 0, 100);
	assert_int_equal(play_load(&world, 50), 64);
	paper_close(&world);
	paper_open(&world, "colloid", "block=4KiB", 64, 256);
	births(&world, 100, 40);
	births(&world, 0, 100);
	uint64_t nr_hot = play_load(&world, 50);
	/* 80 + 0.2197 x^2 = 250 + 0.2197 (64 - x)^2 at x = 38; 5 % and two sizes of share aside. */
	assert_in_range(nr_hot, 36, 40);
	uint64_t moved = world.nr_promoted + world.nr_demoted;
	play_load(&world, 50);
	assert_true(world.nr_promoted + world.nr_demoted - moved <= 100); /* at most 2 a turn */
	paper_close(&world);
}

static void test_agents_survive_random_input(void **state)
{
	static const char *const names[] = { "hemem", "colloid", "memtis" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct paper_world world;
		struct random random;
		paper_open(&world, names[i], "", 1500, PAPER_PAGES);
		random_init(&random, i);
		for (uint32_t j = 0; j < 30000; j++) {
			uint64_t page = random_below(&random, PAPER_PAGES);
			struct sample sample = sample_of_page(SAMPLE_HARDWARE, j, 0, page);
			struct sample_batch batch = { &sample, 1, 1 };
			if (random_below(&random, 20) == 0)
				page = sample.page = random_u64(&random);
			sample.nr_pages = random_below(&random, 3);
			sample.kind = (uint8_t)random_below(&random, 4);
			sample.access = (uint8_t)random_below(&random, 4);
			sample.order = (uint8_t)random_below(&random, 256);
			sample.node = (uint32_t)random_below(&random, 4);
			sample.space = (uint32_t)random_below(&random, 2);
			world.misses[0] = random_u64(&random) >> random_below(&random, 64);
			world.misses[1] = random_u64(&random) >> random_below(&random, 64);
			world.loaded_ps[0] = random_u64(&random) >> random_below(&random, 64);
			world.loaded_ps[1] = random_u64(&random) >> random_below(&random, 64);
			world.budget_pages = random_below(&random, 5000);
			world.ops->observe(world.policy, &batch);
			if (page < PAPER_PAGES && random_below(&random, 4) == 0)
				paper_birth(&world, page);
			if (page < PAPER_PAGES && random_below(&random, 8) == 0)
				paper_death(&world, page);
			if (random_below(&random, 50) == 0)
				paper_turn(&world, random_u64(&random) >> 40);
		}
		assert_true(world.ops->memory_bytes(world.policy) > 0);
		paper_close(&world);
	}
}
