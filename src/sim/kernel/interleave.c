/* SPDX-License-Identifier: MIT */
/*
 * interleave: the kernel's MPOL_INTERLEAVE over all nodes with memory: each new page goes to the
 * next node in turn, and along the fallback list when that one is full. With weighted=1 it is
 * MPOL_WEIGHTED_INTERLEAVE (6.9 and later): a node gets as many pages in a row as its bandwidth is
 * of the narrowest node's.
 *
 * Follows mm/mempolicy.c interleave_nodes and weighted_interleave_nodes.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/kernel.h"

#define WEIGHT_MAX 255 /* of one node, as in the kernel's sysfs files */

enum { WEIGHTED, NR_TUNABLES };

static const struct tunable interleave_tunables[NR_TUNABLES] = {
	[WEIGHTED] = { "weighted", TUNABLE_FLAG, 0, 0, 1,
		       "nodes get pages in proportion to their bandwidth" },
};

struct interleave {
	uint32_t turn; /* index into kernel->fallback */
	uint32_t left; /* pages until the next turn */
	uint32_t weights[];
};

static int interleave_start(struct kernel *kernel, struct printbuf *err)
{
	uint64_t narrowest = UINT64_MAX;
	struct interleave *state = calloc(1, sizeof(*state) + kernel->nr_fallback *
								      sizeof(state->weights[0]));
	if (!state)
		return error_set(err, -ENOMEM, "interleave: out of memory");
	for (uint32_t i = 0; i < kernel->nr_fallback; i++)
		narrowest = MIN(narrowest, kernel->cost->bytes_per_s[kernel->fallback[i]]);
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		uint64_t weight = kernel->cost->bytes_per_s[kernel->fallback[i]] / narrowest;
		bool weighted = kernel->values[WEIGHTED] != 0;
		state->weights[i] = weighted ? (uint32_t)MIN(weight, WEIGHT_MAX) : 1;
	}
	state->left = state->weights[0];
	kernel->state = state;
	return 0;
}

static void interleave_stop(struct kernel *kernel)
{
	free(kernel->state);
	kernel->state = NULL;
}

static int interleave_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct interleave *state = kernel->state;
	if (wish != UINT32_MAX)
		return kernel_take_falling(kernel, page, wish);
	uint32_t node = kernel->fallback[state->turn];
	if (--state->left == 0) {
		state->turn = (state->turn + 1) % kernel->nr_fallback;
		state->left = state->weights[state->turn];
	}
	return kernel_take_falling(kernel, page, node);
}

extern const struct kernel_ops kernel_interleave;
const struct kernel_ops kernel_interleave = {
	.name = "interleave",
	.summary = "new pages go to the memory nodes in turn; nothing moves",
	.needs_order = true,
	.tunables = interleave_tunables,
	.nr_tunables = NR_TUNABLES,
	.start = interleave_start,
	.stop = interleave_stop,
	.allocate = interleave_allocate,
};
