/* SPDX-License-Identifier: MIT */
/*
 * The modelled mover: each page of a move goes through the kernel's own migration, which may refuse
 * it, and costs what the cost model says. Done at once; results wait until they are collected. The
 * page-table entry is made anew, so a moved page is no longer armed for a hint fault.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/simulation.h"

static enum move_outcome outcome_of(int error)
{
	switch (error) {
	case 0:
		return MOVE_DONE;
	case -ENOENT:
		return MOVE_REFUSED_GONE;
	case -ENOSPC:
		return MOVE_REFUSED_FULL;
	case -EALREADY:
		return MOVE_REFUSED_THERE;
	case -EPERM:
		return MOVE_REFUSED_DENIED;
	default:
		return MOVE_REFUSED_BUSY;
	}
}

static bool continues(const struct move_result *last, const struct move_result *next)
{
	return last->space == next->space && last->page + last->nr_pages == next->page &&
	       last->from == next->from && last->to == next->to && last->node == next->node &&
	       last->outcome == next->outcome;
}

static int push_result(struct simulation *simulation, const struct move_result *result)
{
	if (simulation->nr_results > simulation->results_at) {
		struct move_result *last = &simulation->results[simulation->nr_results - 1];
		if (continues(last, result)) {
			last->nr_pages += result->nr_pages;
			return 0;
		}
	}
	if (simulation->nr_results == simulation->max_results) {
		size_t max = simulation->max_results ? simulation->max_results * 2 : 256;
		struct move_result *results = realloc(simulation->results, max * sizeof(*results));
		if (!results)
			return -ENOMEM;
		simulation->results = results;
		simulation->max_results = max;
	}
	simulation->results[simulation->nr_results++] = *result;
	return 0;
}

static int move_page(struct simulation *simulation, const struct plan_move *move, uint64_t page)
{
	struct kernel *kernel = simulation->kernel;
	struct move_result result = {
		.page = page,
		.nr_pages = 1,
		.space = move->space,
		.from = PLAN_NODE_ANY,
		.to = move->to,
		.node = PLAN_NODE_ANY,
		.outcome = MOVE_REFUSED_GONE,
	};
	uint32_t number = stage_find(simulation->stage, move->space, page);
	if (number < kernel->nr_pages && kernel->pages[number].node != KERNEL_NOWHERE) {
		result.from = kernel->pages[number].node;
		result.outcome = (uint8_t)outcome_of(kernel_migrate(kernel, number, move->to));
		result.node = kernel->pages[number].node;
		if (result.outcome == MOVE_DONE)
			kernel->pages[number].bits &= (uint8_t)~KERNEL_HINT;
	}
	return push_result(simulation, &result);
}

static int submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct simulation *simulation = mover;
	int error = 0;
	(void)now_ns;
	for (uint32_t i = 0; i < nr; i++) {
		for (uint64_t j = 0; j < moves[i].nr_pages && !error; j++)
			error = move_page(simulation, &moves[i], moves[i].page + j);
		if (error)
			return error;
	}
	return (int)nr;
}

static int complete(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct simulation *simulation = mover;
	size_t nr = MIN(simulation->nr_results - simulation->results_at, (size_t)max);
	(void)now_ns;
	if (nr > 0)
		memcpy(results, simulation->results + simulation->results_at,
		       nr * sizeof(*results));
	simulation->results_at += nr;
	if (simulation->results_at == simulation->nr_results)
		simulation->results_at = simulation->nr_results = 0;
	return (int)nr;
}

const struct mover_ops simulation_mover = {
	.name = "model",
	.summary = "the modelled kernel's own migration, page by page",
	.submit = submit,
	.complete = complete,
};
