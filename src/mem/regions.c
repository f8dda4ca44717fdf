/* SPDX-License-Identifier: MIT */
/* The map of named ranges; the picture and the costs are in regions.h. */
#include "mem/regions.h"

#include <stdlib.h>
#include <string.h>

#include "mem/key.h"

#define OTHERS "[other mappings]"

void regions_fini(struct regions *regions)
{
	for (uint32_t i = 0; i < regions->nr; i++)
		free(regions->list[i].name);
	free(regions->list);
	free(regions->spans);
	*regions = (struct regions){ 0 };
}

/* Index of the first span that ends at or after key; nr_spans if there is none. */
static uint32_t first_span_at(const struct regions *regions, uint64_t key)
{
	uint32_t low = 0, high = regions->nr_spans;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (regions->spans[middle].last < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t regions_find(struct regions *regions, uint64_t key)
{
	if (regions->hint < regions->nr_spans) {
		const struct region_span *span = &regions->spans[regions->hint];
		if (span->first <= key && key <= span->last)
			return span->region;
	}
	uint32_t at = first_span_at(regions, key);
	if (at == regions->nr_spans || regions->spans[at].first > key)
		return REGION_NONE;
	regions->hint = at;
	return regions->spans[at].region;
}

int regions_new(struct regions *regions, uint32_t space, const char *name, uint32_t *ret)
{
	if ((regions->nr & (regions->nr - 1)) == 0) { /* 0 or a power of two: full */
		uint32_t size = regions->nr ? regions->nr * 2 : 16;
		struct region *list = realloc(regions->list, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		regions->list = list;
	}
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	regions->list[regions->nr] =
		(struct region){ .space = space, .is_file = name[0] == '/', .name = copy };
	*ret = regions->nr++;
	return 0;
}

static uint32_t find_name(const struct regions *regions, uint32_t space, const char *name)
{
	for (uint32_t i = regions->nr; i-- > 0;)
		if (regions->list[i].space == space && strcmp(regions->list[i].name, name) == 0)
			return i;
	return REGION_NONE;
}

/* An anonymous mapping continues the one it touches, and a library's tail (its .bss, which the
 * loader maps over the end of the file's range) stays the library's. */
static uint32_t anonymous_neighbour(const struct regions *regions, uint64_t first, uint64_t last)
{
	uint32_t at = first_span_at(regions, first ? first - 1 : 0);
	for (; at < regions->nr_spans && regions->spans[at].first <= last + 1; at++) {
		const struct region_span *span = &regions->spans[at];
		const struct region *region = &regions->list[span->region];
		if (region->space != mem_key_space(first))
			continue;
		if (region->is_file ? span->first <= first && span->last >= last
				    : strcmp(region->name, "[anon]") == 0)
			return span->region;
	}
	return REGION_NONE;
}

static int region_for(struct regions *regions, uint32_t space, const char *name, uint64_t first,
		      uint64_t last, uint32_t *ret)
{
	bool is_anonymous = !*name || strcmp(name, "[anon]") == 0;
	uint32_t found = is_anonymous ? anonymous_neighbour(regions, first, last)
				      : find_name(regions, space, name);
	if (found == REGION_NONE && regions->nr >= REGIONS_MAX) {
		name = OTHERS;
		is_anonymous = false;
		regions->is_full = true;
		found = find_name(regions, space, name);
		if (found == REGION_NONE && regions->nr >= 2 * REGIONS_MAX)
			found = regions->nr - 1;
	}
	if (found == REGION_NONE)
		return regions_new(regions, space, is_anonymous ? "[anon]" : name, ret);
	*ret = found;
	return 0;
}

static int insert_span(struct regions *regions, uint32_t at, struct region_span span)
{
	if (regions->nr_spans >= REGIONS_MAX_SPANS) {
		regions->is_full = true;
		return 0;
	}
	if ((regions->nr_spans & (regions->nr_spans - 1)) == 0) {
		uint32_t size = regions->nr_spans ? regions->nr_spans * 2 : 64;
		struct region_span *spans = realloc(regions->spans, size * sizeof(*spans));
		if (!spans)
			return -ENOMEM;
		regions->spans = spans;
	}
	memmove(&regions->spans[at + 1], &regions->spans[at],
		(regions->nr_spans - at) * sizeof(*regions->spans));
	regions->spans[at] = span;
	regions->nr_spans++;
	return 0;
}

static void delete_spans(struct regions *regions, uint32_t at, uint32_t nr)
{
	if (!nr)
		return;
	memmove(&regions->spans[at], &regions->spans[at + nr],
		(regions->nr_spans - at - nr) * sizeof(*regions->spans));
	regions->nr_spans -= nr;
}

/* Cuts [first, last] out of the map; *ret_at is where a span for it belongs. */
static int clear_range(struct regions *regions, uint64_t first, uint64_t last, uint32_t *ret_at)
{
	uint32_t at = first_span_at(regions, first);
	if (at < regions->nr_spans && regions->spans[at].first < first) {
		struct region_span tail = regions->spans[at];
		regions->spans[at++].last = first - 1;
		if (tail.last > last) {
			tail.first = last + 1;
			*ret_at = at;
			return insert_span(regions, at, tail);
		}
	}
	uint32_t end = at;
	while (end < regions->nr_spans && regions->spans[end].last <= last)
		end++;
	if (end < regions->nr_spans && regions->spans[end].first <= last)
		regions->spans[end].first = last + 1;
	delete_spans(regions, at, end - at);
	*ret_at = at;
	return 0;
}

static int set_range(struct regions *regions, uint64_t first, uint64_t last, uint32_t region)
{
	uint32_t at = 0;
	int error = clear_range(regions, first, last, &at);
	if (error)
		return error;
	struct region_span *before = at ? &regions->spans[at - 1] : NULL;
	if (before && before->region == region && before->last + 1 == first) {
		before->last = last;
		struct region_span *after = at < regions->nr_spans ? &regions->spans[at] : NULL;
		if (after && after->region == region && last + 1 == after->first) {
			before->last = after->last;
			delete_spans(regions, at, 1);
		}
		return 0;
	}
	return insert_span(regions, at, (struct region_span){ first, last, region });
}

int regions_add(struct regions *regions, const struct trace_mapping *mapping)
{
	if ((mapping->op != TRACE_MAP && mapping->op != TRACE_REMAP) || !mapping->nr_pages)
		return 0;
	uint64_t first = mem_key(mapping->space, mapping->page);
	uint64_t room = MEM_PAGE_MASK - (first & MEM_PAGE_MASK);
	uint64_t last = first + MIN(mapping->nr_pages - 1, room);
	uint32_t region = REGION_NONE;
	if (mapping->op == TRACE_REMAP)
		region = regions_find(regions, mem_key(mapping->space, mapping->from_page));
	if (region == REGION_NONE) {
		const char *name = mapping->name ? mapping->name : "";
		int error = region_for(regions, mapping->space, name, first, last, &region);
		if (error)
			return error;
	}
	return set_range(regions, first, last, region);
}

bool regions_is_valid(const struct regions *regions)
{
	for (uint32_t i = 0; i < regions->nr_spans; i++) {
		const struct region_span *span = &regions->spans[i];
		if (span->first > span->last || span->region >= regions->nr)
			return false;
		if (i && regions->spans[i - 1].last >= span->first)
			return false;
	}
	return regions->nr_spans <= REGIONS_MAX_SPANS + 1;
}
