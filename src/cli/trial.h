/* SPDX-License-Identifier: MIT */
/*
 * `berth trial`: does it pay here? Pairs of windows, one with berth and one without, in random
 * order; what each pair says is added up (base/paired.h) until it is known.
 *
 *     trial_program.c   a window is a run of PROGRAM from its start to its end
 *     trial_metric.c    what a window got done: the program's own result, a command's number, time
 *     trial_decide.c    when to stop, and what came of it
 *     trial_text.c      the pairs and the verdict, for people and programs
 */
#ifndef BERTH_CLI_TRIAL_H
#define BERTH_CLI_TRIAL_H

#include "base/random.h"
#include "cli/options.h"
#include "cli/trial_decide.h"
#include "lab/launcher/compare.h"

#define TRIAL_PAIRS_MAX 1000

struct trial_pair {
	double with, without;
	bool was_with_first;
};

struct trial_options {
	uint64_t for_ns, seed;
	const char *metric;
	bool is_lower_better; /* of --metric */
	const char *policy, *sampler, *machine, *rate, *state;
	enum output_format format;
};

struct trial {
	const struct trial_options *options;
	char **arguments; /* the program */
	struct random random;
	uint64_t seed;
	struct compare_metric metric; /* name empty until the first window */
	struct trial_pair pairs[TRIAL_PAIRS_MAX];
	uint32_t nr_pairs;
	struct trial_state state;
	uint64_t passed_ns;
	/* Over windows with berth: how many, their time, the CPU time that berth took itself. */
	uint64_t nr_with, with_ns, own_ns;
	uint64_t nr_promoted, nr_demoted;
	bool is_interrupted;
};

/* trial_metric.c */
struct trial_window {  /* what is known of one that has ended */
	int output_fd; /* the program's standard output */
	const char *output_path;
	uint64_t passed_ns;
};
/* The figure, and what it is; the same for all windows of a trial. */
int trial_measure(struct trial *trial, const struct trial_window *window, double *ret,
		  struct printbuf *err);

/* trial_program.c: until the verdict or the end of the time; returns the exit status. */
int trial_program(struct trial *trial);

/* trial_text.c */
void trial_to_text(struct printbuf *out, const struct trial *trial);
void trial_to_json(struct printbuf *out, const struct trial *trial);
void trial_pair_to_text(struct printbuf *out, const struct trial *trial, uint32_t pair);

#endif
