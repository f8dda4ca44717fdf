/* SPDX-License-Identifier: MIT */
/*
 * Hot-page selection: is a page of slow memory that took a hint fault worth promoting? State per
 * destination node, one decision per fault.
 *
 *     fault --> enough free? --yes--> promote, threshold forgotten
 *                   | no
 *               adjust the threshold (at most once per scan_period_max)
 *                   |
 *               latency >= threshold? --yes--> no
 *                   | no
 *               count candidate; over the rate of this second? --yes--> no
 *                   | no
 *                promote
 *
 * latency: milliseconds from arming to the fault, kept in a field of the page that wraps
 * (HOT_TIME_BITS: 35 minutes as Debian builds it, 4096 ms at the least), so a page that slept for
 * a multiple of that looks hot: so it is in Linux.
 *
 * Follows kernel/sched/fair.c should_numa_migrate_memory, numa_promotion_adjust_threshold,
 * numa_promotion_rate_limit and pgdat_free_space_enough (6.12); 7.x also counts what the free
 * space lets through, as pgpromote_candidate_nrl.
 */
#ifndef BERTH_SIM_KERNEL_HOT_H
#define BERTH_SIM_KERNEL_HOT_H

#include "base/types.h"

#define HOT_TIME_BITS	 21 /* LAST_CPUPID_SHIFT: 8 of the PID, 13 of NR_CPUS=8192 */
#define HOT_ADJUST_STEPS 16 /* NUMA_MIGRATION_ADJUST_STEPS */

enum hot_verdict {
	HOT_FREE_SPACE, /* promote: the destination has room to spare */
	HOT_PROMOTE,
	HOT_COLD,    /* latency at or over the threshold */
	HOT_LIMITED, /* over the rate limit of this second */
	HOT_NR_VERDICTS,
};

struct hot_config {
	uint64_t threshold_ms;	    /* hot_threshold_ms */
	uint64_t adjust_period_ms;  /* scan_period_max_ms */
	uint64_t limit_pages_per_s; /* promote_rate_limit, in pages */
	uint64_t bypass_pages;	    /* watermark_bypass_pages(); UINT64_MAX: never bypassed */
	bool is_fixed;		    /* threshold never adjusted (threshold=fixed) */
	bool counts_bypass;	    /* 7.x: nr_candidate_nrl */
};

struct hot_node {	       /* zeroed at boot */
	uint64_t threshold_ms; /* 0: the configured one */
	uint64_t adjust_start_ms, adjust_nr_candidates;
	uint64_t limit_start_ms, limit_nr_candidates;
	uint64_t nr_candidates;	    /* pgpromote_candidate */
	uint64_t nr_candidates_nrl; /* pgpromote_candidate_nrl */
};

static inline bool hot_verdict_is_promotion(enum hot_verdict verdict)
{
	return verdict <= HOT_PROMOTE;
}

/* The latency the kernel reads out of the page: both times in ms, wrapped. */
static inline uint64_t hot_latency_ms(uint64_t armed_ms, uint64_t now_ms)
{
	return (now_ms - armed_ms) & (((uint64_t)1 << HOT_TIME_BITS) - 1);
}

/* nr_pages: of the folio. free_pages: of the destination now. */
enum hot_verdict hot_decide(struct hot_node *node, const struct hot_config *config, uint64_t now_ms,
			    uint64_t latency_ms, uint64_t free_pages, uint64_t nr_pages);

#endif
