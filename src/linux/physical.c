/* SPDX-License-Identifier: MIT */
/* Frames and their regions (physical.h). */
#include "linux/physical.h"

#include <stdlib.h>
#include <string.h>

#include "linux/damon_pace.h"
#include "linux/pagemap.h"

#define NO_REGION UINT32_MAX

static int by_first(const void *a, const void *b)
{
	const struct frame_range *left = a, *right = b;
	return left->first < right->first ? -1 : left->first > right->first;
}

uint32_t physical_ranges(const struct frames *frames, uint32_t page_bytes,
			 struct kdamond_range ret[PHYSICAL_RANGES_MAX])
{
	struct frame_range *sorted = calloc(frames->nr_ranges + 1, sizeof(*sorted));
	uint32_t nr = 0;
	if (!sorted)
		return 0;
	memcpy(sorted, frames->ranges, frames->nr_ranges * sizeof(*sorted));
	qsort(sorted, frames->nr_ranges, sizeof(*sorted), by_first);
	for (uint32_t i = 0; i < frames->nr_ranges; i++) {
		uint64_t start = sorted[i].first * page_bytes;
		uint64_t end = start + sorted[i].nr_frames * page_bytes;
		if (nr > 0 && start <= ret[nr - 1].end) {
			ret[nr - 1].end = MAX(ret[nr - 1].end, end);
			continue;
		}
		if (nr == PHYSICAL_RANGES_MAX) {
			nr = 0;
			break;
		}
		ret[nr++] = (struct kdamond_range){ start, end };
	}
	free(sorted);
	return nr;
}

static bool holds(const struct damon_region *region, uint64_t frame)
{
	return frame >= region->first && frame < region->end;
}

static uint32_t region_of(struct physical_look *look, uint64_t frame)
{
	const struct damon_snapshot *snapshot = look->snapshot;
	uint32_t first = 0, end = snapshot->nr;
	if (look->last < snapshot->nr && holds(&snapshot->items[look->last], frame))
		return look->last;
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		if (snapshot->items[middle].end <= frame)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == snapshot->nr || !holds(&snapshot->items[first], frame))
		return NO_REGION;
	look->last = first;
	return first;
}

static bool continues(const struct sample *run, uint64_t page, uint32_t node, uint32_t hits)
{
	return run && run->page + run->nr_pages == page && run->node == node && run->hits == hits;
}

void physical_tell(struct physical_look *look, const struct physical_run *of,
		   const uint64_t *entries, uint64_t nr, struct sample_batch *batch)
{
	struct sample *run = NULL;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t frame = pagemap_frame(entries[i]);
		uint32_t at = frame ? region_of(look, frame) : NO_REGION;
		if (at == NO_REGION)
			continue;
		const struct damon_region *region = &look->snapshot->items[at];
		uint32_t node = frames_node(look->frames, frame);
		uint32_t hits = MIN(region->hits, DAMON_CHECKS);
		node = node == FRAMES_NO_NODE ? SAMPLE_NONE : node;
		look->nr_own_pages += hits > 0;
		if (!continues(run, of->page + i, node, hits)) {
			run = &batch->samples[batch->nr++];
			*run = sample_of_page(SAMPLE_HITS, region->time_ns, of->space,
					      of->page + i);
			run->nr_pages = 0;
			run->hits = hits;
			run->checks = DAMON_CHECKS;
			run->window_ns = look->window_ns;
			run->node = node;
		}
		run->nr_pages++;
	}
}

uint64_t physical_foreign_pages(const struct physical_look *look)
{
	uint64_t nr = 0;
	for (uint32_t i = 0; i < look->snapshot->nr; i++)
		if (look->snapshot->items[i].hits > 0)
			nr += look->snapshot->items[i].end - look->snapshot->items[i].first;
	return nr - MIN(nr, look->nr_own_pages);
}
