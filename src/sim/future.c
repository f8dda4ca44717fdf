/* SPDX-License-Identifier: MIT */
/* Bounds that need the future: none is listed in bounds.c yet. */
#include "sim/future.h"

#include "base/error.h"

int future_new(const struct cost_model *cost, struct stage *stage, struct future **ret,
	       struct printbuf *err)
{
	(void)cost;
	(void)stage;
	(void)ret;
	return error_set(err, -EOPNOTSUPP, "bounds that need the future are not built in");
}

struct future *future_free(struct future *future)
{
	(void)future;
	return NULL;
}

int future_solve(struct future *future, const struct bound_ops *bound,
		 const uint64_t *capacity_pages, unsigned effort, struct cost_account *account,
		 struct placement_solution *ret, struct printbuf *err)
{
	(void)future;
	(void)capacity_pages;
	(void)effort;
	(void)account;
	(void)ret;
	return error_set(err, -EOPNOTSUPP, "%s: not built in", bound->name);
}

void future_forget(struct placement_solution *solution)
{
	(void)solution;
}
