/* SPDX-License-Identifier: MIT */
/* The loop: poll, observe, decide, cut, submit, read back. engine.h has the picture. */
#include "engine/engine.h"

#include <stdlib.h>

#include "base/error.h"
#include "engine/budget.h"
#include "policy/home.h"

#define RESULTS_MAX 4096

struct engine {
	struct engine_config config;
	uint64_t values[TUNABLES_MAX];
	void *policy;
	void *samplers[ENGINE_SAMPLERS_MAX];
	uint32_t nr_open;
	struct sample samples[SAMPLE_BATCH_MAX];
	struct move_result results[RESULTS_MAX];
	struct plan plan;
	struct policy_node *nodes;
	uint64_t *coming;      /* [node]: pages on their way to it */
	uint64_t *steering;    /* scratch of home_steer() */
	struct policy_job job; /* where the world does not tell of jobs */
	struct token_bucket bucket;
	struct engine_stats stats;
	uint64_t last_ns;
	bool started;
};

bool engine_is_promotion(const struct machine *machine, uint32_t from, uint32_t to)
{
	return from < machine->nr_nodes && to < machine->nr_nodes &&
	       machine->nodes[to].tier < machine->nodes[from].tier;
}

static int check_needs(const struct engine_config *config, struct printbuf *err)
{
	static const struct {
		uint32_t bit;
		const char *what;
	} bits[] = {
		{ SAMPLE_ANY, "samples of any kind" },
		{ SAMPLE_BIT(SAMPLE_HITS), "hits out of checks" },
		{ SAMPLE_BIT(SAMPLE_HINT_FAULT), "hint faults" },
		{ SAMPLE_BIT(SAMPLE_HARDWARE), "hardware samples" },
		{ SAMPLE_HAS_WRITES, "reads told from writes" },
		{ SAMPLE_HAS_NODE, "the node of each page" },
		{ SAMPLE_HAS_CPU, "the CPU of each access" },
		{ SAMPLE_HAS_AGE, "ranges with their age" },
	};
	uint32_t provided = 0;
	for (uint32_t i = 0; i < config->nr_samplers; i++)
		provided |= config->samplers[i].ops->provides.bits;
	provided |= provided & SAMPLE_KINDS ? SAMPLE_ANY : 0;
	uint32_t missing = config->policy->needs & ~provided;
	for (size_t i = 0; missing && i < ARRAY_SIZE(bits); i++)
		if (missing & bits[i].bit)
			return error_set(err, -EOPNOTSUPP,
					 "%s: needs %s, which no sampler here provides; "
					 "choose another policy or sampler",
					 config->policy->name, bits[i].what);
	return 0;
}

static int open_samplers(struct engine *engine, struct printbuf *err)
{
	const struct engine_config *config = &engine->config;
	for (uint32_t i = 0; i < config->nr_samplers; i++) {
		const struct engine_sampler *sampler = &config->samplers[i];
		int error = sampler->ops->probe(sampler->world, err);
		if (!error)
			error = sampler->ops->open(sampler->world, &engine->samplers[i], err);
		if (error)
			return error;
		engine->nr_open++;
	}
	return 0;
}

static int new_policy(struct engine *engine, struct printbuf *err)
{
	const struct policy_ops *ops = engine->config.policy;
	if (ops->nr_tunables > TUNABLES_MAX)
		return -E2BIG;
	tunables_defaults(ops->tunables, ops->nr_tunables, engine->values);
	for (size_t i = 0; engine->config.values && i < ops->nr_tunables; i++)
		engine->values[i] = engine->config.values[i];
	struct policy_config config = {
		.machine = engine->config.machine,
		.values = engine->values,
		.seed = engine->config.seed,
		.page_bytes = engine->config.page_bytes,
	};
	return ops->new (&config, &engine->policy, err);
}

int engine_new(const struct engine_config *config, struct engine **ret, struct printbuf *err)
{
	if (config->nr_samplers > ENGINE_SAMPLERS_MAX)
		return -E2BIG;
	int error = check_needs(config, err);
	if (error)
		return error;
	struct engine *engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->config = *config;
	engine->nodes = calloc(config->machine->nr_nodes, sizeof(*engine->nodes));
	engine->steering = calloc(2 * (size_t)config->machine->nr_nodes, sizeof(*engine->steering));
	engine->coming = calloc(config->machine->nr_nodes, sizeof(*engine->coming));
	error = engine->nodes && engine->steering && engine->coming
			? plan_init(&engine->plan, PLAN_MOVES_MAX)
			: -ENOMEM;
	if (!error)
		error = new_policy(engine, err);
	if (!error)
		error = open_samplers(engine, err);
	if (error) {
		engine_free(engine);
		return error;
	}
	*ret = engine;
	return 0;
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	while (engine->nr_open > 0) {
		engine->nr_open--;
		engine->config.samplers[engine->nr_open].ops->close(
			engine->samplers[engine->nr_open]);
	}
	if (engine->policy)
		engine->config.policy->free(engine->policy);
	plan_fini(&engine->plan);
	free(engine->nodes);
	free(engine->coming);
	free(engine->steering);
	free(engine);
	return NULL;
}

static void observe(struct engine *engine, const struct sample_batch *batch)
{
	const struct engine_watch *watch = engine->config.watch;
	if (watch && watch->observed)
		watch->observed(watch->context, batch);
	engine->config.policy->observe(engine->policy, batch);
}

/* A sampler that never runs dry must not stop the loop: the rest waits for the next tick. */
static int poll_sampler(struct engine *engine, uint32_t index, uint64_t now_ns)
{
	const struct sampler_ops *ops = engine->config.samplers[index].ops;
	int more = 1;
	for (uint32_t i = 0; more > 0 && i < ENGINE_BATCHES_MAX; i++) {
		struct sample_batch batch = { engine->samples, 0, SAMPLE_BATCH_MAX };
		more = ops->poll(engine->samplers[index], now_ns, &batch);
		engine->stats.nr_samples += batch.nr;
		if (batch.nr > 0)
			observe(engine, &batch);
	}
	return more < 0 ? more : 0;
}

static void count_result(struct engine *engine, const struct move_result *result)
{
	const struct machine *machine = engine->config.machine;
	struct engine_stats *stats = &engine->stats;
	if (result->to < machine->nr_nodes)
		engine->coming[result->to] -= MIN(engine->coming[result->to], result->nr_pages);
	if (result->outcome >= MOVE_NR_OUTCOMES)
		return;
	stats->nr_outcome_pages[result->outcome] += result->nr_pages;
	if (result->outcome != MOVE_DONE && result->outcome != MOVE_UNKNOWN)
		token_bucket_refund(&engine->bucket, &engine->config.budget,
				    result->nr_pages * engine->config.page_bytes);
	if (result->outcome != MOVE_DONE)
		return;
	if (engine_is_promotion(machine, result->from, result->to))
		stats->nr_promoted_pages += result->nr_pages;
	else if (engine_is_promotion(machine, result->to, result->from))
		stats->nr_demoted_pages += result->nr_pages;
	else
		stats->nr_sideways_pages += result->nr_pages;
}

static void tell_completed(struct engine *engine, const struct move_result *results, uint32_t nr)
{
	const struct engine_watch *watch = engine->config.watch;
	if (watch && watch->completed)
		watch->completed(watch->context, results, nr);
	if (engine->config.policy->completed)
		engine->config.policy->completed(engine->policy, results, nr);
}

int engine_collect(struct engine *engine, uint64_t now_ns)
{
	const struct engine_config *config = &engine->config;
	int nr = RESULTS_MAX;
	/* As many as one plan has moves, and one page each at worst over a few ticks. */
	for (uint32_t i = 0; nr > 0 && i < ENGINE_BATCHES_MAX; i++) {
		nr = config->mover->complete(config->mover_state, engine->results, RESULTS_MAX,
					     now_ns);
		for (int j = 0; j < nr; j++)
			count_result(engine, &engine->results[j]);
		if (nr > 0)
			tell_completed(engine, engine->results, (uint32_t)nr);
	}
	return nr < 0 ? nr : 0;
}

/* Tells the policy that these moves will not happen, so that it does not wait for them. */
static void forget_moves(struct engine *engine, const struct plan_move *moves, uint32_t nr,
			 enum move_outcome outcome)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct move_result result = {
			.page = moves[i].page,
			.nr_pages = moves[i].nr_pages,
			.space = moves[i].space,
			.from = moves[i].from,
			.to = moves[i].to,
			.node = moves[i].from,
			.outcome = (uint8_t)outcome,
		};
		tell_completed(engine, &result, 1);
	}
}

static void forget_dropped(void *context, const struct plan_move *dropped)
{
	forget_moves(context, dropped, 1, MOVE_REFUSED_BUDGET);
}

static int act(struct engine *engine, const struct policy_view *view)
{
	const struct engine_config *config = &engine->config;
	struct plan *plan = &engine->plan;
	uint64_t planned = plan_nr_pages(plan);
	if (config->watch && config->watch->planned)
		config->watch->planned(config->watch->context, plan);
	engine->stats.nr_planned_pages += planned;
	engine->stats.nr_cut_pages += budget_cut(plan, config->machine, view, forget_dropped,
						 engine);
	if (plan->nr == 0)
		return 0;
	int taken = config->mover->submit(config->mover_state, plan->moves, plan->nr, view->now_ns);
	uint32_t nr = taken < 0 ? 0 : MIN((uint32_t)taken, plan->nr);
	/* What the mover has no room for is asked for again, if it is still wanted then. */
	forget_moves(engine, plan->moves + nr, plan->nr - nr,
		     taken < 0 ? MOVE_REFUSED_BUSY : MOVE_REFUSED_BUDGET);
	plan_cut(plan, nr);
	for (uint32_t i = 0; i < nr; i++)
		engine->coming[plan->moves[i].to] += plan->moves[i].nr_pages;
	uint64_t pages = plan_nr_pages(plan);
	engine->stats.nr_submitted_pages += pages;
	token_bucket_spend(&engine->bucket, &config->budget, pages * config->page_bytes);
	return taken < 0 ? taken : 0;
}

static struct policy_job only_job(const struct engine *engine)
{
	const struct engine_config *config = &engine->config;
	uint64_t floor_bytes = config->budget.floor_fast_bytes;
	uint64_t cap_bytes = config->budget.cap_fast_bytes;
	struct policy_job job = {
		.floor_pages = floor_bytes / config->page_bytes +
			       (floor_bytes % config->page_bytes != 0),
		.cap_pages = cap_bytes == UINT64_MAX ? UINT64_MAX : cap_bytes / config->page_bytes,
	};
	for (uint32_t i = 0; i < config->machine->nr_nodes; i++)
		*(config->machine->nodes[i].tier == 0 ? &job.fast_pages : &job.slow_pages) +=
			engine->nodes[i].job_pages;
	return job;
}

static int look(struct engine *engine, struct engine_jobs *jobs)
{
	const struct engine_config *config = &engine->config;
	int error = config->look(config->look_world, engine->nodes, config->machine->nr_nodes);
	if (error)
		return error;
	for (uint32_t i = 0; i < config->machine->nr_nodes; i++)
		engine->nodes[i].coming_pages = engine->coming[i];
	engine->job = only_job(engine);
	*jobs = (struct engine_jobs){ .jobs = &engine->job, .nr_jobs = 1 };
	if (config->look_jobs)
		error = config->look_jobs(config->look_world, jobs);
	return !error && (jobs->nr_jobs == 0 || jobs->nr_jobs > ENGINE_JOBS_MAX) ? -E2BIG : error;
}

static int decide(struct engine *engine, uint64_t now_ns)
{
	const struct engine_config *config = &engine->config;
	struct engine_jobs jobs;
	int error = look(engine, &jobs);
	if (error)
		return error;
	token_bucket_refill(&engine->bucket, &config->budget, now_ns);
	struct policy_view view = {
		.now_ns = now_ns,
		.tick_ns = engine->started ? now_ns - engine->last_ns : 0,
		.budget_pages = token_bucket_pages(&engine->bucket, &config->budget,
						   config->page_bytes),
		.nodes = engine->nodes,
		.nr_nodes = config->machine->nr_nodes,
		.jobs = jobs.jobs,
		.nr_jobs = jobs.nr_jobs,
		.job_of = jobs.job_of,
		.nr_spaces = jobs.nr_spaces,
	};
	plan_cut(&engine->plan, 0);
	error = config->policy->decide(engine->policy, &view, &engine->plan);
	engine->started = true;
	engine->last_ns = now_ns;
	if (!error)
		home_steer(config->machine, &view, &engine->plan, engine->steering);
	return error ? error : act(engine, &view);
}

int engine_tick(struct engine *engine, uint64_t now_ns, struct printbuf *err)
{
	int error = 0;
	engine->stats.nr_ticks++;
	for (uint32_t i = 0; i < engine->nr_open && !error; i++) {
		error = poll_sampler(engine, i, now_ns);
		if (error)
			error_set(err, error, "sampler %s: %s",
				  engine->config.samplers[i].ops->name, error_text(error));
	}
	if (error)
		return error;
	error = engine_collect(engine, now_ns);
	if (!error)
		error = decide(engine, now_ns);
	if (!error)
		error = engine_collect(engine, now_ns);
	if (error)
		error_set(err, error, "policy %s with mover %s: %s", engine->config.policy->name,
			  engine->config.mover->name, error_text(error));
	return error;
}

int engine_place(struct engine *engine, const struct place_request *request, uint32_t *ret_node)
{
	if (!engine->config.policy->place)
		return -ENOENT;
	return engine->config.policy->place(engine->policy, request, ret_node);
}

const struct engine_stats *engine_stats(const struct engine *engine)
{
	return &engine->stats;
}

uint64_t engine_policy_bytes(const struct engine *engine)
{
	const struct policy_ops *ops = engine->config.policy;
	return ops->memory_bytes ? ops->memory_bytes(engine->policy) : 0;
}
