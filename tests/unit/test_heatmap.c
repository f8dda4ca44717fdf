/* SPDX-License-Identifier: MIT */
/* The pass over hand-made batches: names, tallies, heat, rows; and that its memory is bounded. */
#include "test.h"

#include "mem/heatmap.h"
#include "mem/key.h"

static struct profile *new_profile(uint32_t streams, uint64_t interval_ns)
{
	struct trace_info info = { .page_bytes = 4096,
				   .streams = streams,
				   .interval_ns = interval_ns };
	struct profile *profile = NULL;
	assert_int_equal(profile_new(&info, &profile), 0);
	return profile;
}

static void finish(struct profile *profile, uint64_t duration_ns)
{
	struct trace_info info = { .page_bytes = 4096, .duration_ns = duration_ns };
	assert_int_equal(profile_finish(profile, &info), 0);
	assert_true(tally_is_valid(&profile->tally));
	assert_true(grid_is_valid(&profile->grid));
	assert_true(regions_is_valid(&profile->names));
}

static void access_page(struct profile *profile, uint32_t space, uint64_t time_ns, uint64_t page,
			uint8_t flags)
{
	struct trace_batch batch = { .kind = TRACE_ACCESSES,
				     .space = space,
				     .nr = 1,
				     .time_ns = &time_ns,
				     .page = &page,
				     .flags = &flags };
	assert_int_equal(profile_add(profile, &batch), 0);
}

static void map(struct profile *profile, uint32_t space, uint64_t page, uint64_t nr,
		const char *name)
{
	struct trace_mapping mapping = {
		.space = space, .op = TRACE_MAP, .page = page, .nr_pages = nr, .name = name
	};
	struct trace_batch batch = { .kind = TRACE_MAPPINGS, .nr = 1, .mappings = &mapping };
	assert_int_equal(profile_add(profile, &batch), 0);
}

static void sample(struct profile *profile, uint32_t space, uint64_t time_ns, uint64_t page,
		   uint64_t nr_pages, uint32_t hits, uint32_t checks)
{
	uint64_t window = 100;
	struct trace_batch batch = { .kind = TRACE_SAMPLES,
				     .space = space,
				     .nr = 1,
				     .time_ns = &time_ns,
				     .page = &page,
				     .nr_pages = &nr_pages,
				     .hits = &hits,
				     .checks = &checks,
				     .window_ns = &window };
	assert_int_equal(profile_add(profile, &batch), 0);
}

#define MISSES_TOUCHES (TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES)

static void test_touches_and_misses(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	map(profile, 0, 10, 10, "[heap]");
	map(profile, 0, 1000, 5, "/usr/lib/libc.so.6");
	for (unsigned i = 0; i < 10; i++) {
		access_page(profile, 0, i * 100, 10, TRACE_TOUCH);
		access_page(profile, 0, i * 100 + 5, 10, TRACE_MISS); /* no second touch */
		if (i == 3)
			access_page(profile, 0, i * 100 + 6, 1000, TRACE_TOUCH | TRACE_MISS);
	}
	finish(profile, 1000);
	assert_int_equal(profile->nr_intervals, 10);
	assert_int_equal(profile->nr_regions, 2);
	assert_string_equal(region_short_name(&profile->regions[0]), "heap");
	assert_string_equal(region_short_name(&profile->regions[1]), "libc.so.6");
	assert_int_equal(profile->regions[0].hot_pages, 1);
	assert_int_equal(profile->regions[1].warm_pages, 1); /* one interval of ten */
	assert_true(profile->regions[0].count == 10);
	assert_true(profile->count == 11);
	assert_int_equal(profile->touched_pages, 2);
	assert_int_equal(profile->busy_pages, 1);
	assert_int_equal(profile->workingset.max, 2);
	assert_int_equal(workingset_percentile(&profile->workingset, 0.5), 1);
	assert_true(profile->coverage[50] > 0.90 && profile->coverage[50] < 0.92);
	profile_free(profile);
}

static void test_quiet_time_counts(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	access_page(profile, 0, 0, 1, TRACE_TOUCH);
	access_page(profile, 0, 450, 1, TRACE_TOUCH);
	finish(profile, 1000);
	assert_int_equal(profile->nr_intervals, 10);
	assert_int_equal(profile->workingset.nr, 10);
	assert_int_equal(workingset_percentile(&profile->workingset, 0.8), 0);
	assert_int_equal(workingset_percentile(&profile->workingset, 0.9), 1);
	assert_int_equal(profile->regions[0].warm_pages, 1);
	profile_free(profile);
}

/* The merged grid holds what a grid of the final resolution would have held. */
static void test_long_recordings_merge_time(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 1);
	const uint64_t nr = 100000;
	for (uint64_t i = 0; i < nr; i++)
		access_page(profile, 0, i, i % 4, TRACE_TOUCH);
	finish(profile, nr);
	assert_int_equal(profile->nr_intervals, nr);
	assert_int_equal(profile->grid.bin_shift, 8);
	double heat = 0;
	for (uint32_t b = 0; b < profile->grid.nr; b++)
		for (unsigned i = 0; i < GRID_BINS; i++)
			heat += profile->grid.blocks[b].cells[i].heat;
	assert_true(heat == (double)nr);
	struct heatmap map;
	assert_int_equal(heatmap_make(profile, 8, 40, &map), 0);
	assert_int_equal(map.nr_rows, 4);
	for (unsigned i = 0; i < 160; i++)
		assert_true(map.heat[i] > 0.24 && map.heat[i] < 0.26);
	heatmap_fini(&map);
	profile_free(profile);
}

static void test_wide_programs_merge_blocks(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 1000000);
	for (uint64_t i = 0; i < 50000; i++)
		access_page(profile, 0, i, i * 3, TRACE_TOUCH | TRACE_MISS);
	finish(profile, 1000000);
	assert_in_range(profile->grid.nr, 1, GRID_MAX_BLOCKS);
	assert_int_equal(profile->touched_pages, 50000);
	uint64_t pages = 0;
	for (uint32_t b = 0; b < profile->grid.nr; b++)
		pages += profile->grid.blocks[b].nr_pages;
	assert_int_equal(pages, 50000);
	profile_free(profile);
}

static void test_tally_merges_beyond_its_limit(void **state)
{
	struct tally tally;
	assert_int_equal(tally_init(&tally, 64), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		struct tally_unit *unit = tally_get(&tally, mem_key(0, i));
		assert_non_null(unit);
		unit->count += 2;
		assert_true(tally_is_valid(&tally));
	}
	assert_in_range(tally.nr, 32, 64);
	uint64_t count = 0;
	for (uint32_t i = 0; i < tally.nr; i++)
		count += tally.units[i].count;
	assert_int_equal(count, 2000);
	tally_fini(&tally);
}

static void test_many_processes(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	for (uint32_t space = 0; space < 5000; space++)
		for (uint64_t page = 0; page < 20; page++)
			access_page(profile, space, space, page << 20, TRACE_TOUCH | TRACE_MISS);
	finish(profile, 5000);
	assert_in_range(profile->grid.nr, 1, GRID_MAX_BLOCKS);
	assert_int_equal(profile->touched_pages, 100000);
	profile_free(profile);
}

static void test_mappings_become_regions(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	struct regions *names = &profile->names;
	map(profile, 0, 100, 50, "/lib/libz.so"); /* the loader reserves the whole range, */
	map(profile, 0, 110, 20, "/lib/libz.so");
	map(profile, 0, 140, 10, "[anon]"); /* and maps .bss over its end */
	map(profile, 0, 300, 10, "[anon]");
	map(profile, 0, 310, 10, "[anon]"); /* touches: the same */
	map(profile, 0, 400, 10, "[anon]"); /* apart: another */
	map(profile, 1, 410, 10, "[anon]"); /* another space */
	assert_true(regions_is_valid(names));
	assert_int_equal(names->nr, 4);
	assert_int_equal(regions_find(names, mem_key(0, 145)), regions_find(names, 100));
	assert_int_equal(regions_find(names, 319), regions_find(names, 300));
	assert_int_not_equal(regions_find(names, 400), regions_find(names, 300));
	assert_int_equal(regions_find(names, 320), REGION_NONE);
	assert_int_equal(regions_find(names, mem_key(1, 145)), REGION_NONE);
	map(profile, 0, 90, 30, "[heap]"); /* a later mapping takes its range over */
	assert_int_equal(regions_find(names, 105), regions_find(names, 90));
	assert_int_not_equal(regions_find(names, 120), regions_find(names, 90));
	assert_true(regions_is_valid(names));
	profile_free(profile);
}

static void test_region_map_matches_a_naive_one(void **state)
{
	static uint32_t naive[512];
	static const char *const labels[] = { "/a", "/b", "/c", "/d", "/e" };
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	memset(naive, 0xff, sizeof(naive));
	uint64_t seed = 7;
	for (unsigned round = 0; round < 3000; round++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		uint32_t first = (seed >> 33) % 500, nr = 1 + (seed >> 45) % 12;
		const char *label = labels[(seed >> 55) % 5];
		map(profile, 0, first, nr, label);
		uint32_t region = regions_find(&profile->names, first);
		assert_string_equal(profile->names.list[region].name, label);
		for (uint32_t i = first; i < first + nr && i < 512; i++)
			naive[i] = region;
		assert_true(regions_is_valid(&profile->names));
	}
	for (uint32_t i = 0; i < 511; i++)
		assert_int_equal(regions_find(&profile->names, i), naive[i]);
	profile_free(profile);
}

static void test_region_limits_hold(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	for (uint64_t i = 0; i < REGIONS_MAX_SPANS + 1000; i++)
		map(profile, 0, i * 4, 1, "[anon]");
	assert_true(profile->names.is_full);
	assert_true(profile->names.nr <= 2 * REGIONS_MAX);
	assert_true(regions_is_valid(&profile->names));
	profile_free(profile);
}

static void test_samples_stay_ranges(void **state)
{
	struct profile *profile = new_profile(TRACE_STREAM_SAMPLES, 100);
	for (uint64_t t = 1000; t <= 2000; t += 100) { /* 11 windows of 100 ns, from 900 on */
		sample(profile, 0, t, 0, 1000, 10, 20);
		sample(profile, 0, t, 1000, UINT64_C(1) << 40, 0, 20); /* watched, never hit */
		sample(profile, 0, t, (UINT64_C(1) << 40) + 5000, 8, 20, 20);
	}
	finish(profile, 0);
	assert_int_equal(profile->nr_intervals, 11);
	assert_int_equal(profile->duration_ns, 1100);
	assert_int_equal(profile->nr_regions, 2);
	assert_in_range(profile->grid.nr, 2, GRID_MAX_BLOCKS);
	assert_int_equal(profile->regions[0].hot_pages, 1000);
	assert_int_equal(profile->regions[1].hot_pages, 8);
	assert_int_equal(profile->workingset.max, 1008);
	uint32_t block = 0;
	double heat = profile_heat(profile, &block, 1, 0, GRID_BINS);
	assert_true(heat > 0.49 && heat < 0.51);
	profile_free(profile);
}

static void test_hostile_numbers(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 1);
	access_page(profile, 0, 0, UINT64_MAX, TRACE_TOUCH);
	access_page(profile, UINT32_MAX, UINT64_MAX - 1, 0, TRACE_TOUCH);
	access_page(profile, 3, UINT64_MAX, 12345, TRACE_TOUCH);
	map(profile, UINT32_MAX, UINT64_MAX, UINT64_MAX, "");
	finish(profile, UINT64_MAX);
	profile_free(profile);
	profile = new_profile(TRACE_STREAM_SAMPLES, 0);
	sample(profile, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, 0);
	sample(profile, 0, 0, 0, UINT64_MAX, 1, 1);
	sample(profile, UINT32_MAX, 5, 7, 0, 0, 0);
	sample(profile, 5, 5, 0, UINT64_MAX, 0, 0);
	finish(profile, 0);
	profile_free(profile);
}

static void test_empty(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 0);
	finish(profile, 0);
	assert_int_equal(profile->nr_regions, 0);
	struct heatmap map;
	assert_int_equal(heatmap_make(profile, 10, 10, &map), 0);
	assert_int_equal(map.nr_rows, 0);
	heatmap_fini(&map);
	profile_free(profile);
}

static void test_too_many_regions_share_a_row(void **state)
{
	struct profile *profile = new_profile(MISSES_TOUCHES, 100);
	char name[32];
	for (uint64_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/lib/lib%d.so", (int)i);
		map(profile, 0, i * 100, 10, name);
		for (uint64_t page = 0; page <= i; page++)
			access_page(profile, 0, i, i * 100 + page % 10, TRACE_MISS | TRACE_TOUCH);
	}
	finish(profile, 100);
	struct heatmap map;
	assert_int_equal(heatmap_make(profile, 12, 20, &map), 0);
	assert_int_equal(map.nr_rows, 12);
	assert_int_equal(map.rows[11].region, HEATMAP_OTHERS);
	assert_int_equal(map.nr_others, 33);
	uint64_t pages = 0;
	double count = 0;
	for (uint32_t i = 0; i < map.nr_rows; i++) {
		pages += map.rows[i].nr_pages;
		count += map.rows[i].count;
	}
	assert_int_equal(pages, profile->touched_pages);
	assert_true(count == profile->count);
	heatmap_fini(&map);
	profile_free(profile);
}

static void test_levels(void **state)
{
	assert_int_equal(heatmap_level(0), 0);
	assert_int_equal(heatmap_level(1e-9), 1);
	assert_int_equal(heatmap_level(0.01), 2);
	assert_int_equal(heatmap_level(0.05), 3);
	assert_int_equal(heatmap_level(0.49), 4);
	assert_int_equal(heatmap_level(0.5), 5);
	assert_int_equal(heatmap_level(1), 5);
}
