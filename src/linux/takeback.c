/* SPDX-License-Identifier: MIT */
/* Moves remembered and undone (takeback.h). */
#include "linux/takeback.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define FIRST_ROOM 4096
#define MOVES_MAX  1024 /* of one submission */
#define RESULTS	   1024
#define PAUSE_MS   1 /* while the mover is at work */

static int by_page(const void *a, const void *b)
{
	const struct takeback_page *x = a, *y = b;
	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->turn < y->turn ? -1 : x->turn > y->turn;
}

/* Keeps the first move of each page. */
static void compact(struct takeback *takeback)
{
	struct takeback_page *pages = takeback->pages;
	size_t nr = 0;
	if (takeback->nr)
		qsort(pages, takeback->nr, sizeof(*pages), by_page);
	for (size_t i = 0; i < takeback->nr; i++)
		if (nr == 0 || pages[nr - 1].space != pages[i].space ||
		    pages[nr - 1].page != pages[i].page)
			pages[nr++] = pages[i];
	takeback->nr = nr;
}

/* Room for one more: what is known twice goes first. */
static int make_room(struct takeback *takeback)
{
	if (takeback->nr < takeback->room)
		return 0;
	compact(takeback);
	if (takeback->nr < takeback->room / 2)
		return 0;
	if (takeback->room >= 2 * TAKEBACK_MAX)
		return -E2BIG;
	size_t room = takeback->room ? 2 * takeback->room : FIRST_ROOM;
	struct takeback_page *pages = realloc(takeback->pages, room * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	takeback->pages = pages;
	takeback->room = room;
	return 0;
}

void takeback_note(void *context, const struct move_result *results, uint32_t nr)
{
	struct takeback *takeback = context;
	for (uint32_t i = 0; i < nr; i++) {
		const struct move_result *result = &results[i];
		if (result->outcome != MOVE_DONE || result->from == PLAN_NODE_ANY)
			continue;
		for (uint64_t k = 0; k < result->nr_pages && !takeback->error; k++) {
			takeback->error = make_room(takeback);
			if (!takeback->error)
				takeback->pages[takeback->nr++] =
					(struct takeback_page){ result->page + k, result->space,
								result->from, takeback->turn++ };
		}
	}
}

static bool is_going_down(const struct machine *machine, uint32_t node)
{
	return node < machine->nr_nodes && machine->nodes[node].tier != 0;
}

struct undoing {
	const struct takeback_mover *mover;
	uint64_t end_ns;
	uint64_t nr_waiting; /* pages submitted and not reported */
	struct takeback_counts counts;
	struct plan_move moves[MOVES_MAX];
	uint32_t nr_moves;
};

static int complete(const struct takeback_mover *mover, struct move_result *results)
{
	return mover->ops->complete(mover->state, results, RESULTS, mover->now_ns());
}

/* What was on its way when the engine stopped is one more move to be taken back. */
static int drain(struct undoing *undoing, struct takeback *takeback)
{
	struct move_result results[RESULTS];
	uint64_t nr_left = undoing->mover->nr_on_way;
	while (nr_left > 0) {
		int nr = complete(undoing->mover, results);
		if (nr < 0)
			return nr;
		takeback_note(takeback, results, (uint32_t)nr);
		for (int i = 0; i < nr; i++)
			nr_left -= MIN(nr_left, results[i].nr_pages);
		if (nr_left && undoing->mover->now_ns() >= undoing->end_ns)
			return -ETIMEDOUT;
		if (nr_left && nr == 0)
			poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

/* What it has reported so far; a page that lies where it was, for whatever reason, is back. */
static int collect(struct undoing *undoing)
{
	struct move_result results[RESULTS];
	int nr;
	while ((nr = complete(undoing->mover, results)) > 0) {
		for (int i = 0; i < nr; i++) {
			bool is_back = results[i].outcome == MOVE_DONE ||
				       results[i].outcome == MOVE_REFUSED_THERE;
			undoing->counts.nr_back += is_back ? results[i].nr_pages : 0;
			undoing->nr_waiting -= MIN(undoing->nr_waiting, results[i].nr_pages);
		}
	}
	return nr;
}

static int flush(struct undoing *undoing)
{
	const struct takeback_mover *mover = undoing->mover;
	uint32_t at = 0;
	int error = 0;
	while (!error && (at < undoing->nr_moves || undoing->nr_waiting)) {
		int nr = at < undoing->nr_moves
				 ? mover->ops->submit(mover->state, undoing->moves + at,
						      undoing->nr_moves - at, mover->now_ns())
				 : 0;
		for (int i = 0; i < nr; i++)
			undoing->nr_waiting += undoing->moves[at++].nr_pages;
		error = nr < 0 ? nr : collect(undoing);
		if (!error && (undoing->nr_waiting || at < undoing->nr_moves)) {
			if (mover->now_ns() >= undoing->end_ns)
				return -ETIMEDOUT;
			poll(NULL, 0, PAUSE_MS);
		}
	}
	undoing->nr_moves = 0;
	return error;
}

static bool continues(const struct plan_move *move, const struct takeback_page *page)
{
	return move->space == page->space && move->to == page->from &&
	       move->page + move->nr_pages == page->page;
}

static int add(struct undoing *undoing, const struct takeback_page *page)
{
	struct plan_move *last = undoing->moves + undoing->nr_moves - 1;
	if (undoing->nr_moves && continues(last, page)) {
		last->nr_pages++;
		return 0;
	}
	int error = undoing->nr_moves == MOVES_MAX ? flush(undoing) : 0;
	undoing->moves[undoing->nr_moves++] = (struct plan_move){ .page = page->page,
								  .nr_pages = 1,
								  .space = page->space,
								  .from = PLAN_NODE_ANY,
								  .to = page->from,
								  .why = "taken back" };
	return error;
}

int takeback_undo(struct takeback *takeback, const struct machine *machine,
		  const struct takeback_mover *mover, struct takeback_counts *ret)
{
	struct undoing *undoing = calloc(1, sizeof(*undoing));
	if (!undoing)
		return -ENOMEM;
	undoing->mover = mover;
	undoing->end_ns = mover->now_ns() + mover->limit_ns;
	int error = drain(undoing, takeback);
	compact(takeback);
	undoing->counts = (struct takeback_counts){ .nr_pages = takeback->nr };
	for (int goes_up = 0; goes_up <= 1 && !error; goes_up++) {
		for (size_t i = 0; i < takeback->nr && !error; i++)
			if (is_going_down(machine, takeback->pages[i].from) == !goes_up)
				error = add(undoing, &takeback->pages[i]);
		if (!error)
			error = flush(undoing);
	}
	*ret = undoing->counts;
	takeback->nr = 0;
	free(undoing);
	return error;
}

void takeback_fini(struct takeback *takeback)
{
	free(takeback->pages);
	*takeback = (struct takeback){ .pages = NULL };
}
