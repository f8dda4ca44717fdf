/* SPDX-License-Identifier: MIT */
/*
 * The modelled shared cache: set-associative, exact LRU, write-allocate, physically indexed.
 *
 *     tags[set * ways ...]   the most recent first; 0: empty
 *
 * A line is known by its frame (pages.h numbers the pages of a process in the order in which they
 * are first touched, as a kernel hands out frames) and its place in it, so that an unmapped and
 * mapped again page is new to the cache and a moved one is not. Moving to the front costs as many
 * word moves as the line lies deep: one host cache line for 16 ways.
 */
#ifndef BERTH_RECORDER_CACHE_H
#define BERTH_RECORDER_CACHE_H

#include "base/types.h"

#define CACHE_LINE_SHIFT 6
#define CACHE_LINE_BYTES ((uint64_t)1 << CACHE_LINE_SHIFT)

struct cache {
	uint32_t *tags;
	uint32_t nr_sets, ways;
	uint32_t set_mask; /* nr_sets - 1 when that is a power of two, else 0 */
};

/* size_bytes must be a multiple of ways * 64. 0, -EINVAL or -ENOMEM. */
int cache_init(struct cache *cache, uint64_t size_bytes, uint32_t ways);
void cache_fini(struct cache *cache);

/* True: it was there. Makes it the most recent of its set either way. */
static inline bool cache_access(struct cache *cache, uint32_t line)
{
	uint32_t set = cache->set_mask ? line & cache->set_mask : line % cache->nr_sets;
	uint32_t *tags = &cache->tags[(size_t)set * cache->ways];
	uint32_t moved = line;
	for (uint32_t i = 0; i < cache->ways; i++) {
		uint32_t current = tags[i];
		tags[i] = moved;
		if (current == line)
			return true;
		moved = current;
	}
	return false;
}

#endif
