/* SPDX-License-Identifier: MIT */
/* A tiered job from its start to its end (tier.h). */
#include "linux/tier.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "linux/job_note.h"
#include "linux/placer.h"
#include "linux/undo.h"

struct tier {
	const struct tier_wish *wish;
	struct machine *machine;
	struct placer *placer;
	struct job job;
	struct job_companion companion;
	struct engine_stats noted; /* when the note was written */
	uint64_t nr_sleeps;	   /* before the first turn */
	struct printbuf *why;	   /* placing failed */
	bool has_failed;
};

static uint64_t count_sleeps(void)
{
	struct rusage usage = { 0 };
	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_nvcsw;
}

static int start(void *context, struct job *job, struct printbuf *err)
{
	struct tier *tier = context;
	placer_forgo_huge_pages();
	int error = placer_start(tier->placer, &job->journal, err);
	if (!error)
		placer_set_home(tier->placer, 0, &job->wish->prefer);
	return error ? error : live_watch(&tier->placer->live, job->child.pid, err);
}

static int turn(void *context, struct job_turn *ret)
{
	struct tier *tier = context;
	const struct engine_stats *stats = engine_stats(tier->placer->engine);
	if (stats->nr_ticks == 0)
		tier->nr_sleeps = count_sleeps();
	int error = placer_tick(tier->placer, &ret->wait_ms, tier->why);
	ret->has_news = stats->nr_promoted_pages != tier->noted.nr_promoted_pages ||
			stats->nr_demoted_pages != tier->noted.nr_demoted_pages ||
			stats->nr_ticks < 2;
	tier->noted = *stats;
	tier->has_failed = error != 0;
	return error;
}

static int wake_fd(const void *context)
{
	const struct tier *tier = context;
	return placer_fd(tier->placer);
}

static void note(const void *context, struct printbuf *out)
{
	const struct tier *tier = context;
	const struct placer *placer = tier->placer;
	uint32_t page_bytes = tier->machine->page_bytes;
	PRINTBUF(names);
	if (!placer->engine) /* not begun yet */
		return;
	const struct engine_stats *stats = engine_stats(placer->engine);
	live_costs_names(&names, placer->live.costs, placer->live.nr_costs);
	job_note_add_text(out, NOTE_POLICY, placer->wish.policy->name);
	job_note_add_text(out, NOTE_SAMPLER,
			  names.pos ? printbuf_str(&names) : placer->samplers[0]->name);
	job_note_add_number(out, NOTE_FAST_BYTES, placer->jobs[0].fast_pages * page_bytes);
	job_note_add_number(out, NOTE_SLOW_BYTES, placer->jobs[0].slow_pages * page_bytes);
	job_note_add_number(out, NOTE_PROMOTED, stats->nr_promoted_pages);
	job_note_add_number(out, NOTE_DEMOTED, stats->nr_demoted_pages);
}

static void end(void *context)
{
	struct tier *tier = context;
	tier->placer = placer_free(tier->placer);
}

/* Left by a berth that was killed; what it cannot undo is for `berth restore` to tell. */
static void recover(const struct tier *tier, const struct root *root)
{
	struct undo undo = { .root = root };
	struct journal_counts counts = { 0 };
	journal_recover(tier->job.state_fd, tier->job.self.boot, &undo_ops, &undo, &counts, NULL);
}

static int tier_init(struct tier *tier, const struct root *root, struct printbuf *err)
{
	const struct tier_wish *wish = tier->wish;
	struct placer_wish placing = { .policy = wish->policy,
				       .values = wish->values,
				       .sampler = wish->sampler,
				       .mover = wish->mover,
				       .advice = wish->advice,
				       .budget = wish->budget,
				       .sampling_share_bp = wish->sampling_share_bp };
	int error = machine_open(wish->machine ? wish->machine : "host", &tier->machine, err);
	if (!error)
		error = placer_new(root, tier->machine, &placing, &tier->placer, err);
	if (!error)
		error = job_init(&tier->job, root, wish->cpus, err);
	if (error)
		return error;
	tier->companion = (struct job_companion){ tier, start, turn, wake_fd, note, end };
	tier->job.companion = &tier->companion;
	tier->job.tell = wish->tell;
	recover(tier, root);
	return 0;
}

static void make_report(const struct tier *tier, struct tier_report *ret)
{
	struct placer *placer = tier->placer;
	struct rusage usage = { 0 };
	getrusage(RUSAGE_SELF, &usage);
	struct mover_figures moving;
	placer->mover->figures(placer->mover_state, &moving);
	*ret = (struct tier_report){
		.stats = *engine_stats(placer->engine),
		.mover = placer->mover->ops->name,
		.policy = tier->wish->policy->name,
		.sampling_ns = placer->live.sampling_ns,
		.nr_costs = placer->live.nr_costs,
		.moving_ns = placer->live.moving_ns,
		.ticking_ns = placer->ticking_ns,
		.all_ns = clock_process_cpu_ns(),
		.passed_ns = clock_now_ns() - placer->begun_ns,
		.policy_bytes = engine_policy_bytes(placer->engine),
		.series = *placer_series(placer),
		.nr_processes = placer->live.nr_spaces,
		.moving = moving,
		.advice = placer->advice ? placer->advice->figures : (struct advice_figures){ 0 },
		.nr_foreign_pages = placer->live.nr_foreign_pages,
		.max_rss_bytes = (uint64_t)usage.ru_maxrss * KIB,
		.nr_sleeps = count_sleeps() - tier->nr_sleeps,
	};
	memcpy(ret->costs, placer->live.costs, sizeof(ret->costs));
}

static void tell(const struct tier *tier, const char *text, const char *more)
{
	PRINTBUF(line);
	prt_printf(&line, "%s%s", text, more);
	if (*text && tier->wish->tell)
		tier->wish->tell(printbuf_str(&line));
}

/* The program runs: a failure beside its memory is told, and it goes on. */
static void wait_for_end(struct tier *tier)
{
	PRINTBUF(text);
	if (job_wait(&tier->job, &text))
		tell(tier, printbuf_str(&text), "; the program ran on where it was");
	else if (tier->job.is_backed_off)
		tell(tier, tier->job.group.path, ": somebody else wrote it; left alone");
}

static void tier_fini(struct tier *tier)
{
	PRINTBUF(text);
	if (tier->job.root) {
		job_end(&tier->job, &text);
		tell(tier, printbuf_str(&text), "");
		if (tier->job.signal_fd >= 0)
			sigprocmask(SIG_SETMASK, &tier->job.old_signals, NULL);
		job_fini(&tier->job);
	}
	tier->placer = placer_free(tier->placer);
	machine_free(tier->machine);
}

int tier_run(const struct root *root, const struct tier_wish *wish, char *const arguments[],
	     int *ret_status, int *ret_exec_error, struct tier_report *ret_report,
	     struct printbuf *err)
{
	struct tier tier = { .wish = wish, .why = err };
	int error = tier_init(&tier, root, err);
	if (!error)
		error = job_start(&tier.job, arguments, ret_exec_error, err);
	if (!error && !tier.job.is_ended) {
		wait_for_end(&tier);
		placer_finish(tier.placer);
		make_report(&tier, ret_report);
		ret_report->has_failed = tier.has_failed;
		*ret_status = tier.job.status;
	}
	tier_fini(&tier);
	return error;
}

static void share_to_text(struct printbuf *out, uint64_t part_ns, uint64_t whole_ns)
{
	prt_percent(out, whole_ns ? (double)part_ns / (double)whole_ns : 0, 2);
	prt_str(out, " of a CPU");
}

static void cost_to_text(struct printbuf *out, const struct live_cost *cost, uint64_t passed_ns)
{
	prt_printf(out, ", sampler %s: ", cost->sampler);
	share_to_text(out, cost->own_ns, passed_ns);
	if (cost->kernel_ns) {
		prt_str(out, " and in the kernel ");
		share_to_text(out, cost->kernel_ns, passed_ns);
	}
	if (cost->nr_faults)
		prt_printf(out, " and %llu faults", (unsigned long long)cost->nr_faults);
}

void tier_report_to_text(struct printbuf *out, const struct tier_report *report)
{
	const struct engine_stats *stats = &report->stats;
	prt_printf(out, "policy %s", report->policy);
	for (uint32_t i = 0; i < report->nr_costs; i++)
		cost_to_text(out, &report->costs[i], report->passed_ns);
	prt_printf(out, ", mover %s: ", report->mover);
	share_to_text(out, report->moving_ns, report->passed_ns);
	prt_str(out, ", deciding: ");
	share_to_text(out, tier_report_deciding_ns(report), report->passed_ns);
	prt_str(out, ", berth in all: ");
	share_to_text(out, report->all_ns, report->passed_ns);
	prt_printf(out, "\n%llu samples, %llu promoted, %llu demoted pages",
		   (unsigned long long)stats->nr_samples,
		   (unsigned long long)stats->nr_promoted_pages,
		   (unsigned long long)stats->nr_demoted_pages);
	for (unsigned i = MOVE_DONE + 1; i < MOVE_NR_OUTCOMES; i++)
		if (stats->nr_outcome_pages[i])
			prt_printf(out, ", %llu %s", (unsigned long long)stats->nr_outcome_pages[i],
				   move_outcome_names[i]);
	prt_printf(out, "; %u processes, the policy holds ", report->nr_processes);
	prt_bytes(out, report->policy_bytes);
	if (report->nr_foreign_pages)
		prt_printf(out, "; %llu pages in use are nobody's that is watched",
			   (unsigned long long)report->nr_foreign_pages);
	prt_char(out, '\n');
	mover_figures_to_text(out, &report->moving);
	advice_to_text(out, &report->advice);
}
