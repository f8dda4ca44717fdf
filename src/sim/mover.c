/* SPDX-License-Identifier: MIT */
/*
 * The modelled mover: each page of a move goes through the kernel's own migration, which may refuse
 * it, and costs what the cost model says. Done at once; results wait until they are collected. The
 * page-table entry is made anew, so a moved page is no longer armed for a hint fault.
 *
 * A page of a large folio takes all of the folio along, unless the move says is_split: then the
 * folio is split first. Results tell of the pages that the move named, where they are afterwards:
 * without room for a whole folio the kernel splits it and moves what fits.
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

static struct move_result result_of(const struct plan_move *move, uint64_t page, uint64_t nr_pages)
{
	return (struct move_result){
		.page = page,
		.nr_pages = nr_pages,
		.space = move->space,
		.from = PLAN_NODE_ANY,
		.to = move->to,
		.node = PLAN_NODE_ANY,
		.outcome = MOVE_REFUSED_GONE,
	};
}

/* UINT32_MAX: not in memory. */
static uint32_t number_of(const struct simulation *simulation, uint32_t space, uint64_t page)
{
	const struct kernel *kernel = simulation->kernel;
	uint32_t number = stage_find(simulation->stage, space, page);
	bool is_here = number < kernel->nr_pages && kernel->pages[number].node != KERNEL_NOWHERE;
	return is_here ? number : UINT32_MAX;
}

static int move_page(struct simulation *simulation, const struct plan_move *move, uint64_t page)
{
	struct kernel *kernel = simulation->kernel;
	struct move_result result = result_of(move, page, 1);
	uint32_t number = number_of(simulation, move->space, page);
	if (number != UINT32_MAX) {
		result.from = kernel->pages[number].node;
		kernel->why = move->why;
		result.outcome = (uint8_t)outcome_of(kernel_migrate(kernel, number, move->to));
		result.node = kernel->pages[number].node;
		if (result.outcome == MOVE_DONE)
			kernel->pages[number].bits &= (uint8_t)~KERNEL_HINT;
	}
	return push_result(simulation, &result);
}

/* What became of a page of a folio that was split on the way. */
static int report_piece(struct simulation *simulation, const struct plan_move *move, uint64_t page,
			uint32_t from)
{
	struct move_result result = result_of(move, page, 1);
	uint32_t number = number_of(simulation, move->space, page);
	if (number != UINT32_MAX) {
		result.from = from;
		result.node = simulation->kernel->pages[number].node;
		result.outcome = result.node == move->to ? MOVE_DONE : MOVE_REFUSED_FULL;
	}
	return push_result(simulation, &result);
}

static uint32_t any_number(const struct kernel_folio *folio)
{
	uint32_t number = UINT32_MAX;
	for (uint64_t i = 0; i < folio->nr_pages && number == UINT32_MAX; i++)
		number = folio->numbers[i];
	return number;
}

/* Moves the folio that lies under [page, page + nr_pages) of the move. */
static int move_folio(struct simulation *simulation, const struct plan_move *move, uint64_t page,
		      uint64_t nr_pages, const struct kernel_folio *folio)
{
	struct kernel *kernel = simulation->kernel;
	struct move_result result = result_of(move, page, nr_pages);
	uint32_t number = any_number(folio);
	kernel->why = move->why;
	int error = number == UINT32_MAX ? -ENOENT : kernel_migrate(kernel, number, move->to);
	result.from = folio->node;
	result.node = error ? folio->node : move->to;
	result.outcome = (uint8_t)outcome_of(error);
	if (number == UINT32_MAX || kernel->pages[number].order > 0)
		return push_result(simulation, &result);
	for (uint64_t i = 0; i < nr_pages; i++) {
		error = report_piece(simulation, move, page + i, result.from);
		if (error)
			return error;
	}
	return 0;
}

/* Moves at least the first of these pages. Returns how many were dealt with, or negative errno. */
static int64_t move_some(struct simulation *simulation, const struct plan_move *move, uint64_t page,
			 uint64_t nr_pages)
{
	struct kernel *kernel = simulation->kernel;
	struct kernel_folio folio;
	bool is_large = kernel_folio_at(kernel, move->space, page, &folio);
	int error = 0;
	if (is_large && move->is_split) {
		uint32_t number = any_number(&folio);
		is_large = false;
		if (number != UINT32_MAX)
			kernel_split(kernel, number);
	}
	if (!is_large) {
		error = move_page(simulation, move, page);
		return error ? error : 1;
	}
	nr_pages = MIN(nr_pages, folio.page + folio.nr_pages - page);
	error = move_folio(simulation, move, page, nr_pages, &folio);
	return error ? error : (int64_t)nr_pages;
}

static int submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct simulation *simulation = mover;
	(void)now_ns;
	for (uint32_t i = 0; i < nr; i++) {
		for (uint64_t j = 0; j < moves[i].nr_pages;) {
			int64_t done = move_some(simulation, &moves[i], moves[i].page + j,
						 moves[i].nr_pages - j);
			if (done < 0)
				return (int)done;
			j += (uint64_t)done;
		}
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
