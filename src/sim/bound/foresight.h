/* SPDX-License-Identifier: MIT */
/*
 * foresight: what a policy would get that is never wrong but looks no further than a horizon.
 *
 *     tick:  each page's stall saved in fast memory in the coming horizon (its uses as they will
 * be)
 *
 *            slow, most first --- exchanged while it pays for both moves --- fast, least first
 *
 * Pages born until the next tick stand among the slow ones: room is made ahead of them, and they
 * need no move up. Others are born in fast memory while there is room, as a kernel does.
 *
 * Why: between `optimal` and an online policy lie foresight beyond any horizon, wrong predictions
 * and what samples do not show. This tells the first from the rest. It is greedy, so not the best
 * schedule for its horizon; a longer horizon may even come out worse, since a move now is decided
 * by uses long after the next chance to make it.
 *
 * Cost: O(uses + ticks * live pages * log(live pages)); 41 bytes per life, 24 per step.
 */
#ifndef BERTH_SIM_BOUND_FORESIGHT_H
#define BERTH_SIM_BOUND_FORESIGHT_H

#include "sim/bound/problem.h"

/* The schedule of one that knows the coming `horizon` ticks; two tiers only (-EOPNOTSUPP). It is a
 * schedule, no bound: lower_ps is 0. */
int placement_solve_foresight(const struct placement_problem *problem, uint32_t horizon,
			      struct placement_solution *ret, struct printbuf *err);

#endif
