/* SPDX-License-Identifier: MIT */
/*
 * `berth trial`: does it pay here? Pairs of windows, one with berth and one without, in random
 * order; what each pair says is added up (base/paired.h) until it is known.
 *
 *     trial_pairs.c     the pairs, one after the other
 *     trial_program.c   a window is a run of PROGRAM from its start to its end
 *     trial_process.c   a window is a while in the life of a process that runs anyway
 *     trial_job.c       the same of a job that the daemon serves, which lets it go meanwhile
 *     trial_life.c      what those get done
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
#include "linux/takeback.h"

#define TRIAL_PAIRS_MAX 1000

struct trial_pair {
	double with, without;
	bool was_with_first;
};

struct trial_options {
	uint64_t for_ns, window_ns, seed, pid;
	const char *metric;
	bool is_lower_better, is_counter; /* of --metric */
	const char *job, *socket;	  /* of the daemon */
	const char *policy, *sampler, *machine, *state;
	uint64_t rate_bytes;
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
	struct takeback_counts back; /* of a process: pages moved and taken back */
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

/* What the command of --metric prints, as a number; `environment`, NAME and VALUE by turns, NULL at
 * the end, is added to ours. */
int trial_ask(const char *command, const char *const *environment, double *ret,
	      struct printbuf *err);

/* trial_pairs.c */
struct trial_way {
	void *context;
	/* One window. Returns an exit status: 0, or why there is no figure, told. */
	int (*run)(void *context, bool with, double *ret);
	uint64_t pair_ns; /* that two are taken to last, before it is known */
};
int trial_pairs(struct trial *trial, const struct trial_way *way, uint64_t began_ns);
void trial_catch(void);	       /* Ctrl-C, SIGTERM and SIGHUP end the trial, not berth */
int trial_caught(void);	       /* the signal; 0: none */
void trial_running(pid_t pid); /* a program that SIGTERM ends, too; 0: none */

/* Until the verdict or the end of the time; the exit status. */
int trial_program(struct trial *trial); /* trial_program.c */
int trial_process(struct trial *trial); /* trial_process.c */
int trial_job(struct trial *trial);	/* trial_job.c */

/* trial_text.c */
void trial_to_text(struct printbuf *out, const struct trial *trial);
void trial_to_json(struct printbuf *out, const struct trial *trial);
void trial_pair_to_text(struct printbuf *out, const struct trial *trial, uint32_t pair);

#endif
