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

#ifdef __SSE2__
#include <emmintrin.h>

/* 16 ways, the usual case, without a branch: lanes up to the line's place take their left
 * neighbour's tag. */
static inline bool cache_access_16(uint32_t *tags, uint32_t line)
{
	const __m128i wanted = _mm_set1_epi32((int)line);
	__m128i old[4], equal[4];
	for (int i = 0; i < 4; i++) {
		old[i] = _mm_load_si128((const __m128i *)tags + i);
		equal[i] = _mm_cmpeq_epi32(old[i], wanted);
	}
	int found = _mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(equal[0], equal[1]),
						      _mm_packs_epi32(equal[2], equal[3])));
	int place = found ? __builtin_ctz((unsigned)found) : 16;
	__m128i carried = _mm_cvtsi32_si128((int)line);
	for (int i = 0; i < 4; i++) {
		__m128i lane = _mm_setr_epi32(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3);
		__m128i stays = _mm_cmpgt_epi32(lane, _mm_set1_epi32(place));
		__m128i shifted = _mm_or_si128(_mm_slli_si128(old[i], 4), carried);
		carried = _mm_srli_si128(old[i], 12);
		_mm_store_si128((__m128i *)tags + i,
				_mm_or_si128(_mm_and_si128(stays, old[i]),
					     _mm_andnot_si128(stays, shifted)));
	}
	return found != 0;
}
#endif

/* True: it was there. Makes it the most recent of its set either way. */
static inline bool cache_access(struct cache *cache, uint32_t line)
{
	uint32_t set = cache->set_mask ? line & cache->set_mask : line % cache->nr_sets;
	uint32_t *tags = &cache->tags[(size_t)set * cache->ways];
#ifdef __SSE2__
	if (likely(cache->ways == 16))
		return cache_access_16(tags, line);
#endif
	if (tags[0] == line)
		return true;
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
