/* SPDX-License-Identifier: MIT */
/*
 * Moving pages of one process by move_pages(2), and reading back what came of it. Knows no thread
 * and no queue: the mover's worker calls it.
 *
 *     at most 2,048 pages of one process
 *         1 their frames               neighbours in memory are on one node: one is asked for
 *         2 where are they?            gone, or there already: no more to do
 *         3 one page for each folio    naming two of one folio gets -EBUSY for the second
 *         4 to slower nodes first      they make the room for what goes to faster ones
 *         5 move_pages, again for what the kernel did not get to
 *         6 where are they now?        asked of what was not named, or where something failed: then
 *                                      the status only says why not. A folio may have been split
 *                                      on its way: its frames tell, anew
 *
 * The kernel stops at the first chunk of which a page does not migrate, and leaves the status of it
 * and of all behind it untouched. So a call that says "n failed" is made again for the pages behind
 * that chunk, and not for those in it, each of which the kernel has tried ten times.
 *
 * Pages that are pinned, shared, locked or of a device are remembered, with their kind
 * (unmovable.h).
 *
 * Cost: two or three system calls per batch, one look into pagemap per 512 pages that are near each
 * other, one into kpageflags per run of neighbours in memory and two more per page that was
 * refused; so a huge folio takes six calls and not 1,500. 300 KiB of buffers.
 *
 * Follows do_pages_move() and add_folio_for_migration() in mm/migrate.c (6.12).
 */
#ifndef BERTH_LINUX_MOVE_BATCH_H
#define BERTH_LINUX_MOVE_BATCH_H

#include <sys/types.h>

#include "linux/devices.h"
#include "linux/move_target.h"
#include "linux/mover_move_pages.h"
#include "linux/unmovable.h"
#include "machine/machine.h"
#include "machine/root.h"

#define MOVE_BATCH_PAGES 2048
#define MOVE_FOLIO_PAGES 512 /* of the largest folio that is known as one */
#define MOVE_APART_MIN	 32  /* pages that the kernel takes away at a time, or one folio */
#define MOVE_APART_MAX	 256
#define MOVE_NAMES	 (MOVE_BATCH_PAGES + MOVE_BATCH_PAGES / MOVE_APART_MIN)

struct move_item { /* a page of the batch */
	uint64_t page, frame;
	uint32_t to; /* node index */
	int before, status, call, after;
	bool is_asked; /* named to the kernel */
	bool is_held;  /* known to be unmovable: not tried */
	bool follows;  /* the frame and the page of the item before it: on the same node */
	bool is_known; /* it is where it was to go: nothing is to be asked */
};

struct move_batch {
	const struct root *root;       /* borrowed */
	const struct machine *machine; /* borrowed */
	struct unmovable unmovable;
	int pageflags_fd, pagecount_fd; /* -1: folios, and kinds, are not told apart */
	const struct move_target *target;
	struct devices devices; /* of the target, when one of its pages made us ask */
	bool has_devices;
	struct move_item items[MOVE_BATCH_PAGES];
	uint32_t nr_items;
	void *addresses[MOVE_NAMES];
	int nodes[MOVE_NAMES], statuses[MOVE_NAMES];
	uint32_t asked[MOVE_NAMES];		      /* items of the call, or NO_ITEM */
	struct move_result results[MOVE_BATCH_PAGES]; /* of the batch that was run last */
	uint32_t nr_results;
	/* Of the batch that was run last; tried: all but those that are known to stay. */
	uint64_t nr_moved_pages, nr_tried_pages;
	uint32_t nr_apart; /* MOVE_APART_MIN to _MAX; the mover knows what a page takes */
	/* Of kpageflags, as read last: so many from the frame `flags_first` on. */
	uint64_t flags[MOVE_FOLIO_PAGES], flags_first;
	uint32_t nr_flags;
};

int move_batch_init(struct move_batch *batch, const struct root *root,
		    const struct machine *machine);
void move_batch_fini(struct move_batch *batch);

/* Empties it for pages of this process. */
void move_batch_begin(struct move_batch *batch, const struct move_target *target);
static inline uint32_t move_batch_room(const struct move_batch *batch)
{
	return MOVE_BATCH_PAGES - batch->nr_items;
}
/* At most as many pages as there is room for. */
void move_batch_add(struct move_batch *batch, uint64_t page, uint64_t nr_pages, uint32_t to,
		    uint64_t now_ns);
/* Moves them; `results` then tells of every page once. */
void move_batch_run(struct move_batch *batch, uint64_t now_ns);

#endif
