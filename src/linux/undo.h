/* SPDX-License-Identifier: MIT */
/*
 * How each kind of change in a journal of `berth run` is undone, and where journals are.
 *
 *     kind         object         original        undone by
 *     affinity     PID:START      CPU list        every thread of the job whose mask is one that
 *                                                 berth wrote gets the original
 *     process      PID:START      CPU list        the same for threads of this process and of those
 *                                                 that descend from it
 *     cgroup       its path       group before    processes moved back, group removed
 *     controller   group's path   -cpuset         written to cgroup.subtree_control; a refusal
 *                                                 means that others use it by now
 *     kdamond      its number     none            turned off and removed, if its mark is one that
 *                                                 berth wrote (kdamond.h)
 *     file         path           its value       written, if the value is one that berth wrote
 *                                                 (hold.h)
 *
 * The threads of a job without a cgroup are found by a mark in the environment that its programs
 * inherit (BERTH_JOB=PID-START, of berth), so that those are found too whose parents have ended.
 */
#ifndef BERTH_LINUX_UNDO_H
#define BERTH_LINUX_UNDO_H

#include "engine/journal.h"
#include "machine/root.h"

#define UNDO_MARK    "BERTH_JOB"
#define UNDO_PROCESS "process" /* a kind of the journal */

struct undo {
	const struct root *root;
	struct journal_owner owner; /* set by is_alive: whose journal it is */
};

extern const struct journal_ops undo_ops; /* context: struct undo */

/* Is it one that berth wrote, but for CPUs that went offline since? 1, 0, or -ENOMEM. */
int undo_mask_is_known(const struct journal_change *change, const struct set *mask,
		       const struct set *online);
/* `chosen`, or ROOT/run/berth for root, $XDG_RUNTIME_DIR/berth for users; made when it is not
 * there and `make` is set, else -ENOENT without a sentence. */
int undo_open_directory(const struct root *root, const char *chosen, bool make, int *ret_fd,
			struct printbuf *err);

#endif
