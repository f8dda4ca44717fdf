/* SPDX-License-Identifier: MIT */
/*
 * Who decides where a job runs: the engine. Two there are: `user` (a timer that widens and narrows
 * the job's cpuset or masks; any kernel) and `scx` (a scheduler in the kernel that is asked at
 * every wake-up; sched_ext). The job itself, its birth, signals, journal and undoing, is the same
 * for both.
 *
 *     job_init      probe      can it work here? Nothing is changed yet
 *     job_start     start      the program is born, held before its exec, one thread, no child,
 *                              and confined to job->mask; then it is let go
 *     job_wait      look       at the latest every pace.wait_ms, and when job->engine_fd is
 * readable change     other CPUs are online now: job->rule.preferred and .allowed are new job_end
 * end        the program has ended, or the engine has failed
 *
 * An engine reads of a job: wish->soft, rule.preferred, rule.allowed (of what is online),
 * distances[cpu], child.pid, and where uses_cgroup is set group.path (below the root) with
 * group.version. It writes rule.counts and what is named engine_*. All of it runs in one thread.
 *
 * An engine that ends by itself (a watchdog, somebody unloaded it) says so by -ENOTCONN from `look`
 * with the reason in `err`: then `end` is called, the user engine takes the job over, and that is
 * told to the user. With `--engine auto` the same when `start` fails.
 */
#ifndef BERTH_LINUX_JOB_ENGINE_H
#define BERTH_LINUX_JOB_ENGINE_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "machine/root.h"

struct job;

struct job_pace {
	int wait_ms;	     /* until the next look, at most */
	bool until_pressure; /* or until the pressure trigger says that tasks wait */
};

struct job_engine_ops {
	const char *name; /* as in --engine and `berth status` */
	/* The job's cpuset or masks hold all of rule.allowed and the engine chooses among these;
	 * else they hold job->mask, which `look` writes by job_place(). */
	bool chooses_within_allowed;
	/* 0, or -errno and one sentence: what is missing here, and the remedy. */
	int (*probe)(const struct root *root, struct printbuf *err);
	/* State of its own goes to job->engine_state, a descriptor to wake the loop to engine_fd.
	 */
	int (*start)(struct job *job, struct printbuf *err);
	int (*look)(struct job *job, struct job_pace *ret, struct printbuf *err);
	int (*change)(struct job *job, struct printbuf *err); /* may be NULL */
	/* Of an adopted job (job_holder): this process is one of its from now on, or not any more.
	 * May be NULL. */
	int (*take)(struct job *job, pid_t pid, struct printbuf *err);
	void (*leave)(struct job *job, pid_t pid);
	/* Frees what start made; closes engine_fd. Not called when start failed. */
	void (*end)(struct job *job);
};

extern const struct job_engine_ops job_engine_none; /* the kernel: no CPUs are preferred */
extern const struct job_engine_ops job_engine_user; /* job_user.c */
extern const struct job_engine_ops job_engine_scx;  /* scx_engine.c */

/* "auto" (or NULL): the best that can work here. -EINVAL: no such engine. */
int job_engine_choose(const char *name, const struct root *root, const struct job_engine_ops **ret,
		      struct printbuf *err);

#endif
