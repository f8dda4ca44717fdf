/* SPDX-License-Identifier: MIT */
/* The spaces of a recording: their birth and end, their threads, what they map (record.h). */
#include <stdlib.h>
#include <string.h>

#include "lab/latency/record.h"

static uint64_t pages_of(uint64_t address, uint64_t nr_bytes)
{
	return ((address + nr_bytes + 4095) >> PAGE_SHIFT) - (address >> PAGE_SHIFT);
}

static struct record_space *give_up(struct record_space *space)
{
	free(space->threads);
	free(space);
	return NULL;
}

struct record_space *record_space_new(struct record *record, uint64_t table, uint32_t parent,
				      const char *name, int32_t pid)
{
	struct record_space *space = calloc(1, sizeof(*space));
	if (!space)
		return NULL;
	space->table = table;
	space->number = TRACE_NONE;
	space->room_threads = 8;
	space->threads = calloc(space->room_threads, sizeof(*space->threads));
	if (!space->threads)
		return give_up(space);
	if (record->recording && name) {
		space->lane = ring_claim(record->recording, parent, pid, &space->number);
		if (!space->lane)
			return give_up(space); /* nr_lanes says so */
		_Static_assert(RECORD_NAME_BYTES <= RING_PATH_BYTES, "a name fits");
		memcpy(space->lane->exec_path, name, strnlen(name, RECORD_NAME_BYTES));
	}
	ring_producer_init(&space->ring, record->recording, space->lane);
	space->next = record->spaces;
	record->spaces = space;
	if (space->lane)
		record_put_mapping(record, space, TRACE_PROCESS, 0, 0, name, parent, 0);
	return space;
}

void record_drop_birth(struct record *record, uint32_t i)
{
	regions_fini(&record->births[i].regions);
	record->nr_births--;
	memmove(&record->births[i], &record->births[i + 1],
		(record->nr_births - i) * sizeof(*record->births));
}

/* Of its births only children that are yet to be seen remain. */
static void forget_space(struct record *record, const struct record_space *space)
{
	for (uint32_t i = record->nr_births; i-- > 0;) {
		struct record_birth *birth = &record->births[i];

		if (birth->parent != space)
			continue;
		birth->parent = NULL;
		if ((birth->is_exec && !birth->is_borrower) || birth->is_seen)
			record_drop_birth(record, i);
	}
	if (record->current == space)
		record->current = NULL;
}

void record_space_end(struct record *record, struct record_space *space)
{
	struct record_space **at = &record->spaces;
	while (*at && *at != space)
		at = &(*at)->next;
	if (*at)
		*at = space->next;
	forget_space(record, space);
	if (space->lane) {
		record_put_mapping(record, space, TRACE_PROCESS_END, 0, 0, "", 0, 0);
		space->lane->ticks = record->now;
		__atomic_store_n(&space->lane->state, LANE_ENDED, __ATOMIC_RELEASE);
		ring_wake_writer(record->recording);
	}
	pages_fini(&space->pages);
	regions_fini(&space->regions);
	free(space->threads);
	free(space);
}

static void keep_region(struct record_space *space, const struct trace_mapping *mapping)
{
	uint64_t page = mapping->page, nr = mapping->nr_pages;
	switch (mapping->op) {
	case TRACE_MAP:
		regions_map(&space->regions, page, nr, mapping->protection, mapping->name);
		break;
	case TRACE_UNMAP:
		regions_unmap(&space->regions, page, nr);
		break;
	case TRACE_REMAP:
		regions_move(&space->regions, mapping->from_page, page, nr);
		break;
	case TRACE_PROTECT:
		regions_protect(&space->regions, page, nr, mapping->protection);
		break;
	default:
		break;
	}
}

void record_put_mapping(struct record *record, struct record_space *space, enum trace_mapping_op op,
			uint64_t address, uint64_t nr_bytes, const char *name, uint64_t detail,
			uint32_t protection)
{
	struct trace_mapping mapping = {
		.time_ns = record->now,
		.thread = space->threads[space->current].number,
		.op = op,
		.protection = protection,
		.page = address >> PAGE_SHIFT,
		.nr_pages = nr_bytes ? pages_of(address, nr_bytes) : 0,
		.from_page = op == TRACE_REMAP ? detail >> PAGE_SHIFT : 0,
		.detail = op == TRACE_REMAP ? 0 : detail,
		.name = name ? name : "",
	};
	keep_region(space, &mapping);
	if (space->lane)
		ring_put_mapping(&space->ring, &mapping);
}

void record_bequeath(const struct record_space *parent, struct record_birth *birth)
{
	const struct regions *regions = &parent->regions;
	birth->heap_end = parent->heap_end;
	birth->image = parent->image;
	birth->regions.items = calloc(regions->nr + 1, sizeof(*regions->items));
	if (!birth->regions.items)
		return;
	if (regions->nr > 0)
		memcpy(birth->regions.items, regions->items, regions->nr * sizeof(*regions->items));
	birth->regions.nr = regions->nr;
	birth->regions.room = regions->nr + 1;
}

void record_inherit(struct record *record, struct record_space *child,
		    const struct record_birth *birth)
{
	for (uint32_t i = 0; i < birth->regions.nr; i++) {
		const struct region *region = &birth->regions.items[i];
		record_put_mapping(record, child, TRACE_MAP, region->first << PAGE_SHIFT,
				   region->nr << PAGE_SHIFT, region->name, 0, region->protection);
	}
	child->heap_end = birth->heap_end;
	child->image = birth->image;
}

static struct record_thread *add_thread(struct record_space *space, uint64_t base)
{
	if (space->nr_threads == space->room_threads) {
		uint32_t room = space->room_threads * 2;
		struct record_thread *threads = room > RECORD_MAX_THREADS
							? NULL
							: realloc(space->threads,
								  room * sizeof(*threads));
		if (!threads) {
			if (space->lane)
				space->lane->nr_lost_threads++;
			return &space->threads[0];
		}
		space->threads = threads;
		space->room_threads = room;
	}
	space->current = space->nr_threads++;
	struct record_thread *thread = &space->threads[space->current];
	*thread = (struct record_thread){ .base = base,
					  .number = space->next_thread++,
					  .call = RECORD_NO_CALL };
	return thread;
}

struct record_thread *record_thread_of(struct record *record, struct record_space *space,
				       uint64_t base)
{
	for (uint32_t i = 0; i < space->nr_threads; i++)
		if (space->threads[i].base == base) {
			space->current = i;
			return &space->threads[i];
		}
	/* The one that runs set up its storage: it is who it was. */
	if (space->nr_threads > 0 && space->nr_unborn_threads == 0) {
		space->threads[space->current].base = base;
		return &space->threads[space->current];
	}
	if (space->nr_unborn_threads > 0)
		space->nr_unborn_threads--;
	uint32_t nr_before = space->nr_threads;
	struct record_thread *thread = add_thread(space, base);
	if (space->nr_threads > nr_before)
		record_put_mapping(record, space, TRACE_THREAD, 0, 0, "", thread->number, 0);
	return thread;
}

void record_thread_end(struct record *record, struct record_space *space)
{
	struct record_thread *thread = &space->threads[space->current];
	record_put_mapping(record, space, TRACE_THREAD_END, 0, 0, "", thread->number, 0);
	*thread = space->threads[--space->nr_threads];
	space->current = 0;
}

void record_map_image(struct record *record, struct record_space *space)
{
	struct record_image *image = &space->image;
	struct record_image_parts parts;
	int error = record_image_read(image, record->read, &parts);
	/* The stack comes first, and is known before the rest. */
	uint32_t first = image->stack_end ? 1 : 0, end = error ? MIN(parts.nr, 1) : parts.nr;
	for (uint32_t i = first; i < end; i++) {
		const struct record_image_part *part = &parts.items[i];
		if (i == 0) {
			image->stack_first = part->address;
			image->stack_end = part->address + part->nr_bytes;
		}
		record_put_mapping(record, space, TRACE_MAP, part->address, part->nr_bytes,
				   part->name, 0, part->protection);
	}
	if (error != -EAGAIN || ++image->nr_tries == RECORD_IMAGE_TRIES)
		image->stack = 0;
}
