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

static void test_x(void **state)
{
	struct sparse sparse = { .window_ns = 50 * NS_PER_MS, .hot_first = NR_PAGES - NR_HOT };
	uint64_t every = getenv("EVERY") ? strtoull(getenv("EVERY"), NULL, 10) * NS_PER_MS
					 : 2 * NS_PER_S;
	if (getenv("WINDOW"))
		sparse.window_ns = strtoull(getenv("WINDOW"), NULL, 10) * NS_PER_MS;
	sparse.hot_chance = chance(1500, sparse.window_ns);
	sparse.cold_chance = chance(27, sparse.window_ns);
	(void)state;
	random_init(&sparse.random, 1);
	paper_open(&sparse.world, "berth", "", 2400, 4000);
	births(&sparse);
	for (int i = 0; i < 40; i++) {
		if (i == 20)
			sparse.hot_first -= NR_HOT;
		look(&sparse);
		paper_turn(&sparse.world, every);
		printf("%d: hot fast %llu promoted %llu demoted %llu\n", i,
		       (unsigned long long)nr_hot_fast(&sparse),
		       (unsigned long long)sparse.world.nr_promoted,
		       (unsigned long long)sparse.world.nr_demoted);
	}
	paper_close(&sparse.world);
}
