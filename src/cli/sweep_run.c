/* SPDX-License-Identifier: MIT */
/*
 * A sweep from its grid to the last row.
 *
 *     headers, refusals --> results file --> measure what is not known --> rows that are missing
 *                                                       |                          |
 *                                                  (workers)                  (workers, a
 *                                                                        transaction per job)
 *
 * Nothing runs before everything that can be refused was looked at. SIGINT, SIGTERM and SIGHUP end
 * the workers; what was committed stays, and the same command goes on there.
 */
#include "cli/sweep_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/options.h"
#include "cli/sweep_pool.h"

/* Between lines of progress that is not on a terminal: in the first minute, and after it. */
#define PLAIN_LINE_NS	   (10 * NS_PER_S)
#define PLAIN_LINE_LATE_NS (60 * NS_PER_S)
#define BAR_COLUMNS	   24

struct sweep_tally {
	size_t nr_present, nr_other_version, nr_other_recording, nr_wanted;
	size_t nr_done, nr_lost, nr_errors; /* errors: rows whose figures say why there are none */
	bool is_partly;			    /* a recording was cut */
};

struct sweep_runner {
	const struct sweep_settings *settings;
	struct sweep_plan *plan;
	struct sweep_db *db;
	struct sweep_tally tally;
	struct sweep_pool_usage usage;
	const char *doing; /* "measuring", or NULL */
	uint64_t started_ns, said_ns;
	char said[160]; /* the last line of progress, without the time left */
	bool is_terminal, has_line;
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
	stop_signal = number;
}

static void say(struct sweep_runner *runner, const struct printbuf *text)
{
	if (runner->has_line)
		fputs("\r\033[K", stderr);
	runner->has_line = false;
	complain("%s", printbuf_str(text));
}

/* "2 h 5 min", "3 min 20 s", "4 s". */
static void prt_duration(struct printbuf *out, uint64_t seconds)
{
	if (seconds >= 3600)
		prt_printf(out, "%llu h %llu min", (unsigned long long)seconds / 3600,
			   (unsigned long long)seconds % 3600 / 60);
	else if (seconds >= 60)
		prt_printf(out, "%llu min %llu s", (unsigned long long)seconds / 60,
			   (unsigned long long)seconds % 60);
	else
		prt_printf(out, "%llu s", (unsigned long long)seconds);
}

static void prt_progress(struct printbuf *out, const struct sweep_runner *runner,
			 const struct sweep_progress *progress)
{
	const struct sweep_tally *tally = &runner->tally;
	if (runner->doing)
		prt_printf(out, "%s, %.0f %%", runner->doing, 100 * progress->share);
	else
		prt_printf(out, "%zu of %zu simulations, %.0f %% of the work", tally->nr_done,
			   tally->nr_wanted, 100 * progress->share);
	if (progress->nr_solving)
		prt_str(out, ", solving bounds");
}

static void prt_left(struct printbuf *out, const struct sweep_runner *runner,
		     const struct sweep_progress *progress)
{
	if (progress->left_ns == UINT64_MAX || clock_now_ns() - runner->started_ns < NS_PER_S)
		return;
	prt_str(out, ", about ");
	prt_duration(out, progress->left_ns / NS_PER_S);
	prt_str(out, " left");
}

static void on_progress(void *context, const struct sweep_progress *progress)
{
	struct sweep_runner *runner = context;
	uint64_t now = clock_now_ns();
	PRINTBUF(line);
	bool is_late = now - runner->started_ns > PLAIN_LINE_LATE_NS;
	if (!runner->is_terminal &&
	    now - runner->said_ns < (is_late ? PLAIN_LINE_LATE_NS : PLAIN_LINE_NS))
		return;
	if (runner->is_terminal) {
		size_t filled = (size_t)(progress->share * BAR_COLUMNS);
		prt_str(&line, "\r\033[K[");
		prt_chars(&line, '#', filled);
		prt_chars(&line, '.', BAR_COLUMNS - filled);
		prt_str(&line, "] ");
	}
	prt_progress(&line, runner, progress);
	if (!runner->is_terminal && strcmp(printbuf_str(&line), runner->said) == 0)
		return;
	runner->said_ns = now;
	snprintf(runner->said, sizeof(runner->said), "%s", printbuf_str(&line));
	prt_left(&line, runner, progress);
	if (runner->is_terminal)
		fputs(printbuf_str(&line), stderr);
	else
		complain("%s", printbuf_str(&line));
	runner->has_line = runner->is_terminal;
}

static int on_extent(void *context, uint32_t index, const struct sim_extent *extent,
		     struct printbuf *err)
{
	struct sweep_runner *runner = context;
	struct sweep_recording *recording = &runner->plan->recordings[index];
	recording->extent = *extent;
	recording->is_measured = true;
	return sweep_db_put_extent(runner->db, recording, err);
}

static int on_rows(void *context, const struct sweep_result *results, size_t nr,
		   struct printbuf *err)
{
	struct sweep_runner *runner = context;
	int error = sweep_db_begin(runner->db, err);
	for (size_t i = 0; !error && i < nr; i++)
		error = sweep_db_put(runner->db, runner->plan, &results[i], err);
	if (!error)
		error = sweep_db_commit(runner->db, err);
	if (error) {
		sweep_db_roll_back(runner->db);
		return error;
	}
	for (size_t i = 0; i < nr; i++) {
		runner->plan->rows[results[i].outcome.row].state = SWEEP_DONE;
		runner->tally.nr_done++;
		runner->tally.nr_errors += results[i].outcome.error != 0;
		runner->tally.is_partly |= *results[i].note != '\0';
	}
	return 0;
}

static void on_lost(void *context, const struct sweep_job *job, const char *why)
{
	struct sweep_runner *runner = context;
	PRINTBUF(text);
	for (size_t i = 0; i < job->nr_rows; i++)
		runner->plan->rows[job->rows[i]].state = SWEEP_LOST;
	runner->tally.nr_lost += job->nr_rows;
	if (job->nr_rows == 1)
		sweep_row_to_text(&text, runner->plan, &runner->plan->rows[job->rows[0]]);
	else
		prt_str(&text, runner->plan->recordings[job->recording].name);
	prt_printf(&text, ": %s", why);
	say(runner, &text);
}

static void on_remark(void *context, const char *words)
{
	PRINTBUF(text);
	prt_str(&text, words);
	say(context, &text);
}

static const struct sweep_pool_ops pool_ops = { on_extent, on_rows, on_lost, on_remark,
						on_progress };

static int run_jobs(struct sweep_runner *runner, const char *doing, struct printbuf *err)
{
	runner->doing = doing;
	runner->started_ns = runner->said_ns = clock_now_ns();
	int error = sweep_pool_run(runner->plan, runner->settings->nr_workers, &stop_signal,
				   &pool_ops, runner, &runner->usage, err);
	if (runner->has_line)
		fputs("\r\033[K", stderr);
	runner->has_line = false;
	return error;
}

/* A recording that cannot be measured has been said; its rows are lost, the others go on. */
static void drop_unmeasured(struct sweep_runner *runner)
{
	struct sweep_plan *plan = runner->plan;
	for (size_t i = 0; i < plan->nr_rows; i++) {
		if (plan->recordings[plan->rows[i].recording].is_measured)
			continue;
		plan->rows[i].state = SWEEP_LOST;
		runner->tally.nr_lost++;
	}
}

static int measure(struct sweep_runner *runner, struct printbuf *err)
{
	struct sweep_plan *plan = runner->plan;
	for (size_t i = 0; i < plan->nr_recordings; i++) {
		struct sweep_recording *recording = &plan->recordings[i];
		int found = sweep_db_extent(runner->db, recording, &recording->extent, err);
		if (found < 0)
			return found;
		recording->is_measured = found == 1;
	}
	if (sweep_plan_measure(plan))
		return error_set(err, -ENOMEM, "out of memory");
	int error = plan->nr_jobs ? run_jobs(runner, "measuring the recordings", err) : 0;
	if (error)
		return error;
	drop_unmeasured(runner);
	return sweep_plan_size(plan, err);
}

static void count_found(struct sweep_tally *tally, const struct sweep_found *found)
{
	bool is_fresh = found->presence == SWEEP_FRESH;
	tally->nr_present += is_fresh;
	tally->nr_wanted += !is_fresh;
	tally->nr_errors += is_fresh && found->has_error;
	tally->is_partly |= is_fresh && found->has_note;
	tally->nr_other_version += found->presence == SWEEP_OTHER_VERSION;
	tally->nr_other_recording += found->presence == SWEEP_OTHER_RECORDING;
}

static int find_present(struct sweep_runner *runner, struct printbuf *err)
{
	for (size_t i = 0; i < runner->plan->nr_rows; i++) {
		struct sweep_row *row = &runner->plan->rows[i];
		struct sweep_found found = { 0 };
		if (row->state != SWEEP_WANTED)
			continue;
		int error = sweep_db_find(runner->db, runner->plan, row, &found, err);
		if (error)
			return error;
		if (found.presence == SWEEP_FRESH)
			row->state = SWEEP_PRESENT;
		count_found(&runner->tally, &found);
	}
	return 0;
}

static void say_product(struct sweep_runner *runner)
{
	const struct sweep_grid *grid = runner->plan->grid;
	PRINTBUF(text);
	prt_printf(&text, "%s: %zu simulations: recordings %zu, policies %zu", grid->path,
		   runner->plan->nr_rows, runner->plan->nr_recordings, grid->nr_policies);
	if (grid->nr_variants != grid->nr_policies)
		prt_printf(&text, " (%zu with their tunables)", grid->nr_variants);
	prt_printf(&text, ", sizes of fast memory %zu, seeds %zu", grid->nr_sizes, grid->nr_seeds);
	if (runner->plan->nr_kernels > 1)
		prt_printf(&text, ", kernels below agents %zu", runner->plan->nr_kernels);
	say(runner, &text);
}

static void say_present(struct sweep_runner *runner)
{
	const struct sweep_tally *tally = &runner->tally;
	const char *path = runner->settings->results_path;
	PRINTBUF(text);
	if (tally->nr_present) {
		prt_printf(&text, "%s: has %zu of them already", path, tally->nr_present);
		say(runner, &text);
	}
	printbuf_reset(&text);
	if (tally->nr_other_version + tally->nr_other_recording == 0)
		return;
	prt_printf(&text, "%s: made anew: ", path);
	if (tally->nr_other_version)
		prt_printf(&text, "%zu that another version of berth had made",
			   tally->nr_other_version);
	if (tally->nr_other_recording)
		prt_printf(&text, "%s%zu whose recording has changed",
			   tally->nr_other_version ? ", " : "", tally->nr_other_recording);
	say(runner, &text);
}

static void say_end(struct sweep_runner *runner)
{
	const struct sweep_tally *tally = &runner->tally;
	double wall_s = (double)(clock_now_ns() - runner->started_ns) / (double)NS_PER_S;
	PRINTBUF(text);
	prt_printf(&text, "%zu simulations in %.1f s on %u worker%s (%.1f s of processor time)",
		   tally->nr_done, wall_s, runner->settings->nr_workers,
		   runner->settings->nr_workers == 1 ? "" : "s",
		   (double)runner->usage.cpu_ns / (double)NS_PER_S);
	if (tally->nr_errors)
		prt_printf(&text, "; %zu rows have no figures but a reason", tally->nr_errors);
	if (tally->nr_lost)
		prt_printf(&text, "; %zu could not be made (said above)", tally->nr_lost);
	prt_printf(&text, "; look: berth sweep --show %s", runner->settings->results_path);
	say(runner, &text);
}

static int simulate(struct sweep_runner *runner, struct printbuf *err)
{
	const struct sweep_settings *settings = runner->settings;
	say_present(runner);
	if (sweep_plan_cut(runner->plan, settings->nr_workers,
			   settings->memory_bytes / settings->nr_workers))
		return error_set(err, -ENOMEM, "out of memory");
	int error = run_jobs(runner, NULL, err);
	if (!error)
		say_end(runner);
	return error;
}

static int interrupted(struct sweep_runner *runner)
{
	const struct sweep_settings *settings = runner->settings;
	PRINTBUF(text);
	prt_printf(&text,
		   "stopped by signal %d: %zu of %zu simulations are in %s, the others not; ",
		   (int)stop_signal, runner->tally.nr_done + runner->tally.nr_present,
		   runner->plan->nr_rows, settings->results_path);
	prt_printf(&text, "to go on: berth sweep %s -o %s", settings->grid_path,
		   settings->results_path);
	say(runner, &text);
	return EXIT_PARTLY;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of the write, like a full disk */
	signal(SIGPIPE, SIG_IGN);
}

int sweep_run(const struct sweep_grid *grid, const struct sweep_settings *settings)
{
	struct sweep_runner runner = { .settings = settings, .is_terminal = stderr_is_terminal() };
	const struct sweep_tally *tally = &runner.tally;
	PRINTBUF(err);
	catch_signals();
	int error = sweep_plan_new(grid, &runner.plan, &err);
	if (!error)
		say_product(&runner);
	if (!error)
		error = sweep_db_open(settings->results_path, &runner.db, &err);
	if (!error)
		error = measure(&runner, &err);
	if (!error)
		error = find_present(&runner, &err);
	if (!error)
		error = simulate(&runner, &err);
	int status = error == -EINTR					      ? interrupted(&runner)
		     : error						      ? fail(&err, error)
		     : tally->nr_lost || tally->nr_errors || tally->is_partly ? EXIT_PARTLY
									      : EXIT_DONE;
	sweep_db_close(runner.db);
	sweep_plan_free(runner.plan);
	return status;
}
