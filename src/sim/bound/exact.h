/* SPDX-License-Identifier: MIT */
/* The exact optimum of two tiers, by min-cost flow: see exact.c. */
#ifndef BERTH_SIM_BOUND_EXACT_H
#define BERTH_SIM_BOUND_EXACT_H

#include "sim/bound/prices.h"

/* How many arcs its graph has; 0 when the model is none that flow solves. */
uint64_t bound_exact_arcs(const struct bound_model *model);
/* From the prices, which end at optimal ones, evaluated; tier_of_piece is an optimal schedule.
 * -ETIME when work_limit arcs were not enough; the prices are still better than before. */
int bound_exact(struct bound_prices *prices, uint64_t work_limit, uint8_t *tier_of_piece);

#endif
