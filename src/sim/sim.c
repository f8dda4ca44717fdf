/* SPDX-License-Identifier: MIT */
/*
 * The set of simulations: parses, builds, feeds, and turns accounts into results.
 *
 *     specs x fast sizes --> simulations --+
 *     one more: all-fast, the yardstick ---+--> consumers of one stage
 *     problem builder, if a bound asks ----+
 */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/found.h"
#include "sim/future.h"
#include "sim/job_account.h"
#include "sim/job_feed.h"
#include "sim/recorded.h"
#include "sim/simulation.h"
#include "sim/spec.h"

#define KERNEL_TICK_NS (10 * NS_PER_MS)
#define NOTES_MAX      4

struct sim_run { /* one result and where it comes from */
	const struct sim_spec *spec;
	uint32_t size;		       /* index into capacities */
	struct simulation *simulation; /* NULL: a bound that is solved at the end */
	struct job_account *jobs;      /* NULL: there is one */
	struct cost_account replay;
	struct placement_solution solution;
	char failure[256];
	struct sim_result result;
};

struct sim_set {
	const struct machine *machine;
	struct cost_model *cost;
	struct stage *stage;
	struct sim_spec *specs;
	size_t nr_specs;
	struct sim_spec below;	     /* the kernel of -K */
	uint64_t *capacities;	     /* [size * nr_nodes + node], in pages */
	uint64_t *unlimited;	     /* [node] */
	struct kernel_start *starts; /* [node]; NULL: nobody used the machine before */
	struct kernel_theft *thefts; /* the same */
	size_t nr_thefts;
	uint32_t nr_sizes;
	struct sim_run *runs;
	size_t nr_runs;
	struct simulation *yardstick;
	struct future *future;
	struct found *found; /* NULL: nobody wants to know */
	uint64_t dilate, seed;
	uint32_t max_epochs;
	unsigned effort;
	struct simulation_watch *watch;	 /* of the first run; NULL: nobody */
	const struct sim_config *config; /* while the set is made */
	uint32_t nr_jobs;
	const char *notes[NOTES_MAX + 1];
};

int sim_check_recording(const struct trace_info *info, struct printbuf *err)
{
	if (info->streams &
	    (TRACE_STREAM_MISSES | TRACE_STREAM_ALL | TRACE_STREAM_COUNTS | TRACE_STREAM_SAMPLES))
		return 0;
	return error_set(err, -EOPNOTSUPP,
			 "the recording holds no misses, so nothing can be charged; "
			 "record with --stream misses,touches");
}

static bool is_counts_only(const struct trace_info *info)
{
	return stage_config_of(info, 0).wants_counts;
}

static bool is_samples_only(const struct trace_info *info)
{
	return stage_config_of(info, 0).wants_samples;
}

static bool is_unfiltered(const struct trace_info *info)
{
	return !(info->streams & TRACE_STREAM_MISSES) && info->cache.size_bytes == 0 &&
	       !is_samples_only(info);
}

static int parse_spec(const char *text, bool is_kernel, const struct trace_info *info,
		      struct sim_spec *ret, struct printbuf *err)
{
	PRINTBUF(recorded);
	if (recorded_is_named(text)) {
		int error = recorded_spec(info, text, &recorded, err);
		if (error)
			return error;
		text = printbuf_str(&recorded);
	}
	return is_kernel ? sim_spec_parse_kernel(text, ret, err) : sim_spec_parse(text, ret, err);
}

static int parse_specs(struct sim_set *set, const struct sim_config *config,
		       const struct trace_info *info, struct printbuf *err)
{
	const char *kernel = config->kernel ? config->kernel : SIM_KERNEL_DEFAULT;
	if (config->nr_policies == 0)
		return error_set(err, -EINVAL, "no policy to simulate; name one with -P");
	set->specs = calloc(config->nr_policies, sizeof(*set->specs));
	if (!set->specs)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < config->nr_policies; i++) {
		int error = parse_spec(config->policies[i], false, info, &set->specs[i], err);
		if (error)
			return error;
		set->nr_specs++;
	}
	return parse_spec(kernel, true, info, &set->below, err);
}

static int check_order(const struct sim_set *set, const struct trace_info *info,
		       struct printbuf *err)
{
	for (size_t i = 0; i < set->nr_specs && is_counts_only(info); i++)
		if (sim_spec_needs_order(&set->specs[i]))
			return error_set(err, -EOPNOTSUPP,
					 "%s: needs the order of accesses, and the recording only "
					 "counts; record with --stream misses,touches, or choose a "
					 "bound such as all-slow",
					 set->specs[i].text);
	return 0;
}

/* Nodes of the fast tier share `fast_bytes` as they share the machine's own. */
static void set_capacities(struct sim_set *set, uint32_t size, const uint64_t *fast_bytes)
{
	const struct cost_model *cost = set->cost;
	uint64_t *pages = &set->capacities[(size_t)size * cost->nr_nodes];
	uint64_t total = 0;
	for (uint32_t i = 0; i < cost->nr_nodes; i++)
		total = cost_add(total, cost->is_fast[i] ? set->machine->nodes[i].size_bytes : 0);
	for (uint32_t i = 0; i < cost->nr_nodes; i++) {
		pages[i] = cost_capacity_pages(cost, i);
		if (fast_bytes && cost->is_fast[i])
			pages[i] = cost_scale(*fast_bytes, set->machine->nodes[i].size_bytes,
					      total) /
				   cost->page_bytes;
	}
}

/* A fast tier that is resized is not the one that was found. */
static int new_starts(struct sim_set *set, const struct sim_config *config,
		      const struct trace_info *info)
{
	if (!config->is_as_found)
		return 0;
	set->starts = calloc(set->cost->nr_nodes, sizeof(*set->starts));
	if (!set->starts)
		return -ENOMEM;
	set->thefts = calloc(RECORDED_MAX_THEFTS, sizeof(*set->thefts));
	if (!set->thefts)
		return -ENOMEM;
	set->nr_thefts = recorded_thefts(info, set->thefts, set->cost->nr_nodes);
	recorded_starts(info, set->starts, set->cost->nr_nodes);
	for (uint32_t i = 0; i < set->cost->nr_nodes; i++)
		if (config->nr_fast && set->cost->is_fast[i])
			set->starts[i] = kernel_start_unknown;
	return 0;
}

static int new_capacities(struct sim_set *set, const struct sim_config *config,
			  const struct trace_info *info, struct printbuf *err)
{
	uint32_t nr_nodes = set->cost->nr_nodes;
	size_t nr_sizes = config->nr_fast ? config->nr_fast : 1;
	if (nr_sizes > SIM_SET_MAX || nr_sizes * set->nr_specs > SIM_SET_MAX)
		return error_set(err, -EINVAL,
				 "%zu policies at %zu sizes are more than %d simulations; "
				 "leave some out",
				 set->nr_specs, nr_sizes, SIM_SET_MAX);
	set->nr_sizes = (uint32_t)nr_sizes;
	set->capacities = calloc(nr_sizes * nr_nodes, sizeof(*set->capacities));
	set->unlimited = calloc(nr_nodes, sizeof(*set->unlimited));
	if (!set->capacities || !set->unlimited || new_starts(set, config, info))
		return error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < nr_nodes; i++)
		set->unlimited[i] = KERNEL_UNLIMITED;
	for (uint32_t i = 0; i < nr_sizes; i++)
		set_capacities(set, i, config->nr_fast ? &config->fast_bytes[i] : NULL);
	return 0;
}

uint64_t sim_spec_tick_ns(const struct sim_spec *spec)
{
	uint64_t sampler_ns = spec->agent ? samplers_tick_ns(spec->sampler, spec->agent->needs) : 0;
	bool scans = spec->kernel && spec->kernel->hint_fault;
	return MIN(scans ? KERNEL_TICK_NS : UINT64_MAX, sampler_ns ? sampler_ns : UINT64_MAX);
}

/* Kernels that scan, and samplers, measure in milliseconds of the kernel's time: a tick must not be
 * longer than that allows, unless the user chose one. */
static void shorten_tick(const struct sim_set *set, const struct sim_config *config,
			 uint64_t *values)
{
	uint64_t most_ns = sim_spec_tick_ns(&set->below);
	for (size_t i = 0; i < set->nr_specs; i++)
		most_ns = MIN(most_ns, sim_spec_tick_ns(&set->specs[i]));
	if (most_ns == UINT64_MAX || (config->cost && strstr(config->cost, "tick=")))
		return;
	uint64_t tick_ns = MAX(most_ns / set->dilate, cost_tunables[COST_TICK].min);
	values[COST_TICK] = MIN(values[COST_TICK], tick_ns);
}

static int new_model(struct sim_set *set, const struct sim_config *config,
		     const struct trace_info *info, struct printbuf *err)
{
	uint64_t values[COST_NR_TUNABLES];
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	int error = tunables_parse(config->cost, cost_tunables, COST_NR_TUNABLES, "--cost", values,
				   err);
	if (error)
		return error;
	if (config->dilate > SIM_DILATE_MAX)
		return error_set(err, -EINVAL, "--dilate %llu: too large; write 1 to %d",
				 (unsigned long long)config->dilate, SIM_DILATE_MAX);
	shorten_tick(set, config, values);
	uint32_t line_bytes = is_samples_only(info) ? info->page_bytes : info->cache.line_bytes;
	error = cost_model_new(config->machine, info->page_bytes, line_bytes, values, &set->cost,
			       err);
	if (error)
		return error;
	struct stage_config stage = stage_config_of(info, set->cost->tick_ns);
	stage.is_unfiltered = is_unfiltered(info);
	error = stage_new(&stage, &set->stage);
	return error ? error_set(err, error, "out of memory") : 0;
}

static int add_simulation(struct sim_set *set, const struct simulation_config *config,
			  struct simulation **ret, struct printbuf *err)
{
	int error = simulation_new(config, ret, err);
	if (error)
		return error;
	struct stage_consumer consumer = simulation_consumer(*ret);
	if (config->watch)
		consumer = config->watch->wrap(config->watch->context, *ret, &consumer);
	error = stage_add_consumer(set->stage, &consumer);
	return error ? error_set(err, error, "out of memory for simulations") : 0;
}

static int new_run(struct sim_set *set, struct sim_run *run, struct printbuf *err)
{
	const struct sim_spec *spec = run->spec;
	bool is_bound = spec->kind == SIM_BOUND;
	if (is_bound && !spec->kernel)
		return 0;
	if (set->nr_jobs > 0 &&
	    job_account_new(set->config, set->stage, set->cost->page_bytes, &run->jobs))
		return error_set(err, -ENOMEM, "out of memory for jobs");
	struct simulation_config config = {
		.kernel = spec->agent ? set->below.kernel : spec->kernel,
		.kernel_values = spec->agent ? set->below.values : spec->values,
		.agent = spec->agent,
		.agent_values = spec->values,
		.sampler = spec->sampler,
		.budget = { .bytes_per_s = spec->budget[SIM_RATE],
			    .floor_fast_bytes = spec->budget[SIM_FLOOR],
			    .cap_fast_bytes = spec->budget[SIM_CAP] },
		.cost = set->cost,
		.capacity_pages =
			is_bound ? set->unlimited
				 : &set->capacities[(size_t)run->size * set->cost->nr_nodes],
		.starts = is_bound ? NULL : set->starts,
		.thefts = set->thefts,
		.nr_thefts = is_bound ? 0 : set->nr_thefts,
		.stage = set->stage,
		.dilate = set->dilate,
		.seed = set->seed,
		.max_epochs = set->max_epochs,
		.watch = run->jobs	    ? &run->jobs->watch
			 : run == set->runs ? set->watch
					    : NULL,
		.jobs = run->jobs,
	};
	return add_simulation(set, &config, &run->simulation, err);
}

static int new_yardstick(struct sim_set *set, struct printbuf *err)
{
	struct simulation_config config = {
		.kernel = &kernel_all_fast,
		.cost = set->cost,
		.capacity_pages = set->unlimited,
		.stage = set->stage,
		.dilate = set->dilate,
		.seed = set->seed,
	};
	return add_simulation(set, &config, &set->yardstick, err);
}

static int new_future(struct sim_set *set, struct printbuf *err)
{
	bool wanted = false;
	for (size_t i = 0; i < set->nr_specs; i++)
		wanted |= set->specs[i].kind == SIM_BOUND && !set->specs[i].kernel;
	return wanted ? future_new(set->cost, set->stage, &set->future, err) : 0;
}

static int new_runs(struct sim_set *set, struct printbuf *err)
{
	set->runs = calloc(set->nr_specs * set->nr_sizes, sizeof(*set->runs));
	if (!set->runs)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < set->nr_specs * set->nr_sizes; i++) {
		struct sim_run *run = &set->runs[set->nr_runs++];
		run->spec = &set->specs[i / set->nr_sizes];
		run->size = (uint32_t)(i % set->nr_sizes);
		int error = new_run(set, run, err);
		if (error)
			return error;
	}
	int error = new_yardstick(set, err);
	return error ? error : new_future(set, err);
}

static int new_found(struct sim_set *set, const struct sim_config *config,
		     const struct trace_info *info, struct printbuf *err)
{
	if (!config->is_as_found || !(info->streams & TRACE_STREAM_NODES))
		return 0;
	set->found = calloc(1, sizeof(*set->found));
	if (!set->found || found_init(set->found, set->cost->nr_nodes))
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static void add_notes(struct sim_set *set, const struct trace_info *info)
{
	size_t nr = 0;
	if (is_unfiltered(info) && !is_counts_only(info))
		set->notes[nr++] = "The recording has no cache model: every access is charged as a "
				   "miss, so slowdowns come out too high.";
	if (is_counts_only(info))
		set->notes[nr++] = "The recording only counts: each load and store is charged as a "
				   "miss of its page.";
	if (is_samples_only(info))
		set->notes[nr++] = "The recording holds samples: a page that a look found used is "
				   "charged as read once, one latency and its bytes. Compare "
				   "policies by it; slowdowns are those of the least use.";
	if (info->is_cut)
		set->notes[nr++] = "The recording was cut off: figures cover what is there.";
}

int sim_set_new(const struct sim_config *config, const struct trace_info *info,
		struct sim_set **ret, struct printbuf *err)
{
	struct sim_set *set = calloc(1, sizeof(*set));
	if (!set)
		return error_set(err, -ENOMEM, "out of memory");
	set->machine = config->machine;
	set->dilate = MAX(config->dilate, 1);
	set->seed = config->seed;
	set->max_epochs = config->max_epochs;
	set->effort = config->effort;
	set->watch = config->watch;
	set->config = config;
	set->nr_jobs = config->nr_jobs;
	int error = parse_specs(set, config, info, err);
	if (!error)
		error = sim_check_recording(info, err);
	if (!error)
		error = check_order(set, info, err);
	if (!error)
		error = new_model(set, config, info, err);
	if (!error)
		error = new_capacities(set, config, info, err);
	if (!error)
		error = new_runs(set, err);
	if (!error)
		error = new_found(set, config, info, err);
	if (error) {
		sim_set_free(set);
		return error;
	}
	set->config = NULL;
	add_notes(set, info);
	*ret = set;
	return 0;
}

struct sim_set *sim_set_free(struct sim_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; i < set->nr_runs; i++) {
		simulation_free(set->runs[i].simulation);
		job_account_free(set->runs[i].jobs);
		cost_account_fini(&set->runs[i].replay);
		future_forget(&set->runs[i].solution);
	}
	simulation_free(set->yardstick);
	future_free(set->future);
	if (set->found)
		found_fini(set->found);
	free(set->found);
	stage_free(set->stage);
	cost_model_free(set->cost);
	for (size_t i = 0; i < set->nr_specs; i++)
		sim_spec_fini(&set->specs[i]);
	sim_spec_fini(&set->below);
	free(set->specs);
	free(set->capacities);
	free(set->unlimited);
	free(set->starts);
	free(set->thefts);
	free(set->runs);
	free(set);
	return NULL;
}

int sim_set_feed(struct sim_set *set, const struct trace_batch *batch, struct printbuf *err)
{
	int error = set->found ? found_feed(set->found, batch) : 0;
	if (error)
		return error_set(err, error, "out of memory for the nodes of pages");
	return stage_feed(set->stage, batch, err);
}

void sim_set_counters(const struct sim_set *set, size_t index,
		      void (*emit)(void *context, const char *name, uint64_t value), void *context)
{
	const struct simulation *simulation = set->runs[index].simulation;
	if (simulation && simulation->kernel->ops->counters)
		simulation->kernel->ops->counters(simulation->kernel, emit, context);
}

static void fill_from_account(struct sim_result *result, const struct cost_account *account)
{
	const struct cost_model *cost = account->model;
	uint64_t moved_pages = 0;
	result->time_ns = cost_account_time_ns(account);
	result->compute_ns = account->compute_ns;
	result->latency_ns = account->latency_ps / COST_PS_PER_NS;
	result->bandwidth_ns = account->bandwidth_ps / COST_PS_PER_NS;
	result->migration_ns = account->migration_ps / COST_PS_PER_NS;
	result->faults_ns = account->faults_ps / COST_PS_PER_NS;
	result->nr_faults = account->nr_faults;
	result->blocked_ns = account->blocked_ns;
	result->linear_ps = cost_account_linear_ps(account);
	result->nodes = account->total;
	for (uint32_t i = 0; i < cost->nr_nodes; i++) {
		const struct cost_node *node = &account->total[i];
		result->misses += node->loads + node->stores;
		result->fast_misses += cost->is_fast[i] ? node->loads + node->stores : 0;
		moved_pages += node->moved_in_pages;
	}
	result->moved_bytes = cost_multiply(moved_pages, cost->page_bytes);
}

/* CPU time that seeing took. */
static uint64_t sampler_ns(const struct simulation *simulation)
{
	const struct sampling *sampling = &simulation->sampling;
	const struct hardware_sampler *hardware = &simulation->hardware;
	uint64_t checks_ns = cost_multiply(sampling->nr_checks,
					   simulation->cost->values[COST_CHECK]);
	uint64_t hardware_ns = cost_multiply(hardware->nr_taken, hardware->cost_ns);
	return cost_add(cost_add(checks_ns, sampling->cpu_ns), hardware_ns);
}

static void fill_from_simulation(struct sim_result *result, struct simulation *simulation)
{
	const struct kernel_stats *stats = &simulation->kernel->stats;
	fill_from_account(result, &simulation->account);
	result->nr_promoted = stats->nr_promoted;
	result->nr_demoted = stats->nr_demoted;
	result->nr_sideways = stats->nr_sideways;
	result->nr_refused = stats->nr_refused;
	result->nr_round_trips = stats->nr_round_trips;
	result->memory_bytes = simulation_bytes(simulation);
	result->series = simulation->series;
	result->nr_series = simulation->nr_series;
	if (simulation->engine) {
		const struct engine_stats *engine = engine_stats(simulation->engine);
		result->nr_refused += engine->nr_outcome_pages[MOVE_REFUSED_GONE];
		result->nr_cut = engine->nr_cut_pages;
		result->nr_checks = simulation->sampling.nr_checks;
		result->sampler_ns = sampler_ns(simulation);
	}
	if (simulation->has_failed) {
		result->error = -ENOSPC;
		result->error_text = simulation->failure;
	}
}

/* A replay has no kernel that counts: what came to a fast node was promoted. */
static void fill_from_replay(struct sim_run *run)
{
	const struct cost_account *account = &run->replay;
	struct sim_result *result = &run->result;
	fill_from_account(result, account);
	for (uint32_t i = 0; i < account->model->nr_nodes; i++) {
		uint64_t moved = account->total[i].moved_in_pages;
		result->nr_promoted += account->model->is_fast[i] ? moved : 0;
		result->nr_demoted += account->model->is_fast[i] ? 0 : moved;
	}
	result->has_bound = true;
	result->is_exact = run->solution.is_exact;
	result->lower_ps = run->solution.lower_ps;
	result->upper_ps = run->solution.upper_ps;
	result->method = run->solution.method;
	result->lower_time_ns = cost_add(cost_add(account->compute_ns, account->blocked_ns),
					 run->solution.lower_ps / COST_PS_PER_NS);
}

static int solve(struct sim_set *set, struct sim_run *run, uint64_t blocked_ns,
		 struct printbuf *err)
{
	const uint64_t *capacity = &set->capacities[(size_t)run->size * set->cost->nr_nodes];
	int error = cost_account_init(&run->replay, set->cost);
	if (error)
		return error;
	run->replay.blocked_ns = blocked_ns;
	error = future_solve(set->future, run->spec->bound, capacity, set->effort, &run->replay,
			     &run->solution, err);
	if (!error)
		fill_from_replay(run);
	return error;
}

/* What cannot be solved is said in its own row; the others stand. */
static void solve_or_say(struct sim_set *set, struct sim_run *run, uint64_t blocked_ns)
{
	PRINTBUF(text);
	int error = solve(set, run, blocked_ns, &text);
	if (!error)
		return;
	struct printbuf failure;
	printbuf_init_fixed(&failure, run->failure, sizeof(run->failure), 0);
	prt_str(&failure, text.pos ? printbuf_str(&text) : error_text(error));
	run->result.error = error;
	run->result.error_text = run->failure;
}

static uint64_t fast_capacity(const struct sim_set *set, const struct sim_run *run)
{
	uint64_t pages = 0;
	if (run->simulation && run->spec->kind == SIM_BOUND)
		return UINT64_MAX;
	for (uint32_t i = 0; i < set->cost->nr_nodes; i++)
		if (set->cost->is_fast[i])
			pages += set->capacities[(size_t)run->size * set->cost->nr_nodes + i];
	return cost_multiply(pages, set->cost->page_bytes);
}

static void finish_run(struct sim_set *set, struct sim_run *run, uint64_t blocked_ns)
{
	struct sim_result *result = &run->result;
	*result = (struct sim_result){
		.policy = run->spec->text,
		.kernel = run->spec->kind == SIM_AGENT ? set->below.text : NULL,
		.kind = run->spec->kind,
		.fast_bytes = fast_capacity(set, run),
	};
	if (run->simulation) {
		run->simulation->account.blocked_ns = blocked_ns;
		fill_from_simulation(result, run->simulation);
		if (run->jobs)
			job_account_finish(run->jobs);
	} else {
		solve_or_say(set, run, blocked_ns);
	}
	result->all_fast_ns = cost_account_time_ns(&set->yardstick->account);
}

int sim_set_finish(struct sim_set *set, uint64_t duration_ns, struct printbuf *err)
{
	struct stage_stats stats;
	int error = stage_finish(set->stage, duration_ns, err);
	if (error)
		return error;
	stage_stats(set->stage, &stats);
	set->yardstick->account.blocked_ns = stats.blocked_ns;
	for (size_t i = 0; i < set->nr_runs; i++)
		finish_run(set, &set->runs[i], stats.blocked_ns);
	return 0;
}

int sim_set_run(struct sim_set *set, struct trace_reader *reader, struct printbuf *err)
{
	const struct trace_batch *batch = NULL;
	int more = 0, error = 0;
	while (!error && (more = trace_next(reader, &batch, err)) > 0)
		error = sim_set_feed(set, batch, err);
	if (error)
		return error;
	error = sim_set_finish(set, trace_info(reader)->duration_ns, err);
	return error ? error : more < 0;
}

int sim_set_run_jobs(struct sim_set *set, struct trace_reader *const *readers, struct printbuf *err)
{
	uint64_t duration_ns = 0;
	for (uint32_t i = 0; i < set->nr_jobs; i++)
		duration_ns = MAX(duration_ns, trace_info(readers[i])->duration_ns);
	int has_failed = job_feed_run(set->stage, readers, set->nr_jobs, err);
	if (has_failed < 0)
		return has_failed;
	int error = sim_set_finish(set, duration_ns, err);
	return error ? error : has_failed;
}

const struct sim_job_figures *sim_set_job(const struct sim_set *set, size_t index, uint32_t job)
{
	const struct job_account *jobs = set->runs[index].jobs;
	return jobs && job < set->nr_jobs ? &jobs->figures[job] : NULL;
}

bool sim_set_found(const struct sim_set *set, struct sim_found *ret)
{
	if (!set->found)
		return false;
	*ret = (struct sim_found){ .nr_unknown = set->found->nr_unknown };
	for (uint32_t i = 0; i < set->found->nr_nodes; i++) {
		ret->misses += set->found->nr_misses[i];
		ret->fast_misses += set->cost->is_fast[i] ? set->found->nr_misses[i] : 0;
	}
	return true;
}

size_t sim_set_nr_results(const struct sim_set *set)
{
	return set->nr_runs;
}

const struct sim_result *sim_set_result(const struct sim_set *set, size_t index)
{
	return &set->runs[index].result;
}

uint64_t sim_set_nr_misses(const struct sim_set *set)
{
	struct stage_stats stats;
	stage_stats(set->stage, &stats);
	return stats.nr_misses;
}

uint64_t sim_set_stage_bytes(const struct sim_set *set)
{
	struct stage_stats stats;
	stage_stats(set->stage, &stats);
	return stats.bytes;
}

const struct cost_model *sim_set_cost(const struct sim_set *set)
{
	return set->cost;
}

const char *sim_set_note(const struct sim_set *set, size_t index)
{
	return index < NOTES_MAX ? set->notes[index] : NULL;
}
