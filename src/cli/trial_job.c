/* SPDX-License-Identifier: MIT */
/*
 * A trial of a job of the daemon (linux/daemon_trial.c is the other side): windows in which the
 * daemon serves it, its threads and its memory, and windows in which it has let go of it.
 *
 *     with      where its pages are is written down; "on"  [ ... | ..measured.. ]  "off";
 *               pages that are elsewhere are brought back
 *     without   "off" again, so that it lasts              [ ... | ..measured.. ]
 *
 * So every window begins with the placement that was there when the trial began, as in a trial of
 * a process (trial_process.c). If the daemon made that one, what is measured is what going on
 * placing gains over leaving it there.
 *
 * The daemon is asked to let go for a limited time only: if this program is killed, the job is
 * served again when that is over. At its end it is taken up again.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/reply.h"
#include "cli/trial_life.h"
#include "linux/live.h"
#include "linux/movers.h"
#include "linux/process.h"
#include "linux/whereabouts.h"

#define PIDS_MAX    4096
#define UNDO_NS	    (60 * NS_PER_S)
#define EXTRA_S	    120 /* that letting go may last beyond two windows */
#define UNDO_PASSES 2	/* what the daemon had on its way arrives after the first */
#define TURN_MS	    100

struct figures { /* that the daemon tells of the job, or of itself */
	uint64_t nr_promoted, nr_demoted;
	double own_ns;
};

struct subject {
	struct trial *trial;
	struct root root;
	struct machine *machine;
	struct trial_life life;
	struct live_wanted processes[PIDS_MAX]; /* by pid */
	pid_t pids[PIDS_MAX];
	size_t nr;
	struct whereabouts whereabouts;
	struct takeback takeback;
	bool is_let_go;
};

static void take_process(void *context, const struct reply_row *row)
{
	struct subject *subject = context;
	if (subject->nr == PIDS_MAX)
		return;
	subject->pids[subject->nr] = (pid_t)reply_u64(row, "pid");
	subject->processes[subject->nr++] = (struct live_wanted){ (pid_t)reply_u64(row, "pid"),
								  reply_u64(row, "start_ticks"),
								  0 };
}

/* Asks for "on" or "off", and takes the job's processes. An exit status. */
static int ask_trial(struct subject *subject, const char *value)
{
	const struct trial_options *options = subject->trial->options;
	struct json_writer json;
	PRINTBUF(line);
	PRINTBUF(seconds);
	PRINTBUF(answer);
	prt_u64(&seconds, 2 * options->window_ns / NS_PER_S + EXTRA_S);
	json_writer_init(&json, &line, true);
	json_object_begin(&json, NULL);
	json_str(&json, "ask", "trial");
	json_str(&json, "job", options->job);
	json_str(&json, "value", value);
	json_str(&json, "seconds", printbuf_str(&seconds));
	json_object_end(&json);
	int status = reply_ask(options->socket, options->state, printbuf_str(&line), false,
			       &answer);
	if (status)
		return status;
	subject->is_let_go = strcmp(value, "off") == 0;
	subject->nr = 0;
	if (reply_rows(printbuf_str(&answer), "processes", take_process, subject) < 0) {
		complain("the daemon's answer has no processes: another version of berth?");
		return EXIT_FAILED;
	}
	subject->life.nr_pids = subject->nr;
	return 0;
}

struct finding {
	const char *job;
	struct figures figures;
};

static void take_job(void *context, const struct reply_row *row)
{
	struct finding *finding = context;
	const char *name = reply_value(row, "job");
	if (!name || strcmp(name, finding->job) != 0)
		return;
	finding->figures.nr_promoted = reply_u64(row, "promoted_pages");
	finding->figures.nr_demoted = reply_u64(row, "demoted_pages");
}

static void take_service(void *context, const struct reply_row *row)
{
	struct finding *finding = context;
	const char *share = reply_value(row, "cpu_share");
	finding->figures.own_ns = share ? strtod(share, NULL) * (double)reply_u64(row, "running_ns")
					: 0;
}

/* What cannot be had counts as nothing: only the cost is told by it. */
static struct figures ask_figures(const struct subject *subject)
{
	const struct trial_options *options = subject->trial->options;
	struct finding finding = { .job = options->job };
	PRINTBUF(answer);
	if (reply_ask(options->socket, options->state, "{\"ask\":\"status\"}", false, &answer) ==
	    0) {
		reply_rows(printbuf_str(&answer), "jobs", take_job, &finding);
		reply_rows(printbuf_str(&answer), "service", take_service, &finding);
	}
	return finding.figures;
}

/* Counts begin anew when the daemon's placer does. */
static uint64_t grown(uint64_t before, uint64_t after)
{
	return after >= before ? after - before : after;
}

static void count_window(struct trial *trial, const struct figures *before,
			 const struct figures *after, uint64_t passed_ns)
{
	trial->nr_with++;
	trial->with_ns += passed_ns;
	trial->nr_promoted += grown(before->nr_promoted, after->nr_promoted);
	trial->nr_demoted += grown(before->nr_demoted, after->nr_demoted);
	if (after->own_ns > before->own_ns)
		trial->own_ns += (uint64_t)(after->own_ns - before->own_ns);
}

static int turn(void *context, int *ret_wait_ms, struct printbuf *err)
{
	const struct subject *subject = context;
	uint64_t ticks;
	*ret_wait_ms = TURN_MS;
	for (size_t i = 0; i < subject->nr; i++)
		if (process_start_ticks(&subject->root, subject->pids[i], &ticks) == 0)
			return 0;
	return error_set(err, -ESRCH, "job %s: its processes have ended",
			 subject->trial->options->job);
}

/* Pages back to where they were; twice, as the daemon may have had some on their way. */
static int bring_back(struct subject *subject, struct live *live, struct printbuf *err)
{
	const struct live_mover *ops = live_movers[0];
	struct takeback_counts *back = &subject->trial->back;
	uint64_t nr_stuck = 0; /* of the pass before: counted already */
	void *state = NULL;
	int error = ops->new (live, &state, err);
	for (int pass = 0; pass < UNDO_PASSES && !error; pass++) {
		const struct takeback_mover mover = { ops->ops, state, 0, clock_now_ns, UNDO_NS };
		struct takeback_counts counts = { 0 };
		error = whereabouts_compare(&subject->whereabouts, live, &subject->takeback);
		if (!error)
			error = takeback_undo(&subject->takeback, subject->machine, &mover,
					      &counts);
		back->nr_pages += counts.nr_pages - MIN(counts.nr_pages, nr_stuck);
		back->nr_back += counts.nr_back;
		nr_stuck = counts.nr_pages - counts.nr_back;
	}
	if (state)
		ops->free(state);
	return error ? error_set(err, error, "pages cannot be taken back: %s", error_text(error))
		     : 0;
}

/* The window itself: "on", measured, "off"; an exit status. */
static int serve(struct subject *subject, double *ret)
{
	PRINTBUF(err);
	struct figures before = ask_figures(subject);
	uint64_t start_ns = clock_now_ns();
	int status = ask_trial(subject, "on");
	if (status)
		return status;
	int error = trial_life_measure(&subject->life, ret, &err);
	struct figures after = ask_figures(subject);
	status = ask_trial(subject, "off");
	count_window(subject->trial, &before, &after, clock_now_ns() - start_ns);
	return error ? fail(&err, error) : status;
}

static int with_berth(struct subject *subject, double *ret)
{
	PRINTBUF(err);
	struct live live;
	int error = live_init(&live, &subject->root, subject->machine, &err);
	if (error)
		return fail(&err, error);
	error = live_watch_these(&live, subject->processes, subject->nr);
	if (!error)
		error = whereabouts_take(&subject->whereabouts, &live);
	if (error)
		error_set(&err, error, "where the job's pages are: %s", error_text(error));
	int status = error ? fail(&err, error) : serve(subject, ret);
	printbuf_reset(&err);
	if (!error && bring_back(subject, &live, &err) && !status)
		status = fail(&err, -EIO);
	live_fini(&live);
	return status;
}

static int run(void *context, bool with, double *ret)
{
	struct subject *subject = context;
	PRINTBUF(err);
	int status = ask_trial(subject, "off");
	if (status)
		return status;
	if (with)
		return with_berth(subject, ret);
	int error = trial_life_measure(&subject->life, ret, &err);
	return error ? fail(&err, error) : 0;
}

static int subject_init(struct subject *subject)
{
	const struct trial_options *options = subject->trial->options;
	PRINTBUF(err);
	int error = root_open("/", &subject->root, &err);
	if (!error)
		error = machine_open(options->machine ? options->machine : "host",
				     &subject->machine, &err);
	int status = error ? fail(&err, error) : ask_trial(subject, "off");
	if (status)
		return status;
	if (subject->nr == 0) {
		complain("job %s has no process", options->job);
		return EXIT_FAILED;
	}
	subject->life = (struct trial_life){ .trial = subject->trial,
					     .root = &subject->root,
					     .pids = subject->pids,
					     .nr_pids = subject->nr,
					     .context = subject,
					     .turn = turn };
	error = trial_life_check(&subject->life, &err);
	return error ? fail(&err, error) : 0;
}

int trial_job(struct trial *trial)
{
	struct subject *subject = calloc(1, sizeof(*subject));
	if (!subject)
		return fail(NULL, -ENOMEM);
	const struct trial_way way = { subject, run, 2 * trial->options->window_ns };
	subject->trial = trial;
	int status = subject_init(subject);
	if (!status)
		status = trial_pairs(trial, &way, clock_now_ns());
	if (subject->is_let_go)
		ask_trial(subject, "on");
	whereabouts_fini(&subject->whereabouts);
	takeback_fini(&subject->takeback);
	machine_free(subject->machine);
	root_fini(&subject->root);
	free(subject);
	return status;
}
