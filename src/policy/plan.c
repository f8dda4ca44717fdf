/* SPDX-License-Identifier: MIT */
/* Plans: a bounded list of moves that can only be added to by a policy and cut by the engine. */
#include "policy/plan.h"

#include <stdlib.h>

#include "policy/mover.h"

const char *const move_outcome_names[] = { "done",  "full",   "gone",	 "busy", "denied",
					   "there", "budget", "unknown", NULL };

int plan_init(struct plan *plan, uint32_t max)
{
	struct plan_move *moves = calloc(max ? max : 1, sizeof(*moves));
	if (!moves)
		return -ENOMEM;
	*plan = (struct plan){ .moves = moves, .max = max };
	return 0;
}

void plan_fini(struct plan *plan)
{
	free(plan->moves);
	*plan = (struct plan){ 0 };
}

static bool move_is_valid(const struct plan_move *move)
{
	return move->nr_pages > 0 && move->page <= UINT64_MAX - (move->nr_pages - 1) &&
	       move->to != PLAN_NODE_ANY && move->why;
}

int plan_add(struct plan *plan, const struct plan_move *move)
{
	if (!move_is_valid(move))
		return -EINVAL;
	if (plan->nr == plan->max)
		return -ENOSPC;
	plan->moves[plan->nr++] = *move;
	return 0;
}

void plan_cut(struct plan *plan, uint32_t nr)
{
	plan->nr = MIN(plan->nr, nr);
}

uint64_t plan_nr_pages(const struct plan *plan)
{
	uint64_t nr = 0;
	for (uint32_t i = 0; i < plan->nr; i++)
		if (__builtin_add_overflow(nr, plan->moves[i].nr_pages, &nr))
			return UINT64_MAX;
	return nr;
}

bool plan_is_valid(const struct plan *plan)
{
	if (plan->nr > plan->max || !plan->moves)
		return false;
	for (uint32_t i = 0; i < plan->nr; i++)
		if (!move_is_valid(&plan->moves[i]))
			return false;
	return true;
}
