/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <sys/mman.h>

static size_t cache_map_bytes(const struct cache *cache)
{
	return (size_t)cache->nr_sets * cache->ways * sizeof(*cache->tags);
}

int cache_init(struct cache *cache, uint64_t size_bytes, uint32_t ways)
{
	uint64_t set_bytes = ways * CACHE_LINE_BYTES;
	if (ways == 0 || size_bytes < set_bytes || size_bytes % set_bytes ||
	    size_bytes / CACHE_LINE_BYTES > UINT32_MAX / 2)
		return -EINVAL;
	cache->ways = ways;
	cache->nr_sets = (uint32_t)(size_bytes / set_bytes);
	bool is_power = (cache->nr_sets & (cache->nr_sets - 1)) == 0;
	cache->set_mask = is_power ? cache->nr_sets - 1 : 0;
	cache->tags = mmap(NULL, cache_map_bytes(cache), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return cache->tags == MAP_FAILED ? -ENOMEM : 0;
}

void cache_fini(struct cache *cache)
{
	if (cache->tags)
		munmap(cache->tags, cache_map_bytes(cache));
	cache->tags = NULL;
}
