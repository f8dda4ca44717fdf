/* SPDX-License-Identifier: MIT */
/*
 * The solvers against a linear program on problems too large for brute force. The program is
 * written from problem.h alone: one unit of each life flows from slot to slot through tiers.
 *
 * Two tiers: its optimum is whole, and is ours. Three: no lower figure may pass it, and ours must
 * come near it.
 */
#include "test.h"

#include <glpk.h>
#include <math.h>

#include "base/random.h"
#include "sim/bound/curve.h"

#define NR_SLOTS 16
#define NR_LIVES 40

static struct placement_problem *random_problem(struct random *random, uint32_t n, uint64_t frames)
{
	struct placement_problem *problem = placement_problem_new(n, NR_SLOTS, NR_LIVES,
								  NR_LIVES * NR_SLOTS);

	assert_non_null(problem);
	problem->nr_uses = 0;
	for (uint32_t slot = 1; slot < NR_SLOTS; slot++)
		problem->movable[slot] = random_below(random, 4) > 0;
	for (uint32_t i = 0; i < NR_LIVES; i++) {
		struct placement_life *life = &problem->lives[i];
		uint32_t a = (uint32_t)random_below(random, NR_SLOTS);
		uint32_t b = (uint32_t)random_below(random, NR_SLOTS);

		*life = (struct placement_life){ .first_slot = MIN(a, b),
						 .last_slot = MAX(a, b),
						 .first_use = (uint32_t)problem->nr_uses };
		for (uint32_t slot = life->first_slot; slot <= life->last_slot; slot++) {
			uint32_t loads = (uint32_t)random_below(random, 60);

			if (loads > 25)
				continue;
			problem->uses[problem->nr_uses++] = (struct placement_use){ slot, loads,
										    loads % 4 };
			life->nr_uses++;
		}
	}
	for (uint32_t tier = 0; tier < n; tier++) {
		problem->capacity_pages[tier] = tier + 1 < n ? frames : NR_LIVES;
		problem->load_cost_ps[tier] = 20 + 30 * tier;
		problem->store_cost_ps[tier] = 30 + 50 * tier;
		for (uint32_t to = 0; to < n; to++)
			problem->move_cost_ps[tier * n + to] = tier == to ? 0 : 300 + 40 * to;
	}
	return problem;
}

static uint64_t use_cost(const struct placement_problem *problem, const struct placement_life *life,
			 uint32_t slot, uint32_t tier)
{
	for (uint32_t i = 0; i < life->nr_uses; i++)
		if (problem->uses[life->first_use + i].slot == slot)
			return placement_use_cost(problem, &problem->uses[life->first_use + i],
						  tier);
	return 0;
}

/* A column: this life goes from tier `from` to tier `to` at the start of `slot`. Rows: fullness of
 * `to` in the slot, and of the life's two states: what flows in flows out. */
static void add_column(glp_prob *lp, const struct placement_problem *problem, uint32_t index,
		       uint32_t slot, uint32_t from, uint32_t to)
{
	const struct placement_life *life = &problem->lives[index];
	uint32_t n = problem->nr_tiers;
	int states = (int)(NR_SLOTS * n), rows[4], nr = 0, column = glp_add_cols(lp, 1);
	int state = states + (int)((index * (NR_SLOTS + 1) + slot) * n) + 1;
	double values[4];

	rows[++nr] = (int)(slot * n + to) + 1;
	values[nr] = 1;
	if (slot > life->first_slot) {
		rows[++nr] = state + (int)from;
		values[nr] = -1;
	}
	if (slot < life->last_slot) {
		rows[++nr] = state + (int)(n + to);
		values[nr] = 1;
	}
	glp_set_mat_col(lp, column, nr, rows, values);
	glp_set_col_bnds(lp, column, GLP_LO, 0, 0);
	glp_set_obj_coef(lp, column,
			 (double)use_cost(problem, life, slot, to) +
				 (slot > life->first_slot
					  ? (double)problem->move_cost_ps[from * n + to]
					  : 0));
}

static void add_life(glp_prob *lp, const struct placement_problem *problem, uint32_t index,
		     bool may_move)
{
	const struct placement_life *life = &problem->lives[index];
	uint32_t n = problem->nr_tiers;
	int first = glp_get_num_cols(lp) + 1, row = glp_add_rows(lp, 1);
	int columns[PLACEMENT_MAX_TIERS + 1];
	double ones[PLACEMENT_MAX_TIERS + 1];

	for (uint32_t slot = life->first_slot; slot <= life->last_slot; slot++)
		for (uint32_t from = 0; from < n; from++)
			for (uint32_t to = 0; to < n; to++)
				if (slot == life->first_slot
					    ? from == 0
					    : from == to || (may_move && problem->movable[slot]))
					add_column(lp, problem, index, slot, from, to);
	for (uint32_t tier = 0; tier < n; tier++) {
		columns[tier + 1] = first + (int)tier;
		ones[tier + 1] = 1;
	}
	glp_set_mat_row(lp, row, (int)n, columns, ones); /* born in exactly one tier */
	glp_set_row_bnds(lp, row, GLP_FX, 1, 0);
}

static double solve_lp(const struct placement_problem *problem, bool may_move)
{
	uint32_t n = problem->nr_tiers;
	glp_prob *lp = glp_create_prob();
	glp_smcp how;
	double value;

	glp_add_rows(lp, (int)(NR_SLOTS * n + NR_LIVES * (NR_SLOTS + 1) * n));
	for (uint32_t i = 0; i < NR_SLOTS * n; i++)
		glp_set_row_bnds(lp, (int)i + 1, GLP_UP, 0, (double)problem->capacity_pages[i % n]);
	for (uint32_t i = NR_SLOTS * n; i < NR_SLOTS * n + NR_LIVES * (NR_SLOTS + 1) * n; i++)
		glp_set_row_bnds(lp, (int)i + 1, GLP_FX, 0, 0);
	for (uint32_t i = 0; i < NR_LIVES; i++)
		add_life(lp, problem, i, may_move);
	glp_init_smcp(&how);
	how.msg_lev = GLP_MSG_OFF;
	assert_int_equal(glp_simplex(lp, &how), 0);
	assert_int_equal(glp_get_status(lp), GLP_OPT);
	value = glp_get_obj_val(lp);
	glp_delete_prob(lp);
	return value;
}

static void check(const struct placement_problem *problem, bool may_move)
{
	struct placement_solution solution = { 0 };
	double lp = solve_lp(problem, may_move);

	assert_int_equal(may_move ? placement_solve_optimal(problem, 1, &solution, NULL)
				  : placement_solve_static(problem, &solution, NULL),
			 0);
	if (problem->nr_tiers == 2) {
		assert_true(solution.is_exact);
		assert_true(fabs(lp - (double)solution.upper_ps) < 0.01);
	}
	assert_true((double)solution.lower_ps <= lp + 0.01);
	assert_true((double)solution.lower_ps >= lp * 0.99);
	assert_true((double)solution.upper_ps <= lp * 1.04);
	placement_solution_fini(&solution);
}

static void check_many(uint32_t nr_tiers, unsigned nr)
{
	struct random random;

	random_init(&random, nr_tiers);
	for (unsigned i = 0; i < nr; i++) {
		struct placement_problem *problem = random_problem(&random, nr_tiers, i % 7);

		check(problem, true);
		check(problem, false);
		placement_problem_free(problem);
	}
}

static void test_two_tiers_equal_the_linear_program(void **state)
{
	check_many(2, 14);
}

static void test_three_tiers_come_near_it(void **state)
{
	check_many(3, 7);
}

/* Each point of a curve encloses what a lone solve finds, and the curve never rises. */
static void test_curve_agrees_with_points(void **state)
{
	uint64_t capacities[] = { 3, 0, 12, 5, 40, 5, UINT64_MAX };
	struct placement_point points[ARRAY_SIZE(capacities)];
	struct random random;
	struct placement_problem *problem;

	random_init(&random, 77);
	problem = random_problem(&random, 2, 0);
	assert_int_equal(
		placement_curve(problem, capacities, ARRAY_SIZE(capacities), 1, points, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(capacities); i++) {
		struct placement_solution solution = { 0 };

		problem->capacity_pages[0] = capacities[i];
		assert_int_equal(placement_solve_optimal(problem, 1, &solution, NULL), 0);
		assert_int_equal(points[i].fast_capacity_pages, capacities[i]);
		assert_int_equal(points[i].optimal.lower_ps, solution.upper_ps);
		assert_int_equal(points[i].optimal.upper_ps, solution.upper_ps);
		placement_solution_fini(&solution);
		assert_int_equal(placement_solve_static(problem, &solution, NULL), 0);
		assert_int_equal(points[i].static_best.lower_ps, solution.upper_ps);
		assert_int_equal(points[i].static_best.upper_ps, solution.upper_ps);
		placement_solution_fini(&solution);
	}
	assert_int_equal(points[1].optimal.upper_ps, placement_cost_all_in(problem, 1));
	assert_int_equal(points[6].optimal.upper_ps, placement_cost_all_in(problem, 0));
	placement_problem_free(problem);
}
