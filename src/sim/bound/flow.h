/* SPDX-License-Identifier: MIT */
/* Min-cost flow in whole numbers, from any start: see flow.c. */
#ifndef BERTH_SIM_BOUND_FLOW_H
#define BERTH_SIM_BOUND_FLOW_H

#include "base/types.h"

struct flow_arc {
	uint32_t from, to;
	uint32_t capacity;
	uint32_t flow; /* in: a guess, kept where potentials allow; out: the flow */
	int64_t cost;
};

/*
 * Sends supply (positive) to demand (negative) as cheaply as can be. `potential` holds a guess on
 * entry and proves the answer on return: cost + potential[from] - potential[to] is >= 0 where an
 * arc has room and <= 0 where it has flow. Any guess gives the optimum; a good one gives it fast.
 * Supplies must add up to 0. Looks at no more than work_limit arcs.
 *
 * 0: optimal. -ETIME: out of work; potentials still hold for the flow, which does not balance.
 * -ENODATA: no flow fits the supplies. -ENOMEM.
 */
int flow_solve(uint32_t nr_nodes, struct flow_arc *arcs, uint32_t nr_arcs, const int64_t *supply,
	       int64_t *potential, uint64_t work_limit, uint64_t *ret_work);

#endif
