/* SPDX-License-Identifier: MIT */
/*
 * A kdamond of berth's own, made through /sys/kernel/mm/damon/admin, and its removal.
 *
 *     journal "kdamond 0 none", MARK
 *     kdamonds/nr_kdamonds            0 -> 1                 only when there is none at all
 *     kdamonds/0/contexts/nr_contexts 0 -> 1
 *     .../0/monitoring_attrs/intervals/update_us <- MARK     from here on it is known as ours
 *     .../0/{operations, intervals, nr_regions, targets}     at each start
 *     kdamonds/0/state                <- on ... off
 *     kdamonds/nr_kdamonds            1 -> 0
 *
 * The kernel has one list of kdamonds for everybody: writing their number removes all of them, and
 * is refused while any runs (mm/damon/sysfs.c, damon_sysfs_kdamonds_add_dirs). So one is made only
 * where there is none, and whoever has one keeps it. Two who find none at the same instant cannot
 * be told apart by the kernel; the mark is read back before ours is turned on.
 *
 * Nothing in sysfs says whose a kdamond is. The mark does: the interval at which the kernel looks
 * for new mappings, a second and a number of microseconds that is this process's. It was journalled
 * before, so that `berth restore` after kill -9 knows which to turn off. One that is off and has no
 * targets, when ours was about to be made, holds nothing of anybody's and is removed as well.
 *
 * DAMON_STAT, DAMON_RECLAIM and DAMON_LRU_SORT run contexts that are exclusive: while one of them
 * is on, ours cannot be turned on (damon_start in mm/damon/core.c: EBUSY), and the other way round.
 * They are not ours to turn off.
 *
 * Cost: about thirty small writes; turning off waits for one sampling interval.
 * Follows mm/damon/sysfs.c and core.c of Linux 6.12 and 7.3.
 */
#ifndef BERTH_LINUX_KDAMOND_H
#define BERTH_LINUX_KDAMOND_H

#include <sys/types.h>

#include "engine/journal.h"
#include "machine/root.h"

#define KDAMOND_KIND	    "kdamond" /* of the journal */
#define KDAMOND_TARGETS_MAX 256

struct kdamond_settings {
	uint64_t sample_us, aggregation_us;
	uint32_t min_regions, max_regions;
	const pid_t *targets;
	uint32_t nr_targets;
};

struct kdamond {
	const struct root *root; /* borrowed; NULL: not made */
	uint64_t mark_us;
	pid_t pid; /* of the kernel's thread; 0: off */
};

/* Could one be made? Changes nothing; as sampler_ops.probe. */
int kdamond_probe(const struct root *root, struct printbuf *err);
/* Makes one that is off, journalled. */
int kdamond_make(const struct root *root, struct journal *journal, struct kdamond *ret,
		 struct printbuf *err);
/* Turns it on, off before when it is on. */
int kdamond_start(struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err);
/* It ends by itself when all its targets have ended. */
bool kdamond_is_on(const struct kdamond *kdamond);
/* CPU time of its thread, in ns; 0 when it is off. */
uint64_t kdamond_cpu_ns(const struct kdamond *kdamond);
/* Turns it off and takes it away. NULL or one that was never made: nothing. */
void kdamond_remove(struct kdamond *kdamond);

/* As journal_ops.undo, for changes of KDAMOND_KIND. */
int kdamond_undo(const struct root *root, const struct journal_change *change,
		 enum journal_outcome *ret, struct printbuf *err);

#endif
