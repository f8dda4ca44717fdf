/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases of a comparison, interleaved: a b c, a b c, ... so that a host that gets slower
 * or faster meanwhile does so for all of them.
 *
 * A run that fails has its cell say so, and the others go on. A program's output is not shown but
 * read (compare_read.c); with --keep each run leaves four files:
 *
 *     DIR/003-6.12-kernel.json  .stdout  .stderr  .console
 *
 * Ctrl-C ends the run under way and leaves the table of those that were finished.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/lab_compare.h"
#include "cli/options.h"

#define SHOWN_MAX      ((size_t)1 << 20) /* bytes of output that --verbose shows of one run */
#define NAME_MAX_SHOWN 60

struct one_run { /* a run and its files; fds are -1 when not open */
	struct compare_plan *plan;
	size_t index; /* of the case */
	uint64_t number, nr_all;
	int stdout_fd, stderr_fd;
	struct printbuf console_path;
};

static volatile sig_atomic_t interrupted;

static void note_signal(int signal)
{
	interrupted = signal;
}

/* Lets Ctrl-C between two runs end the loop, not the table; returns what was there before. */
static struct sigaction catch_signal(int signal)
{
	struct sigaction action = { .sa_handler = note_signal }, before;
	sigaction(signal, NULL, &before);
	if (before.sa_handler != SIG_IGN)
		sigaction(signal, &action, NULL);
	return before;
}

/* DIR/NUMBER-KERNEL-POLICY.SUFFIX, of what a file's name may safely hold. */
static void prt_path(struct printbuf *out, const struct one_run *run, const char *suffix)
{
	const struct compare_case *entry = &run->plan->compare.cases[run->index];
	PRINTBUF(name);
	prt_printf(&name, "%s-%s", entry->kernel, entry->policy);
	prt_printf(out, "%s/%03llu-", run->plan->keep_dir, (unsigned long long)run->number);
	const char *text = printbuf_str(&name);
	for (size_t i = 0; i < NAME_MAX_SHOWN && text[i]; i++) {
		bool is_plain = (text[i] >= 'a' && text[i] <= 'z') ||
				(text[i] >= 'A' && text[i] <= 'Z') ||
				(text[i] >= '0' && text[i] <= '9') || strchr(".-=", text[i]);
		prt_char(out, is_plain ? text[i] : '_');
	}
	prt_str(out, suffix);
}

/* A kept file, or one without a name that goes when it is closed. */
static int open_output(const struct one_run *run, const char *suffix, struct printbuf *err)
{
	PRINTBUF(path);
	const char *folder = getenv("TMPDIR");
	int fd = -1;
	if (run->plan->keep_dir) {
		prt_path(&path, run, suffix);
		fd = open(printbuf_str(&path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	} else {
		prt_printf(&path, "%s/berth-compare-XXXXXX", folder && *folder ? folder : "/tmp");
		fd = mkostemp(path.buf, O_CLOEXEC);
		if (fd >= 0)
			unlink(printbuf_str(&path));
	}
	return fd < 0 ? error_file(err, -errno, printbuf_str(&path), "write") : fd;
}

static int open_files(struct one_run *run, struct printbuf *err)
{
	run->stdout_fd = run->stderr_fd = -1;
	if (run->plan->keep_dir)
		prt_path(&run->console_path, run, ".console");
	run->stdout_fd = open_output(run, ".stdout", err);
	if (run->stdout_fd < 0)
		return run->stdout_fd;
	run->stderr_fd = open_output(run, ".stderr", err);
	return run->stderr_fd < 0 ? run->stderr_fd : 0;
}

static void close_files(struct one_run *run)
{
	if (run->stdout_fd >= 0)
		close(run->stdout_fd);
	if (run->stderr_fd >= 0)
		close(run->stderr_fd);
	printbuf_fini(&run->console_path);
}

/* "40 s", "4 min". */
static void prt_left(struct printbuf *out, uint64_t ns)
{
	uint64_t seconds = (ns + NS_PER_S / 2) / NS_PER_S;
	if (seconds < 100)
		prt_printf(out, "%llu s", (unsigned long long)seconds);
	else
		prt_printf(out, "%llu min", (unsigned long long)((seconds + 30) / 60));
}

/* "policy 2 of 5 (kernel on 6.12), run 1 of 3; about 40 s left" */
static void show_progress(const struct one_run *run, uint64_t spent_ns)
{
	const struct compare_plan *plan = run->plan;
	const struct compare_case *entry = &plan->compare.cases[run->index];
	PRINTBUF(line);
	if (plan->is_quiet || (!plan->is_verbose && !stderr_is_terminal()))
		return;
	prt_printf(&line, "policy %zu of %zu (", run->index + 1, plan->compare.nr_cases);
	prt_safe(&line, entry->policy, strlen(entry->policy));
	prt_str(&line, " on ");
	prt_safe(&line, entry->kernel, strlen(entry->kernel));
	prt_printf(&line, "), run %u of %llu", entry->nr_runs + 1,
		   (unsigned long long)plan->repeat);
	if (run->number > 0) {
		prt_str(&line, "; about ");
		prt_left(&line, spent_ns / run->number * (run->nr_all - run->number));
		prt_str(&line, " left");
	}
	if (plan->is_verbose)
		dprintf(STDERR_FILENO, "%s\n", printbuf_str(&line));
	else
		dprintf(STDERR_FILENO, "\r\033[K%s", printbuf_str(&line));
}

static void clear_progress(const struct compare_plan *plan)
{
	if (!plan->is_quiet && !plan->is_verbose && stderr_is_terminal())
		dprintf(STDERR_FILENO, "\r\033[K");
}

static void show_output(int fd)
{
	char block[16384];
	size_t shown = 0;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return;
	while (shown < SHOWN_MAX) {
		ssize_t nr = read(fd, block, sizeof(block));
		if (nr <= 0 || write(STDERR_FILENO, block, (size_t)nr) != nr)
			return;
		shown += (size_t)nr;
	}
}

static void keep_result(const struct one_run *run, const struct lab_result *result,
			const struct machine *machine)
{
	PRINTBUF(path);
	PRINTBUF(text);
	struct json_writer json;
	if (!run->plan->keep_dir)
		return;
	json_writer_init(&json, &text, false);
	lab_result_to_json(&json, NULL, result, machine);
	prt_char(&text, '\n');
	prt_path(&path, run, ".json");
	put_output(&text, printbuf_str(&path));
}

static bool has_line(const char *lines, const char *line)
{
	size_t len = strlen(line);
	for (const char *at = strstr(lines, line); at; at = strstr(at + 1, line))
		if ((at == lines || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

/* Which kernel and QEMU it was, once each. */
static void note_versions(struct compare_plan *plan, const struct lab_result *result)
{
	const char *release = result->kernel_release;
	if (release && !has_line(printbuf_str(&plan->kernels), release))
		prt_printf(&plan->kernels, "%s%s", plan->kernels.pos ? ", " : "", release);
	if (!plan->qemu_version && result->qemu_version)
		plan->qemu_version = strdup(result->qemu_version);
}

/* What the result says beside its figures: once, however many runs say it. */
static void note_sentences(struct compare_plan *plan, const struct lab_result *result)
{
	const char *note = printbuf_str(&result->notes);
	while (*note) {
		size_t len = strcspn(note, "\n");
		PRINTBUF(line);
		prt_mem(&line, note, len);
		prt_char(&line, '\n');
		if (len && !strstr(printbuf_str(&plan->notes), printbuf_str(&line)))
			prt_str(&plan->notes, printbuf_str(&line));
		note += len + (note[len] == '\n');
	}
}

static void note_failure(struct compare_plan *plan, const struct compare_case *entry)
{
	const struct compare_run *run = &entry->runs[entry->nr_runs - 1];
	if (run->is_ok)
		return;
	prt_safe(&plan->notes, entry->policy, strlen(entry->policy));
	prt_printf(&plan->notes, " on %s, run %u: %s", entry->kernel, entry->nr_runs, run->end);
	if (run->why) {
		prt_str(&plan->notes, ": ");
		prt_safe(&plan->notes, run->why, strlen(run->why));
	}
	prt_char(&plan->notes, '\n');
}

/* static-best is a yardstick only when something was placed by hand. */
static void check_placement(struct compare_plan *plan, size_t index,
			    const struct compare_printed *printed)
{
	struct compare_case *entry = &plan->compare.cases[index];
	bool is_ok = entry->runs[entry->nr_runs - 1].is_ok;
	if (!plan->labs[index].policy.needs_placement || !is_ok || printed->was_placed)
		return;
	entry->is_left_out = true;
	prt_printf(&plan->notes,
		   "%s on %s: the program did not place its memory, so this is no yardstick and "
		   "left out\n",
		   entry->policy, entry->kernel);
}

static int take_result(struct one_run *run, const struct lab_result *result,
		       const struct machine *machine)
{
	struct compare_plan *plan = run->plan;
	struct compare_printed printed = { 0 };
	int error = compare_read_file(&printed, run->stdout_fd, plan->wish);
	if (!error && result->status != 0) /* what went wrong is said there */
		error = compare_read_file(&printed, run->stderr_fd, plan->wish);
	if (!error)
		error = compare_add_run(&plan->compare, run->index, result, machine, plan->time,
					plan->wish, &printed);
	if (!error) {
		check_placement(plan, run->index, &printed);
		note_failure(plan, &plan->compare.cases[run->index]);
	}
	compare_printed_fini(&printed);
	return error;
}

/* The program gets the signal first and may end by itself, with its status. */
static bool was_interrupted(const struct lab_result *result)
{
	return result->end == LAB_END_SIGNAL || interrupted ||
	       (result->end == LAB_END_EXITED &&
		(result->status == 128 + SIGINT || result->status == 128 + SIGTERM));
}

static int run_once(struct one_run *run, struct printbuf *err)
{
	struct compare_plan *plan = run->plan;
	const struct compare_lab *lab = &plan->labs[run->index];
	const struct machine *machine = lab->grown ? lab->grown : plan->machine;
	struct lab_result result = { 0 };
	struct lab_options options = {
		.machine = machine,
		.kernel = plan->compare.cases[run->index].kernel,
		.time = plan->time,
		.policy = &lab->policy,
		.time_limit_ns = plan->time_limit_ns,
		.sample_ns = plan->sample_ns,
		.share_dir = plan->share_dir,
		.console_path = plan->keep_dir ? printbuf_str(&run->console_path) : NULL,
		.argv = plan->program,
		.stdin_fd = -1,
		.stdout_fd = run->stdout_fd,
		.stderr_fd = run->stderr_fd,
		.is_verbose = false,
	};
	int error = lab_run(&options, &result, err);
	if (error)
		return error;
	note_versions(plan, &result);
	plan->is_interrupted = was_interrupted(&result);
	if (plan->is_verbose) {
		show_output(run->stdout_fd);
		show_output(run->stderr_fd);
	}
	keep_result(run, &result, machine);
	if (!plan->is_interrupted) {
		note_sentences(plan, &result);
		error = take_result(run, &result, machine);
	}
	lab_result_fini(&result);
	return error ? error_set(err, error, "a run cannot be read: %s", error_text(error)) : 0;
}

static int run_all(struct compare_plan *plan, struct printbuf *err)
{
	uint64_t start_ns = clock_now_ns(), number = 0;
	int error = 0;
	for (uint64_t repeat = 0; repeat < plan->repeat && !error; repeat++) {
		for (size_t i = 0; i < plan->compare.nr_cases && !error; i++, number++) {
			struct one_run run = {
				.plan = plan,
				.index = i,
				.number = number,
				.nr_all = plan->repeat * plan->compare.nr_cases,
				.console_path = PRINTBUF_HEAP,
			};
			if (plan->compare.cases[i].is_left_out)
				continue;
			show_progress(&run, clock_now_ns() - start_ns);
			error = open_files(&run, err);
			if (!error)
				error = run_once(&run, err);
			close_files(&run);
			plan->is_interrupted |= interrupted != 0;
			if (plan->is_interrupted)
				return 0;
		}
	}
	return error;
}

static int make_keep_dir(const struct compare_plan *plan, struct printbuf *err)
{
	if (!plan->keep_dir || mkdir(plan->keep_dir, 0777) == 0 || errno == EEXIST)
		return 0;
	return error_file(err, -errno, plan->keep_dir, "write");
}

int compare_plan_run(struct compare_plan *plan, struct printbuf *err)
{
	int error = make_keep_dir(plan, err);
	if (error)
		return error;
	interrupted = 0;
	struct sigaction interrupt = catch_signal(SIGINT), terminate = catch_signal(SIGTERM);
	error = run_all(plan, err);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &terminate, NULL);
	clear_progress(plan);
	compare_summarize(&plan->compare);
	return error;
}
