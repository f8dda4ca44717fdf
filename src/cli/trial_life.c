/* SPDX-License-Identifier: MIT */
/* What processes that run anyway get done in a window (trial_life.h). */
#include "cli/trial_life.h"

#include <linux/perf_event.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "linux/task_counter.h"

#define SETTLING_PARTS 3 /* of a window the first is not measured */
#define WAIT_MAX_MS    100

/* Lets time pass. */
static int serve(const struct trial_life *life, uint64_t until_ns, struct printbuf *err)
{
	int error = 0;
	for (uint64_t now_ns; !error && !trial_caught() && (now_ns = clock_now_ns()) < until_ns;) {
		int wait_ms = WAIT_MAX_MS;
		error = life->turn(life->context, &wait_ms, err);
		if (error)
			return error;
		wait_ms = MIN(wait_ms, WAIT_MAX_MS);
		poll(NULL, 0, (int)MIN((uint64_t)wait_ms, (until_ns - now_ns) / NS_PER_MS + 1));
	}
	return error;
}

/* A number, and the middle of the time in which the command looked at it. */
struct answer {
	double number;
	uint64_t at_ns;
};

static int ask(const struct trial_life *life, uint64_t passed_ns, struct answer *ret,
	       struct printbuf *err)
{
	PRINTBUF(pid);
	PRINTBUF(seconds);
	prt_u64(&pid, (uint64_t)life->pids[0]);
	prt_fixed(&seconds, (double)passed_ns / NS_PER_S, 6);
	const char *const environment[] = { "BERTH_TRIAL_PID", printbuf_str(&pid),
					    "BERTH_TRIAL_SECONDS", printbuf_str(&seconds), NULL };
	uint64_t start_ns = clock_now_ns();
	int error = trial_ask(life->trial->options->metric, environment, &ret->number, err);
	ret->at_ns = start_ns + (clock_now_ns() - start_ns) / 2;
	return error;
}

/* By a command: its number at the end, or what it grew by in a second. */
static int measure_by_command(const struct trial_life *life, uint64_t for_ns, double *ret,
			      struct printbuf *err)
{
	bool is_counter = life->trial->options->is_counter;
	struct answer before = { .at_ns = clock_now_ns() }, after;
	int error = is_counter ? ask(life, 0, &before, err) : 0;
	if (!error)
		error = serve(life, clock_now_ns() + for_ns, err);
	if (error || trial_caught())
		return error;
	error = ask(life, clock_now_ns() - before.at_ns, &after, err);
	if (error)
		return error;
	double passed_s = (double)(after.at_ns - before.at_ns) / NS_PER_S;
	*ret = is_counter ? (after.number - before.number) / passed_s : after.number;
	return 0;
}

static int open_counter(const struct trial_life *life, struct task_counter *ret,
			struct printbuf *err)
{
	return life->has_children ? task_counter_instructions(life->root, life->pids[0], ret, err)
				  : task_counter_open_these(life->root, life->pids, life->nr_pids,
							    PERF_TYPE_HARDWARE,
							    PERF_COUNT_HW_INSTRUCTIONS, ret, err);
}

static int measure_by_instructions(const struct trial_life *life, uint64_t for_ns, double *ret,
				   struct printbuf *err)
{
	struct task_counter counter;
	int error = open_counter(life, &counter, err);
	if (error)
		return error;
	uint64_t start_ns = clock_now_ns();
	error = serve(life, start_ns + for_ns, err);
	uint64_t passed_ns = clock_now_ns() - start_ns;
	if (!error)
		error = task_counter_read(&counter, ret);
	*ret = *ret * 1000 / (double)MAX(passed_ns, 1); /* a second's millions */
	task_counter_fini(&counter);
	return error;
}

int trial_life_measure(const struct trial_life *life, double *ret, struct printbuf *err)
{
	uint64_t window_ns = life->trial->options->window_ns;
	uint64_t settling_ns = window_ns / SETTLING_PARTS;
	int error = serve(life, clock_now_ns() + settling_ns, err);
	if (error || trial_caught())
		return error;
	return life->trial->options->metric
		       ? measure_by_command(life, window_ns - settling_ns, ret, err)
		       : measure_by_instructions(life, window_ns - settling_ns, ret, err);
}

static void name_metric(struct trial *trial)
{
	const struct trial_options *options = trial->options;
	trial->metric = (struct compare_metric){ .name = "instructions",
						 .unit = "M/s",
						 .is_higher_better = true };
	if (!options->metric)
		return;
	trial->metric = (struct compare_metric){ .name = "metric",
						 .is_higher_better = !options->is_lower_better };
	if (options->is_counter)
		strcpy(trial->metric.unit, "1/s");
}

int trial_life_check(const struct trial_life *life, struct printbuf *err)
{
	struct task_counter counter;
	struct answer ignored;
	name_metric(life->trial);
	if (life->trial->options->metric)
		return ask(life, 0, &ignored, err);
	int error = open_counter(life, &counter, err);
	if (!error)
		task_counter_fini(&counter);
	else
		error_set(err, 0,
			  ". Instructions in a second are what is compared otherwise: name "
			  "a command that prints what the process gets done, --metric "
			  "COMMAND");
	return error;
}
