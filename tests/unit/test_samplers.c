/* SPDX-License-Identifier: MIT */
/*
 * The modelled samplers against scripts, in exact integers: an agent that only listens (`probe`)
 * runs above a small kernel, and what it was told is compared with what the script did.
 */
#include "test.h"

#include "sim/simulation.h"
#include "sim_fixture.h"

#define HEARD_MAX 4096

/* An agent that writes down what it hears, and when. */
struct heard {
	struct sample samples[HEARD_MAX];
	uint32_t nr, nr_decisions;
};
static struct heard heard;

static int probe_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	(void)config;
	(void)err;
	memset(&heard, 0, sizeof(heard));
	*ret_policy = &heard;
	return 0;
}

static void probe_observe(void *policy, const struct sample_batch *batch)
{
	(void)policy;
	for (uint32_t i = 0; i < batch->nr && heard.nr < HEARD_MAX; i++)
		heard.samples[heard.nr++] = batch->samples[i];
}

static int probe_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	(void)policy;
	(void)view;
	(void)plan;
	heard.nr_decisions++;
	return 0;
}

static void probe_free(void *policy)
{
	(void)policy;
}

static struct policy_ops probe_ops(uint32_t needs)
{
	return (struct policy_ops){ .name = "probe",
				    .summary = "listens",
				    .needs = needs,
				    .new = probe_new,
				    .observe = probe_observe,
				    .decide = probe_decide,
				    .free = probe_free };
}

struct world { /* one simulation with everything it stands on */
	struct machine *machine;
	struct cost_model *cost;
	struct stage *stage;
	struct simulation *simulation;
	struct policy_ops agent;
	uint64_t capacity[2];
};

struct setting {
	uint32_t needs;
	uint64_t sampler, period_ns, tick_ns, fast_pages;
	const char *kernel;
	const uint64_t *kernel_values;
};

static int world_open(struct world *world, const struct setting *setting, struct printbuf *err)
{
	uint64_t values[COST_NR_TUNABLES], keys[SIM_NR_SAMPLER_KEYS];
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	tunables_defaults(sim_sampler_tunables, SIM_NR_SAMPLER_KEYS, keys);
	values[COST_TICK] = setting->tick_ns ? setting->tick_ns : NS_PER_MS;
	keys[SIM_SAMPLER] = setting->sampler;
	keys[SIM_SAMPLE_PERIOD] = setting->period_ns;
	*world = (struct world){ .machine = machine_two_tiers(setting->fast_pages + 1, 100000),
				 .agent = probe_ops(setting->needs),
				 .capacity = { setting->fast_pages, 100000 } };
	assert_int_equal(cost_model_new(world->machine, 4096, 64, values, &world->cost, NULL), 0);
	struct stage_config stage = { .tick_ns = values[COST_TICK] };
	assert_int_equal(stage_new(&stage, &world->stage), 0);
	struct simulation_config config = {
		.kernel = kernel_find(setting->kernel ? setting->kernel : "linux-none"),
		.kernel_values = setting->kernel_values,
		.agent = &world->agent,
		.sampler = keys,
		.budget = ENGINE_BUDGET_NONE,
		.cost = world->cost,
		.capacity_pages = world->capacity,
		.stage = world->stage,
		.seed = 1,
	};
	int error = simulation_new(&config, &world->simulation, err);
	if (error)
		return error;
	struct stage_consumer consumer = simulation_consumer(world->simulation);
	assert_int_equal(stage_add_consumer(world->stage, &consumer), 0);
	return 0;
}

static void world_close(struct world *world)
{
	simulation_free(world->simulation);
	stage_free(world->stage);
	cost_model_free(world->cost);
	machine_free(world->machine);
}

static int feed_stage(void *context, const struct trace_batch *batch, struct printbuf *err)
{
	return stage_feed(context, batch, err);
}

static void world_play(struct world *world, const struct tape *tape)
{
	PRINTBUF(err);
	if (tape_play(tape, feed_stage, world->stage, &err) ||
	    stage_finish(world->stage, tape->end_ns, &err))
		fail_msg("%s", printbuf_str(&err));
}

static void check_page(uint32_t index, uint64_t time_ns, uint64_t page, uint32_t node)
{
	const struct sample *sample = &heard.samples[index];
	assert_true(index < heard.nr);
	assert_int_equal(sample->time_ns, time_ns);
	assert_int_equal(sample->page, page);
	assert_int_equal(sample->nr_pages, 1);
	assert_int_equal(sample->node, node);
}

/* Scans at 10, 20 and 30 ms: what was used since the last one, each page once, in the order of
 * first use; a page given back in between is not told. */
static void test_samplers_accessed_bits_per_period(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_ACCESSED_BITS,
				   .period_ns = 10 * NS_PER_MS,
				   .fast_pages = 2 };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	tape_access(&tape, 1 * NS_PER_MS, 0, 100, TRACE_MISS);
	tape_access(&tape, 2 * NS_PER_MS, 0, 101, TRACE_MISS);
	tape_access(&tape, 3 * NS_PER_MS, 0, 102, TRACE_MISS);
	tape_access(&tape, 4 * NS_PER_MS, 0, 100, TRACE_MISS);
	tape_mapping(&tape, 12 * NS_PER_MS, 0, TRACE_UNMAP, 100, 1, 0);
	tape_access(&tape, 15 * NS_PER_MS, 0, 102, TRACE_MISS);
	tape_access(&tape, 16 * NS_PER_MS, 0, 103, TRACE_MISS);
	tape_mapping(&tape, 17 * NS_PER_MS, 0, TRACE_UNMAP, 103, 1, 0);
	tape_access(&tape, 31 * NS_PER_MS, 0, 101, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 4);
	check_page(0, 10 * NS_PER_MS, 100, 0);
	check_page(1, 10 * NS_PER_MS, 101, 0);
	check_page(2, 10 * NS_PER_MS, 102, 1);
	check_page(3, 20 * NS_PER_MS, 102, 1);
	/* 3 pages at 10 ms, 2 at 20, 2 at 30. */
	assert_int_equal(world.simulation->sampling.nr_checks, 7);
	world_close(&world);
	tape_free(&tape);
}

/* More than a batch holds comes in several batches of the same scan. */
static void test_samplers_a_scan_larger_than_a_batch(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_ACCESSED_BITS,
				   .period_ns = 10 * NS_PER_MS,
				   .fast_pages = 20000 };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	for (uint64_t i = 0; i < 10000; i++)
		tape_access(&tape, i * 100, 0, i, TRACE_MISS);
	tape_access(&tape, 15 * NS_PER_MS, 0, 7, TRACE_MISS);
	tape_access(&tape, 21 * NS_PER_MS, 0, 8, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(engine_stats(world.simulation->engine)->nr_samples, 10001);
	assert_int_equal(heard.nr, HEARD_MAX);
	assert_int_equal(heard.samples[HEARD_MAX - 1].page, HEARD_MAX - 1);
	world_close(&world);
	tape_free(&tape);
}

/* auto: an agent that needs hits hears at every tick; one that names nothing hears each second. */
static void test_samplers_auto_follows_needs(void **state)
{
	struct setting hits = { .needs = SAMPLE_BIT(SAMPLE_HITS), .fast_pages = 10 };
	struct setting any = { .fast_pages = 10 };
	struct tape tape = tape_new();
	struct world world;
	(void)state;
	for (uint64_t i = 1; i < 2000; i++)
		tape_access(&tape, i * NS_PER_MS + 1, 0, 1, TRACE_MISS);
	assert_int_equal(world_open(&world, &hits, NULL), 0);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 1998);
	world_close(&world);
	assert_int_equal(world_open(&world, &any, NULL), 0);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 1);
	check_page(0, NS_PER_S, 1, 0);
	world_close(&world);
	tape_free(&tape);
}

/* A sampler that cannot give what the agent needs is refused with a sentence. */
static void test_samplers_refuse_what_they_cannot_give(void **state)
{
	struct setting setting = { .needs = SAMPLE_BIT(SAMPLE_HITS),
				   .sampler = SIM_SAMPLER_HARDWARE,
				   .fast_pages = 10 };
	struct world world;
	PRINTBUF(err);
	(void)state;
	assert_int_equal(world_open(&world, &setting, &err), -EOPNOTSUPP);
	assert_string_equal(printbuf_str(&err),
			    "probe: needs hits out of checks, which no sampler here provides; "
			    "choose another policy or sampler");
	world_close(&world);
}
