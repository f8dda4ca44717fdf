/* SPDX-License-Identifier: MIT */
/*
 * A trial of a program that ends: each window is a run of it from its start to its end, under
 * `berth run --tier` or without berth, as a process of its own.
 *
 *     warm-up, with berth: not counted; says whether berth can work here, and fills caches of files
 *     pair 1   with     without        the order of each pair is drawn
 *     pair 2   without  with
 *     ...                              until trial_add() says so, the time is over, or Ctrl-C
 *
 * Nothing carries over from a window to the next but what the kernel keeps of files: memory is that
 * of a new process each time. Without berth means: as this machine is set.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/trial.h"
#include "linux/spawn.h"

#define WORDS_MAX  32 /* before the program's */
#define REPORT_MAX (1 << 20)

extern char **environ;

struct windows {
	struct trial *trial;
	char *self; /* path of this program */
	char *directory, *output, *report;
	char *rate;   /* of --rate; NULL: not given */
	char **words; /* berth run --tier ... -- PROGRAM ... */
};

static size_t add_option(char **words, size_t nr, const char *name, const char *value)
{
	if (!value)
		return nr;
	words[nr++] = (char *)name;
	words[nr++] = (char *)value;
	return nr;
}

static int make_words(struct windows *windows)
{
	const struct trial_options *options = windows->trial->options;
	char **program = windows->trial->arguments;
	size_t nr_program = 0, nr = 0;
	while (program[nr_program])
		nr_program++;
	char **words = calloc(WORDS_MAX + nr_program + 1, sizeof(*words));
	if (!words)
		return -ENOMEM;
	words[nr++] = windows->self;
	words[nr++] = (char *)"run";
	words[nr++] = (char *)"--tier";
	nr = add_option(words, nr, "--report", windows->report);
	nr = add_option(words, nr, "--format", "json");
	nr = add_option(words, nr, "--policy", options->policy);
	nr = add_option(words, nr, "--sampler", options->sampler);
	nr = add_option(words, nr, "--machine", options->machine);
	nr = add_option(words, nr, "--rate", windows->rate);
	nr = add_option(words, nr, "--state", options->state);
	words[nr++] = (char *)"--";
	memcpy(words + nr, program, nr_program * sizeof(*words));
	windows->words = words;
	return 0;
}

static char *file_in(const char *directory, const char *name)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s", directory, name);
	return printbuf_steal(&path, NULL);
}

static int windows_init(struct windows *windows, struct trial *trial, struct printbuf *err)
{
	const char *folder = getenv("TMPDIR");
	*windows = (struct windows){ .trial = trial };
	windows->self = realpath("/proc/self/exe", NULL);
	if (!windows->self)
		return error_set(err, -errno, "/proc/self/exe: %s", error_text(-errno));
	char *path = file_in(folder && *folder ? folder : "/tmp", "berth-trial-XXXXXX");
	if (!path || !mkdtemp(path)) {
		int error = path ? -errno : -ENOMEM;
		error_set(err, error,
			  "%s: no directory can be made there: %s; name another with "
			  "$TMPDIR",
			  path ? path : "/tmp", error_text(error));
		free(path);
		return error;
	}
	windows->directory = path;
	windows->output = file_in(path, "output");
	windows->report = file_in(path, "report");
	if (trial->options->rate_bytes) {
		PRINTBUF(rate);
		prt_u64(&rate, trial->options->rate_bytes);
		windows->rate = printbuf_steal(&rate, NULL);
	}
	if (!windows->output || !windows->report || make_words(windows) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static void windows_fini(struct windows *windows)
{
	if (windows->output)
		unlink(windows->output);
	if (windows->report)
		unlink(windows->report);
	if (windows->directory)
		rmdir(windows->directory);
	free(windows->directory);
	free(windows->output);
	free(windows->report);
	free(windows->words);
	free(windows->rate);
	free(windows->self);
}

/* Starts it with its output in a file and nothing to read; the child's errno, negative. */
static int start(char **words, int output_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return -error;
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	if (!error)
		error = posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	trial_running(error ? 0 : pid);
	*ret_pid = pid;
	return -error;
}

static int wait_for(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	trial_running(0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What berth says that it did in this window. */
static int read_report(struct windows *windows, bool is_warm_up, uint64_t passed_ns,
		       struct printbuf *err)
{
	static char text[REPORT_MAX];
	struct trial *trial = windows->trial;
	struct lab_berth_report report;
	int fd = open(windows->report, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	int error = lab_berth_report_read(text, nr > 0 ? (size_t)nr : 0, &report, err);
	if (error)
		return error;
	if (report.has_failed)
		return error_set(err, -EIO,
				 "placing ended before the program, so this window says "
				 "nothing; see above why");
	if (is_warm_up)
		return 0;
	trial->nr_with++;
	trial->with_ns += passed_ns;
	trial->nr_promoted += report.promoted_pages;
	trial->nr_demoted += report.demoted_pages;
	trial->own_ns += report.all_ns;
	return 0;
}

/* A window's figure. Returns an exit status: 0, or why there is none, told. */
static int measure(struct windows *windows, bool with, bool is_warm_up, int output_fd,
		   uint64_t passed_ns, double *ret)
{
	const struct trial_window window = { output_fd, windows->output, passed_ns };
	PRINTBUF(err);
	int error = trial_measure(windows->trial, &window, ret, &err);
	if (!error && with)
		error = read_report(windows, is_warm_up, passed_ns, &err);
	return error ? fail(&err, error) : 0;
}

/* One run of the program. Returns as measure(). */
static int run_window(struct windows *windows, bool with, bool is_warm_up, double *ret)
{
	char **words = with ? windows->words : windows->trial->arguments;
	int output_fd = open(windows->output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (output_fd < 0) {
		complain("%s: %s", windows->output, error_text(-errno));
		return EXIT_FAILED;
	}
	uint64_t start_ns = clock_now_ns();
	pid_t pid;
	int error = start(words, output_fd, &pid);
	int status = error ? spawn_exit_status(error) : wait_for(pid);
	uint64_t passed_ns = clock_now_ns() - start_ns;
	if (error)
		complain("%s: cannot be run: %s", words[0], error_text(error));
	else if (status && !trial_caught() && !is_warm_up)
		complain("%s: ended with status %d %s berth; a run that fails has no figure",
			 windows->trial->arguments[0], status, with ? "with" : "without");
	if (!status && !trial_caught())
		status = measure(windows, with, is_warm_up, output_fd, passed_ns, ret);
	close(output_fd);
	return status && !is_warm_up ? EXIT_FAILED : status;
}

static int run(void *context, bool with, double *ret)
{
	return run_window(context, with, false, ret);
}

int trial_program(struct trial *trial)
{
	struct windows windows;
	double ignored;
	PRINTBUF(err);
	uint64_t began_ns = clock_now_ns();
	int error = windows_init(&windows, trial, &err);
	int status = error ? fail(&err, error) : run_window(&windows, true, true, &ignored);
	const struct trial_way way = { &windows, run, 2 * (clock_now_ns() - began_ns) };
	if (!status)
		status = trial_pairs(trial, &way, began_ns);
	windows_fini(&windows);
	return status;
}
