/* SPDX-License-Identifier: MIT */
/*
 * What of fast memory is kept for whom: floors and caps of jobs from what was said of them.
 *
 *     FastMin=        kept; where there is less fast memory than that, each by the same part less
 *     what is left    shared by those of which no floor was said, by their goal:
 *                         performance 2 : balanced 1 : background 0
 *     FastMax=        the cap, and no floor is above it
 *
 * Nobody's share is more than all that he has, and what that leaves goes to the others. A share
 * that is not used is not lost: others borrow it until its owner wants it (policy.h). So who comes
 * late has his share too, whoever was there first.
 *
 * A pure function; cost: O(jobs^2) at worst.
 */
#ifndef BERTH_LINUX_SHARES_H
#define BERTH_LINUX_SHARES_H

#include "linux/config.h"

struct share {
	const struct config_job *config;
	bool is_there;			 /* it has processes: who has none gets nothing */
	uint64_t used_bytes;		 /* in all kinds of memory */
	uint64_t floor_bytes, cap_bytes; /* the result; UINT64_MAX: no cap */
};

/* `fast_bytes`: of the machine; percentages are of it. `left_bytes`: what of it jobs can have:
 * others (the kernel, programs that are nobody's job) have the rest, and promising that would let
 * two jobs be below their floors for ever, with neither giving way. */
void shares_compute(struct share *shares, size_t nr, uint64_t fast_bytes, uint64_t left_bytes);
uint64_t shares_amount(const struct config_amount *amount, uint64_t fast_bytes);

#endif
