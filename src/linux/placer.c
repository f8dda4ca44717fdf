/* SPDX-License-Identifier: MIT */
/* Placing the memory of processes (placer.h). */
#include "linux/placer.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/hold.h"
#include "linux/samplers.h"

#define TICK_MAX_NS   NS_PER_S
#define TICK_DOZE_NS  (2 * NS_PER_S) /* where nobody who is watched runs */
#define REFRESH_NS    NS_PER_S
#define REFRESH_REST  500 /* times what it takes: who comes late is placed late */
#define REFRESH_MAX   (5 * NS_PER_S)
#define SHARE_BP      200 /* of a CPU for sampling */
#define SHARE_BUSY_BP 600 /* while pages move, and at the beginning; paid back later */
#define BUSY_NS	      (10 * NS_PER_S)
#define BUSY_MOVED_NS (5 * NS_PER_S)
#define BUSY_PARTS    256 /* of its pages: so many moved at least */
#define BALANCING     "proc/sys/kernel/numa_balancing"
#define LARGE_BYTES   (128 * 1024) /* of an allocation that is a mapping of its own */

static int choose_samplers(struct placer *placer, struct printbuf *err)
{
	const char *names = placer->wish.sampler;
	int error = live_samplers_parse(names ? names : live_sampler_auto.name, placer->samplers,
					LIVE_SAMPLERS_MAX, &placer->nr_samplers, err);
	for (uint32_t i = 0; !error && i < placer->nr_samplers; i++)
		error = placer->samplers[i]->probe(&placer->live, err);
	return error;
}

static int choose(struct placer *placer, struct printbuf *err)
{
	if (placer->machine->nr_tiers < 2)
		return error_set(err, -EOPNOTSUPP,
				 "this machine has one tier of memory: there is nowhere to move "
				 "pages to; `berth machine` shows it");
	int error = live_mover_parse(placer->wish.mover, &placer->mover, err);
	if (!error)
		error = placer->mover->ops->probe(&placer->live, err);
	return error ? error : choose_samplers(placer, err);
}

/* The C library takes ever larger allocations from its heap once a larger one was freed. There a
 * table that doubles leaves its halves behind; as mappings tables grow in place, and what is freed
 * or not yet written takes no memory. */
static void keep_large_apart(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

void placer_forgo_huge_pages(void)
{
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

int placer_new(const struct root *root, const struct machine *machine,
	       const struct placer_wish *wish, struct placer **ret, struct printbuf *err)
{
	struct placer *placer = calloc(1, sizeof(*placer));
	if (!placer)
		return error_set(err, -ENOMEM, "out of memory");
	keep_large_apart();
	placer->root = root;
	placer->machine = machine;
	placer->wish = *wish;
	int error = live_init(&placer->live, root, machine, err);
	if (!error)
		error = choose(placer, err);
	if (!error)
		error = wish->is_dry
				? mover_dry_new(&placer->dry)
				: placer->mover->new (&placer->live, &placer->mover_state, err);
	if (!error && !wish->is_dry)
		error = advice_new(&placer->live, wish->advice, &placer->advice, err);
	if (!error && wish->keeps_ledger)
		error = ledger_init(&placer->ledger, machine);
	if (error) {
		placer_free(placer);
		return error;
	}
	*ret = placer;
	return 0;
}

struct placer *placer_free(struct placer *placer)
{
	if (!placer)
		return NULL;
	engine_free(placer->engine);
	if (placer->mover_state)
		placer->mover->free(placer->mover_state);
	advice_free(placer->advice);
	mover_dry_free(placer->dry);
	ledger_fini(&placer->ledger);
	if (placer->live.root)
		live_fini(&placer->live);
	free(placer);
	return NULL;
}

int placer_fd(const struct placer *placer)
{
	return placer->mover_state ? placer->mover->fd(placer->mover_state) : -1;
}

/* What each job has, from what each of its processes has. */
static void sum_jobs(struct placer *placer)
{
	const struct live *live = &placer->live;
	for (uint32_t i = 0; i < placer->nr_jobs; i++)
		placer->jobs[i].fast_pages = placer->jobs[i].slow_pages = 0;
	for (uint32_t i = 0; i < live->nr_spaces; i++) {
		const struct live_space *space = &live->spaces[i];
		if (space->pidfd < 0 || live->job_of[i] >= placer->nr_jobs)
			continue;
		placer->jobs[live->job_of[i]].fast_pages += space->fast_pages;
		placer->jobs[live->job_of[i]].slow_pages += space->slow_pages;
	}
}

static int look(void *world, struct policy_node *nodes, uint32_t nr_nodes)
{
	struct placer *placer = world;
	int error = live_look(&placer->live, nodes, nr_nodes);
	placer->fast_free_pages = 0;
	for (uint32_t i = 0; i < nr_nodes && !error; i++)
		if (placer->machine->nodes[i].tier == 0 && nodes[i].free_pages > nodes[i].low_pages)
			placer->fast_free_pages += nodes[i].free_pages - nodes[i].low_pages;
	return error;
}

/* One job has what was counted for all processes together, by whomever. */
static int look_jobs(void *world, struct engine_jobs *ret)
{
	struct placer *placer = world;
	const struct live *live = &placer->live;
	if (placer->nr_jobs > 1) {
		sum_jobs(placer);
	} else {
		placer->jobs[0].fast_pages = ret->jobs[0].fast_pages;
		placer->jobs[0].slow_pages = ret->jobs[0].slow_pages;
	}
	for (uint32_t i = 0; i < placer->nr_jobs && placer->wish.keeps_ledger; i++) {
		struct policy_job *job = &placer->jobs[i];
		job->is_left_alone = patience_turn(
			&placer->patience[i], job->fast_pages + job->slow_pages, placer->now_ns);
	}
	*ret = (struct engine_jobs){ placer->jobs, placer->nr_jobs, live->job_of, live->nr_spaces };
	return 0;
}

static uint32_t job_of(const struct placer *placer, uint32_t space)
{
	uint32_t job = space < placer->live.nr_spaces ? placer->live.job_of[space] : 0;
	return MIN(job, placer->nr_jobs - 1);
}

static bool is_fast(const struct placer *placer, uint32_t node)
{
	return node < placer->machine->nr_nodes && placer->machine->nodes[node].tier == 0;
}

static void planned(void *context, const struct plan *plan)
{
	struct placer *placer = context;
	const struct engine_watch *watch = placer->wish.watch;
	for (uint32_t i = 0; i < plan->nr; i++) {
		const struct plan_move *move = &plan->moves[i];
		struct placer_counts *counts = &placer->counts[job_of(placer, move->space)];
		counts->nr_planned += move->nr_pages;
		placer->live.nr_planned_pages += move->is_due ? 0 : move->nr_pages;
		if (placer->wish.keeps_ledger)
			*(is_fast(placer, move->to) ? &counts->nr_wanted_up
						    : &counts->nr_wanted_down) +=
				ledger_plan(&placer->ledger, move, placer->now_ns);
	}
	if (watch && watch->planned)
		watch->planned(watch->context, plan);
}

static void take_pages(uint64_t *from, uint64_t *to, uint64_t nr)
{
	*from -= MIN(*from, nr);
	*to += nr;
}

/* What was counted before the move is right again after it. */
static void count_result(struct placer *placer, const struct move_result *result)
{
	struct placer_counts *counts = &placer->counts[job_of(placer, result->space)];
	counts->nr_outcome[result->outcome] += result->nr_pages;
	if (result->outcome != MOVE_DONE || result->space >= placer->live.nr_spaces)
		return;
	struct live_space *space = &placer->live.spaces[result->space];
	if (result->from < placer->machine->nr_nodes && result->to < placer->machine->nr_nodes)
		take_pages(&placer->live.job_pages[result->from],
			   &placer->live.job_pages[result->to], result->nr_pages);
	if (engine_is_promotion(placer->machine, result->from, result->to)) {
		counts->nr_promoted += result->nr_pages;
		take_pages(&space->slow_pages, &space->fast_pages, result->nr_pages);
	} else if (engine_is_promotion(placer->machine, result->to, result->from)) {
		counts->nr_demoted += result->nr_pages;
		take_pages(&space->fast_pages, &space->slow_pages, result->nr_pages);
	}
}

static void note_result(struct placer *placer, const struct move_result *result)
{
	uint32_t job = job_of(placer, result->space);
	if (!placer->wish.keeps_ledger)
		return;
	uint64_t nr_trips = ledger_result(&placer->ledger, result, job, placer->now_ns);
	placer->counts[job].nr_trips += nr_trips;
	if (result->outcome == MOVE_DONE)
		patience_note_moves(&placer->patience[job], result->nr_pages, nr_trips);
}

static void completed(void *context, const struct move_result *results, uint32_t nr)
{
	struct placer *placer = context;
	const struct engine_watch *watch = placer->wish.watch;
	for (uint32_t i = 0; i < nr; i++)
		if (results[i].outcome < MOVE_NR_OUTCOMES) {
			note_result(placer, &results[i]);
			count_result(placer, &results[i]);
		}
	if (placer->advice)
		advice_note(placer->advice, results, nr, placer->now_ns);
	if (watch && watch->completed)
		watch->completed(watch->context, results, nr);
}

/* Hint faults tell only of slow memory: no share can be had from them. */
static void note_uses(struct placer *placer, const struct sample *sample)
{
	bool is_use = sample->kind == SAMPLE_HARDWARE ||
		      (sample->kind == SAMPLE_HITS && sample->hits > 0);
	if (!is_use || sample->node == SAMPLE_NONE)
		return;
	bool fast = is_fast(placer, sample->node);
	patience_note_uses(&placer->patience[job_of(placer, sample->space)],
			   fast ? sample->nr_pages : 0, fast ? 0 : sample->nr_pages);
}

static void observed(void *context, const struct sample_batch *batch)
{
	struct placer *placer = context;
	const struct engine_watch *watch = placer->wish.watch;
	for (uint32_t i = 0; i < batch->nr && placer->wish.keeps_ledger; i++)
		note_uses(placer, &batch->samples[i]);
	for (uint32_t i = 0; i < batch->nr; i++)
		placer->nr_seen += batch->samples[i].hits ? batch->samples[i].nr_pages : 0;
	if (watch && watch->observed)
		watch->observed(watch->context, batch);
}

static int make_engine(struct placer *placer, struct printbuf *err)
{
	placer->watch = (struct engine_watch){ placer, observed, planned, completed };
	struct engine_config config = {
		.machine = placer->machine,
		.page_bytes = placer->machine->page_bytes,
		.policy = placer->wish.policy,
		.values = placer->wish.values,
		.seed = 1,
		.nr_samplers = placer->nr_samplers,
		.mover = placer->wish.is_dry ? &mover_dry : placer->mover->ops,
		.mover_state = placer->wish.is_dry ? placer->dry : placer->mover_state,
		.look = look,
		.look_jobs = look_jobs,
		.look_world = placer,
		.budget = placer->wish.budget,
		.watch = &placer->watch,
	};
	for (uint32_t i = 0; i < placer->nr_samplers; i++)
		config.samplers[i] = (struct engine_sampler){ placer->samplers[i], &placer->live };
	if (placer->wish.keeps_ledger)
		config.samplers[config.nr_samplers++] =
			(struct engine_sampler){ &live_sampler_census, &placer->live };
	return engine_new(&config, &placer->engine, err);
}

/* The kernel would move pages too, and arm them, which costs the program faults. Where it may not
 * be told so, it moves them: the mover finds them elsewhere, nothing breaks. */
static int hold_back_kernel(struct placer *placer, struct journal *journal, struct printbuf *err)
{
	if (!root_has(placer->root, BALANCING))
		return 0;
	int error = hold_file(placer->root, journal, BALANCING, "0", err);
	return error == -EACCES || error == -EPERM || error == -EROFS ? 0 : error;
}

int placer_start(struct placer *placer, struct journal *journal, struct printbuf *err)
{
	const struct engine_budget *budget = &placer->wish.budget;
	placer->live.journal = journal;
	int error = 0;
	if (placer->nr_jobs == 0)
		error = placer_set_job(placer, 0, budget->floor_fast_bytes, budget->cap_fast_bytes);
	if (!error)
		error = make_engine(placer, err);
	if (!error && journal && !placer->live.uses_balancing)
		error = hold_back_kernel(placer, journal, err);
	placer->refresh_rest_ns = REFRESH_NS;
	placer->begun_ns = placer->refreshed_ns = placer->moved_ns = clock_now_ns();
	return error;
}

int placer_set_job(struct placer *placer, uint32_t job, uint64_t floor_bytes, uint64_t cap_bytes)
{
	uint32_t page_bytes = placer->machine->page_bytes;
	if (job >= ENGINE_JOBS_MAX)
		return -E2BIG;
	for (; placer->nr_jobs <= job; placer->nr_jobs++) {
		placer->jobs[placer->nr_jobs] = (struct policy_job){ .cap_pages = UINT64_MAX };
		placer->patience[placer->nr_jobs] = PATIENCE_NEW;
	}
	placer->jobs[job].floor_pages = floor_bytes / page_bytes + (floor_bytes % page_bytes != 0);
	placer->jobs[job].cap_pages = cap_bytes == UINT64_MAX ? UINT64_MAX : cap_bytes / page_bytes;
	placer->live.counts_spaces = placer->nr_jobs > 1;
	return 0;
}

void placer_set_home(struct placer *placer, uint32_t job, const struct set *cpus)
{
	if (job < placer->nr_jobs)
		placer->jobs[job].home_cpus = cpus && !set_is_empty(cpus) ? cpus : NULL;
}

/* Looking is dear: there is more to find while many pages move. */
static void choose_share(struct placer *placer, uint64_t now_ns)
{
	const struct engine_stats *stats = engine_stats(placer->engine);
	uint64_t nr_moved = stats->nr_promoted_pages + stats->nr_demoted_pages;
	uint64_t nr_pages = 0;
	for (uint32_t i = 0; i < placer->machine->nr_nodes; i++)
		nr_pages += placer->live.job_pages[i];
	if (nr_moved - placer->nr_moved > nr_pages / BUSY_PARTS)
		placer->moved_ns = now_ns;
	placer->nr_moved = nr_moved;
	uint64_t quiet_bp = placer->wish.sampling_share_bp ? placer->wish.sampling_share_bp
							   : SHARE_BP;
	bool is_early = now_ns - placer->begun_ns < BUSY_NS;
	bool is_busy = (is_early || now_ns - placer->moved_ns < BUSY_MOVED_NS) &&
		       !placer->wish.is_share_fixed;
	uint64_t share_bp = is_busy ? MAX(SHARE_BUSY_BP, quiet_bp) : quiet_bp;
	placer->live.sampling_share_bp = share_bp / placer->nr_samplers;
	placer->live.lasting_share_bp = quiet_bp / placer->nr_samplers;
}

/* By what a page has taken so far; until the first one is done it may be long. */
static uint64_t backlog_ns(const struct placer *placer)
{
	const struct engine_stats *stats = engine_stats(placer->engine);
	uint64_t nr_done = 0, nr_submitted = stats->nr_submitted_pages;
	for (unsigned i = 0; i < MOVE_NR_OUTCOMES; i++)
		nr_done += stats->nr_outcome_pages[i];
	if (nr_done == 0)
		return nr_submitted > 0 ? LIVE_NEVER : 0;
	return placer->live.moving_ns / nr_done * (nr_submitted - MIN(nr_submitted, nr_done));
}

static void note_series(struct placer *placer, uint64_t now_ns, bool is_last)
{
	const struct engine_stats *stats = engine_stats(placer->engine);
	const uint64_t totals[SERIES_FIELDS] = {
		[SERIES_SEEN] = placer->nr_seen,
		[SERIES_PLANNED] = stats->nr_planned_pages,
		[SERIES_CUT] = stats->nr_cut_pages,
		[SERIES_PROMOTED] = stats->nr_promoted_pages,
		[SERIES_DEMOTED] = stats->nr_demoted_pages,
		[SERIES_SAMPLING] = placer->live.sampling_ns,
		[SERIES_MOVING] = placer->live.moving_ns,
		[SERIES_DECIDING] = placer->live.deciding_ns,
	};
	(is_last ? series_finish : series_note)(&placer->series, now_ns - placer->begun_ns, totals);
}

const struct series *placer_series(struct placer *placer)
{
	note_series(placer, clock_now_ns(), true);
	return &placer->series;
}

/* Finds processes that have come. */
static int refresh(struct placer *placer, uint64_t now_ns, uint64_t cpu_ns)
{
	int error = live_refresh(&placer->live);
	uint64_t rest_ns = (clock_thread_cpu_ns() - cpu_ns) * REFRESH_REST;
	placer->refreshed_ns = now_ns;
	placer->refresh_rest_ns = MIN(MAX(REFRESH_NS, rest_ns), REFRESH_MAX);
	return error;
}

int placer_tick(struct placer *placer, int *ret_wait_ms, struct printbuf *err)
{
	uint64_t now_ns = clock_now_ns(), cpu_ns = clock_thread_cpu_ns();
	int error = 0;
	placer->now_ns = now_ns;
	choose_share(placer, now_ns);
	placer->live.wake_ns = now_ns + (placer->live.is_asleep ? TICK_DOZE_NS : TICK_MAX_NS);
	if (now_ns - placer->refreshed_ns >= placer->refresh_rest_ns)
		error = refresh(placer, now_ns, cpu_ns);
	if (!error)
		error = engine_tick(placer->engine, now_ns, err);
	if (!error && placer->advice)
		advice_turn(placer->advice, now_ns);
	placer->live.has_planner = true;
	placer->live.backlog_ns = backlog_ns(placer);
	placer->ticking_ns += clock_thread_cpu_ns() - cpu_ns;
	placer->live.deciding_ns = placer->ticking_ns -
				   MIN(placer->live.sampling_ns, placer->ticking_ns);
	now_ns = clock_now_ns();
	note_series(placer, now_ns, false);
	uint64_t left_ns = placer->live.wake_ns > now_ns ? placer->live.wake_ns - now_ns : 0;
	*ret_wait_ms = (int)(left_ns / NS_PER_MS) + 1;
	return error;
}

void placer_finish(struct placer *placer)
{
	if (!placer->engine || !placer->mover_state)
		return;
	engine_collect(placer->engine, clock_now_ns());
	placer->mover->finish(placer->mover_state);
	engine_collect(placer->engine, clock_now_ns());
}
