/* SPDX-License-Identifier: MIT */
/*
 * Solves a placement problem: prices, a schedule that fits, and flow where it is exact.
 *
 *     prices ascend --> lower figure          any tiers, any size
 *         |                 |
 *         +--> repair --> upper figure        a schedule that fits
 *         |
 *         +--> min-cost flow, warm            two tiers, small enough: both figures meet
 *
 * What "small enough" means is counted in arcs, never in seconds, so that the same input gives the
 * same answer everywhere. Every answer is costed anew by placement_cost() before it is returned.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/bound/exact.h"
#include "sim/bound/solve.h"

#define DENSE_PIECES 1000000ull /* most pieces for which a dense model is made */
#define STAGES	     4		/* ascents, each aimed at the upper figure of the last repair */
#define SMALL_PIECES 2000	/* below, rounds cost next to nothing */
#define SMALL_ROUNDS 8		/* times as many of them */
#define WARM_STAGES  1		/* of these, when the prices are a neighbour's */
#define WARM_WORK    5000000ull /* of flow then: a curve has many points, and a person waits */

struct effort {
	unsigned rounds;   /* of ascent, in all stages together */
	uint64_t max_arcs; /* of a graph that flow is tried on */
	uint64_t max_work; /* arcs that its searches may look at */
};

static const struct effort efforts[] = {
	{ .rounds = 80, .max_arcs = 300000, .max_work = 100000000 },
	{ .rounds = 200, .max_arcs = 3000000, .max_work = 1000000000 },
	{ .rounds = 600, .max_arcs = 30000000, .max_work = 40000000000 },
};

int bound_model_shape(const struct placement_problem *problem, bool may_move,
		      struct bound_model **ret)
{
	struct bound_model *model;
	int error = bound_model_new(problem, may_move, false, &model);

	if (error)
		return error;
	if (model->is_folded && bound_model_dense_pieces(model) <= DENSE_PIECES) {
		bound_model_free(model);
		return bound_model_new(problem, may_move, true, ret);
	}
	*ret = model;
	return 0;
}

static int improve_lower(struct bound_prices *prices, int64_t evaluated,
			 struct bound_answer *answer)
{
	int64_t lower = evaluated;
	int error = prices->model->is_folded ? bound_prices_lower(prices, &lower) : 0;

	if (!error)
		answer->lower_ps = MAX(answer->lower_ps, lower);
	return error;
}

/* A repair under the present prices; kept when it is the cheapest so far. */
static int improve_upper(struct bound_prices *prices, uint8_t *scratch, struct bound_answer *answer)
{
	int64_t cost;
	int error = bound_repair(prices, scratch, &cost);

	if (!error && cost < answer->upper_ps) {
		answer->upper_ps = cost;
		memcpy(answer->tier_of_piece, scratch, prices->model->nr_pieces);
	}
	return error;
}

static int solve_by_prices(struct bound_prices *prices, const struct effort *effort, bool is_warm,
			   uint8_t *scratch, struct bound_answer *answer)
{
	unsigned nr_stages = is_warm ? WARM_STAGES : STAGES;
	bool is_small = prices->model->nr_pieces < SMALL_PIECES;
	unsigned nr_rounds = effort->rounds / STAGES * (is_small ? SMALL_ROUNDS : 1);
	int64_t lower = bound_prices_evaluate(prices);
	int error = improve_lower(prices, lower, answer);

	answer->method = "prices";
	if (!error)
		error = improve_upper(prices, scratch, answer);
	for (unsigned stage = 0; !error && stage < nr_stages; stage++) {
		if (answer->lower_ps == answer->upper_ps)
			break;
		error = bound_prices_ascend(prices, nr_rounds, answer->upper_ps, &lower);
		if (!error)
			error = improve_lower(prices, lower, answer);
		if (!error)
			error = improve_upper(prices, scratch, answer);
	}
	return error;
}

static int solve_by_flow(struct bound_prices *prices, const struct effort *effort, uint8_t *scratch,
			 struct bound_answer *answer)
{
	uint64_t arcs = bound_exact_arcs(prices->model);
	int error;

	if (!arcs || arcs > effort->max_arcs || answer->lower_ps == answer->upper_ps)
		return 0;
	error = bound_exact(prices, effort->max_work, scratch);
	if (error && error != -ETIME)
		return error;
	answer->lower_ps = MAX(answer->lower_ps, bound_prices_evaluate(prices));
	if (error)
		return improve_upper(prices, scratch, answer);
	answer->method = "min-cost flow";
	answer->upper_ps = bound_model_cost(prices->model, scratch);
	memcpy(answer->tier_of_piece, scratch, prices->model->nr_pieces);
	return 0;
}

/* Prices of a neighbour: those of tiers that can no longer be full must go. */
static void clear_prices(struct bound_prices *prices)
{
	const struct bound_model *model = prices->model;
	uint32_t n = model->nr_tiers;

	for (uint32_t tier = 0; tier < n; tier++)
		for (uint32_t slot = 0; !model->priced[tier] && slot < model->nr_slots; slot++)
			prices->price_ps[(size_t)slot * n + tier] = 0;
}

int bound_solve(struct bound_prices *prices, unsigned effort, bool is_warm,
		struct bound_answer *answer)
{
	const struct bound_model *model = prices->model;
	struct effort spend = efforts[MIN(effort, ARRAY_SIZE(efforts) - 1)];
	uint8_t *scratch;
	int error;

	if (is_warm && effort == 0)
		spend.max_work = MIN(spend.max_work, WARM_WORK);
	answer->lower_ps = 0;
	answer->upper_ps = INT64_MAX;
	clear_prices(prices);
	if (model->nr_priced == 0) {
		answer->lower_ps = answer->upper_ps = bound_prices_evaluate(prices);
		memcpy(answer->tier_of_piece, prices->tier_of_piece, model->nr_pieces);
		answer->method = "everything fits";
		return 0;
	}
	scratch = malloc((size_t)model->nr_pieces + 1);
	if (!scratch)
		return -ENOMEM;
	error = solve_by_prices(prices, &spend, is_warm, scratch, answer);
	if (!error)
		error = solve_by_flow(prices, &spend, scratch, answer);
	free(scratch);
	return error;
}

static int finish(const struct placement_problem *problem, const struct bound_model *model,
		  const struct bound_answer *answer, struct placement_solution *ret,
		  struct printbuf *err)
{
	struct placement_solution solution = {
		.is_exact = answer->lower_ps == answer->upper_ps,
		.lower_ps = (uint64_t)answer->lower_ps,
		.method = answer->method,
	};
	int error = bound_model_steps(model, answer->tier_of_piece, &solution.steps,
				      &solution.nr_steps);

	if (!error)
		error = placement_cost(problem, &solution, &solution.upper_ps, err);
	if (!error && (solution.upper_ps != (uint64_t)answer->upper_ps ||
		       solution.lower_ps > solution.upper_ps))
		error = error_set(err, -EPROTO,
				  "placement: solver and schedule disagree (%lld, %llu ps); please "
				  "report this recording as a bug",
				  (long long)answer->upper_ps,
				  (unsigned long long)solution.upper_ps);
	if (error)
		placement_solution_fini(&solution);
	else
		*ret = solution;
	return error;
}

static int solve(const struct placement_problem *problem, bool may_move, unsigned effort,
		 struct placement_solution *ret, struct printbuf *err)
{
	struct bound_model *model = NULL;
	struct bound_prices *prices = NULL;
	struct bound_answer answer = { 0 };
	int error;

	if (!placement_problem_is_valid(problem, err))
		return -EINVAL;
	error = bound_model_shape(problem, may_move, &model);
	if (!error)
		error = bound_prices_new(model, &prices);
	if (!error) {
		answer.tier_of_piece = malloc((size_t)model->nr_pieces + 1);
		error = answer.tier_of_piece ? bound_solve(prices, effort, false, &answer)
					     : -ENOMEM;
	}
	if (error)
		error_set(err, error, "placement: cannot solve it: %s; use a shorter recording",
			  error_text(error));
	else
		error = finish(problem, model, &answer, ret, err);
	free(answer.tier_of_piece);
	bound_prices_free(prices);
	bound_model_free(model);
	return error;
}

int placement_solve_optimal(const struct placement_problem *problem, unsigned effort,
			    struct placement_solution *ret, struct printbuf *err)
{
	return solve(problem, true, effort, ret, err);
}

int placement_solve_static(const struct placement_problem *problem, struct placement_solution *ret,
			   struct printbuf *err)
{
	return solve(problem, false, 1, ret, err);
}
