/* SPDX-License-Identifier: MIT */
/*
 * The placement problem: its rules, and what a schedule costs by its arithmetic.
 *
 * Every solver's answer is costed here, by code that knows nothing of how it was found: a solver
 * that errs is caught, not believed.
 *
 * Checking and costing take O(lives + uses + slots) time and 8 bytes per (tier, slot) beside
 * 8 bytes per life.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/bound/problem.h"

struct placement_problem *placement_problem_free(struct placement_problem *problem)
{
	if (!problem)
		return NULL;
	free(problem->capacity_pages);
	free(problem->load_cost_ps);
	free(problem->store_cost_ps);
	free(problem->move_cost_ps);
	free(problem->movable);
	free(problem->lives);
	free(problem->uses);
	free(problem);
	return NULL;
}

struct placement_problem *placement_problem_new(uint32_t nr_tiers, uint32_t nr_slots,
						uint64_t nr_lives, uint64_t nr_uses)
{
	struct placement_problem *problem = calloc(1, sizeof(*problem));

	if (!problem)
		return NULL;
	problem->nr_tiers = nr_tiers;
	problem->nr_slots = nr_slots;
	problem->nr_lives = nr_lives;
	problem->nr_uses = nr_uses;
	problem->capacity_pages = calloc(nr_tiers + 1, sizeof(uint64_t));
	problem->load_cost_ps = calloc(nr_tiers + 1, sizeof(uint64_t));
	problem->store_cost_ps = calloc(nr_tiers + 1, sizeof(uint64_t));
	problem->move_cost_ps = calloc((size_t)nr_tiers * nr_tiers + 1, sizeof(uint64_t));
	problem->movable = calloc((size_t)nr_slots + 1, 1);
	problem->lives = calloc(nr_lives + 1, sizeof(*problem->lives));
	problem->uses = calloc(nr_uses + 1, sizeof(*problem->uses));
	if (!problem->capacity_pages || !problem->load_cost_ps || !problem->store_cost_ps ||
	    !problem->move_cost_ps || !problem->movable || !problem->lives || !problem->uses)
		return placement_problem_free(problem);
	problem->movable[0] = 1;
	return problem;
}

void placement_solution_fini(struct placement_solution *solution)
{
	free(solution->steps);
	*solution = (struct placement_solution){ 0 };
}

static int check_shape(const struct placement_problem *problem, struct printbuf *err)
{
	uint32_t n = problem->nr_tiers;

	if (n < 1 || n > PLACEMENT_MAX_TIERS)
		return error_set(err, -EINVAL, "placement problem: %u tiers; use 1 to %u", n,
				 PLACEMENT_MAX_TIERS);
	if (problem->nr_slots < 1 || problem->nr_slots > PLACEMENT_MAX_SLOTS)
		return error_set(err, -EINVAL, "placement problem: %u slots; use 1 to %u",
				 problem->nr_slots, PLACEMENT_MAX_SLOTS);
	if (problem->nr_lives > PLACEMENT_MAX_LIVES || problem->nr_uses > UINT32_MAX)
		return error_set(err, -EINVAL,
				 "placement problem: more lives or uses than can be numbered; use "
				 "a shorter recording");
	if (!problem->movable[0])
		return error_set(err, -EINVAL,
				 "placement problem: slot 0 is not movable; set movable[0] to 1");
	for (uint32_t tier = 0; tier < n; tier++)
		if (problem->move_cost_ps[tier * n + tier])
			return error_set(err, -EINVAL,
					 "placement problem: staying in tier %u has a cost; make "
					 "the diagonal of move_cost_ps 0",
					 tier);
	return 0;
}

static int check_uses(const struct placement_problem *problem, const struct placement_life *life,
		      uint64_t index, struct printbuf *err)
{
	int64_t last = -1;

	if (life->first_slot > life->last_slot || life->last_slot >= problem->nr_slots ||
	    (uint64_t)life->first_use + life->nr_uses > problem->nr_uses)
		return error_set(err, -EINVAL,
				 "placement problem: life %llu leaves its arrays; keep its slots "
				 "and uses within nr_slots and nr_uses",
				 (unsigned long long)index);
	for (uint32_t i = 0; i < life->nr_uses; i++) {
		uint32_t slot = problem->uses[life->first_use + i].slot;

		if (slot < life->first_slot || slot > life->last_slot || (int64_t)slot <= last)
			return error_set(
				err, -EINVAL,
				"placement problem: use %u of life %llu is in slot %u, out "
				"of order or out of its life; sort and cut its uses",
				i, (unsigned long long)index, slot);
		last = slot;
	}
	return 0;
}

/* Everything a schedule could pay must stay far from 2^63, so that sums never wrap. */
static int check_magnitude(const struct placement_problem *problem, struct printbuf *err)
{
	uint32_t n = problem->nr_tiers;
	uint64_t load = 0, store = 0, move = 0;
	unsigned __int128 sum = 0;

	for (uint32_t tier = 0; tier < n; tier++) {
		load = MAX(load, problem->load_cost_ps[tier]);
		store = MAX(store, problem->store_cost_ps[tier]);
	}
	for (uint32_t i = 0; i < n * n; i++)
		move = MAX(move, problem->move_cost_ps[i]);
	for (uint64_t i = 0; i < problem->nr_uses; i++)
		sum += (unsigned __int128)load * problem->uses[i].loads +
		       (unsigned __int128)store * problem->uses[i].stores;
	/* A schedule that is no worse than never moving pays no more moves than it has uses. */
	sum += (unsigned __int128)move * (2 * problem->nr_uses + 2);
	if (sum > PLACEMENT_MAX_COST_PS)
		return error_set(err, -ERANGE,
				 "placement problem: costs add up to more than 26 days; use a "
				 "shorter recording or smaller latencies");
	return 0;
}

static int check_fit(const struct placement_problem *problem, struct printbuf *err)
{
	int64_t *born = calloc((size_t)problem->nr_slots + 1, sizeof(*born));
	unsigned __int128 room = 0;
	int64_t alive = 0;
	int error = 0;

	if (!born)
		return error_set(err, -ENOMEM, "placement problem: no memory for its slots");
	for (uint32_t tier = 0; tier < problem->nr_tiers; tier++)
		room += problem->capacity_pages[tier];
	for (uint64_t i = 0; i < problem->nr_lives; i++) {
		born[problem->lives[i].first_slot]++;
		born[problem->lives[i].last_slot + 1]--;
	}
	for (uint32_t slot = 0; slot < problem->nr_slots && !error; slot++) {
		alive += born[slot];
		if ((unsigned __int128)alive > room)
			error = error_set(err, -EINVAL,
					  "placement problem: %lld pages live in slot %u, more "
					  "than all tiers hold (%llu); use larger tiers",
					  (long long)alive, slot, (unsigned long long)room);
	}
	free(born);
	return error;
}

bool placement_problem_is_valid(const struct placement_problem *problem, struct printbuf *err)
{
	if (check_shape(problem, err))
		return false;
	for (uint64_t i = 0; i < problem->nr_lives; i++)
		if (check_uses(problem, &problem->lives[i], i, err))
			return false;
	return !check_magnitude(problem, err) && !check_fit(problem, err);
}

/* Walks a schedule once: where each life is, which of its uses are paid, how full tiers are. */
struct costing {
	const struct placement_problem *problem;
	uint32_t *next_use; /* [life] */
	uint8_t *tier;	    /* [life]; UNBORN before its first step */
	int64_t *change;    /* [tier * (nr_slots + 1) + slot]: pages that come less those that go */
	unsigned __int128 sum_ps;
};

#define UNBORN UINT8_MAX

static void pay_uses(struct costing *costing, uint32_t index, uint32_t before_slot)
{
	const struct placement_problem *problem = costing->problem;
	const struct placement_life *life = &problem->lives[index];
	uint32_t i = costing->next_use[index];

	for (; i < life->nr_uses; i++) {
		const struct placement_use *use = &problem->uses[life->first_use + i];

		if (use->slot >= before_slot)
			break;
		costing->sum_ps += placement_use_cost(problem, use, costing->tier[index]);
	}
	costing->next_use[index] = i;
}

static void change_tier(struct costing *costing, uint32_t tier, uint32_t slot, int by)
{
	costing->change[(size_t)tier * (costing->problem->nr_slots + 1) + slot] += by;
}

static int cost_birth(struct costing *costing, const struct placement_step *step,
		      struct printbuf *err)
{
	const struct placement_life *life = &costing->problem->lives[step->life];

	if (step->slot != life->first_slot)
		return error_set(err, -EINVAL,
				 "schedule: life %u is placed in slot %u but born in slot %u",
				 step->life, step->slot, life->first_slot);
	change_tier(costing, step->tier, step->slot, 1);
	change_tier(costing, step->tier, life->last_slot + 1, -1);
	costing->tier[step->life] = (uint8_t)step->tier;
	return 0;
}

static int cost_move(struct costing *costing, const struct placement_step *step,
		     struct printbuf *err)
{
	const struct placement_problem *problem = costing->problem;
	const struct placement_life *life = &problem->lives[step->life];
	uint8_t from = costing->tier[step->life];

	if (step->slot <= life->first_slot || step->slot > life->last_slot ||
	    !problem->movable[step->slot] || from == step->tier)
		return error_set(err, -EINVAL,
				 "schedule: life %u may not move to tier %u at slot %u", step->life,
				 step->tier, step->slot);
	pay_uses(costing, step->life, step->slot);
	costing->sum_ps += problem->move_cost_ps[from * problem->nr_tiers + step->tier];
	change_tier(costing, from, step->slot, -1);
	change_tier(costing, from, life->last_slot + 1, 1);
	change_tier(costing, step->tier, step->slot, 1);
	change_tier(costing, step->tier, life->last_slot + 1, -1);
	costing->tier[step->life] = (uint8_t)step->tier;
	return 0;
}

static int check_capacity(const struct costing *costing, struct printbuf *err)
{
	const struct placement_problem *problem = costing->problem;

	for (uint32_t tier = 0; tier < problem->nr_tiers; tier++) {
		const int64_t *change = &costing->change[(size_t)tier * (problem->nr_slots + 1)];
		int64_t pages = 0;

		for (uint32_t slot = 0; slot < problem->nr_slots; slot++) {
			pages += change[slot];
			if ((uint64_t)pages > problem->capacity_pages[tier])
				return error_set(
					err, -EINVAL,
					"schedule: %lld pages in tier %u in slot %u, it holds %llu",
					(long long)pages, tier, slot,
					(unsigned long long)problem->capacity_pages[tier]);
		}
	}
	return 0;
}

static int cost_steps(struct costing *costing, const struct placement_solution *solution,
		      struct printbuf *err)
{
	const struct placement_problem *problem = costing->problem;

	for (uint64_t i = 0; i < solution->nr_steps; i++) {
		const struct placement_step *step = &solution->steps[i];
		int error;

		if (step->life >= problem->nr_lives || step->tier >= problem->nr_tiers)
			return error_set(err, -EINVAL,
					 "schedule: step %llu names an unknown life or tier",
					 (unsigned long long)i);
		if (i && (step->slot < step[-1].slot ||
			  (step->slot == step[-1].slot && step->life <= step[-1].life)))
			return error_set(err, -EINVAL, "schedule: step %llu is out of order",
					 (unsigned long long)i);
		error = costing->tier[step->life] == UNBORN ? cost_birth(costing, step, err)
							    : cost_move(costing, step, err);
		if (error)
			return error;
	}
	for (uint32_t i = 0; i < problem->nr_lives; i++) {
		if (costing->tier[i] == UNBORN)
			return error_set(err, -EINVAL, "schedule: life %u is never placed", i);
		pay_uses(costing, i, UINT32_MAX);
	}
	return check_capacity(costing, err);
}

int placement_cost(const struct placement_problem *problem,
		   const struct placement_solution *solution, uint64_t *ret_ps,
		   struct printbuf *err)
{
	struct costing costing = { .problem = problem };
	size_t nr = problem->nr_lives + 1;
	int error;

	costing.next_use = calloc(nr, sizeof(*costing.next_use));
	costing.tier = malloc(nr);
	costing.change = calloc(((size_t)problem->nr_slots + 1) * problem->nr_tiers,
				sizeof(*costing.change));
	if (!costing.next_use || !costing.tier || !costing.change) {
		error = error_set(err, -ENOMEM, "schedule: no memory to cost it");
	} else {
		for (size_t i = 0; i < nr; i++)
			costing.tier[i] = UNBORN;
		error = cost_steps(&costing, solution, err);
	}
	if (!error && costing.sum_ps > INT64_MAX)
		error = error_set(err, -ERANGE, "schedule: its cost does not fit 63 bits");
	if (!error)
		*ret_ps = (uint64_t)costing.sum_ps;
	free(costing.next_use);
	free(costing.tier);
	free(costing.change);
	return error;
}
