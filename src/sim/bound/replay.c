/* SPDX-License-Identifier: MIT */
/*
 * Plays a schedule through a cost account, epoch by epoch, as a simulation would: the same misses
 * on the nodes where the schedule has the pages, the same moves at the same ticks. The account then
 * adds what no bound can: epochs that bandwidth makes longer.
 *
 *     steps, in order --> each life's uses so far go to   misses[epoch][tier]
 *     epochs, in order --> moves of the epoch, its misses, close
 *
 * The linear part must come out as the schedule's cost to the picosecond; it is checked.
 *
 * O(uses + steps + epochs * tiers) time; 16 bytes per (epoch, tier), 5 per life.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/bound/builder.h"

#define UNBORN UINT8_MAX

struct misses {
	uint64_t loads, stores;
};

struct replay {
	const struct problem_builder *builder;
	const struct placement_problem *problem;
	struct cost_account *account;
	struct misses *misses; /* [epoch * nr_tiers + tier] */
	uint32_t *next_use;    /* [life] */
	uint8_t *tier;	       /* [life] */
};

static uint32_t epoch_of(const struct replay *replay, uint32_t slot)
{
	return replay->builder->slots[slot].epoch;
}

/* Uses of the life before `slot` happened where it is now. */
static void serve_until(struct replay *replay, uint32_t index, uint32_t slot)
{
	const struct placement_life *life = &replay->problem->lives[index];
	uint32_t n = replay->problem->nr_tiers, i = replay->next_use[index];

	for (; i < life->nr_uses; i++) {
		const struct placement_use *use = &replay->problem->uses[life->first_use + i];
		struct misses *misses;

		if (use->slot >= slot)
			break;
		misses = &replay->misses[(size_t)epoch_of(replay, use->slot) * n +
					 replay->tier[index]];
		misses->loads += use->loads;
		misses->stores += use->stores;
	}
	replay->next_use[index] = i;
}

static void serve_all(struct replay *replay, const struct placement_solution *solution)
{
	for (uint64_t i = 0; i < solution->nr_steps; i++) {
		const struct placement_step *step = &solution->steps[i];

		if (replay->tier[step->life] != UNBORN)
			serve_until(replay, step->life, step->slot);
		replay->tier[step->life] = (uint8_t)step->tier;
	}
	for (uint32_t life = 0; life < replay->problem->nr_lives; life++) {
		serve_until(replay, life, UINT32_MAX);
		replay->tier[life] = UNBORN; /* the second walk begins anew */
	}
}

static void move(struct replay *replay, const struct placement_step *step)
{
	const uint32_t *node = replay->builder->cost->order;
	uint8_t from = replay->tier[step->life];

	if (from != UNBORN)
		cost_account_move(replay->account, node[from], node[step->tier], 1);
	replay->tier[step->life] = (uint8_t)step->tier;
}

static void close_epoch(struct replay *replay, size_t epoch)
{
	uint32_t n = replay->problem->nr_tiers;

	for (uint32_t tier = 0; tier < n; tier++) {
		struct cost_node *node =
			&replay->account->epoch[replay->builder->cost->order[tier]];

		node->loads += replay->misses[epoch * n + tier].loads;
		node->stores += replay->misses[epoch * n + tier].stores;
	}
	cost_account_close(replay->account, replay->builder->epochs[epoch].compute_ns, NULL);
}

static void play(struct replay *replay, const struct placement_solution *solution)
{
	uint64_t at = 0;

	serve_all(replay, solution);
	for (size_t epoch = 0; epoch < replay->builder->nr_epochs.nr; epoch++) {
		for (; at < solution->nr_steps; at++) {
			if (epoch_of(replay, solution->steps[at].slot) > epoch)
				break;
			move(replay, &solution->steps[at]);
		}
		close_epoch(replay, epoch);
	}
}

int problem_builder_replay(struct problem_builder *builder, const struct placement_problem *problem,
			   const struct placement_solution *solution, struct cost_account *account,
			   struct printbuf *err)
{
	struct replay replay = { .builder = builder, .problem = problem, .account = account };
	size_t nr = builder->nr_epochs.nr * problem->nr_tiers + 1;
	uint64_t cost = 0;
	int error = placement_cost(problem, solution, &cost, err); /* walks no bad schedule */

	if (error)
		return error;
	replay.misses = calloc(nr, sizeof(*replay.misses));
	replay.next_use = calloc(problem->nr_lives + 1, sizeof(*replay.next_use));
	replay.tier = malloc(problem->nr_lives + 1);
	if (!replay.misses || !replay.next_use || !replay.tier) {
		error = error_set(err, -ENOMEM, "replay: out of memory for %zu epochs",
				  builder->nr_epochs.nr);
	} else {
		for (uint64_t i = 0; i < problem->nr_lives; i++)
			replay.tier[i] = UNBORN;
		play(&replay, solution);
		if (cost_account_linear_ps(account) != cost)
			error = error_set(err, -EPROTO,
					  "replay: the account says %llu ps, the schedule %llu; "
					  "please report this recording as a bug",
					  (unsigned long long)cost_account_linear_ps(account),
					  (unsigned long long)cost);
	}
	free(replay.misses);
	free(replay.next_use);
	free(replay.tier);
	return error;
}
