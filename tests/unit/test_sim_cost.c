/* SPDX-License-Identifier: MIT */
/* The cost model: every figure here was worked out by hand. */
#include "test.h"

#include "sim/cost.h"
#include "sim_fixture.h"

static void test_cost_of_two_tiers_by_hand(void **state)
{
	struct machine *machine = machine_two_tiers(100, 200);
	struct cost_model *cost = NULL;
	(void)state;
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_int_equal(cost->home, 0);
	assert_int_equal(cost->nr_order, 2);
	assert_int_equal(cost->order[0], 0);
	assert_true(cost->is_fast[0] && !cost->is_fast[1]);
	assert_int_equal(cost->load_ps[0], 53333);   /* 80 ns / 1.5 */
	assert_int_equal(cost->load_ps[1], 166666);  /* 250 ns / 1.5 */
	assert_int_equal(cost->store_ps[1], 83333);  /* half a load */
	assert_int_equal(cost->move_ps[1], 1136533); /* 1 us + 4096 B at 30 GB/s */
	assert_int_equal(cost->move_ps[0], 0);
	assert_int_equal(cost_capacity_pages(cost, 1), 200);
	cost_model_free(cost);
	machine_free(machine);
}

/* What grows with a folio's size is paid for each of its pages, the rest once. */
static void test_cost_of_copying_grows_with_the_folio(void **state)
{
	struct machine *machine = machine_two_tiers(100, 200);
	struct cost_model *cost = NULL;
	uint64_t values[COST_NR_TUNABLES];
	(void)state;
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	values[COST_COPY] = 16000;
	assert_int_equal(cost_model_new(machine, 4096, 64, values, &cost, NULL), 0);
	assert_int_equal(cost->move_ps[1], 17136533);
	assert_int_equal(cost_folio_ps(cost, 0, 1, 1), 17136533);
	assert_int_equal(cost_folio_ps(cost, 0, 1, 512), 1000000 + 512ull * 16136533);
	assert_int_equal(cost->move_ps[0], 0);
	cost_model_free(cost);
	machine_free(machine);
}

static void test_cost_account_by_hand(void **state)
{
	struct machine *machine = machine_two_tiers(100, 200);
	struct cost_model *cost = NULL;
	struct cost_account account;
	struct cost_epoch epoch;
	(void)state;
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	account.epoch[0].loads = 3;
	account.epoch[1].stores = 2;
	cost_account_move(&account, 0, 1, 2);
	cost_account_close(&account, 1000, &epoch);
	assert_int_equal(epoch.latency_ps, 3 * 53333 + 2 * 83333);
	assert_int_equal(epoch.migration_ps, 2 * 1136533);
	assert_int_equal(epoch.bandwidth_ps, 0);
	assert_int_equal(epoch.misses, 5);
	assert_int_equal(epoch.fast_misses, 3);
	assert_int_equal(cost_account_time_ns(&account), 1000 + (326665 + 2273066) / 1000);
	/* 100,000 loads of 64 B at 30 GB/s take 213,333 ns; their stall alone is 16.7 ms. */
	account.epoch[1].loads = 100000;
	cost_account_close(&account, 0, &epoch);
	assert_int_equal(epoch.bandwidth_ps, 0);
	assert_int_equal(account.total[1].loads, 100000);
	assert_int_equal(account.total[1].moved_in_pages, 2);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
}

/* Faults stop the program and are no part of what bounds are exact against. */
static void test_cost_faults_are_their_own_part(void **state)
{
	struct machine *machine = machine_two_tiers(100, 200);
	struct cost_model *cost = NULL;
	struct cost_account account;
	struct cost_epoch epoch;
	(void)state;
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	account.epoch[0].loads = 3;
	cost_account_fault(&account, 4);
	cost_account_fault(&account, 1);
	cost_account_close(&account, 1000, &epoch);
	assert_int_equal(epoch.faults_ps, 5000000);
	assert_int_equal(cost_account_linear_ps(&account), 3 * 53333);
	assert_int_equal(cost_account_time_ns(&account), 1000 + (5000000 + 159999) / 1000);
	cost_account_close(&account, 1000, &epoch);
	assert_int_equal(epoch.faults_ps, 0);
	assert_int_equal(account.nr_faults, 5);
	/* They come by the kernel's clock: ten times the time, a tenth of the share. */
	account.dilate = 10;
	cost_account_fault(&account, 5);
	cost_account_close(&account, 1000, &epoch);
	assert_int_equal(epoch.faults_ps, 500000);
	assert_int_equal(account.nr_faults, 10);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
}

static void test_cost_bandwidth_makes_the_epoch_longer(void **state)
{
	struct machine *machine = machine_of("node:dram:1MiB@80ns/100GBps:cpus=0 "
					     "node:cxl:1MiB@250ns/1GBps");
	uint64_t values[COST_NR_TUNABLES];
	struct cost_model *cost = NULL;
	struct cost_account account;
	struct cost_epoch epoch;
	(void)state;
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	values[COST_PARALLELISM] = 100000; /* ten at once: 25 ns a load */
	assert_int_equal(cost_model_new(machine, 4096, 0, values, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	account.epoch[1].loads = 1000; /* 64,000 B at 1 GB/s: 64 us */
	cost_account_close(&account, 5000, &epoch);
	assert_int_equal(epoch.latency_ps, 25000000);
	assert_int_equal(epoch.bandwidth_ps, 64000000 - 25000000 - 5000000);
	assert_int_equal(cost_account_time_ns(&account), 64000);
	assert_int_equal(account.nr_bound_epochs, 1);
	account.epoch[1].stores = 1000; /* filled and written back: 128 us; half the stall */
	cost_account_close(&account, 5000, &epoch);
	assert_int_equal(epoch.bandwidth_ps, 128000000 - 12500000 - 5000000);
	account.epoch[1].moved_in_pages = 20; /* 81,920 B */
	cost_account_close(&account, 5000, &epoch);
	assert_int_equal(epoch.bandwidth_ps, 81920000 - 5000000);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
}

/* What a PMU would tell: with it, misses x latency / mlp is the time that the node took. */
static void test_cost_loaded_latency_by_hand(void **state)
{
	struct machine *machine = machine_of("node:dram:1MiB@80ns/1GBps:cpus=0 "
					     "node:cxl:1MiB@250ns/1GBps node:cxl:1MiB");
	uint64_t values[COST_NR_TUNABLES];
	struct cost_model *cost = NULL;
	struct cost_account account;
	(void)state;
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	values[COST_PARALLELISM] = 100000; /* ten at once: 8 and 25 ns a load */
	assert_int_equal(cost_model_new(machine, 4096, 64, values, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	account.epoch[0].loads = 1000; /* 64 us of bytes, 8 us of stalls */
	account.epoch[1].loads = 100;  /* 6.4 us, 2.5 us */
	cost_account_close(&account, 5000, NULL);
	assert_int_equal(account.load[0].nr_misses, 1000);
	assert_int_equal(account.load[0].loaded_ps, 80000 + (64000 - 8000 - 2500 - 5000) * 10);
	assert_int_equal(account.load[1].nr_misses, 100);
	assert_int_equal(account.load[1].loaded_ps, 250000);
	assert_int_equal(account.load[2].nr_misses, 0);
	assert_int_equal(account.load[2].loaded_ps, UINT64_MAX);
	account.epoch[1].stores = 3;
	cost_account_close(&account, 5000, NULL);
	assert_int_equal(account.load[0].loaded_ps, UINT64_MAX);
	assert_int_equal(account.load[1].nr_misses, 3);
	assert_int_equal(account.load[1].loaded_ps, 250000);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
}

static void test_cost_fast_is_near_when_there_is_one_tier(void **state)
{
	struct machine *machine = machine_of("node:dram:1GiB@80ns/100GBps:cpus=0 "
					     "node:dram:1GiB@80ns/100GBps:cpus=1");
	struct cost_model *cost = NULL;
	(void)state;
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_true(cost->is_fast[0]);
	assert_false(cost->is_fast[1]);
	assert_int_equal(cost->load_ps[1], 136000000 / 1500);
	cost_model_free(cost);
	machine_free(machine);
}

static void refuse(struct machine *machine, const char *wanted)
{
	struct cost_model *cost = NULL;
	PRINTBUF(err);
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, &err), -EINVAL);
	if (!strstr(printbuf_str(&err), wanted))
		fail_msg("%s", printbuf_str(&err));
	machine_free(machine);
}

static void test_cost_needs_cpus_and_memory(void **state)
{
	struct machine *idle = machine_two_tiers(10, 10), *empty = machine_two_tiers(10, 10);
	(void)state;
	set_del(&idle->nodes[0].cpus, 0);
	refuse(idle, "no node has CPUs");
	empty->nodes[0].size_bytes = empty->nodes[1].size_bytes = 4095;
	refuse(empty, "no node has a page");
}

static void test_cost_saturates(void **state)
{
	(void)state;
	assert_int_equal(cost_add(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(cost_multiply(UINT64_MAX / 2, 3), UINT64_MAX);
	assert_int_equal(cost_scale(UINT64_MAX, 3, 2), UINT64_MAX);
	assert_int_equal(cost_scale(UINT64_MAX, 3, 6), UINT64_MAX / 2);
	assert_int_equal(cost_scale(10, 10, 7), 14);
}
