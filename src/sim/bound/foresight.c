/* SPDX-License-Identifier: MIT */
/* A policy that is never wrong within its horizon; foresight.h has the picture. */
#include "sim/bound/foresight.h"

#include <stdlib.h>

#include "base/error.h"

enum state { FAST, SLOW, UNBORN, RESERVED, DEAD }; /* the first two are tiers */

struct page {		      /* of one life */
	uint64_t saved_ps;    /* by its uses within the window, in fast memory */
	uint32_t first, last; /* the window's, into its uses */
	uint8_t state;
};

struct item {
	uint64_t key;
	uint32_t life;
};

struct foresight {
	const struct placement_problem *problem;
	struct page *pages;  /* [life] */
	uint32_t *births;    /* lives by their first slot */
	struct item *deaths; /* lives by their last slot */
	struct item *slow, *fast;
	uint32_t *alive;
	uint64_t nr_alive, nr_born, nr_dead, nr_fast;
	struct placement_step *steps;
	uint64_t nr_steps, max_steps;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *left = a, *right = b;
	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return left->life < right->life ? -1 : left->life > right->life;
}

static int compare_items_down(const void *a, const void *b)
{
	return compare_items(b, a);
}

static int compare_steps(const void *a, const void *b)
{
	const struct placement_step *left = a, *right = b;
	if (left->slot != right->slot)
		return left->slot < right->slot ? -1 : 1;
	return left->life < right->life ? -1 : left->life > right->life;
}

static uint64_t saved_by(const struct placement_problem *problem, const struct placement_use *use)
{
	uint64_t slow = placement_use_cost(problem, use, SLOW);
	uint64_t fast = placement_use_cost(problem, use, FAST);
	return slow > fast ? slow - fast : 0;
}

/* What the uses in slots [from, to) save; both never go back. */
static uint64_t look_ahead(struct foresight *foresight, uint32_t id, uint32_t from, uint32_t to)
{
	const struct placement_life *life = &foresight->problem->lives[id];
	const struct placement_use *uses = &foresight->problem->uses[life->first_use];
	struct page *page = &foresight->pages[id];
	while (page->last < life->nr_uses && uses[page->last].slot < to)
		page->saved_ps += saved_by(foresight->problem, &uses[page->last++]);
	while (page->first < page->last && uses[page->first].slot < from)
		page->saved_ps -= saved_by(foresight->problem, &uses[page->first++]);
	return page->saved_ps;
}

static int add_step(struct foresight *foresight, uint32_t life, uint32_t slot, enum state tier)
{
	if (foresight->nr_steps == foresight->max_steps) {
		uint64_t max = MAX(foresight->max_steps * 2, 4096);
		struct placement_step *steps = realloc(foresight->steps, max * sizeof(*steps));
		if (!steps)
			return -ENOMEM;
		foresight->steps = steps;
		foresight->max_steps = max;
	}
	foresight->steps[foresight->nr_steps++] = (struct placement_step){ life, slot, tier };
	foresight->pages[life].state = (uint8_t)tier;
	return 0;
}

/* Most saved first, into free memory or in the place of what saves least. Keys of slow[] are less
 * the move up. */
static int exchange(struct foresight *foresight, uint32_t slot, uint64_t nr_slow, uint64_t nr_fast)
{
	const struct placement_problem *problem = foresight->problem;
	uint64_t down_ps = problem->move_cost_ps[FAST * 2 + SLOW], next = 0;
	int error = 0;
	qsort(foresight->slow, nr_slow, sizeof(*foresight->slow), compare_items_down);
	qsort(foresight->fast, nr_fast, sizeof(*foresight->fast), compare_items);
	for (uint64_t i = 0; i < nr_slow && !error; i++) {
		uint32_t id = foresight->slow[i].life;
		if (foresight->nr_fast >= problem->capacity_pages[FAST]) {
			const struct item *victim = &foresight->fast[next++];
			if (next > nr_fast || foresight->slow[i].key <= victim->key + down_ps)
				break;
			error = add_step(foresight, victim->life, slot, SLOW);
			foresight->nr_fast--;
		}
		if (error)
			break;
		if (foresight->pages[id].state == SLOW)
			error = add_step(foresight, id, slot, FAST);
		else
			foresight->pages[id].state = RESERVED;
		foresight->nr_fast++;
	}
	return error;
}

/* The uses of [slot, end) are known; `next` is the next chance to move. */
static int decide(struct foresight *foresight, uint32_t slot, uint32_t end, uint32_t next)
{
	const struct placement_problem *problem = foresight->problem;
	uint64_t up_ps = problem->move_cost_ps[SLOW * 2 + FAST];
	uint64_t nr_slow = 0, nr_fast = 0, nr_kept = 0;
	for (uint64_t i = 0; i < foresight->nr_alive; i++) {
		uint32_t id = foresight->alive[i];
		if (foresight->pages[id].state == DEAD)
			continue;
		foresight->alive[nr_kept++] = id;
		uint64_t saved_ps = look_ahead(foresight, id, slot, end);
		if (foresight->pages[id].state == FAST)
			foresight->fast[nr_fast++] = (struct item){ saved_ps, id };
		else if (saved_ps > up_ps)
			foresight->slow[nr_slow++] = (struct item){ saved_ps - up_ps, id };
	}
	foresight->nr_alive = nr_kept;
	for (uint64_t i = foresight->nr_born; i < problem->nr_lives; i++) {
		uint32_t id = foresight->births[i];
		if (problem->lives[id].first_slot >= next)
			break;
		uint64_t saved_ps = look_ahead(foresight, id, slot, end);
		if (saved_ps > 0)
			foresight->slow[nr_slow++] = (struct item){ saved_ps, id };
	}
	return exchange(foresight, slot, nr_slow, nr_fast);
}

static void bury(struct foresight *foresight, uint32_t slot)
{
	while (foresight->nr_dead < foresight->problem->nr_lives &&
	       foresight->deaths[foresight->nr_dead].key < slot) {
		struct page *page = &foresight->pages[foresight->deaths[foresight->nr_dead++].life];
		foresight->nr_fast -= page->state == FAST;
		page->state = DEAD;
	}
}

static int bear(struct foresight *foresight, uint32_t slot)
{
	const struct placement_problem *problem = foresight->problem;
	int error = 0;
	while (!error && foresight->nr_born < problem->nr_lives) {
		uint32_t id = foresight->births[foresight->nr_born];
		if (problem->lives[id].first_slot != slot)
			break;
		bool is_fast = foresight->pages[id].state == RESERVED;
		if (!is_fast && foresight->nr_fast < problem->capacity_pages[FAST]) {
			is_fast = true;
			foresight->nr_fast++;
		}
		error = add_step(foresight, id, slot, is_fast ? FAST : SLOW);
		foresight->alive[foresight->nr_alive++] = id;
		foresight->nr_born++;
	}
	return error;
}

static uint32_t next_movable(const struct placement_problem *problem, uint32_t slot)
{
	do {
		slot++;
	} while (slot < problem->nr_slots && !problem->movable[slot]);
	return MIN(slot, problem->nr_slots);
}

static int play(struct foresight *foresight, uint32_t horizon)
{
	const struct placement_problem *problem = foresight->problem;
	uint32_t end = 0;
	int error = 0;
	for (uint32_t i = 0; i < horizon && end < problem->nr_slots; i++)
		end = next_movable(problem, end);
	for (uint32_t slot = 0; slot < problem->nr_slots && !error; slot++) {
		bury(foresight, slot);
		if (problem->movable[slot]) {
			error = decide(foresight, slot, end, next_movable(problem, slot));
			end = end < problem->nr_slots ? next_movable(problem, end) : end;
		}
		if (!error)
			error = bear(foresight, slot);
	}
	return error;
}

static void fini(struct foresight *foresight)
{
	free(foresight->pages);
	free(foresight->births);
	free(foresight->deaths);
	free(foresight->slow);
	free(foresight->fast);
	free(foresight->alive);
	free(foresight->steps);
}

static int init(struct foresight *foresight, const struct placement_problem *problem)
{
	uint64_t nr = problem->nr_lives;
	*foresight = (struct foresight){ .problem = problem };
	foresight->pages = calloc(nr + 1, sizeof(*foresight->pages));
	foresight->births = calloc(nr + 1, sizeof(*foresight->births));
	foresight->deaths = calloc(nr + 1, sizeof(*foresight->deaths));
	foresight->slow = calloc(nr + 1, sizeof(*foresight->slow));
	foresight->fast = calloc(nr + 1, sizeof(*foresight->fast));
	foresight->alive = calloc(nr + 1, sizeof(*foresight->alive));
	if (!foresight->pages || !foresight->births || !foresight->deaths || !foresight->slow ||
	    !foresight->fast || !foresight->alive)
		return -ENOMEM;
	for (uint64_t i = 0; i < nr; i++) {
		foresight->pages[i].state = UNBORN;
		foresight->slow[i] = (struct item){ problem->lives[i].first_slot, (uint32_t)i };
		foresight->deaths[i] = (struct item){ problem->lives[i].last_slot, (uint32_t)i };
	}
	qsort(foresight->slow, nr, sizeof(*foresight->slow), compare_items);
	qsort(foresight->deaths, nr, sizeof(*foresight->deaths), compare_items);
	for (uint64_t i = 0; i < nr; i++)
		foresight->births[i] = foresight->slow[i].life;
	return 0;
}

int placement_solve_foresight(const struct placement_problem *problem, uint32_t horizon,
			      struct placement_solution *ret, struct printbuf *err)
{
	struct foresight foresight;
	uint64_t cost_ps;
	if (!placement_problem_is_valid(problem, err))
		return -EINVAL;
	if (problem->nr_tiers != 2)
		return error_set(err, -EOPNOTSUPP,
				 "foresight: it knows machines of two tiers, this one has %u; take "
				 "`optimal`",
				 problem->nr_tiers);
	int error = init(&foresight, problem);
	if (!error)
		error = play(&foresight, MAX(horizon, 1));
	if (error) {
		fini(&foresight);
		return error_set(err, error, "foresight: out of memory");
	}
	qsort(foresight.steps, foresight.nr_steps, sizeof(*foresight.steps), compare_steps);
	struct placement_solution solution = { .method = "foresight",
					       .steps = foresight.steps,
					       .nr_steps = foresight.nr_steps };
	error = placement_cost(problem, &solution, &cost_ps, err);
	if (!error) {
		solution.upper_ps = cost_ps;
		*ret = solution;
		foresight.steps = NULL;
	}
	fini(&foresight);
	return error;
}
