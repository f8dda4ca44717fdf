/* SPDX-License-Identifier: MIT */
/*
 * interleave: the kernel's MPOL_INTERLEAVE over all nodes with memory: each new page goes to the
 * next node in turn, and along the zonelist when that one is at its low watermark (linux_plain.h).
 * With weighted=1 it is MPOL_WEIGHTED_INTERLEAVE (6.9 and later): a node gets as many pages in a
 * row as its bandwidth is of the narrowest node's.
 *
 * Follows mm/mempolicy.c interleave_nodes and weighted_interleave_nodes.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/kernel/linux_plain.h"

#define WEIGHT_MAX 255 /* of one node, as in the kernel's sysfs files */

enum { WEIGHTED, WATERMARK_SCALE, MIN_FREE_KBYTES, NR_TUNABLES };

static const struct tunable interleave_tunables[NR_TUNABLES] = {
	[WEIGHTED] = { "weighted", TUNABLE_FLAG, 0, 0, 1,
		       "nodes get pages in proportion to their bandwidth", NULL },
	[WATERMARK_SCALE] = LINUX_PLAIN_WATERMARK_SCALE,
	[MIN_FREE_KBYTES] = LINUX_PLAIN_MIN_FREE_KBYTES,
};

struct interleave {
	struct linux_plain plain;
	uint32_t turn; /* index into kernel->fallback */
	uint32_t left; /* pages until the next turn */
	uint32_t weights[];
};

static int interleave_start(struct kernel *kernel, struct printbuf *err)
{
	uint64_t narrowest = UINT64_MAX;
	struct interleave *state = calloc(1, sizeof(*state) + kernel->nr_fallback *
								      sizeof(state->weights[0]));
	struct linux_marks_config config = {
		.scale = kernel->values[WATERMARK_SCALE],
		.min_free_kbytes = kernel->values[MIN_FREE_KBYTES],
	};
	if (!state || linux_plain_init(&state->plain, kernel, &config)) {
		free(state);
		return error_set(err, -ENOMEM, "interleave: out of memory");
	}
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

static int interleave_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct interleave *state = kernel->state;
	if (wish != UINT32_MAX)
		return linux_plain_allocate(kernel, page, wish);
	uint32_t node = kernel->fallback[state->turn];
	if (--state->left == 0) {
		state->turn = (state->turn + 1) % kernel->nr_fallback;
		state->left = state->weights[state->turn];
	}
	return linux_plain_allocate(kernel, page, node);
}

extern const struct kernel_ops kernel_interleave;
const struct kernel_ops kernel_interleave = {
	.name = "interleave",
	.summary = "new pages go to the memory nodes in turn; nothing moves",
	.needs_order = true,
	.tunables = interleave_tunables,
	.nr_tunables = NR_TUNABLES,
	.start = interleave_start,
	.stop = linux_plain_stop,
	.allocate = interleave_allocate,
	.migrate = linux_plain_migrate,
	.marks = linux_plain_marks,
	.counters = linux_plain_counters,
};
