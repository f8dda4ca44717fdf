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

/* All pages are used alike: wherever they are, moving them gains nothing. */
static void test_berth_leaves_alone_what_is_even(void **state)
{
	struct paper_world world;
	struct random random;
	(void)state;
	random_init(&random, 1);
	paper_open(&world, "berth", "", 128, 1024);
	births(&world, 512);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 16; i++)
			touch(&world, random_below(&random, 512));
		paper_turn(&world, ROUND);
	}
	assert_in_range(nr_moves(&world), 0, 10);
	paper_close(&world);
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
