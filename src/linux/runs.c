/* SPDX-License-Identifier: MIT */
/* What a reading found (runs.h). */
#include "linux/runs.h"

#include <stdlib.h>

#define FIRST_ROOM 1024
#define ORDERS_MAX 16
#define PAGES_MAX  ((uint64_t)1 << 45)

void runs_fini(struct runs *runs)
{
	free(runs->items);
	*runs = (struct runs){ 0 };
}

static bool has_room(struct runs *runs)
{
	if (runs->nr < runs->max)
		return true;
	uint32_t max = MAX(runs->max * 2, FIRST_ROOM);
	struct run *items = max <= RUNS_MAX ? realloc(runs->items, max * sizeof(*items)) : NULL;
	if (!items)
		return false;
	runs->items = items;
	runs->max = max;
	return true;
}

static bool fits(const struct sample *sample)
{
	bool is_whole = sample->checks == 1 && sample->hits == 1;
	bool is_part = sample->checks == RUNS_CHECKS && sample->hits < RUNS_CHECKS;
	return sample->kind == SAMPLE_HITS && (is_whole || is_part) && sample->node <= UINT16_MAX &&
	       sample->order < ORDERS_MAX && sample->nr_pages > 0 &&
	       sample->nr_pages <= RUNS_PAGES && sample->page < PAGES_MAX;
}

int runs_add(struct runs *runs, const struct sample *sample)
{
	if (!fits(sample))
		return -EINVAL;
	if (!has_room(runs))
		return -ENOSPC;
	runs->items[runs->nr++] = (struct run){
		.page = sample->page,
		.nr_pages_less_one = sample->nr_pages - 1,
		.is_in_window = sample->window_ns != SAMPLE_UNKNOWN,
		.is_part = sample->checks > 1,
		.space = sample->space,
		.node = (uint16_t)sample->node,
		.hits = sample->hits & (RUNS_CHECKS - 1),
		.order = sample->order & (ORDERS_MAX - 1),
	};
	return 0;
}

static struct sample sample_of_run(const struct run *run, uint64_t now_ns, uint64_t window_ns)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, run->space, run->page);
	sample.nr_pages = run->nr_pages_less_one + UINT64_C(1);
	sample.hits = run->hits;
	sample.checks = run->is_part ? RUNS_CHECKS : 1;
	sample.window_ns = run->is_in_window ? window_ns : SAMPLE_UNKNOWN;
	sample.order = run->order;
	sample.node = run->node;
	return sample;
}

bool runs_tell(struct runs *runs, struct sample_batch *batch, uint64_t now_ns, uint64_t window_ns)
{
	while (runs->at < runs->nr && batch->nr < batch->max)
		batch->samples[batch->nr++] = sample_of_run(&runs->items[runs->at++], now_ns,
							    window_ns);
	if (runs->at < runs->nr)
		return false;
	runs->at = runs->nr = 0;
	return true;
}
