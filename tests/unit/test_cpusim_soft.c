/* SPDX-License-Identifier: MIT */
/*
 * Soft affinity on the simulated scheduler: against hard and none on random small machines, and
 * the faults that other schedulers had (docs/affinity.md lists them), one test each.
 */
#include "test.h"

#include "base/random.h"

#include "cpusim_fixture.h"

#define NR_CASES	  150
#define BEHIND_PERCENT	  15
#define BEHIND_ON_AVERAGE 1 /* per cent */

static uint64_t done_by(struct bench *bench, const char *name)
{
	uint64_t nr_done = 0;
	run(bench, name);
	for (uint32_t i = 0; i < bench->nr_loads; i++)
		nr_done += bench->results[i].nr_done;
	return nr_done;
}

/* One or two jobs of the same kind, each at home on a node, of any size; one or two threads. */
static void random_case(struct random *random, struct bench *bench)
{
	static const char *const homes[] = { "0-3", "4-7" };
	static const enum cpusim_kind kinds[] = { CPUSIM_USERS, CPUSIM_BATCH, CPUSIM_PERIODIC };
	bench_init(bench, TWO_NODES);
	bench->params.is_checked = false;
	bench->params.threads_per_core = 1 + (uint32_t)random_below(random, 2);
	bench->params.end_ns = 1000 * MS;
	bench->params.seed = random_u64(random);
	enum cpusim_kind kind = kinds[random_below(random, 3)];
	uint32_t nr_jobs = 1 + (uint32_t)random_below(random, 2);
	uint64_t work_ns = MS / 2 + random_below(random, 2 * MS);
	for (uint32_t i = 0; i < nr_jobs; i++) {
		uint32_t nr = 1 + (uint32_t)random_below(random, 12);
		struct cpusim_load *load = add(bench, kind, nr, work_ns, homes[i], "0-7");
		load->sleep_ns = MS + random_below(random, 4 * MS);
		load->memory_bp = (uint32_t)random_below(random, 3000);
		load->shared_bp = (uint32_t)random_below(random, 2000);
		load->refill_far_ns = random_below(random, 20000);
		load->memory_node = i;
	}
}

static void test_soft_is_never_far_behind_hard_and_none(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, 17);
	uint64_t behind_bp = 0;
	for (uint32_t i = 0; i < NR_CASES; i++) {
		struct bench bench;
		random_case(&random, &bench);
		uint64_t hard = done_by(&bench, "hard"), none = done_by(&bench, "none");
		uint64_t best = hard > none ? hard : none, soft = done_by(&bench, "soft");
		if (soft * 100 < best * (100 - BEHIND_PERCENT))
			print_error("case %u: hard %llu, none %llu, soft %llu\n", i,
				    (unsigned long long)hard, (unsigned long long)none,
				    (unsigned long long)soft);
		assert_true(soft * 100 >= best * (100 - BEHIND_PERCENT));
		behind_bp += soft < best ? (best - soft) * 10000 / best : 0;
		bench_fini(&bench);
	}
	assert_true(behind_bp <= NR_CASES * BEHIND_ON_AVERAGE * 100);
}

/* A task sent to a CPU of somebody else's that ended up in its own CPU's queue instead, and starved
 * there tasks that may run nowhere else (mitosis). */
static void test_borrowers_run_where_they_were_sent(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_NODES);
	bench.params.end_ns = 1000 * MS;
	add(&bench, CPUSIM_BATCH, 7, 1 * MS, "0-3", "0-7");
	add(&bench, CPUSIM_PERIODIC, 1, 4 * MS, "4", "4"); /* pinned */
	run(&bench, "soft");
	assert_in_range(bench.results[0].run_ns, 6500 * MS, 7000 * MS);
	assert_in_range(bench.results[1].nr_done, 98, 100);
	assert_true(bench.results[1].latency_p99_ns <= 4 * MS);
	bench_fini(&bench);
}

/* The borrower's virtual time moved the owner's clock, and one of them was then behind for long
 * (mitosis): whoever comes after gets what is due to him, from the first slice on. */
static void test_time_on_a_borrowed_cpu_is_not_the_owners(void **state)
{
	(void)state;
	for (uint32_t nr_borrowers = 0; nr_borrowers <= 12; nr_borrowers += 12) {
		struct bench bench;
		bench_init(&bench, TWO_NODES);
		bench.params.end_ns = 1000 * MS;
		add(&bench, CPUSIM_PERIODIC, 4, 3 * MS, "4-7", "4-7");
		if (nr_borrowers)
			add(&bench, CPUSIM_BATCH, nr_borrowers, 1 * MS, "0-3", "0-7");
		run(&bench, "soft");
		assert_in_range(bench.results[0].nr_done, 395, 400);
		assert_true(bench.results[0].wait_ns < 40 * MS);
		bench_fini(&bench);
	}
}

/* A second job that found no CPU although most of the machine was idle (layered): masks are not
 * handed out, two jobs may want the same CPUs, and the idle ones are there for both. */
static void test_two_jobs_with_one_home_share_and_spread(void **state)
{
	(void)state;
	struct bench bench;
	bench_init(&bench, TWO_NODES);
	bench.params.end_ns = 1000 * MS;
	add(&bench, CPUSIM_BATCH, 4, 1 * MS, "0-3", "0-7");
	add(&bench, CPUSIM_BATCH, 4, 1 * MS, "0-3", "0-7");
	run(&bench, "soft");
	assert_in_range(bench.results[0].run_ns + bench.results[1].run_ns, 7600 * MS, 8000 * MS);
	assert_in_range(bench.results[0].run_ns, 3000 * MS, 4000 * MS);
	assert_in_range(bench.results[1].run_ns, 3000 * MS, 4000 * MS);
	bench_fini(&bench);
}

/* Tasks that may run on few or odd CPUs stalled (lavd, layered, rusty): none waits longer than it
 * takes the others on its CPU to have their slices. */
static void test_odd_masks_do_not_stall(void **state)
{
	(void)state;
	static const char *const masks[] = { "3", "0,7", "2,4-5", "6" };
	for (uint32_t i = 0; i < 4; i++) {
		struct bench bench;
		bench_init(&bench, TWO_NODES);
		bench.params.end_ns = 1000 * MS;
		add(&bench, CPUSIM_BATCH, 12, 1 * MS, "0-3", "0-7");
		add(&bench, CPUSIM_PERIODIC, 2, 1 * MS, masks[i], masks[i]);
		run(&bench, "soft");
		assert_in_range(bench.results[1].nr_done, 190, 200);
		bench_fini(&bench);
	}
}
