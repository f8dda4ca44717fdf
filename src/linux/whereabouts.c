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

int whereabouts_take(struct whereabouts *whereabouts, struct live *live)
{
	struct pagemap_walk walk;
	uint64_t first = 0, nr = 0;
	int more, error = 0;
	whereabouts->nr = 0;
	pagemap_walk_init(&walk, live);
	while (!error && (more = pagemap_walk_next(&walk, &first, &nr)) != 0) {
		if (more < 0)
			error = more;
		for (uint64_t i = 0; i < nr && !error; i++) {
			uint32_t node = pagemap_node(&walk.pagemap, &live->frames, i);
			if (node != FRAMES_NO_NODE)
				error = add_page(whereabouts, walk.pagemap.space, first + i, node);
		}
	}
	pagemap_walk_fini(&walk);
	return error;
}

/* What of it is elsewhere now. */
static int compare(const struct whereabouts_run *run, struct pagemap *pagemap, struct live *live,
		   struct takeback *ret)
{
	uint64_t end = run->page + run->nr_pages, nr;
	for (uint64_t first = run->page; first < end && !ret->error; first += nr) {
		nr = pagemap_read(pagemap, first, end - first);
		if (nr == 0)
			break; /* it has ended */
		for (uint64_t i = 0; i < nr && !ret->error; i++) {
			struct move_result moved = { .page = first + i,
						     .nr_pages = 1,
						     .space = run->space,
						     .from = run->node,
						     .outcome = MOVE_DONE };
			moved.to = moved.node = pagemap_node(pagemap, &live->frames, i);
			if (moved.node != FRAMES_NO_NODE && moved.node != run->node)
				takeback_note(ret, &moved, 1);
		}
	}
	return ret->error;
}

int whereabouts_compare(const struct whereabouts *whereabouts, struct live *live,
			struct takeback *ret)
{
	struct pagemap pagemap = PAGEMAP_NONE;
	int error = 0;
	for (size_t i = 0; i < whereabouts->nr && !error; i++)
		if (pagemap_open(&pagemap, live, whereabouts->runs[i].space))
			error = compare(&whereabouts->runs[i], &pagemap, live, ret);
	pagemap_close(&pagemap);
	return error;
}

void whereabouts_fini(struct whereabouts *whereabouts)
{
	free(whereabouts->runs);
	*whereabouts = (struct whereabouts){ .runs = NULL };
}
