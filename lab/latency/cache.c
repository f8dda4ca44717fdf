/* SPDX-License-Identifier: MIT */
#include "lab/latency/cache.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_ALIGNMENT 64

static uint64_t nr_tags(const struct cache *cache)
{
	return (cache->set_mask + 1) * cache->nr_ways;
}

int cache_init(struct cache *cache, uint64_t cache_bytes, uint32_t nr_ways, uint32_t line_bytes)
{
	if (nr_ways == 0 || nr_ways > CACHE_MAX_WAYS || line_bytes == 0)
		return -EINVAL;
	uint64_t nr_sets = cache_bytes / line_bytes / nr_ways;
	if (nr_sets == 0 || nr_sets >> 32 != 0)
		return -EINVAL;
	uint32_t set_bits = 63 - (uint32_t)__builtin_clzll(nr_sets);
	*cache = (struct cache){ .nr_ways = nr_ways,
				 .set_bits = set_bits,
				 .set_mask = ((uint64_t)1 << set_bits) - 1 };
	size_t size = nr_tags(cache) * sizeof(*cache->tags);
	size = (size + TAGS_ALIGNMENT - 1) / TAGS_ALIGNMENT * TAGS_ALIGNMENT;
	cache->tags = aligned_alloc(TAGS_ALIGNMENT, size);
	if (!cache->tags)
		return -ENOMEM;
	cache_clear(cache);
	return 0;
}

void cache_fini(struct cache *cache)
{
	free(cache->tags);
	cache->tags = NULL;
}

void cache_clear(struct cache *cache)
{
	memset(cache->tags, 0, nr_tags(cache) * sizeof(*cache->tags));
}

uint64_t cache_bytes(const struct cache *cache, uint32_t line_bytes)
{
	return nr_tags(cache) * line_bytes;
}
