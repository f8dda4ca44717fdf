/* SPDX-License-Identifier: MIT */
/*
 * Moves remembered, so that they can be undone: where each page that berth moved was before.
 *
 *     completed moves --note--> (space, page, was on) ...      only the first of each page counts
 *                                      |
 *                               sorted: what goes back to slower nodes first, to make room
 *                                      v
 *                               the mover, until every page is reported
 *
 * Cost: 24 bytes for each page moved, twice that until the list is sorted; at most
 * TAKEBACK_MAX pages.
 */
#ifndef BERTH_LINUX_TAKEBACK_H
#define BERTH_LINUX_TAKEBACK_H

#include "machine/machine.h"
#include "policy/mover.h"

#define TAKEBACK_MAX ((size_t)16 << 20) /* pages: 64 GiB of small ones */

struct takeback_page {
	uint64_t page;
	uint32_t space, from;
	uint64_t turn; /* counts up: who was first */
};

struct takeback {
	struct takeback_page *pages;
	size_t nr, room;
	uint64_t turn;
	int error; /* -ENOMEM, -E2BIG: not all are remembered */
};

struct takeback_counts {
	uint64_t nr_pages, nr_back; /* moved; of them where they were before */
};

/* As engine_watch.completed; context is a struct takeback. */
void takeback_note(void *context, const struct move_result *results, uint32_t nr);
struct takeback_mover { /* that nobody else uses meanwhile */
	const struct mover_ops *ops;
	void *state;
	uint64_t
		nr_on_way; /* pages submitted before, not reported yet: these are taken back, too */
	uint64_t (*now_ns)(void);
	uint64_t limit_ns; /* of that clock: it is given up after so long */
};
/* Moves all back. What was remembered is forgotten. */
int takeback_undo(struct takeback *takeback, const struct machine *machine,
		  const struct takeback_mover *mover, struct takeback_counts *ret);
void takeback_fini(struct takeback *takeback);

#endif
