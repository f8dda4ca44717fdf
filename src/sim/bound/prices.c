/* SPDX-License-Identifier: MIT */
/*
 * Lower figures by prices, for any number of tiers and any size.
 *
 * A frame of tier k in slot t is given a price p[k][t] >= 0 and the capacities are forgotten. Each
 * life then chooses alone, by a shortest path over (piece, tier):
 *
 *     piece        0          1          2
 *     fast     c00+price  c10+price  c20+price      between two columns: stay for 0,
 *     slow     c01        c11        c21            move for move_cost
 *
 *     lower figure = sum of shortest paths - sum over k, t of p[k][t] * capacity[k]
 *
 * It holds for any prices; good prices are found by a subgradient ascent: a price rises where more
 * pages chose a tier than fit, and falls where frames stay idle. Steps follow Polyak's rule, with a
 * direction that remembers the last one (Camerini, Fratta, Maffioli 1975) and a scale for each
 * slot, the mean of what its uses could gain, because slots differ much in length and traffic.
 *
 * For two tiers the best prices leave no gap (the constraint matrix of a flow is unimodular). With
 * three or more a gap may remain. The idea for caches: Berger, Beckmann, Harchol-Balter,
 * "Practical Bounds on Optimal Caching with Variable Object Sizes", 2018.
 *
 * All sums are whole picoseconds. Floating point only chooses the next prices, so that rounding can
 * never make a lower figure wrong. A round costs O(pieces * tiers^2 + slots * tiers).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/bound/prices.h"

struct bound_prices *bound_prices_free(struct bound_prices *prices)
{
	if (!prices)
		return NULL;
	free(prices->price_ps);
	free(prices->sum_ps);
	free(prices->used);
	free(prices->tier_of_piece);
	free(prices->choice);
	free(prices->life_cost_ps);
	free(prices);
	return NULL;
}

int bound_prices_new(const struct bound_model *model, struct bound_prices **ret)
{
	struct bound_prices *prices = calloc(1, sizeof(*prices));
	size_t nr = ((size_t)model->nr_slots + 1) * model->nr_tiers;

	if (!prices)
		return -ENOMEM;
	prices->model = model;
	prices->price_ps = calloc(nr, sizeof(int64_t));
	prices->sum_ps = calloc(nr, sizeof(int64_t));
	prices->used = calloc(nr, sizeof(uint32_t));
	prices->tier_of_piece = calloc((size_t)model->nr_pieces + 1, 1);
	prices->choice = calloc((size_t)model->max_pieces * model->nr_tiers + 1, 1);
	prices->life_cost_ps = calloc((size_t)model->nr_lives + 1, sizeof(int64_t));
	if (!prices->price_ps || !prices->sum_ps || !prices->used || !prices->tier_of_piece ||
	    !prices->choice || !prices->life_cost_ps) {
		bound_prices_free(prices);
		return -ENOMEM;
	}
	*ret = prices;
	return 0;
}

/* The cheapest path of one life. `n` is a constant in each caller, so that loops unroll. */
static inline __attribute__((always_inline)) int64_t
choose_life(struct bound_prices *prices, uint32_t first, uint32_t end, uint32_t n)
{
	const struct bound_model *model = prices->model;
	const int64_t *move = (const int64_t *)model->problem->move_cost_ps;
	uint8_t *choice = prices->choice;
	int64_t value[PLACEMENT_MAX_TIERS], next[PLACEMENT_MAX_TIERS];
	uint32_t best = 0;

	memset(value, 0, sizeof(value));
	for (uint32_t i = first; i < end; i++, choice += n) {
		const int64_t *from = &prices->sum_ps[(size_t)model->pieces[i].begin * n];
		const int64_t *to = &prices->sum_ps[(size_t)model->pieces[i].end * n];
		const int64_t *cost = &model->cost_ps[(size_t)i * n];

		for (uint32_t k = 0; k < n; k++) {
			int64_t least = value[k];

			choice[k] = (uint8_t)k;
			for (uint32_t j = 0; i > first && j < n; j++) {
				if (value[j] + move[j * n + k] < least) {
					least = value[j] + move[j * n + k];
					choice[k] = (uint8_t)j;
				}
			}
			next[k] = least + cost[k] + to[k] - from[k];
		}
		memcpy(value, next, n * sizeof(value[0]));
	}
	for (uint32_t k = 1; k < n; k++) /* on a tie the slower tier, which is rarely scarce */
		best = value[k] <= value[best] ? k : best;
	for (uint32_t i = end, k = best; i-- > first;) {
		const struct bound_piece *piece = &model->pieces[i];

		choice -= n;
		prices->tier_of_piece[i] = (uint8_t)k;
		prices->used[(size_t)piece->begin * n + k]++;
		prices->used[(size_t)piece->end * n + k]--;
		k = choice[k];
	}
	return value[best];
}

static int64_t choose_one(struct bound_prices *prices, uint32_t first, uint32_t end)
{
	switch (prices->model->nr_tiers) {
	case 2:
		return choose_life(prices, first, end, 2);
	case 3:
		return choose_life(prices, first, end, 3);
	default:
		return choose_life(prices, first, end, prices->model->nr_tiers);
	}
}

/* Prefix sums of prices; returns the price of all frames that are there. */
static __int128 sum_prices(struct bound_prices *prices)
{
	const struct bound_model *model = prices->model;
	uint32_t n = model->nr_tiers;
	__int128 total = 0;

	for (size_t i = 0; i < (size_t)model->nr_slots * n; i++)
		prices->sum_ps[i + n] = prices->sum_ps[i] + prices->price_ps[i];
	for (uint32_t k = 0; k < n; k++)
		total += (__int128)prices->sum_ps[(size_t)model->nr_slots * n + k] *
			 (__int128)model->capacity[k];
	return total;
}

static int64_t lower_figure(__int128 sum)
{
	return sum < 0 ? 0 : (int64_t)sum; /* costs are never below 0 */
}

int64_t bound_prices_evaluate(struct bound_prices *prices)
{
	const struct bound_model *model = prices->model;
	uint32_t n = model->nr_tiers;
	size_t nr = (size_t)model->nr_slots * n;
	__int128 sum = -sum_prices(prices);

	memset(prices->used, 0, (nr + n) * sizeof(*prices->used));
	for (uint32_t life = 0; life < model->nr_lives; life++) {
		prices->life_cost_ps[life] = choose_one(prices, model->first_piece[life],
							model->first_piece[life + 1]);
		sum += prices->life_cost_ps[life];
	}
	for (size_t i = n; i < nr; i++)
		prices->used[i] += prices->used[i - n];
	return lower_figure(sum);
}

/*
 * Folded models: the exact lower figure.
 *
 * A stretch of ticks without uses is a product of (tier x tier) matrices over (min, +), one for
 * each tick: move at its start, then stay for its price. A binary tree over ticks keeps products of
 * aligned runs, so that any stretch is O(log ticks) of them.
 */
struct tick_tree {
	const struct bound_prices *prices;
	uint32_t n, nr_leaves;
	int64_t *node; /* [(heap index) * n * n]; leaves start at nr_leaves */
};

#define TREE_NEVER (INT64_MAX / 4)

static void tree_join(int64_t *product, const int64_t *left, const int64_t *right, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j < n; j++) {
			int64_t least = TREE_NEVER;

			for (uint32_t k = 0; k < n; k++)
				least = MIN(least, left[i * n + k] + right[k * n + j]);
			product[i * n + j] = least;
		}
	}
}

static int tree_build(struct tick_tree *tree)
{
	const struct bound_prices *prices = tree->prices;
	const struct bound_model *model = prices->model;
	uint32_t n = tree->n, size = n * n;

	tree->nr_leaves = 1;
	while (tree->nr_leaves < model->nr_ticks)
		tree->nr_leaves *= 2;
	tree->node = malloc(2 * (size_t)tree->nr_leaves * size * sizeof(*tree->node));
	if (!tree->node)
		return -ENOMEM;
	for (uint32_t tick = 0; tick < tree->nr_leaves; tick++) {
		int64_t *leaf = &tree->node[((size_t)tree->nr_leaves + tick) * size];
		uint32_t at = MIN(tick, model->nr_ticks - 1);
		const int64_t *from = &prices->sum_ps[(size_t)model->tick_start[at] * n];
		const int64_t *to = &prices->sum_ps[(size_t)model->tick_start[at + 1] * n];

		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
				leaf[i * n + j] = bound_move_cost(model, i, j) + to[j] - from[j];
	}
	for (uint32_t i = tree->nr_leaves; i-- > 1;)
		tree_join(&tree->node[(size_t)i * size], &tree->node[2 * (size_t)i * size],
			  &tree->node[(2 * (size_t)i + 1) * size], n);
	return 0;
}

static void tree_step(const struct tick_tree *tree, uint32_t node, int64_t *value)
{
	const int64_t *matrix = &tree->node[(size_t)node * tree->n * tree->n];
	int64_t next[PLACEMENT_MAX_TIERS] = { 0 };

	for (uint32_t j = 0; j < tree->n; j++) {
		next[j] = TREE_NEVER;
		for (uint32_t i = 0; i < tree->n; i++)
			next[j] = MIN(next[j], value[i] + matrix[i * tree->n + j]);
	}
	memcpy(value, next, tree->n * sizeof(*value));
}

/* value times the ticks [from, to), largest aligned runs first come, first served. */
static void tree_stretch(const struct tick_tree *tree, uint32_t from, uint32_t to, int64_t *value)
{
	while (from < to) {
		uint32_t run = 1, node = tree->nr_leaves + from;

		while (from % (2 * run) == 0 && from + 2 * run <= to) {
			run *= 2;
			node /= 2;
		}
		tree_step(tree, node, value);
		from += run;
	}
}

static void move_freely(const struct bound_model *model, int64_t *value)
{
	int64_t next[PLACEMENT_MAX_TIERS] = { 0 };

	for (uint32_t j = 0; j < model->nr_tiers; j++) {
		next[j] = value[j];
		for (uint32_t i = 0; i < model->nr_tiers; i++)
			next[j] = MIN(next[j], value[i] + bound_move_cost(model, i, j));
	}
	memcpy(value, next, model->nr_tiers * sizeof(*value));
}

static void stay(const struct tick_tree *tree, uint32_t begin, uint32_t end, const int64_t *cost,
		 int64_t *value)
{
	const int64_t *sum = tree->prices->sum_ps;

	for (uint32_t k = 0; k < tree->n; k++)
		value[k] += (cost ? cost[k] : 0) + sum[(size_t)end * tree->n + k] -
			    sum[(size_t)begin * tree->n + k];
}

/* One piece: a piece within one tick is stayed in; a gap of several ticks is a stretch, of which
 * the first and last tick may be cut by birth and death. */
static void pass_piece(const struct tick_tree *tree, uint32_t index, bool is_first, int64_t *value)
{
	const struct bound_model *model = tree->prices->model;
	uint32_t begin = model->pieces[index].begin, end = model->pieces[index].end;
	uint32_t tick = model->tick_of[begin], last = model->tick_of[end - 1];
	const int64_t *cost = &model->cost_ps[(size_t)index * tree->n];

	if (!is_first)
		move_freely(model, value);
	if (tick == last) {
		stay(tree, begin, end, cost, value);
		return;
	}
	stay(tree, begin, model->tick_start[tick + 1], NULL, value);
	tree_stretch(tree, tick + 1, last, value);
	move_freely(model, value);
	stay(tree, model->tick_start[last], end, NULL, value);
}

int bound_prices_lower(struct bound_prices *prices, int64_t *ret_lower)
{
	const struct bound_model *model = prices->model;
	struct tick_tree tree = { .prices = prices, .n = model->nr_tiers };
	__int128 sum = -sum_prices(prices);
	int error = tree_build(&tree);

	if (error)
		return error;
	for (uint32_t life = 0; life < model->nr_lives; life++) {
		int64_t value[PLACEMENT_MAX_TIERS] = { 0 }, least;
		uint32_t first = model->first_piece[life];

		for (uint32_t i = first; i < model->first_piece[life + 1]; i++)
			pass_piece(&tree, i, i == first, value);
		least = value[0];
		for (uint32_t k = 1; k < tree.n; k++)
			least = MIN(least, value[k]);
		sum += least;
	}
	free(tree.node);
	*ret_lower = lower_figure(sum);
	return 0;
}
