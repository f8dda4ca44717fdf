/* SPDX-License-Identifier: MIT */
/* Mappings as the scanner walks them; areas.h has the picture. */
#include "sim/kernel/areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first area that ends above the page; areas->nr when there is none. */
static size_t at_or_above(const struct areas *areas, uint64_t page)
{
	size_t low = 0, high = areas->nr;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (areas->items[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool holds(const struct scan_area *area, uint64_t page)
{
	return page >= area->start && page < area->end;
}

struct scan_area *areas_find(struct areas *areas, uint64_t page)
{
	if (areas->last < areas->nr && holds(&areas->items[areas->last], page))
		return &areas->items[areas->last];
	size_t at = at_or_above(areas, page);
	if (at == areas->nr || !holds(&areas->items[at], page))
		return NULL;
	areas->last = at;
	return &areas->items[at];
}

static void remove_at(struct areas *areas, size_t at)
{
	memmove(&areas->items[at], &areas->items[at + 1],
		(areas->nr - at - 1) * sizeof(*areas->items));
	areas->nr--;
}

/* The two neighbours of a page that no area holds: is one near enough to take it? */
static bool join(struct areas *areas, size_t above, uint64_t page, uint64_t gap)
{
	struct scan_area *next = above < areas->nr ? &areas->items[above] : NULL;
	struct scan_area *previous = above > 0 ? &areas->items[above - 1] : NULL;
	bool near_next = next && next->start - page <= gap;
	bool near_previous = previous && page - previous->end < gap;
	if (near_previous && near_next) {
		previous->end = next->end;
		remove_at(areas, above);
	} else if (near_previous) {
		previous->end = page + 1;
	} else if (near_next) {
		next->start = page;
	}
	return near_previous || near_next;
}

int areas_touch(struct areas *areas, uint64_t page)
{
	if (areas_find(areas, page))
		return 0;
	size_t above = at_or_above(areas, page);
	if (join(areas, above, page, AREAS_GAP) ||
	    (areas->nr >= AREAS_MAX && join(areas, above, page, UINT64_MAX)))
		return 0;
	if (areas->nr == areas->max) {
		size_t max = areas->max ? areas->max * 2 : 16;
		struct scan_area *items = realloc(areas->items, max * sizeof(*items));
		if (!items)
			return -ENOMEM;
		areas->items = items;
		areas->max = max;
	}
	memmove(&areas->items[above + 1], &areas->items[above],
		(areas->nr - above) * sizeof(*areas->items));
	areas->items[above] = (struct scan_area){ .start = page, .end = page + 1 };
	areas->nr++;
	return 0;
}

void areas_fini(struct areas *areas)
{
	free(areas->items);
	*areas = (struct areas){ 0 };
}

bool areas_is_valid(const struct areas *areas)
{
	for (size_t i = 0; i < areas->nr; i++) {
		if (areas->items[i].start >= areas->items[i].end)
			return false;
		if (i > 0 && areas->items[i - 1].end > areas->items[i].start)
			return false;
	}
	return areas->nr <= AREAS_MAX;
}
