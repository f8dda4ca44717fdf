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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/run_tier.h"
#include "cli/trial_life.h"
#include "linux/placer.h"
#include "linux/process.h"
#include "linux/undo.h"

#define UNDO_NS (60 * NS_PER_S)

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
	struct trial_life life;
	struct placer *placer; /* at work in this window; NULL: none */
	pid_t pid;
	uint64_t start_ticks;
};

static bool is_there(const struct subject *subject)
{
	uint64_t ticks;
	return process_start_ticks(&subject->root, subject->pid, &ticks) == 0 &&
	       ticks == subject->start_ticks;
}

static int turn(void *context, int *ret_wait_ms, struct printbuf *err)
{
	const struct subject *subject = context;
	if (!is_there(subject))
		return error_set(err, -ESRCH, "pid %d ended", (int)subject->pid);
	return subject->placer ? placer_tick(subject->placer, ret_wait_ms, err) : 0;
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
	subject->placer = placer;
	int error = trial_life_measure(&subject->life, ret, err);
	subject->placer = NULL;
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
	int error = with ? with_berth(subject, ret, &err)
			 : trial_life_measure(&subject->life, ret, &err);
	return error ? fail(&err, error) : 0;
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
		error = trial_life_check(&subject->life, err);
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
	subject->life = (struct trial_life){ .trial = trial,
					     .root = &subject->root,
					     .pids = &subject->pid,
					     .nr_pids = 1,
					     .has_children = true,
					     .context = subject,
					     .turn = turn };
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
