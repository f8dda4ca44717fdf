/* SPDX-License-Identifier: MIT */
/*
 * Kdamonds of berth's own, made through /sys/kernel/mm/damon/admin, and their removal.
 *
 *     journal "kdamond 0-2 none", MARK
 *     kdamonds/nr_kdamonds            0 -> 3                 only when there is none at all
 *     kdamonds/0/contexts/nr_contexts 0 -> 1
 *     .../0/monitoring_attrs/intervals/update_us <- MARK     from here on the list is known as ours
 *     .../N/{operations, intervals, nr_regions, targets, schemes}     at each start of slot N
 *     kdamonds/N/state                <- on ... off
 *     kdamonds/nr_kdamonds            3 -> 0                 when the last slot is given back
 *
 * The kernel has one list of kdamonds for everybody: writing their number removes all of them, and
 * is refused while any runs (mm/damon/sysfs.c, damon_sysfs_kdamonds_add_dirs). So a list is made
 * only where there is none, and whoever has one keeps it. Two who find none at the same instant
 * cannot be told apart by the kernel; the mark is read back before one of ours is turned on. Since
 * the number cannot grow later, the list is made with a slot for each who may want one: a sampler
 * of virtual addresses, one of physical addresses and a mover. A kdamond that is off is a few
 * files.
 *
 * Nothing in sysfs says whose a kdamond is. The mark does: the interval at which the kernel looks
 * for new mappings, a second and a number of microseconds that is this process's. It was journalled
 * before, so that `berth restore` after kill -9 knows which to turn off. A list of which all are
 * off and without targets, when ours was about to be made, holds nothing of anybody's and is
 * removed as well.
 *
 * DAMON_STAT, DAMON_RECLAIM and DAMON_LRU_SORT run contexts that are exclusive: while one of them
 * is on, ours cannot be turned on (damon_start in mm/damon/core.c: EBUSY), and the other way round.
 * They are not ours to turn off.
 *
 * Making and removing are the engine's thread's; starting and asking may be another's, each for
 * its own slot.
 *
 * Cost: about thirty small writes, and two for each range that is given; turning off waits for one
 * sampling interval.
 * Follows mm/damon/sysfs.c, sysfs-schemes.c and core.c of Linux 6.12 and 7.3.
 */
#ifndef BERTH_LINUX_KDAMOND_H
#define BERTH_LINUX_KDAMOND_H

#include <sys/types.h>

#include "engine/journal.h"
#include "machine/root.h"

#define KDAMOND_KIND	    "kdamond" /* of the journal */
#define KDAMOND_TARGETS_MAX 256
#define KDAMOND_SLOTS	    3
#define KDAMOND_RANGES_MAX  1024

struct kdamond_range { /* bytes */
	uint64_t start, end;
};

struct kdamond_scheme {
	const char *action; /* "migrate_hot"; NULL: none, only looking */
	uint32_t target_nid;
};

struct kdamond_settings {
	uint64_t sample_us, aggregation_us;
	uint32_t min_regions, max_regions;
	bool is_physical; /* physical addresses: no targets, but ranges */
	const pid_t *targets;
	uint32_t nr_targets;
	const struct kdamond_range *ranges; /* of the first target, ascending; none: the kernel's */
	uint32_t nr_ranges;
	struct kdamond_scheme scheme;
};

struct kdamond_list {		 /* of one process; all zero: not made */
	const struct root *root; /* borrowed */
	uint64_t mark_us;
	uint32_t used; /* a bit for each slot */
};

struct kdamond {
	struct kdamond_list *list; /* borrowed; NULL: not made */
	uint32_t slot;
	pid_t pid; /* of the kernel's thread; 0: off */
};

struct kdamond_stats { /* of the scheme, since it was turned on */
	uint64_t nr_tried, tried_bytes, applied_bytes;
};

/* Could one be made? `list` is what this process may have made already, or NULL. Changes nothing;
 * as sampler_ops.probe. */
int kdamond_probe(const struct root *root, const struct kdamond_list *list, struct printbuf *err);
/* Makes one that is off; with the first the list, journalled. -EBUSY: all slots are taken. */
int kdamond_make(struct kdamond_list *list, const struct root *root, struct journal *journal,
		 struct kdamond *ret, struct printbuf *err);
/* Turns it on, off before when it is on. */
int kdamond_start(struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err);
/* Turns it off; it stays. */
int kdamond_stop(struct kdamond *kdamond);
/* It ends by itself when all its targets have ended. */
bool kdamond_is_on(const struct kdamond *kdamond);
/* Has the kernel tell what the scheme did so far. It answers when its thread comes by, on Linux
 * 6.12 in steps of 100 ms. -ENODATA: it is off. */
int kdamond_read_stats(const struct kdamond *kdamond, struct kdamond_stats *ret);
/* CPU time of its thread, in ns; 0 when it is off. */
uint64_t kdamond_cpu_ns(const struct kdamond *kdamond);
/* Turns it off and gives the slot back; with the last one the list goes. NULL or one that was never
 * made: nothing. */
void kdamond_remove(struct kdamond *kdamond);

/* As journal_ops.undo, for changes of KDAMOND_KIND. */
int kdamond_undo(const struct root *root, const struct journal_change *change,
		 enum journal_outcome *ret, struct printbuf *err);

#endif
