/* SPDX-License-Identifier: MIT */
/*
 * The curve a buyer wants: how much does the best placement cost with this much fast memory, and
 * with that much? One problem, many capacities of tier 0; the time axis, the lives and the uses are
 * prepared once, and each point starts from the prices of its neighbour.
 */
#ifndef BERTH_SIM_BOUND_CURVE_H
#define BERTH_SIM_BOUND_CURVE_H

#include "sim/bound/problem.h"

struct placement_range { /* lower_ps <= the true figure <= upper_ps; equal when exact */
	uint64_t lower_ps, upper_ps;
};

struct placement_point {
	uint64_t fast_capacity_pages;
	struct placement_range static_best; /* no page moves during its life */
	struct placement_range optimal;	    /* pages move at movable slots */
};

/* Costs for each capacity of tier 0, in the order given (any order); the problem's own capacity of
 * tier 0 is not used. The other tiers are taken as given, the last one as large as needed. `effort`
 * as in placement_solve_optimal. Both ends of each range never rise with capacity.
 * ret_points has nr_capacities entries, untouched on failure. */
int placement_curve(const struct placement_problem *problem, const uint64_t *fast_capacities,
		    size_t nr_capacities, unsigned effort, struct placement_point *ret_points,
		    struct printbuf *err);

/* The cost with everything in one tier, if it were large enough. */
uint64_t placement_cost_all_in(const struct placement_problem *problem, uint32_t tier);

#endif
