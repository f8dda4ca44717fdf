/* SPDX-License-Identifier: MIT */
/*
 * What is known of each page of the recorded process: when it was last loaded from and stored to,
 * and its frame in the modelled cache.
 *
 *     top[2^17] -> leaf[2^18] of struct page          1 GiB of guest addresses per leaf
 *
 * Leaves are mapped on demand and filled by the kernel where they are touched: 12 bytes per guest
 * page in use, rounded up to 4 KiB per 1.3 MiB of guest addresses.
 */
#ifndef BERTH_RECORDER_PAGES_H
#define BERTH_RECORDER_PAGES_H

#include "base/types.h"

#define PAGE_SHIFT	 12
#define PAGES_BITS	 35 /* of 47-bit addresses, what x86-64 programs have */
#define PAGES_LEAF_SHIFT 18
#define PAGES_LEAF	 ((uint64_t)1 << PAGES_LEAF_SHIFT)
#define PAGES_NR_LEAVES	 (1 << (PAGES_BITS - PAGES_LEAF_SHIFT))

struct page {
	uint32_t load_epoch;  /* the last interval in which it was touched at all */
	uint32_t store_epoch; /* ... stored to */
	uint32_t frame;	      /* 0: none yet */
};

struct pages {
	struct page *leaves[PAGES_NR_LEAVES];
	uint32_t nr_frames; /* handed out; the first is 1 */
};

/* Out of memory is -ENOMEM in the form of NULL. */
struct page *pages_grow(struct pages *pages, uint64_t number);

static inline struct page *pages_get(struct pages *pages, uint64_t number)
{
	struct page *leaf = pages->leaves[number >> PAGES_LEAF_SHIFT];
	if (unlikely(!leaf))
		return pages_grow(pages, number);
	return &leaf[number & (PAGES_LEAF - 1)];
}

/* The pages are gone: what comes there next is new. Cost: by the pages in leaves in use. */
void pages_forget(struct pages *pages, uint64_t first, uint64_t nr);
/* The pages moved, as mremap does; lower to higher order is safe for disjoint ranges. */
void pages_move(struct pages *pages, uint64_t from, uint64_t to, uint64_t nr);
void pages_fini(struct pages *pages);

#endif
