/* SPDX-License-Identifier: MIT */
/*
 * DAMON's region sampling, as the kernel does it: how often a range of addresses is used, at a cost
 * that does not grow with its size. Pure bookkeeping over callbacks that clear and read one
 * accessed bit; sampler_damon.c ties it to the model.
 *
 *     |------ region ------|--- region ---|-- region --|      per space; never overlapping
 *              x                 x             x              one page of each, at random
 *     every sample:       clear its bit, look at it one interval later: nr_accesses + 1 if set
 *     every aggregation:  age (about as often as last time?), merge neighbours that are alike,
 *                         hand over, start counting anew, split each region in two or three
 *     every update:       fit the regions to the mappings: up to three ranges per space, between
 *                         the two widest gaps
 *
 * The number of regions stays between the limits: merging stops at regions of total / min_regions
 * and goes on, less and less choosy, above max_regions; splitting stops at half of max_regions.
 *
 * Follows mm/damon/core.c (kdamond_fn, kdamond_merge_regions, kdamond_split_regions,
 * damon_set_regions) and vaddr.c (three regions, initial pieces) of 6.12 with their constants: a
 * merge threshold of a tenth of the highest count, splits at one to nine tenths. Two differences:
 * a space with fewer than two gaps is taken as it is (the kernel refuses it; a real process has
 * more), and pages, not bytes, are counted. The intervals auto-tuning of 6.16 is left out:
 * intervals are as given.
 *
 * Cost: O(regions) per sample and aggregation; 48 bytes per region.
 */
#ifndef BERTH_SIM_DAMON_H
#define BERTH_SIM_DAMON_H

#include "base/random.h"
#include "base/types.h"

#define DAMON_RANGES 3

struct damon_attrs {
	uint64_t max_accesses; /* samples per aggregation */
	uint64_t samples_per_update;
	uint32_t min_regions, max_regions;
};

struct damon_range { /* pages [start, end) */
	uint64_t start, end;
};

struct damon_region {
	uint64_t start, end;	   /* pages */
	uint64_t sampling;	   /* the page whose bit was cleared */
	uint64_t nr_accesses, age; /* since the last aggregation; in aggregations */
	uint64_t last_nr_accesses; /* at the last aggregation */
};

struct damon_target {
	struct damon_region *regions; /* sorted */
	size_t nr, max;
	uint32_t space;
};

struct damon_ops { /* on one page of a space; pages that are not there have no bit */
	void (*clear)(void *context, uint32_t space, uint64_t page);
	bool (*is_young)(void *context, uint32_t space, uint64_t page);
};

struct damon {
	struct damon_attrs attrs;
	struct damon_target *targets; /* ascending spaces */
	size_t nr_targets;
	struct random random;
	uint64_t max_nr_accesses; /* of any region, at the last sample */
	uint64_t size_limit;	  /* of a region, in pages */
	size_t last_nr_regions;	  /* before the last split */
};

void damon_init(struct damon *damon, const struct damon_attrs *attrs, uint64_t seed);
void damon_fini(struct damon *damon);

/* The ranges of one space now, sorted; a space that is new starts with even pieces of them. None:
 * the space is gone. total_pages: of all spaces, for the size of these pieces. 0 or -ENOMEM.
 * WHEN: at the start and at every update, then damon_set_limit() once. */
int damon_set_space(struct damon *damon, uint32_t space, const struct damon_range *ranges,
		    unsigned nr_ranges, uint64_t total_pages);
void damon_set_limit(struct damon *damon);
/* Joins sorted extents into at most three ranges, separated by the two widest gaps. Returns how
 * many. */
unsigned damon_three_ranges(const struct damon_range *extents, size_t nr,
			    struct damon_range ret[DAMON_RANGES]);

/* One sampling interval is over: looks at what was cleared before. Returns how many it looked at.
 */
uint64_t damon_check(struct damon *damon, const struct damon_ops *ops, void *context);
/* Picks a page of each region and clears its bit. WHEN: at the start of a sampling interval. */
void damon_prepare(struct damon *damon, const struct damon_ops *ops, void *context);
/* An aggregation interval is over: ages, merges. Then the regions may be read, until _reset. */
void damon_aggregate(struct damon *damon);
/* Begins to count anew and splits. 0 or -ENOMEM. */
int damon_reset(struct damon *damon);

size_t damon_nr_regions(const struct damon *damon);
uint64_t damon_bytes(const struct damon *damon);
bool damon_is_valid(const struct damon *damon); /* sorted, never overlapping, never empty */

#endif
