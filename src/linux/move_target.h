/* SPDX-License-Identifier: MIT */
/*
 * What movers share that move a batch of pages of one process and read back where they are: the
 * process, as a mover keeps it (the live world is the engine's thread's), the question where its
 * pages are, and the results, pages in a row that agree as one.
 *
 * Cost: a pidfd per process; a question is one system call, and its answers are the caller's.
 */
#ifndef BERTH_LINUX_MOVE_TARGET_H
#define BERTH_LINUX_MOVE_TARGET_H

#include "linux/live.h"
#include "policy/mover.h"

struct move_target {
	uint32_t space;
	pid_t pid;
	int pidfd; /* -1: it had ended */
};

/* Also of a process that has ended. */
int move_target_open(struct live *live, uint32_t space, struct move_target *ret);
void move_target_close(struct move_target *target);
/* Its pid may be another's by now. */
bool move_target_has_ended(const struct move_target *target);
/* The node id of each page, or why not: -ESRCH of all where it has ended. */
void move_target_where(const struct move_target *target, uint32_t nr, void *const *pages,
		       int *ret_nodes);
/* Node id or negative errno to index; PLAN_NODE_ANY: not known. */
uint32_t move_node_index(const struct machine *machine, int node);
/* Behind `nr` results, or into the last of them where it goes on with it. How many there are now.
 */
uint32_t move_result_append(struct move_result *results, uint32_t nr,
			    const struct move_result *next);

#endif
