/* SPDX-License-Identifier: MIT */
/* The pairs of a trial, one after the other, until the verdict, the end of the time, or Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/trial.h"

static volatile sig_atomic_t caught;
static volatile pid_t running; /* a program of ours; 0: none */

/* Ctrl-C reaches the program by its terminal; what comes to us alone is passed on. */
static void on_signal(int number)
{
	caught = number;
	if (number == SIGTERM && running > 0)
		kill(running, number);
}

void trial_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal };
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

int trial_caught(void)
{
	return caught;
}

void trial_running(pid_t pid)
{
	running = pid;
}

/* *ret_done: enough is known. */
static int add_pair(struct trial *trial, const struct trial_pair *pair, bool *ret_done)
{
	bool is_higher = trial->metric.is_higher_better;
	int error;
	*ret_done = trial_add(&trial->state, is_higher ? pair->with : pair->without,
			      is_higher ? pair->without : pair->with, &error);
	if (error) {
		complain("%s: %g with berth and %g without; a gain can only be told of figures "
			 "above 0",
			 trial->metric.name, pair->with, pair->without);
		return EXIT_FAILED;
	}
	trial->pairs[trial->nr_pairs++] = *pair;
	return 0;
}

static int run_pair(struct trial *trial, const struct trial_way *way, bool *ret_done)
{
	struct trial_pair pair = { .was_with_first = random_below(&trial->random, 2) };
	int status = 0;
	for (int i = 0; i < 2 && !status && !caught; i++) {
		bool with = pair.was_with_first == (i == 0);
		status = way->run(way->context, with, with ? &pair.with : &pair.without);
	}
	return status || caught ? status : add_pair(trial, &pair, ret_done);
}

static void show_progress(const struct trial *trial)
{
	PRINTBUF(line);
	if (!stderr_is_terminal())
		return;
	trial_pair_to_text(&line, trial, trial->nr_pairs - 1);
	dprintf(STDERR_FILENO, "%s", printbuf_str(&line));
}

int trial_pairs(struct trial *trial, const struct trial_way *way, uint64_t began_ns)
{
	uint64_t longest_ns = way->pair_ns, end_ns = began_ns + trial->options->for_ns;
	bool is_done = false;
	int status = 0;
	while (!status && !caught && !is_done && trial->nr_pairs < TRIAL_PAIRS_MAX) {
		uint64_t start_ns = clock_now_ns();
		if (start_ns + longest_ns > end_ns)
			break;
		status = run_pair(trial, way, &is_done);
		longest_ns = MAX(longest_ns, clock_now_ns() - start_ns);
		if (!status && !caught)
			show_progress(trial);
	}
	trial_finish(&trial->state);
	trial->passed_ns = clock_now_ns() - began_ns;
	return status;
}
