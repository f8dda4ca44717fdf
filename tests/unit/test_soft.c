/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/random.h"
#include "policy/cpu/soft.h"

static const struct soft_job plain = { SOFT_SPILL_AT_BP, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };
static const struct soft_job eager = { 0, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };
static const struct soft_job hard = { SOFT_HARD, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };

static const struct soft_job automatic = { SOFT_AUTO, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };

static void test_prefers_what_is_idle(void **state)
{
	(void)state;
	struct soft_memory memory = { .held_since_ns = 5, .is_spilling = true };
	struct soft_preferred preferred = { 4, 1, 9900 };
	assert_int_equal(soft_decide(&eager, &memory, &preferred, 8, 100), SOFT_PREFERRED);
	assert_int_equal(memory.held_since_ns, 0);
	assert_false(memory.is_spilling);
}

static void test_spills_from_the_threshold_on(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { 4, 0, 8500 };
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, 100), SOFT_SPILL);
	memory = (struct soft_memory){ 0 };
	preferred.utilisation_bp = 8499;
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, 100), SOFT_HELD);
	memory = (struct soft_memory){ 0 };
	preferred.utilisation_bp = 0;
	assert_int_equal(soft_decide(&eager, &memory, &preferred, 1, 100), SOFT_SPILL);
}

static void test_stays_where_nothing_may_be_borrowed(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { 4, 0, 10000 };
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 0, 100), SOFT_PREFERRED);
	assert_int_equal(soft_decide(&hard, &memory, &preferred, 8, 100), SOFT_PREFERRED);
}

static void test_is_held_no_longer_than_its_patience(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { 4, 0, 5000 };
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, 1000), SOFT_HELD);
	assert_int_equal(memory.held_since_ns, 1000);
	uint64_t last = 1000 + SOFT_PATIENCE_NS - 1;
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, last), SOFT_HELD);
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, last + 1), SOFT_SPILL);
	/* Away, it stays away until a preferred CPU is idle: no bouncing on one threshold. */
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, last + 2), SOFT_SPILL);
	preferred.nr_idle = 1;
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, last + 3), SOFT_PREFERRED);
}

static void test_a_clock_that_begins_at_zero_or_steps_back(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { 1, 0, 0 };
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, 0), SOFT_HELD);
	assert_int_equal(memory.held_since_ns, 1);
	memory.held_since_ns = 5000;
	assert_int_equal(soft_decide(&plain, &memory, &preferred, 1, 10), SOFT_HELD);
}

static void test_runs_somewhere_when_all_preferred_are_offline(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred none = { 0, 0, 0 };
	assert_int_equal(soft_decide(&hard, &memory, &none, 0, 100), SOFT_SPILL);
	assert_false(soft_comes_home(&plain, &none));
}

static void test_borrows_only_what_its_owner_leaves(void **state)
{
	(void)state;
	struct soft_job near = { 8500, 20, 0 };
	struct soft_cpu cpu = { .distance = 20, .is_idle = true };
	assert_true(soft_may_borrow(&near, &cpu));
	cpu.distance = 21;
	assert_false(soft_may_borrow(&near, &cpu));
	assert_true(soft_may_borrow(&plain, &cpu));
	cpu.nr_owner_waiting = 1;
	assert_false(soft_may_borrow(&plain, &cpu));
	assert_true(soft_must_yield(&cpu));
	cpu.nr_owner_waiting = 0;
	assert_false(soft_must_yield(&cpu));
	cpu.stolen_bp = SOFT_HALF_STOLEN_BP;
	assert_false(soft_may_borrow(&plain, &cpu));
	cpu.stolen_bp = 0;
	cpu.others_bp = SOFT_LENT_BP;
	assert_true(soft_may_borrow(&plain, &cpu));
	cpu.others_bp++;
	assert_false(soft_may_borrow(&plain, &cpu));
	cpu.others_bp = 0;
	cpu.is_idle = false;
	assert_false(soft_may_borrow(&plain, &cpu));
}

static void test_nearer_is_better_then_less_stolen(void **state)
{
	(void)state;
	struct soft_cpu near = { .distance = 10, .stolen_bp = 4000, .is_idle = true };
	struct soft_cpu far = { .distance = 20, .is_idle = true };
	struct soft_cpu quiet = { .distance = 10, .stolen_bp = 100, .is_idle = true };
	assert_true(soft_is_better(&near, &far));
	assert_false(soft_is_better(&far, &near));
	assert_true(soft_is_better(&quiet, &near));
	assert_false(soft_is_better(&near, &near));
}

static void test_comes_home_only_where_it_will_fit(void **state)
{
	(void)state;
	/* Four CPUs: one more task adds a quarter, so home is below 85 - 25 = 60 %. */
	struct soft_preferred preferred = { 4, 1, 5999 };
	assert_true(soft_comes_home(&plain, &preferred));
	preferred.utilisation_bp = 6000;
	assert_false(soft_comes_home(&plain, &preferred));
	preferred = (struct soft_preferred){ 4, 0, 0 };
	assert_false(soft_comes_home(&plain, &preferred));
	preferred = (struct soft_preferred){ 1, 1, 9000 };
	assert_true(soft_comes_home(&plain, &preferred));
	preferred = (struct soft_preferred){ 4, 1, 10000 };
	assert_true(soft_comes_home(&eager, &preferred));
	assert_true(soft_comes_home(&hard, &preferred));
}

static void test_utilisation_leaves_out_what_was_stolen(void **state)
{
	(void)state;
	assert_int_equal(soft_utilisation_bp(0, 0, 0), 0);
	assert_int_equal(soft_utilisation_bp(25, 0, 100), 2500);
	assert_int_equal(soft_utilisation_bp(25, 50, 100), 5000);
	assert_int_equal(soft_utilisation_bp(50, 50, 100), SOFT_ALL_BP);
	assert_int_equal(soft_utilisation_bp(90, 50, 100), SOFT_ALL_BP);
	assert_int_equal(soft_utilisation_bp(0, 100, 100), SOFT_ALL_BP);
	assert_int_equal(soft_utilisation_bp(UINT64_MAX / 4, 0, UINT64_MAX / 2), 4999);
	assert_int_equal(soft_utilisation_bp(UINT64_MAX, 0, UINT64_MAX), SOFT_ALL_BP);
}

/* A caller that knows no more than before: as soon as home is busy and something else idle. */
static void test_auto_without_knowing_the_rest_spills_at_once(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { 4, 0, 3000 };
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_SPILL);
	preferred.nr_idle = 1;
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_PREFERRED);
	assert_true(soft_comes_home(&automatic, &preferred));
	preferred.nr_shared = 1;
	assert_false(soft_comes_home(&automatic, &preferred));
}

static void test_auto_stays_home_while_others_use_the_rest(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = { .nr_cpus = 4,
					    .nr_idle = 1,
					    .nr_shared = 1,
					    .utilisation_bp = 8000,
					    .nr_whole = 1,
					    .rest_bp = 6001,
					    .others_bp = 6001 };
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_PREFERRED);
	assert_int_equal(memory.held_since_ns, 0);
	preferred.nr_idle = preferred.nr_shared = 0;
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_HELD);
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100 + SOFT_PATIENCE_NS),
			 SOFT_SPILL);
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 0, 100), SOFT_PREFERRED);
	preferred.is_away = true; /* they came back: home, whether there is room or not */
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_PREFERRED);
}

static void test_auto_spreads_over_what_is_left(void **state)
{
	(void)state;
	struct soft_memory memory = { 0 };
	struct soft_preferred preferred = {
		.nr_cpus = 4, .utilisation_bp = 8000, .rest_bp = 6000, .others_bp = 5999
	};
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_SPILL);
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 0, 100), SOFT_ANYWHERE);
	preferred.rest_bp = 6001; /* with what the job runs there itself: even enough */
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_ANYWHERE);
	preferred.is_away = true;
	preferred.rest_bp = 8000;
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_ANYWHERE);
	preferred.rest_bp = 8001;
	assert_int_equal(soft_decide(&automatic, &memory, &preferred, 1, 100), SOFT_PREFERRED);
}

/* Whatever comes: never spilled past an idle preferred CPU or onto nothing, never hard and away,
 * never held for longer than the patience. */
static void test_keeps_its_promises_on_random_inputs(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, 7);
	struct soft_memory memory = { 0 };
	uint64_t now_ns = 1;
	for (unsigned i = 0; i < 1000000; i++) {
		struct soft_job job = { random_below(&random, 4)
						? (uint32_t)random_below(&random, 10001)
						: SOFT_HARD,
					SOFT_NO_DISTANCE, random_below(&random, 10000) };
		struct soft_preferred preferred = { (uint32_t)random_below(&random, 4), 0,
						    (uint32_t)random_below(&random, 10001) };
		preferred.nr_idle = (uint32_t)random_below(&random, preferred.nr_cpus + 1);
		uint32_t others = (uint32_t)random_below(&random, 3);
		uint64_t held_since_ns = memory.held_since_ns;
		now_ns += random_below(&random, 3000);
		enum soft_verdict verdict = soft_decide(&job, &memory, &preferred, others, now_ns);
		if (preferred.nr_idle > 0)
			assert_int_equal(verdict, SOFT_PREFERRED);
		else if (preferred.nr_cpus > 0 && (job.spill_at_bp == SOFT_HARD || others == 0))
			assert_int_equal(verdict, SOFT_PREFERRED);
		else if (preferred.nr_cpus > 0 && held_since_ns &&
			 now_ns - held_since_ns >= job.patience_ns)
			assert_int_equal(verdict, SOFT_SPILL);
		assert_int_equal(memory.held_since_ns != 0, verdict == SOFT_HELD);
		assert_int_equal(memory.is_spilling, verdict == SOFT_SPILL);
	}
}
