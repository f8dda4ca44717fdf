/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores per page of the interval under way: an open hash table that the core empties
 * at the end of each interval, or earlier when it is three quarters full.
 */
#ifndef BERTH_RECORDER_COUNTS_H
#define BERTH_RECORDER_COUNTS_H

#include "base/types.h"

#define COUNTS_SLOTS ((uint32_t)1 << 16) /* a power of two */

struct count {
	uint64_t page; /* + 1; 0: free */
	uint32_t loads, stores;
};

struct counts {
	struct count slots[COUNTS_SLOTS];
	uint32_t used[COUNTS_SLOTS]; /* which slots, so that emptying costs what is in it */
	uint32_t nr_used;
	uint32_t last; /* slot of the last page: most accesses repeat it */
};

/* True: it is now so full that it must be emptied. */
static inline bool counts_add(struct counts *counts, uint64_t page, bool is_store)
{
	uint32_t slot = counts->last;
	if (unlikely(counts->slots[slot].page != page + 1)) {
		slot = (uint32_t)((page * 0x9e3779b97f4a7c15) >> 48) & (COUNTS_SLOTS - 1);
		while (counts->slots[slot].page != page + 1 && counts->slots[slot].page)
			slot = (slot + 1) & (COUNTS_SLOTS - 1);
		counts->last = slot;
	}
	struct count *count = &counts->slots[slot];
	if (unlikely(!count->page)) {
		count->page = page + 1;
		counts->used[counts->nr_used++] = slot;
	}
	count->loads += !is_store;
	count->stores += is_store;
	return counts->nr_used >= COUNTS_SLOTS / 4 * 3 || count->loads == UINT32_MAX ||
	       count->stores == UINT32_MAX;
}

#endif
