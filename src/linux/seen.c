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

static struct seen_chunk *chunk_of(struct seen *seen, uint32_t space, uint64_t page)
{
	uint64_t number = page >> CHUNK_SHIFT;
	struct seen_chunk *chunk = &seen->chunks[seen->last];
	if (chunk->is_used && chunk->number == number && chunk->space == space)
		return chunk;
	seen->last = find(seen->chunks, seen->max, space, number);
	return &seen->chunks[seen->last];
}

void seen_mark(struct seen *seen, uint32_t space, uint64_t page)
{
	uint64_t bit = (uint64_t)1 << (page & 63);
	unsigned word = page >> 6 & 7;
	if (seen->nr * 2 >= seen->max && !grow(seen))
		return;
	struct seen_chunk *chunk = chunk_of(seen, space, page);
	if (!chunk->is_used) {
		*chunk = (struct seen_chunk){ .number = page >> CHUNK_SHIFT,
					      .space = space,
					      .is_used = true };
		seen->nr++;
	}
	if (chunk->bits[word] & bit)
		return;
	chunk->bits[word] |= bit;
	chunk->is_new[word] |= bit;
	seen->nr_new++;
}

bool seen_take_new(struct seen *seen, uint32_t space, uint64_t page)
{
	uint64_t bit = (uint64_t)1 << (page & 63);
	unsigned word = page >> 6 & 7;
	if (seen->nr_new == 0)
		return false;
	struct seen_chunk *chunk = chunk_of(seen, space, page);
	if (!chunk->is_used || !(chunk->is_new[word] & bit))
		return false;
	chunk->is_new[word] &= ~bit;
	seen->nr_new--;
	return true;
}

bool seen_has(struct seen *seen, uint32_t space, uint64_t page)
{
	if (seen->max == 0)
		return false;
	const struct seen_chunk *chunk = chunk_of(seen, space, page);
	return chunk->is_used && chunk->bits[page >> 6 & 7] >> (page & 63) & 1;
}

void seen_fini(struct seen *seen)
{
	free(seen->chunks);
	*seen = (struct seen){ 0 };
}
