/* SPDX-License-Identifier: MIT */
/*
 * The multi-generational LRU of one node, Debian's default: which pages reclaim looks at, in which
 * order, and when it walks page tables to learn what is young.
 *
 *     oldest                                   youngest
 *     min_seq        ...           max_seq - 1   max_seq         2 to 4 generations
 *     [tail .. head]               new pages     seen young by a walk or at eviction
 *        ^ eviction takes from here
 *
 * A page table walk (ageing) puts every young page into the youngest generation and then opens a
 * new one. Eviction takes batches of 64 from the oldest; a page found young there goes to the
 * youngest, and what is young around it in its page table with it.
 *
 * Follows mm/vmscan.c (6.12): should_run_aging, get_nr_to_scan, inc_max_seq, try_to_inc_min_seq,
 * scan_folios, evict_folios, lru_gen_look_around; include/linux/mm_inline.h lru_gen_add_folio. Not
 * modelled: file pages and their tiers (all pages are anonymous), the Bloom filter that lets a walk
 * leave out page tables with few young entries, min_ttl.
 *
 * Cost: 9 bytes per page number for lists and generation; O(1) to add, move and take a page.
 */
#ifndef BERTH_SIM_KERNEL_MGLRU_H
#define BERTH_SIM_KERNEL_MGLRU_H

#include "base/types.h"

#define MGLRU_MAX_GENS	   4
#define MGLRU_MIN_GENS	   2
#define MGLRU_BATCH	   64 /* MIN_LRU_BATCH */
#define MGLRU_NONE	   UINT32_MAX
#define MGLRU_DEF_PRIORITY 12

struct mglru_link { /* of one page number */
	uint32_t newer, older;
};

/* What all nodes share; arrays are by page number. */
struct mglru_pages {
	struct mglru_link *links;
	uint8_t *gens; /* 1 + generation slot; 0: on no list */
	uint32_t nr;
};
int mglru_pages_grow(struct mglru_pages *pages, uint32_t nr);
void mglru_pages_fini(struct mglru_pages *pages);

struct mglru { /* of one node */
	uint64_t min_seq, max_seq;
	uint32_t newest[MGLRU_MAX_GENS], oldest[MGLRU_MAX_GENS]; /* [seq % MGLRU_MAX_GENS] */
	uint64_t nr_pages[MGLRU_MAX_GENS];
	/* Counters, as vmstat has them. */
	uint64_t nr_scanned; /* pgscan: taken off for eviction */
	uint64_t nr_walks;
};

/* What the lists need to know of the world. */
struct mglru_ops {
	/* Tests and clears the young bit of one page. */
	bool (*clear_young)(void *context, uint32_t page);
	/* Clears the young bits of `node`'s pages in the 64 entries around `page` and calls
	 * mglru_activate for those that had one. */
	void (*look_around)(void *context, uint32_t node, uint32_t page);
	/* Clears the young bits of all of `node`'s pages and calls mglru_activate likewise. */
	void (*walk)(void *context, uint32_t node);
	/* Takes a page off the node for good (demotes it, or pages it out): true when it went. It
	 * is on no list then and not now. */
	bool (*evict)(void *context, uint32_t node, uint32_t page);
};

void mglru_init(struct mglru *lru);
/* A page that was just faulted in: second youngest. `is_active`: youngest (after a promotion it
 * keeps what it was). */
void mglru_add(struct mglru *lru, struct mglru_pages *pages, uint32_t page, bool is_active);
void mglru_del(struct mglru *lru, struct mglru_pages *pages, uint32_t page);
/* To the youngest generation. */
void mglru_activate(struct mglru *lru, struct mglru_pages *pages, uint32_t page);
/* On the active list, in the terms of the older LRU: one of the two youngest generations. */
bool mglru_is_active(const struct mglru *lru, const struct mglru_pages *pages, uint32_t page);
/* Pages outside the two youngest generations. */
uint64_t mglru_nr_inactive(const struct mglru *lru);
uint64_t mglru_nr_total(const struct mglru *lru);
/* Opens a new generation after a walk of the page tables. */
void mglru_age(struct mglru *lru, struct mglru_pages *pages, uint32_t node,
	       const struct mglru_ops *ops, void *context);

struct mglru_shrink {
	uint32_t node;
	uint32_t priority;     /* MGLRU_DEF_PRIORITY down to 1 */
	uint64_t budget_pages; /* evict at most so many; the world's, not the kernel's */
	bool (*is_enough)(void *context, uint32_t node,
			  uint64_t nr_reclaimed); /* should_abort_scan */
	uint64_t nr_scanned, nr_reclaimed;	  /* results, added up */
};
/* One visit of the reclaimer. */
void mglru_shrink(struct mglru *lru, struct mglru_pages *pages, struct mglru_shrink *shrink,
		  const struct mglru_ops *ops, void *context);
bool mglru_is_valid(const struct mglru *lru, const struct mglru_pages *pages);

#endif
