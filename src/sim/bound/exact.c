/* SPDX-License-Identifier: MIT */
/*
 * Two tiers: the optimum is a min-cost flow of frames through time.
 *
 * One unit of flow is one frame of the scarce tier. At every moment it is either in the pool or
 * holds a page:
 *
 *     pool     P0 ------> P1 ------> P2 ------> P3 ------> P4      cost 0, capacity: all frames
 *               \          ^ \        ^         ^
 *           born \ 0   down|  \ up    |down    / died 0
 *                 \        |   v      |       /
 *     one life     +-----> N1 -----> N2 ----->                     cost: fast less slow, capacity 1
 *                   piece 0   piece 1   piece 2
 *
 * Capacities are whole, so an optimal flow is whole, and is a schedule. Where the other tier may
 * fill up too, the pool's arcs carry at most the frames that may stay empty.
 *
 * The start is warm: prices per slot are potentials of the pool, and for a life's node the
 * potential is the pool's plus x, what being in the scarce tier is worth less than being in the
 * other (from a walk along its pieces, x clamped between -down and up where moves are allowed).
 * With these every arc of every life agrees with what the life chose, and only pool nodes where
 * choices and frames differ are out of balance.
 *
 * At most 3 arcs per piece. Facts: simulation.md section 7 of the design notes: checked there on
 * 400 random instances; here by brute force (tests/unit/test_optimal.c).
 */
#include <stdlib.h>

#include "sim/bound/exact.h"
#include "sim/bound/flow.h"

struct exact {
	struct bound_prices *prices;
	const struct bound_model *model;
	uint32_t scarce, other;
	bool is_tight;	    /* the other tier can be full too */
	uint32_t *pool_of;  /* [slot boundary]: its pool node */
	uint32_t *boundary; /* [pool node]: its slot boundary */
	uint32_t nr_pool, nr_nodes, nr_arcs;
	struct flow_arc *arcs;
	uint32_t *arc_of_piece; /* NO_ARC: the life is not in the graph */
	int64_t *potential, *supply;
	int64_t *before; /* scratch of one life: x at the end of each piece, before the move */
	int64_t up, down;
};

#define NO_ARC UINT32_MAX
#define MANY   ((uint32_t)1 << 31) /* more than all frames: an arc that is never full */

static bool is_gap(const struct bound_model *model, uint32_t piece)
{
	const int64_t *cost = &model->cost_ps[2 * (size_t)piece];

	return cost[0] == 0 && cost[1] == 0;
}

/* A move into the scarce tier waits until a gap has passed, one out of it never waits; unless
 * the other tier may be full. */
static bool may_promote(const struct exact *exact, uint32_t piece)
{
	return exact->is_tight || !is_gap(exact->model, piece);
}

static bool may_demote(const struct exact *exact, uint32_t piece)
{
	return exact->is_tight || !is_gap(exact->model, piece - 1);
}

static int64_t piece_gain(const struct exact *exact, uint32_t piece)
{
	const int64_t *cost = &exact->model->cost_ps[2 * (size_t)piece];

	return cost[exact->scarce] - cost[exact->other];
}

/* A life that is nowhere cheaper in the scarce tier never enters it. */
static bool life_matters(const struct exact *exact, uint32_t life)
{
	const struct bound_model *model = exact->model;

	for (uint32_t i = model->first_piece[life]; i < model->first_piece[life + 1]; i++)
		if (exact->is_tight || piece_gain(exact, i) < 0)
			return true;
	return false;
}

static bool model_is_flow(const struct bound_model *model)
{
	return model->nr_tiers == 2 && model->nr_priced > 0 && !model->is_folded;
}

uint64_t bound_exact_arcs(const struct bound_model *model)
{
	return model_is_flow(model) ? 3 * (uint64_t)model->nr_pieces + model->nr_slots : 0;
}

static int64_t pool_price(const struct exact *exact, uint32_t boundary)
{
	const int64_t *sum = &exact->prices->sum_ps[2 * (size_t)boundary];

	return sum[exact->scarce] - sum[exact->other];
}

static void number_pool(struct exact *exact)
{
	const struct bound_model *model = exact->model;

	for (uint32_t life = 0; life < model->nr_lives; life++) {
		if (!life_matters(exact, life))
			continue;
		for (uint32_t i = model->first_piece[life]; i < model->first_piece[life + 1]; i++)
			exact->pool_of[model->pieces[i].begin] =
				exact->pool_of[model->pieces[i].end] = 1;
	}
	exact->pool_of[0] = exact->pool_of[model->nr_slots] = 1;
	for (uint32_t b = 0; b <= model->nr_slots; b++) {
		if (!exact->pool_of[b])
			continue;
		exact->pool_of[b] = exact->nr_pool;
		exact->boundary[exact->nr_pool] = b;
		exact->potential[exact->nr_pool++] = -pool_price(exact, b);
	}
	exact->nr_nodes = exact->nr_pool;
}

static void add_arc(struct exact *exact, uint32_t from, uint32_t to, int64_t cost, bool full)
{
	exact->arcs[exact->nr_arcs++] = (struct flow_arc){ from, to, 1, full, cost };
}

/* x at the end of each piece, before a move; returns whether the life ends in the scarce tier. */
static bool walk_life(struct exact *exact, uint32_t first, uint32_t end)
{
	const struct bound_model *model = exact->model;
	int64_t x = 0;

	for (uint32_t i = first; i < end; i++) {
		if (i > first && may_promote(exact, i))
			x = MIN(x, exact->up);
		if (i > first && may_demote(exact, i))
			x = MAX(x, -exact->down);
		x += piece_gain(exact, i) + pool_price(exact, model->pieces[i].end) -
		     pool_price(exact, model->pieces[i].begin);
		exact->before[i - first] = x;
	}
	return x < 0;
}

/* From the last piece back: the node before piece i, its moves, and the arc of the piece. */
static void add_life(struct exact *exact, uint32_t life)
{
	const struct bound_model *model = exact->model;
	uint32_t first = model->first_piece[life], end = model->first_piece[life + 1];
	uint32_t next = exact->pool_of[model->pieces[end - 1].end];
	bool inside = walk_life(exact, first, end);

	for (uint32_t i = end; i-- > first;) {
		uint32_t pool = exact->pool_of[model->pieces[i].begin], node = pool;
		bool promote = i > first && may_promote(exact, i);
		bool demote = i > first && may_demote(exact, i), was_inside = inside;
		int64_t x = i > first ? exact->before[i - 1 - first] : 0;

		if (i > first) {
			node = exact->nr_nodes++;
			if (promote && x > exact->up) {
				was_inside = false;
				x = exact->up;
			} else if (demote && x < -exact->down) {
				was_inside = true;
				x = -exact->down;
			}
			exact->potential[node] = exact->potential[pool] + x;
		}
		exact->arc_of_piece[i] = exact->nr_arcs;
		add_arc(exact, node, next, piece_gain(exact, i), inside);
		if (promote)
			add_arc(exact, pool, node, exact->up, inside && !was_inside);
		if (demote)
			add_arc(exact, node, pool, exact->down, !inside && was_inside);
		inside = was_inside;
		next = node;
	}
}

/* How many frames may stay empty in the slots [begin, end). */
static uint32_t pool_room(const struct exact *exact, uint32_t begin, uint32_t end)
{
	const struct bound_model *model = exact->model;
	uint32_t frames = (uint32_t)model->capacity[exact->scarce], most = 0;
	uint32_t elsewhere = (uint32_t)model->capacity[exact->other];

	if (!exact->is_tight)
		return MANY;
	for (uint32_t slot = begin; slot < end; slot++)
		most = MAX(most, model->alive[slot]);
	return most > elsewhere ? frames - MIN(frames, most - elsewhere) : MANY;
}

static void add_pool(struct exact *exact)
{
	const struct bound_model *model = exact->model;
	int64_t frames = (int64_t)model->capacity[exact->scarce], held = 0;
	int64_t *change = exact->supply; /* pages that enter or leave the scarce tier, for now */

	for (uint32_t i = 0; i < exact->nr_arcs; i++) {
		const struct flow_arc *arc = &exact->arcs[i];

		if (arc->flow && arc->from < exact->nr_pool)
			change[arc->from]++;
		if (arc->flow && arc->to < exact->nr_pool)
			change[arc->to]--;
	}
	for (uint32_t p = 0; p + 1 < exact->nr_pool; p++) {
		uint32_t room = pool_room(exact, exact->boundary[p], exact->boundary[p + 1]);

		held += change[p];
		change[p] = 0;
		exact->arcs[exact->nr_arcs++] = (struct flow_arc){
			p, p + 1, room, (uint32_t)MIN(MAX(frames - held, 0), (int64_t)room), 0
		};
	}
	change[exact->nr_pool - 1] = 0;
	exact->supply[0] += frames;
	exact->supply[exact->nr_pool - 1] -= frames;
}

static void take_prices(struct exact *exact)
{
	const struct bound_model *model = exact->model;
	int64_t *price = exact->prices->price_ps;

	for (size_t i = 0; i < 2 * (size_t)model->nr_slots; i++)
		price[i] = 0;
	for (uint32_t p = 0; p + 1 < exact->nr_pool; p++) {
		int64_t drop = exact->potential[p] - exact->potential[p + 1];
		int64_t *here = &price[2 * (size_t)exact->boundary[p]];

		here[exact->scarce] = MAX(drop, 0);
		if (exact->is_tight)
			here[exact->other] = MAX(-drop, 0);
	}
}

static void take_tiers(const struct exact *exact, uint8_t *tier_of_piece)
{
	for (uint32_t i = 0; i < exact->model->nr_pieces; i++) {
		uint32_t arc = exact->arc_of_piece[i];
		bool inside = arc != NO_ARC && exact->arcs[arc].flow;

		tier_of_piece[i] = (uint8_t)(inside ? exact->scarce : exact->other);
	}
}

static int exact_init(struct exact *exact, struct bound_prices *prices)
{
	const struct bound_model *model = prices->model;
	size_t slots = (size_t)model->nr_slots + 1, pieces = (size_t)model->nr_pieces;

	exact->prices = prices;
	exact->model = model;
	exact->is_tight = model->nr_priced > 1;
	exact->scarce = model->priced[0] ? 0 : 1;
	exact->other = 1 - exact->scarce;
	exact->up = bound_move_cost(model, exact->other, exact->scarce);
	exact->down = bound_move_cost(model, exact->scarce, exact->other);
	exact->pool_of = calloc(slots, sizeof(uint32_t));
	exact->boundary = malloc(slots * sizeof(uint32_t));
	exact->arcs = malloc((3 * pieces + slots) * sizeof(*exact->arcs));
	exact->arc_of_piece = malloc((pieces + 1) * sizeof(uint32_t));
	exact->potential = malloc((pieces + slots) * sizeof(int64_t));
	exact->supply = calloc(pieces + slots, sizeof(int64_t));
	exact->before = malloc(((size_t)model->max_pieces + 1) * sizeof(int64_t));
	if (!exact->pool_of || !exact->boundary || !exact->arcs || !exact->arc_of_piece ||
	    !exact->potential || !exact->supply || !exact->before)
		return -ENOMEM;
	for (size_t i = 0; i < pieces; i++)
		exact->arc_of_piece[i] = NO_ARC;
	return 0;
}

static void exact_fini(struct exact *exact)
{
	free(exact->pool_of);
	free(exact->boundary);
	free(exact->arcs);
	free(exact->arc_of_piece);
	free(exact->potential);
	free(exact->supply);
	free(exact->before);
}

int bound_exact(struct bound_prices *prices, uint64_t work_limit, uint8_t *tier_of_piece)
{
	struct exact exact = { 0 };
	uint64_t work = 0;
	int error = model_is_flow(prices->model) ? exact_init(&exact, prices) : -EINVAL;

	if (!error) {
		number_pool(&exact);
		for (uint32_t life = 0; life < prices->model->nr_lives; life++)
			if (life_matters(&exact, life))
				add_life(&exact, life);
		add_pool(&exact);
		error = flow_solve(exact.nr_nodes, exact.arcs, exact.nr_arcs, exact.supply,
				   exact.potential, work_limit, &work);
	}
	if (!error || error == -ETIME) {
		take_prices(&exact);
		bound_prices_evaluate(prices);
	}
	if (!error)
		take_tiers(&exact, tier_of_piece);
	exact_fini(&exact);
	return error;
}
