/* SPDX-License-Identifier: MIT */
/* Where pages are, and which of them are elsewhere later (whereabouts.h). */
#include "linux/whereabouts.h"

#include <errno.h>
#include <stdlib.h>

#include "linux/pagemap.h"

#define FIRST_ROOM 4096

static int add_page(struct whereabouts *whereabouts, uint32_t space, uint64_t page, uint32_t node)
{
	struct whereabouts_run *last = whereabouts->runs + whereabouts->nr - 1;
	if (whereabouts->nr && last->space == space && last->node == node &&
	    last->page + last->nr_pages == page) {
		last->nr_pages++;
		return 0;
	}
	if (whereabouts->nr == WHEREABOUTS_MAX)
		return -E2BIG;
	if (whereabouts->nr == whereabouts->room) {
		size_t room = whereabouts->room ? 2 * whereabouts->room : FIRST_ROOM;
		struct whereabouts_run *runs = realloc(whereabouts->runs, room * sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		whereabouts->runs = runs;
		whereabouts->room = room;
	}
	whereabouts->runs[whereabouts->nr++] = (struct whereabouts_run){ page, 1, space, node };
	return 0;
}

/* What is read twice: pages from `first` on, of which `take` hears those that are there. */
struct reading {
	struct live *live;
	struct pagemap pagemap;
	int (*take)(void *context, uint32_t space, uint64_t page, uint32_t node);
	void *context;
};

static int read_range(struct reading *reading, uint32_t space, uint64_t first, uint64_t end)
{
	int error = 0;
	while (first < end && !error) {
		uint64_t nr = pagemap_read(&reading->pagemap, first, end - first);
		for (uint64_t i = 0; i < nr && !error; i++) {
			uint32_t node = pagemap_node(&reading->pagemap, &reading->live->frames, i);
			if (node != FRAMES_NO_NODE)
				error = reading->take(reading->context, space, first + i, node);
		}
		if (nr == 0)
			break; /* it has ended, or nothing is mapped there any more */
		first += nr;
	}
	return error;
}

static int take(void *context, uint32_t space, uint64_t page, uint32_t node)
{
	return add_page(context, space, page, node);
}

static int read_space(struct reading *reading, uint32_t space)
{
	struct live_areas areas = { 0 };
	const struct live_space *process = live_space(reading->live, space);
	if (!process || !pagemap_open(&reading->pagemap, reading->live, space))
		return 0;
	int error = live_areas(reading->live, process, &areas);
	if (error == -ENOMEM)
		return error;
	error = 0;
	for (size_t i = 0; i < areas.nr && !error; i++)
		error = read_range(reading, space, areas.items[i].first, areas.items[i].end);
	live_areas_fini(&areas);
	return error;
}

int whereabouts_take(struct whereabouts *whereabouts, struct live *live)
{
	struct reading reading = { live, PAGEMAP_NONE, take, whereabouts };
	int error = 0;
	whereabouts->nr = 0;
	for (uint32_t space = 0; space < live->nr_spaces && !error; space++)
		error = read_space(&reading, space);
	pagemap_close(&reading.pagemap);
	return error;
}

struct comparing {
	const struct whereabouts_run *run;
	struct takeback *takeback;
};

static int compare(void *context, uint32_t space, uint64_t page, uint32_t node)
{
	const struct comparing *comparing = context;
	const struct move_result moved = { .page = page,
					   .nr_pages = 1,
					   .space = space,
					   .from = comparing->run->node,
					   .to = node,
					   .node = node,
					   .outcome = MOVE_DONE };
	if (node != comparing->run->node)
		takeback_note(comparing->takeback, &moved, 1);
	return comparing->takeback->error;
}

int whereabouts_compare(const struct whereabouts *whereabouts, struct live *live,
			struct takeback *ret)
{
	struct comparing comparing = { .takeback = ret };
	struct reading reading = { live, PAGEMAP_NONE, compare, &comparing };
	int error = 0;
	for (size_t i = 0; i < whereabouts->nr && !error; i++) {
		const struct whereabouts_run *run = &whereabouts->runs[i];
		comparing.run = run;
		if (pagemap_open(&reading.pagemap, live, run->space))
			error = read_range(&reading, run->space, run->page,
					   run->page + run->nr_pages);
	}
	pagemap_close(&reading.pagemap);
	return error;
}

void whereabouts_fini(struct whereabouts *whereabouts)
{
	free(whereabouts->runs);
	*whereabouts = (struct whereabouts){ .runs = NULL };
}
