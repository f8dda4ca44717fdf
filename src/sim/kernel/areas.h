/* SPDX-License-Identifier: MIT */
/*
 * The mappings of one address space as the hint-fault scanner walks them, made from the pages that
 * are born: recordings need not know mappings, and those that do know them page by page as well.
 *
 *     sorted, never overlapping; neighbours nearer than AREAS_GAP pages are one
 *     [ 0x5555.. heap ]      [ 0x7fff.. library ][ stack ]
 *
 * Cost: O(log n) per birth, O(1) when it lies in the same area as the last; at most AREAS_MAX
 * areas, the kernel's own default limit of mappings: beyond it a page joins its nearest neighbour.
 */
#ifndef BERTH_SIM_KERNEL_AREAS_H
#define BERTH_SIM_KERNEL_AREAS_H

#include "sim/kernel/scan.h"

#define AREAS_GAP 512	/* pages: one page table */
#define AREAS_MAX 65530 /* vm.max_map_count */

struct areas {
	struct scan_area *items;
	size_t nr, max;
	size_t last; /* index of the area found last */
};

/* -ENOMEM, else 0. */
int areas_touch(struct areas *areas, uint64_t page);
/* The area that holds the page, or NULL. */
struct scan_area *areas_find(struct areas *areas, uint64_t page);
void areas_fini(struct areas *areas);
bool areas_is_valid(const struct areas *areas);

#endif
