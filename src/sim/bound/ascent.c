/* SPDX-License-Identifier: MIT */
/*
 * The search for good prices (why and by whom: prices.c).
 *
 *     direction = (pages that chose a frame - frames) + 0.6 * last direction
 *     prices   += step * scale * direction, never below 0
 *     step      = theta * (target - lower) / (scale * gradient^2)
 *
 * theta starts at 0.5 and halves whenever a sixth of all rounds brought nothing. 24 bytes for each
 * (slot, tier).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/bound/prices.h"

#define MEMORY 0.6 /* share of the last direction that is kept */

struct ascent {
	struct bound_prices *prices;
	size_t nr;	   /* slots * tiers */
	double *scale;	   /* [slot]: what a price there is measured in, picoseconds */
	double *direction; /* [slot * nr_tiers + tier] */
	int64_t *best_price_ps;
	int64_t best_ps;
};

/* The mean over a slot's pages of what choosing the right tier gains, and at least a part of the
 * mean over all slots: a page that waits through an empty slot holds its frame all the same. */
static void find_scale(struct ascent *ascent)
{
	const struct bound_model *model = ascent->prices->model;
	uint32_t n = model->nr_tiers;
	double sum = 0, mean = 0;

	for (uint32_t i = 0; i < model->nr_pieces; i++) {
		const struct bound_piece *piece = &model->pieces[i];
		const int64_t *cost = &model->cost_ps[(size_t)i * n];
		int64_t least = cost[0], most = cost[0];
		double each;

		for (uint32_t k = 1; k < n; k++) {
			least = MIN(least, cost[k]);
			most = MAX(most, cost[k]);
		}
		each = (double)(most - least) / (piece->end - piece->begin);
		ascent->scale[piece->begin] += each;
		ascent->scale[piece->end] -= each;
	}
	for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
		sum = MAX(sum + ascent->scale[slot], 0);
		ascent->scale[slot] = sum / MAX(model->alive[slot], 1);
		mean += ascent->scale[slot] / model->nr_slots;
	}
	for (uint32_t slot = 0; slot < model->nr_slots; slot++)
		ascent->scale[slot] += mean / 2 + 1;
}

static int ascent_init(struct ascent *ascent, struct bound_prices *prices)
{
	const struct bound_model *model = prices->model;

	ascent->prices = prices;
	ascent->nr = (size_t)model->nr_slots * model->nr_tiers;
	ascent->scale = calloc((size_t)model->nr_slots + 1, sizeof(double));
	ascent->direction = calloc(ascent->nr + 1, sizeof(double));
	ascent->best_price_ps = malloc((ascent->nr + 1) * sizeof(int64_t));
	if (!ascent->scale || !ascent->direction || !ascent->best_price_ps)
		return -ENOMEM;
	find_scale(ascent);
	memcpy(ascent->best_price_ps, prices->price_ps, ascent->nr * sizeof(int64_t));
	return 0;
}

static void ascent_fini(struct ascent *ascent)
{
	free(ascent->scale);
	free(ascent->direction);
	free(ascent->best_price_ps);
}

/* The new direction; returns the scaled square of the gradient, 0 at an optimum. */
static double find_direction(struct ascent *ascent)
{
	const struct bound_prices *prices = ascent->prices;
	const struct bound_model *model = prices->model;
	uint32_t n = model->nr_tiers;
	double square = 0;

	for (uint32_t k = 0; k < n; k++) {
		double capacity = (double)model->capacity[k];

		if (!model->priced[k])
			continue;
		for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
			size_t i = (size_t)slot * n + k;
			double gradient = (double)prices->used[i] - capacity;

			if (prices->price_ps[i] == 0 && gradient < 0)
				gradient = 0; /* a price of 0 cannot fall */
			ascent->direction[i] = MEMORY * ascent->direction[i] + gradient;
			square += ascent->scale[slot] * gradient * gradient;
		}
	}
	return square;
}

static void take_step(struct ascent *ascent, double step)
{
	struct bound_prices *prices = ascent->prices;
	const struct bound_model *model = prices->model;
	uint32_t n = model->nr_tiers;
	const double most = (double)((int64_t)1 << 60) / model->nr_slots;

	for (uint32_t k = 0; k < n; k++) {
		if (!model->priced[k])
			continue;
		for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
			size_t i = (size_t)slot * n + k;
			double price = (double)prices->price_ps[i] +
				       step * ascent->scale[slot] * ascent->direction[i];

			prices->price_ps[i] = price <= 0 ? 0 : (int64_t)(MIN(price, most) + 0.5);
		}
	}
}

static void keep_best(struct ascent *ascent, int64_t lower)
{
	ascent->best_ps = lower;
	memcpy(ascent->best_price_ps, ascent->prices->price_ps, ascent->nr * sizeof(int64_t));
}

int bound_prices_ascend(struct bound_prices *prices, unsigned nr_rounds, int64_t target_ps,
			int64_t *ret_lower)
{
	struct ascent ascent = { 0 };
	unsigned idle = 0, patience = MAX(nr_rounds / 6, 4);
	double theta = 0.5;
	int error = ascent_init(&ascent, prices);

	ascent.best_ps = -1;
	for (unsigned round = 0; !error && round < nr_rounds; round++) {
		int64_t lower = bound_prices_evaluate(prices);
		double square;

		if (lower > ascent.best_ps) {
			keep_best(&ascent, lower);
			idle = 0;
		} else if (++idle >= patience) {
			theta /= 2;
			idle = 0;
		}
		square = find_direction(&ascent);
		if (square <= 0 || lower >= target_ps)
			break;
		take_step(&ascent, theta * (double)(target_ps - lower) / square);
	}
	if (!error) {
		memcpy(prices->price_ps, ascent.best_price_ps, ascent.nr * sizeof(int64_t));
		*ret_lower = bound_prices_evaluate(prices);
	}
	ascent_fini(&ascent);
	return error;
}
