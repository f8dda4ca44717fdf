/* SPDX-License-Identifier: MIT */
/* DAMON's regions; damon.h has the picture and the sources. */
#include "sim/damon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MERGE_SHARE  10 /* threshold: this part of the highest count */
#define SPLIT_TENTHS 10
#define SPLIT_MAX    3

static uint64_t region_pages(const struct damon_region *region)
{
	return region->end - region->start;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* A mean of two, weighted by size, as the kernel rounds it. */
static uint64_t weigh(uint64_t a, uint64_t a_pages, uint64_t b, uint64_t b_pages)
{
	unsigned __int128 sum = (unsigned __int128)a * a_pages + (unsigned __int128)b * b_pages;
	return (uint64_t)(sum / (a_pages + b_pages));
}

void damon_init(struct damon *damon, const struct damon_attrs *attrs, uint64_t seed)
{
	*damon = (struct damon){ .attrs = *attrs, .size_limit = 1 };
	random_init(&damon->random, seed);
}

void damon_fini(struct damon *damon)
{
	for (size_t i = 0; i < damon->nr_targets; i++)
		free(damon->targets[i].regions);
	free(damon->targets);
	damon->targets = NULL;
	damon->nr_targets = 0;
}

static int add_region(struct damon_target *target, const struct damon_region *region)
{
	if (target->nr == target->max) {
		size_t max = target->max ? target->max * 2 : 16;
		struct damon_region *regions = realloc(target->regions, max * sizeof(*regions));
		if (!regions)
			return -ENOMEM;
		target->regions = regions;
		target->max = max;
	}
	target->regions[target->nr++] = *region;
	return 0;
}

static int add_range(struct damon_target *target, uint64_t start, uint64_t end)
{
	struct damon_region region = { .start = start, .end = end, .sampling = start };
	return start < end ? add_region(target, &region) : 0;
}

/* The first target whose space is not lower. */
static size_t target_at(const struct damon *damon, uint32_t space)
{
	size_t low = 0, high = damon->nr_targets;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (damon->targets[middle].space < space)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_target(struct damon *damon, size_t at, uint32_t space)
{
	struct damon_target *targets = realloc(damon->targets,
					       (damon->nr_targets + 1) * sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	damon->targets = targets;
	memmove(&targets[at + 1], &targets[at], (damon->nr_targets - at) * sizeof(*targets));
	targets[at] = (struct damon_target){ .space = space };
	damon->nr_targets++;
	return 0;
}

static void del_target(struct damon *damon, size_t at)
{
	free(damon->targets[at].regions);
	damon->nr_targets--;
	memmove(&damon->targets[at], &damon->targets[at + 1],
		(damon->nr_targets - at) * sizeof(*damon->targets));
}

/* Pieces as large as make min_regions of all spaces together. */
static int fill_new(const struct damon *damon, struct damon_target *target,
		    const struct damon_range *ranges, unsigned nr_ranges, uint64_t total_pages)
{
	uint64_t piece = MAX(total_pages / MAX(damon->attrs.min_regions, 1u), 1);
	int error = 0;
	for (unsigned i = 0; i < nr_ranges; i++) {
		uint64_t pages = ranges[i].end - ranges[i].start;
		uint64_t nr = MAX(MIN(pages / piece, damon->attrs.max_regions), 1);
		uint64_t each = pages / nr, start = ranges[i].start;
		for (uint64_t j = 1; j < nr && !error; j++, start += each)
			error = add_range(target, start, start + each);
		if (!error)
			error = add_range(target, start, ranges[i].end);
	}
	return error;
}

/* The regions that lie in a range, stretched to its ends, and new ones in their holes. */
static int fit_range(struct damon_target *to, const struct damon_target *from,
		     const struct damon_range *range)
{
	uint64_t done = range->start; /* covered up to here */
	int error = 0;
	for (size_t i = 0; i < from->nr && !error; i++) {
		struct damon_region region = from->regions[i];
		if (region.end <= range->start || region.start >= range->end)
			continue;
		bool is_first = done == range->start;
		bool is_last = i + 1 == from->nr || from->regions[i + 1].start >= range->end;
		if (!is_first)
			error = add_range(to, done, region.start);
		region.start = is_first ? range->start : region.start;
		region.end = is_last ? range->end : region.end;
		done = region.end;
		if (!error)
			error = add_region(to, &region);
	}
	return error ? error : add_range(to, done, range->end);
}

int damon_set_space(struct damon *damon, uint32_t space, const struct damon_range *ranges,
		    unsigned nr_ranges, uint64_t total_pages)
{
	size_t at = target_at(damon, space);
	bool is_known = at < damon->nr_targets && damon->targets[at].space == space;
	struct damon_target fitted = { .space = space };
	int error = 0;
	if (nr_ranges == 0) {
		if (is_known)
			del_target(damon, at);
		return 0;
	}
	if (!is_known) {
		error = add_target(damon, at, space);
		return error ? error
			     : fill_new(damon, &damon->targets[at], ranges, nr_ranges, total_pages);
	}
	for (unsigned i = 0; i < nr_ranges && !error; i++)
		error = fit_range(&fitted, &damon->targets[at], &ranges[i]);
	if (error) {
		free(fitted.regions);
		return error;
	}
	free(damon->targets[at].regions);
	damon->targets[at] = fitted;
	return 0;
}

void damon_set_limit(struct damon *damon)
{
	uint64_t pages = 0;
	for (size_t i = 0; i < damon->nr_targets; i++)
		for (size_t j = 0; j < damon->targets[i].nr; j++)
			pages += region_pages(&damon->targets[i].regions[j]);
	damon->size_limit = MAX(pages / MAX(damon->attrs.min_regions, 1u), 1);
}

unsigned damon_three_ranges(const struct damon_range *extents, size_t nr,
			    struct damon_range ret[DAMON_RANGES])
{
	size_t widest = 0, second = 0; /* the extent after the gap; 0: none */
	for (size_t i = 1; i < nr; i++) {
		uint64_t gap = extents[i].start - extents[i - 1].end;
		if (!widest || gap > extents[widest].start - extents[widest - 1].end) {
			second = widest;
			widest = i;
		} else if (!second || gap > extents[second].start - extents[second - 1].end) {
			second = i;
		}
	}
	size_t cuts[2] = { MIN(widest, second), MAX(widest, second) };
	unsigned made = 0;
	size_t first = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (cuts[i] == 0)
			continue;
		ret[made++] = (struct damon_range){ extents[first].start,
						    extents[cuts[i] - 1].end };
		first = cuts[i];
	}
	if (nr > 0)
		ret[made++] = (struct damon_range){ extents[first].start, extents[nr - 1].end };
	return made;
}

uint64_t damon_check(struct damon *damon, const struct damon_ops *ops, void *context)
{
	uint64_t nr_checks = 0;
	damon->max_nr_accesses = 0;
	for (size_t i = 0; i < damon->nr_targets; i++) {
		struct damon_target *target = &damon->targets[i];
		for (size_t j = 0; j < target->nr; j++) {
			struct damon_region *region = &target->regions[j];
			region->nr_accesses += ops->is_young(context, target->space,
							     region->sampling);
			damon->max_nr_accesses = MAX(damon->max_nr_accesses, region->nr_accesses);
		}
		nr_checks += target->nr;
	}
	return nr_checks;
}

void damon_prepare(struct damon *damon, const struct damon_ops *ops, void *context)
{
	for (size_t i = 0; i < damon->nr_targets; i++) {
		struct damon_target *target = &damon->targets[i];
		for (size_t j = 0; j < target->nr; j++) {
			struct damon_region *region = &target->regions[j];
			uint64_t offset = random_below(&damon->random, region_pages(region));
			region->sampling = region->start + offset;
			ops->clear(context, target->space, region->sampling);
		}
	}
}

size_t damon_nr_regions(const struct damon *damon)
{
	size_t nr = 0;
	for (size_t i = 0; i < damon->nr_targets; i++)
		nr += damon->targets[i].nr;
	return nr;
}

/* The age of a region whose count is much as it was goes up, else it starts again. */
static void count_age(struct damon *damon, uint64_t threshold)
{
	for (size_t i = 0; i < damon->nr_targets; i++) {
		for (size_t j = 0; j < damon->targets[i].nr; j++) {
			struct damon_region *region = &damon->targets[i].regions[j];
			uint64_t change = difference(region->nr_accesses, region->last_nr_accesses);
			region->age = change > threshold ? 0 : region->age + 1;
		}
	}
}

static void merge_target(struct damon_target *target, uint64_t threshold, uint64_t size_limit)
{
	size_t kept = 0;
	for (size_t i = 0; i < target->nr; i++) {
		struct damon_region *region = &target->regions[i];
		struct damon_region *last = kept ? &target->regions[kept - 1] : NULL;
		if (!last || last->end != region->start ||
		    difference(last->nr_accesses, region->nr_accesses) > threshold ||
		    region_pages(last) + region_pages(region) > size_limit) {
			target->regions[kept++] = *region;
			continue;
		}
		last->nr_accesses = weigh(last->nr_accesses, region_pages(last),
					  region->nr_accesses, region_pages(region));
		last->age = weigh(last->age, region_pages(last), region->age, region_pages(region));
		last->end = region->end;
	}
	target->nr = kept;
}

void damon_aggregate(struct damon *damon)
{
	uint64_t threshold = damon->max_nr_accesses / MERGE_SHARE;
	uint64_t most = damon->attrs.max_accesses;
	count_age(damon, threshold);
	for (;;) {
		for (size_t i = 0; i < damon->nr_targets; i++)
			merge_target(&damon->targets[i], threshold, damon->size_limit);
		if (damon_nr_regions(damon) <= damon->attrs.max_regions || threshold >= most)
			return;
		threshold = threshold < most / 2 ? MAX(threshold * 2, 1) : most;
	}
}

/* Cuts a region into at most nr_pieces: the first cut anywhere in it, the next in its left part. */
static int split_region(struct damon *damon, struct damon_target *to,
			const struct damon_region *region, unsigned nr_pieces)
{
	uint64_t cuts[SPLIT_MAX], left = region_pages(region);
	unsigned nr_cuts = 0;
	for (unsigned i = 0; i + 1 < nr_pieces && left > 2; i++) {
		uint64_t tenths = 1 + random_below(&damon->random, SPLIT_TENTHS - 1);
		uint64_t cut = (uint64_t)((unsigned __int128)left * tenths / SPLIT_TENTHS);
		if (cut == 0 || cut >= left)
			continue;
		cuts[nr_cuts++] = left = cut;
	}
	int error = 0;
	struct damon_region piece = *region;
	while (nr_cuts > 0 && !error) {
		piece.end = region->start + cuts[--nr_cuts];
		error = add_region(to, &piece);
		piece.start = piece.end;
	}
	piece.end = region->end;
	return error ? error : add_region(to, &piece);
}

static int split_target(struct damon *damon, struct damon_target *target, unsigned nr_pieces)
{
	struct damon_target split = { .space = target->space };
	int error = 0;
	for (size_t i = 0; i < target->nr && !error; i++)
		error = split_region(damon, &split, &target->regions[i], nr_pieces);
	if (error) {
		free(split.regions);
		return error;
	}
	free(target->regions);
	*target = split;
	return 0;
}

int damon_reset(struct damon *damon)
{
	size_t nr = damon_nr_regions(damon);
	int error = 0;
	for (size_t i = 0; i < damon->nr_targets; i++) {
		for (size_t j = 0; j < damon->targets[i].nr; j++) {
			struct damon_region *region = &damon->targets[i].regions[j];
			region->last_nr_accesses = region->nr_accesses;
			region->nr_accesses = 0;
		}
	}
	if (nr > damon->attrs.max_regions / 2)
		return 0;
	bool is_stuck = nr == damon->last_nr_regions && nr < damon->attrs.max_regions / 3;
	for (size_t i = 0; i < damon->nr_targets && !error; i++)
		error = split_target(damon, &damon->targets[i], is_stuck ? SPLIT_MAX : 2);
	damon->last_nr_regions = nr;
	return error;
}

uint64_t damon_bytes(const struct damon *damon)
{
	uint64_t bytes = damon->nr_targets * sizeof(*damon->targets);
	for (size_t i = 0; i < damon->nr_targets; i++)
		bytes += damon->targets[i].max * sizeof(struct damon_region);
	return bytes;
}

bool damon_is_valid(const struct damon *damon)
{
	for (size_t i = 0; i < damon->nr_targets; i++) {
		const struct damon_target *target = &damon->targets[i];
		if (i > 0 && damon->targets[i - 1].space >= target->space)
			return false;
		for (size_t j = 0; j < target->nr; j++) {
			const struct damon_region *region = &target->regions[j];
			if (region->start >= region->end ||
			    (j > 0 && target->regions[j - 1].end > region->start))
				return false;
		}
	}
	return true;
}
