/* SPDX-License-Identifier: MIT */
/*
 * Where the pages of watched processes are, written down, so that they can be brought back there
 * later whoever moved them meanwhile.
 *
 *     whereabouts_take    runs of pages: space, first page, how many, node
 *     ... time passes, somebody else moves pages ...
 *     whereabouts_compare read again; what is elsewhere now --> takeback.h --> the mover
 *
 * Pages that were not there, are not there any more, or of which the mover says that they cannot be
 * moved stay as they are.
 *
 * Cost: a read(2) per 512 pages twice; 24 bytes per run, at most WHEREABOUTS_MAX runs.
 */
#ifndef BERTH_LINUX_WHEREABOUTS_H
#define BERTH_LINUX_WHEREABOUTS_H

#include "linux/live.h"
#include "linux/takeback.h"

#define WHEREABOUTS_MAX ((size_t)16 << 20)

struct whereabouts_run {
	uint64_t page;
	uint64_t nr_pages;
	uint32_t space, node; /* an index of the machine's nodes */
};

struct whereabouts {
	struct whereabouts_run *runs; /* by space and page */
	size_t nr, room;
};

/* Of all processes that are watched. -E2BIG: too scattered to remember. */
int whereabouts_take(struct whereabouts *whereabouts, struct live *live);
/* Notes every page that is elsewhere now, for takeback_undo(). */
int whereabouts_compare(const struct whereabouts *whereabouts, struct live *live,
			struct takeback *ret);
void whereabouts_fini(struct whereabouts *whereabouts);

#endif
