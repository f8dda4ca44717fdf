/* SPDX-License-Identifier: MIT */
/* hemem: what makes a block hot, who makes room, what cools, and that nothing breaks it. */
#include "test.h"

#include "policy/memory/blocks.h"
#include "policy_fixture.h"

#define TURN (10 * NS_PER_MS)

static void births(struct paper_world *world, uint64_t first, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		paper_birth(world, first + i);
}

static void test_hemem_promotes_at_four_samples(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB", 8, 64);
	births(&world, 0, 16); /* 0 to 7 fast, 8 to 15 slow */
	paper_see(&world, 10, false, 3);
	paper_see(&world, 11, true, 3);
	paper_turn(&world, TURN);
	assert_int_equal(world.plan.nr, 0);
	paper_see(&world, 10, false, 1);
	paper_see(&world, 11, true, 1);
	paper_turn(&world, TURN);
	/* The written one goes first, and the block that came first makes room for it. */
	assert_int_equal(world.plan.nr, 4);
	assert_int_equal(world.plan.moves[0].page, 0);
	assert_int_equal(world.plan.moves[0].to, 1);
	assert_int_equal(world.plan.moves[1].page, 11);
	assert_int_equal(world.plan.moves[1].to, 0);
	assert_int_equal(world.plan.moves[2].page, 1);
	assert_int_equal(world.plan.moves[3].page, 10);
	assert_int_equal(world.node[10], 0);
	assert_int_equal(world.node[0], 1);
	paper_turn(&world, TURN);
	assert_int_equal(world.plan.nr, 0);
	paper_close(&world);
}

static void test_hemem_turns_every_tick_only(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB", 8, 64);
	births(&world, 0, 16);
	paper_turn(&world, 1);
	paper_see(&world, 9, false, 4);
	paper_turn(&world, TURN - 1);
	assert_int_equal(world.plan.nr, 0);
	paper_turn(&world, 1);
	assert_int_equal(world.plan.nr, 2);
	paper_close(&world);
}

/* All of fast memory is hot: nobody makes room, until the counts have been halved. */
static void test_hemem_waits_for_hot_blocks_to_cool(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB", 4, 64);
	births(&world, 0, 8);
	for (uint64_t page = 0; page < 6; page++)
		paper_see(&world, page, false, 4);
	paper_turn(&world, TURN);
	assert_int_equal(world.nr_promoted, 0);
	paper_see(&world, 5, false, 6); /* ten: all are halved */
	paper_turn(&world, TURN);
	assert_int_equal(world.nr_promoted, 1); /* 5 has 5; 4 has 2 */
	assert_int_equal(world.node[5], 0);
	assert_int_equal(world.node[0], 1);
	paper_close(&world);
}

static void test_hemem_moves_blocks_of_two_mib(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "", 1024, 4096);
	births(&world, 512, 1100); /* blocks 1 and 2 fast, 76 pages of 3 slow */
	paper_see(&world, 1550, false, 4);
	paper_turn(&world, TURN);
	assert_int_equal(world.plan.nr, 2);
	assert_int_equal(world.plan.moves[0].page, 512);
	assert_int_equal(world.plan.moves[0].nr_pages, 512);
	assert_int_equal(world.plan.moves[1].page, 1536);
	assert_int_equal(world.nr_promoted, 76);
	assert_int_equal(world.nr_demoted, 512);
	paper_close(&world);
}

static void test_hemem_keeps_small_extents_fast(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB,small=12KiB", 8, 64);
	births(&world, 100, 2); /* small */
	births(&world, 0, 12);
	for (uint64_t page = 6; page < 12; page++)
		paper_see(&world, page, false, 4);
	paper_turn(&world, TURN);
	assert_int_equal(world.nr_promoted, 6);
	assert_int_equal(world.node[100], 0);
	assert_int_equal(world.node[101], 0);
	paper_close(&world);
}

static void test_hemem_forgets_what_is_gone(void **state)
{
	struct paper_world world;
	(void)state;
	paper_open(&world, "hemem", "block=4KiB", 8, 64);
	births(&world, 0, 16);
	paper_death(&world, 0);
	births(&world, 16, 1);
	paper_see(&world, 12, false, 4);
	paper_turn(&world, TURN); /* asks 0 to go, which is not there, so 12 finds no room */
	assert_int_equal(world.nr_gone, 1);
	assert_int_equal(world.nr_full, 1);
	paper_turn(&world, TURN); /* and tries again with the next */
	assert_int_equal(world.nr_promoted, 1);
	assert_int_equal(world.node[12], 0);
	assert_int_equal(world.node[1], 1);
	paper_close(&world);
}

static void test_hemem_refuses_odd_blocks(void **state)
{
	struct policy_config config = { .page_bytes = 4096 };
	const struct policy_ops *ops = policy_find("hemem");
	uint64_t values[TUNABLES_MAX];
	void *policy = NULL;
	PRINTBUF(err);
	(void)state;
	tunables_defaults(ops->tunables, ops->nr_tunables, values);
	assert_int_equal(tunables_parse("block=12KiB", ops->tunables, ops->nr_tunables, "hemem",
					values, &err),
			 0);
	config.values = values;
	assert_int_equal(ops->new (&config, &policy, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "power of two"));
	assert_null(policy);
}

/* The lists against what they stand for, under random samples, births, deaths and answers. */
static void test_blocks_stay_valid(void **state)
{
	struct machine *machine = NULL;
	struct random random;
	struct blocks blocks;
	struct plan plan;
	(void)state;
	assert_int_equal(machine_parse("node:dram:4MiB:cpus=0 node:cxl:4MiB", &machine, NULL), 0);
	struct blocks_config config = { machine, 3, 4, 4, 10 };
	assert_int_equal(blocks_init(&blocks, &config), 0);
	assert_int_equal(plan_init(&plan, 8), 0);
	random_init(&random, 5);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t page = random_below(&random, 900);
		struct sample sample = sample_of_page(SAMPLE_HARDWARE, i, 0, page);
		struct sample_batch batch = { &sample, 1, 1 };
		struct move_result result = {
			.page = page,
			.nr_pages = random_below(&random, 40),
			.node = random_below(&random, 8) ? (uint32_t)random_below(&random, 2)
							 : PLAN_NODE_ANY,
			.outcome = (uint8_t)random_below(&random, MOVE_NR_OUTCOMES)
		};
		sample.access = (uint8_t)random_below(&random, 3);
		sample.node = random_below(&random, 3) ? (uint32_t)(page / 64 % 2) : SAMPLE_NONE;
		uint32_t id = folio_find(blocks.table, 0, page & ~7ull, 3);
		switch (random_below(&random, 5)) {
		case 0:
			blocks_born(&blocks, 0, page, 1 + random_below(&random, 30));
			break;
		case 1:
			blocks_completed(&blocks, &result, 1);
			break;
		case 2:
			blocks_cool_some(&blocks, 5);
			break;
		case 3:
			plan_cut(&plan, 0);
			if (id != FOLIO_NONE && !(folio_get(blocks.table, id)->bits & FOLIO_MOVING))
				assert_int_equal(blocks_plan(&blocks, id, 1, "test", &plan), 0);
			break;
		default:
			blocks_observe(&blocks, &batch);
		}
		if (i % 64 == 0)
			assert_true(blocks_are_valid(&blocks));
	}
	plan_fini(&plan);
	blocks_fini(&blocks);
	machine_free(machine);
}
