/* SPDX-License-Identifier: MIT */
/*
 * What a job's tasks ran, and waited in run queues, since it was measured last.
 *
 *     ran       cpu.stat of the job's group (version 2): one read, whoever has ended meanwhile too;
 *               else the CPU clock of each of its processes, one call however many threads it has
 *     waited    /proc/PID/task/TID/schedstat of threads of those processes that ran: who waits for
 *               a CPU gets it now and then, so a process that did not run does not wait either
 *
 * Bounded whatever the program does: JOB_MAX_PROCESSES clocks, JOB_MAX_WAITERS threads. One of
 * 10,000 threads is measured by a sample of 64. A thread that was not in the last sample counts
 * what it waited since its birth, but at most the time since then.
 *
 * Who runs is one read, who waits is a walk: where what waited cannot change what is decided, it is
 * taken to be what it was (job_take_peeked), and measured over a longer time at the next walk.
 *
 * The same where the group's own pressure (PSI) says that hardly anybody waited: one read more. It
 * is an average over the CPUs where the job runs.
 *
 * Cost: 1 us per process, 6 us per thread that is sampled (Linux 6.18 in a virtual machine).
 * A job that did nothing is told so for 1 us per process (job_has_run), at most 16 of them.
 *
 * Source: proc(5), Documentation/scheduler/sched-stats.rst, admin-guide/cgroup-v2.rst (6.12).
 */
#ifndef BERTH_LINUX_JOB_MEASURE_H
#define BERTH_LINUX_JOB_MEASURE_H

#include <sys/types.h>

#include "base/types.h"

#define JOB_MAX_PROCESSES 1024
#define JOB_MAX_WAITERS	  64

struct job;

struct job_task { /* a process and what it ran, or a thread and what it waited, since its birth */
	pid_t id;
	uint64_t ns;
};

struct job_meter {
	int usage_fd, pressure_fd; /* cpu.stat and cpu.pressure of the job's group; -1: none */
	uint64_t usage_ns;
	uint64_t pressure_ns, told_ns; /* when it was read last; and since waiting was measured */
	struct job_task *processes, *waiters; /* of the last measuring, ascending */
	size_t nr_processes, nr_waiters;
	bool has_more; /* processes that are not in the list */
	/* Since waiting was measured; and what it was then, of the time since it was before. */
	uint64_t unwaited_ns;
	uint32_t nr_unwaited, waited_bp;
	/* Since then, by berth on the job's CPUs: who waited for that gains nothing elsewhere. */
	uint64_t own_ns;
};

int job_meter_init(struct job *job);
void job_meter_fini(struct job_meter *meter);
/* Since the last time, `window_ns` ago. */
void job_measure(struct job *job, uint64_t window_ns, uint64_t *ret_ran_ns,
		 uint64_t *ret_waited_ns);
/* What it ran since it was measured, where one file tells; false: it takes a measuring. */
bool job_peek_ran(const struct job *job, uint64_t *ret_ran_ns);
/* Measured by what was peeked; waiting is taken to be what it was. */
void job_take_peeked(struct job *job, uint64_t ran_ns, uint64_t window_ns, uint64_t *ret_waited_ns);
/* The same where the kernel says that hardly anybody waited; false: it takes a measuring. */
bool job_take_unpressed(struct job *job, uint64_t ran_ns, uint64_t window_ns,
			uint64_t *ret_waited_ns);
/* Has it run at all since it was measured? */
bool job_has_run(struct job *job);

#endif
