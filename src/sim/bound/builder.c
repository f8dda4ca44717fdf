/* SPDX-License-Identifier: MIT */
/*
 * The placement problem of a recording, and the replay of a schedule.
 *
 * One pass, as a consumer of the decode stage:
 *
 *     page number --> life now (or none) --> its use in this tick (an index into the log)
 *
 *     log:   life, loads, stores | life, loads, stores | ...     in order of time
 *     slots: first entry of the log, epoch, movable
 *
 * All misses of a life in one tick are one entry, in the slot of its first miss there: the page
 * cannot move within a tick, so it does not matter where in the tick they fall. At the end the log
 * is sorted by life (counting sort, stable) into the problem's uses.
 *
 * Ticks in which nothing was born, died or missed begin no slot.
 *
 * Bytes: 12 per (page, tick) with misses, twice that while the log is sorted; 12 per page number;
 * 20 per life; 9 per slot; 16 per epoch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/bound/builder.h"

#define NONE UINT32_MAX

static int array_add(void **items, struct array *array, size_t item_bytes, struct printbuf *err)
{
	if (array->nr == array->max) {
		size_t max = array->max ? array->max + array->max / 2 : 256;
		void *grown = realloc(*items, max * item_bytes);

		if (!grown)
			return error_set(err, -ENOMEM,
					 "optimal: out of memory for the misses of each page; use "
					 "a shorter recording or a longer tick");
		*items = grown;
		array->max = max;
	}
	array->nr++;
	return 0;
}

struct problem_builder *problem_builder_free(struct problem_builder *builder)
{
	if (!builder)
		return NULL;
	free(builder->pages);
	free(builder->log);
	free(builder->slots);
	free(builder->epochs);
	free(builder->lives);
	free(builder->movable);
	placement_problem_free(builder->problem);
	free(builder);
	return NULL;
}

static int begin_slot(struct problem_builder *builder, bool movable, struct printbuf *err)
{
	int error;

	if (builder->nr_slots.nr >= PLACEMENT_MAX_SLOTS)
		return error_set(err, -E2BIG,
				 "optimal: more than %u moments to decide at; use a "
				 "shorter recording or a longer tick",
				 PLACEMENT_MAX_SLOTS);
	error = array_add((void **)&builder->slots, &builder->nr_slots, sizeof(*builder->slots),
			  err);
	if (!error)
		error = array_add((void **)&builder->movable, &builder->nr_movable, 1, err);
	if (error)
		return error;
	builder->movable[builder->nr_movable.nr - 1] = movable;
	builder->slots[builder->nr_slots.nr - 1] = (struct slot_state){
		(uint32_t)builder->nr_log.nr, (uint32_t)builder->nr_epochs.nr
	};
	builder->died_in_slot = false;
	builder->something_came = false;
	return 0;
}

int problem_builder_new(const struct cost_model *cost, struct problem_builder **ret)
{
	struct problem_builder *builder;
	int error;

	if (cost->nr_order > PLACEMENT_MAX_TIERS)
		return -E2BIG;
	builder = calloc(1, sizeof(*builder));
	if (!builder)
		return -ENOMEM;
	builder->cost = cost;
	error = begin_slot(builder, true, NULL);
	if (error) {
		problem_builder_free(builder);
		return error;
	}
	*ret = builder;
	return 0;
}

static uint32_t slot_now(const struct problem_builder *builder)
{
	return (uint32_t)builder->nr_slots.nr - 1;
}

static int builder_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct problem_builder *builder = context;
	struct page_state *pages = realloc(builder->pages, (size_t)nr_pages * sizeof(*pages));

	if (!pages)
		return error_set(err, -ENOMEM, "optimal: out of memory for %u pages", nr_pages);
	builder->pages = pages;
	for (uint32_t i = builder->nr_pages; i < nr_pages; i++)
		pages[i] = (struct page_state){ NONE, NONE, NONE };
	builder->nr_pages = nr_pages;
	return 0;
}

static int bear(struct problem_builder *builder, uint32_t page, struct printbuf *err)
{
	int error = 0;

	if (builder->nr_lives.nr >= PLACEMENT_MAX_LIVES)
		return error_set(err, -E2BIG,
				 "optimal: more than a billion pages were born; use a "
				 "shorter recording");
	if (builder->died_in_slot)
		error = begin_slot(builder, false, err);
	if (!error)
		error = array_add((void **)&builder->lives, &builder->nr_lives,
				  sizeof(*builder->lives), err);
	if (error)
		return error;
	builder->lives[builder->nr_lives.nr - 1] = (struct placement_life){
		.page = page, .first_slot = slot_now(builder), .last_slot = NONE
	};
	builder->pages[page].life = (uint32_t)builder->nr_lives.nr - 1;
	builder->pages[page].tick = NONE;
	builder->something_came = true;
	return 0;
}

/* The log's entry for this page in this tick, new when it has none. */
static int find_entry(struct problem_builder *builder, uint32_t page, struct log_entry **ret,
		      struct printbuf *err)
{
	struct page_state *state = &builder->pages[page];
	uint32_t tick = (uint32_t)builder->nr_epochs.nr;

	if (state->tick != tick) {
		int error;

		if (builder->nr_log.nr >= NONE)
			return error_set(err, -E2BIG,
					 "optimal: more than four billion uses; use a shorter "
					 "recording or a longer tick");
		error = array_add((void **)&builder->log, &builder->nr_log, sizeof(*builder->log),
				  err);
		if (error)
			return error;
		state->entry = (uint32_t)builder->nr_log.nr - 1;
		state->tick = tick;
		builder->log[state->entry] = (struct log_entry){ .life = state->life };
		builder->something_came = true;
	}
	*ret = &builder->log[state->entry];
	return 0;
}

static int add_misses(struct problem_builder *builder, uint32_t page, uint32_t loads,
		      uint32_t stores, struct printbuf *err)
{
	struct log_entry *entry = NULL;
	int error = find_entry(builder, page, &entry, err);

	if (error)
		return error;
	if (__builtin_add_overflow(entry->loads, loads, &entry->loads) ||
	    __builtin_add_overflow(entry->stores, stores, &entry->stores))
		return error_set(err, -ERANGE,
				 "optimal: a page has more than four billion misses in one tick; "
				 "use a shorter tick");
	return 0;
}

static int builder_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct problem_builder *builder = context;
	int error = 0;

	for (uint32_t i = 0; i < events->nr && !error; i++) {
		uint32_t page = events->page[i];

		if (builder->pages[page].life == NONE)
			error = bear(builder, page, err);
		if (error)
			break;
		if (events->loads)
			error = add_misses(builder, page, events->loads[i], events->stores[i], err);
		else if (events->flags[i] & TRACE_MISS)
			error = add_misses(builder, page, !(events->flags[i] & TRACE_WRITE),
					   !!(events->flags[i] & TRACE_WRITE), err);
	}
	return error;
}

static int builder_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct problem_builder *builder = context;

	(void)err;
	for (uint32_t i = 0; i < nr; i++) {
		struct page_state *state = &builder->pages[pages[i]];

		if (state->life == NONE)
			continue;
		builder->lives[state->life].last_slot = slot_now(builder);
		state->life = NONE;
		builder->died_in_slot = builder->something_came = true;
	}
	return 0;
}

static int builder_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct problem_builder *builder = context;
	int error = array_add((void **)&builder->epochs, &builder->nr_epochs,
			      sizeof(*builder->epochs), err);

	if (error)
		return error;
	builder->epochs[builder->nr_epochs.nr - 1].compute_ns = tick->end_ns - tick->start_ns;
	builder->is_finished = tick->is_last;
	if (tick->is_last)
		return 0;
	if (builder->something_came)
		return begin_slot(builder, true, err);
	/* Nothing happened in it: the slot simply begins later. */
	builder->slots[slot_now(builder)].epoch = (uint32_t)builder->nr_epochs.nr;
	builder->movable[slot_now(builder)] = 1;
	return 0;
}

struct stage_consumer problem_builder_consumer(struct problem_builder *builder)
{
	return (struct stage_consumer){ .context = builder,
					.grow = builder_grow,
					.events = builder_events,
					.freed = builder_freed,
					.tick = builder_tick };
}

static void put_costs(struct placement_problem *problem, const struct cost_model *cost)
{
	uint32_t n = problem->nr_tiers;

	for (uint32_t tier = 0; tier < n; tier++) {
		uint32_t node = cost->order[tier];

		problem->load_cost_ps[tier] = cost->load_ps[node];
		problem->store_cost_ps[tier] = cost->store_ps[node];
		for (uint32_t to = 0; to < n; to++)
			problem->move_cost_ps[tier * n + to] =
				cost->move_ps[(size_t)node * cost->nr_nodes + cost->order[to]];
	}
}

/* Sorts the log by life; within a life it is in order of slots already. */
static void put_uses(const struct problem_builder *builder, struct placement_problem *problem)
{
	struct placement_life *lives = problem->lives;
	uint32_t nr = 0, slot = 0;

	for (size_t i = 0; i < builder->nr_log.nr; i++)
		lives[builder->log[i].life].nr_uses++;
	for (uint64_t i = 0; i < problem->nr_lives; i++) {
		lives[i].first_use = nr;
		nr += lives[i].nr_uses;
		lives[i].nr_uses = 0;
	}
	for (uint32_t i = 0; i < builder->nr_log.nr; i++) {
		const struct log_entry *entry = &builder->log[i];
		struct placement_life *life = &lives[entry->life];

		while (slot + 1 < problem->nr_slots && builder->slots[slot + 1].first_entry <= i)
			slot++;
		problem->uses[life->first_use + life->nr_uses++] =
			(struct placement_use){ slot, entry->loads, entry->stores };
	}
}

static uint64_t count_most_alive(const struct placement_problem *problem)
{
	uint32_t *change = calloc((size_t)problem->nr_slots + 1, sizeof(*change));
	uint32_t alive = 0, most = 0;

	if (!change)
		return 0; /* only the error's wording depends on it */
	for (uint64_t i = 0; i < problem->nr_lives; i++) {
		change[problem->lives[i].first_slot]++;
		change[problem->lives[i].last_slot + 1]--;
	}
	for (uint32_t slot = 0; slot < problem->nr_slots; slot++) {
		alive += change[slot];
		most = MAX(most, alive);
	}
	free(change);
	return most;
}

static int make_problem(struct problem_builder *builder)
{
	uint32_t nr_slots = (uint32_t)builder->nr_slots.nr;
	struct placement_problem *problem = placement_problem_new(
		builder->cost->nr_order, nr_slots, builder->nr_lives.nr, builder->nr_log.nr);

	if (!problem)
		return -ENOMEM;
	put_costs(problem, builder->cost);
	memcpy(problem->movable, builder->movable, nr_slots);
	for (uint64_t i = 0; i < problem->nr_lives; i++) {
		problem->lives[i] = builder->lives[i];
		if (problem->lives[i].last_slot == NONE)
			problem->lives[i].last_slot = nr_slots - 1;
	}
	put_uses(builder, problem);
	builder->most_alive = count_most_alive(problem);
	builder->problem = problem;
	free(builder->log);
	free(builder->lives);
	builder->log = NULL;
	builder->lives = NULL;
	return 0;
}

int problem_builder_problem(struct problem_builder *builder, const uint64_t *capacity_pages,
			    const struct placement_problem **ret, struct printbuf *err)
{
	struct placement_problem *problem;
	unsigned __int128 room = 0;

	if (!builder->is_finished)
		return error_set(err, -EINVAL, "optimal: the recording has not ended yet");
	if (!builder->problem && make_problem(builder))
		return error_set(err, -ENOMEM,
				 "optimal: out of memory for %zu uses; use a shorter recording or "
				 "a longer tick",
				 builder->nr_log.nr);
	problem = builder->problem;
	for (uint32_t tier = 0; tier < problem->nr_tiers; tier++) {
		problem->capacity_pages[tier] = capacity_pages[builder->cost->order[tier]];
		room += problem->capacity_pages[tier];
	}
	if (room < builder->most_alive)
		return error_set(err, -ENOSPC,
				 "the machine holds %llu pages, the recording needs %llu at once; "
				 "name a larger machine",
				 (unsigned long long)room, (unsigned long long)builder->most_alive);
	*ret = problem;
	return 0;
}
