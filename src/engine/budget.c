/* SPDX-License-Identifier: MIT */
/*
 * Budgets: what of a plan may be done now.
 *
 * One pass over the plan in its own order with two running figures: pages still allowed by the
 * rate, and pages of fast memory that each job would have by then. A promotion is cut where that
 * figure would pass the cap, a demotion where it would fall below the floor. What is cut spends
 * nothing, so a later move of the other kind may still go ahead. Folios are cut whole: the mover
 * could not move a part of one.
 *
 * The bucket holds what one burst earns, but at least one folio of 2 MiB, so that a small rate
 * makes it wait and not stay for ever. Pages that the mover did not move are given back.
 */
#include "engine/budget.h"

#define LEAST_SAVED_BYTES (2 * MIB)

static uint64_t most_saved(const struct engine_budget *budget)
{
	uint64_t burst_ns = budget->burst_ns ? budget->burst_ns : NS_PER_S;
	unsigned __int128 most = (unsigned __int128)budget->bytes_per_s * burst_ns / NS_PER_S;
	return (uint64_t)MIN(MAX(most, LEAST_SAVED_BYTES), UINT64_MAX);
}

void token_bucket_refill(struct token_bucket *bucket, const struct engine_budget *budget,
			 uint64_t now_ns)
{
	uint64_t passed_ns = bucket->started ? now_ns - bucket->last_ns : 0;
	bucket->started = true;
	bucket->last_ns = now_ns;
	if (budget->bytes_per_s == UINT64_MAX)
		return;
	unsigned __int128 earned = (unsigned __int128)budget->bytes_per_s * passed_ns +
				   bucket->remainder_ns;
	unsigned __int128 bytes = bucket->bytes + earned / NS_PER_S;
	bucket->remainder_ns = (uint64_t)(earned % NS_PER_S);
	bucket->bytes = (uint64_t)MIN(bytes, most_saved(budget));
}

uint64_t token_bucket_pages(const struct token_bucket *bucket, const struct engine_budget *budget,
			    uint32_t page_bytes)
{
	uint64_t by_moves = budget->max_moves ? budget->max_moves : PLAN_MOVES_MAX;
	if (budget->bytes_per_s == UINT64_MAX)
		return by_moves;
	return MIN(by_moves, bucket->bytes / page_bytes);
}

void token_bucket_spend(struct token_bucket *bucket, const struct engine_budget *budget,
			uint64_t bytes)
{
	if (budget->bytes_per_s != UINT64_MAX)
		bucket->bytes -= MIN(bytes, bucket->bytes);
}

void token_bucket_refund(struct token_bucket *bucket, const struct engine_budget *budget,
			 uint64_t bytes)
{
	uint64_t most = most_saved(budget);
	if (budget->bytes_per_s != UINT64_MAX && bucket->bytes < most)
		bucket->bytes += MIN(bytes, most - bucket->bytes);
}

static bool node_is_fast(const struct machine *machine, uint32_t node)
{
	return node < machine->nr_nodes && machine->nodes[node].tier == 0;
}

struct running {       /* figures while a plan is gone through */
	uint64_t left; /* pages the rate still allows */
	const struct policy_view *view;
	uint64_t fast[ENGINE_JOBS_MAX]; /* pages each job has in fast memory by now */
};

static uint32_t job_of(const struct policy_view *view, uint32_t space)
{
	uint32_t job = space < view->nr_spaces ? view->job_of[space] : 0;
	return job < view->nr_jobs ? job : 0;
}

/* Whole folios of `pages`; a range that ends within one ends it. */
static uint64_t whole_folios(const struct plan_move *move, uint64_t pages)
{
	uint64_t size = UINT64_C(1) << MIN(move->order, 63);
	return pages == move->nr_pages ? pages : pages - pages % size;
}

/* Pages of `move` that fit; spends them. */
static uint64_t allowed_pages(const struct plan_move *move, const struct machine *machine,
			      struct running *running)
{
	bool to_fast = node_is_fast(machine, move->to);
	/* An unknown origin counts as the one that could break a budget. */
	bool from_fast = move->from == PLAN_NODE_ANY ? !to_fast : node_is_fast(machine, move->from);
	uint64_t pages = MIN(move->nr_pages, running->left);
	uint32_t index = job_of(running->view, move->space);
	const struct policy_job *job = &running->view->jobs[index];
	uint64_t *fast = &running->fast[index];
	if (to_fast && !from_fast) {
		uint64_t room = job->cap_pages > *fast ? job->cap_pages - *fast : 0;
		pages = whole_folios(move, job->is_left_alone ? 0 : MIN(pages, room));
		*fast += MIN(pages, UINT64_MAX - *fast);
	} else if (!to_fast && from_fast) {
		uint64_t room = *fast > job->floor_pages ? *fast - job->floor_pages : 0;
		pages = whole_folios(move, MIN(pages, room));
		*fast -= pages;
	}
	pages = whole_folios(move, pages);
	running->left -= pages;
	return pages;
}

uint64_t budget_cut(struct plan *plan, const struct machine *machine,
		    const struct policy_view *view,
		    void (*tell_dropped)(void *context, const struct plan_move *dropped),
		    void *context)
{
	struct running running = { .left = view->budget_pages, .view = view };
	for (uint32_t i = 0; i < MIN(view->nr_jobs, ENGINE_JOBS_MAX); i++)
		running.fast[i] = view->jobs[i].fast_pages;
	uint64_t nr_dropped = 0;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < plan->nr; i++) {
		struct plan_move move = plan->moves[i];
		uint64_t pages = allowed_pages(&move, machine, &running);
		struct plan_move rest = move;
		rest.page += pages;
		rest.nr_pages -= pages;
		if (rest.nr_pages > 0)
			tell_dropped(context, &rest);
		nr_dropped += rest.nr_pages;
		move.nr_pages = pages;
		if (pages > 0)
			plan->moves[kept++] = move;
	}
	plan_cut(plan, kept);
	return nr_dropped;
}
