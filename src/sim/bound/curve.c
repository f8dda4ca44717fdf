/* SPDX-License-Identifier: MIT */
/*
 * The buyer's curve: best costs for many capacities of the fast tier.
 *
 * Capacities are visited from the largest to the smallest: prices only appear and rise, so those of
 * one point are a good start for the next, and most of the ascent is spared. The model (pieces,
 * ticks) is made once for placement that moves and once for placement that does not.
 *
 * True figures never rise with capacity, so each end of a range is carried along: a lower figure
 * holds for every smaller capacity, an upper one for every larger.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/bound/curve.h"
#include "sim/bound/solve.h"

struct curve {
	struct placement_problem problem; /* a copy that shares all but the capacities */
	uint64_t capacity[PLACEMENT_MAX_TIERS];
	const uint64_t *capacities;
	uint32_t *order; /* of points, by falling capacity */
	size_t nr;
	unsigned effort;
	struct placement_point *points;
};

uint64_t placement_cost_all_in(const struct placement_problem *problem, uint32_t tier)
{
	uint64_t cost = 0;

	for (uint64_t i = 0; i < problem->nr_uses; i++)
		cost += placement_use_cost(problem, &problem->uses[i], tier);
	return cost;
}

static int by_capacity(const void *a, const void *b, void *context)
{
	const uint64_t *capacities = context;
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	if (capacities[left] != capacities[right])
		return capacities[left] > capacities[right] ? -1 : 1;
	return left < right ? -1 : left > right;
}

static struct placement_range *range_of(struct curve *curve, size_t at, bool may_move)
{
	struct placement_point *point = &curve->points[curve->order[at]];

	return may_move ? &point->optimal : &point->static_best;
}

static int solve_points(struct curve *curve, struct bound_prices *prices, struct bound_model *model,
			uint8_t *tier_of_piece, bool may_move)
{
	for (size_t at = 0; at < curve->nr; at++) {
		struct bound_answer answer = { .tier_of_piece = tier_of_piece };
		struct placement_range *range = range_of(curve, at, may_move);
		int error;

		curve->capacity[0] = curve->capacities[curve->order[at]];
		bound_model_set_capacity(model, curve->capacity);
		error = bound_solve(prices, curve->effort, at > 0, &answer);
		if (error)
			return error;
		*range = (struct placement_range){ (uint64_t)answer.lower_ps,
						   (uint64_t)answer.upper_ps };
	}
	return 0;
}

/* Largest capacity first: lower figures rise along the way, upper ones rise too. */
static void carry_along(struct curve *curve, bool may_move)
{
	for (size_t at = 1; at < curve->nr; at++)
		range_of(curve, at, may_move)->lower_ps = MAX(
			range_of(curve, at, may_move)->lower_ps,
			range_of(curve, at - 1, may_move)->lower_ps);
	for (size_t at = curve->nr; at-- > 1;)
		range_of(curve, at - 1, may_move)->upper_ps = MIN(
			range_of(curve, at - 1, may_move)->upper_ps,
			range_of(curve, at, may_move)->upper_ps);
}

static int solve_curve(struct curve *curve, bool may_move)
{
	struct bound_model *model = NULL;
	struct bound_prices *prices = NULL;
	uint8_t *tier_of_piece = NULL;
	int error = bound_model_shape(&curve->problem, may_move, &model);

	if (!error)
		error = bound_prices_new(model, &prices);
	if (!error) {
		tier_of_piece = malloc((size_t)model->nr_pieces + 1);
		error = tier_of_piece ? solve_points(curve, prices, model, tier_of_piece, may_move)
				      : -ENOMEM;
	}
	if (!error)
		carry_along(curve, may_move);
	free(tier_of_piece);
	bound_prices_free(prices);
	bound_model_free(model);
	return error;
}

/* Any placement that never moves is one that may. */
static void join_ranges(struct placement_point *point)
{
	struct placement_range *still = &point->static_best, *moving = &point->optimal;

	moving->upper_ps = MIN(moving->upper_ps, still->upper_ps);
	still->lower_ps = MAX(still->lower_ps, moving->lower_ps);
}

static int curve_init(struct curve *curve, const struct placement_problem *problem,
		      const uint64_t *capacities, size_t nr)
{
	uint32_t last = problem->nr_tiers - 1;

	curve->problem = *problem;
	for (uint32_t tier = 0; tier <= last; tier++)
		curve->capacity[tier] = problem->capacity_pages[tier];
	curve->capacity[0] = 0;
	curve->capacity[last] = problem->nr_lives;
	curve->problem.capacity_pages = curve->capacity;
	curve->capacities = capacities;
	curve->nr = nr;
	curve->order = malloc((nr + 1) * sizeof(*curve->order));
	curve->points = calloc(nr + 1, sizeof(*curve->points));
	if (!curve->order || !curve->points)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		curve->order[i] = (uint32_t)i;
	qsort_r(curve->order, nr, sizeof(*curve->order), by_capacity, (void *)capacities);
	return 0;
}

static int check_curve(const struct placement_problem *problem, size_t nr, struct printbuf *err)
{
	if (problem->nr_tiers < 2 || problem->nr_tiers > PLACEMENT_MAX_TIERS)
		return error_set(err, -EINVAL,
				 "curve: the machine has %u tiers; name one with at least 2",
				 problem->nr_tiers);
	if (nr > UINT32_MAX)
		return error_set(err, -EINVAL, "curve: too many points; ask for fewer");
	return 0;
}

int placement_curve(const struct placement_problem *problem, const uint64_t *fast_capacities,
		    size_t nr_capacities, unsigned effort, struct placement_point *ret_points,
		    struct printbuf *err)
{
	struct curve curve = { .effort = effort };
	int error = check_curve(problem, nr_capacities, err);

	if (error)
		return error;
	error = curve_init(&curve, problem, fast_capacities, nr_capacities);
	if (!error && !placement_problem_is_valid(&curve.problem, err)) {
		error = -EINVAL;
	} else {
		if (!error)
			error = solve_curve(&curve, false);
		if (!error)
			error = solve_curve(&curve, true);
		if (error)
			error_set(err, error, "curve: %s; use a shorter recording",
				  error_text(error));
	}
	for (size_t i = 0; !error && i < nr_capacities; i++) {
		curve.points[i].fast_capacity_pages = fast_capacities[i];
		join_ranges(&curve.points[i]);
		ret_points[i] = curve.points[i];
	}
	free(curve.order);
	free(curve.points);
	return error;
}
