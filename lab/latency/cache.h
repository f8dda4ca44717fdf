/* SPDX-License-Identifier: MIT */
/*
 * A set-associative cache of physical lines with exact least-recently-used replacement: tags only.
 *
 *     line number = tag | set         set: ways tags of 32 bits, most recently used first
 *
 * A set of up to 16 ways is one host cache line, so a look-up touches one. 2 MiB of modelled cache
 * are 128 KiB of tags, which stay in the host's own L2. Why LRU by order and not by age: the order
 * is the state, nothing else is stored, and a hit in the first way (most of them) moves nothing.
 * 32 bits of tag tell 256 GiB apart for each set, and there are thousands of sets.
 */
#ifndef BERTH_LAB_LATENCY_CACHE_H
#define BERTH_LAB_LATENCY_CACHE_H

#include "base/types.h"

#define CACHE_MAX_WAYS 16

struct cache {
	uint32_t *tags; /* [set * nr_ways + age]; 0: empty, else tag + 1 */
	uint64_t set_mask;
	uint32_t set_bits, nr_ways;
};

/* The number of sets is cut to a power of two. -EINVAL: no whole set fits, or too many ways. */
int cache_init(struct cache *cache, uint64_t cache_bytes, uint32_t nr_ways, uint32_t line_bytes);
void cache_fini(struct cache *cache);
void cache_clear(struct cache *cache);
uint64_t cache_bytes(const struct cache *cache, uint32_t line_bytes);

/* Was the line there? It is now, as the most recent of its set. */
static inline bool cache_touch(struct cache *cache, uint64_t line)
{
	uint32_t *set = cache->tags + (line & cache->set_mask) * cache->nr_ways;
	uint32_t tag = (uint32_t)(line >> cache->set_bits) + 1, previous = set[0];
	if (previous == tag)
		return true;
	set[0] = tag;
	for (uint32_t way = 1; way < cache->nr_ways; way++) {
		uint32_t here = set[way];
		set[way] = previous;
		if (here == tag)
			return true;
		previous = here;
	}
	return false;
}

#endif
