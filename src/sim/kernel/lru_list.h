/* SPDX-License-Identifier: MIT */
/*
 * Lists of folios in the order of their age, and what both kinds of LRU share: the multi-
 * generational one (mglru.h) and that of two lists (twolist.h). lru.h picks one.
 *
 *     oldest                                         newest
 *     [page 7] <-> [folio 3: 512 pages] <-> [page 9]          lengths are in pages
 *
 * An entry is a page number, or LRU_LARGE | the number of a large folio (large.h): a large folio
 * is one entry that weighs as many pages as it has.
 *
 * Cost: 10 bytes per page number and per large folio; O(1) to add, move and take an entry.
 */
#ifndef BERTH_SIM_KERNEL_LRU_LIST_H
#define BERTH_SIM_KERNEL_LRU_LIST_H

#include "base/types.h"

#define LRU_NONE	 UINT32_MAX
#define LRU_LARGE	 (1u << 31)
#define LRU_FILE	 (UINT32_MAX - 1) /* stands for any page of a file */
#define LRU_DEF_PRIORITY 12		  /* DEF_PRIORITY: a scan looks at a list >> priority */
#define LRU_CLUSTER	 32		  /* SWAP_CLUSTER_MAX */

struct lru_link {
	uint32_t newer, older;
};

struct lru_entries { /* of one kind, by number */
	struct lru_link *links;
	uint8_t *places; /* on which list, as the kind of LRU numbers them; 0: on none */
	uint8_t *homes;	 /* mglru.h: the list that holds it, where that lags behind its place */
	uint32_t nr;
};

/* What the lists of all nodes share. */
struct lru_pages {
	struct lru_entries small, large;
	uint64_t large_pages; /* that an entry of `large` weighs */
	uint64_t nr_entries, peak_entries;
};
int lru_pages_grow(struct lru_pages *pages, uint32_t nr);
int lru_pages_grow_large(struct lru_pages *pages, uint32_t nr);
void lru_pages_fini(struct lru_pages *pages);

static inline struct lru_link *lru_link_of(const struct lru_pages *pages, uint32_t entry)
{
	return unlikely(entry & LRU_LARGE) ? &pages->large.links[entry & ~LRU_LARGE]
					   : &pages->small.links[entry];
}

static inline uint8_t *lru_place_of(const struct lru_pages *pages, uint32_t entry)
{
	return unlikely(entry & LRU_LARGE) ? &pages->large.places[entry & ~LRU_LARGE]
					   : &pages->small.places[entry];
}

static inline uint8_t *lru_home_of(const struct lru_pages *pages, uint32_t entry)
{
	return unlikely(entry & LRU_LARGE) ? &pages->large.homes[entry & ~LRU_LARGE]
					   : &pages->small.homes[entry];
}

static inline uint64_t lru_weight(const struct lru_pages *pages, uint32_t entry)
{
	return unlikely(entry & LRU_LARGE) ? pages->large_pages : 1;
}

struct lru_list {
	uint32_t newest, oldest; /* LRU_NONE: empty */
	uint64_t nr_pages;
};
void lru_list_init(struct lru_list *list);
/* The entry is on no list before these, and `place` (> 0) is noted for it. */
void lru_list_add_newest(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint8_t place);
void lru_list_add_oldest(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint8_t place);
/* On the younger side of `beside`, which is on the list. */
void lru_list_add_beside(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint32_t beside, uint8_t place);
void lru_list_del(struct lru_list *list, struct lru_pages *pages, uint32_t entry);
/* Links join and lengths add up; `mask` of the place is `place`. Walks the list. */
bool lru_list_is_valid(const struct lru_list *list, const struct lru_pages *pages, uint8_t place,
		       uint8_t mask);

/* What the lists need to know of the world. */
struct lru_ops {
	/* Tests and clears the young bit of one entry. */
	bool (*clear_young)(void *context, uint32_t entry);
	/* Clears the young bits of `node`'s pages in the 64 page-table entries around `entry` and
	 * calls mglru_activate for those that had one. */
	void (*look_around)(void *context, uint32_t node, uint32_t entry);
	/* Clears the young bits of all of `node`'s pages and calls mglru_activate likewise. */
	void (*walk)(void *context, uint32_t node);
	/* Takes an entry off the node for good (demotes it, or pages it out). It is on no list then
	 * and not now. Returns how many pages the node won, or negative: the entry stays. When a
	 * large folio had to be split for it, what stays of it is on the lists already. LRU_FILE:
	 * a page of a file. */
	int64_t (*evict)(void *context, uint32_t node, uint32_t entry);
};

struct lru_shrink { /* one visit of the reclaimer */
	uint32_t node;
	uint32_t priority;     /* LRU_DEF_PRIORITY down to 1 */
	uint64_t budget_pages; /* evict at most so many; the world's, not the kernel's */
	bool is_direct;	       /* for an allocation; else kswapd */
	bool is_below_high;    /* free pages of the node are at HIGH at most */
	/* Of this visit, also before it was interrupted: pages met on the lists, and whether it
	 * began with a walk. */
	uint64_t nr_met;
	bool has_aged;
	/* False: it is to stop now and go on later. NULL: never. */
	bool (*has_time)(void *context, uint32_t node);
	bool (*is_enough)(void *context, uint32_t node,
			  uint64_t nr_reclaimed); /* should_abort_scan */
	uint64_t nr_scanned, nr_reclaimed;	  /* results, added up */
};

#endif
