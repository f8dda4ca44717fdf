/* SPDX-License-Identifier: MIT */
/* One simulation; simulation.h has the picture. */
#include "sim/simulation.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/job_account.h"
#include "sim/sampler_damon.h"
#include "sim/sampler_hints.h"

#define COUNTED_FLAGS (TRACE_MISS | TRACE_WRITE)

_Static_assert(COUNTED_FLAGS < SIMULATION_FLAGS, "counters are indexed by these flags");

static int look(void *world, struct policy_node *nodes, uint32_t nr_nodes)
{
	const struct simulation *simulation = world;
	const struct kernel *kernel = simulation->kernel;
	for (uint32_t i = 0; i < nr_nodes; i++) {
		const struct kernel_node *node = &kernel->nodes[i];
		const struct cost_load load = simulation->hardware.has_pmu
						      ? simulation->account.load[i]
						      : (struct cost_load){ POLICY_UNKNOWN,
									    POLICY_UNKNOWN };
		nodes[i] = (struct policy_node){
			.capacity_pages = node->capacity_pages,
			.free_pages = node->free_pages,
			.job_pages = node->capacity_pages - node->free_pages - node->ballast_pages,
			.nr_misses = load.nr_misses,
			.loaded_ps = load.loaded_ps
		};
		if (kernel->ops->marks)
			kernel->ops->marks(kernel, i, &nodes[i].min_pages, &nodes[i].low_pages);
	}
	return 0;
}

static int look_jobs(void *world, struct engine_jobs *ret)
{
	const struct simulation *simulation = world;
	return job_account_look(simulation->jobs, ret);
}

/* Its keys first, then what the policy asks for. */
static void set_hardware(struct simulation *simulation, const struct simulation_config *config)
{
	const struct policy_hardware none = { 0 };
	const struct policy_hardware *own = config->agent ? &config->agent->hardware : &none;
	uint64_t values[SIM_NR_SAMPLER_KEYS];
	tunables_defaults(sim_sampler_tunables, SIM_NR_SAMPLER_KEYS, values);
	for (size_t i = 0; config->sampler && i < SIM_NR_SAMPLER_KEYS; i++)
		values[i] = config->sampler[i];
	uint64_t loads = values[SIM_LOAD_PERIOD], stores = values[SIM_STORE_PERIOD];
	uint64_t share_bp = values[SIM_SAMPLE_SHARE];
	struct hardware_config hardware = {
		.load_period = loads ? loads : own->load_period,
		.store_period = stores ? stores : own->store_period,
		.cost_ns = values[SIM_SAMPLE_COST],
		.share_bp = share_bp ? share_bp : own->share_bp,
		.hz = values[SIM_SAMPLE_HZ] ? values[SIM_SAMPLE_HZ]
		      : loads || stores	    ? 0
					    : own->hz,
		.dilate = simulation->dilate,
		.has_pmu = values[SIM_PMU] != 0,
	};
	hardware_init(&simulation->hardware, &hardware, config->seed);
}

static int new_engine(struct simulation *simulation, const struct simulation_config *config,
		      struct printbuf *err)
{
	struct engine_config engine = {
		.machine = config->cost->machine,
		.page_bytes = config->cost->page_bytes,
		.policy = config->agent,
		.values = config->agent_values,
		.seed = config->seed,
		.mover = &simulation_mover,
		.mover_state = simulation,
		.look = look,
		.look_jobs = config->jobs ? look_jobs : NULL,
		.look_world = simulation,
		.budget = config->budget,
		.watch = config->watch ? &config->watch->engine : NULL,
	};
	engine.nr_samplers = samplers_choose(simulation, config->sampler, config->agent->needs,
					     config->seed, engine.samplers);
	return engine_new(&engine, &simulation->engine, err);
}

static int set_up(struct simulation *simulation, const struct simulation_config *config,
		  struct printbuf *err)
{
	simulation->nr_counts = (size_t)config->cost->nr_nodes * SIMULATION_FLAGS;
	simulation->counts = calloc(simulation->nr_counts * SIMULATION_LANES,
				    sizeof(*simulation->counts));
	simulation->series = calloc(config->max_epochs + 1u, sizeof(*simulation->series));
	if (!simulation->counts || !simulation->series ||
	    cost_account_init(&simulation->account, config->cost))
		return error_set(err, -ENOMEM, "out of memory for a simulation");
	int error = kernel_new_at(config->kernel, config->cost, &simulation->account,
				  config->capacity_pages, config->starts, config->kernel_values,
				  config->seed, &simulation->kernel, err);
	if (!error) {
		simulation->kernel->stage = config->stage;
		simulation->kernel->thefts = config->thefts;
		simulation->kernel->nr_thefts = config->nr_thefts;
	}
	if (!error && config->watch)
		simulation->kernel->watch = &config->watch->kernel;
	if (!error && config->agent)
		error = new_engine(simulation, config, err);
	return error;
}

int simulation_new(const struct simulation_config *config, struct simulation **ret,
		   struct printbuf *err)
{
	struct simulation *simulation = calloc(1, sizeof(*simulation));
	if (!simulation)
		return error_set(err, -ENOMEM, "out of memory for a simulation");
	simulation->cost = config->cost;
	simulation->stage = config->stage;
	simulation->jobs = config->jobs;
	simulation->dilate = MAX(config->dilate, 1);
	simulation->is_shared = config->cost->values[COST_CLOCK] == COST_CLOCK_SHARED;
	simulation->max_series = config->max_epochs;
	simulation->per_entry = 1;
	set_hardware(simulation, config);
	int error = set_up(simulation, config, err);
	simulation->account.dilate = simulation->dilate;
	if (error) {
		simulation_free(simulation);
		return error;
	}
	simulation->is_plain = !config->agent && !config->kernel->hint_fault;
	simulation->pinned = config->kernel->pin ? config->kernel->pin(config->cost)
						 : KERNEL_NOWHERE;
	*ret = simulation;
	return 0;
}

struct simulation *simulation_free(struct simulation *simulation)
{
	if (!simulation)
		return NULL;
	engine_free(simulation->engine);
	kernel_free(simulation->kernel);
	cost_account_fini(&simulation->account);
	free(simulation->counts);
	free(simulation->series);
	free(simulation->touched);
	free(simulation->results);
	free(simulation);
	return NULL;
}

static int grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct simulation *simulation = context;
	if (simulation->pinned != KERNEL_NOWHERE)
		return 0;
	if (kernel_grow(simulation->kernel, nr_pages) ||
	    (simulation->hints && hint_sampler_grow(simulation->hints, nr_pages)))
		return error_set(err, -ENOMEM, "out of memory for %u pages", nr_pages);
	return 0;
}

/* A machine too small for the recording ends this simulation only, not its neighbours. */
static void fail_full(struct simulation *simulation)
{
	uint64_t capacity = 0;
	struct printbuf text;
	for (uint32_t i = 0; i < simulation->cost->nr_nodes; i++)
		capacity += simulation->kernel->nodes[i].capacity_pages;
	simulation->has_failed = true;
	printbuf_init_fixed(&text, simulation->failure, sizeof(simulation->failure), 0);
	prt_printf(&text, "%s: the machine is full: its ", simulation->kernel->ops->name);
	prt_bytes(&text, cost_multiply(capacity, simulation->cost->page_bytes));
	prt_str(&text, " do not hold what the recording uses at once; give a node more memory");
}

static int fault(struct simulation *simulation, uint32_t page)
{
	uint32_t wish = UINT32_MAX;
	if (simulation->engine) {
		struct stage_page address = stage_page(simulation->stage, page);
		struct place_request request = {
			.now_ns = simulation->kernel->now_ns,
			.page = address.page,
			.nr_pages = 1,
			.space = address.space,
			.cpu_node = simulation->cost->home,
		};
		if (engine_place(simulation->engine, &request, &wish))
			wish = UINT32_MAX;
	}
	int error = kernel_fault(simulation->kernel, page, wish);
	if (error == -ENOMEM)
		fail_full(simulation);
	return error;
}

static void run_plain(struct simulation *simulation, const struct stage_events *events)
{
	const struct kernel_page *pages = simulation->kernel->pages;
	const uint32_t *numbers = events->page;
	const uint8_t *flags = events->flags;
	uint64_t *counts = simulation->counts;
	const size_t lane = simulation->nr_counts;
	const uint32_t nr = events->nr;
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t node = pages[numbers[i]].node;
		if (unlikely(node == KERNEL_NOWHERE)) {
			if (fault(simulation, numbers[i]))
				return;
			node = pages[numbers[i]].node;
		}
		counts[i % SIMULATION_LANES * lane + node * SIMULATION_FLAGS +
		       (flags[i] & COUNTED_FLAGS)]++;
	}
}

static void run_pinned(struct simulation *simulation, const struct stage_events *events)
{
	uint64_t *counts = &simulation->counts[simulation->pinned * SIMULATION_FLAGS];
	counts[TRACE_MISS] += events->nr_loads;
	counts[TRACE_MISS | TRACE_WRITE] += events->nr_stores;
}

/* Pages that came and went between two scans leave entries behind; each page that is used has one
 * good one. Its bit, cleared by the first entry, tells the others. */
static void forget_doubles(struct simulation *simulation)
{
	struct kernel_page *pages = simulation->kernel->pages;
	size_t kept = 0;
	for (size_t i = 0; i < simulation->nr_touched; i++) {
		uint32_t page = simulation->touched[i];
		if (!(pages[page].bits & KERNEL_ACCESSED))
			continue;
		pages[page].bits &= (uint8_t)~KERNEL_ACCESSED;
		simulation->touched[kept++] = page;
	}
	for (size_t i = 0; i < kept; i++)
		pages[simulation->touched[i]].bits |= KERNEL_ACCESSED;
	simulation->nr_touched = kept;
}

static int push_touched(struct simulation *simulation, uint32_t page)
{
	if (simulation->nr_touched == simulation->max_touched && simulation->touched_at == 0 &&
	    simulation->nr_touched / 2 > simulation->kernel->nr_pages)
		forget_doubles(simulation);
	if (simulation->nr_touched == simulation->max_touched) {
		size_t max = simulation->max_touched ? simulation->max_touched * 2 : 1024;
		uint32_t *touched = realloc(simulation->touched, max * sizeof(*touched));
		if (!touched)
			return -ENOMEM;
		simulation->touched = touched;
		simulation->max_touched = max;
	}
	simulation->touched[simulation->nr_touched++] = page;
	return 0;
}

static void take_hardware(struct simulation *simulation, uint32_t page, uint8_t flags)
{
	const struct kernel_page *entry = &simulation->kernel->pages[page];
	struct stage_page address = stage_page(simulation->stage, page);
	struct sample sample = sample_of_page(SAMPLE_HARDWARE, simulation->kernel->now_ns,
					      address.space, address.page);
	sample.node = entry->node;
	sample.order = entry->order;
	sample.access = flags & TRACE_WRITE ? SAMPLE_WRITE : SAMPLE_READ;
	hardware_take(&simulation->hardware, &sample);
}

/* Its own work moves the kernel's clock. */
static void pass_work(struct simulation *simulation)
{
	struct kernel *kernel = simulation->kernel;
	simulation->worked_ns += kernel->work_ns;
	kernel->now_ns += kernel->work_ns;
	kernel->work_ns = 0;
}

static void tick_kernel(struct simulation *simulation)
{
	struct kernel *kernel = simulation->kernel;
	uint64_t tick_ns = cost_multiply(simulation->cost->tick_ns, simulation->dilate);
	simulation->kernel_tick_ns = cost_add(kernel->now_ns, tick_ns);
	if (kernel->ops->tick)
		kernel->ops->tick(kernel);
	if (simulation->is_shared)
		pass_work(simulation);
}

/* A burst of faults takes many of the kernel's ticks within one of the recording's. */
static void pass_fault(struct simulation *simulation)
{
	struct kernel *kernel = simulation->kernel;
	kernel->work_ns += simulation->cost->values[COST_FAULT];
	pass_work(simulation);
	if (kernel->now_ns >= simulation->kernel_tick_ns)
		tick_kernel(simulation);
}

/* The fault itself; a promotion that follows is charged as every migration is. */
static void take_hint_fault(struct simulation *simulation, uint32_t page, uint8_t flags)
{
	struct kernel *kernel = simulation->kernel;
	cost_account_fault(&simulation->account, 1);
	if (simulation->hints)
		hint_sampler_fault(simulation->hints, page);
	else
		kernel->ops->hint_fault(kernel, page, flags);
	if (simulation->is_shared)
		pass_fault(simulation);
}

/*
 * A kernel alone: nobody reads accessed bits or samples misses. Pages that it wants to hear of are
 * marked in their bits, so all others cost one test.
 */
static void run_kernel(struct simulation *simulation, const struct stage_events *events)
{
	struct kernel *kernel = simulation->kernel;
	struct kernel_page *pages = kernel->pages;
	uint64_t *counts = simulation->counts;
	const size_t lane = simulation->nr_counts;
	const uint32_t *numbers = events->page;
	const uint8_t *kinds = events->flags;
	const uint32_t nr = events->nr;
	for (uint32_t i = 0; i < nr; i++) {
		struct kernel_page *entry = &pages[numbers[i]];
		uint8_t flags = kinds[i];
		if (unlikely(entry->node == KERNEL_NOWHERE) && fault(simulation, numbers[i]))
			return;
		counts[i % SIMULATION_LANES * lane + entry->node * SIMULATION_FLAGS +
		       (flags & COUNTED_FLAGS)]++;
		uint8_t bits = entry->bits;
		entry->bits = bits | KERNEL_YOUNG | (flags & TRACE_WRITE ? KERNEL_DIRTY : 0);
		if (unlikely(bits & KERNEL_HINT))
			take_hint_fault(simulation, numbers[i], flags);
		if (flags & TRACE_WRITE && unlikely(entry->bits & KERNEL_TELL_WRITE))
			kernel->ops->written(kernel, numbers[i]);
	}
}

static int run_watched(struct simulation *simulation, const struct stage_events *events)
{
	struct kernel *kernel = simulation->kernel;
	for (uint32_t i = 0; i < events->nr; i++) {
		uint32_t page = events->page[i];
		uint8_t flags = events->flags[i];
		if (kernel->pages[page].node == KERNEL_NOWHERE && fault(simulation, page))
			return 0;
		struct kernel_page *entry = &kernel->pages[page];
		simulation->counts[entry->node * SIMULATION_FLAGS + (flags & COUNTED_FLAGS)]++;
		if (!(entry->bits & KERNEL_ACCESSED) && kernel->keeps_bits) {
			entry->bits |= KERNEL_ACCESSED;
			if (simulation->lists_touched && push_touched(simulation, page))
				return -ENOMEM;
		}
		entry->bits |= KERNEL_YOUNG | (flags & TRACE_WRITE ? KERNEL_DIRTY : 0);
		if (flags & TRACE_MISS &&
		    hardware_is_due(&simulation->hardware, flags & TRACE_WRITE))
			take_hardware(simulation, page, flags);
		if (unlikely(entry->bits & KERNEL_HINT))
			take_hint_fault(simulation, page, flags);
		if (flags & TRACE_WRITE && unlikely(entry->bits & KERNEL_TELL_WRITE))
			kernel->ops->written(kernel, page);
	}
	return 0;
}

static void run_counts(struct simulation *simulation, const struct stage_events *events)
{
	const struct kernel_page *pages = simulation->kernel->pages;
	for (uint32_t i = 0; i < events->nr; i++) {
		uint32_t page = events->page[i];
		if (pages[page].node == KERNEL_NOWHERE && fault(simulation, page))
			return;
		uint64_t *counts = &simulation->counts[pages[page].node * SIMULATION_FLAGS];
		counts[TRACE_MISS] += events->loads[i];
		counts[TRACE_MISS | TRACE_WRITE] += events->stores[i];
	}
}

static int run_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct simulation *simulation = context;
	int error = 0;
	if (simulation->has_failed)
		return 0;
	if (simulation->pinned != KERNEL_NOWHERE)
		run_pinned(simulation, events);
	else if (!events->flags)
		run_counts(simulation, events);
	else if (simulation->is_plain)
		run_plain(simulation, events);
	else if (!simulation->engine)
		run_kernel(simulation, events);
	else
		error = run_watched(simulation, events);
	if (error)
		error_set(err, error, "out of memory for the pages touched in one tick");
	return error;
}

static int run_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct simulation *simulation = context;
	(void)err;
	for (uint32_t i = 0; i < nr; i++)
		kernel_release(simulation->kernel, pages[i]);
	return 0;
}

static int run_mapping(void *context, const struct trace_mapping *mapping, struct printbuf *err)
{
	struct simulation *simulation = context;
	struct kernel *kernel = simulation->kernel;
	if (simulation->has_failed || !kernel->ops->mapping)
		return 0;
	int error = kernel->ops->mapping(kernel, mapping);
	return error ? error_set(err, error, "out of memory for mappings") : 0;
}

/* Neighbours are merged when the series is full: resolution halves, memory stays. */
static void halve_series(struct simulation *simulation)
{
	for (uint32_t i = 0; i < simulation->nr_series; i++) {
		struct sim_series_epoch from = simulation->series[i];
		struct sim_series_epoch *to = &simulation->series[i / 2];
		if (i % 2 == 0) {
			*to = from;
			continue;
		}
		to->end_ns = from.end_ns;
		to->time_ns = cost_add(to->time_ns, from.time_ns);
		to->misses += from.misses;
		to->fast_misses += from.fast_misses;
	}
	simulation->nr_series = (simulation->nr_series + 1) / 2;
	simulation->per_entry *= 2;
}

/* Entry i of the series covers per_entry epochs from i * per_entry on. */
static void note_epoch(struct simulation *simulation, const struct stage_tick *tick,
		       const struct cost_epoch *epoch)
{
	uint64_t number = simulation->account.nr_epochs - 1;
	if (simulation->max_series == 0)
		return;
	if (number / simulation->per_entry >= simulation->max_series)
		halve_series(simulation);
	uint32_t index = (uint32_t)(number / simulation->per_entry);
	if (index == simulation->nr_series)
		simulation->series[simulation->nr_series++] =
			(struct sim_series_epoch){ .start_ns = tick->start_ns };
	struct sim_series_epoch *entry = &simulation->series[index];
	uint64_t stall_ps = cost_add(cost_add(epoch->latency_ps, epoch->bandwidth_ps),
				     cost_add(epoch->migration_ps, epoch->faults_ps));
	entry->end_ns = tick->end_ns;
	entry->time_ns = cost_add(cost_add(entry->time_ns, epoch->compute_ns),
				  stall_ps / COST_PS_PER_NS);
	entry->misses += epoch->misses;
	entry->fast_misses += epoch->fast_misses;
}

static void close_epoch(struct simulation *simulation, const struct stage_tick *tick)
{
	struct cost_epoch epoch;
	size_t nr_counts = simulation->nr_counts * SIMULATION_LANES;
	for (size_t i = 0; i < nr_counts; i += SIMULATION_FLAGS) {
		const uint64_t *counts = &simulation->counts[i];
		size_t node = i % simulation->nr_counts / SIMULATION_FLAGS;
		simulation->account.epoch[node].loads += counts[TRACE_MISS];
		simulation->account.epoch[node].stores += counts[TRACE_MISS | TRACE_WRITE];
	}
	memset(simulation->counts, 0, nr_counts * sizeof(*simulation->counts));
	cost_account_close(&simulation->account, tick->end_ns - tick->start_ns, &epoch);
	note_epoch(simulation, tick, &epoch);
}

static int run_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct simulation *simulation = context;
	struct kernel *kernel = simulation->kernel;
	if (simulation->has_failed)
		return 0;
	close_epoch(simulation, tick);
	kernel->recorded_ns = tick->end_ns;
	kernel->now_ns = cost_add(cost_multiply(tick->end_ns, simulation->dilate),
				  simulation->worked_ns);
	if (tick->is_last)
		return 0;
	tick_kernel(simulation);
	return simulation->engine ? engine_tick(simulation->engine, kernel->now_ns, err) : 0;
}

struct stage_consumer simulation_consumer(struct simulation *simulation)
{
	return (struct stage_consumer){
		.context = simulation,
		.grow = grow,
		.events = run_events,
		.freed = run_freed,
		.mapping = run_mapping,
		.tick = run_tick,
	};
}

uint64_t simulation_bytes(const struct simulation *simulation)
{
	const struct kernel *kernel = simulation->kernel;
	uint64_t bytes = sizeof(*simulation) + sizeof(*kernel);
	bytes += kernel->nr_pages * sizeof(*kernel->pages);
	bytes += kernel->trips.nr_pages * sizeof(*kernel->trips.of);
	bytes += simulation->max_touched * sizeof(*simulation->touched);
	bytes += simulation->max_results * sizeof(*simulation->results);
	bytes += simulation->damon ? damon_sampler_bytes(simulation->damon) : 0;
	bytes += simulation->hints ? hint_sampler_bytes(simulation->hints) : 0;
	bytes += hardware_bytes(&simulation->hardware);
	return bytes + (simulation->engine ? engine_policy_bytes(simulation->engine) : 0);
}
