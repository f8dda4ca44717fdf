/* SPDX-License-Identifier: MIT */
/*
 * The LRU of two lists of one node, the kernel's older one: /sys/kernel/mm/lru_gen/enabled = 0.
 *
 *     newest              oldest                    newest             oldest
 *     [ active ............... ] --- taken off ---> [ inactive .......... ] --> evicted
 *          ^                     when inactive          ^        |
 *          |                     is low                 |        | young: marked, one more round
 *          +---- young and marked already --------------+--------+
 *
 * New anonymous pages begin on the inactive list. What falls off the active list goes to the
 * inactive one whether it is young or not: only its mark (the kernel's PG_referenced) survives, so
 * what was used before needs one more use to return. Inactive is low when inactive x ratio <
 * active; the ratio is 1 below 1 GiB, else sqrt(10 x GiB).
 *
 * A visit at priority p looks at size >> p pages, of which swappiness lets 60 in 200 be anonymous,
 * but all of them when the node is short of file pages too: as there is no page cache here, when
 * its free pages are at HIGH at most and the inactive list is long enough.
 *
 * Follows mm/vmscan.c (6.12): inactive_is_low, prepare_scan_control, get_scan_count, shrink_lruvec,
 * shrink_active_list, shrink_inactive_list, folio_check_references, kswapd_age_node. Not modelled:
 * file pages, the balance of costs between them and anonymous ones, refaults.
 *
 * Cost: what lru_list.h takes; O(1) per page looked at.
 */
#ifndef BERTH_SIM_KERNEL_TWOLIST_H
#define BERTH_SIM_KERNEL_TWOLIST_H

#include "sim/kernel/lru_list.h"

#define TWOLIST_SWAPPINESS     60 /* vm.swappiness */
#define TWOLIST_MAX_SWAPPINESS 200

enum twolist_place { /* and the mark beside it */
		     TWOLIST_NONE,
		     TWOLIST_INACTIVE,
		     TWOLIST_ACTIVE,
		     TWOLIST_PLACE_MASK = 3,
		     TWOLIST_MARKED = 4,
};

struct twolist {
	struct lru_list inactive, active;
	uint32_t page_bytes;
	/* Counters, as vmstat has them. */
	uint64_t nr_scanned; /* pgscan */
	uint64_t nr_refill;  /* pgrefill: looked at on the active list */
	uint64_t nr_activate, nr_deactivate;
};

void twolist_init(struct twolist *lru, uint32_t page_bytes);
/* `is_active`: after a migration it keeps what it was. */
void twolist_add(struct twolist *lru, struct lru_pages *pages, uint32_t entry, bool is_active);
void twolist_del(struct twolist *lru, struct lru_pages *pages, uint32_t entry);
bool twolist_is_active(const struct lru_pages *pages, uint32_t entry);
/* The kernel's mark of use; lost when the entry leaves its list. */
bool twolist_is_marked(const struct lru_pages *pages, uint32_t entry);
void twolist_mark(struct lru_pages *pages, uint32_t entry);
bool twolist_inactive_is_low(const struct twolist *lru);
/* One visit of the reclaimer. */
void twolist_shrink(struct twolist *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		    const struct lru_ops *ops, void *context);
bool twolist_is_valid(const struct twolist *lru, const struct lru_pages *pages);

#endif
