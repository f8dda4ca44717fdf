/* SPDX-License-Identifier: MIT */
/*
 * How often a kdamond of ours checks, and how many regions: as the use of memory asks for and as
 * the kernel's thread may take of a CPU.
 *
 *     used pages    > 25 %: checks twice as often     < 1/64: half as often     5 to 100 ms apart
 *     a check of a region took so long        -> as many regions as the share is good for, 50 to
 *                                                1,000; fewer: more rarely instead
 *
 * Changed only when it is off by a half or more, since changing means to begin anew.
 * Constants: 5 ms and 20 checks as mm/damon/sysfs.c; 100 ms as HMSDK; a region is at most four
 * times as large as if all were equal.
 */
#ifndef BERTH_LINUX_DAMON_PACE_H
#define BERTH_LINUX_DAMON_PACE_H

#include "linux/damon_event.h"

#define DAMON_CHECKS	    20
#define DAMON_SAMPLE_MIN_US 5000

struct damon_pace {
	uint64_t sample_us;
	uint32_t max_regions;
	uint64_t from_ns, from_cpu_ns; /* when it was turned on, or looked at last */
};

void damon_pace_init(struct damon_pace *pace);
/* It was turned on, its thread having taken so much. */
void damon_pace_begin(struct damon_pace *pace, uint64_t now_ns, uint64_t cpu_ns);
/* True: others than now fit, and are set. */
bool damon_pace_adapt(struct damon_pace *pace, const struct damon_snapshot *snapshot,
		      uint64_t now_ns, uint64_t cpu_ns, uint64_t share_bp);

#endif
