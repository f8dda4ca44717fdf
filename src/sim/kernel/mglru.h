/* SPDX-License-Identifier: MIT */
/*
 * The multi-generational LRU of one node, Debian's default: which pages reclaim looks at, in which
 * order, and when it walks page tables to learn what is young.
 *
 *     oldest                                   youngest
 *     min_seq        ...           max_seq - 1   max_seq         2 to 4 generations
 *     [tail .. head]               demoted,     new pages; seen young by a walk or at eviction;
 *                                  migrated     promoted
 *                                  7.3: new, seen once         7.3: seen twice
 *        ^ eviction takes from here
 *
 * A page table walk (ageing) puts every young page into the youngest generation and then opens a
 * new one. Eviction takes batches of 64 from the oldest off the list, then looks at each; a page
 * found young goes to the youngest, and what is young around it in its page table with it, also
 * what is in the same batch.
 *
 * A page that a walk found young is of its new generation at once, but stays on the list where it
 * is until eviction comes across it and sorts it: `home` is the list, `place` the generation. 6.12
 * looks at up to 4,096 pages for a batch; 7.3 at 64, sorted ones among them, so after a walk most
 * of its batches find little to evict.
 *
 * 7.3 asks for more before a page is of the youngest generation: a flag is set when it is found
 * young first (a fault sets it too), the second time it goes there, and is of the working set from
 * then on; a working set's page that faults goes there at once.
 *
 * When the walk comes. 6.12: only two generations are left; or three, the priority has risen, and
 * the young are many or the old are few. 7.3: three are left and the priority has risen; then one
 * batch, and the visit is over.
 *
 * Follows mm/vmscan.c (6.12 and 7.3): should_run_aging, get_nr_to_scan, inc_max_seq, inc_min_seq,
 * try_to_inc_min_seq, folio_update_gen, lru_gen_set_refs, lru_gen_folio_seq,
 * sort_folio, scan_folios, evict_folios, lru_gen_look_around; include/linux/mm_inline.h
 * lru_gen_add_folio. Pages are anonymous but for a stock of files' pages, the image that execve
 * mapped, of one generation: read once, and eviction's first choice when it is old (isolate_folios,
 * get_type_to_scan: nothing of them was ever missed). In 7.3 they begin in the second oldest
 * generation, where the first batch finds them young, all by looking around. Not modelled: tiers,
 * min_ttl.
 * Which page tables a walk leaves out is the caller's business (walk_filter.h).
 *
 * Cost: what lru_list.h takes; an ageing walk looks at every page.
 */
#ifndef BERTH_SIM_KERNEL_MGLRU_H
#define BERTH_SIM_KERNEL_MGLRU_H

#include "sim/kernel/lru_list.h"

#define MGLRU_MAX_GENS 4
#define MGLRU_MIN_GENS 2
#define MGLRU_BATCH    64 /* MIN_LRU_BATCH */

/* Places of entries that a batch has taken off: not yet looked at, and found young meanwhile. */
#define MGLRU_ISOLATED 250
#define MGLRU_FOUND    251

/* What 7.3 knows of an entry, in the same byte as the list that holds it: found young once; at its
 * turn twice; the working set. They go with it from node to node. */
#define MGLRU_REFERENCED (1 << 5)
#define MGLRU_USED	 (1 << 6)
#define MGLRU_WORKINGSET (1 << 7)
#define MGLRU_FLAGS	 (MGLRU_REFERENCED | MGLRU_USED | MGLRU_WORKINGSET)

struct mglru { /* of one node; the place of an entry is 1 + the slot of its generation */
	uint64_t min_seq, max_seq;
	struct lru_list gens[MGLRU_MAX_GENS]; /* [seq % MGLRU_MAX_GENS]: that hold them */
	uint64_t nr_pages[MGLRU_MAX_GENS];    /* that are of this generation, wherever held */
	bool is_7_3;
	uint64_t nr_files;    /* pages of files */
	uint64_t file_seq;    /* their generation */
	bool has_young_files; /* nobody has cleared their accessed bits yet */
	/* Counters, as vmstat has them. */
	uint64_t nr_scanned; /* pgscan: taken off for eviction */
	uint64_t nr_sorted;  /* pgrefill: found on the list of a generation that they had left */
	uint64_t nr_moves;   /* entries sorted */
	uint64_t nr_walks;
};

void mglru_init(struct mglru *lru);
/* `is_active`: to the youngest (what a fault brought in); else to the second youngest. */
void mglru_add(struct mglru *lru, struct lru_pages *pages, uint32_t entry, bool is_active);
void mglru_del(struct mglru *lru, struct lru_pages *pages, uint32_t entry);
/* A page of a large folio that is split: at the place where the folio is. */
void mglru_add_piece(struct mglru *lru, struct lru_pages *pages, uint32_t page, uint32_t folio);
/* Pages of files come in. */
void mglru_add_files(struct mglru *lru, uint64_t nr_pages);
/* Nothing is known of it: what had its number is gone. */
void mglru_forget(struct lru_pages *pages, uint32_t entry);
/* Taken off by a batch: 7.3 does not look at its accessed bit then but in its turn. */
bool mglru_is_out(const struct mglru *lru, const struct lru_pages *pages, uint32_t entry);
/* To the youngest generation, when it is on a list; 7.3 at the second time only. */
void mglru_activate(struct mglru *lru, struct lru_pages *pages, uint32_t entry);
/* A fault brought it in or back. */
void mglru_fault(struct mglru *lru, struct lru_pages *pages, uint32_t entry);
/* On the active list, in the terms of the older LRU: one of the two youngest generations. */
bool mglru_is_active(const struct mglru *lru, const struct lru_pages *pages, uint32_t entry);
/* Pages outside the two youngest generations. */
uint64_t mglru_nr_inactive(const struct mglru *lru);
uint64_t mglru_nr_total(const struct mglru *lru);
/* Opens a new generation after a walk of the page tables. */
void mglru_age(struct mglru *lru, struct lru_pages *pages, uint32_t node, const struct lru_ops *ops,
	       void *context);
/* One visit of the reclaimer. */
void mglru_shrink(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		  const struct lru_ops *ops, void *context);
bool mglru_is_valid(const struct mglru *lru, const struct lru_pages *pages);

#endif
