/* SPDX-License-Identifier: MIT */
/*
 * Between physical and virtual addresses, for the sampler damon-physical (sampler_physical.c): the
 * memory that there is, and the region that a page's frame lies in. Knows no kernel.
 */
#ifndef BERTH_LINUX_PHYSICAL_H
#define BERTH_LINUX_PHYSICAL_H

#include "linux/damon_event.h"
#include "linux/frames.h"
#include "linux/kdamond.h"
#include "policy/sample.h"

#define PHYSICAL_RANGES_MAX 256

/* The frames of all zones, ascending, those that touch as one. How many; 0: too many. */
uint32_t physical_ranges(const struct frames *frames, uint32_t page_bytes,
			 struct kdamond_range ret[PHYSICAL_RANGES_MAX]);

struct physical_look {			       /* of one snapshot */
	const struct damon_snapshot *snapshot; /* ascending */
	struct frames *frames;
	uint64_t window_ns;
	uint32_t last;	       /* region of the last answer */
	uint64_t nr_own_pages; /* of watched processes in regions with hits */
};

struct physical_run {
	uint64_t page; /* first */
	uint32_t space;
};

/* Appends samples of `nr` pages from run->page on, by their pagemap entries. The batch has room for
 * one of each. */
void physical_tell(struct physical_look *look, const struct physical_run *run,
		   const uint64_t *entries, uint64_t nr, struct sample_batch *batch);
/* Of regions with hits, what nobody watched has. A page that several map counts for each. */
uint64_t physical_foreign_pages(const struct physical_look *look);

#endif
