/* SPDX-License-Identifier: MIT */
/* The working set's series and histogram; see workingset.h. */
#include "mem/workingset.h"

#include <string.h>

static unsigned bucket_of(uint64_t value)
{
	if (value < (UINT64_C(2) << WORKINGSET_SUB_BITS))
		return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - WORKINGSET_SUB_BITS;
	return (shift << WORKINGSET_SUB_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	if (bucket < (2U << WORKINGSET_SUB_BITS))
		return bucket;
	unsigned shift = (bucket >> WORKINGSET_SUB_BITS) - 1;
	uint64_t part = bucket - ((uint64_t)shift << WORKINGSET_SUB_BITS);
	return ((part + 1) << shift) - 1;
}

void workingset_add(struct workingset *set, unsigned bin, uint64_t pages, uint64_t times)
{
	struct workingset_bin *at = &set->bins[bin];
	at->nr += times;
	at->sum += (double)pages * (double)times;
	at->max = MAX(at->max, pages);
	set->buckets[bucket_of(pages)] += times;
	set->nr += times;
	set->max = MAX(set->max, pages);
	set->sum += (double)pages * (double)times;
}

void workingset_halve_time(struct workingset *set)
{
	for (unsigned i = 0; i < GRID_BINS / 2; i++) {
		const struct workingset_bin *a = &set->bins[2 * i], *b = &set->bins[2 * i + 1];
		set->bins[i] = (struct workingset_bin){
			.nr = a->nr + b->nr,
			.sum = a->sum + b->sum,
			.max = MAX(a->max, b->max),
			.new_pages = a->new_pages + b->new_pages,
		};
	}
	memset(&set->bins[GRID_BINS / 2], 0, GRID_BINS / 2 * sizeof(set->bins[0]));
}

uint64_t workingset_percentile(const struct workingset *set, double ratio)
{
	uint64_t wanted = (uint64_t)(ratio * (double)set->nr + 0.999999), seen = 0;
	if (wanted == 0)
		wanted = 1;
	for (unsigned i = 0; i < WORKINGSET_BUCKETS; i++) {
		seen += set->buckets[i];
		if (seen >= wanted)
			return MIN(bucket_top(i), set->max);
	}
	return set->max;
}

double workingset_mean(const struct workingset *set)
{
	return set->nr ? set->sum / (double)set->nr : 0;
}
