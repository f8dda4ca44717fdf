/* SPDX-License-Identifier: MIT */
/*
 * The movers of real memory, best first. The world of probe is a struct live; a mover is made for
 * such a world and outlived by it.
 */
#ifndef BERTH_LINUX_MOVERS_H
#define BERTH_LINUX_MOVERS_H

#include "linux/live.h"
#include "policy/mover.h"

struct live_mover {
	const struct mover_ops *ops;
	int (*new)(struct live *live, void **ret_mover, struct printbuf *err);
	void (*free)(void *mover); /* NULL is allowed */
};

extern const struct live_mover *const live_movers[]; /* NULL-terminated */

extern const struct live_mover live_mover_move_pages;

#endif
