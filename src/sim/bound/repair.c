/* SPDX-License-Identifier: MIT */
/*
 * From prices to a schedule that fits: the upper figure.
 *
 * Under the best prices most lives choose what they have in an optimum; those that are nearly
 * indifferent choose too alike and overfill some slots. So lives are seated one by one, those with
 * the most to lose first, each on its cheapest path that avoids full slots. Then every life is
 * lifted and seated again at falling prices, down to none: the last passes can only improve the
 * cost, and fill frames that a price kept free.
 *
 *     room[tier][slot]          frames left, less what its block adds
 *     block[tier][slot / 64]    add: to all 64; least: room of the fullest of them
 *
 * so that a life that covers a hundred thousand slots is seated in a few thousand steps.
 *
 * Where a tier can never be full every life always has a seat. Where all can (their sizes add up to
 * no more than what lives), lives are first seated in order of birth wherever a frame is free:
 * intervals never get stuck so, and a lifted life can always return to its seat.
 *
 * O(passes * (pieces * tiers^2 + slots that lives cover)) time at most, 4 bytes per
 * (slot, tier).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/bound/prices.h"

#define NEVER	    (INT64_MAX / 4)
#define BLOCK_SLOTS 64u

struct room_block {
	int32_t add, least;
};

struct seating {
	int64_t gain_ps;
	uint32_t life;
};

struct repair {
	const struct bound_prices *prices;
	const struct bound_model *model;
	uint32_t n;
	int64_t *sum_ps;	   /* [slot * n + tier]: prices of the slots before, of this pass */
	int32_t *room;		   /* [tier * nr_blocks * BLOCK_SLOTS + slot] */
	struct room_block *blocks; /* [tier * nr_blocks + slot / BLOCK_SLOTS] */
	size_t nr_blocks;
	uint8_t *tier_of; /* [piece] */
	uint8_t *choice;  /* scratch of one life */
	struct seating *order;
};

static struct room_block *block_at(const struct repair *repair, uint32_t tier, uint32_t slot)
{
	return &repair->blocks[tier * repair->nr_blocks + slot / BLOCK_SLOTS];
}

static int32_t *room_at(const struct repair *repair, uint32_t tier, uint32_t slot)
{
	return &repair->room[(size_t)tier * repair->nr_blocks * BLOCK_SLOTS + slot];
}

static bool is_full_within(const struct repair *repair, uint32_t tier, uint32_t begin, uint32_t end)
{
	for (uint32_t slot = begin; slot < end;) {
		const struct room_block *block = block_at(repair, tier, slot);
		uint32_t next = MIN((slot | (BLOCK_SLOTS - 1)) + 1, end);

		if (block->least + block->add <= 0) {
			if (next - slot == BLOCK_SLOTS)
				return true;
			for (uint32_t s = slot; s < next; s++)
				if (*room_at(repair, tier, s) + block->add <= 0)
					return true;
		}
		slot = next;
	}
	return false;
}

static void find_least(const struct repair *repair, uint32_t tier, uint32_t slot)
{
	const int32_t *room = room_at(repair, tier, slot & ~(BLOCK_SLOTS - 1));
	int32_t least = room[0];

	for (uint32_t i = 1; i < BLOCK_SLOTS; i++)
		least = MIN(least, room[i]);
	block_at(repair, tier, slot)->least = least;
}

static void occupy_range(struct repair *repair, uint32_t tier, uint32_t begin, uint32_t end,
			 int32_t change)
{
	for (uint32_t slot = begin; slot < end;) {
		struct room_block *block = block_at(repair, tier, slot);
		uint32_t next = MIN((slot | (BLOCK_SLOTS - 1)) + 1, end);

		if (next - slot == BLOCK_SLOTS) {
			block->add += change;
		} else {
			int32_t *room = room_at(repair, tier, slot);
			int32_t least = block->least;

			for (uint32_t i = 0; i < next - slot; i++) {
				room[i] += change;
				least = MIN(least, room[i]);
			}
			block->least = least;
			if (change > 0)
				find_least(repair, tier, slot);
		}
		slot = next;
	}
}

/* Neighbouring pieces in one tier are one stay. */
static void occupy(struct repair *repair, uint32_t life, int32_t change)
{
	const struct bound_model *model = repair->model;
	uint32_t end = model->first_piece[life + 1];

	for (uint32_t i = model->first_piece[life], next; i < end; i = next) {
		uint32_t tier = repair->tier_of[i];

		for (next = i + 1; next < end && repair->tier_of[next] == tier;)
			next++;
		if (model->priced[tier])
			occupy_range(repair, tier, model->pieces[i].begin,
				     model->pieces[next - 1].end, change);
	}
}

/* The cheapest path of a life that enters no full slot; false when there is none. */
static bool seat(struct repair *repair, uint32_t life)
{
	const struct bound_model *model = repair->model;
	const int64_t *move = (const int64_t *)model->problem->move_cost_ps;
	uint32_t n = repair->n, first = model->first_piece[life], best = n - 1;
	int64_t value[PLACEMENT_MAX_TIERS] = { 0 }, next[PLACEMENT_MAX_TIERS];
	uint8_t *choice = repair->choice;

	for (uint32_t i = first; i < model->first_piece[life + 1]; i++, choice += n) {
		uint32_t begin = model->pieces[i].begin, end = model->pieces[i].end;

		for (uint32_t k = 0; k < n; k++) {
			int64_t least = value[k];

			choice[k] = (uint8_t)k;
			for (uint32_t j = 0; i > first && j < n; j++) {
				if (value[j] + move[j * n + k] < least) {
					least = value[j] + move[j * n + k];
					choice[k] = (uint8_t)j;
				}
			}
			if (model->priced[k] && is_full_within(repair, k, begin, end))
				least = NEVER;
			next[k] = MIN(least + model->cost_ps[(size_t)i * n + k] +
					      repair->sum_ps[(size_t)end * n + k] -
					      repair->sum_ps[(size_t)begin * n + k],
				      NEVER);
		}
		memcpy(value, next, n * sizeof(value[0]));
	}
	for (uint32_t k = n; k-- > 0;)
		best = value[k] < value[best] ? k : best;
	if (value[best] >= NEVER)
		return false;
	for (uint32_t i = model->first_piece[life + 1], k = best; i-- > first;) {
		choice -= n;
		repair->tier_of[i] = (uint8_t)k;
		k = choice[k];
	}
	return true;
}

static int by_gain(const void *a, const void *b)
{
	const struct seating *left = a, *right = b;

	if (left->gain_ps != right->gain_ps)
		return left->gain_ps > right->gain_ps ? -1 : 1;
	return left->life < right->life ? -1 : left->life > right->life;
}

/* What a life loses, prices included, if it must stay in the tier that always has room. */
static void sort_by_gain(struct repair *repair, uint32_t refuge)
{
	const struct bound_model *model = repair->model;

	for (uint32_t life = 0; life < model->nr_lives; life++) {
		int64_t there = 0;

		for (uint32_t i = model->first_piece[life]; i < model->first_piece[life + 1]; i++)
			there += model->cost_ps[(size_t)i * repair->n + refuge];
		repair->order[life].life = life;
		repair->order[life].gain_ps = there - repair->prices->life_cost_ps[life];
	}
	qsort(repair->order, model->nr_lives, sizeof(*repair->order), by_gain);
}

/* All tiers tight: in order of birth, wherever a frame is free until then. */
static int seat_by_birth(struct repair *repair)
{
	const struct bound_model *model = repair->model;

	for (uint32_t life = 0; life < model->nr_lives; life++) {
		repair->order[life].life = life;
		repair->order[life].gain_ps = -(int64_t)model->problem->lives[life].first_slot;
	}
	qsort(repair->order, model->nr_lives, sizeof(*repair->order), by_gain);
	for (uint32_t at = 0; at < model->nr_lives; at++) {
		uint32_t life = repair->order[at].life, tier = 0;
		uint32_t first = model->first_piece[life], end = model->first_piece[life + 1];
		uint32_t begin = model->pieces[first].begin;

		/* Later births only come later, so a frame free at birth stays free. */
		while (tier < repair->n && model->priced[tier] &&
		       is_full_within(repair, tier, begin, begin + 1))
			tier++;
		if (tier == repair->n)
			return -EINVAL;
		memset(&repair->tier_of[first], (int)tier, end - first);
		occupy(repair, life, -1);
	}
	return 0;
}

static void scale_prices(struct repair *repair, unsigned quarters)
{
	const struct bound_model *model = repair->model;
	uint32_t n = repair->n;

	for (size_t i = 0; i < (size_t)model->nr_slots * n; i++)
		repair->sum_ps[i + n] = repair->sum_ps[i] +
					repair->prices->price_ps[i] / 4 * quarters;
}

static void seat_all(struct repair *repair, unsigned quarters, bool lift)
{
	scale_prices(repair, quarters);
	for (uint32_t at = 0; at < repair->model->nr_lives; at++) {
		uint32_t life = repair->order[at].life;

		if (lift)
			occupy(repair, life, 1);
		seat(repair, life);
		occupy(repair, life, -1);
	}
}

static int repair_init(struct repair *repair, const struct bound_prices *prices,
		       uint8_t *tier_of_piece)
{
	const struct bound_model *model = prices->model;
	size_t slots = (size_t)model->nr_slots + 1;

	repair->prices = prices;
	repair->model = model;
	repair->n = model->nr_tiers;
	repair->tier_of = tier_of_piece;
	repair->nr_blocks = slots / BLOCK_SLOTS + 1;
	repair->sum_ps = calloc(slots * repair->n, sizeof(int64_t));
	repair->room = calloc(repair->nr_blocks * BLOCK_SLOTS * repair->n, sizeof(int32_t));
	repair->blocks = calloc(repair->nr_blocks * repair->n, sizeof(*repair->blocks));
	repair->choice = malloc((size_t)model->max_pieces * repair->n + 1);
	repair->order = malloc(((size_t)model->nr_lives + 1) * sizeof(*repair->order));
	if (!repair->sum_ps || !repair->room || !repair->blocks || !repair->choice ||
	    !repair->order)
		return -ENOMEM;
	for (size_t i = 0; i < repair->nr_blocks * repair->n; i++)
		repair->blocks[i].add = (int32_t)model->capacity[i / repair->nr_blocks];
	return 0;
}

static void repair_fini(struct repair *repair)
{
	free(repair->sum_ps);
	free(repair->room);
	free(repair->blocks);
	free(repair->choice);
	free(repair->order);
}

int bound_repair(const struct bound_prices *prices, uint8_t *tier_of_piece, int64_t *ret_cost)
{
	struct repair repair = { 0 };
	uint32_t refuge = prices->model->nr_tiers;
	int error = repair_init(&repair, prices, tier_of_piece);

	while (!error && refuge > 0 && prices->model->priced[refuge - 1])
		refuge--;
	if (!error && refuge == 0)
		error = seat_by_birth(&repair);
	else if (!error)
		sort_by_gain(&repair, refuge - 1);
	if (!error) {
		seat_all(&repair, 4, refuge == 0);
		seat_all(&repair, 2, true);
		seat_all(&repair, 0, true);
		seat_all(&repair, 0, true);
		*ret_cost = bound_model_cost(prices->model, tier_of_piece);
	}
	repair_fini(&repair);
	return error;
}
