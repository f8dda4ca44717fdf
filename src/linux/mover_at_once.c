/* SPDX-License-Identifier: MIT */
/* Movers that do what they are asked at once (mover_at_once.h). */
#include "linux/mover_at_once.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int mover_at_once_new(struct live *live, at_once_fn *act, const char *name, void **ret_mover,
		      struct printbuf *err)
{
	struct mover_at_once *mover = calloc(1, sizeof(*mover));
	if (!mover)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	mover->live = live;
	mover->act = act;
	*ret_mover = mover;
	return 0;
}

int mover_at_once_submit(void *state, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct mover_at_once *mover = state;
	uint32_t taken = 0;
	(void)now_ns;
	for (; taken < nr && mover->nr_results < AT_ONCE_RESULTS; taken++) {
		const struct plan_move *move = &moves[taken];
		struct move_result *result = &mover->results[mover->nr_results++];
		*result = (struct move_result){
			.page = move->page,
			.nr_pages = move->nr_pages,
			.space = move->space,
			.from = move->from,
			.to = move->to,
			.node = PLAN_NODE_ANY,
			.outcome = MOVE_REFUSED_DENIED,
		};
		mover->act(mover->live, move, result);
	}
	return (int)taken;
}

int mover_at_once_complete(void *state, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct mover_at_once *mover = state;
	uint32_t nr = MIN(max, mover->nr_results);
	(void)now_ns;
	mover->nr_results -= nr;
	memcpy(results, mover->results, nr * sizeof(*results));
	memmove(mover->results, mover->results + nr, mover->nr_results * sizeof(*results));
	return (int)nr;
}
