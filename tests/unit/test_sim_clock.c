/* SPDX-License-Identifier: MIT */
/* The kernel's clock: the recording's, or that and the time of the kernel's own work. */
#include "test.h"

#include <string.h>

#include "sim_fixture.h"

#define LINE "node:dram:8MiB@80ns/100GBps:cpus=0 node:cxl:64MiB@250ns/30GBps"
#define NR   4096

struct counts {
	uint64_t faults, candidates, promotions;
};

static void take(void *context, const char *name, uint64_t value)
{
	struct counts *counts = context;
	if (!strcmp(name, "numa_hint_faults"))
		counts->faults = value;
	if (!strcmp(name, "pgpromote_candidate"))
		counts->candidates = value;
	if (!strcmp(name, "pgpromote_success"))
		counts->promotions = value;
}

/* All pages are touched once, and again after 5 s, within one millisecond. */
static void play(struct tape *tape)
{
	tape_map(tape, 0, 0, 0x10000, NR);
	for (uint64_t i = 0; i < NR; i++)
		tape_access(tape, 1000 + i, 0, 0x10000 + i, TRACE_MISS);
	for (uint64_t ms = 1; ms < 5000; ms++) /* something runs */
		tape_access(tape, ms * NS_PER_MS, 0, 0x10000, TRACE_MISS);
	for (uint64_t i = 0; i < NR; i++)
		tape_access(tape, 5 * NS_PER_S, 0, 0x10000 + i, TRACE_MISS);
	tape_access(tape, 6 * NS_PER_S, 0, 0x10000, TRACE_MISS);
}

static struct counts run(const char *cost, const char *policy)
{
	static const char *policies[1];
	struct tape tape = tape_new();
	struct trace_info info = tape_info();
	struct machine *machine = machine_of(LINE);
	struct sim_set *set = NULL;
	struct counts counts = { 0 };
	PRINTBUF(err);
	policies[0] = policy;
	struct sim_config config = {
		.machine = machine, .policies = policies, .nr_policies = 1, .cost = cost
	};
	play(&tape);
	info.nr_ticks = tape.end_ns;
	assert_int_equal(sim_set_new(&config, &info, &set, &err), 0);
	assert_int_equal(tape_play(&tape, (tape_feed_fn)sim_set_feed, set, &err), 0);
	assert_int_equal(sim_set_finish(set, tape.end_ns, &err), 0);
	sim_set_counters(set, 0, take, &counts);
	sim_set_free(set);
	machine_free(machine);
	tape_free(&tape);
	return counts;
}

/* The scan that arms what is in slow memory comes 2 s after the start; all of it is met 3 s later.
 */
#define POLICY "linux-tiering:hot_threshold_ms=3300,threshold=fixed"

static void test_faults_take_none_of_the_recordings_time(void **state)
{
	struct counts cheap = run("tick=1ms,fault=0ns", POLICY);
	struct counts dear = run("tick=1ms,fault=300us", POLICY);
	(void)state;
	assert_true(cheap.faults > 2000);
	assert_memory_equal(&cheap, &dear, sizeof(cheap));
	assert_int_equal(cheap.candidates, cheap.faults);
}

/* One after the other they come later and later: the last beyond the threshold. */
static void test_faults_move_a_shared_clock(void **state)
{
	struct counts none = run("tick=1ms,fault=0ns,move=0ns,walk=0ns,arm=0ns,clock=shared",
				 POLICY);
	struct counts dear = run("tick=1ms,fault=300us,move=0ns,walk=0ns,arm=0ns,clock=shared",
				 POLICY);
	(void)state;
	assert_int_equal(none.candidates, none.faults);
	assert_in_range(dear.faults, none.faults - 1, none.faults);
	assert_in_range(dear.candidates, 1000, 1050); /* 300 ms of 300 us */
}

/* kswapd, woken by the first promotion without room, works between the faults of one millisecond
 * of the recording: there is time for it only on a clock that the faults move. */
static void test_kswapd_works_during_a_burst_of_faults(void **state)
{
	struct counts still = run("tick=1ms,fault=100us,kswapd=50%", POLICY);
	struct counts moved = run("tick=1ms,fault=10us,kswapd=50%,clock=shared", POLICY);
	(void)state;
	assert_true(moved.promotions > 4 * still.promotions);
}
