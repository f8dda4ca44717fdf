/* SPDX-License-Identifier: MIT */
/* Reading pagemap, and a census by it (pagemap.h). */
#include "linux/pagemap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/process.h"

#define SAME_PARTS 256 /* fewer pages more or less than one of these: as much memory as before */

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

void pagemap_walk_init(struct pagemap_walk *walk, struct live *live)
{
	*walk = (struct pagemap_walk){ .live = live, .pagemap = PAGEMAP_NONE };
}

void pagemap_walk_fini(struct pagemap_walk *walk)
{
	live_areas_fini(&walk->areas);
	pagemap_close(&walk->pagemap);
}

void pagemap_walk_restart(struct pagemap_walk *walk)
{
	pagemap_walk_fini(walk);
	walk->space = 0;
	walk->has_areas = false;
}

static int begin_space(struct pagemap_walk *walk)
{
	const struct live_space *space = live_space(walk->live, walk->space);
	if (space && walk->may_pass && walk->may_pass(walk->context, walk->space))
		return -EAGAIN;
	if (!space || !pagemap_open(&walk->pagemap, walk->live, walk->space))
		return -ESRCH;
	int error = live_areas(walk->live, space, &walk->areas);
	walk->area = 0;
	walk->page = 0;
	walk->has_areas = !error;
	return error;
}

static void end_space(struct pagemap_walk *walk)
{
	pagemap_walk_fini(walk);
	walk->has_areas = false;
	walk->space++;
}

/* Of this process; 0: there is no more, or it has ended. */
static uint64_t read_next(struct pagemap_walk *walk)
{
	for (; walk->area < walk->areas.nr; walk->area++) {
		const struct live_area *area = &walk->areas.items[walk->area];
		walk->page = MAX(walk->page, area->first);
		if (walk->page < area->end)
			return pagemap_read(&walk->pagemap, walk->page, area->end - walk->page);
	}
	return 0;
}

int pagemap_walk_next(struct pagemap_walk *walk, uint64_t *ret_first, uint64_t *ret_nr)
{
	while (walk->space < walk->live->nr_spaces) {
		int error = walk->has_areas ? 0 : begin_space(walk);
		uint64_t nr = error ? 0 : read_next(walk);
		if (nr > 0) {
			*ret_first = walk->page;
			*ret_nr = nr;
			walk->page += nr;
			return 1;
		}
		end_space(walk);
		if (error == -ENOMEM)
			return error;
	}
	walk->space = 0;
	return 0;
}

void census_init(struct census *census, struct live *live)
{
	*census = (struct census){ .seen = { 0 } };
	pagemap_walk_init(&census->walk, live);
}

void census_fini(struct census *census)
{
	seen_fini(&census->seen);
	pagemap_walk_fini(&census->walk);
	free(census->visits);
	census->visits = NULL;
	census->max_visits = 0;
}

/* NULL: out of memory. */
static struct census_visit *visit_of(struct census *census, uint32_t space)
{
	if (space >= census->max_visits) {
		uint32_t max = MAX(census->max_visits * 2, MAX(space + 1, 16));
		struct census_visit *visits = realloc(census->visits, max * sizeof(*visits));
		if (!visits)
			return NULL;
		memset(visits + census->max_visits, 0,
		       (max - census->max_visits) * sizeof(*visits));
		census->visits = visits;
		census->max_visits = max;
	}
	return &census->visits[space];
}

/* Nothing to be met there, as far as its size tells. */
static bool may_pass(void *context, uint32_t space)
{
	struct census *census = context;
	uint64_t now_ns = census->now_ns;
	struct census_visit *visit = visit_of(census, space);
	if (!visit)
		return false;
	uint64_t nr = live_resident_pages(census->walk.live, space), before = visit->nr_resident;
	bool is_same = (nr > before ? nr - before : before - nr) <= before / SAME_PARTS;
	if (visit->noted_ns && is_same && now_ns - visit->noted_ns < CENSUS_AGAIN_NS)
		return true;
	*visit = (struct census_visit){ MAX(now_ns, 1), nr };
	return false;
}

/* The pages of a chunk that were never told of. */
static void tell_new(struct census *census, uint64_t first, uint64_t nr, uint64_t now_ns,
		     struct sample_batch *batch)
{
	const struct pagemap *pagemap = &census->walk.pagemap;
	struct sample *run = NULL;
	for (uint64_t page = first; page < first + nr; page++) {
		uint32_t node = pagemap_node(pagemap, &census->walk.live->frames, page - first);
		if (node != FRAMES_NO_NODE)
			seen_mark(&census->seen, pagemap->space, page);
		if (node == FRAMES_NO_NODE || !seen_take_new(&census->seen, pagemap->space, page)) {
			run = NULL;
			continue;
		}
		if (!run || run->node != node) {
			run = &batch->samples[batch->nr++];
			*run = sample_of_page(SAMPLE_HITS, now_ns, pagemap->space, page);
			run->nr_pages = 0;
			run->hits = run->checks = 1;
			run->node = node;
		}
		run->nr_pages++;
	}
}

/* However long it took: what was gone through in it rests from now on. */
static void end_round(struct census *census)
{
	for (uint32_t i = 0; i < census->max_visits; i++)
		if (census->visits[i].noted_ns > census->round_ns)
			census->visits[i].noted_ns = census->now_ns;
	census->round_ns = census->now_ns;
}

/* Who has come is met before others are gone through to their ends. */
static void go_to_new(struct census *census)
{
	struct pagemap_walk *walk = &census->walk;
	uint32_t nr = walk->live->nr_spaces, before = census->nr_spaces;
	census->nr_spaces = nr;
	if (nr <= before || walk->space >= before || before == 0)
		return;
	if (walk->has_areas && walk->space < census->max_visits)
		census->visits[walk->space].noted_ns = 0; /* it was not gone through */
	pagemap_walk_restart(walk);
	walk->space = before;
}

bool census_go_on(struct census *census, uint64_t now_ns, uint64_t nr_pages,
		  struct sample_batch *batch)
{
	uint64_t first, nr;
	census->now_ns = MAX(now_ns, 1);
	census->walk.may_pass = may_pass;
	census->walk.context = census;
	go_to_new(census);
	bool is_new_round = census->walk.space == 0 && !census->walk.has_areas;
	if (is_new_round && census->round_ns && now_ns - census->round_ns < CENSUS_ROUND_NS)
		return true;
	for (uint64_t done = 0; done < nr_pages && batch->max - batch->nr >= PAGEMAP_CHUNK;
	     done += nr) {
		if (pagemap_walk_next(&census->walk, &first, &nr) != 1) {
			end_round(census);
			return true;
		}
		tell_new(census, first, nr, now_ns, batch);
	}
	return false;
}
