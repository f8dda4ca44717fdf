/* SPDX-License-Identifier: MIT */
/*
 * Bounds inside the simulator, on random recordings: no policy that pays the same linear cost beats
 * the lower figure of `optimal`; the replay of a schedule pays exactly what the solver says; bounds
 * stand in the order that their definitions demand.
 */
#include "test.h"

#include "base/random.h"
#include "sim/bound.h"
#include "sim/sim.h"

#define NR_RECORDINGS 60
#define NR_EVENTS     6000
#define NR_PAGES      24
#define TICK_NS	      ((uint64_t)1000000)

enum { LINUX_NONE, INTERLEAVE, RECENCY, EAGER, ALL_FAST, ALL_SLOW, STATIC_BEST, OPTIMAL };

static const char *const policies[] = { "linux-none", "interleave", "recency",	   "recency:idle=1",
					"all-fast",   "all-slow",   "static-best", "optimal" };

/* One program: hot sets that change, mappings that go and come back, ticks without events. */
struct program {
	struct random random;
	struct sim_set *set;
	uint64_t now_ns;
	uint64_t hot; /* first page of the hot set */
};

static void feed_mapping(struct program *program)
{
	struct trace_mapping mapping = { .time_ns = program->now_ns,
					 .op = TRACE_UNMAP,
					 .page = random_below(&program->random, NR_PAGES),
					 .nr_pages = 1 + random_below(&program->random, 6),
					 .name = "" };
	struct trace_batch batch = { .kind = TRACE_MAPPINGS, .nr = 1, .mappings = &mapping };

	assert_int_equal(sim_set_feed(program->set, &batch, NULL), 0);
}

static void feed_accesses(struct program *program)
{
	uint64_t time_ns[64], page[64];
	uint8_t flags[64];
	struct trace_batch batch = { .kind = TRACE_ACCESSES,
				     .nr = 1 + (uint32_t)random_below(&program->random, 64),
				     .time_ns = time_ns,
				     .page = page,
				     .flags = flags };

	for (uint32_t i = 0; i < batch.nr; i++) {
		program->now_ns += random_below(&program->random, 20000);
		time_ns[i] = program->now_ns;
		page[i] = random_below(&program->random, 5)
				  ? (program->hot + random_below(&program->random, 5)) % NR_PAGES
				  : random_below(&program->random, NR_PAGES);
		flags[i] = TRACE_MISS | TRACE_TOUCH | (random_below(&program->random, 3) == 0);
	}
	assert_int_equal(sim_set_feed(program->set, &batch, NULL), 0);
}

static void run_program(struct sim_set *set, uint64_t seed)
{
	struct program program = { .set = set };

	random_init(&program.random, seed);
	for (unsigned i = 0; i < NR_EVENTS / 32; i++) {
		if (random_below(&program.random, 20) == 0)
			program.hot = random_below(&program.random, NR_PAGES);
		if (random_below(&program.random, 8) == 0)
			feed_mapping(&program);
		if (random_below(&program.random, 30) == 0)
			program.now_ns += random_below(&program.random, 5 * TICK_NS);
		feed_accesses(&program);
	}
	assert_int_equal(sim_set_finish(set, program.now_ns + TICK_NS / 2, NULL), 0);
}

static struct sim_set *simulate(struct machine *machine, uint64_t seed)
{
	struct trace_info info = { .page_bytes = 4096,
				   .ns_per_ktick = 1000,
				   .streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
				   .interval_ns = TICK_NS,
				   .cache = { .size_bytes = MIB, .ways = 16, .line_bytes = 64 } };
	struct sim_config config = { .machine = machine,
				     .policies = policies,
				     .nr_policies = ARRAY_SIZE(policies),
				     .effort = (unsigned)seed % 3 };
	struct sim_set *set = NULL;
	PRINTBUF(err);

	if (sim_set_new(&config, &info, &set, &err))
		fail_msg("%s", printbuf_str(&err));
	run_program(set, seed);
	return set;
}

static void check_order(const struct sim_set *set)
{
	const struct sim_result *optimal = sim_set_result(set, OPTIMAL);
	const struct sim_result *still = sim_set_result(set, STATIC_BEST);

	assert_true(optimal->has_bound && still->has_bound);
	assert_true(optimal->is_exact);
	assert_true(optimal->lower_ps <= optimal->upper_ps);
	assert_int_equal(optimal->linear_ps, optimal->upper_ps);
	assert_int_equal(still->linear_ps, still->upper_ps);
	assert_true(optimal->upper_ps <= still->upper_ps);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		const struct sim_result *result = sim_set_result(set, i);

		assert_int_equal(result->error, 0);
		assert_int_equal(result->misses, optimal->misses);
		assert_true(result->compute_ns == optimal->compute_ns);
		if (i != ALL_FAST)
			assert_true(result->linear_ps >= optimal->lower_ps);
		if (i != ALL_FAST)
			assert_true(result->time_ns >= optimal->lower_time_ns);
	}
	assert_true(sim_set_result(set, ALL_FAST)->linear_ps <= optimal->lower_ps);
}

static void check_machine(const char *line, uint64_t *ret_moved)
{
	struct machine *machine = NULL;

	assert_int_equal(machine_parse(line, &machine, NULL), 0);
	for (uint64_t seed = 0; seed < NR_RECORDINGS; seed++) {
		struct sim_set *set = simulate(machine, seed);

		check_order(set);
		*ret_moved += sim_set_result(set, OPTIMAL)->moved_bytes +
			      sim_set_result(set, RECENCY)->moved_bytes +
			      sim_set_result(set, EAGER)->moved_bytes;
		sim_set_free(set);
	}
	machine_free(machine);
}

static void test_nobody_beats_optimal(void **state)
{
	uint64_t moved = 0;

	check_machine("node:dram:24KiB@80ns/100GBps:cpus=0-3 node:cxl:1MiB@900ns/30GBps", &moved);
	assert_true(moved > 0); /* or the test would say nothing about moves */
}

static void test_nobody_beats_optimal_when_all_is_tight(void **state)
{
	uint64_t moved = 0;

	check_machine("node:dram:32KiB@80ns/100GBps:cpus=0-3 node:cxl:64KiB@900ns/30GBps", &moved);
	assert_true(moved > 0);
}

/* The same recording twice: the same schedule, the same figures. */
static void test_bounds_are_deterministic(void **state)
{
	struct machine *machine = NULL;
	const char *line = "node:dram:16KiB@80ns/100GBps:cpus=0-3 node:hbm:20KiB@200ns/300GBps "
			   "node:cxl:1MiB@400ns/30GBps";

	assert_int_equal(machine_parse(line, &machine, NULL), 0);
	for (uint64_t seed = 0; seed < 9; seed++) {
		struct sim_set *one = simulate(machine, seed), *two = simulate(machine, seed);

		for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
			const struct sim_result *a = sim_set_result(one, i);
			const struct sim_result *b = sim_set_result(two, i);

			assert_int_equal(a->lower_ps, b->lower_ps);
			assert_int_equal(a->upper_ps, b->upper_ps);
			assert_int_equal(a->time_ns, b->time_ns);
			assert_int_equal(a->moved_bytes, b->moved_bytes);
			if (i != ALL_FAST)
				assert_true(a->linear_ps >= sim_set_result(one, OPTIMAL)->lower_ps);
		}
		sim_set_free(one);
		sim_set_free(two);
	}
	machine_free(machine);
}
