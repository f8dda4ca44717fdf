/* SPDX-License-Identifier: MIT */
/*
 * Moving pages of one process by a kdamond's scheme, and reading back what came of it. Knows no
 * thread and no queue: the mover's worker calls it.
 *
 *     at most 2,048 pages of one process
 *         1 where are they?         move_pages(2) without nodes; frames by /proc/PID/pagemap
 *         2 for each node that some are to go to, the slowest tier first, as they make the room:
 *             pages -> ranges       of addresses, or of frames; at most 1,024 at a time
 *             kdamond: these ranges, migrate_hot or migrate_cold to that node, on every region
 *             on -> 10 ms -> migrated -> off
 *         3 where are they now?     this is the result
 *
 *     kernel     6.11 to 6.16: ranges of physical addresses     from 6.17 on: of virtual ones
 *
 * A kdamond that is told to stop ends the turn that it is in: after its stop the scheme was applied
 * at least once. It may be applied a second time, which finds the pages there already.
 *
 * Between the question for a frame and its migration the frame may have become another's: that
 * page then moves instead. Nothing breaks, since where a page is concerns nobody but its speed.
 *
 * What it told of itself (the scheme's stats) is asked for where the kernel answers at once (6.17);
 * before, it answers in steps of 100 ms, while the scheme is applied over and over.
 *
 * Cost: two writes into sysfs for each range, 20 to 30 ms for each 1,024 ranges. 190 KiB.
 * Follows mm/damon/paddr.c, vaddr.c and sysfs-schemes.c (6.12, 7.3).
 */
#ifndef BERTH_LINUX_DAMOS_BATCH_H
#define BERTH_LINUX_DAMOS_BATCH_H

#include "linux/kdamond.h"
#include "linux/move_batch.h"

#define DAMOS_PAGES_MAX 2048

struct damos_item {
	uint64_t page, frame; /* frame 0: not known */
	uint32_t to;	      /* node index */
	int before, after;
};

struct damos_stats {
	uint64_t tried_bytes, applied_bytes; /* as the schemes told */
	uint64_t kernel_ns;		     /* CPU time of the kdamond's thread */
};

struct damos_batch {
	const struct root *root;       /* borrowed */
	const struct machine *machine; /* borrowed */
	bool is_virtual;	       /* ranges of virtual addresses; and stats come at once */
	struct move_target target;
	struct damos_item items[DAMOS_PAGES_MAX];
	uint32_t nr;
	struct kdamond_range ranges[KDAMOND_RANGES_MAX];
	uint64_t places[DAMOS_PAGES_MAX]; /* pages or frames that go to one node, ascending */
	struct move_result results[DAMOS_PAGES_MAX];
	uint32_t nr_results;
	struct damos_stats stats; /* so far */
};

/* Runs of `places`, sorted here, as ranges of bytes: at most `max` ranges, of the first places.
 * *ret_nr_places: how many of them these are. */
uint32_t damos_ranges(uint64_t *places, uint32_t nr, uint32_t page_bytes, struct kdamond_range *ret,
		      uint32_t max, uint32_t *ret_nr_places);
/* Moves them; `results` then tells of every page once. 0, or why the kdamond could not: the pages
 * are told all the same. */
int damos_batch_run(struct damos_batch *batch, struct kdamond *kdamond);

#endif
