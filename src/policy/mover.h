/* SPDX-License-Identifier: MIT */
/*
 * The contract of a mover: something that moves pages (move_pages, process_madvise, DAMOS migrate,
 * node reclaim in life; the model's migration in a simulation).
 *
 * The status of a kernel call is not the truth: a mover reads back where the pages are and reports
 * that. All callbacks run on the engine's thread.
 */
#ifndef BERTH_POLICY_MOVER_H
#define BERTH_POLICY_MOVER_H

#include "base/printbuf.h"
#include "policy/plan.h"

enum move_outcome {
	MOVE_DONE,	     /* all pages are on `to` */
	MOVE_REFUSED_FULL,   /* no room on `to` */
	MOVE_REFUSED_GONE,   /* no such page any more: unmapped, or the process ended */
	MOVE_REFUSED_BUSY,   /* pinned, shared, locked or dirty: try later */
	MOVE_REFUSED_DENIED, /* not permitted, or the node is not allowed for this job */
	MOVE_REFUSED_THERE,  /* it was on `to` already */
	MOVE_REFUSED_BUDGET, /* the engine cut it: never submitted */
	MOVE_UNKNOWN,	     /* could not be read back */
	MOVE_NR_OUTCOMES,
};
extern const char *const move_outcome_names[]; /* "done", "full", ...; NULL-terminated */

struct move_result { /* of one move, or of a part of its range */
	uint64_t page, nr_pages;
	uint32_t space;
	uint32_t from;	 /* where it was, PLAN_NODE_ANY when not known */
	uint32_t to;	 /* where it was to go */
	uint32_t node;	 /* where it is now, PLAN_NODE_ANY when not known */
	uint8_t outcome; /* enum move_outcome, the same for every page of this part */
};

struct mover_ops {
	const char *name;
	const char *summary;

	/* As sampler_ops.probe. */
	int (*probe)(void *world, struct printbuf *err);

	/* Takes moves in order. Returns how many of `nr` it took (the rest is offered again at the
	 * next tick or forgotten), or negative errno. The array is the caller's: copy what is
	 * needed later. WHEN: at most once per tick, after decide. */
	int (*submit)(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns);

	/* Hands over what has finished since last asked, at most `max`; every submitted page is
	 * reported exactly once. Returns how many, 0 for none now, or negative errno.
	 * WHEN: every tick, before decide and after submit, until it returns 0. */
	int (*complete)(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns);
};

#endif
