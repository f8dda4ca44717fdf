/* SPDX-License-Identifier: MIT */
#include "lab/latency/model.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lab/latency/waits.h"

struct model model;

static pthread_mutex_t snapshot_lock = PTHREAD_MUTEX_INITIALIZER;

static bool ranges_are_valid(const struct lab_model *wanted)
{
	for (uint32_t i = 0; i < wanted->nr_ranges; i++) {
		const struct lab_range *range = &wanted->ranges[i];
		if (range->start >= range->end || range->node >= wanted->nr_nodes)
			return false;
	}
	for (uint32_t vcpu = 0; vcpu < wanted->nr_vcpus; vcpu++)
		if (wanted->node_of_vcpu[vcpu] >= wanted->nr_nodes)
			return false;
	return true;
}

static bool is_valid(const struct lab_model *wanted)
{
	return wanted->version == LAB_MODEL_VERSION && wanted->time <= LAB_TIME_ICOUNT &&
	       wanted->nr_nodes > 0 && wanted->nr_nodes <= LAB_MAX_NODES && wanted->nr_vcpus > 0 &&
	       wanted->nr_vcpus <= LAB_MAX_VCPUS && wanted->nr_ranges <= LAB_MAX_RANGES &&
	       wanted->line_bytes == 1 << FILTER_LINE_SHIFT && ranges_are_valid(wanted);
}

int model_init(struct lab_shared *shared)
{
	const struct lab_model *wanted = &shared->model;
	if (!is_valid(wanted))
		return -EINVAL;
	model = (struct model){ .shared = shared, .nr_vcpus = wanted->nr_vcpus };
	model.cpus = aligned_alloc(64, sizeof(*model.cpus) * wanted->nr_vcpus);
	model.clocks = aligned_alloc(64, sizeof(*model.clocks) * LAB_MAX_NODES);
	if (!model.cpus || !model.clocks) {
		model_fini();
		return -ENOMEM;
	}
	memset(model.cpus, 0, sizeof(*model.cpus) * wanted->nr_vcpus);
	for (uint32_t vcpu = 0; vcpu < wanted->nr_vcpus; vcpu++) {
		struct cpu *cpu = &model.cpus[vcpu];
		int error = cache_init(&cpu->cache, wanted->cache_bytes, wanted->cache_ways,
				       wanted->line_bytes);
		if (error) {
			model_fini();
			return error;
		}
		cpu->vcpu = vcpu;
		cpu->shared = &shared->vcpus[vcpu];
		cpu->counts = cpu->shared->counts[0];
	}
	model_start(0);
	return 0;
}

void model_fini(void)
{
	if (model.cpus)
		for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++)
			cache_fini(&model.cpus[vcpu].cache);
	free(model.cpus);
	free(model.clocks);
	model = (struct model){ 0 };
}

static uint64_t ticks(double ns, uint64_t ticks_per_1024_ns)
{
	return (uint64_t)(ns * (double)ticks_per_1024_ns / 1024 + 0.5);
}

static double line_ns(const struct lab_model *wanted, uint32_t from, uint32_t to)
{
	uint64_t bandwidth = wanted->bandwidth_bytes_per_s[from][to];
	return bandwidth ? wanted->line_bytes * 1e9 / (double)bandwidth : 0;
}

static void start_cpu(struct cpu *cpu, uint64_t ticks_per_1024_ns)
{
	const struct lab_model *wanted = &model.shared->model;
	uint32_t from = wanted->node_of_vcpu[cpu->vcpu];
	double latency_scale = wanted->scale_bp / 1e4, line_scale = wanted->line_scale_bp / 1e4;
	for (uint32_t to = 0; to < wanted->nr_nodes; to++) {
		cpu->latency_ticks[to] = ticks(wanted->latency_ns[from][to] * latency_scale,
					       ticks_per_1024_ns);
		cpu->line_ticks[to] = ticks(line_ns(wanted, from, to) * line_scale,
					    ticks_per_1024_ns);
	}
	cache_clear(&cpu->cache);
	cpu->streams = (struct streams){ 0 };
	cpu->answered = 0;
	model_forget_all(cpu);
}

void model_start(uint64_t ticks_per_1024_ns)
{
	model.ticks_per_1024_ns = ticks_per_1024_ns;
	model.slack_ticks = ticks(model.shared->model.slack_ns, ticks_per_1024_ns);
	model.max_wait_ticks = ticks(MODEL_MAX_WAIT_NS, ticks_per_1024_ns);
	memset(model.clocks, 0, sizeof(*model.clocks) * LAB_MAX_NODES);
	for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++)
		start_cpu(&model.cpus[vcpu], ticks_per_1024_ns);
}

void model_forget_all(struct cpu *cpu)
{
	memset(cpu->filter, 0, sizeof(cpu->filter));
	memset(cpu->store_filter, 0, sizeof(cpu->store_filter));
	cpu->generation = FILTER_GENERATION;
}

uint32_t model_node(struct cpu *cpu, uint64_t physical)
{
	const struct lab_model *wanted = &model.shared->model;
	const struct lab_range *range = &wanted->ranges[cpu->range];
	if (likely(physical >= range->start && physical < range->end))
		return range->node;
	for (uint32_t i = 0; i < wanted->nr_ranges; i++) {
		range = &wanted->ranges[i];
		if (physical >= range->start && physical < range->end) {
			cpu->range = i;
			return range->node;
		}
	}
	return MODEL_NO_NODE;
}

enum model_answer model_access(struct cpu *cpu, uint64_t address, uint64_t physical, bool is_store,
			       uint32_t *ret_node)
{
	*ret_node = MODEL_NO_NODE;
	if (cache_touch(&cpu->cache, physical >> FILTER_LINE_SHIFT))
		return MODEL_HIT;
	uint32_t node = *ret_node = model_node(cpu, physical);
	if (unlikely(node == MODEL_NO_NODE)) {
		__atomic_fetch_add(&model.shared->model.nr_unknown, 1, __ATOMIC_RELAXED);
		return MODEL_MISS_UNKNOWN;
	}
	struct lab_count *count = &cpu->counts[node];
	if (streams_follow(&cpu->streams, address >> FILTER_LINE_SHIFT)) {
		count->nr_sequential++;
		return MODEL_MISS_SEQUENTIAL;
	}
	if (is_store)
		count->nr_store_misses++;
	else
		count->nr_load_misses++;
	return MODEL_MISS;
}

uint64_t model_answered_at(struct cpu *cpu, uint32_t node, bool is_sequential, uint64_t now)
{
	uint64_t line = cpu->line_ticks[node];
	uint64_t until = wait_for_line(&model.clocks[node].sent, now, line * MODEL_LINE_BURST,
				       line);
	if (!is_sequential)
		until = wait_later(until, wait_for_latency(&cpu->answered, now, model.slack_ticks,
							   cpu->latency_ticks[node]));
	return until < now + model.max_wait_ticks ? until : now + model.max_wait_ticks;
}

void model_phase(uint32_t phase)
{
	if (phase >= LAB_MAX_PHASES)
		return;
	for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++) {
		struct cpu *cpu = &model.cpus[vcpu];
		cpu->shared->phase = phase;
		__atomic_store_n(&cpu->counts, cpu->shared->counts[phase], __ATOMIC_RELAXED);
	}
}

static uint64_t modelled_ns(const struct lab_model *wanted, const struct lab_count *count,
			    uint32_t from, uint32_t to)
{
	return (count->nr_load_misses + count->nr_store_misses) * wanted->latency_ns[from][to] +
	       (uint64_t)((double)count->nr_sequential * line_ns(wanted, from, to));
}

/* What was run since the last time belongs to the phase at hand. */
static void settle_instructions(struct lab_vcpu *shared)
{
	uint64_t nr_settled = 0;
	for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++)
		nr_settled += shared->nr_phase_instructions[phase];
	shared->nr_phase_instructions[shared->phase] += shared->nr_instructions - nr_settled;
}

void model_settle(void)
{
	const struct lab_model *wanted = &model.shared->model;
	for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++) {
		struct lab_vcpu *shared = model.cpus[vcpu].shared;
		shared->nr_accesses = model.cpus[vcpu].nr_accesses;
		settle_instructions(shared);
		if (wanted->time != LAB_TIME_ICOUNT)
			continue;
		uint32_t from = wanted->node_of_vcpu[vcpu];
		for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++)
			for (uint32_t to = 0; to < wanted->nr_nodes; to++) {
				struct lab_count *count = &shared->counts[phase][to];
				count->wait_ns = modelled_ns(wanted, count, from, to);
			}
	}
}

static void add_counts(struct lab_count *sum, const struct lab_count *count)
{
	sum->nr_load_misses += count->nr_load_misses;
	sum->nr_store_misses += count->nr_store_misses;
	sum->nr_sequential += count->nr_sequential;
	sum->wait_ns += count->wait_ns;
}

static void fill_snapshot(struct lab_snapshot *snapshot, uint32_t name)
{
	*snapshot = (struct lab_snapshot){ .name = name, .phase = model.cpus[0].shared->phase };
	for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++) {
		const struct lab_vcpu *shared = model.cpus[vcpu].shared;
		snapshot->nr_instructions += shared->nr_instructions;
		for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++)
			for (uint32_t to = 0; to < model.shared->model.nr_nodes; to++)
				add_counts(&snapshot->counts[to], &shared->counts[phase][to]);
	}
}

void model_snapshot(uint32_t name)
{
	struct lab_model *wanted = &model.shared->model;
	pthread_mutex_lock(&snapshot_lock);
	model_settle();
	uint32_t number = wanted->nr_snapshots;
	fill_snapshot(&model.shared->snapshots[number % LAB_MAX_SNAPSHOTS], name);
	__atomic_store_n(&wanted->nr_snapshots, number + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&snapshot_lock);
}
