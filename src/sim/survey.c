/* SPDX-License-Identifier: MIT */
/* Which pages are worth asking about; survey.h. */
#include "sim/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void see_kernel(void *context, const struct kernel_event *event)
{
	struct survey *survey = context;
	const struct cost_model *cost = survey->simulation->cost;
	struct survey_page *page = &survey->pages[event->page];
	if (event->page >= survey->nr_pages)
		return;
	if (event->kind == KERNEL_BORN) {
		*page = (struct survey_page){ .born_ns = survey->simulation->kernel->now_ns };
	} else if (event->kind == KERNEL_MOVED) {
		page->nr_moves++;
		page->lost_ps += cost->move_ps[event->from * cost->nr_nodes + event->to];
	} else if (event->kind == KERNEL_REFUSED) {
		page->nr_refused++;
	}
}

static bool is_before(const struct survey_life *one, const struct survey_life *other, bool by_moves)
{
	if (by_moves && one->nr_moves != other->nr_moves)
		return one->nr_moves > other->nr_moves;
	if (one->lost_ps != other->lost_ps)
		return one->lost_ps > other->lost_ps;
	if (one->address.space != other->address.space)
		return one->address.space < other->address.space;
	if (one->address.page != other->address.page)
		return one->address.page < other->address.page;
	return one->born_ns < other->born_ns;
}

static void enter(struct survey *survey, struct survey_top *top, const struct survey_life *life,
		  bool by_moves)
{
	uint32_t at = top->nr;
	while (at > 0 && is_before(life, &top->lives[at - 1], by_moves))
		at--;
	if (at == survey->max_top)
		return;
	top->nr = MIN(top->nr + 1, survey->max_top);
	memmove(&top->lives[at + 1], &top->lives[at], (top->nr - at - 1) * sizeof(*top->lives));
	top->lives[at] = *life;
}

static void end_life(struct survey *survey, uint32_t number)
{
	const struct kernel *kernel = survey->simulation->kernel;
	if (number >= survey->nr_pages || number >= kernel->nr_pages ||
	    kernel->pages[number].node == KERNEL_NOWHERE)
		return;
	const struct survey_page *page = &survey->pages[number];
	struct survey_life life = {
		.address = stage_page(survey->simulation->stage, number),
		.born_ns = page->born_ns,
		.end_ns = kernel->now_ns,
		.nr_misses = page->nr_misses,
		.nr_fast = page->nr_fast,
		.lost_ps = page->lost_ps,
		.nr_moves = page->nr_moves,
		.nr_refused = page->nr_refused,
	};
	survey->nr_lives++;
	survey->nr_moved += page->nr_moves > 0;
	survey->lost_ps = cost_add(survey->lost_ps, page->lost_ps);
	if (life.nr_moves > 0)
		enter(survey, &survey->by_moves, &life, true);
	if (life.lost_ps > 0)
		enter(survey, &survey->by_loss, &life, false);
}

static void count(struct survey *survey, uint32_t number, uint64_t nr_loads, uint64_t nr_stores)
{
	const struct simulation *simulation = survey->simulation;
	const struct cost_model *cost = simulation->cost;
	uint32_t node = simulation->kernel->pages[number].node, best = cost->order[0];
	struct survey_page *page = &survey->pages[number];
	if (node == KERNEL_NOWHERE)
		return; /* the machine is full */
	page->nr_misses += nr_loads + nr_stores;
	page->nr_fast += cost->is_fast[node] ? nr_loads + nr_stores : 0;
	page->lost_ps += nr_loads * (cost->load_ps[node] - cost->load_ps[best]) +
			 nr_stores * (cost->store_ps[node] - cost->store_ps[best]);
}

static int run_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct survey *survey = context;
	int error = survey->inner.events(survey->inner.context, events, err);
	for (uint32_t i = 0; i < events->nr && !error; i++) {
		if (!events->flags)
			count(survey, events->page[i], events->loads[i], events->stores[i]);
		else if (events->flags[i] & TRACE_MISS)
			count(survey, events->page[i], !(events->flags[i] & TRACE_WRITE),
			      !!(events->flags[i] & TRACE_WRITE));
	}
	return error;
}

static int run_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct survey *survey = context;
	int error = survey->inner.grow(survey->inner.context, nr_pages, err);
	if (error || nr_pages <= survey->nr_pages)
		return error;
	struct survey_page *pages = realloc(survey->pages, (size_t)nr_pages * sizeof(*pages));
	if (!pages)
		return error_set(err, -ENOMEM, "out of memory for %u pages", nr_pages);
	memset(pages + survey->nr_pages, 0, (nr_pages - survey->nr_pages) * sizeof(*pages));
	survey->pages = pages;
	survey->nr_pages = nr_pages;
	return 0;
}

static int run_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct survey *survey = context;
	for (uint32_t i = 0; i < nr; i++)
		end_life(survey, pages[i]);
	return survey->inner.freed(survey->inner.context, pages, nr, err);
}

static int run_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct survey *survey = context;
	int error = survey->inner.tick(survey->inner.context, tick, err);
	for (uint32_t i = 0; i < survey->nr_pages && tick->is_last && !error; i++)
		end_life(survey, i);
	return error;
}

static int run_mapping(void *context, const struct trace_mapping *mapping, struct printbuf *err)
{
	struct survey *survey = context;
	return survey->inner.mapping(survey->inner.context, mapping, err);
}

static struct stage_consumer wrap(void *context, struct simulation *simulation,
				  const struct stage_consumer *inner)
{
	struct survey *survey = context;
	survey->simulation = simulation;
	survey->inner = *inner;
	return (struct stage_consumer){
		.context = survey,
		.grow = run_grow,
		.events = run_events,
		.freed = run_freed,
		.mapping = run_mapping,
		.tick = run_tick,
	};
}

int survey_new(uint32_t max_top, struct survey **ret)
{
	struct survey *survey = calloc(1, sizeof(*survey));
	if (!survey)
		return -ENOMEM;
	survey->max_top = max_top;
	survey->by_moves.lives = calloc(max_top + 1u, sizeof(struct survey_life));
	survey->by_loss.lives = calloc(max_top + 1u, sizeof(struct survey_life));
	if (!survey->by_moves.lives || !survey->by_loss.lives) {
		survey_free(survey);
		return -ENOMEM;
	}
	survey->watch = (struct simulation_watch){
		.kernel = { .context = survey, .page = KERNEL_WATCH_ALL, .see = see_kernel },
		.wrap = wrap,
		.context = survey,
	};
	*ret = survey;
	return 0;
}

struct survey *survey_free(struct survey *survey)
{
	if (!survey)
		return NULL;
	free(survey->pages);
	free(survey->by_moves.lives);
	free(survey->by_loss.lives);
	free(survey);
	return NULL;
}
