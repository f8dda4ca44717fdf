/* SPDX-License-Identifier: MIT */
/* memtis: the threshold follows the size of fast memory, the histogram stays exact, folios split.
 */
#include "test.h"

#include "policy/memory/memtis.h"
#include "policy_fixture.h"

#define WAKE (500 * NS_PER_MS)

static void births(struct paper_world *world, uint64_t first, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		paper_birth(world, first + i);
}

/* Pages 100 and up, all slow: 8 with 16 samples each, 16 with 4, 32 with one. */
static void see_three_classes(struct paper_world *world)
{
	for (uint64_t i = 0; i < 8; i++)
		paper_see(world, 100 + i, false, 16);
	for (uint64_t i = 8; i < 24; i++)
		paper_see(world, 100 + i, false, 4);
	for (uint64_t i = 24; i < 56; i++)
		paper_see(world, 100 + i, false, 1);
}

static void check_threshold(uint64_t fast_pages, unsigned hot, unsigned warm, uint64_t promoted)
{
	struct paper_world world;
	paper_open(&world, "memtis", "adapt=224,headroom=0", fast_pages, 1024);
	births(&world, 0, fast_pages);
	births(&world, 100, 200);
	paper_turn(&world, 1);
	see_three_classes(&world); /* 8 x 16 + 16 x 4 + 32 = 224 samples */
	assert_int_equal(memtis_hot_bin(world.policy), hot);
	assert_int_equal(memtis_warm_bin(world.policy), warm);
	paper_turn(&world, WAKE);
	assert_int_equal(world.nr_promoted, promoted);
	assert_int_equal(world.nr_demoted, promoted);
	assert_true(memtis_is_valid(world.policy));
	paper_close(&world);
}

/* A sample of a 4 KiB page weighs 512: bins 13, 11 and 9. */
static void test_memtis_threshold_fits_fast_memory(void **state)
{
	(void)state;
	check_threshold(8, 12, 12, 8);
	check_threshold(23, 12, 11, 8); /* 8 fill less than 75 % of 23: bin 11 is warm */
	check_threshold(24, 10, 10, 24);
	check_threshold(30, 10, 10, 24);
	check_threshold(34, 10, 9, 24); /* 24 fill less than 75 % of 34: bin 9 is warm */
	check_threshold(56, 1, 1, 56);
}

static void test_memtis_raises_the_threshold_when_hot_does_not_fit(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "headroom=0", 8, 1024); /* adapts after 100,000 samples only */
	births(&world, 0, 8);
	births(&world, 100, 200);
	see_three_classes(&world);
	assert_int_equal(memtis_hot_bin(world.policy), 1);
	paper_turn(&world, WAKE);
	assert_int_equal(memtis_hot_bin(world.policy), 12);
	assert_int_equal(world.nr_promoted, 8);
	paper_close(&world);
}

static void test_memtis_halves_all_counts(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "adapt=8,cool=8,headroom=0", 1, 64);
	births(&world, 0, 10);
	paper_turn(&world, WAKE);
	paper_see(&world, 5, false, 7);
	paper_see(&world, 6, false, 1); /* 5 has 7 x 512, halved: bin 10; 6 has 256: bin 8 */
	assert_int_equal(memtis_hot_bin(world.policy), 9);
	assert_true(memtis_is_valid(world.policy));
	for (int i = 0; i < 12; i++) /* the once hot page is overtaken */
		paper_see(&world, 6, false, 4);
	paper_turn(&world, WAKE);
	assert_int_equal(world.node[6], 0);
	assert_int_equal(world.node[5], 1);
	assert_true(memtis_is_valid(world.policy));
	paper_close(&world);
}

static void test_memtis_cools_after_allocations(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "adapt=1,cool_bytes=64KiB,headroom=0", 4, 64);
	births(&world, 0, 8);
	paper_turn(&world, WAKE);
	paper_see(&world, 5, false, 1); /* bin 9: all above 0 fits */
	assert_int_equal(memtis_hot_bin(world.policy), 1);
	births(&world, 20, 3 * 16); /* three times */
	for (int i = 0; i < 5; i++)
		paper_see(&world, 30 + (uint64_t)i, false, 1); /* five at bin 9, 5 at bin 6 */
	assert_int_equal(memtis_hot_bin(world.policy), 10);
	assert_true(memtis_is_valid(world.policy));
	paper_close(&world);
}

static void test_memtis_migrates_at_its_pace(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "adapt=10,migrate=80KiBps", 64, 256);
	births(&world, 0, 64);
	births(&world, 100, 64);
	paper_turn(&world, 1);
	for (uint64_t i = 0; i < 20; i++)
		paper_see(&world, 100 + i, false, 1);
	paper_turn(&world, WAKE - 1);
	assert_int_equal(world.plan.nr, 0);
	paper_turn(&world, 1); /* 80 KiB/s x 0.5 s: ten pages, up and down */
	assert_int_equal(world.nr_promoted + world.nr_demoted, 10);
	paper_close(&world);
}

static void test_memtis_keeps_headroom(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "headroom=10%", 100, 256);
	births(&world, 0, 100);
	paper_see(&world, 0, false, 1);
	paper_turn(&world, WAKE);
	assert_int_equal(world.nr_demoted, 10);
	assert_int_equal(world.node[0], 0); /* sampled: not cold */
	assert_int_equal(world.node[1], 1); /* the first of those never sampled */
	paper_turn(&world, WAKE);
	assert_int_equal(world.plan.nr, 0);
	paper_close(&world);
}

static void see_large(struct paper_world *world, uint64_t page, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		struct sample sample = paper_sample(world, page, false);
		struct sample_batch batch = { &sample, 1, 1 };
		sample.order = 9;
		world->ops->observe(world->policy, &batch);
	}
}

/* Four large folios, each hot in four pages only; fast memory holds one of them. */
static void test_memtis_splits_skewed_folios(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "adapt=100,headroom=0,migrate=1GBps", 512, 4096);
	births(&world, 0, 512);
	births(&world, 1024, 2048);
	paper_turn(&world, WAKE);
	for (uint64_t i = 0; i < 100; i++) /* of slow memory: no hit, but there could be */
		see_large(&world, 1024 + 512 * (i % 4) + 7 * (i / 4 % 4), 1);
	assert_true(memtis_is_valid(world.policy));
	paper_turn(&world, WAKE);
	uint32_t nr_split = 0;
	for (uint32_t i = 0; i < world.plan.nr; i++)
		nr_split += world.plan.moves[i].is_split;
	assert_int_equal(nr_split, 16);
	for (uint64_t i = 0; i < 16; i++)
		assert_int_equal(world.node[1024 + 512 * (i % 4) + 7 * (i / 4)], 0);
	assert_int_equal(world.node[1025], 1);
	assert_int_equal(world.nr_promoted, 16);
	assert_true(memtis_is_valid(world.policy));
	paper_close(&world);
}

static void test_memtis_does_not_split_even_folios(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "adapt=512,headroom=0,migrate=1GBps", 512, 4096);
	births(&world, 0, 512);
	births(&world, 1024, 1024);
	paper_turn(&world, WAKE);
	for (uint64_t i = 0; i < 512; i++)
		see_large(&world, 1024 + i, 1);
	paper_turn(&world, WAKE);
	for (uint64_t i = 0; i < 512; i++) /* served by fast memory now */
		see_large(&world, 1024 + i, 1);
	paper_turn(&world, WAKE);
	for (uint32_t i = 0; i < world.plan.nr; i++)
		assert_false(world.plan.moves[i].is_split);
	paper_close(&world);
}

static void test_memtis_follows_folios_as_they_change(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "memtis", "", 512, 4096);
	births(&world, 0, 1024);
	paper_see(&world, 600, false, 3);
	see_large(&world, 700, 2); /* collapsed: one folio of 512 to 1023 */
	assert_true(memtis_is_valid(world.policy));
	paper_death(&world, 800);
	births(&world, 800, 1); /* a part of it: nothing is lost */
	assert_true(memtis_is_valid(world.policy));
	paper_see(&world, 701, true, 1); /* and split again */
	assert_true(memtis_is_valid(world.policy));
	paper_close(&world);
}

/* Whatever it is told: the histogram is exact, plans are valid, it ends. */
static void test_memtis_stays_valid(void **state)
{
	struct paper_world world;
	struct random random;
	(void)state;
	paper_open(&world, "memtis", "adapt=50,cool=300,wake=1ms,cool_bytes=256KiB", 700, 8192);
	random_init(&random, 11);
	for (uint32_t i = 0; i < 30000; i++) {
		uint64_t page = random_below(&random, 2048);
		struct sample sample = sample_of_page(SAMPLE_HARDWARE, i, 0, page);
		struct sample_batch batch = { &sample, 1, 1 };
		switch (random_below(&random, 16)) {
		case 0:
			paper_birth(&world, page);
			break;
		case 1:
			paper_death(&world, page);
			break;
		case 2:
			world.budget_pages = random_below(&random, 2000);
			paper_turn(&world, random_below(&random, 2 * NS_PER_MS));
			break;
		default:
			if (random_below(&random, 2))
				page = page / 512 * 512 + random_below(&random, 3);
			sample.page = page;
			sample.node = (uint32_t)random_below(&random, 2);
			sample.node = random_below(&random, 4) ? sample.node : SAMPLE_NONE;
			sample.order = (uint8_t)(page < 512    ? 9
						 : page < 1024 ? random_below(&random, 11)
							       : SAMPLE_NO_ORDER);
			world.ops->observe(world.policy, &batch);
		}
		if (i % 50 == 0)
			assert_true(memtis_is_valid(world.policy));
	}
	assert_true(world.nr_promoted > 0 && world.nr_demoted > 0);
	paper_close(&world);
}
