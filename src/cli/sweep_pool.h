/* SPDX-License-Identifier: MIT */
/*
 * The workers of a sweep: a process for each job, at most so many at once.
 *
 * Processes, not threads: one that crashes or is killed for its memory takes only its own job
 * along, which is then halved until the row to blame stands alone; and nothing in the simulator has
 * to be safe for threads. fork(2) hands a worker the whole plan for free, and costs a millisecond
 * against seconds of work.
 */
#ifndef BERTH_CLI_SWEEP_POOL_H
#define BERTH_CLI_SWEEP_POOL_H

#include <signal.h>

#include "cli/sweep_plan.h"
#include "cli/sweep_work.h"

struct sweep_progress {
	double share;	  /* of the work that is done, as far as one can tell */
	uint64_t left_ns; /* UINT64_MAX: nobody knows yet */
	unsigned nr_solving;
};

struct sweep_pool_ops {
	/* Each returns 0, or a negative errno, which stops everything. */
	int (*extent)(void *context, uint32_t recording, const struct sim_extent *extent,
		      struct printbuf *err);
	/* WHEN: the job is done; all of its rows, to be kept or not kept together. */
	int (*rows)(void *context, const struct sweep_result *results, size_t nr,
		    struct printbuf *err);
	/* The job, or what is left of it (one row), cannot be done; `why` is a sentence. */
	void (*lost)(void *context, const struct sweep_job *job, const char *why);
	void (*remark)(void *context, const char *text);
	/* WHEN: several times a second. */
	void (*progress)(void *context, const struct sweep_progress *progress);
};

/* Sums of a pool's run. */
struct sweep_pool_usage {
	uint64_t cpu_ns; /* of all workers */
};

/* Works off plan->jobs. 0; -EINTR: *stop was set, and workers were ended; or another error. */
int sweep_pool_run(struct sweep_plan *plan, unsigned nr_workers, const volatile sig_atomic_t *stop,
		   const struct sweep_pool_ops *ops, void *context, struct sweep_pool_usage *usage,
		   struct printbuf *err);

#endif
