/* SPDX-License-Identifier: MIT */
/*
 * Where the pages of each address space lie now, as samplers that walk mappings need it.
 *
 *     page map (blocks of 64 pages, in no order) --> sorted extents; neighbours nearer than
 *     LAYOUT_GAP pages are one
 *
 *     space 0: [ 0x5555.. heap ]      [ 0x7fff.. library ][ stack ]     space 1: ...
 *
 * Made anew when it is read, so what was unmapped or moved by mremap is right. Cost: O(b log b) for
 * b blocks; 40 bytes per extent and 32 per block while it is read.
 */
#ifndef BERTH_SIM_LAYOUT_H
#define BERTH_SIM_LAYOUT_H

#include "sim/stage.h"

#define LAYOUT_GAP 512 /* pages: one page table */

struct layout_extent {
	uint64_t start, end; /* pages */
	uint64_t nr_live;    /* of these, in use */
	uint32_t space;
};

struct layout { /* sorted by space, then start; never overlapping */
	struct layout_extent *items;
	size_t nr, max;
};

/* Replaces what the layout held. 0 or -ENOMEM (the layout is empty then). */
int layout_read(struct layout *layout, const struct stage *stage);
void layout_fini(struct layout *layout);

#endif
