/* SPDX-License-Identifier: MIT */
/*
 * Where the threads of a daemon's job run: processes that were there before berth, and that others
 * start and end, held by the affinity of their threads.
 *
 *     cpus --- job (job_adopt): rule, looks, the mask that is wanted now
 *       |
 *       +----- [0] pid, start time, its change in the journal    original mask, every value since
 *              [1] ...
 *
 * A process is journalled with its mask when it is found, and gets it back when it leaves the job,
 * when the job is let go, and after a kill -9 by the next start. One that is found with a mask that
 * berth wrote is a child that inherited it: its original is its parent's. A thread with any other
 * mask chose it, and is left alone.
 *
 * With Engine=scx the masks hold all allowed CPUs, and the threads are marked for the scheduler in
 * the kernel (scx_engine.c); each job has a slot of it. Where that cannot be had, or ends, the user
 * engine goes on with the job, and that is told.
 *
 * Cost: per process a record in the journal and one value per mask that was ever written, per
 * change of the mask two system calls per thread.
 */
#ifndef BERTH_LINUX_DAEMON_CPUS_H
#define BERTH_LINUX_DAEMON_CPUS_H

#include "linux/config.h"
#include "linux/job.h"
#include "linux/live.h"

#define DAEMON_CPUS_MAX 4096 /* processes of a job that are held */

struct cpus_process {
	pid_t pid;
	uint64_t start_ticks;
	uint32_t change; /* in the journal */
	bool is_there;	 /* was found at the last look for processes */
	bool has_failed; /* could not be placed: tried again at the next look for processes */
};

struct daemon_cpus {
	struct job_wish wish;
	struct job job;
	struct job_holder holder;
	const struct root *root; /* borrowed, as is the journal */
	struct journal *journal; /* NULL: a dry run, nothing is written */
	struct cpus_process *processes;
	size_t nr, max;
	uint64_t due_ns;     /* of the next look */
	bool until_pressure; /* or when job.psi_fd says so */
	uint32_t nr_quiet;   /* looks in a row at which the job did nothing */
	uint64_t nr_unheld;  /* processes that there was no room for */
};

struct daemon_cpus_wish {
	const char *engine;		/* as of job_adopt() */
	void (*tell)(const char *text); /* NULL allowed */
	const struct set *prefer;	/* where it is at home */
};

/* For a job of the configuration that is at home on some CPUs. */
int daemon_cpus_new(const struct root *root, struct journal *journal,
		    const struct config_job *config, const struct daemon_cpus_wish *wish,
		    struct daemon_cpus **ret, struct printbuf *err);
/* Exactly these are its processes from now on. */
int daemon_cpus_update(struct daemon_cpus *cpus, const struct live_wanted *wanted, size_t nr,
		       uint32_t job, struct printbuf *err);
/* One look; sets when the next is due. */
int daemon_cpus_look(struct daemon_cpus *cpus, uint64_t now_ns, struct printbuf *err);
/* Gives every mask back. */
struct daemon_cpus *daemon_cpus_free(struct daemon_cpus *cpus); /* NULL allowed; returns NULL */

#endif
