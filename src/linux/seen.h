/* SPDX-License-Identifier: MIT */
/*
 * Which pages were told of before: a bit for each, in chunks of 512 (2 MiB).
 *
 *     (space, chunk) -> 512 bits         open addressing, at most half full, 80 bytes a chunk
 *
 * Cost: 40 bytes per MiB that was ever mapped; O(1) per page, the last chunk is remembered.
 */
#ifndef BERTH_LINUX_SEEN_H
#define BERTH_LINUX_SEEN_H

#include "base/types.h"

#define SEEN_CHUNKS_MAX ((uint32_t)1 << 22) /* 8 TiB of 4 KiB pages */

struct seen_chunk {
	uint64_t number; /* page / 512 */
	uint32_t space;
	bool is_used;
	uint64_t bits[8];
};

struct seen {
	struct seen_chunk *chunks;
	uint32_t nr, max, last;
};

/* Marks the page. True: it was marked before, or there is no memory to remember it. */
bool seen_mark(struct seen *seen, uint32_t space, uint64_t page);
void seen_fini(struct seen *seen);

#endif
