/* SPDX-License-Identifier: MIT */
/*
 * A window in the life of processes that run anyway, and what they get done in it: a third of it
 * passes for settling, then a command's number is asked, or instructions are counted. Whether berth
 * is at work meanwhile is its caller's (trial_process.c, trial_job.c).
 */
#ifndef BERTH_CLI_TRIAL_LIFE_H
#define BERTH_CLI_TRIAL_LIFE_H

#include <sys/types.h>

#include "cli/trial.h"
#include "machine/root.h"

struct trial_life {
	struct trial *trial;
	const struct root *root;
	const pid_t *pids; /* who gets something done; at least one */
	size_t nr_pids;
	bool has_children; /* and all their descendants */
	void *context;
	/* WHEN: again and again while time passes, at the latest after *ret_wait_ms. Negative: they
	 * have ended, or berth cannot go on. */
	int (*turn)(void *context, int *ret_wait_ms, struct printbuf *err);
};

/* One window. What it got done is of no meaning when a signal was caught. */
int trial_life_measure(const struct trial_life *life, double *ret, struct printbuf *err);
/* A command that does not work, or no counter where there is no command, is better told now than
 * after the first window. Names the metric. */
int trial_life_check(const struct trial_life *life, struct printbuf *err);

#endif
