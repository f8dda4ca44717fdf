/* SPDX-License-Identifier: MIT */
/*
 * The contract of a bound: given the whole recording, the cost it cannot beat or a schedule that
 * the simulator replays. Bounds need the future and are only for comparison.
 *
 *     stage --> problem builder (one per recording, a stage consumer)
 *                   | problem_builder_problem, once per set of capacities
 *                   v
 *               bound_ops.solve --> placement_solution: lower figure, upper figure, schedule
 *                   |
 *                   v problem_builder_replay: epoch by epoch into a cost_account, which is the
 *                     same arithmetic as a simulation's, bandwidth included
 *
 * The tiers of the problem are cost->order[]: memory nodes, fastest first. Its slots begin at the
 * stage's ticks (movable) and where a birth follows a death within one.
 */
#ifndef BERTH_SIM_BOUND_H
#define BERTH_SIM_BOUND_H

#include "sim/bound/problem.h"
#include "sim/cost.h"
#include "sim/kernel.h"
#include "sim/stage.h"

struct bound_ops {
	const char *name;
	const char *summary;
	/* Not NULL: no future needed after all; simulated like a kernel whose nodes never fill up
	 * (all-fast, all-slow). Then solve is NULL. */
	const struct kernel_ops *kernel;
	/* effort 0..2 trades time for a smaller gap. Deterministic.
	 * WHEN: after the whole recording was seen, once per set of capacities. */
	int (*solve)(const struct placement_problem *problem, unsigned effort,
		     struct placement_solution *ret, struct printbuf *err);
};

extern const struct bound_ops *const bounds[]; /* NULL-terminated; sim/bound/bounds.c */
const struct bound_ops *bound_find(const char *name);

/*
 * Gathers, for each life of a page, its misses per slot. One for a recording serves every bound
 * and every capacity. Memory: about 12 bytes per (page, tick) with misses.
 */
struct problem_builder;
int problem_builder_new(const struct cost_model *cost, struct problem_builder **ret);
struct problem_builder *problem_builder_free(struct problem_builder *builder);
/* Ask once; add it to the stage before the first feed. */
struct stage_consumer problem_builder_consumer(struct problem_builder *builder);
/* After stage_finish. capacity_pages: [machine node index]. The problem is the builder's: valid
 * until the next call or problem_builder_free. -ENOSPC when the nodes together are too small. */
int problem_builder_problem(struct problem_builder *builder, const uint64_t *capacity_pages,
			    const struct placement_problem **ret, struct printbuf *err);
/* Plays the schedule through `account` (fresh, of the same cost model): what it would really
 * take, bandwidth included. */
int problem_builder_replay(struct problem_builder *builder, const struct placement_problem *problem,
			   const struct placement_solution *solution, struct cost_account *account,
			   struct printbuf *err);

#endif
