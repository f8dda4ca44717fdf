/* SPDX-License-Identifier: MIT */
/* What is known of the pages of a process (known.h). */
#include "linux/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first chunk that is not below `number`. */
static uint32_t find(const struct known *known, uint64_t number)
{
	uint32_t low = 0, high = known->nr;
	if (known->nr && known->chunks[known->nr - 1]->number < number)
		return known->nr;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (known->chunks[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool make_room(struct known *known)
{
	if (known->nr < known->max)
		return true;
	uint32_t max = known->max ? known->max * 2 : 64;
	struct known_chunk **chunks = max <= KNOWN_CHUNKS_MAX
					      ? realloc(known->chunks,
							max * sizeof(struct known_chunk *))
					      : NULL;
	if (!chunks)
		return false;
	known->chunks = chunks;
	known->max = max;
	return true;
}

static struct known_chunk *get(struct known *known, uint64_t number)
{
	uint32_t at = find(known, number);
	if (at < known->nr && known->chunks[at]->number == number)
		return known->chunks[at];
	struct known_chunk *chunk = make_room(known) ? calloc(1, sizeof(*chunk)) : NULL;
	if (!chunk)
		return NULL;
	chunk->number = number;
	memmove(known->chunks + at + 1, known->chunks + at,
		(known->nr - at) * sizeof(struct known_chunk *));
	known->chunks[at] = chunk;
	known->nr++;
	return chunk;
}

int known_hit(struct known *known, uint64_t page, unsigned place)
{
	struct known_chunk *chunk = get(known, page / KNOWN_PAGES);
	unsigned at = (unsigned)(page % KNOWN_PAGES);
	if (!chunk)
		return -ENOMEM;
	chunk->is_hit[at / 64] |= UINT64_C(1) << at % 64;
	if (place >= KNOWN_PLACES || (place == KNOWN_SOMEWHERE && chunk->place[at]))
		return 0;
	bool is_other = chunk->place[at] != place && place != KNOWN_SOMEWHERE;
	chunk->place[at] = (uint8_t)place;
	return is_other;
}

static bool is_idle(const struct known_chunk *chunk, unsigned at)
{
	return chunk->place[at] && !(chunk->is_hit[at / 64] >> at % 64 & 1);
}

static int end_chunk(struct known_chunk *chunk, known_run idle, void *context)
{
	int error = 0;
	for (unsigned at = 0; at < KNOWN_PAGES && !error;) {
		unsigned first = at;
		while (at < KNOWN_PAGES && is_idle(chunk, at))
			at++;
		if (at > first)
			error = idle(context, chunk->number * KNOWN_PAGES + first, at - first);
		else
			at++;
	}
	memset(chunk->is_hit, 0, sizeof(chunk->is_hit));
	return error;
}

int known_end_look(struct known *known, known_run idle, void *context)
{
	int error = 0;
	for (uint32_t i = 0; i < known->nr && !error; i++)
		error = end_chunk(known->chunks[i], idle, context);
	return error;
}

void known_forget(struct known *known, uint64_t page, uint64_t nr_pages)
{
	uint64_t end = page + nr_pages;
	for (uint32_t i = find(known, page / KNOWN_PAGES); i < known->nr; i++) {
		struct known_chunk *chunk = known->chunks[i];
		uint64_t first = chunk->number * KNOWN_PAGES;
		if (first >= end)
			return;
		uint64_t from = MAX(first, page), to = MIN(first + KNOWN_PAGES, end);
		memset(chunk->place + (from - first), KNOWN_NOT, to - from);
	}
}

void known_fini(struct known *known)
{
	for (uint32_t i = 0; i < known->nr; i++)
		free(known->chunks[i]);
	free(known->chunks);
	*known = (struct known){ 0 };
}
