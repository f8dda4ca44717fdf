/* SPDX-License-Identifier: MIT */
/*
 * Free pages of one node that its CPU keeps on lists of its own: neither in use nor free in the
 * sense of the watermarks.
 *
 *     free pages of the node = [ the zone's: watermarks see these ] + [ the CPU's: count ]
 *              refill: up to 32 batches at once  --------------------->
 *              <--------------------- flush: when the list is longer than it may be
 *
 * They hide up to some hundred pages from the watermarks, so they decide when kswapd wakes and how
 * soon it is done: a refill takes a node from LOW to far below MIN, and what kswapd frees first
 * flushes the list, which makes as much room as hundreds of demotions.
 *
 * Follows mm/page_alloc.c (6.12; 7.3 is the same): zone_batchsize, zone_highsize, nr_pcp_alloc,
 * nr_pcp_high, nr_pcp_free, free_unref_page_commit, free_pcppages_bulk, decay_pcp_high,
 * get_page_from_freelist (ZONE_BELOW_HIGH); CONFIG_PCP_BATCH_SCALE_MAX is Debian's. There is a list
 * per kind of page; here two: what programs get, and page tables. All work is on one CPU, as is all
 * of a recording; orders above 0 come from the zone. Not modelled: the slow draining of what lies
 * on remote nodes.
 *
 * Cost: O(1) for a page allocated or freed.
 */
#ifndef BERTH_SIM_KERNEL_PCP_H
#define BERTH_SIM_KERNEL_PCP_H

#include "base/types.h"

#define PCP_BATCH_SCALE_MAX 5
#define PCP_HIGH_FRACTION   8			  /* MIN_PERCPU_PAGELIST_HIGH_FRACTION */
#define PCP_BATCH_SHARE	    12			  /* batch: the node's pages >> this */
#define PCP_BATCH_BYTES	    ((uint64_t)256 << 10) /* at most */

enum pcp_kind { PCP_MOVABLE, PCP_UNMOVABLE, PCP_NR_KINDS };

struct pcp {
	uint64_t counts[PCP_NR_KINDS];
	uint64_t batch;			   /* 0: there are no such lists */
	uint64_t high_min, high_max, high; /* how many it may keep */
	unsigned alloc_factor;		   /* a refill takes batch << this */
	uint64_t nr_freed;		   /* lately: free_count */
	bool is_below_high;		   /* the zone was, when an allocation last looked */
};

struct pcp_zone { /* the zone now, without what is on the lists */
	uint64_t free_pages, high_pages;
	uint64_t least_pages; /* that no allocation gets */
	bool is_reclaimed;    /* kswapd works on it */
};

/* low_pages: its watermark. nr_cpus: of the node; of the machine when it has none. */
void pcp_init(struct pcp *pcp, uint64_t managed_pages, uint64_t low_pages, uint32_t nr_cpus,
	      uint32_t page_bytes);
static inline uint64_t pcp_count(const struct pcp *pcp)
{
	return pcp->counts[PCP_MOVABLE] + pcp->counts[PCP_UNMOVABLE];
}
/* The watermark let a page be allocated. False: the zone has none for it. */
bool pcp_alloc(struct pcp *pcp, const struct pcp_zone *zone, enum pcp_kind kind);
/* A page was freed, and counts among the zone's until now. */
void pcp_free(struct pcp *pcp, const struct pcp_zone *zone);
/* All of it goes back to the zone: an allocation that waits asks for it. */
void pcp_drain(struct pcp *pcp);
/* WHEN: every second. */
void pcp_decay(struct pcp *pcp);

#endif
