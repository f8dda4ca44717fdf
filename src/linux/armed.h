/* SPDX-License-Identifier: MIT */
/*
 * When pages were armed: how long each lay unused before its hint fault.
 *
 * The kernel arms ranges, and only those pages that are not armed yet. So a page that faults now
 * has been armed since the first arming of its range after its last fault:
 *
 *     arming 5        6         7         fault now: armed since 6
 *     -------|----f---|---------|------f
 *            last fault         (armed already: passed over)
 *
 *     (space, chunk of 512 pages) -> number of the last arming, times of the last 8,
 *                                    per page the arming that its last fault came after
 *
 * The oldest of the last eight is taken for all that were before: then it lay longer than is said.
 *
 * Cost: 608 bytes per 2 MiB that was ever armed; O(1) per fault, O(chunks) per arming.
 * Follows task_numa_work() in kernel/sched/fair.c and change_pte_range() in mm/mprotect.c (6.12).
 */
#ifndef BERTH_LINUX_ARMED_H
#define BERTH_LINUX_ARMED_H

#include "base/types.h"

#define ARMED_PAGES	 512
#define ARMED_TIMES	 8
#define ARMED_CHUNKS_MAX ((uint32_t)1 << 22) /* 8 TiB of 4 KiB pages */
#define ARMED_RANGE_MAX	 ((uint64_t)1 << 21) /* pages at once; Linux arms 2 GiB */
#define ARMED_UNKNOWN	 UINT64_MAX

struct armed_chunk {
	uint64_t number; /* page / ARMED_PAGES */
	uint32_t space;
	uint32_t nr;			/* armings so far; 0: a free place */
	uint64_t times_ns[ARMED_TIMES]; /* of arming n at n % ARMED_TIMES */
	uint8_t faulted[ARMED_PAGES];	/* lower bits of the arming that the last fault followed */
};

struct armed {
	struct armed_chunk *chunks; /* open addressing, at most half full */
	uint32_t nr, max;
};

/* Pages [page, page + nr_pages). Without memory for it their latencies stay unknown. */
void armed_note(struct armed *armed, uint32_t space, uint64_t page, uint64_t nr_pages,
		uint64_t time_ns);
/* The page faults: how long it was armed, or ARMED_UNKNOWN. It is not armed any more. */
uint64_t armed_take(struct armed *armed, uint32_t space, uint64_t page, uint64_t time_ns);
void armed_fini(struct armed *armed);

#endif
