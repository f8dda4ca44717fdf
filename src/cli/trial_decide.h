/* SPDX-License-Identifier: MIT */
/*
 * When a trial stops, and what came of it: pure, no clock.
 *
 * Looking at an interval again and again until it pleases makes it wrong more often than it says.
 * So there are looks only after 3, 6, 12, 24, ... pairs and at the end, and the n-th look has an
 * interval at 1 - 0.05 / 2^n: all looks together are wrong in less than 5 of 100 trials.
 */
#ifndef BERTH_CLI_TRIAL_DECIDE_H
#define BERTH_CLI_TRIAL_DECIDE_H

#include "base/paired.h"

#define TRIAL_WORTH	  0.01 /* a gain or loss below this is none */
#define TRIAL_FIRST_LOOK  3    /* pairs */
#define TRIAL_WRONG	  0.05 /* probability that any look's interval does not hold the truth */
#define TRIAL_WITHIN	  0.02 /* narrow enough: this much up and down */
#define TRIAL_WITHIN_GAIN 0.25 /* or this part of the gain */

enum trial_verdict {
	TRIAL_UNKNOWN, /* not decided in the time there was */
	TRIAL_GAINS,
	TRIAL_LOSES,
	TRIAL_NOTHING, /* not worth anything, and at most a little harm */
};
extern const char *const trial_verdict_names[]; /* "unknown", "gains", "loses", "nothing" */

struct trial_state {
	struct paired pairs;
	uint32_t nr_looks;
	uint64_t next_look; /* pairs */
	bool has_gain;	    /* gain is that of the last look */
	struct paired_gain gain;
};
/* Adds a pair; true when enough is known. -EDOM in *ret_error: a figure is not above 0. */
bool trial_add(struct trial_state *state, double with, double without, int *ret_error);
/* The time is over: a last look, unless there was one after the last pair. */
void trial_finish(struct trial_state *state);
enum trial_verdict trial_verdict(const struct trial_state *state);

/* The last number in what a command prints; -ENODATA: none. */
int trial_last_number(const char *text, double *ret);

#endif
