/* SPDX-License-Identifier: MIT */
/*
 * kswapd of one node: who wakes it, how long it works, when it naps, sleeps or gives up.
 *
 *     asleep --woken, node not balanced--> working: priority 12, 11, ... 1
 *        ^                                    | balanced            | 1 passed, nothing won
 *        +--- 100 ms and still balanced --- napping            failures + 1; 16: hopeless
 *
 * Balanced: free pages above what it aims at: HIGH, or PROMO when hint faults promote; looked at
 * between rounds only. One round reclaims HIGH pages at most and lowers the priority when it looked
 * at fewer than that or won nothing; pages that were only sorted were not looked at.
 *
 * Woken for a large folio it works until that would fit besides, but for no more than twice as many
 * pages (compact_gap): then a single page is enough.
 *
 * Follows mm/vmscan.c kswapd, balance_pgdat, kswapd_shrink_node, kswapd_try_to_sleep,
 * wakeup_kswapd, set_initial_priority (6.12). In the kernel it is a thread beside the program;
 * here it works at ticks, until its CPU time is used up: a round that time interrupts goes on at
 * the next tick.
 */
#ifndef BERTH_SIM_KERNEL_KSWAPD_H
#define BERTH_SIM_KERNEL_KSWAPD_H

#include "base/types.h"
#include "sim/kernel/watermark.h"

#define KSWAPD_DEF_PRIORITY 12
#define KSWAPD_MAX_FAILURES 16	/* MAX_RECLAIM_RETRIES */
#define KSWAPD_NAP_MS	    100 /* HZ / 10 */
#define KSWAPD_CLUSTER	    32	/* SWAP_CLUSTER_MAX */

enum kswapd_state { KSWAPD_ASLEEP, KSWAPD_NAPPING, KSWAPD_WORKING };

struct kswapd {
	enum kswapd_state state;
	uint64_t nap_until_ms;
	uint32_t priority;
	uint64_t nr_reclaimed; /* since it began this balance */
	bool is_in_round;      /* interrupted; looked at and reclaimed in it so far: */
	uint64_t round_scanned, round_reclaimed;
	uint32_t nr_failures;
	uint32_t order;	     /* of the folio that it makes room for in this balance */
	uint32_t next_order; /* asked for while it worked */
	/* vmstat. */
	uint64_t nr_runs;	  /* pageoutrun */
	uint64_t nr_low_quickly;  /* kswapd_low_wmark_hit_quickly */
	uint64_t nr_high_quickly; /* kswapd_high_wmark_hit_quickly */
};

struct kswapd_view { /* the node now */
	struct watermarks marks;
	uint64_t aim_pages;	/* more than so many free: balanced */
	uint64_t reserve_pages; /* that the marks count in, though they are no marks of a zone */
	uint64_t (*free_pages)(void *context);
	/* Outside the two youngest generations. NULL: the first priority is not chosen by it. */
	uint64_t (*inactive_pages)(void *context);
	/* One visit: looks at pages at `priority`, at most nr_to_reclaim; adds to the two, which
	 * are not 0 when time interrupted it before. */
	void (*shrink)(void *context, uint32_t priority, uint64_t nr_to_reclaim, uint64_t *scanned,
		       uint64_t *reclaimed);
	bool (*has_time)(void *context); /* NULL: always */
	/* The last visit ended only because time was up, and goes on later. NULL: when it is. */
	bool (*was_cut)(void *context);
	void *context;
};

/* With 1 << order pages taken? */
bool kswapd_is_balanced(const struct kswapd_view *view, uint32_t order);
/* An allocation of so many pages found all nodes below LOW, or a promotion no room. */
void kswapd_wake(struct kswapd *kswapd, const struct kswapd_view *view, uint32_t order);
/* Works while it has time. Returns how many pages it reclaimed. WHEN: at every tick. */
uint64_t kswapd_run(struct kswapd *kswapd, const struct kswapd_view *view, uint64_t now_ms);

#endif
