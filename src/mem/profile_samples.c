/* SPDX-License-Identifier: MIT */
/*
 * Samples in the pass: ranges with hits of checks (DAMON, accessed bits).
 *
 * A range is spread over the blocks of the grid it covers, and its window over the bins:
 *
 *     |<- window ->|          cell.weight += pages in the block x ns in the bin
 *     +---- range ----+       cell.heat   += the same x hits / checks
 *
 * so heat / weight is the share of checks that found the pages accessed, whatever the resolution.
 * A range without a hit only adds to blocks that are there: what was never hit is not drawn, and a
 * sampler that watches terabytes of nothing costs nothing.
 *
 * The ranges of one space with one time are a snapshot; its working set is the size of the ranges
 * with at least one hit. With several spaces, the newest snapshot of each is added up.
 *
 * Cost: blocks covered x bins covered per range; a range covers at most 512 blocks.
 */
#include <stdlib.h>

#include "mem/key.h"
#include "mem/profile.h"

#define MAX_BLOCKS_OF_RANGE 512

struct profile_snapshot {
	uint64_t number; /* from 1 */
	uint64_t origin_ns, time_ns, window_ns;
	uint32_t space;
	uint64_t hit_pages, all_hit_pages;
	uint64_t space_pages[PROFILE_MAX_SPACES]; /* of the newest snapshot of each */
	/* The window of the current samples in bins: its ns in the first, in the last. */
	unsigned first_bin, last_bin;
	double first_ns, last_ns, middle_ns;
};

static void place_window(struct profile *profile, uint64_t time_ns, uint64_t window_ns)
{
	struct profile_snapshot *at = profile->snapshot;
	at->time_ns = time_ns;
	at->window_ns = window_ns;
	uint64_t end = time_ns > at->origin_ns ? time_ns - at->origin_ns : 1;
	uint64_t start = end > window_ns ? end - window_ns : 0;
	if (start == end)
		start--;
	profile_fit_time(profile, (end - 1) / profile->interval_ns);
	uint64_t bin_ns = profile_bin_ns(profile);
	at->first_bin = (unsigned)(start / bin_ns);
	at->last_bin = (unsigned)((end - 1) / bin_ns);
	grid_use_bin(&profile->grid, at->last_bin);
	at->middle_ns = (double)bin_ns;
	at->last_ns = (double)(end - at->last_bin * bin_ns);
	at->first_ns = at->first_bin == at->last_bin
			       ? (double)(end - start)
			       : (double)((at->first_bin + 1) * bin_ns - start);
	profile->duration_ns = MAX(profile->duration_ns, end);
}

static int begin(struct profile *profile, const struct trace_batch *batch)
{
	profile->snapshot = calloc(1, sizeof(*profile->snapshot));
	if (!profile->snapshot)
		return -ENOMEM;
	uint64_t window = batch->window_ns[0], time = batch->time_ns[0];
	if (window && window != TRACE_UNKNOWN)
		profile->interval_ns = window;
	profile->snapshot->origin_ns = time > profile->interval_ns ? time - profile->interval_ns
								   : 0;
	return 0;
}

void profile_close_snapshot(struct profile *profile)
{
	struct profile_snapshot *at = profile->snapshot;
	if (!at || !at->number)
		return;
	uint64_t *pages = &at->space_pages[MIN(at->space, (uint32_t)PROFILE_MAX_SPACES - 1)];
	at->all_hit_pages += at->hit_pages - *pages;
	*pages = at->hit_pages;
	at->hit_pages = 0;
	workingset_add(&profile->workingset, at->last_bin, at->all_hit_pages, 1);
}

static void begin_snapshot(struct profile *profile, uint32_t space, uint64_t time_ns,
			   uint64_t window_ns)
{
	struct profile_snapshot *at = profile->snapshot;
	profile_close_snapshot(profile);
	at->number++;
	at->space = space;
	place_window(profile, time_ns, window_ns);
}

static void add_to_block(const struct profile_snapshot *at, struct grid_block *block,
			 uint64_t nr_pages, double rate)
{
	if (block->snapshot != at->number) {
		block->snapshot = at->number;
		block->snapshot_pages = 0;
	}
	block->snapshot_pages += nr_pages;
	block->max_pages = MAX(block->max_pages, block->snapshot_pages);
	for (unsigned bin = at->first_bin; bin <= at->last_bin; bin++) {
		double ns = bin == at->first_bin  ? at->first_ns
			    : bin == at->last_bin ? at->last_ns
						  : at->middle_ns;
		block->cells[bin].weight += ns * (double)nr_pages;
		block->cells[bin].heat += ns * (double)nr_pages * rate;
	}
}

/* A range without hits that covers more blocks than there are: look at those that are there. */
static void add_cold(struct profile *profile, uint64_t first, uint64_t last)
{
	uint64_t size = (uint64_t)1 << profile->grid.page_shift;
	for (uint32_t i = 0; i < profile->grid.nr; i++) {
		struct grid_block *block = &profile->grid.blocks[i];
		uint64_t from = MAX(first, block->key), to = MIN(last, block->key + size - 1);
		if (from <= to)
			add_to_block(profile->snapshot, block, to - from + 1, 0);
	}
}

static int add_range(struct profile *profile, uint64_t first, uint64_t last, double rate)
{
	struct grid *grid = &profile->grid;
	if (rate > 0) {
		grid_coarsen_for(grid, last - first + 1, MAX_BLOCKS_OF_RANGE);
	} else if ((last - first) >> grid->page_shift > 2 * (uint64_t)grid->nr) {
		add_cold(profile, first, last);
		return 0;
	}
	for (uint64_t from = first; from <= last;) {
		int error = 0;
		struct grid_block *block = grid_block_get(grid, from, rate > 0, &error);
		/* Read after the call, which may have made the blocks larger. */
		uint64_t size = (uint64_t)1 << grid->page_shift;
		uint64_t to = MIN(last, grid_block_key(grid, from) + size - 1);
		if (block)
			add_to_block(profile->snapshot, block, to - from + 1, rate);
		else if (error)
			return error;
		from = to + 1;
	}
	return 0;
}

int profile_add_samples(struct profile *profile, const struct trace_batch *batch)
{
	if (!profile->snapshot && begin(profile, batch))
		return -ENOMEM;
	struct profile_snapshot *at = profile->snapshot;
	uint32_t space = MIN(batch->space, (uint32_t)PROFILE_MAX_SPACES - 1);
	for (uint32_t i = 0; i < batch->nr; i++) {
		uint64_t window = batch->window_ns[i];
		if (!window || window == TRACE_UNKNOWN)
			window = profile->interval_ns;
		if (!at->number || at->space != batch->space || at->time_ns != batch->time_ns[i])
			begin_snapshot(profile, batch->space, batch->time_ns[i], window);
		if (!batch->nr_pages[i])
			continue;
		uint64_t first = mem_key(space, batch->page[i]);
		uint64_t room = MEM_PAGE_MASK - (first & MEM_PAGE_MASK);
		uint64_t last = first + MIN(batch->nr_pages[i] - 1, room);
		uint32_t hits = batch->hits[i], checks = MAX(batch->checks[i], UINT32_C(1));
		if (hits)
			at->hit_pages += last - first + 1;
		double rate = hits < checks ? (double)hits / (double)checks : 1.0;
		int error = add_range(profile, first, last, rate);
		if (error)
			return error;
	}
	return 0;
}
