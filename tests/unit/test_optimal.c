/* SPDX-License-Identifier: MIT */
/*
 * The solvers against brute force: dynamic programming over every placement of all living pages,
 * on hundreds of small random problems with births, deaths, slots without moves, unlike costs up
 * and down, lives without uses, tiers of size 0, tiers of equal speed, and tiers that are all
 * tight.
 */
#include "test.h"

#include "base/random.h"
#include "sim/bound/problem.h"

#define NR_INSTANCES 400
#define MAX_LIVES    5
#define IMPOSSIBLE   UINT64_MAX

static void random_costs(struct placement_problem *problem, struct random *random)
{
	uint32_t n = problem->nr_tiers;
	bool equal = random_below(random, 8) == 0;

	for (uint32_t tier = 0; tier < n; tier++) {
		problem->load_cost_ps[tier] = 10 + (equal ? 0 : random_below(random, 40) * tier);
		problem->store_cost_ps[tier] = 10 + random_below(random, 60);
		for (uint32_t to = 0; to < n; to++)
			problem->move_cost_ps[tier * n + to] = tier == to
								       ? 0
								       : random_below(random, 200);
	}
}

static void random_life(struct placement_problem *problem, struct placement_life *life,
			struct random *random)
{
	uint32_t a = (uint32_t)random_below(random, problem->nr_slots);
	uint32_t b = (uint32_t)random_below(random, problem->nr_slots);

	life->first_slot = MIN(a, b);
	life->last_slot = random_below(random, 3) ? problem->nr_slots - 1 : MAX(a, b);
	life->first_use = (uint32_t)problem->nr_uses;
	for (uint32_t slot = life->first_slot; slot <= life->last_slot; slot++) {
		if (random_below(random, 5) < 2)
			continue;
		problem->uses[problem->nr_uses++] = (struct placement_use){
			slot, (uint32_t)random_below(random, 6), (uint32_t)random_below(random, 3)
		};
		life->nr_uses++;
	}
}

static void random_capacities(struct placement_problem *problem, struct random *random, bool tight)
{
	uint64_t most = 0, room = 0;

	for (uint32_t slot = 0; slot < problem->nr_slots; slot++) {
		uint64_t alive = 0;

		for (uint64_t i = 0; i < problem->nr_lives; i++)
			alive += problem->lives[i].first_slot <= slot &&
				 slot <= problem->lives[i].last_slot;
		most = MAX(most, alive);
	}
	for (uint32_t tier = 0; tier + 1 < problem->nr_tiers; tier++) {
		problem->capacity_pages[tier] = random_below(random, 3);
		room += problem->capacity_pages[tier];
	}
	problem->capacity_pages[problem->nr_tiers - 1] = !tight	       ? most + 1
							 : most > room ? most - room
								       : 0;
}

static struct placement_problem *random_problem(struct random *random, uint32_t nr_tiers,
						bool tight)
{
	uint32_t nr_slots = 1 + (uint32_t)random_below(random, 8);
	uint64_t nr_lives = 1 + random_below(random, MAX_LIVES);
	struct placement_problem *problem = placement_problem_new(nr_tiers, nr_slots, nr_lives,
								  nr_lives * nr_slots);

	assert_non_null(problem);
	problem->nr_uses = 0;
	for (uint32_t slot = 1; slot < nr_slots; slot++)
		problem->movable[slot] = random_below(random, 3) > 0;
	for (uint64_t i = 0; i < nr_lives; i++)
		random_life(problem, &problem->lives[i], random);
	random_costs(problem, random);
	random_capacities(problem, random, tight);
	return problem;
}

/* Every life's tier as digits of a number; lives that are not there have digit 0. */
static uint32_t digit(uint32_t state, uint32_t life, uint32_t n)
{
	while (life--)
		state /= n;
	return state % n;
}

static bool lives_in(const struct placement_life *life, uint32_t slot)
{
	return life->first_slot <= slot && slot <= life->last_slot;
}

static uint64_t slot_cost(const struct placement_problem *problem, uint32_t slot, uint32_t state)
{
	uint64_t pages[PLACEMENT_MAX_TIERS] = { 0 }, cost = 0;

	for (uint32_t i = 0; i < problem->nr_lives; i++) {
		const struct placement_life *life = &problem->lives[i];
		uint32_t tier = digit(state, i, problem->nr_tiers);

		if (!lives_in(life, slot)) {
			if (tier)
				return IMPOSSIBLE;
			continue;
		}
		if (++pages[tier] > problem->capacity_pages[tier])
			return IMPOSSIBLE;
		for (uint32_t u = 0; u < life->nr_uses; u++)
			if (problem->uses[life->first_use + u].slot == slot)
				cost += placement_use_cost(
					problem, &problem->uses[life->first_use + u], tier);
	}
	return cost;
}

static uint64_t change_cost(const struct placement_problem *problem, uint32_t slot, uint32_t from,
			    uint32_t to, bool may_move)
{
	uint32_t n = problem->nr_tiers;
	uint64_t cost = 0;

	for (uint32_t i = 0; i < problem->nr_lives; i++) {
		uint32_t a = digit(from, i, n), b = digit(to, i, n);

		if (a == b || !lives_in(&problem->lives[i], slot) ||
		    problem->lives[i].first_slot == slot || problem->lives[i].last_slot + 1 == slot)
			continue;
		if (!may_move || !problem->movable[slot])
			return IMPOSSIBLE;
		cost += problem->move_cost_ps[a * n + b];
	}
	return cost;
}

static uint64_t brute_force(const struct placement_problem *problem, bool may_move)
{
	uint32_t nr_states = 1;
	uint64_t *now, *next, best = IMPOSSIBLE;

	for (uint64_t i = 0; i < problem->nr_lives; i++)
		nr_states *= problem->nr_tiers;
	now = calloc(nr_states, sizeof(*now));
	next = calloc(nr_states, sizeof(*next));
	for (uint32_t slot = 0; slot < problem->nr_slots; slot++) {
		for (uint32_t to = 0; to < nr_states; to++) {
			uint64_t here = slot_cost(problem, slot, to);

			next[to] = IMPOSSIBLE;
			for (uint32_t from = 0; here != IMPOSSIBLE && from < nr_states; from++) {
				uint64_t change;

				if (now[from] == IMPOSSIBLE)
					continue;
				change = slot ? change_cost(problem, slot, from, to, may_move) : 0;
				if (change != IMPOSSIBLE)
					next[to] = MIN(next[to], now[from] + here + change);
			}
		}
		memcpy(now, next, nr_states * sizeof(*now));
	}
	for (uint32_t state = 0; state < nr_states; state++)
		best = MIN(best, now[state]);
	free(now);
	free(next);
	return best;
}

static void check_solution(const struct placement_problem *problem,
			   const struct placement_solution *solution, uint64_t optimum, bool exact)
{
	uint64_t cost = 0;

	assert_int_equal(placement_cost(problem, solution, &cost, NULL), 0);
	assert_int_equal(cost, solution->upper_ps);
	assert_true(solution->lower_ps <= optimum);
	assert_true(optimum <= solution->upper_ps);
	assert_int_equal(solution->is_exact, solution->lower_ps == solution->upper_ps);
	if (exact)
		assert_int_equal(solution->upper_ps, optimum);
	if (exact)
		assert_true(solution->is_exact);
}

/* Returns how many answers were exact. */
static unsigned check_many(uint64_t seed, uint32_t nr_tiers, bool tight, unsigned nr)
{
	struct random random;
	unsigned nr_exact = 0;

	random_init(&random, seed);
	for (unsigned i = 0; i < nr; i++) {
		struct placement_problem *problem = random_problem(&random, nr_tiers, tight);
		struct placement_solution solution = { 0 };

		assert_true(placement_problem_is_valid(problem, NULL));
		assert_int_equal(placement_solve_optimal(problem, i % 3, &solution, NULL), 0);
		check_solution(problem, &solution, brute_force(problem, true), nr_tiers <= 2);
		nr_exact += solution.is_exact;
		placement_solution_fini(&solution);
		assert_int_equal(placement_solve_static(problem, &solution, NULL), 0);
		check_solution(problem, &solution, brute_force(problem, false), nr_tiers <= 2);
		placement_solution_fini(&solution);
		placement_problem_free(problem);
	}
	return nr_exact;
}

static void test_two_tiers_equal_brute_force(void **state)
{
	assert_int_equal(check_many(1, 2, false, NR_INSTANCES), NR_INSTANCES);
}

static void test_two_tight_tiers_equal_brute_force(void **state)
{
	assert_int_equal(check_many(2, 2, true, NR_INSTANCES), NR_INSTANCES);
}

static void test_three_tiers_enclose_brute_force(void **state)
{
	/* Most are exact all the same; a solver that got much worse would fail here. */
	assert_true(check_many(3, 3, false, NR_INSTANCES) >= NR_INSTANCES * 8 / 10);
	assert_true(check_many(4, 3, true, NR_INSTANCES) >= NR_INSTANCES / 2);
}

static void test_one_tier(void **state)
{
	assert_int_equal(check_many(5, 1, false, 50), 50);
}
