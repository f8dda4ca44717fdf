/* SPDX-License-Identifier: MIT */
/* The simulated scheduler: cases that can be computed by hand, and every invariant on any input. */
#include "test.h"

#include <errno.h>

#include "base/random.h"

#include "cpusim_fixture.h"

#define ONE_CPU	 "node:dram:1GiB@100ns/10GBps:cpus=0"
#define TWO_CPUS "node:dram:1GiB@100ns/10GBps:cpus=0-1"

static void test_one_task_has_all_of_a_cpu(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, ONE_CPU);
	add(&bench, CPUSIM_BATCH, 1, 1 * MS, "0", "0");
	run(&bench, "none");
	/* The first unit begins after the 1 ns in which it starts. */
	assert_int_equal(bench.results[0].nr_done, 99);
	assert_int_equal(bench.total.now_ns, 100 * MS);
	assert_int_equal(bench.total.busy_ns, 100 * MS);
	assert_int_equal(bench.total.idle_ns, 0);
	bench_fini(&bench);
}

static void test_two_tasks_share_it(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, ONE_CPU);
	add(&bench, CPUSIM_BATCH, 1, 1 * MS, "0", "0");
	add(&bench, CPUSIM_BATCH, 1, 1 * MS, "0", "0");
	bench.params.end_ns = 240 * MS; /* ten slices of 12 ms each */
	run(&bench, "none");
	assert_int_equal(bench.results[0].run_ns, 120 * MS);
	assert_int_equal(bench.results[1].run_ns, 120 * MS);
	assert_int_equal(bench.results[0].wait_ns + bench.results[1].wait_ns, 240 * MS);
	bench_fini(&bench);
}

static void test_remote_memory_costs_its_latency(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, "node:dram:1GiB@100ns/10GBps:cpus=0 "
			   "node:dram:1GiB@100ns/10GBps:cpus=1:from=0@300ns/5GBps");
	struct cpusim_load *load = add(&bench, CPUSIM_BATCH, 1, 1 * MS, "0", "0");
	load->memory_bp = 5000;
	load->memory_node = 1; /* half of the work takes three times as long: 2 ms for each unit */
	run(&bench, "hard");
	assert_int_equal(bench.results[0].nr_done, 49);
	load->memory_node = 0;
	run(&bench, "hard");
	assert_int_equal(bench.results[0].nr_done, 99);
	bench_fini(&bench);
}

static void test_threads_of_a_core_slow_each_other(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_CPUS);
	bench.params.threads_per_core = 2;
	bench.params.smt_slow_bp = 16000;
	add(&bench, CPUSIM_BATCH, 2, 1 * MS, "0-1", "0-1");
	run(&bench, "none");
	assert_int_equal(bench.results[0].nr_done, 2 * 62); /* 100 / 1.6 */
	bench_fini(&bench);
}

static void test_hard_waits_and_none_does_not(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_NODES);
	add(&bench, CPUSIM_BATCH, 8, 1 * MS, "0-3", "0-7");
	run(&bench, "hard");
	assert_int_equal(bench.results[0].run_ns, 400 * MS);
	assert_int_equal(bench.results[0].home_run_ns, 400 * MS);
	assert_int_equal(bench.results[0].nr_spilled, 0);
	run(&bench, "none");
	assert_int_equal(bench.results[0].run_ns, 800 * MS);
	assert_int_equal(bench.results[0].home_run_ns, 400 * MS);
	run(&bench, "soft");
	assert_in_range(bench.results[0].run_ns, 650 * MS, 800 * MS);
	assert_in_range(bench.results[0].home_run_ns, 350 * MS, 400 * MS);
	bench_fini(&bench);
}

static void test_an_owner_evicts_a_borrower(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_NODES);
	bench.params.end_ns = 2000 * MS;
	add(&bench, CPUSIM_BATCH, 8, 1 * MS, "0-3", "0-7");
	add(&bench, CPUSIM_USERS, 4, 60 * MS, "4-7", "0-7")->sleep_ns = 100 * MS;
	run(&bench, "soft");
	assert_true(bench.results[0].nr_yielded > 0);
	uint64_t nr_done = bench.results[1].nr_done;
	run(&bench, "hard"); /* nobody borrows then */
	assert_in_range(nr_done, bench.results[1].nr_done * 9 / 10, bench.results[1].nr_done);
	bench_fini(&bench);
}

static void test_a_periodic_owner_is_served_at_once(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_NODES);
	add(&bench, CPUSIM_BATCH, 8, 1 * MS, "0-3", "0-7");
	add(&bench, CPUSIM_PERIODIC, 4, 2 * MS, "4-7", "0-7");
	bench.params.end_ns = 1000 * MS;
	run(&bench, "soft");
	assert_in_range(bench.results[1].nr_done, 390, 400);
	assert_true(bench.results[1].latency_p99_ns < 1 * MS);
	bench_fini(&bench);
}

static void test_every_message_arrives(void **state)
{
	(void)state;
	for (size_t i = 0; cpu_policies[i]; i++) {
		struct bench bench;
		bench_init(&bench, TWO_NODES);
		bench.params.end_ns = 10000 * MS;
		add(&bench, CPUSIM_HACKBENCH, 1, 1500, "0-3", "0-7")->nr_loops = 20;
		run(&bench, cpu_policies[i]->name);
		assert_int_equal(bench.results[0].nr_done, 20 * 20 * 20);
		assert_true(bench.results[0].finished_ns > 0);
		assert_int_equal(bench.total.now_ns, bench.results[0].finished_ns);
		bench_fini(&bench);
	}
}

static void test_the_same_seed_gives_the_same(void **state)
{
	(void)state;
	struct cpusim_result first[2];
	for (uint32_t round = 0; round < 3; round++) {
		struct bench bench;
		bench_init(&bench, TWO_NODES);
		bench.params.seed = round < 2 ? 5 : 6;
		add(&bench, CPUSIM_USERS, 12, 1 * MS, "0-3", "0-7")->is_interrupted = true;
		add(&bench, CPUSIM_USERS, 3, 1 * MS, "4-7", "0-7")->sleep_ns = 3 * MS;
		run(&bench, "soft");
		if (round == 0)
			memcpy(first, bench.results, sizeof(first));
		assert_int_equal(memcmp(first, bench.results, sizeof(first)) == 0, round < 2);
		bench_fini(&bench);
	}
}

static void scramble(struct random *random, struct bench *bench)
{
	static const char *const machines[] = {
		ONE_CPU,
		TWO_CPUS,
		TWO_NODES,
		("node:dram:1GiB@80ns/10GBps:cpus=0-1,6-7 node:none:0:cpus=3-4 "
		 "node:cxl:1GiB@250ns/10GBps"),
	};
	static const char *const lists[][3] = { { "0", "0", "0" },
						{ "0", "1", "0-1" },
						{ "0-3", "4-7", "0-7" },
						{ "0-1", "3-4,7", "0-1,3-4,6-7" } };
	uint64_t which = random_below(random, 4);
	bench_init(bench, machines[which]);
	bench->params.threads_per_core = which == 0 ? 1 : 1 + (uint32_t)random_below(random, 2);
	bench->params.switch_ns = random_below(random, 5000);
	bench->params.fork_ns = random_below(random, 100000);
	bench->params.seed = random_u64(random);
	bench->params.end_ns = 30 * MS;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t kind = (uint32_t)random_below(random, 4);
		uint32_t nr = kind == CPUSIM_HACKBENCH ? 1 : 1 + (uint32_t)random_below(random, 12);
		struct cpusim_load *load = add(bench, kind, nr, 1 + random_below(random, 3 * MS),
					       lists[which][i],
					       lists[which][random_below(random, 2) ? i : 2]);
		load->sleep_ns = 1 + random_below(random, 5 * MS);
		load->memory_bp = (uint32_t)random_below(random, 10001);
		load->shared_bp = (uint32_t)random_below(random, 20001);
		load->refill_far_ns = random_below(random, 50000);
		load->is_interrupted = random_below(random, 2);
	}
}

/* is_checked makes a run fail at the first event after which an invariant does not hold. */
static void test_invariants_hold_whatever_runs(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, 3);
	for (uint32_t i = 0; i < 100; i++) {
		struct bench bench;
		scramble(&random, &bench);
		run(&bench, cpu_policies[i % 6]->name);
		assert_int_equal(bench.total.busy_ns,
				 bench.results[0].run_ns + bench.results[1].run_ns);
		bench_fini(&bench);
	}
}

static void test_refuses_what_makes_no_sense(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_CPUS);
	struct cpusim_load *load = add(&bench, CPUSIM_BATCH, 1, 1 * MS, "0", "0-2");
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	assert_non_null(strstr(printbuf_str(&bench.err), "does not have"));
	set_del(&load->allowed, 2);
	load->kind = CPUSIM_HACKBENCH;
	load->nr_deep = 0;
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	load->kind = CPUSIM_BATCH;
	load->nr = CPUSIM_TASKS_MAX + 1;
	assert_int_equal(try_run(&bench, "soft"), -ERANGE);
	load->nr = 0;
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	load->nr = 1;
	set_del(&load->preferred, 0);
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	assert_int_equal(set_add(&load->preferred, 0), 0);
	bench.params.tick_ns = 0;
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	bench.params.tick_ns = 4 * MS;
	bench.params.threads_per_core = 3;
	assert_int_equal(try_run(&bench, "soft"), -EINVAL);
	bench_fini(&bench);
}
