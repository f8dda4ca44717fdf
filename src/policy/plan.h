/* SPDX-License-Identifier: MIT */
/*
 * A plan: the moves a policy asks for, most wanted first.
 *
 * The engine may cut a plan (drop moves, shorten a range) but never extend it or change its order,
 * target or reason: what is done is always a part of what the policy asked for.
 *
 * The plan is the engine's; a policy fills it during decide() through plan_add() only.
 */
#ifndef BERTH_POLICY_PLAN_H
#define BERTH_POLICY_PLAN_H

#include "base/types.h"

#define PLAN_MOVES_MAX 65536 /* in one plan; a policy sees no more room and asks again later */
#define PLAN_NODE_ANY  UINT32_MAX

/* What is asked for. Policies ask for moves; the others are asked of the kernel beside them, by
 * whoever runs the engine in life (linux/advice.h), with `to` where the pages are. */
enum plan_kind {
	PLAN_MOVE,
	PLAN_COLD,     /* the first to go when the kernel reclaims */
	PLAN_PAGEOUT,  /* out of memory, to swap or to their file */
	PLAN_COLLAPSE, /* into one huge page */
	PLAN_RECLAIM,  /* so many pages of the node `from`, whichever the kernel takes */
	PLAN_NR_KINDS,
};

struct plan_move {
	uint64_t page, nr_pages;
	const char *why; /* static text: "touched twice", "idle" */
	uint32_t space;
	uint32_t from; /* node index as the policy believes, PLAN_NODE_ANY when it does not know */
	uint32_t to;   /* node index */
	/* A mover moves folios whole: naming one page of a large folio moves all of it. Set: the
	 * range leaves its large folio first, which is split for it. */
	bool is_split;
	/* The range is folios, or blocks that belong together, of this order: the engine cuts it
	 * between them only, counted from its first page. 0: pages. */
	uint8_t order;
	/* A cap asks for it: a mover does it before what only gains, and as fast as it can. */
	bool is_claimed;
	bool is_due;  /* for a floor or a cap, whatever its pages are worth */
	uint8_t kind; /* enum plan_kind */
};

struct plan {
	struct plan_move *moves;
	uint32_t nr, max;
};

int plan_init(struct plan *plan, uint32_t max);
void plan_fini(struct plan *plan);
/* 0; -ENOSPC when the plan is full; -EINVAL for an empty range or one past the last page. */
int plan_add(struct plan *plan, const struct plan_move *move);
/* Keeps the first `nr` moves. */
void plan_cut(struct plan *plan, uint32_t nr);
uint64_t plan_nr_pages(const struct plan *plan);
bool plan_is_valid(const struct plan *plan);

#endif
