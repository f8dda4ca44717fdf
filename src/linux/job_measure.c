/* SPDX-License-Identifier: MIT */
/*
 * What a job ran and waited (job.h). Run time comes from the CPU clock of each process, one call
 * however many threads it has; the delay in run queues only from /proc/PID/task/TID/schedstat, so
 * of JOB_MAX_WAITERS threads. Source: clock_getcpuclockid(3), Documentation/scheduler/sched-stats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "linux/job.h"

static uint64_t ran_ns_of(pid_t pid)
{
	struct timespec ran;
	clockid_t clock;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ran) < 0)
		return 0;
	return (uint64_t)ran.tv_sec * NS_PER_S + (uint64_t)ran.tv_nsec;
}

static uint64_t waited_ns_of(const struct root *root, pid_t pid, pid_t tid)
{
	char path[96], *text = NULL, *end;
	uint64_t waited_ns = 0;
	snprintf(path, sizeof(path), "proc/%d/task/%d/schedstat", pid, tid);
	if (root_read(root, path, &text) < 0)
		return 0;
	strtoull(text, &end, 10);
	waited_ns = strtoull(end, NULL, 10);
	free(text);
	return waited_ns;
}

void job_measure(struct job *job, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns)
{
	struct task_list processes = { 0 };
	uint64_t ran_ns = 0, waited_ns = 0;
	size_t nr_waiters = 0;
	if (process_tree(job->root, job->child.pid, &processes) < 0)
		processes = (struct task_list){ 0 };
	for (size_t i = 0; i < processes.nr; i++) {
		struct task_list threads = { 0 };
		ran_ns += ran_ns_of(processes.items[i]);
		if (nr_waiters >= JOB_MAX_WAITERS ||
		    process_threads(job->root, processes.items[i], &threads) < 0)
			continue;
		for (size_t j = 0; j < threads.nr && nr_waiters++ < JOB_MAX_WAITERS; j++)
			waited_ns += waited_ns_of(job->root, processes.items[i], threads.items[j]);
		task_list_fini(&threads);
	}
	task_list_fini(&processes);
	*ret_ran_ns = ran_ns;
	*ret_waited_ns = waited_ns;
}
