/* SPDX-License-Identifier: MIT */
/*
 * bench_optimal: how long the best placement takes to find, and how far apart its two figures are.
 *
 * Problems of growing size made of what programs do: pages of unlike heat (a power law), working
 * sets that change with phases, allocations that live short, and idle pages; two tiers, the fast
 * one a quarter of the pages. Limit: a certified gap of at most 1 %; the method beside it says
 * whether the figure is exact (min-cost flow). Curves trade the gap for time: theirs has no limit.
 *
 *     bench_optimal [NR_USES]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "bench.h"
#include "sim/bound/curve.h"

#define NR_PHASES 7
#define MOST_GAP  1.0 /* percent */

/* Loads of a page in a slot: its heat in this phase, with noise; 0 most of the time. */
static uint32_t draw_loads(struct random *random, uint64_t page, uint32_t slot, uint32_t nr_slots)
{
	uint64_t phase = (uint64_t)slot * NR_PHASES / nr_slots;
	uint64_t rank = (page * 2654435761u + phase / 2 * 40503u) % 64;

	if (random_below(random, 4 + rank))
		return 0;
	return 1 + (uint32_t)random_below(random, 400 / (1 + rank));
}

static void draw_life(struct placement_problem *problem, uint64_t index, struct random *random)
{
	struct placement_life *life = &problem->lives[index];
	uint32_t n = problem->nr_slots;

	life->page = (uint32_t)index;
	life->last_slot = n - 1;
	if (random_below(random, 3) == 0) {
		uint32_t length = 1 + (uint32_t)random_below(random, n);

		life->first_slot = (uint32_t)random_below(random, n);
		life->last_slot = MIN(n, life->first_slot + length) - 1;
	}
	life->first_use = (uint32_t)problem->nr_uses;
	for (uint32_t slot = life->first_slot; slot <= life->last_slot; slot++) {
		uint32_t loads = draw_loads(random, index, slot, n);

		if (loads)
			problem->uses[problem->nr_uses++] = (struct placement_use){
				slot, loads, (uint32_t)random_below(random, loads)
			};
	}
	life->nr_uses = (uint32_t)problem->nr_uses - life->first_use;
}

static struct placement_problem *make(uint64_t nr_uses, uint32_t nr_slots, uint32_t nr_tiers)
{
	uint64_t nr_lives = nr_uses * 25 / nr_slots + 8;
	struct placement_problem *problem = placement_problem_new(nr_tiers, nr_slots, nr_lives,
								  nr_lives * nr_slots);
	struct random random;

	if (!problem)
		return NULL;
	random_init(&random, nr_uses);
	problem->nr_uses = 0;
	for (uint32_t slot = 0; slot < nr_slots; slot++)
		problem->movable[slot] = 1;
	for (uint64_t i = 0; i < nr_lives; i++)
		draw_life(problem, i, &random);
	for (uint32_t tier = 0; tier < nr_tiers; tier++) {
		problem->capacity_pages[tier] = tier + 1 < nr_tiers ? nr_lives / 4 / (tier + 1)
								    : nr_lives;
		problem->load_cost_ps[tier] = 20000 + 40000 * tier;
		problem->store_cost_ps[tier] = 20000 + 50000 * tier;
		for (uint32_t to = 0; to < nr_tiers; to++)
			problem->move_cost_ps[tier * nr_tiers + to] =
				to == tier ? 0 : 2000000 + 100000 * to;
	}
	return problem;
}

/* Whether the gap is small enough. */
static bool run(uint64_t nr_uses, uint32_t nr_slots, uint32_t nr_tiers, unsigned effort)
{
	struct placement_problem *problem = make(nr_uses, nr_slots, nr_tiers);
	struct placement_solution solution = { 0 };
	double start = bench_cpu_s();
	PRINTBUF(name);
	PRINTBUF(err);

	if (!problem || placement_solve_optimal(problem, effort, &solution, &err)) {
		fprintf(stderr, "bench_optimal: %s\n", printbuf_str(&err));
		exit(1);
	}
	prt_printf(&name, "optimal, %llu uses, %u slots, %u tiers, effort %u: gap",
		   (unsigned long long)problem->nr_uses, nr_slots, nr_tiers, effort);
	double gap = (double)(solution.upper_ps - solution.lower_ps) / (double)solution.upper_ps;
	double took = bench_cpu_s() - start;
	bool good = bench_judge(printbuf_str(&name), 100 * gap, " %", BENCH_AT_MOST, MOST_GAP);
	bench_remark("%s, CPU time %.2f s", solution.method, took);
	placement_solution_fini(&solution);
	placement_problem_free(problem);
	return good;
}

#define NR_POINTS 20

static double gap_of(const struct placement_range *range)
{
	return (double)range->upper_ps - (double)range->lower_ps;
}

static void run_curve(uint64_t nr_uses, unsigned effort)
{
	struct placement_problem *problem = make(nr_uses, 500, 2);
	struct placement_point points[NR_POINTS];
	uint64_t capacities[NR_POINTS];
	double start = bench_cpu_s(), worst_optimal = 0, worst_static = 0;
	PRINTBUF(name);
	PRINTBUF(err);

	for (uint64_t i = 0; problem && i < NR_POINTS; i++)
		capacities[i] = (i + 1) * problem->nr_lives / NR_POINTS;
	if (!problem || placement_curve(problem, capacities, NR_POINTS, effort, points, &err)) {
		fprintf(stderr, "bench_optimal: %s\n", printbuf_str(&err));
		exit(1);
	}
	double took = bench_cpu_s() - start;
	double percent = 100 / (double)placement_cost_all_in(problem, 0);
	for (unsigned i = 0; i < NR_POINTS; i++) {
		worst_optimal = MAX(worst_optimal, gap_of(&points[i].optimal));
		worst_static = MAX(worst_static, gap_of(&points[i].static_best));
	}
	prt_printf(&name, "curve of %d points, %llu uses, effort %u: CPU time", NR_POINTS,
		   (unsigned long long)problem->nr_uses, effort);
	bench_tell(printbuf_str(&name), took, " s");
	bench_remark("worst gap in percent of all in the fastest tier: optimal %.3f, static %.3f",
		     worst_optimal * percent, worst_static * percent);
	placement_problem_free(problem);
}

int main(int argc, char **argv)
{
	static const uint64_t sizes[] = { 10000, 100000, 1000000 };
	uint64_t only = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (only && sizes[i] != only)
			continue;
		for (unsigned effort = 0; effort < 2; effort++) {
			good &= run(sizes[i], 500, 2, effort);
			good &= run(sizes[i], 500, 3, effort);
		}
		good &= run(sizes[i], 5000, 2, 1);
		run_curve(sizes[i], 0);
		run_curve(sizes[i], 1);
	}
	return !good;
}
