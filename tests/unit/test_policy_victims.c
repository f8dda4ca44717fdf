/* SPDX-License-Identifier: MIT */
/* berth where more of fast memory is in use than is looked at in a round: who is to go is found
 * soon after it has cooled, too. */
#include "test.h"

#define PAPER_PAGES (128 * 1024)
#include <stdlib.h>

#include "policy_fixture.h"

#define ONE	  65536
#define NR_FAST	  24576u /* the first ones */
#define NR_SLOW	  98304u
#define NR_HOT	  4096u
#define HOT	  (ONE / 10 * 7) /* the chance that a page is seen in a window */
#define COLD	  (ONE / 50)
#define WINDOW_NS (200 * NS_PER_MS)

struct scene {
	struct paper_world world;
	struct random random;
	uint32_t chance[NR_FAST + NR_SLOW];
	bool is_met;
};

static void see(struct scene *scene, uint64_t page, uint64_t window_ns)
{
	struct paper_world *world = &scene->world;
	struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, page);
	sample.hits = sample.checks = 1;
	sample.node = world->node[page];
	sample.window_ns = window_ns;
	struct sample_batch batch = { &sample, 1, 1 };
	world->ops->observe(world->policy, &batch);
}

static void turns(struct scene *scene, unsigned nr, uint64_t every_ns)
{
	for (unsigned i = 0; i < nr; i++) {
		for (uint64_t page = 0; page < NR_FAST + NR_SLOW; page++) {
			if (random_below(&scene->random, ONE) < scene->chance[page])
				see(scene, page, WINDOW_NS);
			else if (!scene->is_met)
				see(scene, page, SAMPLE_UNKNOWN);
		}
		scene->is_met = true;
		paper_turn(&scene->world, every_ns);
	}
}

static void heat(struct scene *scene, uint64_t first, uint64_t nr, uint32_t chance)
{
	for (uint64_t i = 0; i < nr; i++)
		scene->chance[first + i] = chance;
}

static uint64_t nr_fast(const struct scene *scene, uint64_t first, uint64_t nr)
{
	uint64_t nr_found = 0;
	for (uint64_t i = 0; i < nr; i++)
		nr_found += scene->world.node[first + i] == 0;
	return nr_found;
}

/* All of fast memory is hot; then some of it cools, in the midst of the rest, and as much of slow
 * memory is used instead. When that is seen first the old ones are still taken to be hot. */
static void test_what_has_cooled_goes_soon(void **state)
{
	const uint64_t old = NR_FAST / 2, young = NR_FAST + NR_SLOW / 4;
	struct scene *scene = calloc(1, sizeof(*scene));
	(void)state;
	assert_non_null(scene);
	random_init(&scene->random, 1);
	heat(scene, 0, NR_FAST, HOT);
	heat(scene, NR_FAST, NR_SLOW, COLD);
	paper_open(&scene->world, "berth", "", NR_FAST, PAPER_PAGES);
	for (uint64_t i = 0; i < NR_FAST + NR_SLOW; i++)
		paper_birth(&scene->world, i);
	turns(scene, 12, 2 * NS_PER_S);
	assert_in_range(scene->world.nr_promoted, 0, NR_HOT / 16);
	heat(scene, old, NR_HOT, COLD);
	heat(scene, young, NR_HOT, HOT);
	turns(scene, 9, NS_PER_S);
	assert_in_range(nr_fast(scene, young, NR_HOT), NR_HOT / 8 * 7, NR_HOT);
	assert_in_range(nr_fast(scene, 0, old), old - old / 64, old);
	paper_close(&scene->world);
	free(scene);
}
