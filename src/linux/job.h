/* SPDX-License-Identifier: MIT */
/*
 * A job: a program that berth started with preferred and allowed CPUs, and the loop that widens
 * and narrows where it may run until it ends.
 *
 *     job_check     are these CPUs there, and may we use them?
 *     job_start     journal, cgroup (or masks), the child placed and let go
 *     job_wait      signals passed on; looks at CPUs; job_rule decides; the mask is written
 *     job_end       everything undone, the journal removed
 *
 * Held by a cpuset cgroup where one can be made, by the threads' affinity otherwise. A thread with
 * a mask that berth did not write has chosen it, or was given it: it is left alone. A cpuset that
 * somebody else rewrote: berth writes it no more.
 *
 * Who decides is an engine (job_engine.h). The one in user space looks every 20 ms while the job
 * keeps its preferred CPUs busy or is away from them, every 100 ms while it works, and every second
 * while it does nothing, when a PSI trigger (a task waited for a CPU) ends the sleep at once. Cost
 * of a look: /proc/stat (1 us per CPU), and per process of the job its CPU clock and the run-queue
 * delay of up to JOB_MAX_WAITERS threads (1 us each).
 */
#ifndef BERTH_LINUX_JOB_H
#define BERTH_LINUX_JOB_H

#include <signal.h>

#include "engine/journal.h"
#include "linux/cgroup.h"
#include "linux/cpustat.h"
#include "linux/job_engine.h"
#include "linux/job_rule.h"
#include "linux/process.h"
#include "linux/spawn.h"

#define JOB_MAX_WAITERS 256

struct job_wish {
	struct set prefer, allow; /* allow empty: whatever berth itself may use */
	struct soft_job soft;
	bool no_cgroup;
	const char *engine; /* auto (or NULL), user, scx */
	const char *state;  /* directory of journals, or NULL */
};

struct job {
	const struct root *root;
	const struct job_wish *wish;
	struct job_rule rule;
	struct set original, online, allowed, mask;
	uint32_t *distances;
	struct cgroup group;
	bool uses_cgroup, is_backed_off, has_written;
	int state_fd;
	struct journal_owner self;
	struct journal journal;
	uint32_t change; /* of the affinity, or of the group */
	struct spawned child;
	bool is_ended;
	int status; /* exit status of the program */
	const struct job_engine_ops *engine;
	void *engine_state;
	int engine_fd; /* of the engine: readable when it wants to look; -1: none */
	bool is_engine_started;
	void (*tell)(const char *text); /* what the user is to know meanwhile; may be NULL */
	struct cpustat stat;
	int psi_fd, signal_fd;
	sigset_t old_signals;
	const char *program; /* borrowed: its first argument */
	uint64_t noted_ns;   /* when the note for `berth status` was written */
	uint64_t looked_ns, ran_ns, waited_ns;
};

int job_init(struct job *job, const struct root *root, const struct job_wish *wish,
	     struct printbuf *err);
int job_start(struct job *job, char *const arguments[], int *ret_exec_error, struct printbuf *err);
int job_wait(struct job *job, struct printbuf *err);
int job_end(struct job *job, struct printbuf *err);
void job_fini(struct job *job);

uint64_t job_now_ns(void);
/* job_place.c: writes the mask where the job is held; journalled first. */
int job_place(struct job *job, struct printbuf *err);
/* job_check.c: CPUs that do not exist or are not allowed, by name and with the reason. */
int job_check(struct job *job, struct printbuf *err);
/* job_measure.c: what the job's tasks ran and waited since they began. */
void job_measure(struct job *job, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns);

#endif
