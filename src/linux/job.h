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
 * A job without preferred CPUs is one whose memory alone is placed (job_companion): the kernel says
 * where it runs (job_engine_none).
 *
 * Held by a cpuset cgroup where one can be made, by the threads' affinity otherwise. A thread with
 * a mask that berth did not write has chosen it, or was given it: it is left alone. A cpuset that
 * somebody else rewrote: berth writes it no more.
 *
 * Who decides is an engine (job_engine.h); what the one in user space costs is in job_user.c.
 */
#ifndef BERTH_LINUX_JOB_H
#define BERTH_LINUX_JOB_H

#include <signal.h>

#include "engine/journal.h"
#include "linux/cgroup.h"
#include "linux/cpustat.h"
#include "linux/job_engine.h"
#include "linux/job_measure.h"
#include "linux/job_rule.h"
#include "linux/process.h"
#include "linux/spawn.h"

struct job_wish {
	struct set prefer; /* empty: the kernel says where it runs, and no mask is written */
	struct set allow;  /* empty: whatever berth itself may use */
	struct soft_job soft;
	bool no_cgroup;
	const char *engine; /* auto (or NULL), user, scx */
	const char *state;  /* directory of journals, or NULL */
};

struct job;

struct job_turn {
	int wait_ms;   /* until the next one, at most */
	bool has_news; /* for `berth status` */
};

/* Who serves the same program in the job's loop beside its CPUs: its memory (tier.c). */
struct job_companion {
	void *context;
	/* WHEN: the program is born and where it belongs, held before its exec; what is changed on
	 * the machine goes to job->journal first. */
	int (*start)(void *context, struct job *job, struct printbuf *err);
	/* WHEN: its time is up, or `fd` is readable. Negative: it has failed, and is not asked
	 * again; the program goes on. */
	int (*turn)(void *context, struct job_turn *ret);
	int (*fd)(const void *context); /* -1: none */
	/* Lines of its own in the note for `berth status` (job_note.h). */
	void (*note)(const void *context, struct printbuf *out);
	/* WHEN: before what the journal holds is undone. Also when `start` failed. */
	void (*end)(void *context);
};

/* Of a job whose program berth did not start (job_adopt): its processes are told by whoever adopted
 * it, who writes masks to their threads too. */
struct job_holder {
	void *context;
	/* As job_processes(). */
	int (*processes)(void *context, size_t max, struct task_list *ret, bool *ret_has_more);
	/* As job_place(): job->mask to all threads that may be moved; journalled first. */
	int (*place)(void *context, struct job *job, struct printbuf *err);
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
	bool is_engine_started, is_released, has_failed;
	void (*tell)(const char *text); /* what the user is to know meanwhile; may be NULL */
	struct cpustat stat;
	int psi_fd, signal_fd;
	sigset_t old_signals;
	const char *program; /* borrowed: its first argument */
	time_t since;	     /* when it was started, by the clock on the wall */
	int online_fd;
	char online_text[4096];	 /* the kernel's list when it was read last */
	uint64_t noted_ns;	 /* when the note for `berth status` was written */
	struct job_counts noted; /* and what it told */
	/* Of the user engine: */
	struct job_meter meter;
	uint64_t looked_ns, counted_ns;
	uint64_t own_ns;		 /* berth's CPU clock at the last look */
	uint64_t rested_ns;		 /* until when what looks have cost is paid for by rest */
	uint32_t nr_jobs;		 /* of this user on this machine, when they were counted */
	bool is_quiet;			 /* at the last look */
	bool is_pressed;		 /* the trigger woke whoever looks now */
	uint64_t pressed_ns;		 /* when it told of this job last; 0: never */
	const struct job_holder *holder; /* NULL: berth started it */
	const struct job_companion *companion; /* NULL: its memory is nobody's */
	uint64_t companion_due_ns;
	bool is_companion_over; /* it has failed */
};

int job_init(struct job *job, const struct root *root, const struct job_wish *wish,
	     struct printbuf *err);
int job_start(struct job *job, char *const arguments[], int *ret_exec_error, struct printbuf *err);
int job_wait(struct job *job, struct printbuf *err);
int job_end(struct job *job, struct printbuf *err);
void job_fini(struct job *job);

/* For a program that runs already, beside others: no child, signals or note of its own. Its engine
 * is wish->engine; `user` where that is NULL, or cannot work here, which is told. After it
 * job_look() at its pace until job_release(), which writes no mask. */
int job_adopt(struct job *job, const struct root *root, const struct job_wish *wish,
	      const struct job_holder *holder, void (*tell)(const char *text),
	      struct printbuf *err);
int job_look(struct job *job, struct job_pace *ret, struct printbuf *err);
void job_release(struct job *job);

/* job_place.c: writes the mask where the job is held; journalled first. */
int job_place(struct job *job, struct printbuf *err);
/* job_check.c: CPUs that do not exist or are not allowed, by name and with the reason. */
int job_check(struct job *job, struct printbuf *err);
/* job_place.c: up to `max` of its processes, by its group or by descent. */
int job_processes(struct job *job, size_t max, struct task_list *ret, bool *ret_has_more);

#endif
