/* SPDX-License-Identifier: MIT */
/*
 * DAMON's regions: whatever the uses and however mappings change, regions cover what they shall,
 * never overlap and stay in number; merging keeps sums but for rounding; hot and cold come apart.
 */
#include "test.h"

#include "base/random.h"
#include "sim/damon.h"

#define PAGES 4096

struct use { /* a page is used in an interval with a chance of its own */
	struct random random;
	uint8_t percent[PAGES];
};

static void clear_nothing(void *context, uint32_t space, uint64_t page)
{
	(void)context;
	(void)space;
	(void)page;
}

static bool is_used(void *context, uint32_t space, uint64_t page)
{
	struct use *use = context;
	(void)space;
	return random_below(&use->random, 100) < use->percent[page % PAGES];
}

static const struct damon_ops use_ops = { clear_nothing, is_used };

static uint64_t covered_pages(const struct damon *damon)
{
	uint64_t pages = 0;
	for (size_t i = 0; i < damon->nr_targets; i++)
		for (size_t j = 0; j < damon->targets[i].nr; j++)
			pages += damon->targets[i].regions[j].end -
				 damon->targets[i].regions[j].start;
	return pages;
}

/* Accesses x pages, which merging keeps but for rounding down. */
static uint64_t mass(const struct damon *damon)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < damon->nr_targets; i++)
		for (size_t j = 0; j < damon->targets[i].nr; j++)
			sum += (damon->targets[i].regions[j].end -
				damon->targets[i].regions[j].start) *
			       damon->targets[i].regions[j].nr_accesses;
	return sum;
}

/* True when every page of the range lies in a region, and none outside the three does. */
static bool covers(const struct damon_target *target, const struct damon_range *ranges, unsigned nr)
{
	uint64_t wanted = 0, inside = 0, all = 0;
	for (unsigned i = 0; i < nr; i++)
		wanted += ranges[i].end - ranges[i].start;
	for (size_t j = 0; j < target->nr; j++) {
		const struct damon_region *region = &target->regions[j];
		all += region->end - region->start;
		for (unsigned i = 0; i < nr; i++) {
			uint64_t start = MAX(region->start, ranges[i].start);
			uint64_t end = MIN(region->end, ranges[i].end);
			inside += start < end ? end - start : 0;
		}
	}
	return wanted == inside && all == inside;
}

/* Up to three ranges somewhere in [0, PAGES). */
static unsigned random_ranges(struct random *random, struct damon_range ranges[DAMON_RANGES])
{
	uint64_t at = 0;
	unsigned nr = 0;
	for (unsigned i = 0; i < DAMON_RANGES; i++) {
		uint64_t start = at + random_below(random, PAGES / 4);
		uint64_t end = start + random_below(random, PAGES / 3);
		if (end > PAGES || start == end)
			break;
		ranges[nr++] = (struct damon_range){ start, end };
		at = end + 1;
	}
	return nr;
}

static void run_window(struct damon *damon, struct use *use)
{
	for (uint64_t i = 0; i < damon->attrs.max_accesses; i++) {
		damon_prepare(damon, &use_ops, use);
		assert_int_equal(damon_check(damon, &use_ops, use), damon_nr_regions(damon));
	}
	uint64_t pages = covered_pages(damon), before = mass(damon);
	size_t nr_before = damon_nr_regions(damon);
	damon_aggregate(damon);
	uint64_t nr_merged = nr_before - damon_nr_regions(damon);
	assert_int_equal(covered_pages(damon), pages);
	assert_true(mass(damon) <= before && before - mass(damon) <= nr_merged * pages);
	assert_true(damon_is_valid(damon));
	for (size_t i = 0; i < damon->nr_targets; i++)
		for (size_t j = 0; j < damon->targets[i].nr; j++)
			assert_true(damon->targets[i].regions[j].nr_accesses <=
				    damon->attrs.max_accesses);
	assert_int_equal(damon_reset(damon), 0);
	assert_int_equal(covered_pages(damon), pages);
	assert_true(damon_is_valid(damon));
}

static void test_damon_regions_cover_and_stay_in_number(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct damon_attrs attrs = { .max_accesses = 1 + seed % 20,
					     .min_regions = 3 + seed % 10,
					     .max_regions = 30 + (uint32_t)seed * 10 };
		struct damon damon;
		struct use use;
		struct damon_range ranges[DAMON_RANGES];
		random_init(&use.random, seed);
		for (size_t i = 0; i < PAGES; i++)
			use.percent[i] = (uint8_t)(random_below(&use.random, 3) ? 0 : 90);
		damon_init(&damon, &attrs, seed);
		for (unsigned round = 0; round < 60; round++) {
			uint32_t space = (uint32_t)random_below(&use.random, 3);
			unsigned nr = random_ranges(&use.random, ranges);
			assert_int_equal(damon_set_space(&damon, space, ranges, nr, PAGES), 0);
			for (size_t i = 0; i < damon.nr_targets; i++)
				if (damon.targets[i].space == space)
					assert_true(nr && covers(&damon.targets[i], ranges, nr));
			damon_set_limit(&damon);
			assert_true(damon_is_valid(&damon));
			run_window(&damon, &use);
			/* Nine ranges at most are not to be merged away; one update adds few. */
			assert_true(damon_nr_regions(&damon) <= attrs.max_regions + 9 * 3);
		}
		damon_fini(&damon);
	}
}

/* A tenth of the memory is used all the time; the rest never. */
static void test_damon_converges_on_a_hot_range(void **state)
{
	struct damon_attrs attrs = { .max_accesses = 20, .min_regions = 10, .max_regions = 200 };
	struct damon_range range = { 0, PAGES };
	struct damon damon;
	struct use use = { 0 };
	uint64_t error = 0;
	(void)state;
	random_init(&use.random, 1);
	memset(use.percent + 1000, 100, 400);
	damon_init(&damon, &attrs, 7);
	assert_int_equal(damon_set_space(&damon, 0, &range, 1, PAGES), 0);
	damon_set_limit(&damon);
	assert_int_equal(damon_nr_regions(&damon), 10);
	for (unsigned round = 0; round < 40; round++)
		run_window(&damon, &use);
	for (uint64_t i = 0; i < attrs.max_accesses; i++) {
		damon_prepare(&damon, &use_ops, &use);
		damon_check(&damon, &use_ops, &use);
	}
	damon_aggregate(&damon);
	for (size_t i = 0; i < damon.targets[0].nr; i++) {
		const struct damon_region *region = &damon.targets[0].regions[i];
		for (uint64_t page = region->start; page < region->end; page++) {
			uint64_t truth = use.percent[page] ? attrs.max_accesses : 0;
			error += truth > region->nr_accesses ? truth - region->nr_accesses
							     : region->nr_accesses - truth;
		}
	}
	/* Wrong by less than 2 % of the checks, over all pages. */
	assert_true(error * 50 < (uint64_t)PAGES * attrs.max_accesses);
	assert_true(damon_nr_regions(&damon) >= 10);
	damon_fini(&damon);
}

/* The two widest gaps part the space, whatever the order they come in. */
static void test_damon_three_ranges_by_hand(void **state)
{
	const struct damon_range extents[] = {
		{ 10, 20 }, { 25, 30 }, { 1000, 1010 }, { 1020, 1030 }, { 9000, 9001 }
	};
	struct damon_range got[DAMON_RANGES];
	(void)state;
	assert_int_equal(damon_three_ranges(extents, 5, got), 3);
	assert_int_equal(got[0].start, 10);
	assert_int_equal(got[0].end, 30);
	assert_int_equal(got[1].start, 1000);
	assert_int_equal(got[1].end, 1030);
	assert_int_equal(got[2].start, 9000);
	assert_int_equal(got[2].end, 9001);
	assert_int_equal(damon_three_ranges(extents, 2, got), 2);
	assert_int_equal(got[1].start, 25);
	assert_int_equal(damon_three_ranges(extents, 1, got), 1);
	assert_int_equal(got[0].end, 20);
	assert_int_equal(damon_three_ranges(extents, 0, got), 0);
}
