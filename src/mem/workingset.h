/* SPDX-License-Identifier: MIT */
/*
 * The working set: how much memory is touched per interval, over time and as a distribution.
 *
 * One value (in pages) per interval. Over time they are kept as sum and maximum per bin (the same
 * bins as the heatmap's); as a distribution, in a histogram whose buckets are exact below 256 and
 * at most 1/128 wide above, so any number of intervals costs the same 60 KB.
 *
 *     value   0 1 2 ... 255 | 256 258 260 ... 510 | 512 516 ... | ...   128 buckets per doubling
 *
 * The buckets follow HdrHistogram (Tene, 2012).
 */
#ifndef BERTH_MEM_WORKINGSET_H
#define BERTH_MEM_WORKINGSET_H

#include "base/types.h"
#include "mem/grid.h"

#define WORKINGSET_SUB_BITS 7
#define WORKINGSET_BUCKETS  ((64 - WORKINGSET_SUB_BITS + 1) << WORKINGSET_SUB_BITS)

struct workingset_bin {
	uint64_t nr; /* intervals */
	double sum;  /* of their pages */
	uint64_t max;
	uint64_t new_pages; /* pages touched for the first time ever */
};

struct workingset {
	struct workingset_bin bins[GRID_BINS];
	uint64_t buckets[WORKINGSET_BUCKETS];
	uint64_t nr, max;
	double sum;
};

/* `times` intervals of `pages` each, in `bin`. */
void workingset_add(struct workingset *set, unsigned bin, uint64_t pages, uint64_t times);
void workingset_halve_time(struct workingset *set);
/* The value that `ratio` (0..1) of the intervals do not exceed; exact below 256 pages, at most
 * 0.8 % high above. 0 when there is none. */
uint64_t workingset_percentile(const struct workingset *set, double ratio);
double workingset_mean(const struct workingset *set);

#endif
