/* SPDX-License-Identifier: MIT */
/*
 * What a window got done, in the first of these that there is:
 *
 *     --metric COMMAND   the last number that it prints (sh -c, after the window)
 *     the program's own  its last line `result: NAME VALUE UNIT higher|lower`
 *     time               of the window, less is better
 *
 * The command finds the program's standard output in the file $BERTH_TRIAL_OUTPUT and the window's
 * seconds in $BERTH_TRIAL_SECONDS. It comes from the command line and from nowhere else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/units.h"
#include "cli/trial.h"

#define SAID_MAX 65536

/* A number with what may stand around it in a line: "gain=12.5%". */
static bool next_number(const char **at, double *ret)
{
	static const char digits[] = "0123456789";
	const char *start = *at + strcspn(*at, digits);
	if (!*start)
		return false;
	if (start > *at && start[-1] == '.')
		start--;
	if (start > *at && start[-1] == '-')
		start--;
	char *end = NULL;
	*ret = strtod(start, &end);
	*at = end > start ? end : start + 1;
	return true;
}

int trial_last_number(const char *text, double *ret)
{
	double number;
	bool is_there = false;
	while (next_number(&text, &number)) {
		*ret = number;
		is_there = true;
	}
	return is_there ? 0 : -ENODATA;
}

/* Runs it and reads what it says; its standard error is ours. */
static int run_command(const char *command, char *said, struct printbuf *err)
{
	FILE *pipe = popen(command, "r");
	if (!pipe)
		return error_set(err, -errno, "--metric %s: %s", command, error_text(-errno));
	size_t nr = fread(said, 1, SAID_MAX - 1, pipe);
	said[nr] = '\0';
	while (fgetc(pipe) != EOF)
		;
	int status = pclose(pipe);
	if (status != 0)
		return error_set(err, -EIO, "--metric %s: it ended with status %d", command,
				 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}

int trial_ask(const char *command, const char *const *environment, double *ret,
	      struct printbuf *err)
{
	static char said[SAID_MAX];
	for (size_t i = 0; environment[i]; i += 2)
		setenv(environment[i], environment[i + 1], 1);
	int error = run_command(command, said, err);
	if (error)
		return error;
	if (trial_last_number(said, ret) < 0)
		return error_set(err, -ENODATA, "--metric %s: it printed no number", command);
	return 0;
}

static int measure_by_command(struct trial *trial, const struct trial_window *window, double *ret,
			      struct printbuf *err)
{
	PRINTBUF(seconds);
	prt_fixed(&seconds, (double)window->passed_ns / NS_PER_S, 6);
	const char *const environment[] = { "BERTH_TRIAL_SECONDS", printbuf_str(&seconds),
					    "BERTH_TRIAL_OUTPUT", window->output_path, NULL };
	trial->metric = (struct compare_metric){
		.name = "metric", .is_higher_better = !trial->options->is_lower_better
	};
	return trial_ask(trial->options->metric, environment, ret, err);
}

static bool is_same(const struct compare_metric *a, const struct compare_metric *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0 &&
	       a->is_higher_better == b->is_higher_better;
}

int trial_measure(struct trial *trial, const struct trial_window *window, double *ret,
		  struct printbuf *err)
{
	struct compare_printed printed = { 0 };
	struct compare_metric metric = { .name = "time", .unit = "s" };
	double value = (double)window->passed_ns / NS_PER_S;
	if (trial->options->metric)
		return measure_by_command(trial, window, ret, err);
	int error = compare_read_file(&printed, window->output_fd, NULL);
	if (!error && printed.has_value) {
		metric = printed.metric;
		value = printed.value;
	}
	compare_printed_fini(&printed);
	if (error)
		return error_set(err, error, "the program's output: %s", error_text(error));
	if (trial->metric.name[0] && !is_same(&trial->metric, &metric))
		return error_set(err, -ENODATA,
				 "the program printed its result in %s (%s) before, and in %s (%s) "
				 "now; name one with --metric",
				 trial->metric.name, trial->metric.unit, metric.name, metric.unit);
	trial->metric = metric;
	*ret = value;
	return 0;
}
