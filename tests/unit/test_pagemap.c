/* SPDX-License-Identifier: MIT */
/* The walk through the pages of all watched processes, and the census that tells each once, against
 * files. */
#include "test.h"

#include "root_fixture.h"

#include "linux/pagemap.h"

#define PRESENT ((uint64_t)1 << 63)

/* Entries of pages 0 to nr - 1, all there, on frame `frame` and the next ones. */
static void put_entries(const char *path, uint64_t nr, uint64_t frame)
{
	char whole[256];
	put(path, "");
	snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t entry = PRESENT | (frame + i);
		assert_int_equal(fwrite(&entry, sizeof(entry), 1, file), 1);
	}
	fclose(file);
}

struct world {
	int pipe[2]; /* whose reading end is as the pidfd of a process that lives */
	struct machine *machine;
	struct frame_range zones[2];
	struct live_space spaces[3];
	struct live live;
};

/* 602 pages of one process in two areas, one that has ended, and one of which less can be read than
 * it has mapped. */
static void begin(struct world *world)
{
	*world = (struct world){ .zones = { { 0, 2000, 0 }, { 2000, 9000, 1 } } };
	assert_int_equal(pipe(world->pipe), 0);
	assert_int_equal(machine_open("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns",
				      &world->machine, NULL),
			 0);
	root_begin();
	put("proc/7/maps", "00010000-00268000 rw-p 00000000 00:00 0 \n"
			   "00800000-00802000 rw-p 00000000 00:00 0 ");
	put_entries("proc/7/pagemap", 2050, 100);
	put("proc/9/maps", "00001000-00009000 rw-p 00000000 00:00 0 \n"
			   "00100000-00200000 rw-p 00000000 00:00 0 ");
	put_entries("proc/9/pagemap", 4, 5000);
	world->spaces[0] = (struct live_space){ .pid = 7, .pidfd = world->pipe[0] };
	world->spaces[1] = (struct live_space){ .pid = 8, .pidfd = -1 };
	world->spaces[2] = (struct live_space){ .pid = 9, .pidfd = world->pipe[0] };
	world->live = (struct live){ .root = &root,
				     .machine = world->machine,
				     .frames = { .ranges = world->zones, .nr_ranges = 2 },
				     .spaces = world->spaces,
				     .nr_spaces = 3 };
}

static void end(struct world *world)
{
	root_end();
	machine_free(world->machine);
	close(world->pipe[0]);
	close(world->pipe[1]);
}

static const struct {
	uint32_t space;
	uint64_t first, nr;
} chunks[] = { { 0, 16, 512 }, { 0, 528, 88 }, { 0, 2048, 2 }, { 2, 1, 3 } };

static void test_walk_reads_every_page_of_everybody(void **state)
{
	struct world world;
	struct pagemap_walk walk;
	uint64_t first, nr;
	(void)state;
	begin(&world);
	pagemap_walk_init(&walk, &world.live);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
			assert_int_equal(pagemap_walk_next(&walk, &first, &nr), 1);
			assert_int_equal(walk.pagemap.space, chunks[i].space);
			assert_int_equal(first, chunks[i].first);
			assert_int_equal(nr, chunks[i].nr);
		}
		assert_int_equal(pagemap_walk_next(&walk, &first, &nr), 0);
	}
	assert_int_equal(pagemap_walk_next(&walk, &first, &nr), 1);
	pagemap_walk_restart(&walk);
	assert_int_equal(pagemap_walk_next(&walk, &first, &nr), 1);
	assert_int_equal(first, 16);
	pagemap_walk_fini(&walk);
	end(&world);
}

static struct sample samples[4 * PAGEMAP_CHUNK];
static struct sample_batch batch = { .samples = samples, .max = ARRAY_SIZE(samples) };

/* Up to the end of a round, if one is due; pages that it told. */
static uint64_t take_round(struct census *census, uint64_t now_ns)
{
	uint64_t nr_pages = 0;
	batch.nr = 0;
	while (!census_go_on(census, now_ns, 1 << 20, &batch))
		;
	for (uint32_t i = 0; i < batch.nr; i++)
		nr_pages += samples[i].nr_pages;
	return nr_pages;
}

static void test_census_tells_every_page_once(void **state)
{
	struct world world;
	struct census census;
	(void)state;
	begin(&world);
	census_init(&census, &world.live);
	batch.nr = 0;
	assert_false(census_go_on(&census, 1, 512, &batch));
	assert_int_equal(batch.nr, 1);
	assert_int_equal(samples[0].nr_pages, 512);
	assert_int_equal(samples[0].node, 0);
	assert_int_equal(take_round(&census, 1), 88 + 2 + 3);
	for (uint32_t i = 0; i < batch.nr; i++)
		assert_int_equal(samples[i].node, samples[i].space == 2 || samples[i].page == 2048);
	/* Gone through again, all of it. */
	assert_int_equal(take_round(&census, CENSUS_AGAIN_NS + CENSUS_ROUND_NS), 0);
	census_fini(&census);
	end(&world);
}

/* Pages that came while others went are met when it is gone through all the same; a process that
 * has grown is gone through at the next round. */
static void test_census_goes_to_who_has_changed(void **state)
{
	struct world world;
	struct census census;
	(void)state;
	begin(&world);
	put("proc/7/statm", "4000 602 0 0 0 0 0");
	put("proc/9/statm", "4000 3 0 0 0 0 0");
	census_init(&census, &world.live);
	take_round(&census, 1);
	put_entries("proc/9/pagemap", 9, 5000);
	put_entries("proc/7/pagemap", 2060, 100);
	put("proc/7/maps", "00010000-00268000 rw-p 00000000 00:00 0 \n"
			   "00800000-00804000 rw-p 00000000 00:00 0 ");
	put("proc/9/statm", "4000 8 0 0 0 0 0");
	assert_int_equal(take_round(&census, CENSUS_ROUND_NS / 2), 0);
	assert_int_equal(take_round(&census, CENSUS_ROUND_NS + 1), 5);
	assert_int_equal(samples[0].space, 2);
	assert_int_equal(take_round(&census, CENSUS_AGAIN_NS + CENSUS_ROUND_NS), 2);
	assert_int_equal(samples[0].space, 0);
	census_fini(&census);
	end(&world);
}

/* Who comes while others are gone through is not behind them, and they are gone through anew. */
static void test_census_meets_first_who_has_come(void **state)
{
	struct world world;
	struct census census;
	(void)state;
	begin(&world);
	world.live.nr_spaces = 2;
	census_init(&census, &world.live);
	assert_false(census_go_on(&census, 1, 512, &batch));
	world.live.nr_spaces = 3;
	batch.nr = 0;
	assert_false(census_go_on(&census, 2, 1, &batch));
	assert_int_equal(samples[0].space, 2);
	take_round(&census, 2);
	assert_int_equal(take_round(&census, 3 + CENSUS_ROUND_NS), 88 + 2);
	for (uint32_t i = 0; i < batch.nr; i++)
		assert_int_equal(samples[i].space, 0);
	census_fini(&census);
	end(&world);
}
