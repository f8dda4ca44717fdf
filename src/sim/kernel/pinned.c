/* SPDX-License-Identifier: MIT */
/* all-fast and all-slow: every page on the fastest, or the slowest, node. They bound what placement
 * can change; their nodes never fill up. */
#include "sim/kernel.h"

static int take_fastest(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	(void)wish;
	return kernel_take(kernel, page, kernel->cost->order[0]) ? 0 : -ENOMEM;
}

static int take_slowest(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	(void)wish;
	uint32_t slowest = kernel->cost->order[kernel->cost->nr_order - 1];
	return kernel_take(kernel, page, slowest) ? 0 : -ENOMEM;
}

const struct kernel_ops kernel_all_fast = {
	.name = "all-fast",
	.summary = "everything on the fastest node, however large",
	.allocate = take_fastest,
};

const struct kernel_ops kernel_all_slow = {
	.name = "all-slow",
	.summary = "everything on the slowest node, however large",
	.allocate = take_slowest,
};
