/* SPDX-License-Identifier: MIT */
/*
 * How long the whole program slept: from the blocked time of its threads.
 *
 * The recording's clock runs while any thread runs, so time that one thread sleeps while another
 * computes is in the clock already. What is surely beside it is bounded by the thread that slept
 * least: with one thread that is its blocked time; with several, the least of all. A lower bound on
 * purpose: it is the same for every policy.
 */
#ifndef BERTH_SIM_BLOCKED_H
#define BERTH_SIM_BLOCKED_H

#include "base/types.h"

#define BLOCKED_THREADS_MAX 4096 /* beyond that many, nothing is surely beside the clock */

struct blocked_thread {
	uint32_t space, thread;
	uint64_t blocked_ns;
};

struct blocked_time {
	struct blocked_thread *threads;
	uint32_t nr, last;
	bool overflow;
};

void blocked_time_fini(struct blocked_time *blocked);
/* A thread was seen; blocked_ns more of its time was spent asleep (0: it ran). */
int blocked_time_add(struct blocked_time *blocked, uint32_t space, uint32_t thread,
		     uint64_t blocked_ns);
uint64_t blocked_time_ns(const struct blocked_time *blocked);

#endif
