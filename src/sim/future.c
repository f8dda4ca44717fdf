/* SPDX-License-Identifier: MIT */
/* Drives the problem builder (bound.h) for the set of simulations. */
#include "sim/future.h"

#include <stdlib.h>

#include "base/error.h"

struct future {
	struct problem_builder *builder;
};

int future_new(const struct cost_model *cost, struct stage *stage, struct future **ret,
	       struct printbuf *err)
{
	struct future *future = calloc(1, sizeof(*future));
	int error = future ? problem_builder_new(cost, &future->builder) : -ENOMEM;
	if (!error) {
		struct stage_consumer consumer = problem_builder_consumer(future->builder);
		error = stage_add_consumer(stage, &consumer);
	}
	if (error) {
		future_free(future);
		return error_set(err, error, "out of memory for the bounds");
	}
	*ret = future;
	return 0;
}

struct future *future_free(struct future *future)
{
	if (future)
		problem_builder_free(future->builder);
	free(future);
	return NULL;
}

int future_solve(struct future *future, const struct bound_ops *bound,
		 const uint64_t *capacity_pages, unsigned effort, struct cost_account *account,
		 struct placement_solution *ret, struct printbuf *err)
{
	const struct placement_problem *problem = NULL;
	int error = problem_builder_problem(future->builder, capacity_pages, &problem, err);
	if (!error)
		error = bound->solve(problem, effort, ret, err);
	return error ? error : problem_builder_replay(future->builder, problem, ret, account, err);
}

void future_forget(struct placement_solution *solution)
{
	placement_solution_fini(solution);
}
