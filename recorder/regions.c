/* SPDX-License-Identifier: MIT */
#include "regions.h"

#include <stdlib.h>
#include <string.h>

/* Names are few and repeat; they are kept for good. */
static const char *keep_name(const char *name)
{
	static char **names;
	static size_t nr_names;
	for (size_t i = nr_names; i-- > 0;)
		if (strcmp(names[i], name) == 0)
			return names[i];
	char **grown = realloc(names, (nr_names + 1) * sizeof(*names));
	char *copy = grown ? strdup(name) : NULL;
	names = grown ? grown : names;
	if (!copy)
		return "";
	names[nr_names++] = copy;
	return copy;
}

/* The first that ends after `page`. */
static uint32_t find(const struct regions *regions, uint64_t page)
{
	uint32_t low = 0, high = regions->nr;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (regions->items[middle].first + regions->items[middle].nr > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool insert(struct regions *regions, uint32_t at, struct region region)
{
	if (regions->nr == regions->room) {
		uint32_t room = regions->room ? regions->room * 2 : 64;
		struct region *items = room > REGIONS_MAX
					       ? NULL
					       : realloc(regions->items, room * sizeof(*items));
		if (!items)
			return false;
		regions->items = items;
		regions->room = room;
	}
	memmove(&regions->items[at + 1], &regions->items[at],
		(regions->nr - at) * sizeof(*regions->items));
	regions->items[at] = region;
	regions->nr++;
	return true;
}

/* Makes `page` the start of a region if it is inside one. */
static void split(struct regions *regions, uint64_t page)
{
	uint32_t at = find(regions, page);
	if (at == regions->nr || regions->items[at].first >= page)
		return;
	struct region right = regions->items[at];
	uint64_t left = page - right.first;
	right.first = page;
	right.nr -= left;
	if (insert(regions, at + 1, right))
		regions->items[at].nr = left;
}

void regions_unmap(struct regions *regions, uint64_t first, uint64_t nr)
{
	split(regions, first);
	split(regions, first + nr);
	uint32_t start = find(regions, first);
	uint32_t end = start;
	while (end < regions->nr && regions->items[end].first < first + nr)
		end++;
	if (end == start)
		return;
	memmove(&regions->items[start], &regions->items[end],
		(regions->nr - end) * sizeof(*regions->items));
	regions->nr -= end - start;
}

void regions_map(struct regions *regions, uint64_t first, uint64_t nr, uint32_t protection,
		 const char *name)
{
	if (nr == 0)
		return;
	regions_unmap(regions, first, nr);
	insert(regions, find(regions, first),
	       (struct region){ first, nr, protection, keep_name(name) });
}

void regions_move(struct regions *regions, uint64_t from, uint64_t to, uint64_t nr)
{
	uint32_t at = find(regions, from);
	if (at == regions->nr || regions->items[at].first >= from + nr)
		return;
	struct region moved = regions->items[at];
	regions_unmap(regions, from, nr);
	regions_map(regions, to, nr, moved.protection, moved.name);
}

void regions_protect(struct regions *regions, uint64_t first, uint64_t nr, uint32_t protection)
{
	split(regions, first);
	split(regions, first + nr);
	for (uint32_t at = find(regions, first);
	     at < regions->nr && regions->items[at].first < first + nr; at++)
		regions->items[at].protection = protection;
}

bool regions_is_valid(const struct regions *regions)
{
	uint64_t end = 0;
	for (uint32_t i = 0; i < regions->nr; i++) {
		if (regions->items[i].nr == 0 || regions->items[i].first < end)
			return false;
		end = regions->items[i].first + regions->items[i].nr;
	}
	return regions->nr <= regions->room;
}

void regions_fini(struct regions *regions)
{
	free(regions->items);
	*regions = (struct regions){ 0 };
}
