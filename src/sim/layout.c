/* SPDX-License-Identifier: MIT */
/* Where pages lie; layout.h has the picture. */
#include "sim/layout.h"

#include <stdlib.h>

static int add_block(void *context, uint32_t space, uint64_t first, uint64_t last, uint32_t nr_live)
{
	struct layout *layout = context;
	if (layout->nr == layout->max) {
		size_t max = layout->max ? layout->max * 2 : 256;
		struct layout_extent *items = realloc(layout->items, max * sizeof(*items));
		if (!items)
			return -ENOMEM;
		layout->items = items;
		layout->max = max;
	}
	layout->items[layout->nr++] = (struct layout_extent){ first, last + 1, nr_live, space };
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct layout_extent *a = left, *b = right;
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static void join_neighbours(struct layout *layout)
{
	size_t kept = 0;
	for (size_t i = 0; i < layout->nr; i++) {
		struct layout_extent extent = layout->items[i];
		struct layout_extent *last = kept ? &layout->items[kept - 1] : NULL;
		if (last && last->space == extent.space && extent.start - last->end < LAYOUT_GAP) {
			last->end = extent.end;
			last->nr_live += extent.nr_live;
		} else {
			layout->items[kept++] = extent;
		}
	}
	layout->nr = kept;
}

int layout_read(struct layout *layout, const struct stage *stage)
{
	layout->nr = 0;
	int error = stage_walk(stage, add_block, layout);
	if (error) {
		layout->nr = 0;
		return error;
	}
	if (layout->nr > 1)
		qsort(layout->items, layout->nr, sizeof(*layout->items), compare);
	join_neighbours(layout);
	return 0;
}

void layout_fini(struct layout *layout)
{
	free(layout->items);
	*layout = (struct layout){ 0 };
}
