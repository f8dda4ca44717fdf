/* SPDX-License-Identifier: MIT */
/*
 * What the solvers work on: a placement problem with time folded to where something can change.
 *
 * Slots that follow one another without a move allowed between them form one tick. A life is cut
 * into pieces: each tick with uses is one piece, each stretch of ticks without uses between them is
 * one gap piece. A page may change tier between two pieces and nowhere else:
 *
 *     ticks     |    0    |    1    |    2    |    3    |    4    |
 *     life          born . . use . . . . . . . . . . . . use . died
 *     pieces        [gap ][  use   ][       gap         ][ use  ]
 *
 * When at most one of two tiers can be full (the usual machine: the slow tier holds everything)
 * that loses nothing: a move inside a gap can slide to one of its ends without paying more. When
 * it could lose something (three tiers, or two that are both tight) the model is `is_folded`; it
 * may be made `dense` instead (a piece for each tick), and lower figures of a folded model are
 * computed by prices.c with moves allowed at every tick.
 *
 * 8 bytes per piece and 8 per (piece, tier), at most 2 pieces per use plus 1 per life unless dense.
 */
#ifndef BERTH_SIM_BOUND_MODEL_H
#define BERTH_SIM_BOUND_MODEL_H

#include "sim/bound/problem.h"

struct bound_piece {
	uint32_t begin, end; /* slots; end is exclusive */
};

struct bound_model {
	const struct placement_problem *problem;
	uint32_t nr_tiers, nr_slots, nr_ticks;
	uint32_t nr_lives;
	uint32_t *tick_start; /* [nr_ticks + 1]; the last is nr_slots */
	uint32_t *tick_of;    /* [nr_slots] */
	uint32_t *alive;      /* [nr_slots]: pages that live */
	uint32_t max_alive;
	uint32_t *first_piece; /* [nr_lives + 1] */
	struct bound_piece *pieces;
	int64_t *cost_ps;		/* [piece * nr_tiers + tier] */
	uint32_t nr_pieces, max_pieces; /* in all; in one life */
	uint64_t capacity[PLACEMENT_MAX_TIERS];
	bool priced[PLACEMENT_MAX_TIERS]; /* the tier can be full: it needs prices */
	uint32_t nr_priced;
	bool may_move, is_dense, is_folded;
};

/* may_move: false leaves one tick, so that every life is one piece. */
int bound_model_new(const struct placement_problem *problem, bool may_move, bool dense,
		    struct bound_model **ret);
struct bound_model *bound_model_free(struct bound_model *model);
/* Other capacities for the same lives; the shape (dense or not) stays. */
void bound_model_set_capacity(struct bound_model *model, const uint64_t *capacity_pages);
/* How many pieces a dense model would have. */
uint64_t bound_model_dense_pieces(const struct bound_model *model);

/* Schedules inside the solvers: the tier of each piece. */
int bound_model_steps(const struct bound_model *model, const uint8_t *tier_of_piece,
		      struct placement_step **ret_steps, uint64_t *ret_nr);
/* Its cost, by the model's arithmetic; says nothing about capacities. */
int64_t bound_model_cost(const struct bound_model *model, const uint8_t *tier_of_piece);

static inline int64_t bound_move_cost(const struct bound_model *model, uint32_t from, uint32_t to)
{
	return (int64_t)model->problem->move_cost_ps[from * model->nr_tiers + to];
}

#endif
