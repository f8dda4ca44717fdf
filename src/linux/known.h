/* SPDX-License-Identifier: MIT */
/*
 * Which pages of one process a sampler has ever told of, on which node each was then, and which of
 * them it told of in the look that is under way.
 *
 *     chunks, ascending --> number, place[512], is_hit: 512 bits      (2 MiB of 4 KiB pages)
 *
 * Why: a recording says that a page was looked at and not used, and samplers only tell what was
 * used; it says on which node a page is once, and samplers tell it with every hit.
 *
 * Cost: 584 bytes per 2 MiB that were ever used, O(log chunks) per range, O(chunks) to end a look.
 * Chunks come mostly ascending, which makes adding one O(1).
 */
#ifndef BERTH_LINUX_KNOWN_H
#define BERTH_LINUX_KNOWN_H

#include "base/types.h"

#define KNOWN_PAGES	 512
#define KNOWN_CHUNKS_MAX ((uint32_t)1 << 22) /* 8 TiB of 4 KiB pages */

enum known_place { /* what is known of a page: not met, met somewhere, met on a node */
		   KNOWN_NOT,
		   KNOWN_SOMEWHERE,
		   KNOWN_NODE, /* + index of the node */
		   KNOWN_PLACES = 256,
};

struct known_chunk {
	uint64_t number; /* page / KNOWN_PAGES */
	uint8_t place[KNOWN_PAGES];
	uint64_t is_hit[KNOWN_PAGES / 64];
};

struct known {
	struct known_chunk **chunks;
	uint32_t nr, max;
};

/* A run of pages: `nr_pages` from `page` on. Returns negative to end it. */
typedef int (*known_run)(void *context, uint64_t page, uint64_t nr_pages);

/* A page was told of, and where it was (KNOWN_SOMEWHERE: where it was told to be before).
 * 1: another node than before; 0; -ENOMEM. */
int known_hit(struct known *known, uint64_t page, unsigned place);
/* The look is over: calls with each run of pages that are known and were not told of in it. */
int known_end_look(struct known *known, known_run idle, void *context);
void known_forget(struct known *known, uint64_t page, uint64_t nr_pages);
void known_fini(struct known *known);

#endif
