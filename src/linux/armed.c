/* SPDX-License-Identifier: MIT */
/* When pages were armed (armed.h). */
#include "linux/armed.h"

#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const struct armed *armed, uint32_t space, uint64_t number)
{
	uint64_t hash = (number ^ (uint64_t)space << 40) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32) & (armed->max - 1);
}

/* Where it is, or the free place where it would be. */
static struct armed_chunk *find(const struct armed *armed, uint32_t space, uint64_t number)
{
	uint32_t slot = slot_of(armed, space, number);
	struct armed_chunk *chunk = &armed->chunks[slot];
	while (chunk->nr && (chunk->space != space || chunk->number != number)) {
		slot = (slot + 1) & (armed->max - 1);
		chunk = &armed->chunks[slot];
	}
	return chunk;
}

static bool grow(struct armed *armed)
{
	struct armed larger = { .max = armed->max ? armed->max * 2 : 256, .nr = armed->nr };
	if (larger.max > ARMED_CHUNKS_MAX * 2)
		return false;
	larger.chunks = calloc(larger.max, sizeof(*larger.chunks));
	if (!larger.chunks)
		return false;
	for (uint32_t i = 0; i < armed->max; i++) {
		const struct armed_chunk *chunk = &armed->chunks[i];
		if (chunk->nr)
			*find(&larger, chunk->space, chunk->number) = *chunk;
	}
	free(armed->chunks);
	*armed = larger;
	return true;
}

static struct armed_chunk *get(struct armed *armed, uint32_t space, uint64_t number)
{
	if ((armed->nr + 1) * 2 > armed->max && !grow(armed))
		return NULL;
	struct armed_chunk *chunk = find(armed, space, number);
	if (!chunk->nr) {
		chunk->space = space;
		chunk->number = number;
		armed->nr++;
	}
	return chunk;
}

void armed_note(struct armed *armed, uint32_t space, uint64_t page, uint64_t nr_pages,
		uint64_t time_ns)
{
	uint64_t last = page + MIN(nr_pages, ARMED_RANGE_MAX) - 1;
	if (nr_pages == 0)
		return;
	for (uint64_t number = page / ARMED_PAGES; number <= last / ARMED_PAGES; number++) {
		struct armed_chunk *chunk = get(armed, space, number);
		if (!chunk)
			return;
		chunk->nr++;
		chunk->times_ns[chunk->nr % ARMED_TIMES] = time_ns;
	}
}

/* The newest arming that was not after the time; 0: none. */
static uint32_t arming_at(const struct armed_chunk *chunk, uint64_t time_ns)
{
	uint32_t oldest = chunk->nr >= ARMED_TIMES ? chunk->nr - ARMED_TIMES + 1 : 1;
	for (uint32_t number = chunk->nr; number >= oldest; number--)
		if (chunk->times_ns[number % ARMED_TIMES] <= time_ns)
			return number;
	return 0;
}

uint64_t armed_take(struct armed *armed, uint32_t space, uint64_t page, uint64_t time_ns)
{
	struct armed_chunk *chunk = armed->max ? find(armed, space, page / ARMED_PAGES) : NULL;
	if (!chunk || !chunk->nr)
		return ARMED_UNKNOWN;
	uint32_t now = arming_at(chunk, time_ns);
	uint8_t *faulted = &chunk->faulted[page % ARMED_PAGES];
	uint8_t nr_since = (uint8_t)((uint8_t)now - *faulted);
	if (now == 0 || nr_since == 0)
		return ARMED_UNKNOWN; /* armed by somebody whom we did not see */
	*faulted = (uint8_t)now;
	uint32_t back = MIN(MIN((uint32_t)nr_since, now), (uint32_t)ARMED_TIMES);
	uint32_t first = now - back + 1;
	uint32_t oldest = chunk->nr >= ARMED_TIMES ? chunk->nr - ARMED_TIMES + 1 : 1;
	return time_ns - chunk->times_ns[MAX(first, oldest) % ARMED_TIMES];
}

void armed_fini(struct armed *armed)
{
	free(armed->chunks);
	*armed = (struct armed){ 0 };
}
