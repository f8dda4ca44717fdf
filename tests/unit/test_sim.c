/* SPDX-License-Identifier: MIT */
/*
 * Properties of whole simulations, on random recordings: whatever the policy, what must hold.
 */
#include "test.h"

#include "sim/simulation.h"
#include "sim_fixture.h"

#define NR_SEEDS 12
#define EVENTS	 6000
#define PAGES	 200

static const char *const everything[] = {
	"all-fast",    "all-slow", "linux-none",
	"interleave",  "recency",  "recency:idle=3,touches=1,headroom=10%",
	"static-best", "optimal",
};
#define NR_POLICIES ARRAY_SIZE(everything)

static struct sim_config config_of(const struct machine *machine, const uint64_t *fast, size_t nr)
{
	return (struct sim_config){
		.machine = machine,
		.policies = everything,
		.nr_policies = NR_POLICIES,
		.fast_bytes = fast,
		.nr_fast = nr,
		.cost = "tick=100us,move=200ns",
		.seed = 5,
		.max_epochs = 16,
	};
}

static struct tape random_tape(uint64_t seed)
{
	struct tape tape = tape_new();
	tape_random(&tape, seed, EVENTS, PAGES);
	return tape;
}

static void check_sums(const struct sim_result *result, const struct sim_result *first)
{
	uint64_t parts = result->compute_ns + result->latency_ns + result->bandwidth_ns +
			 result->migration_ns + result->faults_ns + result->blocked_ns;
	assert_int_equal(result->error, 0);
	assert_true(result->time_ns >= parts && result->time_ns <= parts + 4);
	assert_int_equal(result->misses, first->misses);
	assert_int_equal(result->compute_ns, first->compute_ns);
	assert_int_equal(result->moved_bytes,
			 (result->nr_promoted + result->nr_demoted + result->nr_sideways) * 4096);
}

static void check_series(const struct sim_result *result)
{
	uint64_t misses = 0, fast = 0, end = 0;
	if (result->has_bound)
		return;
	assert_true(result->nr_series > 1 && result->nr_series <= 16);
	for (uint32_t i = 0; i < result->nr_series; i++) {
		assert_int_equal(result->series[i].start_ns, end);
		end = result->series[i].end_ns;
		misses += result->series[i].misses;
		fast += result->series[i].fast_misses;
	}
	assert_int_equal(end, result->compute_ns);
	assert_int_equal(misses, result->misses);
	assert_int_equal(fast, result->fast_misses);
}

/* On the linear part, which bounds are exact against: all-fast is least, all-slow without moves is
 * most, and nobody beats optimal's lower figure, nor without moving static-best's. */
static void test_sim_bounds_hold(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct machine *machine = machine_two_tiers(20 + seed * 5, 600);
		struct tape tape = random_tape(seed);
		struct sim_config config = config_of(machine, NULL, 0);
		struct sim_set *set = tape_simulate(&tape, &config);
		const struct sim_result *all_fast = sim_set_result(set, 0);
		const struct sim_result *all_slow = sim_set_result(set, 1);
		const struct sim_result *still = sim_set_result(set, 6);
		const struct sim_result *optimal = sim_set_result(set, 7);
		for (size_t i = 0; i < NR_POLICIES; i++) {
			const struct sim_result *result = sim_set_result(set, i);
			check_sums(result, all_fast);
			check_series(result);
			assert_true(result->linear_ps >= all_fast->linear_ps);
			assert_true(result->linear_ps - result->migration_ns * 1000 <=
				    all_slow->linear_ps + 1000);
			if (i > 0)
				assert_true(result->linear_ps >= optimal->lower_ps);
			if (i > 1 && result->moved_bytes == 0)
				assert_true(result->linear_ps >= still->lower_ps);
		}
		assert_int_equal(optimal->linear_ps, optimal->upper_ps);
		assert_int_equal(still->linear_ps, still->upper_ps);
		assert_int_equal(still->moved_bytes, 0);
		assert_true(optimal->lower_ps <= still->lower_ps);
		sim_set_free(set);
		tape_free(&tape);
		machine_free(machine);
	}
}

/* More fast memory: the optimum never gets worse; none is all-slow, enough is all-fast. */
static void test_sim_optimum_is_monotone_in_capacity(void **state)
{
	uint64_t fast[] = { 0, 5 * 4096, 20 * 4096, 60 * 4096, 150 * 4096, 2000 * 4096 };
	struct machine *machine = machine_two_tiers(100, 2000);
	(void)state;
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct tape tape = random_tape(seed);
		struct sim_config config = config_of(machine, fast, ARRAY_SIZE(fast));
		struct sim_set *set = tape_simulate(&tape, &config);
		for (size_t policy = 6; policy < 8; policy++) {
			const struct sim_result *last = sim_set_result(set, policy * 6);
			assert_int_equal(last->linear_ps, sim_set_result(set, 6)->linear_ps);
			for (size_t i = 1; i < ARRAY_SIZE(fast); i++) {
				const struct sim_result *next = sim_set_result(set, policy * 6 + i);
				if (last->is_exact && next->is_exact)
					assert_true(next->upper_ps <= last->upper_ps);
				assert_true(next->lower_ps <= last->upper_ps);
				assert_int_equal(next->fast_bytes, fast[i]);
				last = next;
			}
			assert_int_equal(last->linear_ps, sim_set_result(set, 0)->linear_ps);
		}
		/* First touch with enough fast memory is all-fast too. */
		assert_int_equal(sim_set_result(set, 2 * 6 + 5)->linear_ps,
				 sim_set_result(set, 0)->linear_ps);
		sim_set_free(set);
		tape_free(&tape);
	}
	machine_free(machine);
}

static void test_sim_alone_or_together_is_the_same(void **state)
{
	struct machine *machine = machine_two_tiers(60, 600);
	struct tape tape = random_tape(3);
	struct sim_config config = config_of(machine, NULL, 0);
	struct sim_set *together = tape_simulate(&tape, &config);
	(void)state;
	for (size_t i = 0; i < NR_POLICIES; i++) {
		config.policies = &everything[i];
		config.nr_policies = 1;
		struct sim_set *alone = tape_simulate(&tape, &config);
		const struct sim_result *a = sim_set_result(alone, 0);
		const struct sim_result *b = sim_set_result(together, i);
		assert_int_equal(a->time_ns, b->time_ns);
		assert_int_equal(a->linear_ps, b->linear_ps);
		assert_int_equal(a->nr_promoted, b->nr_promoted);
		assert_int_equal(a->nr_demoted, b->nr_demoted);
		assert_int_equal(a->all_fast_ns, b->all_fast_ns);
		sim_set_free(alone);
	}
	sim_set_free(together);
	tape_free(&tape);
	machine_free(machine);
}

/* A hot set that starts on the slow node: recency must move it, and within its budget. */
static struct tape late_hot_tape(void)
{
	struct tape tape = tape_new();
	uint64_t time_ns = 0;
	for (uint64_t page = 0; page < 100; page++)
		tape_access(&tape, time_ns += 100, 0, page, TRACE_MISS);
	for (uint32_t i = 0; i < 60000; i++)
		tape_access(&tape, time_ns += 500, 0, 80 + i % 20, TRACE_MISS | TRACE_TOUCH);
	return tape;
}

static void test_sim_recency_finds_the_hot_set(void **state)
{
	static const char *const policies_[] = { "linux-none", "recency:idle=5",
						 "recency:idle=5,rate=0Bps",
						 "recency:idle=5,cap=0B",
						 "recency:idle=5,floor=40KiB" };
	struct machine *machine = machine_two_tiers(20, 200);
	struct tape tape = late_hot_tape();
	struct sim_config config = { .machine = machine,
				     .policies = policies_,
				     .nr_policies = ARRAY_SIZE(policies_) };
	struct sim_set *set = tape_simulate(&tape, &config);
	const struct sim_result *first = sim_set_result(set, 0);
	const struct sim_result *recency = sim_set_result(set, 1);
	(void)state;
	assert_int_equal(first->fast_misses, 18); /* of 20, 2 are kept free */
	assert_true(recency->fast_misses > recency->misses * 6 / 10);
	assert_true(recency->time_ns < first->time_ns);
	assert_in_range(recency->nr_promoted, 15, 30);
	assert_int_equal(sim_set_result(set, 2)->nr_promoted, 0);
	assert_int_equal(sim_set_result(set, 3)->nr_promoted, 0);
	assert_true(sim_set_result(set, 3)->nr_cut > 0 || sim_set_result(set, 3)->nr_demoted > 0);
	/* Ten pages of floor: what is demoted is made up for by promotions, or not done. */
	assert_true(sim_set_result(set, 4)->nr_demoted <= 10 + sim_set_result(set, 4)->nr_promoted);
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

static void test_sim_dilation_stretches_the_budget_only(void **state)
{
	static const char *const policies_[] = { "recency:idle=5,rate=4MBps", "linux-none" };
	struct machine *machine = machine_two_tiers(20, 200);
	struct tape tape = late_hot_tape();
	struct sim_config config = { .machine = machine, .policies = policies_, .nr_policies = 2 };
	struct sim_set *plain = tape_simulate(&tape, &config);
	config.dilate = 100;
	struct sim_set *dilated = tape_simulate(&tape, &config);
	(void)state;
	/* 4 MB/s is one page per ms; 100 times as much kernel time allows 100. */
	assert_true(sim_set_result(plain, 0)->fast_misses <
		    sim_set_result(dilated, 0)->fast_misses);
	assert_int_equal(sim_set_result(plain, 1)->time_ns, sim_set_result(dilated, 1)->time_ns);
	sim_set_free(plain);
	sim_set_free(dilated);
	tape_free(&tape);
	machine_free(machine);
}

static void test_sim_too_small_a_machine_says_so(void **state)
{
	static const char *const policies_[] = { "linux-none", "optimal", "all-slow" };
	struct machine *machine = machine_two_tiers(10, 50);
	struct tape tape = late_hot_tape();
	struct sim_config config = { .machine = machine, .policies = policies_, .nr_policies = 3 };
	struct sim_set *set = tape_simulate(&tape, &config);
	(void)state;
	assert_int_equal(sim_set_result(set, 0)->error, -ENOSPC);
	assert_non_null(strstr(sim_set_result(set, 0)->error_text, "the machine is full"));
	assert_int_not_equal(sim_set_result(set, 1)->error, 0);
	assert_non_null(sim_set_result(set, 1)->error_text);
	assert_int_equal(sim_set_result(set, 2)->error, 0);
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

static void refuse(const char *policy, const char *kernel, const char *cost, uint32_t streams,
		   int error, const char *wanted)
{
	struct machine *machine = machine_two_tiers(10, 50);
	struct trace_info info = tape_info();
	struct sim_config config = { .machine = machine,
				     .policies = &policy,
				     .nr_policies = 1,
				     .kernel = kernel,
				     .cost = cost };
	struct sim_set *set = NULL;
	PRINTBUF(err);
	info.streams = streams;
	assert_int_equal(sim_set_new(&config, &info, &set, &err), error);
	if (!strstr(printbuf_str(&err), wanted))
		fail_msg("%s: %s", policy, printbuf_str(&err));
	machine_free(machine);
}

static void test_sim_refuses_with_a_sentence(void **state)
{
	const uint32_t good = TRACE_STREAM_MISSES;
	(void)state;
	refuse("optimum", NULL, NULL, good, -EINVAL, "did you mean optimal?");
	refuse("xyzzy", NULL, NULL, good, -EINVAL,
	       "there are linux-none, linux-numab, linux-tiering");
	refuse("recency:idel=3", NULL, NULL, good, -EINVAL, "there are touches, window, idle");
	refuse("linux-none:x=1", NULL, NULL, good, -EINVAL, "there is no key 'x'");
	refuse("optimal:x=1", NULL, NULL, good, -EINVAL, "takes no keys");
	refuse("recency", "recency", NULL, good, -EINVAL, "there is no such kernel");
	refuse("recency", "linux-none", "mlp=0", good, -EINVAL, "out of range");
	refuse("", NULL, NULL, good, -EINVAL, "names no policy");
	refuse("linux-none", NULL, NULL, TRACE_STREAM_COUNTS, -EOPNOTSUPP, "needs the order");
	refuse("recency", NULL, NULL, TRACE_STREAM_COUNTS, -EOPNOTSUPP, "needs the order");
	refuse("all-slow", NULL, NULL, TRACE_STREAM_TOUCHES, -EOPNOTSUPP, "no misses");
}

static void test_sim_counts_serve_bounds(void **state)
{
	static const char *const policies_[] = { "all-fast", "all-slow", "optimal" };
	uint64_t times[] = { 0, 0, 1000000 }, pages[] = { 1, 2, 1 };
	uint32_t loads[] = { 10, 4, 1 }, stores[] = { 0, 2, 1 };
	struct machine *machine = machine_two_tiers(1, 50);
	struct trace_info info = tape_info();
	struct sim_config config = { .machine = machine, .policies = policies_, .nr_policies = 3 };
	struct trace_batch batch = { .kind = TRACE_COUNTS,
				     .nr = 3,
				     .time_ns = times,
				     .page = pages,
				     .loads = loads,
				     .stores = stores };
	struct sim_set *set = NULL;
	(void)state;
	info.streams = TRACE_STREAM_COUNTS;
	assert_int_equal(sim_set_new(&config, &info, &set, NULL), 0);
	assert_int_equal(sim_set_feed(set, &batch, NULL), 0);
	assert_int_equal(sim_set_finish(set, 2000000, NULL), 0);
	assert_int_equal(sim_set_result(set, 0)->linear_ps, 15 * 53333 + 3 * 26666);
	assert_int_equal(sim_set_result(set, 1)->linear_ps, 15 * 166666 + 3 * 83333);
	assert_int_equal(sim_set_result(set, 2)->linear_ps,
			 11 * 53333 + 26666 + 4 * 166666 + 2 * 83333);
	sim_set_free(set);
	machine_free(machine);
}

static void test_sim_unfiltered_accesses_all_count(void **state)
{
	static const char *const policies_[] = { "linux-none" };
	struct machine *machine = machine_two_tiers(10, 50);
	struct trace_info info = tape_info();
	struct sim_config config = { .machine = machine, .policies = policies_, .nr_policies = 1 };
	uint64_t times[] = { 1, 2 }, pages[] = { 1, 2 };
	uint8_t flags[] = { 0, TRACE_WRITE };
	struct trace_batch batch = {
		.kind = TRACE_ACCESSES, .nr = 2, .time_ns = times, .page = pages, .flags = flags
	};
	struct sim_set *set = NULL;
	(void)state;
	info.streams = TRACE_STREAM_ALL;
	info.cache = (struct trace_cache){ 0 };
	assert_int_equal(sim_set_new(&config, &info, &set, NULL), 0);
	assert_non_null(strstr(sim_set_note(set, 0), "no cache model"));
	assert_null(sim_set_note(set, 1));
	assert_int_equal(sim_set_feed(set, &batch, NULL), 0);
	assert_int_equal(sim_set_finish(set, 10, NULL), 0);
	assert_int_equal(sim_set_result(set, 0)->misses, 2);
	assert_int_equal(sim_set_result(set, 0)->compute_ns, 10);
	sim_set_free(set);
	machine_free(machine);
}
