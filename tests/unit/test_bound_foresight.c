/* SPDX-License-Identifier: MIT */
/* foresight: moves in time for what it can see, leaves alone what it cannot, and is never better
 * than the optimum. */
#include "test.h"

#include "base/random.h"
#include "sim/bound/foresight.h"

#define TICKS 40

/* Two pages of two tiers; the fast one holds one page. Page 0 is used in the first half, page 1 in
 * the second. */
static struct placement_problem *two_phases(void)
{
	struct placement_problem *problem = placement_problem_new(2, TICKS, 2, TICKS);
	problem->capacity_pages[0] = 1;
	problem->capacity_pages[1] = 2;
	problem->load_cost_ps[0] = 1;
	problem->load_cost_ps[1] = 3;
	problem->move_cost_ps[1] = problem->move_cost_ps[2] = 5;
	for (uint32_t i = 0; i < TICKS; i++) {
		problem->movable[i] = 1;
		problem->uses[i] = (struct placement_use){ i, 1, 0 };
	}
	problem->lives[0] = (struct placement_life){ 0, 0, TICKS - 1, 0, TICKS / 2 };
	problem->lives[1] = (struct placement_life){ 1, 0, TICKS - 1, TICKS / 2,
						     TICKS - TICKS / 2 };
	assert_true(placement_problem_is_valid(problem, NULL));
	return problem;
}

static uint64_t cost_with(const struct placement_problem *problem, uint32_t horizon)
{
	struct placement_solution solution = { 0 };
	PRINTBUF(err);
	if (placement_solve_foresight(problem, horizon, &solution, &err))
		fail_msg("%s", printbuf_str(&err));
	uint64_t cost = solution.upper_ps;
	placement_solution_fini(&solution);
	return cost;
}

static void test_foresight_of_two_phases(void **state)
{
	struct placement_problem *problem = two_phases();
	(void)state;
	/* 5 uses save 10, no more than the two moves: 20 fast uses and 20 slow ones. */
	assert_int_equal(cost_with(problem, 5), 20 + 60);
	/* 6 save 12: page 1 comes as soon as its phase has begun, with one slow use at most. */
	assert_int_equal(cost_with(problem, 6), 20 + 20 + 10);
	/* 20 uses are seen from the middle on; sooner, page 0 would lose as much. */
	assert_in_range(cost_with(problem, 20), 20 + 20 + 10, 20 + 20 + 10 + 30);
	placement_problem_free(problem);
}

static struct placement_problem *random_problem(struct random *random)
{
	uint32_t nr_lives = 1 + random_below(random, 12), nr_slots = 2 + random_below(random, 20);
	struct placement_problem *problem = placement_problem_new(2, nr_slots, nr_lives,
								  (uint64_t)nr_lives * nr_slots);
	uint32_t nr_uses = 0;
	problem->capacity_pages[0] = random_below(random, nr_lives + 1);
	problem->capacity_pages[1] = nr_lives;
	problem->load_cost_ps[0] = 2;
	problem->load_cost_ps[1] = 5;
	problem->store_cost_ps[0] = 1;
	problem->store_cost_ps[1] = 3;
	problem->move_cost_ps[1] = random_below(random, 8);
	problem->move_cost_ps[2] = random_below(random, 8);
	for (uint32_t i = 1; i < nr_slots; i++)
		problem->movable[i] = random_below(random, 3) > 0;
	for (uint32_t i = 0; i < nr_lives; i++) {
		uint32_t first = random_below(random, nr_slots);
		uint32_t last = first + random_below(random, nr_slots - first);
		struct placement_life life = { i, first, last, nr_uses, 0 };
		for (uint32_t slot = first; slot <= last; slot++)
			if (random_below(random, 2))
				problem->uses[nr_uses++] =
					(struct placement_use){ slot, random_below(random, 4), 1 };
		life.nr_uses = nr_uses - life.first_use;
		problem->lives[i] = life;
	}
	problem->nr_uses = nr_uses;
	return problem;
}

static void test_foresight_is_sound_and_no_better_than_optimal(void **state)
{
	struct random random;
	(void)state;
	random_init(&random, 7);
	for (int i = 0; i < 300; i++) {
		struct placement_problem *problem = random_problem(&random);
		struct placement_solution optimal = { 0 };
		PRINTBUF(err);
		if (!placement_problem_is_valid(problem, &err))
			fail_msg("%s", printbuf_str(&err));
		assert_int_equal(placement_solve_optimal(problem, 1, &optimal, NULL), 0);
		for (uint32_t horizon = 1; horizon < 30; horizon += 7)
			assert_true(cost_with(problem, horizon) >= optimal.lower_ps);
		problem->capacity_pages[0] = problem->nr_lives;
		uint64_t fast = 0;
		for (uint64_t j = 0; j < problem->nr_uses; j++)
			fast += placement_use_cost(problem, &problem->uses[j], 0);
		assert_int_equal(cost_with(problem, 5), fast);
		placement_solution_fini(&optimal);
		placement_problem_free(problem);
	}
}

static void test_foresight_wants_two_tiers(void **state)
{
	struct placement_problem *problem = placement_problem_new(1, 1, 0, 0);
	struct placement_solution solution = { 0 };
	PRINTBUF(err);
	(void)state;
	assert_int_equal(placement_solve_foresight(problem, 5, &solution, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "two tiers"));
	assert_null(solution.steps);
	placement_problem_free(problem);
}
