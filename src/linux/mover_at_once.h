/* SPDX-License-Identifier: MIT */
/*
 * What movers have in common that do what they are asked while they are asked: the results, kept
 * until they are taken.
 *
 *     submit: act, act, act --> results, in order --> complete
 *
 * Cost: 40 bytes per result, 64 of them; what there is no room for is not taken.
 */
#ifndef BERTH_LINUX_MOVER_AT_ONCE_H
#define BERTH_LINUX_MOVER_AT_ONCE_H

#include "linux/live.h"
#include "policy/mover.h"

#define AT_ONCE_RESULTS 64

/* Does it. *ret: as asked for, MOVE_REFUSED_DENIED; what became of it is written there. */
typedef void at_once_fn(struct live *live, const struct plan_move *move, struct move_result *ret);

struct mover_at_once {
	struct live *live; /* borrowed */
	at_once_fn *act;
	struct move_result results[AT_ONCE_RESULTS];
	uint32_t nr_results;
};

/* For free(3). `name` is of the error. */
int mover_at_once_new(struct live *live, at_once_fn *act, const char *name, void **ret_mover,
		      struct printbuf *err);
/* As of mover_ops; `mover` is such a one. */
int mover_at_once_submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns);
int mover_at_once_complete(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns);

#endif
