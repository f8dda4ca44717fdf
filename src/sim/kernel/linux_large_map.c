/* SPDX-License-Identifier: MIT */
/*
 * What mappings that change do to large folios and to the page tables beside them.
 *
 *     munmap, end of process   whole folios go, cut ones are queued for splitting; page tables go
 *     madvise(DONTNEED)        the same, but page tables stay: no huge page there again
 *     mprotect of a part       split of the one entry (PMD) into a page table; the folio stays
 * whole mremap                   by whole blocks to whole blocks the folio goes along; else it is
 * split
 *
 * Follows mm/memory.c zap_pmd_range, free_pgtables; mm/huge_memory.c change_huge_pmd, move_huge_pmd
 * (6.12). In the kernel an mremap that is not aligned splits the entry only, and the folio stays
 * whole until reclaim; here it is split at once, so that each folio has one place.
 *
 * Cost: O(blocks of the range) or O(folios), whichever is less, and the page map's own.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/kernel/linux.h"

struct span { /* of pages in one space */
	uint32_t space;
	uint64_t start, end;
};

static struct span span_of(uint32_t space, uint64_t page, uint64_t nr_pages)
{
	return (struct span){ space, page, page + MIN(nr_pages, UINT64_MAX - page) };
}

/* Pages [from, to) of folio `id` lie in the span. */
typedef int (*span_fn)(struct linux_kernel *state, void *context, uint32_t id, uint32_t from,
		       uint32_t to);

static int visit_folio(struct linux_kernel *state, const struct span *span, uint32_t id,
		       span_fn visit, void *context)
{
	const struct large_folio *folio = large_folio(&state->large, id);
	uint64_t start = folio->block * LARGE_PAGES, end = start + LARGE_PAGES;
	if (!folio->is_used || !folio->has_block || folio->space != span->space ||
	    end <= span->start || start >= span->end)
		return 0;
	return visit(state, context, id, (uint32_t)(MAX(start, span->start) - start),
		     (uint32_t)(MIN(end, span->end) - start));
}

/* Each folio that lies in the span, wholly or in part: block by block or folio by folio, whichever
 * is fewer. */
static int visit_span(struct linux_kernel *state, const struct span *span, span_fn visit,
		      void *context)
{
	uint64_t first = span->start / LARGE_PAGES;
	uint64_t nr = (span->end - 1) / LARGE_PAGES - first + 1;
	int error = 0;
	if (span->start >= span->end)
		return 0;
	if (nr >= state->large.nr) {
		for (uint32_t id = 0; id < state->large.nr && !error; id++)
			error = visit_folio(state, span, id, visit, context);
		return error;
	}
	for (uint64_t i = 0; i < nr && !error; i++) {
		uint32_t id = large_at(&state->large, span->space, (first + i) * LARGE_PAGES);
		if (id < LARGE_SMALL)
			error = visit_folio(state, span, id, visit, context);
	}
	return error;
}

static int unmap(struct linux_kernel *state, void *context, uint32_t id, uint32_t from, uint32_t to)
{
	(void)context;
	return linux_large_unmap(state, id, from, to);
}

/* A page table that no area needs any more goes with the last of them. */
static void forget_edge(struct linux_kernel *state, uint32_t number, uint64_t page)
{
	const struct linux_space *space = &state->spaces[number];
	if (large_at(&state->large, number, page) == LARGE_SMALL &&
	    !areas_overlap(&space->areas, page / LARGE_PAGES * LARGE_PAGES, LARGE_PAGES))
		pagemap_take(&state->large.blocks, number, page / LARGE_PAGES);
}

static int unmap_span(struct linux_kernel *state, const struct span *span)
{
	if (span->start >= span->end)
		return 0;
	int error = visit_span(state, span, unmap, NULL);
	if (!error)
		error = large_forget_small(&state->large, span->space, span->start,
					   span->end - span->start);
	forget_edge(state, span->space, span->start);
	forget_edge(state, span->space, span->end - 1);
	return error;
}

static int protect(struct linux_kernel *state, void *context, uint32_t id, uint32_t from,
		   uint32_t to)
{
	(void)context;
	if (to - from < LARGE_PAGES)
		linux_large_split_entry(state, id);
	return 0;
}

/* What lies in the source of an mremap. */
struct moving {
	const struct span *from;
	uint64_t to;
	uint32_t *folios;
	size_t nr_folios, max_folios;
	uint64_t *blocks; /* mapped page by page */
	size_t nr_blocks, max_blocks;
};

/* Folios that go along leave their blocks until the new place is empty. */
static int take_folio(struct linux_kernel *state, void *context, uint32_t id, uint32_t from,
		      uint32_t to)
{
	struct moving *moving = context;
	bool is_aligned = (moving->to - moving->from->start) % LARGE_PAGES == 0;
	if (!is_aligned || to - from < LARGE_PAGES || !large_folio(&state->large, id)->is_pmd) {
		linux_large_split(state, id);
		return 0;
	}
	if (moving->nr_folios == moving->max_folios) {
		size_t max = moving->max_folios ? moving->max_folios * 2 : 64;
		uint32_t *folios = realloc(moving->folios, max * sizeof(*folios));
		if (!folios)
			return -ENOMEM;
		moving->folios = folios;
		moving->max_folios = max;
	}
	moving->folios[moving->nr_folios++] = id;
	return large_drop_block(&state->large, id, false);
}

static int take_block(void *context, uint64_t block, uint32_t number)
{
	struct moving *moving = context;
	(void)number;
	if (moving->nr_blocks == moving->max_blocks) {
		size_t max = moving->max_blocks ? moving->max_blocks * 2 : 64;
		uint64_t *blocks = realloc(moving->blocks, max * sizeof(*blocks));
		if (!blocks)
			return -ENOMEM;
		moving->blocks = blocks;
		moving->max_blocks = max;
	}
	moving->blocks[moving->nr_blocks++] = block;
	return 0;
}

static int mark(struct linux_kernel *state, uint32_t space, uint64_t page)
{
	if (large_at(&state->large, space, page) != LARGE_NONE)
		return 0;
	return large_mark_small(&state->large, space, page);
}

/* The page table stays for what is left of the block, and there is one where its pages went. */
static int put_block(struct linux_kernel *state, const struct moving *moving, uint64_t block)
{
	const struct span *from = moving->from;
	const struct areas *areas = &state->spaces[from->space].areas;
	uint64_t start = block * LARGE_PAGES, shift = moving->to - from->start;
	uint64_t first = MAX(start, from->start), last = MIN(start + LARGE_PAGES, from->end) - 1;
	int error = areas_overlap(areas, start, LARGE_PAGES) ? mark(state, from->space, start) : 0;
	if (!error)
		error = mark(state, from->space, first + shift);
	return error ? error : mark(state, from->space, last + shift);
}

static int put_all(struct linux_kernel *state, const struct moving *moving)
{
	int error = 0;
	for (size_t i = 0; i < moving->nr_folios && !error; i++) {
		uint32_t id = moving->folios[i];
		uint64_t page = large_folio(&state->large, id)->block * LARGE_PAGES;
		error = large_set_block(&state->large, id,
					page + (moving->to - moving->from->start));
	}
	for (size_t i = 0; i < moving->nr_blocks && !error; i++)
		error = put_block(state, moving, moving->blocks[i]);
	return error;
}

static int move(struct linux_kernel *state, const struct trace_mapping *mapping)
{
	uint64_t nr = MIN(mapping->nr_pages, UINT64_MAX - mapping->page);
	struct span from = span_of(mapping->space, mapping->from_page, nr);
	struct span to = span_of(mapping->space, mapping->page, from.end - from.start);
	struct moving moving = { .from = &from, .to = to.start };
	if (from.start >= from.end)
		return 0;
	int error = visit_span(state, &from, take_folio, &moving);
	uint64_t first = from.start / LARGE_PAGES, last = (from.end - 1) / LARGE_PAGES;
	if (!error)
		error = pagemap_take_range(&state->large.blocks, from.space, first,
					   last - first + 1, take_block, &moving);
	if (!error)
		error = unmap_span(state, &to);
	if (!error)
		error = put_all(state, &moving);
	free(moving.folios);
	free(moving.blocks);
	return error;
}

int linux_large_mapping(struct linux_kernel *state, const struct trace_mapping *mapping)
{
	struct span span = span_of(mapping->space, mapping->page, mapping->nr_pages);
	switch (mapping->op) {
	case TRACE_UNMAP:
		return unmap_span(state, &span);
	case TRACE_DISCARD:
		return visit_span(state, &span, unmap, NULL);
	case TRACE_PROTECT:
		return visit_span(state, &span, protect, NULL);
	case TRACE_REMAP:
		return move(state, mapping);
	case TRACE_PROCESS_END:
		span = span_of(mapping->space, 0, UINT64_MAX);
		return unmap_span(state, &span);
	default:
		return 0;
	}
}
