/* SPDX-License-Identifier: MIT */
/* A broken problem or schedule gives one clear sentence, never a figure. */
#include "test.h"

#include "sim/bound/problem.h"

/* Two tiers of which the fast one holds one page; three slots, the last not movable; two lives. */
static struct placement_problem *small_problem(void)
{
	struct placement_problem *problem = placement_problem_new(2, 3, 2, 3);

	assert_non_null(problem);
	problem->capacity_pages[0] = 1;
	problem->capacity_pages[1] = 2;
	problem->load_cost_ps[0] = 1;
	problem->load_cost_ps[1] = 10;
	problem->store_cost_ps[1] = 5;
	problem->move_cost_ps[1] = 7;
	problem->move_cost_ps[2] = 8;
	problem->movable[1] = 1;
	problem->lives[0] = (struct placement_life){ .last_slot = 2, .nr_uses = 2 };
	problem->lives[1] = (struct placement_life){
		.page = 1, .first_slot = 1, .last_slot = 2, .first_use = 2, .nr_uses = 1
	};
	problem->uses[0] = (struct placement_use){ 0, 3, 0 };
	problem->uses[1] = (struct placement_use){ 2, 0, 2 };
	problem->uses[2] = (struct placement_use){ 1, 4, 0 };
	return problem;
}

static void expect_invalid(struct placement_problem *problem, const char *why)
{
	struct placement_solution solution = { 0 };
	PRINTBUF(err);

	assert_false(placement_problem_is_valid(problem, &err));
	if (!strstr(printbuf_str(&err), why))
		fail_msg("\"%s\" does not say \"%s\"", printbuf_str(&err), why);
	assert_true(placement_solve_optimal(problem, 0, &solution, NULL) < 0);
	assert_null(solution.steps);
	placement_problem_free(problem);
}

static void test_broken_problems_are_refused(void **state)
{
	struct placement_problem *problem = small_problem();

	assert_true(placement_problem_is_valid(problem, NULL));
	problem->nr_tiers = 17;
	expect_invalid(problem, "17 tiers");
	problem = small_problem();
	problem->movable[0] = 0;
	expect_invalid(problem, "slot 0");
	problem = small_problem();
	problem->move_cost_ps[3] = 1;
	expect_invalid(problem, "tier 1");
	problem = small_problem();
	problem->lives[1].last_slot = 3;
	expect_invalid(problem, "life 1");
	problem = small_problem();
	problem->lives[0].first_slot = 1;
	expect_invalid(problem, "use 0 of life 0");
	problem = small_problem();
	problem->lives[1].nr_uses = 2;
	expect_invalid(problem, "life 1");
	problem = small_problem();
	problem->uses[1].slot = 0;
	expect_invalid(problem, "use 1 of life 0");
	problem = small_problem();
	problem->load_cost_ps[1] = UINT64_MAX;
	expect_invalid(problem, "26 days");
	problem = small_problem();
	problem->capacity_pages[1] = 0;
	expect_invalid(problem, "2 pages live in slot 1");
}

static void expect_cost(const struct placement_step *steps, uint64_t nr_steps, uint64_t cost,
			const char *why)
{
	struct placement_problem *problem = small_problem();
	struct placement_solution solution = { .steps = (struct placement_step *)steps,
					       .nr_steps = nr_steps };
	uint64_t ps = 12345;
	PRINTBUF(err);

	assert_int_equal(placement_cost(problem, &solution, &ps, &err), why ? -EINVAL : 0);
	assert_int_equal(ps, why ? 12345 : cost);
	if (why && !strstr(printbuf_str(&err), why))
		fail_msg("\"%s\" does not say \"%s\"", printbuf_str(&err), why);
	placement_problem_free(problem);
}

static void test_schedules_are_costed_or_refused(void **state)
{
	struct placement_step good[] = { { 0, 0, 0 }, { 0, 1, 1 }, { 1, 1, 0 } };
	struct placement_step full[] = { { 0, 0, 0 }, { 1, 1, 0 } };
	struct placement_step late[] = { { 0, 1, 0 }, { 1, 1, 1 } };
	struct placement_step frozen[] = { { 0, 0, 1 }, { 1, 1, 1 }, { 1, 2, 0 } };
	struct placement_step order[] = { { 1, 1, 1 }, { 0, 0, 1 } };
	struct placement_step unknown[] = { { 2, 0, 0 } };

	/* 3 loads fast, one move down, 2 stores slow; 4 loads fast */
	expect_cost(good, 3, 3 + 7 + 10 + 4, NULL);
	expect_cost(full, 2, 0, "2 pages in tier 0 in slot 1");
	expect_cost(late, 2, 0, "life 0 is placed in slot 1");
	expect_cost(frozen, 3, 0, "life 1 may not move");
	expect_cost(order, 2, 0, "out of order");
	expect_cost(unknown, 1, 0, "unknown life");
	expect_cost(good, 1, 0, "life 1 is never placed");
}

static void test_small_optimum(void **state)
{
	struct placement_problem *problem = small_problem();
	struct placement_solution solution = { 0 };

	/* Fast: 3 + 0 and 4. Only one fits in slots 1 and 2; the best moves life 0 down. */
	assert_int_equal(placement_solve_optimal(problem, 0, &solution, NULL), 0);
	assert_true(solution.is_exact);
	assert_int_equal(solution.upper_ps, 3 + 7 + 10 + 4);
	placement_solution_fini(&solution);
	assert_int_equal(placement_solve_static(problem, &solution, NULL), 0);
	assert_true(solution.is_exact);
	assert_int_equal(solution.upper_ps, 3 + 40);
	placement_solution_fini(&solution);
	placement_problem_free(problem);
}

static void test_nothing_to_place(void **state)
{
	struct placement_problem *problem = placement_problem_new(2, 1, 0, 0);
	struct placement_solution solution = { 0 };

	assert_int_equal(placement_solve_optimal(problem, 0, &solution, NULL), 0);
	assert_true(solution.is_exact);
	assert_int_equal(solution.upper_ps, 0);
	assert_int_equal(solution.nr_steps, 0);
	placement_solution_fini(&solution);
	placement_problem_free(problem);
}
