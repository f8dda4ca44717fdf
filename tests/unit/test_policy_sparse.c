/* SPDX-License-Identifier: MIT */
/* Policies whose sampler looks for an instant every few seconds, as a live one does. */
#include "test.h"

#include "policy_fixture.h"

#define NR_PAGES 3584
#define NR_HOT	 512
#define ONE	 65536 /* of a chance */

struct sparse {
	struct paper_world world;
	struct random random;
	uint64_t window_ns;
	uint64_t hot_first;
	uint32_t hot_chance, cold_chance; /* that a page is used within a window, of ONE */
};

static void look(struct sparse *sparse)
{
	struct paper_world *world = &sparse->world;
	for (uint64_t page = 0; page < NR_PAGES; page++) {
		bool is_hot = page - sparse->hot_first < NR_HOT;
		if (random_below(&sparse->random, ONE) >=
		    (is_hot ? sparse->hot_chance : sparse->cold_chance))
			continue;
		struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, page);
		sample.hits = sample.checks = 1;
		sample.node = world->node[page];
		sample.window_ns = sparse->window_ns;
		struct sample_batch batch = { &sample, 1, 1 };
		world->ops->observe(world->policy, &batch);
	}
}

static uint64_t nr_hot_fast(const struct sparse *sparse)
{
	uint64_t nr = 0;
	for (uint64_t i = 0; i < NR_HOT; i++)
		nr += sparse->world.node[sparse->hot_first + i] == 0;
	return nr;
}

static void births(struct sparse *sparse)
{
	struct paper_world *world = &sparse->world;
	for (uint64_t i = 0; i < NR_PAGES; i++) {
		paper_birth(world, i);
		struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, i);
		sample.hits = sample.checks = 1;
		sample.node = world->node[i];
		struct sample_batch batch = { &sample, 1, 1 };
		world->ops->observe(world->policy, &batch);
	}
	paper_turn(world, 100 * NS_PER_MS);
}

static uint32_t chance(uint64_t per_100s, uint64_t window_ns)
{
	uint64_t none = (uint64_t)ONE << 16;
	for (uint64_t ms = 0; ms < window_ns / NS_PER_MS; ms++)
		none -= none / 100000 * per_100s;
	return (uint32_t)(ONE - (none >> 16));
}

/* A hundred checks' worth of a second: per page 15 uses of the hot, 0.27 of the cold. */
static void open_sparse(struct sparse *sparse, uint64_t window_ns)
{
	*sparse = (struct sparse){ .window_ns = window_ns, .hot_first = NR_PAGES - NR_HOT };
	sparse->hot_chance = chance(1500, window_ns);
	sparse->cold_chance = chance(27, window_ns);
	random_init(&sparse->random, 1);
	paper_open(&sparse->world, "berth", "", 2400, 4000);
	births(sparse);
}

static void turns(struct sparse *sparse, unsigned nr, uint64_t every_ns)
{
	for (unsigned i = 0; i < nr; i++) {
		look(sparse);
		paper_turn(&sparse->world, every_ns);
	}
}

/* Two checks tell the hot from the cold, if the policy knows how little of the time they watched:
 * one touch stands for ten there. */
static void test_sparse_checks_find_a_hot_set_soon(void **state)
{
	static const uint64_t windows_ms[] = { 100, 200, 400 };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows_ms); i++) {
		struct sparse sparse;
		open_sparse(&sparse, windows_ms[i] * NS_PER_MS);
		turns(&sparse, 6, 2 * NS_PER_S);
		assert_in_range(nr_hot_fast(&sparse), NR_HOT * 9 / 10, NR_HOT);
		turns(&sparse, 14, 2 * NS_PER_S);
		assert_in_range(nr_hot_fast(&sparse), NR_HOT - 2, NR_HOT);
		assert_in_range(sparse.world.nr_promoted, NR_HOT - 2, NR_HOT * 5 / 4);
		paper_close(&sparse.world);
	}
}

/* The kernel wants more free than there is: what comes pays for that together. A page that had to
 * pay for its own place and as much again would not come before it is better known. */
static void test_sparse_checks_make_room_together(void **state)
{
	struct sparse sparse;
	(void)state;
	open_sparse(&sparse, 200 * NS_PER_MS);
	sparse.world.high_pages = NR_HOT / 2;
	turns(&sparse, 2, 2 * NS_PER_S);
	assert_in_range(nr_hot_fast(&sparse), NR_HOT * 8 / 10, NR_HOT);
	assert_in_range(sparse.world.nr_demoted, NR_HOT, NR_HOT * 3 / 2);
	paper_close(&sparse.world);
}

static void test_sparse_checks_follow_a_hot_set(void **state)
{
	struct sparse sparse;
	(void)state;
	open_sparse(&sparse, 200 * NS_PER_MS);
	turns(&sparse, 10, 2 * NS_PER_S);
	sparse.hot_first -= 2 * NR_HOT;
	turns(&sparse, 6, 2 * NS_PER_S);
	assert_in_range(nr_hot_fast(&sparse), NR_HOT * 9 / 10, NR_HOT);
	paper_close(&sparse.world);
}

/* All are used alike. */
static void test_sparse_checks_leave_alone_what_is_even(void **state)
{
	struct sparse sparse;
	(void)state;
	open_sparse(&sparse, 200 * NS_PER_MS);
	sparse.hot_chance = sparse.cold_chance = ONE / 6;
	turns(&sparse, 100, 2 * NS_PER_S);
	uint64_t before = sparse.world.nr_promoted + sparse.world.nr_demoted;
	turns(&sparse, 100, 2 * NS_PER_S);
	uint64_t after = sparse.world.nr_promoted + sparse.world.nr_demoted;
	assert_in_range(before, 0, NR_PAGES / 2);
	assert_in_range(after - before, 0, NR_PAGES / 10);
	paper_close(&sparse.world);
}

/* So often that more than half are seen each time: nothing is moved from the beginning. */
static void test_sparse_checks_leave_alone_what_is_even_and_busy(void **state)
{
	struct sparse sparse;
	(void)state;
	open_sparse(&sparse, 200 * NS_PER_MS);
	sparse.hot_chance = sparse.cold_chance = ONE / 20 * 11;
	turns(&sparse, 10, 2 * NS_PER_S);
	assert_in_range(sparse.world.nr_promoted + sparse.world.nr_demoted, 0, NR_PAGES / 50);
	paper_close(&sparse.world);
}
