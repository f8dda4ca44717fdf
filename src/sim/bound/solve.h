/* SPDX-License-Identifier: MIT */
/* One solve on a prepared model; what problem.h and curve.h share. See solve.c. */
#ifndef BERTH_SIM_BOUND_SOLVE_H
#define BERTH_SIM_BOUND_SOLVE_H

#include "sim/bound/prices.h"

struct bound_answer {
	int64_t lower_ps, upper_ps;
	uint8_t *tier_of_piece; /* the caller's, [nr_pieces]: a schedule that costs upper_ps */
	const char *method;
};

/* Shapes the model as placement_solve_optimal needs it: dense where that is exact and small. */
int bound_model_shape(const struct placement_problem *problem, bool may_move,
		      struct bound_model **ret);
/* is_warm: `prices` hold those of a like problem, so less is spent. They end at the best found. */
int bound_solve(struct bound_prices *prices, unsigned effort, bool is_warm,
		struct bound_answer *answer);

#endif
