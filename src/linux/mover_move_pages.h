/* SPDX-License-Identifier: MIT */
/* The parts of the mover by move_pages(2) that are pure, for tests. */
#ifndef BERTH_LINUX_MOVER_MOVE_PAGES_H
#define BERTH_LINUX_MOVER_MOVE_PAGES_H

#include <sys/types.h>

#include "policy/mover.h"

/* What may wait to be moved; the rest is asked for again. */
#define MOVER_RUNS_MAX	32768 /* ranges of pages */
#define MOVER_PAGES_MAX 65536

/* The kernel left the status of this page alone: it did not get to it, or failed to migrate it. */
#define MOVE_STATUS_UNTOUCHED (-4096)

struct move_attempt { /* of one page, in node ids and negative errnos as the kernel says them */
	int before;   /* where it was */
	int status;   /* what move_pages said, or MOVE_STATUS_UNTOUCHED */
	int call;     /* what the whole call said: 0, how many failed, or a negative errno */
	int after;    /* read back */
	int to;
};
enum move_outcome move_outcome_of(const struct move_attempt *attempt);
/* Shall it be left alone for a while? */
bool move_outcome_is_lasting(enum move_outcome outcome);

/* The system calls, replaceable in tests. As in linux/numa.h. */
struct move_calls {
	int (*where)(pid_t pid, size_t nr, void *const *pages, int *ret_nodes);
	int64_t (*move)(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes);
};
extern struct move_calls move_calls;

#endif
