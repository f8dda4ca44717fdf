/* SPDX-License-Identifier: MIT */
/*
 * From frames to regions and back to their owners: against a search of all regions for each page,
 * with pages and regions by chance, and by hand for the ranges of zones.
 */
#include "test.h"

#include "base/random.h"
#include "linux/damon_pace.h"
#include "linux/physical.h"

#define FRAMES	4096
#define REGIONS 64
#define PAGES	512
#define ROUNDS	200
#define TIME_NS 777
#define WINDOW	88
#define PRESENT ((uint64_t)1 << 63)

static void test_zones_that_touch_are_one_range(void **state)
{
	struct frame_range zones[] = {
		{ 100, 50, 0 }, { 10, 20, 0 }, { 150, 10, 1 }, { 12, 3, 1 }
	};
	struct frames frames = { .ranges = zones, .nr_ranges = ARRAY_SIZE(zones) };
	struct kdamond_range ranges[PHYSICAL_RANGES_MAX];
	(void)state;
	assert_int_equal(physical_ranges(&frames, 4096, ranges), 2);
	assert_int_equal(ranges[0].start, 10 * 4096);
	assert_int_equal(ranges[0].end, 30 * 4096);
	assert_int_equal(ranges[1].start, 100 * 4096);
	assert_int_equal(ranges[1].end, 160 * 4096);
}

static void test_too_many_ranges_are_none(void **state)
{
	static struct frame_range zones[PHYSICAL_RANGES_MAX + 1];
	struct frames frames = { .ranges = zones, .nr_ranges = ARRAY_SIZE(zones) };
	struct kdamond_range ranges[PHYSICAL_RANGES_MAX];
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(zones); i++)
		zones[i] = (struct frame_range){ i * 10, 5, 0 };
	assert_int_equal(physical_ranges(&frames, 4096, ranges), 0);
	frames.nr_ranges--;
	assert_int_equal(physical_ranges(&frames, 4096, ranges), PHYSICAL_RANGES_MAX);
}

struct world {
	struct damon_region regions[REGIONS];
	struct damon_snapshot snapshot;
	uint64_t entries[PAGES];
};

static void fill(struct world *world, struct random *random)
{
	uint64_t frame = 1;
	uint32_t nr = 0;
	while (nr < REGIONS) {
		uint64_t first = frame + random_below(random, 20);
		uint64_t end = first + 1 + random_below(random, 90);
		if (end > FRAMES)
			break;
		world->regions[nr++] = (struct damon_region){
			.first = first,
			.end = end,
			.hits = (uint32_t)(random_below(random, 2) * random_below(random, 30)),
			.time_ns = TIME_NS,
		};
		frame = end;
	}
	world->snapshot = (struct damon_snapshot){ world->regions, nr, nr };
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t walk = random_below(random, 3) && i ? (world->entries[i - 1] + 1)
							     : random_below(random, FRAMES);
		world->entries[i] = random_below(random, 5) ? PRESENT | (walk % FRAMES) : 0;
	}
}

/* What a search finds: -1 where nothing is told. */
static int64_t hits_of(const struct world *world, uint64_t entry)
{
	uint64_t frame = entry & ~PRESENT;
	for (uint32_t i = 0; i < world->snapshot.nr && entry & PRESENT && frame; i++)
		if (frame >= world->regions[i].first && frame < world->regions[i].end)
			return MIN(world->regions[i].hits, DAMON_CHECKS);
	return -1;
}

static void test_pages_have_the_hits_of_their_frames_region(void **state)
{
	struct frame_range zones[] = { { 0, FRAMES / 2, 0 }, { FRAMES / 2, FRAMES, 1 } };
	struct frames frames = { .ranges = zones, .nr_ranges = 2 };
	struct random random;
	(void)state;
	random_init(&random, 7);
	for (unsigned round = 0; round < ROUNDS; round++) {
		static struct world world;
		struct sample samples[PAGES];
		struct sample_batch batch = { samples, 0, PAGES };
		struct physical_run run = { 1000, 3 };
		struct physical_look look = { .snapshot = &world.snapshot,
					      .frames = &frames,
					      .window_ns = WINDOW };
		uint64_t nr_own = 0, nr_told = 0, nr_hit = 0;
		uint32_t at = 0;
		fill(&world, &random);
		physical_tell(&look, &run, world.entries, PAGES, &batch);
		for (uint64_t i = 0; i < PAGES; i++) {
			int64_t hits = hits_of(&world, world.entries[i]);
			nr_own += hits > 0;
			nr_told += hits >= 0;
			if (hits < 0)
				continue;
			while (samples[at].page + samples[at].nr_pages <= 1000 + i)
				at++;
			assert_true(at < batch.nr && samples[at].page <= 1000 + i);
			assert_int_equal(samples[at].hits, hits);
			assert_int_equal(samples[at].space, 3);
			assert_int_equal(samples[at].node,
					 (world.entries[i] & ~PRESENT) >= FRAMES / 2);
		}
		for (uint32_t i = 0; i < batch.nr; i++) {
			nr_told -= samples[i].nr_pages;
			assert_int_equal(samples[i].checks, DAMON_CHECKS);
			assert_int_equal(samples[i].window_ns, WINDOW);
			assert_int_equal(samples[i].time_ns, TIME_NS);
		}
		assert_int_equal(nr_told, 0);
		for (uint32_t i = 0; i < world.snapshot.nr; i++)
			nr_hit += world.regions[i].hits
					  ? world.regions[i].end - world.regions[i].first
					  : 0;
		assert_int_equal(look.nr_own_pages, nr_own);
		assert_int_equal(physical_foreign_pages(&look), nr_hit - MIN(nr_hit, nr_own));
	}
}
