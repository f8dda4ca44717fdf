/* SPDX-License-Identifier: MIT */
/* Reading pagemap, and a census by it (pagemap.h). */
#include "linux/pagemap.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "linux/process.h"

void pagemap_close(struct pagemap *pagemap)
{
	if (pagemap->fd >= 0)
		close(pagemap->fd);
	pagemap->fd = -1;
}

bool pagemap_open(struct pagemap *pagemap, struct live *live, uint32_t index)
{
	char path[64];
	if (pagemap->fd >= 0 && pagemap->space == index)
		return true;
	pagemap_close(pagemap);
	const struct live_space *space = live_space(live, index);
	if (!space)
		return false;
	snprintf(path, sizeof(path), "proc/%d/pagemap", space->pid);
	pagemap->fd = rootfile_open(live->root, path, O_RDONLY);
	pagemap->space = index;
	return pagemap->fd >= 0;
}

uint64_t pagemap_read(struct pagemap *pagemap, uint64_t first, uint64_t nr)
{
	ssize_t nr_bytes = pread(pagemap->fd, pagemap->entries,
				 MIN(nr, PAGEMAP_CHUNK) * sizeof(*pagemap->entries),
				 (off_t)(first * sizeof(*pagemap->entries)));
	return nr_bytes < 0 ? 0 : (uint64_t)nr_bytes / sizeof(*pagemap->entries);
}

uint32_t pagemap_node(const struct pagemap *pagemap, struct frames *frames, uint64_t i)
{
	uint64_t frame = pagemap_frame(pagemap->entries[i]);
	return frame ? frames_node(frames, frame) : FRAMES_NO_NODE;
}

void census_init(struct census *census, struct live *live)
{
	*census = (struct census){ .live = live, .pagemap = PAGEMAP_NONE };
}

void census_fini(struct census *census)
{
	seen_fini(&census->seen);
	live_areas_fini(&census->areas);
	pagemap_close(&census->pagemap);
}

/* The pages of a chunk that were never told of. */
static void tell_new(struct census *census, uint64_t nr, uint64_t now_ns,
		     struct sample_batch *batch)
{
	struct sample *run = NULL;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t page = census->page + i;
		uint32_t node = pagemap_node(&census->pagemap, &census->live->frames, i);
		if (node != FRAMES_NO_NODE)
			seen_mark(&census->seen, census->space, page);
		if (node == FRAMES_NO_NODE || !seen_take_new(&census->seen, census->space, page)) {
			run = NULL;
			continue;
		}
		if (!run || run->node != node) {
			run = &batch->samples[batch->nr++];
			*run = sample_of_page(SAMPLE_HITS, now_ns, census->space, page);
			run->nr_pages = 0;
			run->hits = run->checks = 1;
			run->node = node;
		}
		run->nr_pages++;
	}
}

static bool begin_space(struct census *census)
{
	const struct live_space *space = live_space(census->live, census->space);
	live_areas_fini(&census->areas);
	census->area = 0;
	census->page = 0;
	census->has_areas = space && live_areas(census->live, space, &census->areas) == 0 &&
			    pagemap_open(&census->pagemap, census->live, census->space);
	return census->has_areas;
}

static void end_space(struct census *census)
{
	census->has_areas = false;
	census->space++;
	pagemap_close(&census->pagemap);
}

bool census_go_on(struct census *census, uint64_t now_ns, uint64_t nr_pages,
		  struct sample_batch *batch)
{
	for (uint64_t done = 0; done < nr_pages && batch->max - batch->nr >= PAGEMAP_CHUNK;) {
		if (census->space >= census->live->nr_spaces) {
			census->space = 0;
			return true;
		}
		if (!census->has_areas && !begin_space(census)) {
			census->space++;
			continue;
		}
		if (census->area == census->areas.nr) {
			end_space(census);
			continue;
		}
		const struct live_area *area = &census->areas.items[census->area];
		census->page = MAX(census->page, area->first);
		uint64_t nr = MIN(area->end - census->page, PAGEMAP_CHUNK);
		tell_new(census, pagemap_read(&census->pagemap, census->page, nr), now_ns, batch);
		census->page += nr;
		done += nr;
		if (census->page >= area->end)
			census->area++;
	}
	return false;
}
