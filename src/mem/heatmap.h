/* SPDX-License-Identifier: MIT */
/*
 * The picture of a profile: which blocks of addresses make a row, and how hot each cell is.
 *
 * Only touched memory gets rows. Every region worth a name gets one; the rows left are shared out
 * by size, so a row within a region is about as large as any other. The least of the regions share
 * one last row when there are too many.
 *
 *     heap      | row 0: blocks 0..3        order[] = blocks in the order of rows
 *               | row 1: blocks 4..7
 *     libc      | row 2: block 8
 *     5 others  | row 3: blocks 9, 10, 12
 *
 * Cost: rows x columns x the blocks and bins in a cell: every cell of the grid is read once.
 */
#ifndef BERTH_MEM_HEATMAP_H
#define BERTH_MEM_HEATMAP_H

#include "mem/profile.h"

#define HEATMAP_OTHERS	  UINT32_MAX
#define HEATMAP_NR_LEVELS 6

struct heatmap_row {
	uint32_t region;     /* index into profile.regions, or HEATMAP_OTHERS */
	bool is_first;	     /* of its region */
	uint32_t first, nr;  /* blocks, in order[] */
	uint64_t first_page; /* where the row starts; 0 for others */
	uint64_t nr_pages;   /* touched pages in it */
	uint64_t gap_pages;  /* untouched between the row above and this one, in the same space */
	double count;	     /* of the measure */
};

struct heatmap {
	struct heatmap_row *rows;
	uint32_t nr_rows;
	uint32_t nr_columns;
	uint32_t nr_others; /* regions in the last row when its region is HEATMAP_OTHERS */
	uint32_t *order;
	double *heat; /* [row * nr_columns + column]: rate of touches, 0..1 */
};

/* At most nr_rows rows (at least 2) of nr_columns cells. */
int heatmap_make(const struct profile *profile, uint32_t nr_rows, uint32_t nr_columns,
		 struct heatmap *ret);
void heatmap_fini(struct heatmap *heatmap);

/* 0: never touched; then below 1 %, 5 %, 20 %, 50 % and above. 5 is hot, 3 and 4 are warm. */
unsigned heatmap_level(double rate);
extern const double heatmap_level_starts[HEATMAP_NR_LEVELS]; /* rates; [0] and [1] are 0 */

/* The region's name as people say it: "heap", "libc.so.6", "" for one without. Never NULL. */
const char *region_short_name(const struct profile_region *region);

#endif
