/* SPDX-License-Identifier: MIT */
/*
 * A picture of time and addresses in bounded memory, made in one pass over a stream whose length
 * and reach are not known before.
 *
 *            bins of time: 1, 2, 4, ... intervals each, at most GRID_BINS
 *     block  | cell | cell | cell |      a block is 1, 2, 4, ... pages; blocks exist only where
 *     block  | cell | cell | cell |      something was touched; at most max_blocks of them
 *
 * When time passes the last bin, bins merge in pairs; when one block too many is needed, blocks
 * merge in pairs. Both merges only add, so the final picture is what a second pass with the final
 * resolution would have drawn.
 *
 * A cell holds `heat` (touches; or for samples hits/checks x page-time) and `weight` (the page-time
 * that samples watched; 0 for touches, whose denominator follows from the block's pages).
 *
 * Cost: 16 bytes a cell: 16 MiB with 2,048 blocks of 512 bins. Adding is a hash look-up; a merge
 * walks the whole grid but halves it.
 */
#ifndef BERTH_MEM_GRID_H
#define BERTH_MEM_GRID_H

#include "base/types.h"

#define GRID_BINS	512
#define GRID_MAX_BLOCKS 2048

struct grid_cell {
	double heat, weight;
};

struct grid_block {
	uint64_t key;		 /* of its first page; a multiple of the block size */
	struct grid_cell *cells; /* [GRID_BINS] */
	/* For samples: the pages that one snapshot (numbered from 1) watched here, at most. */
	uint64_t snapshot, snapshot_pages, max_pages;
	/* Filled at the end of the pass. */
	uint64_t nr_pages; /* touched (or watched) pages */
	double count;
	double best_count;
	uint32_t region;
};

struct grid {
	struct grid_block *blocks;
	uint32_t nr, max;
	uint16_t *index; /* position + 1; 0: empty */
	unsigned index_bits;
	unsigned page_shift; /* a block is 1 << page_shift pages */
	unsigned bin_shift;  /* a bin is 1 << bin_shift intervals */
	unsigned nr_bins;    /* the first ones, used so far: merges look no further */
};

int grid_init(struct grid *grid, uint32_t max_blocks); /* at most 30,000 */
void grid_fini(struct grid *grid);
/* Adds to the cell of (key, bin), making the block if `make`; bin < GRID_BINS. Returns the block,
 * NULL if it is not there and not made; *ret_error -ENOMEM then if memory was the reason. */
struct grid_block *grid_block_get(struct grid *grid, uint64_t key, bool make, int *ret_error);
void grid_halve_time(struct grid *grid); /* bins become twice as long */
/* Blocks become large enough that a range of nr_pages takes at most `nr` of them. */
void grid_coarsen_for(struct grid *grid, uint64_t nr_pages, uint32_t nr);
void grid_sort(struct grid *grid); /* by key; afterwards look-ups only */
bool grid_is_valid(const struct grid *grid);

/* Before adding to cells of this bin. */
static inline void grid_use_bin(struct grid *grid, unsigned bin)
{
	grid->nr_bins = MAX(grid->nr_bins, bin + 1);
}

static inline uint64_t grid_block_key(const struct grid *grid, uint64_t key)
{
	return key & ~(((uint64_t)1 << grid->page_shift) - 1);
}

#endif
