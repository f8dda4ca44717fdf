/* SPDX-License-Identifier: MIT */
/*
 * The placement problem that bounds solve, free of recordings and simulators: pages with lives and
 * uses, tiers with capacities, costs that add up.
 *
 * Time is cut into slots. A slot begins at every moment when a policy may move pages (the engine's
 * tick) and, within a tick, wherever a birth follows a death: so all pages whose life covers a slot
 * exist at one moment together, and "at most capacity in each slot" is exact, not an approximation.
 *
 *     tick      tick             tick
 *     |  slot 0 |  slot 1 | 2 |   |  slot 3 ...      2 began because a page was born after another
 *                                                    died; moves are allowed at 0, 1, 3 only
 *
 * A life starts by a free placement in any tier, costs its uses in the tier where it is in each
 * slot, pays move_cost for each move (only at the start of a movable slot), and ends for free.
 *
 * Costs are whole picoseconds, so that "equal" means equal. Tiers are numbered from the fastest to
 * the slowest, as the machine numbers them; no arithmetic depends on that order.
 */
#ifndef BERTH_SIM_BOUND_PROBLEM_H
#define BERTH_SIM_BOUND_PROBLEM_H

#include "base/printbuf.h"
#include "base/types.h"

#define PLACEMENT_MAX_TIERS   16
#define PLACEMENT_MAX_LIVES   ((uint64_t)1 << 30)
#define PLACEMENT_MAX_SLOTS   ((uint32_t)1 << 28)
#define PLACEMENT_MAX_COST_PS ((uint64_t)1 << 61) /* of everything together: 26 days */

struct placement_use { /* in one slot of one life */
	uint32_t slot;
	uint32_t loads, stores; /* misses that memory serves */
};

struct placement_life {
	uint32_t page;	     /* the simulator's dense page number; for the schedule only */
	uint32_t first_slot; /* born at its start */
	uint32_t last_slot;  /* dies at its end; inclusive */
	uint32_t first_use;  /* into uses[] */
	uint32_t nr_uses;    /* ascending slots, each within [first_slot, last_slot] */
};

struct placement_problem {
	uint32_t nr_tiers;
	uint32_t nr_slots;
	uint64_t *capacity_pages; /* [tier]; the slowest must hold what the others do not */
	uint64_t *load_cost_ps;	  /* [tier]: one load that misses */
	uint64_t *store_cost_ps;  /* [tier] */
	uint64_t *move_cost_ps;	  /* [from * nr_tiers + to] per page; 0 on the diagonal */
	uint8_t *movable;	  /* [slot]: 1 when pages may move at its start; slot 0 is 1 */
	struct placement_life *lives;
	uint64_t nr_lives;
	struct placement_use *uses;
	uint64_t nr_uses;
};

struct placement_step { /* life's page is in `tier` from the start of `slot` on */
	uint32_t life;
	uint32_t slot;
	uint32_t tier;
};

struct placement_solution {
	bool is_exact;	    /* lower_ps == upper_ps and proven */
	uint64_t lower_ps;  /* no schedule costs less */
	uint64_t upper_ps;  /* what `steps` costs by the problem's own arithmetic */
	const char *method; /* "min-cost flow", "prices", ... */
	struct placement_step
		*steps; /* ordered by (slot, life); the first of a life is its birth */
	uint64_t nr_steps;
};

/* Checks every rule above, and that all pages always fit: O(lives + uses + slots). */
bool placement_problem_is_valid(const struct placement_problem *problem, struct printbuf *err);
struct placement_problem *placement_problem_free(struct placement_problem *problem);
/* Zeroed arrays for these counts; NULL without memory. movable[0] is set. */
struct placement_problem *placement_problem_new(uint32_t nr_tiers, uint32_t nr_slots,
						uint64_t nr_lives, uint64_t nr_uses);
/* What one use costs in a tier. */
static inline uint64_t placement_use_cost(const struct placement_problem *problem,
					  const struct placement_use *use, uint32_t tier)
{
	return use->loads * problem->load_cost_ps[tier] +
	       use->stores * problem->store_cost_ps[tier];
}
void placement_solution_fini(struct placement_solution *solution);

/* Cost of a schedule by this arithmetic; -EINVAL when it breaks a rule (err says which). */
int placement_cost(const struct placement_problem *problem,
		   const struct placement_solution *solution, uint64_t *ret_ps,
		   struct printbuf *err);

/* The optimum: exact by min-cost flow when two tiers and small enough, else certified lower and
 * upper figures by prices per slot. `effort` 0..2 trades time for a smaller gap. Deterministic. */
int placement_solve_optimal(const struct placement_problem *problem, unsigned effort,
			    struct placement_solution *ret, struct printbuf *err);
/* The best placement that never moves a page during its life. */
int placement_solve_static(const struct placement_problem *problem, struct placement_solution *ret,
			   struct printbuf *err);

#endif
