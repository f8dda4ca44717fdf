/* SPDX-License-Identifier: MIT */
/* Events to the payload of a block (block.h). */
#include <endian.h>
#include <string.h>

#include "trace/block.h"

#define AREA_SHIFT 20 /* 4 GiB of 4 KiB pages */
#define AREA_SLOTS 64 /* of the small hash of areas; a power of two */

uint32_t block_nr_columns(enum trace_kind kind)
{
	static const uint32_t nr[TRACE_NR_KINDS] = {
		[TRACE_SAMPLES] = SAMPLE_NR_COLUMNS,   [TRACE_COUNTS] = COUNT_NR_COLUMNS,
		[TRACE_MAPPINGS] = MAPPING_NR_COLUMNS, [TRACE_BLOCKED] = BLOCKED_NR_COLUMNS,
		[TRACE_NODES] = NODES_NR_COLUMNS,
	};
	return nr[kind];
}

uint32_t block_max_events(enum trace_kind kind)
{
	static const uint32_t nr[TRACE_NR_KINDS] = {
		[TRACE_ACCESSES] = TRACE_BLOCK_EVENTS,
		[TRACE_SAMPLES] = 16384,
		[TRACE_COUNTS] = 32768,
		[TRACE_MAPPINGS] = 1024,
		[TRACE_BLOCKED] = 4096,
		[TRACE_NODES] = 32768,
	};
	return nr[kind];
}

static void add_bytes(struct column_sink *sink, const void *bytes, size_t nr_bytes)
{
	memcpy(sink->head + sink->nr_head_bytes, bytes, nr_bytes);
	sink->nr_head_bytes += nr_bytes;
}

static void add_u64(struct column_sink *sink, uint64_t value)
{
	value = htole64(value);
	add_bytes(sink, &value, sizeof(value));
}

/* The head begins with its own length. */
static void sink_begin(struct column_sink *sink)
{
	sink->nr_head_bytes = sizeof(uint32_t);
	sink->nr_plane_bytes = 0;
	sink->nr_planes = 0;
}

/* Returns the bytes of the whole payload. */
static uint64_t sink_end(struct column_sink *sink)
{
	uint32_t nr_bytes = htole32((uint32_t)(sink->nr_head_bytes - sizeof(uint32_t)));
	memcpy(sink->head, &nr_bytes, sizeof(nr_bytes));
	return sink->nr_head_bytes + sink->nr_plane_bytes;
}

/* The areas of a block. The hash remembers the area of a key; a clash only costs a search. */
struct areas {
	unsigned shift, nr;
	uint64_t key[TRACE_MAX_AREAS], base[TRACE_MAX_AREAS], last[TRACE_MAX_AREAS];
	uint64_t slot_key[AREA_SLOTS];
	uint8_t slot_area[AREA_SLOTS];
};

/* The area of a page, made when it is new; TRACE_MAX_AREAS when there are too many. */
static unsigned find_area(struct areas *areas, uint64_t page)
{
	uint64_t key = page >> areas->shift;
	unsigned area = 0;
	while (area < areas->nr && areas->key[area] != key)
		area++;
	if (area == TRACE_MAX_AREAS)
		return area;
	if (area == areas->nr) {
		areas->key[area] = key;
		areas->base[area] = areas->last[area] = page;
		areas->nr++;
	}
	unsigned slot = key % AREA_SLOTS;
	areas->slot_key[slot] = key;
	areas->slot_area[slot] = (uint8_t)area;
	return area;
}

/* Page deltas by area, and tags; false when the pages lie in more areas than there may be. */
static bool split_by_area(struct areas *areas, const struct block_accesses *accesses,
			  uint64_t *deltas, uint8_t *tags)
{
	const uint64_t *page = accesses->page;
	areas->nr = 0;
	memset(areas->slot_key, 0xff, sizeof(areas->slot_key));
	for (uint32_t i = 0; i < accesses->nr; i++) {
		uint64_t key = page[i] >> areas->shift;
		unsigned slot = key % AREA_SLOTS;
		unsigned area = areas->slot_area[slot];
		if (unlikely(areas->slot_key[slot] != key || key == UINT64_MAX)) {
			area = find_area(areas, page[i]);
			if (area == TRACE_MAX_AREAS)
				return false;
		}
		deltas[i] = zigzag(page[i] - areas->last[area]);
		areas->last[area] = page[i];
		tags[i] = (uint8_t)(accesses->flags[i] | area << ACCESS_FLAG_BITS);
	}
	return true;
}

static void add_areas(struct column_sink *sink, const struct areas *areas)
{
	const uint8_t start[4] = { (uint8_t)areas->shift, (uint8_t)areas->nr };
	add_bytes(sink, start, sizeof(start));
	for (unsigned i = 0; i < areas->nr; i++)
		add_u64(sink, areas->base[i]);
}

VECTORISED static void subtract(uint64_t *restrict deltas, const uint64_t *restrict ticks,
				uint32_t n)
{
	deltas[0] = 0;
	for (uint32_t i = 1; i < n; i++)
		deltas[i] = ticks[i] - ticks[i - 1];
}

static void add_time(struct column_sink *sink, const uint64_t *ticks, uint32_t n, uint64_t *scratch)
{
	subtract(scratch, ticks, n);
	column_encode(sink, scratch, n);
}

VECTORISED static bool is_one_thread(const uint32_t *thread, uint32_t n)
{
	uint32_t differs = 0;
	for (uint32_t i = 0; i < n; i++)
		differs |= thread[i] ^ thread[0];
	return differs == 0;
}

static void add_threads(struct column_sink *sink, const uint32_t *thread, uint32_t n,
			uint64_t *scratch)
{
	if (is_one_thread(thread, n)) {
		column_encode_constant(sink, thread[0]);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		scratch[i] = thread[i];
	column_encode(sink, scratch, n);
}

VECTORISED static uint32_t count_flag(const uint8_t *flags, uint32_t n, enum trace_flag flag)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < n; i++)
		nr += (flags[i] & flag) != 0;
	return nr;
}

static void count_accesses(struct frame *frame, const struct block_accesses *accesses)
{
	uint64_t min_page = UINT64_MAX, max_page = 0;
	for (uint32_t i = 0; i < accesses->nr; i++) {
		min_page = MIN(min_page, accesses->page[i]);
		max_page = MAX(max_page, accesses->page[i]);
	}
	frame->min_page = min_page;
	frame->max_page = max_page;
	frame->nr_misses = count_flag(accesses->flags, accesses->nr, TRACE_MISS);
	frame->nr_touches = count_flag(accesses->flags, accesses->nr, TRACE_TOUCH);
}

void block_encode_accesses(struct column_sink *sink, struct frame *frame,
			   const struct block_accesses *accesses, uint64_t *scratch, uint8_t *tags)
{
	struct areas areas = { .shift = AREA_SHIFT };
	uint32_t n = accesses->nr;
	sink_begin(sink);
	while (!split_by_area(&areas, accesses, scratch, tags))
		areas.shift = MIN(areas.shift + 4, 64 - 3); /* eight areas at last */
	add_areas(sink, &areas);
	column_encode_bytes(sink, tags, n);
	column_encode(sink, scratch, n);
	add_time(sink, accesses->ticks, n, scratch);
	add_threads(sink, accesses->thread, n, scratch);
	*frame = (struct frame){
		.type = FRAME_EVENTS,
		.kind = TRACE_ACCESSES,
		.nr_events = n,
		.raw_bytes = sink_end(sink),
		.first_ticks = accesses->ticks[0],
		.last_ticks = accesses->ticks[n - 1],
	};
	count_accesses(frame, accesses);
}

/* How many pages an event of this kind covers. */
static uint64_t row_nr_pages(enum trace_kind kind, const struct block_rows *rows, uint32_t row)
{
	uint64_t nr = 1;
	if (kind == TRACE_SAMPLES)
		nr = rows->columns[SAMPLE_NR_PAGES][row];
	else if (kind == TRACE_MAPPINGS)
		nr = rows->columns[MAPPING_NR_PAGES][row];
	return MAX(nr, 1);
}

static void find_page_range(struct frame *frame, enum trace_kind kind,
			    const struct block_rows *rows)
{
	frame->min_page = UINT64_MAX;
	for (uint32_t i = 0; i < rows->nr; i++) {
		uint64_t page = rows->columns[ROW_PAGE][i];
		uint64_t last = page + row_nr_pages(kind, rows, i) - 1;
		frame->min_page = MIN(frame->min_page, page);
		frame->max_page = MAX(frame->max_page, last < page ? UINT64_MAX : last);
	}
}

void block_encode_rows(struct column_sink *sink, struct frame *frame, enum trace_kind kind,
		       const struct block_rows *rows, uint64_t *scratch)
{
	uint32_t n = rows->nr;
	sink_begin(sink);
	add_time(sink, rows->columns[ROW_TIME], n, scratch);
	uint64_t last_page = 0;
	for (uint32_t i = 0; i < n; i++) {
		scratch[i] = zigzag(rows->columns[ROW_PAGE][i] - last_page);
		last_page = rows->columns[ROW_PAGE][i];
	}
	column_encode(sink, scratch, n);
	for (uint32_t column = 2; column < block_nr_columns(kind); column++)
		column_encode(sink, rows->columns[column], n);
	if (kind == TRACE_MAPPINGS)
		add_bytes(sink, rows->names, rows->nr_name_bytes);
	*frame = (struct frame){
		.type = FRAME_EVENTS,
		.kind = (uint8_t)kind,
		.nr_events = n,
		.raw_bytes = sink_end(sink),
		.first_ticks = rows->columns[ROW_TIME][0],
		.last_ticks = rows->columns[ROW_TIME][n - 1],
	};
	find_page_range(frame, kind, rows);
}
