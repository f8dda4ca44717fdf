/* SPDX-License-Identifier: MIT */
/*
 * Agents in the simulated world: golden tables over the recordings that are shipped, what each
 * paper promises on a program made for it, and that no kernel below breaks them.
 *
 * tests/golden/update prints the tables anew (BERTH_GOLDEN=tables).
 */
#include "test.h"

#include "sim/kernel.h"
#include "sim_golden.h"

static void table_of(struct printbuf *out, const struct sim_set *set)
{
	prt_str(out, "policy fast_bytes time_ns latency_ns migration_ns fast_misses promoted "
		     "demoted refused cut\n");
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *r = sim_set_result(set, i);
		prt_printf(out, "%s %llu %llu %llu %llu %llu %llu %llu %llu %llu\n", r->policy,
			   (unsigned long long)r->fast_bytes, (unsigned long long)r->time_ns,
			   (unsigned long long)r->latency_ns, (unsigned long long)r->migration_ns,
			   (unsigned long long)r->fast_misses, (unsigned long long)r->nr_promoted,
			   (unsigned long long)r->nr_demoted, (unsigned long long)r->nr_refused,
			   (unsigned long long)r->nr_cut);
	}
}

static void test_agents_golden_tables(void **state)
{
	static const char *const specs[] = {
		"hemem:load_period=17,store_period=17,block=4KiB",
		"hemem:load_period=17,store_period=5,block=16KiB,small=32KiB,rate=20MBps",
		"colloid:load_period=17,store_period=17,block=4KiB",
		"memtis:load_period=7,store_period=11,adapt=100,cool=1000,wake=10ms,sample_cost=0s",
		"memtis:load_period=7,adapt=100,wake=10ms,headroom=0,migrate=10MBps",
	};
	(void)state;
	golden_tables("agents", specs, ARRAY_SIZE(specs), 10, table_of);
}

/* A table of their own: their samplers shorten the tick for all that run beside them. */
static void test_agents_on_other_samplers_golden_tables(void **state)
{
	static const char *const specs[] = {
		"berth",
		"berth:pmu=off",
		"berth:sampler=hint-faults,hint_nodes=all",
		"damon:node_mem_free_bp=5%",
	};
	(void)state;
	golden_tables("samplers", specs, ARRAY_SIZE(specs), 1000, table_of);
}

/* 512 pages, scattered: one in two halves as hot as the one before. Touched in order at first, so
 * that fast memory begins with what is not hot. */
static void play_slope(struct tape *tape)
{
	struct random random;
	uint64_t time_ns = 0;
	random_init(&random, 7);
	for (uint64_t page = 0; page < 512; page++)
		tape_access(tape, time_ns += 100, 0, page, TRACE_MISS | TRACE_TOUCH);
	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t nr = UINT64_C(1) << random_below(&random, 10);
		uint64_t page = random_below(&random, nr) * 181 % 512;
		tape_access(tape, time_ns += 200, 0, 511 - page, TRACE_MISS);
	}
}

/* Whatever fast memory there is, the threshold finds what fits into it. */
static void test_memtis_follows_the_size_of_fast_memory(void **state)
{
	static const char *const policies_[] = {
		"memtis:load_period=7,adapt=1000,cool=10000,wake=5ms,headroom=0,sample_share=100%",
		"static-best",
		"linux-none",
	};
	const uint64_t fast[] = { 16 * 4096, 64 * 4096, 256 * 4096 };
	struct machine *machine = machine_two_tiers(64, 4096);
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_),
				     .fast_bytes = fast,
				     .nr_fast = ARRAY_SIZE(fast),
				     .dilate = 100,
				     .seed = 1 };
	struct tape tape = tape_new();
	(void)state;
	play_slope(&tape);
	struct sim_set *set = tape_simulate(&tape, &config);
	for (size_t i = 0; i < ARRAY_SIZE(fast); i++) {
		uint64_t found = sim_set_result(set, i)->fast_misses;
		uint64_t best = sim_set_result(set, 3 + i)->fast_misses;
		uint64_t none = sim_set_result(set, 6 + i)->fast_misses;
		assert_true(found > none);
		assert_true(found * 100 >= best * 85);
	}
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

/* 64 pages, all equally hot, which fast memory could hold: 0.64 GB/s where it carries 0.5. */
static struct sim_set *simulate_stream(const char *const *policies_, size_t nr, uint64_t dilate)
{
	struct machine *machine = machine_of("node:dram:1MiB@80ns/500000000Bps:cpus=0 "
					     "node:cxl:4MiB@150ns/500000000Bps");
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = nr,
				     .cost = "mlp=5000%,tick=100us",
				     .dilate = dilate,
				     .seed = 1 };
	struct tape tape = tape_new();
	struct random random;
	uint64_t time_ns = 0;
	random_init(&random, 8);
	for (uint32_t i = 0; i < 200000; i++)
		tape_access(&tape, time_ns += 100, 0, 16 * random_below(&random, 64), TRACE_MISS);
	struct sim_set *set = tape_simulate(&tape, &config);
	tape_free(&tape);
	machine_free(machine);
	return set;
}

static void test_colloid_spreads_what_hemem_crowds(void **state)
{
	static const char *const policies_[] = {
		"hemem:load_period=31,block=4KiB",
		"colloid:load_period=31,block=4KiB",
	};
	struct sim_set *set = simulate_stream(policies_, ARRAY_SIZE(policies_), 100);
	(void)state;
	const struct sim_result *hemem = sim_set_result(set, 0), *colloid = sim_set_result(set, 1);
	assert_int_equal(hemem->fast_misses, hemem->misses);
	assert_true(hemem->bandwidth_ns > hemem->compute_ns / 5);
	assert_true(colloid->fast_misses < colloid->misses * 9 / 10);
	assert_true(colloid->fast_misses > colloid->misses / 3);
	assert_true(colloid->bandwidth_ns < hemem->bandwidth_ns / 4);
	assert_true(colloid->time_ns < hemem->time_ns * 95 / 100);
	assert_true(colloid->nr_demoted < 200); /* it finds a balance */
	sim_set_free(set);
}

/* So does berth, where all hot pages were born in fast memory: it pushes some out, and stops. */
static void test_berth_spreads_what_crowds_fast_memory(void **state)
{
	static const char *const policies_[] = { "linux-none", "berth", "berth:pmu=off" };
	struct sim_set *set = simulate_stream(policies_, ARRAY_SIZE(policies_), 1000);
	(void)state;
	const struct sim_result *none = sim_set_result(set, 0), *berth = sim_set_result(set, 1);
	assert_int_equal(none->fast_misses, none->misses);
	assert_true(berth->fast_misses < berth->misses * 95 / 100);
	assert_true(berth->fast_misses > berth->misses / 2);
	assert_true(berth->bandwidth_ns < none->bandwidth_ns / 2);
	assert_true(berth->time_ns < none->time_ns * 95 / 100);
	assert_true(berth->nr_demoted > 0 && berth->nr_demoted < 48);
	assert_int_equal(sim_set_result(set, 2)->nr_demoted, 0); /* it sees no latencies */
	sim_set_free(set);
}

static void test_agents_refuse_without_a_pmu(void **state)
{
	static const char *const names[] = { "hemem:pmu=off", "memtis:pmu=off", "colloid:pmu=off" };
	struct machine *machine = machine_two_tiers(64, 64);
	struct trace_info info = tape_info();
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct sim_config config = { .machine = machine,
					     .policies = &names[i],
					     .nr_policies = 1 };
		struct sim_set *set = NULL;
		PRINTBUF(err);
		assert_int_equal(sim_set_new(&config, &info, &set, &err), -EOPNOTSUPP);
		assert_non_null(strstr(printbuf_str(&err), "no PMU"));
	}
	machine_free(machine);
}

/* Above every kernel, on a program with births, deaths and children: figures, the same twice. */
static void test_agents_run_above_every_kernel(void **state)
{
	static const char *const policies_[] = {
		"hemem:load_period=13,store_period=7,block=8KiB",
		"memtis:load_period=13,store_period=7,adapt=50,cool=400,wake=1ms",
		"colloid:load_period=13,store_period=7,block=4KiB,rate=50MBps",
	};
	struct machine *machine = machine_two_tiers(60, 4096);
	struct tape tape = tape_new();
	(void)state;
	tape_random(&tape, 12, 60000, 300);
	for (size_t i = 0; kernels[i]; i++) {
		PRINTBUF(first);
		PRINTBUF(second);
		for (unsigned round = 0; round < 2; round++) {
			struct sim_config config = { .machine = machine,
						     .policies = policies_,
						     .nr_policies = ARRAY_SIZE(policies_),
						     .kernel = kernels[i]->name,
						     .dilate = 50,
						     .seed = 3 };
			struct sim_set *set = tape_simulate(&tape, &config);
			table_of(round ? &second : &first, set);
			for (size_t j = 0; j < sim_set_nr_results(set); j++)
				assert_int_equal(sim_set_result(set, j)->error, 0);
			sim_set_free(set);
		}
		assert_string_equal(printbuf_str(&first), printbuf_str(&second));
	}
	tape_free(&tape);
	machine_free(machine);
}

/* Whatever an agent wants, no more than the rate's bytes are moved, and one burst. */
static void test_agents_keep_to_the_rate(void **state)
{
	static const char *const policies_[] = {
		"hemem:load_period=13,store_period=7,block=8KiB,rate=400KiBps",
		"hemem:load_period=13,store_period=7,rate=400KiBps",
		"memtis:load_period=13,store_period=7,adapt=50,wake=1ms,rate=400KiBps",
		"colloid:load_period=13,store_period=7,block=4KiB,rate=400KiBps",
	};
	struct machine *machine = machine_two_tiers(800, 4096);
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_),
				     .dilate = 200,
				     .seed = 3 };
	struct tape tape = tape_new();
	(void)state;
	tape_random(&tape, 13, 60000, 3000);
	struct sim_set *set = tape_simulate(&tape, &config);
	uint64_t allowed = tape.end_ns * 200 / NS_PER_MS * 400 * 1024 / 1000 + 2 * MIB;
	uint64_t moved = 0;
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		assert_true(sim_set_result(set, i)->moved_bytes <= allowed);
		moved = MAX(moved, sim_set_result(set, i)->moved_bytes);
	}
	assert_true(moved > allowed / 4); /* the rate was what held them back */
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

/* 8 x 512 pages, touched in order; until when. */
static uint64_t play_eight_huge_pages(struct tape *tape)
{
	uint64_t time_ns = 0;
	tape_map(tape, 0, 0, 4096, 8 * 512);
	for (uint64_t page = 0; page < 8 * 512; page++)
		tape_access(tape, time_ns += 100, 0, 4096 + page, TRACE_MISS | TRACE_TOUCH);
	return time_ns;
}

/* Eight times 2 MiB, each hot in 32 of its 512 pages only: huge pages as long as fast memory has
 * 512 free pages at a time, small ones after that. Splitting lets the hot parts of all stay. */
static void test_memtis_splits_huge_pages(void **state)
{
	static const char *const policies_[] = {
		"memtis:load_period=7,adapt=2000,cool=50000,wake=5ms,sample_share=100%,split=1",
		"memtis:load_period=7,adapt=2000,cool=50000,wake=5ms,sample_share=100%,split=0",
	};
	struct machine *machine = machine_two_tiers(2048, 16384);
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_),
				     .kernel = "6.12:thp=always,numa_balancing=0",
				     .dilate = 100,
				     .seed = 3 };
	struct tape tape = tape_new();
	struct random random;
	uint64_t time_ns = play_eight_huge_pages(&tape);
	(void)state;
	random_init(&random, 14);
	for (uint32_t i = 0; i < 200000; i++)
		tape_access(&tape, time_ns += 200, 0,
			    4096 + 512 * random_below(&random, 8) + random_below(&random, 32) * 16,
			    TRACE_MISS);
	struct sim_set *set = tape_simulate(&tape, &config);
	const struct sim_result *split = sim_set_result(set, 0), *whole = sim_set_result(set, 1);
	assert_int_equal(split->error, 0);
	assert_true(whole->fast_misses < whole->misses * 8 / 10);
	assert_true(split->fast_misses > split->misses * 95 / 100);
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

/* Eight times 2 MiB, the last two hot: huge pages fill fast memory, slow memory has small ones (a
 * huge page is not looked for on another node). Huge pages go, whole, for hundreds of
 * these. */
static void test_berth_gives_huge_pages_up_for_hot_ones(void **state)
{
	static const char *const policies_[] = { "berth", "berth:pmu=off" };
	struct machine *machine = machine_two_tiers(2048, 16384);
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_),
				     .kernel = "6.12:thp=always,numa_balancing=0",
				     .dilate = 1000,
				     .seed = 3 };
	struct tape tape = tape_new();
	struct random random;
	uint64_t time_ns = play_eight_huge_pages(&tape);
	(void)state;
	random_init(&random, 14);
	for (uint32_t i = 0; i < 200000; i++) {
		bool is_cold = random_below(&random, 1000) == 0;
		uint64_t page = is_cold ? random_below(&random, 8 * 512)
					: 6 * 512 + random_below(&random, 2 * 512);
		tape_access(&tape, time_ns += 200, 0, 4096 + page, TRACE_MISS);
	}
	struct sim_set *set = tape_simulate(&tape, &config);
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *result = sim_set_result(set, i);
		assert_int_equal(result->error, 0);
		assert_true(result->fast_misses > result->misses * 60 / 100);
		assert_in_range(result->nr_promoted, 2 * 512, 8 * 512);
	}
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}
