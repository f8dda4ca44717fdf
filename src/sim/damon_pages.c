/* SPDX-License-Identifier: MIT */
/* Pages of DAMON's regions, and a census; damon_pages.h has the picture. */
#include "sim/damon_pages.h"

#include <stdlib.h>

#define NOBODY UINT64_MAX

void damon_pages_fini(struct damon_pages *pages)
{
	free(pages->told);
	free(pages->samples);
	*pages = (struct damon_pages){ .nr = 0 };
}

int damon_pages_add(struct damon_pages *pages, const struct sample *sample)
{
	if (pages->nr == pages->max) {
		size_t max = pages->max ? pages->max * 2 : 64;
		struct sample *samples = realloc(pages->samples, max * sizeof(*samples));
		if (!samples)
			return -ENOMEM;
		pages->samples = samples;
		pages->max = max;
	}
	pages->samples[pages->nr++] = *sample;
	return 0;
}

uint32_t damon_page_node(const struct simulation *simulation, uint32_t space, uint64_t *page)
{
	const struct kernel *kernel = simulation->kernel;
	struct kernel_folio folio;
	if (kernel_folio_at(kernel, space, *page, &folio)) {
		*page = folio.page + folio.nr_pages - 1;
		return folio.node;
	}
	uint32_t number = stage_find(simulation->stage, space, *page);
	if (number >= kernel->nr_pages || kernel->pages[number].node == KERNEL_NOWHERE)
		return SAMPLE_NONE;
	return kernel->pages[number].node;
}

/* There is room for what is known of every page. */
static int grow(struct damon_pages *pages)
{
	uint32_t nr = pages->simulation->kernel->nr_pages;
	if (nr <= pages->nr_told)
		return 0;
	uint64_t *told = realloc(pages->told, nr * sizeof(*told));
	if (!told)
		return -ENOMEM;
	for (uint32_t i = pages->nr_told; i < nr; i++)
		told[i] = NOBODY;
	pages->told = told;
	pages->nr_told = nr;
	return 0;
}

/* Was it told of? From now on it was. */
static bool test_and_note(struct damon_pages *pages, uint32_t space, uint64_t page)
{
	uint32_t number = stage_find(pages->simulation->stage, space, page);
	if (number >= pages->nr_told) /* of a large folio, never used by itself */
		return true;
	uint64_t key = page ^ (uint64_t)space << 52;
	bool was_told = pages->told[number] == key;
	pages->told[number] = key;
	return was_told;
}

/* A run of pages of one node, while it grows. */
struct run {
	struct sample sample;
	bool is_open;
};

static int close_run(struct damon_pages *pages, struct run *run)
{
	bool was_open = run->is_open;
	run->is_open = false;
	return was_open ? damon_pages_add(pages, &run->sample) : 0;
}

/* [page, last] is on the node, after what was told before. */
static int tell(struct damon_pages *pages, struct run *run, uint64_t page, uint64_t last,
		uint32_t node)
{
	struct sample *sample = &run->sample;
	bool fits = run->is_open && sample->node == node && sample->page + sample->nr_pages == page;
	int error = fits ? 0 : close_run(pages, run);
	if (!fits) {
		sample->page = page;
		sample->nr_pages = 0;
		sample->node = node;
	}
	sample->nr_pages += last - page + 1;
	run->is_open = true;
	return error;
}

/* The pages [first, end) of a space: all, or those that were never told of. */
static int tell_range(struct damon_pages *pages, struct run *run, uint64_t first, uint64_t end,
		      bool is_census)
{
	uint32_t space = run->sample.space;
	int error = 0;
	for (uint64_t page = first; page < end && !error; page++) {
		uint64_t last = page;
		uint32_t node = damon_page_node(pages->simulation, space, &last);
		last = MIN(last, end - 1);
		pages->nr_checks++;
		bool is_wanted = node != SAMPLE_NONE;
		if (is_wanted)
			is_wanted = !test_and_note(pages, space, page) || !is_census;
		if (is_wanted)
			error = tell(pages, run, page, last, node);
		page = last;
	}
	return error;
}

int damon_pages_add_region(struct damon_pages *pages, const struct sample *region, size_t *from)
{
	const struct layout *layout = pages->layout;
	uint64_t region_end = region->page + region->nr_pages;
	struct run run = { .sample = *region };
	int error = grow(pages);
	while (*from < layout->nr && (layout->items[*from].space < region->space ||
				      (layout->items[*from].space == region->space &&
				       layout->items[*from].end <= region->page)))
		(*from)++;
	for (size_t i = *from; i < layout->nr && !error; i++) {
		const struct layout_extent *extent = &layout->items[i];
		if (extent->space != region->space || extent->start >= region_end)
			break;
		error = tell_range(pages, &run, MAX(extent->start, region->page),
				   MIN(extent->end, region_end), false);
	}
	return error ? error : close_run(pages, &run);
}

int damon_pages_census(struct damon_pages *pages, uint64_t now_ns)
{
	int error = grow(pages);
	for (size_t i = 0; i < pages->layout->nr && !error; i++) {
		const struct layout_extent *extent = &pages->layout->items[i];
		struct run run = { .sample = sample_of_page(SAMPLE_HITS, now_ns, extent->space,
							    extent->start) };
		run.sample.hits = run.sample.checks = 1;
		error = tell_range(pages, &run, extent->start, extent->end, true);
		if (!error)
			error = close_run(pages, &run);
	}
	return error;
}
