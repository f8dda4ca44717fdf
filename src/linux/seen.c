/* SPDX-License-Identifier: MIT */
/* Remembering pages (seen.h). */
#include "linux/seen.h"

#include <stdlib.h>

#define CHUNK_SHIFT 9
#define FIRST_ROOM  1024

static uint32_t find(const struct seen_chunk *chunks, uint32_t max, uint32_t space, uint64_t number)
{
	uint64_t key = number * 0x9e3779b97f4a7c15u ^ space * 0xc2b2ae3d27d4eb4fu;
	uint32_t at = (uint32_t)(key >> 32) & (max - 1);
	while (chunks[at].is_used && (chunks[at].number != number || chunks[at].space != space))
		at = (at + 1) & (max - 1);
	return at;
}

static bool grow(struct seen *seen)
{
	uint32_t max = seen->max ? seen->max * 2 : FIRST_ROOM;
	struct seen_chunk *chunks = max <= 2 * SEEN_CHUNKS_MAX ? calloc(max, sizeof(*chunks))
							       : NULL;
	if (!chunks)
		return false;
	for (uint32_t i = 0; i < seen->max; i++) {
		const struct seen_chunk *chunk = &seen->chunks[i];
		if (chunk->is_used)
			chunks[find(chunks, max, chunk->space, chunk->number)] = *chunk;
	}
	free(seen->chunks);
	seen->chunks = chunks;
	seen->max = max;
	seen->last = 0;
	return true;
}

bool seen_mark(struct seen *seen, uint32_t space, uint64_t page)
{
	uint64_t number = page >> CHUNK_SHIFT, bit = (uint64_t)1 << (page & 63);
	unsigned word = page >> 6 & 7;
	if (seen->nr * 2 >= seen->max && !grow(seen))
		return true;
	struct seen_chunk *chunk = &seen->chunks[seen->last];
	if (!chunk->is_used || chunk->number != number || chunk->space != space) {
		seen->last = find(seen->chunks, seen->max, space, number);
		chunk = &seen->chunks[seen->last];
	}
	if (!chunk->is_used) {
		*chunk = (struct seen_chunk){ .number = number, .space = space, .is_used = true };
		seen->nr++;
	}
	bool was_marked = chunk->bits[word] & bit;
	chunk->bits[word] |= bit;
	return was_marked;
}

void seen_fini(struct seen *seen)
{
	free(seen->chunks);
	*seen = (struct seen){ 0 };
}
