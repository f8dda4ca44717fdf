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
	uint64_t sampler, period_ns, tick_ns, fast_pages, hint_nodes, aggr_ns, max_regions;
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
	keys[SIM_HINT_NODES] = setting->hint_nodes;
	if (setting->aggr_ns)
		keys[SIM_AGGR_PERIOD] = setting->aggr_ns;
	if (setting->max_regions)
		keys[SIM_MAX_REGIONS] = setting->max_regions;
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

/* Memory that comes and goes between two scans does not pile up, and is told once. */
static void test_samplers_lists_stay_short(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_ACCESSED_BITS,
				   .period_ns = 100 * NS_PER_MS,
				   .fast_pages = 10000 };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	for (uint64_t i = 0; i < 60000; i++) {
		tape_access(&tape, i * 1000, 0, i % 3, TRACE_MISS);
		tape_mapping(&tape, i * 1000 + 1, 0, TRACE_DISCARD, i % 3, 1, 0);
	}
	tape_access(&tape, 90 * NS_PER_MS, 0, 1, TRACE_MISS);
	tape_access(&tape, 101 * NS_PER_MS, 0, 5, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 1);
	check_page(0, 100 * NS_PER_MS, 1, 0);
	assert_true(world.simulation->max_touched <= 4 * world.simulation->kernel->nr_pages);
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

/* The scanner's delay is over at 100 ms, the first window is armed at 210 (the tick after 204), all
 * of it, and each page faults once; the second at 320 arms what has faulted since (the task that
 * won a window waits two scheduler ticks longer). */
static void play_hints(struct tape *tape)
{
	tape_access(tape, 1 * NS_PER_MS, 0, 100, TRACE_MISS);
	tape_access(tape, 2 * NS_PER_MS, 0, 101, TRACE_MISS);
	tape_access(tape, 3 * NS_PER_MS, 0, 102, TRACE_MISS);
	tape_access(tape, 205 * NS_PER_MS, 0, 101, TRACE_MISS);
	tape_access(tape, 211 * NS_PER_MS, 0, 102, TRACE_MISS);
	tape_access(tape, 245 * NS_PER_MS, 0, 101, TRACE_TOUCH);
	tape_access(tape, 246 * NS_PER_MS, 0, 101, TRACE_MISS);
	tape_access(tape, 247 * NS_PER_MS, 0, 100, TRACE_MISS);
	tape_access(tape, 381 * NS_PER_MS, 0, 101, TRACE_MISS);
	tape_access(tape, 395 * NS_PER_MS, 0, 101, TRACE_MISS);
}

static void check_hint(uint32_t index, uint64_t time_ms, uint64_t page, uint64_t latency_ms)
{
	const struct sample *sample = &heard.samples[index];
	assert_true(index < heard.nr);
	assert_int_equal(sample->kind, SAMPLE_HINT_FAULT);
	assert_int_equal(sample->time_ns, time_ms * NS_PER_MS);
	assert_int_equal(sample->page, page);
	assert_int_equal(sample->latency_ns,
			 latency_ms == UINT64_MAX ? SAMPLE_UNKNOWN : latency_ms * NS_PER_MS);
}

/* Page 100 is on the fast node, 101 and 102 on the slow one, which alone is armed. */
static void test_samplers_hint_faults_with_latency(void **state)
{
	struct setting setting = { .needs = SAMPLE_BIT(SAMPLE_HINT_FAULT),
				   .sampler = SIM_SAMPLER_HINT_FAULTS,
				   .period_ns = 100 * NS_PER_MS,
				   .tick_ns = 10 * NS_PER_MS,
				   .fast_pages = 1,
				   .kernel = "interleave" };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	play_hints(&tape);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 3);
	check_hint(0, 210, 102, 0);
	check_hint(1, 240, 101, 30);
	check_hint(2, 380, 101, 60);
	assert_int_equal(heard.samples[0].node, 1);
	/* Each fault cost the program 1 us. */
	assert_int_equal(world.simulation->account.faults_ps, 3000000);
	assert_int_equal(world.simulation->sampling.nr_checks, 0);
	world_close(&world);
	tape_free(&tape);
}

static void test_samplers_hint_faults_everywhere_without_latency(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_HINT_FAULTS_NO_LATENCY,
				   .period_ns = 100 * NS_PER_MS,
				   .tick_ns = 10 * NS_PER_MS,
				   .fast_pages = 1,
				   .hint_nodes = 1,
				   .kernel = "interleave" };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	play_hints(&tape);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 4);
	check_hint(0, 210, 102, UINT64_MAX);
	check_hint(1, 240, 101, UINT64_MAX);
	check_hint(2, 240, 100, UINT64_MAX);
	check_hint(3, 380, 101, UINT64_MAX);
	assert_int_equal(heard.samples[2].node, 0);
	world_close(&world);
	tape_free(&tape);
}

/* What was unmapped does not fault, what mremap moved does, under its new address. */
static void test_samplers_hint_faults_follow_mappings(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_HINT_FAULTS,
				   .period_ns = 100 * NS_PER_MS,
				   .tick_ns = 10 * NS_PER_MS,
				   .hint_nodes = 1,
				   .fast_pages = 100 };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	for (uint64_t i = 0; i < 20; i++)
		tape_access(&tape, NS_PER_MS + i, i < 10 ? 0 : 3, 100 + i, TRACE_MISS);
	tape_mapping(&tape, 50 * NS_PER_MS, 0, TRACE_REMAP, 70000, 5, 100);
	tape_mapping(&tape, 230 * NS_PER_MS, 3, TRACE_UNMAP, 110, 5, 0);
	for (uint64_t i = 0; i < 5; i++)
		tape_access(&tape, 250 * NS_PER_MS + i, 0, 70000 + i, TRACE_MISS);
	for (uint64_t i = 10; i < 20; i++)
		tape_access(&tape, 250 * NS_PER_MS + i, 3, 100 + i, TRACE_MISS);
	tape_access(&tape, 265 * NS_PER_MS, 0, 1, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 10);
	for (uint32_t i = 0; i < 5; i++) {
		check_hint(i, 250, 70000 + i, 40);
		check_hint(5 + i, 250, 115 + i, 40);
	}
	world_close(&world);
	tape_free(&tape);
}

/* One owner of the bits: a kernel that takes hint faults itself keeps them. */
static void test_samplers_hint_faults_refuse_a_balancing_kernel(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_HINT_FAULTS,
				   .fast_pages = 100,
				   .kernel = "linux-tiering" };
	const struct kernel_ops *kernel = kernel_find("linux-tiering");
	uint64_t values[TUNABLES_MAX];
	struct world world;
	PRINTBUF(err);
	(void)state;
	assert_int_equal(world_open(&world, &setting, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "write -K linux-tiering:numa_balancing=0"));
	world_close(&world);
	tunables_defaults(kernel->tunables, kernel->nr_tunables, values);
	assert_int_equal(tunables_parse("numa_balancing=0", kernel->tunables, kernel->nr_tunables,
					"kernel", values, NULL),
			 0);
	setting.kernel_values = values;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	world_close(&world);
}

static void check_range(uint32_t index, uint64_t time_ms, uint64_t page, uint32_t hits,
			uint32_t age, uint32_t node)
{
	const struct sample *sample = &heard.samples[index];
	assert_true(index < heard.nr);
	assert_int_equal(sample->kind, SAMPLE_HITS);
	assert_int_equal(sample->time_ns, time_ms * NS_PER_MS);
	assert_int_equal(sample->page, page);
	assert_int_equal(sample->nr_pages, 1);
	assert_int_equal(sample->hits, hits);
	assert_int_equal(sample->checks, 4);
	assert_int_equal(sample->age, age);
	assert_int_equal(sample->node, node);
}

/* Three lone pages far apart are three regions of one page, so nothing is left to chance: hits are
 * the intervals of 5 ms with a use. Monitoring begins at 5 ms, snapshots come at 25, 45, 65 ms. */
static void test_samplers_damon_counts_intervals(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_DAMON,
				   .aggr_ns = 20 * NS_PER_MS,
				   .fast_pages = 1,
				   .kernel = "interleave" };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	tape_access(&tape, 1 * NS_PER_MS, 0, 100, TRACE_MISS);
	tape_access(&tape, 2 * NS_PER_MS, 0, 200000, TRACE_MISS);
	tape_access(&tape, 3 * NS_PER_MS, 0, 100000, TRACE_MISS);
	for (uint64_t ms = 6; ms < 67; ms += 5) {
		tape_access(&tape, ms * NS_PER_MS, 0, 100, TRACE_TOUCH);
		if (ms % 10 == 6)
			tape_access(&tape, ms * NS_PER_MS, 0, 100000, TRACE_MISS);
		if (ms == 31)
			tape_access(&tape, ms * NS_PER_MS, 0, 200000, TRACE_MISS);
	}
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 9);
	/* Ages: much as in the window before, or not; the first has none before. */
	check_range(0, 25, 100, 4, 0, 0);
	check_range(1, 25, 100000, 2, 0, 1);
	check_range(2, 25, 200000, 0, 1, 1);
	check_range(3, 45, 100, 4, 1, 0);
	check_range(4, 45, 100000, 2, 1, 1);
	check_range(5, 45, 200000, 1, 0, 1);
	check_range(6, 65, 100, 4, 2, 0);
	check_range(7, 65, 100000, 2, 2, 1);
	check_range(8, 65, 200000, 0, 0, 1);
	assert_int_equal(world.simulation->sampling.nr_checks, 12 * 3);
	world_close(&world);
	tape_free(&tape);
}

/* Regions adapt: of 4096 pages 128 are hot, and after two seconds DAMON knows which, at no more
 * than 1000 checks per sample. */
static void test_samplers_damon_finds_the_hot_range(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_DAMON, .fast_pages = 8192 };
	struct world world;
	struct tape tape = tape_new();
	uint64_t right = 0, wrong = 0, covered = 0;
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	for (uint64_t i = 0; i < 4096; i++)
		tape_access(&tape, i * 10, 0, i, TRACE_MISS);
	for (uint64_t ms = 1; ms < 2000; ms += 2)
		for (uint64_t i = 0; i < 128; i++)
			tape_access(&tape, ms * NS_PER_MS + i, 0, 1000 + i, TRACE_MISS);
	world_play(&world, &tape);
	assert_true(heard.nr > 0);
	uint64_t last_ns = heard.samples[heard.nr - 1].time_ns;
	for (uint32_t i = 0; i < heard.nr; i++) {
		const struct sample *sample = &heard.samples[i];
		for (uint64_t j = 0; j < sample->nr_pages && sample->time_ns == last_ns; j++) {
			uint64_t page = sample->page + j;
			bool is_hot = page >= 1000 && page < 1128;
			bool looks_hot = sample->hits * 2 > sample->checks;
			*(is_hot == looks_hot ? &right : &wrong) += 1;
			covered++;
		}
	}
	assert_int_equal(covered, 4096);
	assert_true(wrong < 40);
	assert_true(world.simulation->sampling.nr_checks < 400 * 1000);
	world_close(&world);
	tape_free(&tape);
}

/* Who takes any kind of sample learns of every page, used or not, and where it is; what was told
 * of already only where a check found it used. */
static void test_samplers_damon_tells_pages(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_DAMON,
				   .needs = SAMPLE_ANY,
				   .fast_pages = 2048 };
	struct world world;
	struct tape tape = tape_new();
	uint32_t nr_told[4096] = { 0 }, nr_on[2] = { 0 };
	(void)state;
	assert_int_equal(world_open(&world, &setting, NULL), 0);
	for (uint64_t i = 0; i < 4096; i++)
		tape_access(&tape, i * 10, 0, i, TRACE_MISS);
	for (uint64_t ms = 1; ms < 2200; ms += 2)
		tape_access(&tape, ms * NS_PER_MS, 0, 3000, TRACE_MISS);
	world_play(&world, &tape);
	assert_true(heard.nr > 0 && heard.nr < HEARD_MAX);
	for (uint32_t i = 0; i < heard.nr; i++) {
		const struct sample *sample = &heard.samples[i];
		for (uint64_t j = 0; j < sample->nr_pages && sample->hits > 0; j++) {
			uint64_t page = sample->page + j;
			uint32_t number = stage_find(world.stage, 0, page);
			assert_true(page < 4096 && sample->node < 2);
			assert_int_equal(sample->node,
					 world.simulation->kernel->pages[number].node);
			nr_told[page]++;
			nr_on[sample->node] += nr_told[page] == 1;
		}
	}
	assert_true(nr_on[0] > 1000 && nr_on[1] > 1000);
	assert_int_equal(nr_on[0] + nr_on[1], 4096);
	assert_int_equal(nr_told[0], 1);
	assert_true(nr_told[3000] > 2);
	world_close(&world);
	tape_free(&tape);
}

static void test_samplers_damon_refuses_contradictions(void **state)
{
	struct setting regions = { .sampler = SIM_SAMPLER_DAMON, .max_regions = 5 };
	struct setting periods = { .sampler = SIM_SAMPLER_DAMON,
				   .period_ns = NS_PER_S,
				   .aggr_ns = NS_PER_MS };
	struct world world;
	PRINTBUF(first);
	PRINTBUF(second);
	(void)state;
	assert_int_equal(world_open(&world, &regions, &first), -EINVAL);
	assert_string_equal(printbuf_str(&first),
			    "sampler damon: min_regions=10 is more than max_regions=5");
	world_close(&world);
	assert_int_equal(world_open(&world, &periods, &second), -EINVAL);
	assert_non_null(strstr(printbuf_str(&second), "aggr_period is shorter"));
	world_close(&world);
}

#define HUGE_PAGES ((uint64_t)512)

/* Two huge pages, three pages of which are used, above a kernel that does nothing by itself. */
static void open_huge(struct world *world, struct setting *setting, struct tape *tape)
{
	const struct kernel_ops *kernel = kernel_find("linux-tiering");
	static uint64_t values[TUNABLES_MAX];
	tunables_defaults(kernel->tunables, kernel->nr_tunables, values);
	assert_int_equal(tunables_parse("numa_balancing=0,demotion=0,thp=always", kernel->tunables,
					kernel->nr_tunables, "kernel", values, NULL),
			 0);
	setting->kernel = "linux-tiering";
	setting->kernel_values = values;
	setting->fast_pages = 20000;
	assert_int_equal(world_open(world, setting, NULL), 0);
	tape_map(tape, 0, 0, 100 * HUGE_PAGES, 2 * HUGE_PAGES);
	tape_access(tape, 1 * NS_PER_MS, 0, 100 * HUGE_PAGES + 3, TRACE_MISS);
	tape_access(tape, 2 * NS_PER_MS, 0, 101 * HUGE_PAGES + 9, TRACE_MISS);
	tape_access(tape, 3 * NS_PER_MS, 0, 100 * HUGE_PAGES + 7, TRACE_MISS);
}

/* One accessed bit: however many pages of a huge page are used, it is told once and whole. */
static void test_samplers_accessed_bits_of_huge_pages(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_ACCESSED_BITS,
				   .period_ns = 10 * NS_PER_MS };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	open_huge(&world, &setting, &tape);
	tape_access(&tape, 15 * NS_PER_MS, 0, 100 * HUGE_PAGES + 7, TRACE_MISS);
	tape_access(&tape, 21 * NS_PER_MS, 0, 1, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(heard.samples[i].page, (i == 1 ? 101 : 100) * HUGE_PAGES);
		assert_int_equal(heard.samples[i].nr_pages, HUGE_PAGES);
		assert_int_equal(heard.samples[i].order, 9);
		assert_int_equal(heard.samples[i].time_ns, (i < 2 ? 10 : 20) * NS_PER_MS);
	}
	world_close(&world);
	tape_free(&tape);
}

/* Armed as one, a huge page faults once, at the page that is used first. */
static void test_samplers_hint_faults_of_huge_pages(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_HINT_FAULTS,
				   .period_ns = 100 * NS_PER_MS,
				   .tick_ns = 10 * NS_PER_MS,
				   .hint_nodes = 1 };
	struct world world;
	struct tape tape = tape_new();
	(void)state;
	open_huge(&world, &setting, &tape);
	tape_access(&tape, 245 * NS_PER_MS, 0, 100 * HUGE_PAGES + 7, TRACE_MISS);
	tape_access(&tape, 246 * NS_PER_MS, 0, 100 * HUGE_PAGES + 3, TRACE_MISS);
	tape_access(&tape, 265 * NS_PER_MS, 0, 101 * HUGE_PAGES + 9, TRACE_MISS);
	tape_access(&tape, 275 * NS_PER_MS, 0, 1, TRACE_MISS);
	world_play(&world, &tape);
	assert_int_equal(heard.nr, 2);
	check_hint(0, 240, 100 * HUGE_PAGES + 7, 30);
	check_hint(1, 260, 101 * HUGE_PAGES + 9, 50);
	assert_int_equal(heard.samples[0].order, 9);
	/* Two entries walked over and armed. */
	assert_int_equal(world.simulation->sampling.cpu_ns, 2 * (40 + 70));
	world_close(&world);
	tape_free(&tape);
}

/* Any page of a huge page that is used makes the page that is checked look used. */
static void test_samplers_damon_sees_huge_pages_whole(void **state)
{
	struct setting setting = { .sampler = SIM_SAMPLER_DAMON, .aggr_ns = 20 * NS_PER_MS };
	struct world world;
	struct tape tape = tape_new();
	uint64_t hits = 0;
	(void)state;
	open_huge(&world, &setting, &tape);
	for (uint64_t ms = 6; ms < 50; ms++)
		for (uint64_t i = 0; i < 2; i++)
			tape_access(&tape, ms * NS_PER_MS + i, 0,
				    (100 + i) * HUGE_PAGES + (i ? 9 : 3), TRACE_MISS);
	world_play(&world, &tape);
	for (uint32_t i = 0; i < heard.nr; i++) {
		assert_int_equal(heard.samples[i].hits, 4);
		assert_int_equal(heard.samples[i].node, 0);
		hits += heard.samples[i].hits;
	}
	assert_true(hits > 0);
	world_close(&world);
	tape_free(&tape);
}

static struct sim_set *simulate_all(const struct tape *tape, const struct machine *machine,
				    const char *kernel)
{
	static const char *const policies_[] = {
		"berth:sampler=hint-faults,sample_period=300ms",
		"berth:sampler=hint-faults-no-latency,sample_period=100ms,hint_nodes=all",
		"berth:sampler=damon",
		"berth:sampler=accessed-bits,sample_period=50ms",
		"recency:sampler=damon,aggr_period=50ms,max_regions=20,update_period=100ms",
		"damon:apply_interval=0,quota_interval=50ms,node_mem_free_bp=30%",
	};
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_),
				     .kernel = kernel,
				     .dilate = 400,
				     .seed = 3 };
	return tape_simulate(tape, &config);
}

/* Whatever the program does, mappings and children included: the same twice, the parts add up, and
 * only hint faults cost the program anything. */
static void test_samplers_survive_any_program(void **state)
{
	static const char *const below[] = { "linux-none", "interleave",
					     "linux-tiering:numa_balancing=0,thp=always" };
	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		struct machine *machine = machine_two_tiers(400 + seed * 100, 20000);
		struct tape tape = tape_new();
		tape_map(&tape, 0, 0, 0, 4096);
		tape_random(&tape, seed, 6000, 900 + seed * 300);
		struct sim_set *first = simulate_all(&tape, machine, below[seed % 3]);
		struct sim_set *second = simulate_all(&tape, machine, below[seed % 3]);
		for (size_t i = 0; i < sim_set_nr_results(first); i++) {
			const struct sim_result *one = sim_set_result(first, i);
			const struct sim_result *two = sim_set_result(second, i);
			uint64_t parts = one->compute_ns + one->latency_ns + one->bandwidth_ns +
					 one->migration_ns + one->faults_ns + one->blocked_ns;
			assert_int_equal(one->error, 0);
			assert_int_equal(one->time_ns, two->time_ns);
			assert_int_equal(one->nr_checks, two->nr_checks);
			assert_int_equal(one->moved_bytes, two->moved_bytes);
			assert_in_range(one->time_ns - parts, 0, 4);
			assert_int_equal(one->nr_faults > 0, i < 2);
			assert_int_equal(one->nr_checks > 0, i >= 2);
			assert_true(one->sampler_ns > 0);
		}
		sim_set_free(first);
		sim_set_free(second);
		tape_free(&tape);
		machine_free(machine);
	}
}
