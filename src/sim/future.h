/* SPDX-License-Identifier: MIT */
/* Bounds that need the future: gathered during the pass, solved and replayed at its end. */
#ifndef BERTH_SIM_FUTURE_H
#define BERTH_SIM_FUTURE_H

#include "sim/bound.h"

struct future;
/* Adds itself to the stage. */
int future_new(const struct cost_model *cost, struct stage *stage, struct future **ret,
	       struct printbuf *err);
struct future *future_free(struct future *future);
/* Solves for these capacities ([machine node index]) and plays the schedule through `account`,
 * which is initialised. The solution is the caller's to finish with placement_solution_fini. */
int future_solve(struct future *future, const struct bound_ops *bound,
		 const uint64_t *capacity_pages, unsigned effort, struct cost_account *account,
		 struct placement_solution *ret, struct printbuf *err);
void future_forget(struct placement_solution *solution);

#endif
