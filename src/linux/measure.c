/* SPDX-License-Identifier: MIT */
/*
 * Measuring a machine: for each node with memory two buffers there, one to chase through and one
 * to stream from; for each node with CPUs its threads, and the figures they bring.
 *
 *     idle latency     one CPU chases                          4/10 of the pair's time
 *     one CPU          one CPU streams                         2/10
 *     all CPUs         every CPU of the node, 5 rounds       2/10
 *     loaded latency   one chases while the others stream      2/10   (not with one CPU)
 *
 * The idle latency and one CPU's bandwidth are the quietest tenth of their figures, each of some
 * milliseconds: what disturbs a measurement (other programs, interrupts, a hypervisor that takes
 * the CPU away) only ever makes it slower. Loaded, the disturbance is the point, and the median
 * stands. What all CPUs stream is counted from the first one's start to the last one's end, so
 * that nobody who came late counts as fast. A third of each run with figures is warm-up.
 *
 * Buffers are four times the caches that the CPUs tell of, at least 64 MiB, at most a quarter of
 * what is free on the node and of what cgroups leave; half of that goes, with a note, when touching
 * takes too long (emulators). A cycle visits every line before any again, so twice the cache
 * suffices; streams divide theirs among the CPUs, each going round in its own part.
 *
 * Cost: options.pair_ns per pair, and about that again per node with memory for touching it.
 */
#include "linux/measure.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "linux/measure_limits.h"
#include "linux/measure_memory.h"
#include "linux/measure_run.h"
#include "machine/build.h"

#define BUFFER_MIN	  (64 * MIB)
#define BUFFER_LEAST	  (16 * MIB) /* below, caches of today would hold it */
#define BUFFER_MAX	  (2 * GIB)
#define CACHE_TIMES	  4
#define FREE_SHARE	  4 /* of a node's free memory one buffer takes at most one in so many */
#define STREAM_PART_MIN	  (256 * KIB)
#define NR_ROUNDS	  5
#define NR_CHUNKS_OF_PAIR 1000 /* of a pair's time is one figure */
#define CHUNK_MIN_NS	  (NS_PER_MS / 4)
#define CHUNK_MAX_NS	  (10 * NS_PER_MS)
#define QUIETEST	  10

struct plan {
	struct machine *machine;
	const struct measure_options *options;
	struct measurement *result;
	struct set allowed_cpus;
	uint64_t pair_ns, stream_cache_bytes;
	double *chunks;
	uint32_t nr_memory_nodes;
	size_t nr_done;
	int first_error;
};

struct buffers {
	struct measure_memory chase, stream;
	char *at; /* where the chase goes on: never where it has just been */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static uint64_t power_at_least(uint64_t value)
{
	uint64_t power = 1;
	while (power < value && power < BUFFER_MAX)
		power *= 2;
	return power;
}

static uint64_t power_at_most(uint64_t value)
{
	return value == 0 ? 0 : (uint64_t)1 << (63 - __builtin_clzll(value));
}

static uint64_t wanted_bytes(uint64_t cache_bytes, uint64_t room_bytes)
{
	uint64_t wanted = power_at_least(MIN(cache_bytes, BUFFER_MAX) * CACHE_TIMES);
	return MIN(MAX(wanted, BUFFER_MIN), power_at_most(room_bytes));
}

static int open_memory(const struct plan *plan, uint32_t to, uint64_t wanted,
		       struct measure_memory *ret, struct printbuf *err)
{
	struct measure_memory_wish wish = {
		.node_id = plan->machine->nodes[to].id,
		.is_only_node = plan->nr_memory_nodes == 1,
		.wanted_bytes = wanted,
		.least_bytes = MIN(wanted, BUFFER_MIN / 2),
		.time_ns = plan->pair_ns / 2,
	};
	return measure_memory_new(&wish, ret, err);
}

static void buffers_fini(struct buffers *buffers)
{
	measure_memory_fini(&buffers->chase);
	measure_memory_fini(&buffers->stream);
}

static int buffers_new(struct plan *plan, uint32_t to, struct buffers *ret, struct printbuf *err)
{
	struct buffers buffers = { 0 };
	const struct machine_node *node = &plan->machine->nodes[to];
	uint64_t room = MIN(MIN(node->free_bytes, node->size_bytes), measure_cgroup_room());
	room /= FREE_SHARE;
	if (room < BUFFER_LEAST)
		return error_set(
			err, -ENOMEM,
			"it has not enough free memory (%llu MiB are needed, in its cgroup "
			"as well); free some",
			(unsigned long long)(BUFFER_LEAST * FREE_SHARE / MIB));
	int error = open_memory(plan, to, wanted_bytes(plan->result->cache_bytes, room),
				&buffers.chase, err);
	if (!error)
		error = open_memory(plan, to, wanted_bytes(plan->stream_cache_bytes, room),
				    &buffers.stream, err);
	if (error) {
		buffers_fini(&buffers);
		return error;
	}
	measure_link_cycle(buffers.chase.start, buffers.chase.nr_bytes);
	buffers.at = buffers.chase.start;
	plan->result->nodes[to] = (struct measure_node){
		.buffer_bytes = buffers.chase.nr_bytes,
		.huge_bytes = MIN(buffers.chase.huge_bytes, buffers.chase.nr_bytes),
	};
	*ret = buffers;
	return 0;
}

/* The figure at nr / `part` of the ascending chunks of a chase. */
static double chunk_at(struct measure_worker *worker, uint32_t part)
{
	if (worker->nr_chunks == 0)
		return 0;
	qsort(worker->chunks, worker->nr_chunks, sizeof(*worker->chunks), compare_doubles);
	return worker->chunks[worker->nr_chunks / part];
}

static uint64_t chunk_ns(const struct plan *plan)
{
	return MIN(MAX(plan->pair_ns / NR_CHUNKS_OF_PAIR, CHUNK_MIN_NS), CHUNK_MAX_NS);
}

static void prepare_chase(struct plan *plan, struct buffers *buffers, uint32_t cpu,
			  uint64_t time_ns, struct measure_worker *worker)
{
	*worker = (struct measure_worker){
		.kind = MEASURE_CHASE,
		.cpu = cpu,
		.memory = buffers->at,
		.warmup_ns = time_ns / 3,
		.chunk_ns = chunk_ns(plan),
		.chunks = plan->chunks,
	};
}

static void prepare_streams(const struct plan *plan, const struct buffers *buffers,
			    const uint32_t *cpus, uint32_t nr, struct measure_worker *workers)
{
	size_t part = buffers->stream.nr_bytes / nr & ~(size_t)(MEASURE_LINE - 1);
	for (uint32_t i = 0; i < nr; i++)
		workers[i] = (struct measure_worker){
			.kind = MEASURE_STREAM,
			.cpu = cpus[i],
			.memory = buffers->stream.start + i * part,
			.nr_bytes = part,
			.chunk_ns = chunk_ns(plan),
		};
}

static int run_idle(struct plan *plan, struct buffers *buffers, uint32_t cpu,
		    struct measure_pair *pair)
{
	struct measure_worker worker;
	uint64_t time_ns = plan->pair_ns * 4 / 10;
	prepare_chase(plan, buffers, cpu, time_ns, &worker);
	int error = measure_run(&worker, 1, time_ns);
	buffers->at = worker.memory;
	pair->idle_ns = chunk_at(&worker, QUIETEST);
	pair->median_ns = chunk_at(&worker, 2);
	return error;
}

static int run_one_stream(struct plan *plan, const struct buffers *buffers, uint32_t cpu,
			  struct measure_pair *pair)
{
	struct measure_worker worker;
	uint64_t time_ns = plan->pair_ns / 5;
	prepare_streams(plan, buffers, &cpu, 1, &worker);
	worker.warmup_ns = time_ns / 3;
	worker.chunks = plan->chunks;
	int error = measure_run(&worker, 1, time_ns);
	double line_ns = chunk_at(&worker, QUIETEST);
	if (line_ns > 0)
		pair->one_cpu_bytes_per_s = MEASURE_LINE * (double)NS_PER_S / line_ns;
	return error;
}

/* Bytes per second of all together, from the first one's start to the last one's end. */
static double rate_of(const struct measure_worker *workers, uint32_t nr)
{
	uint64_t began_ns = UINT64_MAX, ended_ns = 0, bytes = 0;
	for (uint32_t i = 0; i < nr; i++) {
		began_ns = MIN(began_ns, workers[i].began_ns);
		ended_ns = MAX(ended_ns, workers[i].ended_ns);
		bytes += workers[i].streamed_bytes;
	}
	return ended_ns > began_ns ? (double)bytes * NS_PER_S / (double)(ended_ns - began_ns) : 0;
}

/* The second best of some rounds: a busy machine spoils most of them, and a clock that jumps (an
 * emulator's) flatters one. */
static int run_streams(struct plan *plan, const struct buffers *buffers, const uint32_t *cpus,
		       uint32_t nr, struct measure_worker *workers, struct measure_pair *pair)
{
	double best = 0, second = 0;
	int error = 0;
	for (int round = 0; round < NR_ROUNDS && !error; round++) {
		prepare_streams(plan, buffers, cpus, nr, workers);
		error = measure_run(workers, nr, plan->pair_ns / (5 * NR_ROUNDS));
		double rate = rate_of(workers, nr);
		second = MAX(second, MIN(rate, best));
		best = MAX(best, rate);
	}
	pair->all_cpus_bytes_per_s = MAX(second, pair->one_cpu_bytes_per_s);
	return error;
}

static int run_loaded(struct plan *plan, struct buffers *buffers, const uint32_t *cpus, uint32_t nr,
		      struct measure_worker *workers, struct measure_pair *pair)
{
	uint64_t time_ns = plan->pair_ns / 5;
	prepare_chase(plan, buffers, cpus[0], time_ns, &workers[0]);
	prepare_streams(plan, buffers, cpus + 1, nr - 1, workers + 1);
	int error = measure_run(workers, nr, time_ns);
	buffers->at = workers[0].memory;
	pair->loaded_ns = chunk_at(&workers[0], 2);
	return error;
}

/* The CPUs of the node that we may use, at most as many as the streams' buffer can be divided
 * among; the caller frees. */
static int usable_cpus(const struct plan *plan, uint32_t from, size_t stream_bytes,
		       uint32_t **ret_cpus, uint32_t *ret_nr, struct printbuf *err)
{
	const struct set *cpus = &plan->machine->nodes[from].cpus;
	uint32_t *list = calloc(MAX(set_count(cpus), 1), sizeof(*list)), nr = 0;
	if (!list)
		return error_set(err, -ENOMEM, "out of memory");
	for (int64_t cpu = set_next(cpus, 0); cpu >= 0; cpu = set_next(cpus, (uint32_t)cpu + 1))
		if (set_has(&plan->allowed_cpus, (uint32_t)cpu) &&
		    nr < stream_bytes / STREAM_PART_MIN)
			list[nr++] = (uint32_t)cpu;
	if (nr == 0) {
		free(list);
		return error_set(err, -EINVAL,
				 "no CPU of node %u is allowed here (a cpuset); run it outside of "
				 "that cpuset",
				 plan->machine->nodes[from].id);
	}
	*ret_cpus = list;
	*ret_nr = nr;
	return 0;
}

static int run_pair(struct plan *plan, struct buffers *buffers, struct measure_pair *pair,
		    struct printbuf *err)
{
	uint32_t *cpus = NULL, nr = 0;
	int error = usable_cpus(plan, pair->from, buffers->stream.nr_bytes, &cpus, &nr, err);
	if (error)
		return error;
	struct measure_worker *workers = calloc(nr, sizeof(*workers));
	error = workers ? run_idle(plan, buffers, cpus[0], pair) : -ENOMEM;
	if (!error)
		error = run_one_stream(plan, buffers, cpus[0], pair);
	pair->all_cpus_bytes_per_s = pair->one_cpu_bytes_per_s;
	if (!error && nr > 1)
		error = run_streams(plan, buffers, cpus, nr, workers, pair);
	if (!error && nr > 1)
		error = run_loaded(plan, buffers, cpus, nr, workers, pair);
	pair->nr_cpus = nr;
	free(workers);
	free(cpus);
	if (!error && (pair->idle_ns <= 0 || pair->one_cpu_bytes_per_s <= 0))
		return error_set(err, -EAGAIN,
				 "the CPU was away for all of its time; give it more by "
				 "--measure-time");
	return error ? error_set(err, error, "its threads could not run on CPUs of node %u: %s",
				 plan->machine->nodes[pair->from].id, error_text(error))
		     : 0;
}

static void refuse(struct plan *plan, struct measure_pair *pair, int error,
		   const struct printbuf *reason)
{
	pair->is_measured = false;
	pair->error = error;
	free(pair->reason);
	pair->reason = strdup(printbuf_str(reason));
	if (!plan->first_error)
		plan->first_error = error;
}

static void show_progress(struct plan *plan, const struct measure_pair *pair)
{
	const struct measure_options *options = plan->options;
	size_t nr = plan->result->nr_pairs;
	if (options->progress)
		options->progress(options->data, plan->machine->nodes[pair->from].id,
				  plan->machine->nodes[pair->to].id, plan->nr_done, nr,
				  (nr - plan->nr_done) * plan->pair_ns);
	plan->nr_done++;
}

/* All pairs to one node's memory: they share its buffers, and are void when those have moved. */
static void measure_target(struct plan *plan, uint32_t to)
{
	PRINTBUF(err);
	struct measurement *result = plan->result;
	struct buffers buffers = { 0 };
	bool is_open = false;
	int error = 0;
	for (size_t i = 0; i < result->nr_pairs; i++) {
		struct measure_pair *pair = &result->pairs[i];
		if (pair->to != to)
			continue;
		show_progress(plan, pair);
		if (!is_open && !error)
			error = buffers_new(plan, to, &buffers, &err);
		is_open = !error;
		if (error) {
			refuse(plan, pair, error, &err);
			continue;
		}
		PRINTBUF(reason);
		int pair_error = run_pair(plan, &buffers, pair, &reason);
		pair->is_measured = pair_error == 0;
		if (pair_error)
			refuse(plan, pair, pair_error, &reason);
	}
	if (is_open && plan->nr_memory_nodes > 1)
		error = measure_memory_check(&buffers.chase, &err);
	for (size_t i = 0; i < result->nr_pairs && is_open && error; i++)
		if (result->pairs[i].to == to && result->pairs[i].is_measured)
			refuse(plan, &result->pairs[i], error, &err);
	buffers_fini(&buffers);
}

static int list_pairs(struct plan *plan)
{
	const struct machine *machine = plan->machine;
	struct measurement *result = plan->result;
	size_t room = (size_t)machine->nr_nodes * machine->nr_nodes;
	result->pairs = calloc(room, sizeof(*result->pairs));
	result->nodes = calloc(machine->nr_nodes, sizeof(*result->nodes));
	if (!result->pairs || !result->nodes)
		return -ENOMEM;
	for (uint32_t from = 0; from < machine->nr_nodes; from++)
		for (uint32_t to = 0; to < machine->nr_nodes; to++) {
			if (set_is_empty(&machine->nodes[from].cpus) ||
			    !machine_node_has_memory(&machine->nodes[to]))
				continue;
			result->pairs[result->nr_pairs++] = (struct measure_pair){
				.from = from,
				.to = to,
				.claimed = *machine_link(machine, from, to),
			};
		}
	return 0;
}

static void find_limits(struct plan *plan)
{
	const struct machine *machine = plan->machine;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		uint64_t largest = 0, total = 0;
		measure_caches(&machine->nodes[i].cpus, &largest, &total);
		plan->result->cache_bytes = MAX(plan->result->cache_bytes, largest);
		plan->stream_cache_bytes = MAX(plan->stream_cache_bytes, total);
		plan->nr_memory_nodes += machine_node_has_memory(&machine->nodes[i]);
	}
}

static void put_pair(struct machine *machine, const struct measure_pair *pair)
{
	struct machine_link *link = machine_link_at(machine, pair->from, pair->to);
	double bandwidth = MAX(pair->all_cpus_bytes_per_s, pair->one_cpu_bytes_per_s);
	link->latency_ns = MAX((uint64_t)(pair->idle_ns + 0.5), 1);
	link->bandwidth_bytes_per_s = MAX((uint64_t)(bandwidth + 0.5), 1);
	link->latency_source = FIGURE_MEASURED;
	link->bandwidth_source = FIGURE_MEASURED;
}

/* A node without CPUs has as its own what the best CPUs see; so it is found anew. */
static void put_figures(struct machine *machine, struct measurement *result)
{
	for (size_t i = 0; i < result->nr_pairs; i++) {
		const struct measure_pair *pair = &result->pairs[i];
		if (!pair->is_measured)
			continue;
		result->nr_measured++;
		put_pair(machine, pair);
		if (!set_is_empty(&machine->nodes[pair->to].cpus))
			continue;
		struct machine_link *own = machine_link_at(machine, pair->to, pair->to);
		own->latency_ns = own->bandwidth_bytes_per_s = 0;
		own->latency_source = own->bandwidth_source = FIGURE_UNKNOWN;
	}
	figures_own_from_others(machine);
	figures_fill(machine);
}

static void add_notes(const struct plan *plan)
{
	struct measurement *result = plan->result;
	for (uint32_t i = 0; i < plan->machine->nr_nodes; i++) {
		const struct measure_node *node = &result->nodes[i];
		uint32_t id = plan->machine->nodes[i].id;
		if (node->buffer_bytes == 0)
			continue;
		if (node->huge_bytes < node->buffer_bytes / 10 * 9)
			prt_printf(&result->notes,
				   "node %u gave small pages (%llu of %llu MiB in huge ones): its "
				   "latencies include looking up pages\n",
				   id, (unsigned long long)(node->huge_bytes / MIB),
				   (unsigned long long)(node->buffer_bytes / MIB));
		if (node->buffer_bytes < 2 * result->cache_bytes)
			prt_printf(&result->notes,
				   "node %u was measured over %llu MiB, which a cache of %llu MiB "
				   "partly holds: its latencies may be too low\n",
				   id, (unsigned long long)(node->buffer_bytes / MIB),
				   (unsigned long long)(result->cache_bytes / MIB));
	}
}

static int measure_all(struct plan *plan, struct printbuf *err)
{
	struct measurement *result = plan->result;
	int error = list_pairs(plan);
	if (!error)
		error = measure_allowed_cpus(&plan->allowed_cpus);
	plan->chunks = calloc(MEASURE_MAX_CHUNKS, sizeof(*plan->chunks));
	if (error || !plan->chunks)
		return error_set(err, error ? error : -ENOMEM, "out of memory");
	find_limits(plan);
	for (uint32_t to = 0; to < plan->machine->nr_nodes; to++)
		if (machine_node_has_memory(&plan->machine->nodes[to]))
			measure_target(plan, to);
	put_figures(plan->machine, result);
	add_notes(plan);
	if (result->nr_measured > 0)
		return 0;
	return error_set(err, plan->first_error, "node %u to node %u: %s",
			 plan->machine->nodes[result->pairs[0].from].id,
			 plan->machine->nodes[result->pairs[0].to].id,
			 result->pairs[0].reason ? result->pairs[0].reason : "out of memory");
}

int measure_machine(struct machine *machine, const struct measure_options *options,
		    struct measurement *ret, struct printbuf *err)
{
	struct measurement result = { .notes = PRINTBUF_HEAP };
	struct plan plan = {
		.machine = machine,
		.options = options,
		.result = &result,
		.pair_ns = options->pair_ns ? options->pair_ns : MEASURE_TIME_DEFAULT_NS,
	};
	int error = measure_all(&plan, err);
	set_fini(&plan.allowed_cpus);
	free(plan.chunks);
	if (error)
		measurement_fini(&result);
	else
		*ret = result;
	return error;
}

void measurement_fini(struct measurement *measurement)
{
	for (size_t i = 0; i < measurement->nr_pairs; i++)
		free(measurement->pairs[i].reason);
	free(measurement->pairs);
	free(measurement->nodes);
	printbuf_fini(&measurement->notes);
	*measurement = (struct measurement){ 0 };
}
