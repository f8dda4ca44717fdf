/* SPDX-License-Identifier: MIT */
/*
 * Which pages were told of before: a bit for each, in chunks of 512 (2 MiB).
 *
 *     (space, chunk) -> 512 bits seen, 512 bits new      open addressing, at most half full
 *
 * A page that is met for the first time is new until it is told of.
 * Cost: 144 bytes per 2 MiB that were ever mapped; O(1) per page, the last chunk is remembered.
 */
#ifndef BERTH_LINUX_SEEN_H
#define BERTH_LINUX_SEEN_H

#include "base/types.h"

#define SEEN_CHUNKS_MAX ((uint32_t)1 << 22) /* 8 TiB of 4 KiB pages */

struct seen_chunk {
	uint64_t number; /* page / 512 */
	uint32_t space;
	bool is_used;
	uint64_t bits[8], is_new[8];
};

struct seen {
	struct seen_chunk *chunks;
	uint32_t nr, max, last;
	uint64_t nr_new; /* pages */
};

/* Marked, and of the chunk that was asked for last: false says nothing. */
static inline bool seen_is_known(const struct seen *seen, uint32_t space, uint64_t page)
{
	if (seen->max == 0)
		return false;
	const struct seen_chunk *chunk = &seen->chunks[seen->last];
	return chunk->is_used && chunk->number == page >> 9 && chunk->space == space &&
	       chunk->bits[page >> 6 & 7] >> (page & 63) & 1;
}
/* Marks the page; new if it was not marked before. Without memory for it nothing is new. */
void seen_mark(struct seen *seen, uint32_t space, uint64_t page);
/* Is it new? Not from now on. */
bool seen_take_new(struct seen *seen, uint32_t space, uint64_t page);
/* Was it marked? */
bool seen_has(struct seen *seen, uint32_t space, uint64_t page);
void seen_fini(struct seen *seen);

#endif
