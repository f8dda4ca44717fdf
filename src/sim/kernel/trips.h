/* SPDX-License-Identifier: MIT */
/*
 * Round trips: moves that undo the move before them.
 *
 *     fast   ____/~~~~\______________/~~~~~~~~~~~~~~~\____
 *     slow       ^    ^ back within TRIPS_WINDOW_NS  ^ back later: the program has changed
 *
 * A move is paid for by the misses that the page takes in its new place. Linux looks at a page at
 * most once per numa_balancing_scan_period_min_ms (1 s); a page that goes back before it could be
 * looked at ten times has been moved on a guess, and the two moves bought next to nothing. A page
 * that goes back later followed the program, which is what moving is for. So a round trip is a move
 * that takes a page back to the tier (within a tier: the node) that its last move took it from,
 * less than TRIPS_WINDOW_NS of the kernel's clock after that move, in the same life. It counts once
 * per page, at the way back: of n moves at most n - 1 are round trips.
 *
 * Counted for every policy, whoever moves. TPP counts the same thing without a window, and only for
 * promotions (pgpromote_candidate_demoted; Maruf et al., ASPLOS 2023, section 5.4).
 *
 * Cost: O(1) per move; 8 bytes per page number from the first move on, nothing before it.
 */
#ifndef BERTH_SIM_KERNEL_TRIPS_H
#define BERTH_SIM_KERNEL_TRIPS_H

#include "base/types.h"

#define TRIPS_WINDOW_NS ((uint64_t)10 * NS_PER_S)

struct kernel;

struct trip { /* the last move of a page */
	uint32_t when_ms;
	uint16_t from; /* KERNEL_NOWHERE: has not moved in this life */
};

struct trips {
	struct trip *of; /* [page]; NULL: nothing has moved */
	uint32_t nr_pages;
};

/* WHEN: after `page` moved. Returns true when this was a round trip. */
bool trips_note(struct kernel *kernel, uint32_t page, uint32_t from, uint32_t to);
/* WHEN: a life ends. */
void trips_forget(struct trips *trips, uint32_t page);
void trips_fini(struct trips *trips);

#endif
