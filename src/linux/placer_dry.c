/* SPDX-License-Identifier: MIT */
/*
 * The mover of a dry run: takes every plan and moves nothing. Of each move it says that it was cut
 * by a budget, so that the policy knows that the page is where it was, and may ask again.
 *
 * Cost: 4 MiB for a plan at its largest.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/placer.h"

struct dry {
	struct plan_move *moves; /* PLAN_MOVES_MAX */
	uint32_t nr, nr_told;
};

int mover_dry_new(void **ret)
{
	struct dry *dry = calloc(1, sizeof(*dry));
	if (dry)
		dry->moves = calloc(PLAN_MOVES_MAX, sizeof(*dry->moves));
	if (!dry || !dry->moves) {
		free(dry);
		return -ENOMEM;
	}
	*ret = dry;
	return 0;
}

void mover_dry_free(void *mover)
{
	struct dry *dry = mover;
	if (dry)
		free(dry->moves);
	free(dry);
}

static int probe(void *world, struct printbuf *err)
{
	return 0;
}

static int submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct dry *dry = mover;
	uint32_t left = dry->nr - dry->nr_told;
	memmove(dry->moves, dry->moves + dry->nr_told, left * sizeof(*moves));
	nr = MIN(nr, PLAN_MOVES_MAX - left);
	memcpy(dry->moves + left, moves, nr * sizeof(*moves));
	dry->nr = left + nr;
	dry->nr_told = 0;
	return (int)nr;
}

static int complete(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct dry *dry = mover;
	uint32_t nr = 0;
	for (; dry->nr_told < dry->nr && nr < max; dry->nr_told++) {
		const struct plan_move *move = &dry->moves[dry->nr_told];
		results[nr++] = (struct move_result){ .page = move->page,
						      .nr_pages = move->nr_pages,
						      .space = move->space,
						      .from = move->from,
						      .to = move->to,
						      .node = move->from,
						      .outcome = MOVE_REFUSED_BUDGET };
	}
	return (int)nr;
}

const struct mover_ops mover_dry = {
	.name = "dry run",
	.summary = "moves nothing, and tells what would have been moved",
	.probe = probe,
	.submit = submit,
	.complete = complete,
};
