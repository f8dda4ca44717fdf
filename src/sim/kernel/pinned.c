/* SPDX-License-Identifier: MIT */
/* all-fast and all-slow: every page on the fastest, or the slowest, node. They bound what placement
 * can change. */
#include "sim/kernel.h"

static uint32_t pin_fastest(const struct cost_model *cost)
{
	return cost->order[0];
}

static uint32_t pin_slowest(const struct cost_model *cost)
{
	return cost->order[cost->nr_order - 1];
}

const struct kernel_ops kernel_all_fast = {
	.name = "all-fast",
	.summary = "everything on the fastest node, however large",
	.pin = pin_fastest,
};

const struct kernel_ops kernel_all_slow = {
	.name = "all-slow",
	.summary = "everything on the slowest node, however large",
	.pin = pin_slowest,
};
