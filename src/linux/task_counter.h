/* SPDX-License-Identifier: MIT */
/*
 * One perf event counted in all threads of a process and of its children, those that come later
 * included (inherit).
 *
 * Cost: a file descriptor for each thread that runs when it is opened; nothing while it counts.
 * Source: perf_event_open(2).
 */
#ifndef BERTH_LINUX_TASK_COUNTER_H
#define BERTH_LINUX_TASK_COUNTER_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "machine/root.h"

struct task_counter {
	int *fds;
	size_t nr;
};

/* Instructions in user mode. -EOPNOTSUPP: no such counter here (a virtual machine), -EACCES,
 * -EPERM: not allowed, -ESRCH: no such process; with a sentence. */
int task_counter_instructions(const struct root *root, pid_t pid, struct task_counter *ret,
			      struct printbuf *err);
/* Any event, as perf_event_attr's type and config. */
int task_counter_open(const struct root *root, pid_t pid, uint32_t type, uint64_t config,
		      struct task_counter *ret, struct printbuf *err);
/* The same of these processes, without the descendants that they have by now. */
int task_counter_open_these(const struct root *root, const pid_t *pids, size_t nr, uint32_t type,
			    uint64_t config, struct task_counter *ret, struct printbuf *err);
/* The sum so far; of a counter that had to share its hardware, what it would have counted alone. */
int task_counter_read(const struct task_counter *counter, double *ret);
void task_counter_fini(struct task_counter *counter);

#endif
