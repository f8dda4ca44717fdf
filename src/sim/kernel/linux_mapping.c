/* SPDX-License-Identifier: MIT */
/*
 * Mappings made, changed and undone, as the recording tells: the areas of a space follow.
 *
 * Follows mm/mmap.c, mm/mprotect.c, mm/mremap.c and mm/madvise.c (6.12) as far as the scanner and
 * huge pages look at them. Calls that failed are not in a recording.
 */
#include <errno.h>

#include "sim/kernel/linux.h"

#define ADVICE_HUGE	14 /* MADV_HUGEPAGE */
#define ADVICE_NOT_HUGE 15 /* MADV_NOHUGEPAGE */

#define READ_AHEAD_PAGES 256 /* of a mapping, at most: a judgement */

static int advise(struct linux_space *space, const struct trace_mapping *mapping)
{
	if (mapping->detail != ADVICE_HUGE && mapping->detail != ADVICE_NOT_HUGE)
		return 0;
	return areas_advise(&space->areas, mapping->page, mapping->nr_pages,
			    mapping->detail == ADVICE_HUGE ? AREA_HUGE : AREA_NOT_HUGE);
}

static int change(struct linux_space *space, const struct trace_mapping *mapping)
{
	struct areas *areas = &space->areas;
	uint64_t page = mapping->page, nr = mapping->nr_pages;
	switch (mapping->op) {
	case TRACE_MAP:
		return areas_map(areas, page, nr, area_kind_of(mapping->name), mapping->protection);
	case TRACE_UNMAP:
		return areas_unmap(areas, page, nr);
	case TRACE_REMAP:
		return areas_move(areas, mapping->from_page, page, nr);
	case TRACE_PROTECT:
		return areas_protect(areas, page, nr, (uint32_t)mapping->detail);
	case TRACE_ADVICE:
		return advise(space, mapping);
	case TRACE_PROCESS_END:
		areas_fini(areas);
		return 0;
	default:
		return 0;
	}
}

/* A mapped image comes into the page cache of its own node by read-ahead as it is used, whole when
 * it is small. Only where the memory in use at the start is known: else there is no page cache. */
static void read_ahead(struct linux_kernel *state, const struct trace_mapping *mapping)
{
	uint32_t home = state->kernel->cost->home;
	struct linux_node *node = &state->nodes[home];
	struct kernel_node *frames = &state->kernel->nodes[home];
	if (mapping->op != TRACE_MAP || area_kind_of(mapping->name) != AREA_FILE ||
	    state->kernel->starts[home].free_pages == KERNEL_UNKNOWN || !node->lru.is_gen)
		return;
	uint64_t nr = MIN(mapping->nr_pages, READ_AHEAD_PAGES);
	if (!linux_has_room(state, home, LINUX_MARK_LOW, nr))
		return;
	frames->free_pages -= nr;
	frames->ballast_pages += nr;
	mglru_add_files(&node->lru.gen, nr);
}

int linux_mapping(struct kernel *kernel, const struct trace_mapping *mapping)
{
	read_ahead(linux_of(kernel), mapping);
	struct linux_space *space = linux_space_of(linux_of(kernel), mapping->space);
	if (!space)
		return -ENOMEM;
	int error = change(space, mapping);
	return error || !linux_of(kernel)->thp ? error
					       : linux_large_mapping(linux_of(kernel), mapping);
}
