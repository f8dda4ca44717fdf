/* SPDX-License-Identifier: MIT */
/* `berth trial`: what berth gains on this machine, measured (trial.h). */
#include <stdlib.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/run_tier.h"
#include "cli/trial.h"
#include "linux/samplers.h"

#define FOR_NS	  (10 * 60 * NS_PER_S)
#define WINDOW_NS (30 * NS_PER_S)

static uint64_t any_seed(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_nsec % 1000000 + 1;
}

/* What there is is told, however the trial ended: pairs that were finished are good. */
static int put_trial(const struct trial *trial, int status)
{
	PRINTBUF(out);
	if (status && !trial->nr_pairs)
		return status;
	if (trial->options->format == FORMAT_JSON)
		trial_to_json(&out, trial);
	else
		trial_to_text(&out, trial);
	int put = put_output(&out, NULL);
	return status ? status : put;
}

static int check(const struct trial_options *options, int nr_arguments)
{
	if (options->is_lower_better && !options->metric)
		return fail_usage("--lower: of which number? Name a command with --metric");
	if (options->is_counter && !options->metric)
		return fail_usage("--counter: which number? Name a command with --metric");
	if (options->pid > INT32_MAX)
		return fail_usage("--pid %llu: no process has such a number",
				  (unsigned long long)options->pid);
	if (!!options->pid + !!options->job + !!nr_arguments > 1)
		return fail_usage("a program, --pid and --job: one of them");
	if (!options->pid && !options->job && !nr_arguments)
		return fail_usage("of what? Name a program, a process with --pid, or a job of the "
				  "daemon with --job");
	if (nr_arguments && (options->window_ns || options->is_counter))
		return fail_usage(
			"--window and --counter go with --pid and --job: a window of a program is "
			"a whole run");
	if (options->job && (options->policy || options->sampler || options->rate_bytes))
		return fail_usage("--policy, --sampler and --rate: with --job they are those of "
				  "the daemon");
	if (options->socket && !options->job)
		return fail_usage("--socket goes with --job");
	return run_tier_check_sampler(options->sampler, LIVE_SAMPLERS_MAX);
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	struct trial_options options = *(const struct trial_options *)values;
	int status = check(&options, nr_arguments);
	if (status)
		return status;
	if (!options.for_ns)
		options.for_ns = FOR_NS;
	if (!options.window_ns)
		options.window_ns = WINDOW_NS;
	struct trial *trial = calloc(1, sizeof(*trial));
	if (!trial)
		return fail(NULL, -ENOMEM);
	trial->options = &options;
	trial->arguments = arguments;
	trial->seed = options.seed ? options.seed : any_seed();
	random_init(&trial->random, trial->seed);
	trial_catch();
	status = options.pid   ? trial_process(trial)
		 : options.job ? trial_job(trial)
			       : trial_program(trial);
	trial->is_interrupted = trial_caught() != 0;
	status = put_trial(trial, trial->is_interrupted ? 128 + trial_caught() : status);
	free(trial);
	return status;
}

#define FIELD(name) offsetof(struct trial_options, name)

static const struct option trial_options[] = {
	{ 0, "for", "TIME", OPTION_NS, FIELD(for_ns),
	  "At most so long; otherwise 10min. It stops by itself when enough is known.", NULL },
	{ 'p', "pid", "PID", OPTION_COUNT, FIELD(pid),
	  "Of a process that runs and its children, in windows of its life; its pages are taken "
	  "back after each window with berth.",
	  NULL },
	{ 'j', "job", "JOB", OPTION_STRING, FIELD(job),
	  "Of a job of `berth daemon`, by its name, in windows as with --pid: in those without "
	  "berth the daemon lets go of it.",
	  NULL },
	{ 0, "window", "TIME", OPTION_NS, FIELD(window_ns),
	  "With --pid and --job: of a window, the first third of which is not measured; otherwise "
	  "30s.",
	  NULL },
	{ 0, "metric", "COMMAND", OPTION_STRING, FIELD(metric),
	  "What a window got done: the last number that this shell command prints after it, more "
	  "is "
	  "better. It finds the program's output in the file $BERTH_TRIAL_OUTPUT.",
	  NULL },
	{ 0, "counter", NULL, OPTION_FLAG, FIELD(is_counter),
	  "With --pid and --job: that number counts up; what it grows by in a second is compared.",
	  NULL },
	{ 0, "lower", NULL, OPTION_FLAG, FIELD(is_lower_better), "Of that number less is better.",
	  NULL },
	{ 0, "policy", "POLICY", OPTION_STRING, FIELD(policy), "As of `berth run --tier`.", NULL },
	{ 0, "sampler", "NAME", OPTION_STRING, FIELD(sampler), "As of `berth run --tier`.", NULL },
	{ 'M', "machine", "MACHINE", OPTION_STRING, FIELD(machine), "As of `berth run --tier`.",
	  NULL },
	{ 0, "rate", "SIZE", OPTION_BYTES, FIELD(rate_bytes), "As of `berth run --tier`.", NULL },
	{ 0, "socket", "PATH", OPTION_STRING, FIELD(socket),
	  "With --job: where the daemon is asked; otherwise daemon.sock in the state directory.",
	  NULL },
	{ 0, "state", "DIR", OPTION_STRING, FIELD(state), "As of `berth run`.", NULL },
	{ 0, "seed", "N", OPTION_COUNT, FIELD(seed),
	  "Of the order in which the two windows of a pair run; otherwise drawn.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, FIELD(format), "Of what it prints.", "text|json" },
};

const struct command command_trial = {
	.name = "trial",
	.usage = "[--for TIME] [--metric COMMAND] [options] -p PID | -j JOB | [--] PROGRAM "
		 "[ARGUMENTS]",
	.summary = "measure what placing memory gains here",
	.about =
		"Runs PROGRAM again and again, with its memory placed (`berth run --tier`) and "
		"without berth, in pairs of random order, and tells the gain with an interval "
		"that holds the truth 95 times of 100. It stops by itself when the interval is "
		"narrow enough, or when no gain is to be hoped for. A first run, with berth, is "
		"not "
		"counted.\n\n"
		"What is compared is the last line `result: NAME VALUE UNIT higher|lower` that the "
		"program prints; the number that the command of --metric prints; else the time "
		"that "
		"a run takes. The program's output is not shown, its input is empty.\n\n"
		"With --pid it is a process that runs, in windows with its memory placed and "
		"windows with its pages where they were before; what is compared is the number "
		"of --metric, or instructions in a second where the hardware counts them.\n\n"
		"With --job it is a job of `berth daemon`, its threads and its memory: the "
		"daemon lets go of it in windows without berth, and pages go back to where they "
		"were when the window with berth before began. A trial that is killed leaves a job "
		"that the daemon takes up again by itself.\n\n"
		"A program that fails has no figure: the trial ends with status 1, after a failed "
		"first run with that run's own (126, 127 and 128+N as env(1)).",
	.examples = "  # does it pay to place this program's memory?\n"
		    "  berth trial -- ./solver --input case7\n"
		    "  # by what a log says of the run\n"
		    "  berth trial --for 1h --metric 'grep -o \"[0-9.]* requests/s\" log' -- "
		    "./serve-once\n"
		    "  # a server that runs and counts its requests in a file\n"
		    "  berth trial -p 4711 --counter --metric 'cat /run/server/requests'\n"
		    "  # a job of the daemon, by its name in berth.conf\n"
		    "  berth trial -j web --counter --metric 'cat /run/server/requests'\n",
	.options = trial_options,
	.nr_options = ARRAY_SIZE(trial_options),
	.options_size = sizeof(struct trial_options),
	.min_arguments = 0,
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
};
