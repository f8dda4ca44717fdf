/* SPDX-License-Identifier: MIT */
/*
 * Folds a placement problem into pieces (the picture is in model.h).
 *
 * Two passes over the lives, the first counts pieces and the second writes them: O(uses + lives)
 * time, no memory beside the model itself.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/bound/model.h"

struct bound_model *bound_model_free(struct bound_model *model)
{
	if (!model)
		return NULL;
	free(model->tick_start);
	free(model->tick_of);
	free(model->alive);
	free(model->first_piece);
	free(model->pieces);
	free(model->cost_ps);
	free(model);
	return NULL;
}

static void find_ticks(struct bound_model *model, bool may_move)
{
	const uint8_t *movable = model->problem->movable;
	uint32_t nr = 0;

	for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
		if (slot == 0 || (may_move && movable[slot]))
			model->tick_start[nr++] = slot;
		model->tick_of[slot] = nr - 1;
	}
	model->tick_start[nr] = model->nr_slots;
	model->nr_ticks = nr;
}

static void count_alive(struct bound_model *model)
{
	const struct placement_problem *problem = model->problem;
	uint32_t alive = 0, *born = model->alive;

	/* Differences first, in modular arithmetic; the sums are what counts. */
	for (uint32_t i = 0; i < model->nr_lives; i++) {
		born[problem->lives[i].first_slot]++;
		born[problem->lives[i].last_slot + 1]--;
	}
	for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
		alive += born[slot];
		model->alive[slot] = alive;
		model->max_alive = MAX(model->max_alive, alive);
	}
}

void bound_model_set_capacity(struct bound_model *model, const uint64_t *capacity_pages)
{
	model->nr_priced = 0;
	for (uint32_t tier = 0; tier < model->nr_tiers; tier++) {
		model->capacity[tier] = MIN(capacity_pages[tier], model->max_alive);
		model->priced[tier] = model->capacity[tier] < model->max_alive;
		model->nr_priced += model->priced[tier];
	}
	model->is_folded = model->may_move && !model->is_dense && model->nr_tiers > 1 &&
			   (model->nr_tiers > 2 || model->nr_priced > 1);
}

/* Pieces of one life, in order; `write` false only counts them. */
struct cutting {
	struct bound_model *model;
	bool dense, write;
	uint32_t nr;
};

static void cut_piece(struct cutting *cutting, uint32_t begin, uint32_t end)
{
	if (cutting->write)
		cutting->model->pieces[cutting->nr] = (struct bound_piece){ begin, end };
	cutting->nr++;
}

static void cut_gap(struct cutting *cutting, uint32_t begin, uint32_t end)
{
	const struct bound_model *model = cutting->model;

	while (cutting->dense && begin < end) {
		uint32_t next = MIN(model->tick_start[model->tick_of[begin] + 1], end);

		cut_piece(cutting, begin, next);
		begin = next;
	}
	if (begin < end)
		cut_piece(cutting, begin, end);
}

static void add_use(struct cutting *cutting, const struct placement_use *use)
{
	struct bound_model *model = cutting->model;
	int64_t *cost = &model->cost_ps[(size_t)(cutting->nr - 1) * model->nr_tiers];

	for (uint32_t tier = 0; tier < model->nr_tiers; tier++)
		cost[tier] += (int64_t)placement_use_cost(model->problem, use, tier);
}

static void cut_life(struct cutting *cutting, const struct placement_life *life)
{
	const struct bound_model *model = cutting->model;
	const struct placement_use *uses = &model->problem->uses[life->first_use];
	uint32_t at = life->first_slot, end = life->last_slot + 1;

	for (uint32_t i = 0; i < life->nr_uses; i++) {
		uint32_t tick = model->tick_of[uses[i].slot];

		if (uses[i].slot >= at) {
			cut_gap(cutting, at, MAX(model->tick_start[tick], at));
			cut_piece(cutting, MAX(model->tick_start[tick], at),
				  MIN(model->tick_start[tick + 1], end));
			at = MIN(model->tick_start[tick + 1], end);
		}
		if (cutting->write)
			add_use(cutting, &uses[i]);
	}
	cut_gap(cutting, at, end);
}

static uint32_t cut_lives(struct bound_model *model, bool dense, bool write)
{
	struct cutting cutting = { .model = model, .dense = dense, .write = write };

	for (uint32_t i = 0; i < model->nr_lives; i++) {
		uint32_t before = cutting.nr;

		if (write)
			model->first_piece[i] = before;
		cut_life(&cutting, &model->problem->lives[i]);
		model->max_pieces = MAX(model->max_pieces, cutting.nr - before);
	}
	return cutting.nr;
}

uint64_t bound_model_dense_pieces(const struct bound_model *model)
{
	const struct placement_problem *problem = model->problem;
	uint64_t nr = 0;

	for (uint32_t i = 0; i < model->nr_lives; i++)
		nr += model->tick_of[problem->lives[i].last_slot] -
		      model->tick_of[problem->lives[i].first_slot] + 1;
	return nr;
}

static int new_pieces(struct bound_model *model, bool dense)
{
	uint64_t most = dense ? bound_model_dense_pieces(model)
			      : 2 * model->problem->nr_uses + model->nr_lives;

	if (most > UINT32_MAX / 2)
		return -E2BIG;
	model->nr_pieces = cut_lives(model, dense, false);
	model->pieces = malloc(((size_t)model->nr_pieces + 1) * sizeof(*model->pieces));
	model->cost_ps = calloc((size_t)model->nr_pieces * model->nr_tiers + 1, sizeof(int64_t));
	model->first_piece = malloc(((size_t)model->nr_lives + 1) * sizeof(uint32_t));
	if (!model->pieces || !model->cost_ps || !model->first_piece)
		return -ENOMEM;
	model->first_piece[model->nr_lives] = cut_lives(model, dense, true);
	return 0;
}

int bound_model_new(const struct placement_problem *problem, bool may_move, bool dense,
		    struct bound_model **ret)
{
	struct bound_model *model = calloc(1, sizeof(*model));
	size_t nr = (size_t)problem->nr_slots + 1;
	int error = -ENOMEM;

	if (!model)
		return -ENOMEM;
	model->problem = problem;
	model->nr_tiers = problem->nr_tiers;
	model->nr_slots = problem->nr_slots;
	model->nr_lives = (uint32_t)problem->nr_lives;
	model->may_move = may_move;
	model->is_dense = dense;
	model->tick_start = malloc(nr * sizeof(uint32_t));
	model->tick_of = malloc(nr * sizeof(uint32_t));
	model->alive = calloc(nr, sizeof(uint32_t));
	if (model->tick_start && model->tick_of && model->alive) {
		find_ticks(model, may_move);
		count_alive(model);
		bound_model_set_capacity(model, problem->capacity_pages);
		error = new_pieces(model, dense);
	}
	if (error) {
		bound_model_free(model);
		return error;
	}
	*ret = model;
	return 0;
}

static void put_steps(const struct bound_model *model, const uint8_t *tier_of_piece, uint32_t *next,
		      struct placement_step *steps)
{
	for (uint32_t life = 0; life < model->nr_lives; life++) {
		uint32_t first = model->first_piece[life];

		for (uint32_t i = first; i < model->first_piece[life + 1]; i++) {
			uint32_t slot = model->pieces[i].begin;

			if (i > first && tier_of_piece[i] == tier_of_piece[i - 1])
				continue;
			if (steps)
				steps[next[slot]] = (struct placement_step){ life, slot,
									     tier_of_piece[i] };
			next[slot]++;
		}
	}
}

int bound_model_steps(const struct bound_model *model, const uint8_t *tier_of_piece,
		      struct placement_step **ret_steps, uint64_t *ret_nr)
{
	uint32_t *next = calloc((size_t)model->nr_slots + 1, sizeof(*next));
	struct placement_step *steps;
	uint32_t nr = 0;

	if (!next)
		return -ENOMEM;
	put_steps(model, tier_of_piece, next, NULL); /* counting sort by slot */
	for (uint32_t slot = 0; slot < model->nr_slots; slot++) {
		uint32_t here = next[slot];

		next[slot] = nr;
		nr += here;
	}
	steps = malloc(((size_t)nr + 1) * sizeof(*steps));
	if (steps) {
		put_steps(model, tier_of_piece, next, steps);
		*ret_steps = steps;
		*ret_nr = nr;
	}
	free(next);
	return steps ? 0 : -ENOMEM;
}

int64_t bound_model_cost(const struct bound_model *model, const uint8_t *tier_of_piece)
{
	int64_t cost = 0;

	for (uint32_t life = 0; life < model->nr_lives; life++) {
		uint32_t first = model->first_piece[life];

		for (uint32_t i = first; i < model->first_piece[life + 1]; i++) {
			cost += model->cost_ps[(size_t)i * model->nr_tiers + tier_of_piece[i]];
			if (i > first)
				cost += bound_move_cost(model, tier_of_piece[i - 1],
							tier_of_piece[i]);
		}
	}
	return cost;
}
