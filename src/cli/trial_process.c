/* SPDX-License-Identifier: MIT */
/*
 * A trial of a process that runs: a window is a while in its life, with its memory placed or with
 * its pages where they were before berth came.
 *
 *     with      [ placer starts anew ...... | ....measured.... ] pages taken back, placer ends
 *     without   [ nothing ................. | ....measured.... ]
 *                 a third of the window: settling, not measured
 *
 * Pages stay where berth put them, so berth that merely pauses would be measured on its own
 * placement. Therefore every page that was moved in a window is moved back at its end
 * (linux/takeback.h), and every window begins with the placement that the kernel had made. The
 * price: each window with berth begins without knowledge, so its figure is that of berth's first
 * seconds, and copying twice. How many pages went back is told.
 *
 * The kernel's setting that is held while berth places (numa_balancing) is given back after each
 * window.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/run_tier.h"
#include "cli/trial.h"
#include "linux/placer.h"
#include "linux/process.h"
#include "linux/task_counter.h"
#include "linux/undo.h"

#define SETTLING_PARTS 3 /* of a window the first is not measured */
#define UNDO_NS	       (60 * NS_PER_S)
#define WAIT_MAX_MS    100

struct subject {
	struct trial *trial;
	struct root root;
	struct machine *machine;
	struct placer_wish wish;
	uint64_t values[TUNABLES_MAX];
	struct engine_watch watch;
	struct takeback takeback;
	struct journal_owner self;
	int state_fd;
	pid_t pid;
	uint64_t start_ticks;
};

static bool is_there(const struct subject *subject)
{
	uint64_t ticks;
	return process_start_ticks(&subject->root, subject->pid, &ticks) == 0 &&
	       ticks == subject->start_ticks;
}

/* Lets time pass, with berth at work when there is a placer. */
static int serve(struct subject *subject, struct placer *placer, uint64_t until_ns,
		 struct printbuf *err)
{
	int error = 0;
	for (uint64_t now_ns; !error && !trial_caught() && (now_ns = clock_now_ns()) < until_ns;) {
		int wait_ms = WAIT_MAX_MS;
		if (!is_there(subject))
			return error_set(err, -ESRCH, "pid %d ended", (int)subject->pid);
		if (placer)
			error = placer_tick(placer, &wait_ms, err);
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

static int ask(const struct subject *subject, uint64_t passed_ns, struct answer *ret,
	       struct printbuf *err)
{
	PRINTBUF(pid);
	PRINTBUF(seconds);
	prt_u64(&pid, (uint64_t)subject->pid);
	prt_fixed(&seconds, (double)passed_ns / NS_PER_S, 6);
	const char *const environment[] = { "BERTH_TRIAL_PID", printbuf_str(&pid),
					    "BERTH_TRIAL_SECONDS", printbuf_str(&seconds), NULL };
	uint64_t start_ns = clock_now_ns();
	int error = trial_ask(subject->trial->options->metric, environment, &ret->number, err);
	ret->at_ns = start_ns + (clock_now_ns() - start_ns) / 2;
	return error;
}

/* By a command: its number at the end, or what it grew by in a second. */
static int measure_by_command(struct subject *subject, struct placer *placer, uint64_t for_ns,
			      double *ret, struct printbuf *err)
{
	bool is_counter = subject->trial->options->is_counter;
	struct answer before = { .at_ns = clock_now_ns() }, after;
	int error = is_counter ? ask(subject, 0, &before, err) : 0;
	if (!error)
		error = serve(subject, placer, clock_now_ns() + for_ns, err);
	if (error || trial_caught())
		return error;
	error = ask(subject, clock_now_ns() - before.at_ns, &after, err);
	if (error)
		return error;
	double passed_s = (double)(after.at_ns - before.at_ns) / NS_PER_S;
	*ret = is_counter ? (after.number - before.number) / passed_s : after.number;
	return 0;
}

static int measure_by_instructions(struct subject *subject, struct placer *placer, uint64_t for_ns,
				   double *ret, struct printbuf *err)
{
	struct task_counter counter;
	int error = task_counter_instructions(&subject->root, subject->pid, &counter, err);
	if (error)
		return error;
	uint64_t start_ns = clock_now_ns();
	error = serve(subject, placer, start_ns + for_ns, err);
	uint64_t passed_ns = clock_now_ns() - start_ns;
	if (!error)
		error = task_counter_read(&counter, ret);
	*ret = *ret * 1000 / (double)MAX(passed_ns, 1); /* a second's millions */
	task_counter_fini(&counter);
	return error;
}

static int measure(struct subject *subject, struct placer *placer, double *ret,
		   struct printbuf *err)
{
	uint64_t window_ns = subject->trial->options->window_ns;
	uint64_t settling_ns = window_ns / SETTLING_PARTS;
	int error = serve(subject, placer, clock_now_ns() + settling_ns, err);
	if (error || trial_caught())
		return error;
	return subject->trial->options->metric
		       ? measure_by_command(subject, placer, window_ns - settling_ns, ret, err)
		       : measure_by_instructions(subject, placer, window_ns - settling_ns, ret,
						 err);
}

static void count_window(struct subject *subject, const struct placer *placer, uint64_t passed_ns,
			 uint64_t own_ns)
{
	struct trial *trial = subject->trial;
	const struct engine_stats *stats = engine_stats(placer->engine);
	trial->nr_with++;
	trial->with_ns += passed_ns;
	trial->own_ns += own_ns;
	trial->nr_promoted += stats->nr_promoted_pages;
	trial->nr_demoted += stats->nr_demoted_pages;
}

/* Submitted and not reported when the engine stopped. */
static uint64_t nr_on_way(const struct engine_stats *stats)
{
	uint64_t nr_reported = 0;
	for (unsigned i = 0; i < MOVE_NR_OUTCOMES; i++)
		nr_reported += stats->nr_outcome_pages[i];
	return stats->nr_submitted_pages - MIN(stats->nr_submitted_pages, nr_reported);
}

/* Where the pages were before; whatever else went wrong. */
static int take_back(struct subject *subject, struct placer *placer, struct printbuf *err)
{
	struct takeback_counts counts = { 0 };
	const struct takeback_mover mover = { .ops = placer->mover->ops,
					      .state = placer->mover_state,
					      .nr_on_way = nr_on_way(engine_stats(placer->engine)),
					      .now_ns = clock_now_ns,
					      .limit_ns = UNDO_NS };
	int error = takeback_undo(&subject->takeback, subject->machine, &mover, &counts);
	int lost = subject->takeback.error;
	subject->trial->back.nr_pages += counts.nr_pages;
	subject->trial->back.nr_back += counts.nr_back;
	subject->takeback.error = 0;
	if (lost)
		return error_set(err, lost,
				 "too many pages moved in a window to remember where "
				 "they were; give a shorter one with --window");
	return error ? error_set(err, error, "pages cannot be taken back: %s", error_text(error))
		     : 0;
}

static int place(struct subject *subject, struct placer *placer, double *ret, struct printbuf *err)
{
	uint64_t start_ns = clock_now_ns(), cpu_ns = clock_process_cpu_ns();
	PRINTBUF(ignored);
	int error = measure(subject, placer, ret, err);
	count_window(subject, placer, clock_now_ns() - start_ns, clock_process_cpu_ns() - cpu_ns);
	int failed = take_back(subject, placer, error ? &ignored : err);
	return error ? error : failed;
}

static int with_berth(struct subject *subject, double *ret, struct printbuf *err)
{
	struct undo undo = { .root = &subject->root, .owner = subject->self };
	struct journal journal = { .fd = -1 };
	struct placer *placer = NULL;
	int error = placer_new(&subject->root, subject->machine, &subject->wish, &placer, err);
	if (error)
		return error;
	error = live_watch(&placer->live, subject->pid, err);
	if (!error)
		error = journal_create(subject->state_fd, &subject->self, &journal, err);
	if (!error)
		error = placer_start(placer, &journal, err);
	if (!error)
		error = place(subject, placer, ret, err);
	placer_free(placer);
	if (journal.fd >= 0) {
		journal_undo(&journal, &undo_ops, &undo, NULL);
		journal_fini(&journal);
	}
	return error;
}

static int run(void *context, bool with, double *ret)
{
	struct subject *subject = context;
	PRINTBUF(err);
	int error = with ? with_berth(subject, ret, &err) : measure(subject, NULL, ret, &err);
	return error ? fail(&err, error) : 0;
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

/* A command that does not work, or no counter where there is no command, is better told now than
 * after the first window. */
static int check_metric(struct subject *subject, struct printbuf *err)
{
	struct task_counter counter;
	struct answer ignored;
	if (subject->trial->options->metric)
		return ask(subject, 0, &ignored, err);
	int error = task_counter_instructions(&subject->root, subject->pid, &counter, err);
	if (!error)
		task_counter_fini(&counter);
	else
		error_set(err, 0,
			  ". Instructions in a second are what is compared otherwise: name "
			  "a command that prints what the process gets done, --metric "
			  "COMMAND");
	return error;
}

static int subject_init(struct subject *subject, struct printbuf *err)
{
	const struct trial_options *options = subject->trial->options;
	struct undo undo = { .root = &subject->root };
	struct journal_counts counts = { 0 };
	int error = root_open("/", &subject->root, err);
	if (error)
		return error;
	if (process_start_ticks(&subject->root, subject->pid, &subject->start_ticks) < 0)
		return error_set(err, -ESRCH, "pid %d: no such process", (int)subject->pid);
	error = machine_open(options->machine ? options->machine : "host", &subject->machine, err);
	if (!error)
		error = check_metric(subject, err);
	if (!error)
		error = process_self(&subject->root, &subject->self, err);
	if (!error)
		error = undo_open_directory(&subject->root, options->state, true,
					    &subject->state_fd, err);
	if (!error)
		journal_recover(subject->state_fd, subject->self.boot, &undo_ops, &undo, &counts,
				NULL);
	return error;
}

static void subject_fini(struct subject *subject)
{
	takeback_fini(&subject->takeback);
	if (subject->state_fd >= 0)
		close(subject->state_fd);
	machine_free(subject->machine);
	root_fini(&subject->root);
}

static int run_trial(struct subject *subject)
{
	struct trial *trial = subject->trial;
	const struct trial_way way = { subject, run, 2 * trial->options->window_ns };
	PRINTBUF(err);
	subject->watch = (struct engine_watch){ .context = &subject->takeback,
						.completed = takeback_note };
	subject->wish.watch = &subject->watch;
	name_metric(trial);
	int error = subject_init(subject, &err);
	return error ? fail(&err, error) : trial_pairs(trial, &way, clock_now_ns());
}

int trial_process(struct trial *trial)
{
	const struct trial_options *options = trial->options;
	struct run_tier_options tier = { .rate_bytes = options->rate_bytes };
	struct subject *subject = calloc(1, sizeof(*subject));
	if (!subject)
		return fail(NULL, -ENOMEM);
	subject->trial = trial;
	subject->pid = (pid_t)options->pid;
	subject->state_fd = -1;
	subject->wish = (struct placer_wish){ .values = subject->values,
					      .sampler = options->sampler,
					      .budget = run_tier_budget(&tier) };
	int status = run_tier_policy(options->policy ? options->policy : "berth",
				     &subject->wish.policy, subject->values);
	if (!status) {
		status = run_trial(subject);
		subject_fini(subject);
	}
	free(subject);
	return status;
}
