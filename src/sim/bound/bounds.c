/* SPDX-License-Identifier: MIT */
/* The bounds. A new one is one record and its line here. */
#include <string.h>

#include "sim/bound.h"
#include "sim/bound/foresight.h"

static const struct bound_ops bound_all_fast = {
	.name = "all-fast",
	.summary = "everything on the fastest node, however large it is: nothing is faster",
	.kernel = &kernel_all_fast,
};

static const struct bound_ops bound_all_slow = {
	.name = "all-slow",
	.summary = "everything on the slowest node",
	.kernel = &kernel_all_slow,
};

static int solve_static(const struct placement_problem *problem, unsigned effort,
			struct placement_solution *ret, struct printbuf *err)
{
	(void)effort;
	return placement_solve_static(problem, ret, err);
}

static const struct bound_ops bound_static_best = {
	.name = "static-best",
	.summary = "the best placement in which no page ever moves",
	.solve = solve_static,
};

static const struct bound_ops bound_optimal = {
	.name = "optimal",
	.summary = "the best placement there is, moving whenever a policy may",
	.solve = placement_solve_optimal,
};

static int solve_foresight_20(const struct placement_problem *problem, unsigned effort,
			      struct placement_solution *ret, struct printbuf *err)
{
	(void)effort;
	return placement_solve_foresight(problem, 20, ret, err);
}

static const struct bound_ops bound_foresight_20 = {
	.name = "foresight-20",
	.summary =
		"greedy, but right about the coming 20 ticks: what a policy gets that never errs",
	.solve = solve_foresight_20,
};

static int solve_foresight_100(const struct placement_problem *problem, unsigned effort,
			       struct placement_solution *ret, struct printbuf *err)
{
	(void)effort;
	return placement_solve_foresight(problem, 100, ret, err);
}

static const struct bound_ops bound_foresight_100 = {
	.name = "foresight-100",
	.summary = "the same for 100 ticks",
	.solve = solve_foresight_100,
};

/* clang-format off */
const struct bound_ops *const bounds[] = {
	&bound_all_fast,
	&bound_all_slow,
	&bound_static_best,
	&bound_optimal,
	&bound_foresight_20,
	&bound_foresight_100,
	NULL,
};
/* clang-format on */

const struct bound_ops *bound_find(const char *name)
{
	for (size_t i = 0; bounds[i]; i++)
		if (strcmp(bounds[i]->name, name) == 0)
			return bounds[i];
	return NULL;
}
