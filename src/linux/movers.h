/* SPDX-License-Identifier: MIT */
/*
 * The movers of real memory, best first. The world of probe is a struct live; a mover is made for
 * such a world and outlived by it.
 */
#ifndef BERTH_LINUX_MOVERS_H
#define BERTH_LINUX_MOVERS_H

#include "base/json.h"
#include "linux/live.h"
#include "linux/unmovable.h"
#include "policy/mover.h"

struct mover_figures {				      /* for the report */
	uint64_t unmovable_pages[UNMOVABLE_NR_KINDS]; /* known to be so now, by kind */
	uint64_t nr_left_pages; /* asked for, and not tried: known to stay; each time counts */
	uint64_t rate_most, rate_least; /* bytes per second: allowed at most, and at the worst */
	uint32_t nr_halved;		/* the rate, by pressure */
	/* As schemes told: looked at, and moved. */
	uint64_t scheme_tried_bytes, scheme_applied_bytes;
};
void mover_figures_to_json(struct json_writer *json, const char *key,
			   const struct mover_figures *figures);
void mover_figures_to_text(struct printbuf *out, const struct mover_figures *figures);

struct live_mover {
	const struct mover_ops *ops;
	int (*new)(struct live *live, void **ret_mover, struct printbuf *err);
	/* Readable when something has finished: worth a tick. -1: it moves while it is asked to. */
	int (*fd)(const void *mover);
	/* Also brings live.moving_ns up to date. WHEN: at any time. */
	void (*figures)(void *mover, struct mover_figures *ret);
	/* What is being moved comes to its end, what waits stays where it is. From then on it takes
	 * no moves; ops->complete() tells of what was done. WHEN: results were just taken, so that
	 * there is room for the last. */
	void (*finish)(void *mover);
	void (*free)(void *mover); /* NULL is allowed */
};

extern const struct live_mover *const live_movers[]; /* NULL-terminated */

extern const struct live_mover live_mover_move_pages;
extern const struct live_mover live_mover_damos;

/* What does other than moving: plans of kinds beside PLAN_MOVE (advice.h). They work while they are
 * asked to, and have no fd, no figures and nothing to finish. NULL-terminated. */
extern const struct live_mover *const live_advisers[];
extern const struct live_mover live_mover_madvise; /* PLAN_COLD, _PAGEOUT, _COLLAPSE */
extern const struct live_mover live_mover_reclaim; /* PLAN_RECLAIM */

/* NULL or "auto": the first. -EINVAL: no such mover; err says which there are. */
int live_mover_parse(const char *name, const struct live_mover **ret, struct printbuf *err);

#endif
