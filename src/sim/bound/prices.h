/* SPDX-License-Identifier: MIT */
/*
 * Prices: what a frame of a tier costs in a slot. Given any prices >= 0, what the lives would pay
 * when each chooses for itself, less the price of all frames there are, is a figure that no
 * schedule beats (Lagrangian duality).
 */
#ifndef BERTH_SIM_BOUND_PRICES_H
#define BERTH_SIM_BOUND_PRICES_H

#include "sim/bound/model.h"

struct bound_prices {
	const struct bound_model *model;
	int64_t *price_ps; /* [slot * nr_tiers + tier]: >= 0, and 0 where not priced */
	int64_t *sum_ps;   /* [slot * nr_tiers + tier]: of the slots before; nr_slots + 1 rows */
	uint32_t *used;	   /* [slot * nr_tiers + tier]: pages that chose it; nr_slots + 1 rows */
	uint8_t *tier_of_piece; /* what each life chose */
	uint8_t *choice;	/* scratch of one life */
	int64_t *life_cost_ps;	/* what each life's choice costs it, prices included */
};

int bound_prices_new(const struct bound_model *model, struct bound_prices **ret);
struct bound_prices *bound_prices_free(struct bound_prices *prices);

/* Lets every life choose; fills sum_ps, used, tier_of_piece and life_cost_ps. The figure is a
 * certified lower one unless the model is folded: see bound_prices_lower. At least 0. */
int64_t bound_prices_evaluate(struct bound_prices *prices);
/* The same lower figure with moves at every tick, for folded models; choices are untouched. */
int bound_prices_lower(struct bound_prices *prices, int64_t *ret_lower);

/* Improves the prices from where they are for at most nr_rounds, towards target_ps (any figure
 * that can be reached). They end at the best prices seen, evaluated; returns that figure. */
int bound_prices_ascend(struct bound_prices *prices, unsigned nr_rounds, int64_t target_ps,
			int64_t *ret_lower);

/* A schedule that fits, from the choices under these prices: tier_of_piece and its cost. */
int bound_repair(const struct bound_prices *prices, uint8_t *tier_of_piece, int64_t *ret_cost);

#endif
