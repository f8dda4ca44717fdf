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
		[TRACE_SAMPLES] = SAMPLE_NR_COLUMNS,
		[TRACE_COUNTS] = COUNT_NR_COLUMNS,
		[TRACE_MAPPINGS] = MAPPING_NR_COLUMNS,
		[TRACE_BLOCKED] = BLOCKED_NR_COLUMNS,
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
	};
	return nr[kind];
}

static void end_segment(struct block_payload *payload)
{
	payload->segment_end[payload->nr_segments++] = payload->nr_bytes;
}

static void add_column(struct block_payload *payload, const uint64_t *values, uint32_t n)
{
	payload->nr_bytes += column_encode(payload->bytes + payload->nr_bytes, values, n);
	end_segment(payload);
}

static void add_bytes(struct block_payload *payload, const void *bytes, size_t nr_bytes)
{
	memcpy(payload->bytes + payload->nr_bytes, bytes, nr_bytes);
	payload->nr_bytes += nr_bytes;
}

static void add_u64(struct block_payload *payload, uint64_t value)
{
	value = htole64(value);
	add_bytes(payload, &value, sizeof(value));
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

/* Page deltas by area; false when the pages lie in more areas than there may be. */
static bool split_by_area(struct areas *areas, const uint64_t *page, uint32_t n, uint64_t *deltas,
			  uint8_t *ret_areas)
{
	areas->nr = 0;
	memset(areas->slot_key, 0xff, sizeof(areas->slot_key));
	for (uint32_t i = 0; i < n; i++) {
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
		ret_areas[i] = (uint8_t)area;
	}
	return true;
}

static void add_areas(struct block_payload *payload, const struct areas *areas, const uint8_t *area,
		      uint32_t n)
{
	const uint8_t head[4] = { (uint8_t)areas->shift, (uint8_t)areas->nr };
	add_bytes(payload, head, sizeof(head));
	for (unsigned i = 0; i < areas->nr; i++)
		add_u64(payload, areas->base[i]);
	payload->nr_bytes += column_encode_bytes(payload->bytes + payload->nr_bytes, area, n);
	end_segment(payload);
}

static void add_time(struct block_payload *payload, const uint64_t *ticks, uint32_t n,
		     uint64_t *scratch)
{
	scratch[0] = 0;
	for (uint32_t i = 1; i < n; i++)
		scratch[i] = ticks[i] - ticks[i - 1];
	add_column(payload, scratch, n);
}

static void add_threads(struct block_payload *payload, const uint32_t *thread, uint32_t n,
			uint64_t *scratch)
{
	for (uint32_t i = 0; i < n; i++)
		scratch[i] = thread[i];
	add_column(payload, scratch, n);
}

static void count_accesses(struct frame *frame, const struct block_accesses *accesses)
{
	uint64_t min_page = UINT64_MAX, max_page = 0;
	uint32_t nr_misses = 0, nr_touches = 0;
	for (uint32_t i = 0; i < accesses->nr; i++) {
		min_page = MIN(min_page, accesses->page[i]);
		max_page = MAX(max_page, accesses->page[i]);
		nr_misses += (accesses->flags[i] & TRACE_MISS) != 0;
		nr_touches += (accesses->flags[i] & TRACE_TOUCH) != 0;
	}
	frame->min_page = min_page;
	frame->max_page = max_page;
	frame->nr_misses = nr_misses;
	frame->nr_touches = nr_touches;
}

void block_encode_accesses(struct block_payload *payload, struct frame *frame,
			   const struct block_accesses *accesses, uint64_t *scratch, uint8_t *area)
{
	struct areas areas = { .shift = AREA_SHIFT };
	uint32_t n = accesses->nr;
	payload->nr_bytes = 0;
	payload->nr_segments = 0;
	while (!split_by_area(&areas, accesses->page, n, scratch, area))
		areas.shift += 4;
	add_areas(payload, &areas, area, n);
	add_column(payload, scratch, n);
	add_time(payload, accesses->ticks, n, scratch);
	payload->nr_bytes += column_encode_bytes(payload->bytes + payload->nr_bytes,
						 accesses->flags, n);
	end_segment(payload);
	add_threads(payload, accesses->thread, n, scratch);
	*frame = (struct frame){
		.type = FRAME_EVENTS,
		.kind = TRACE_ACCESSES,
		.nr_events = n,
		.raw_bytes = payload->nr_bytes,
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

void block_encode_rows(struct block_payload *payload, struct frame *frame, enum trace_kind kind,
		       const struct block_rows *rows, uint64_t *scratch)
{
	uint32_t n = rows->nr;
	payload->nr_bytes = 0;
	payload->nr_segments = 0;
	add_time(payload, rows->columns[ROW_TIME], n, scratch);
	uint64_t last_page = 0;
	for (uint32_t i = 0; i < n; i++) {
		scratch[i] = zigzag(rows->columns[ROW_PAGE][i] - last_page);
		last_page = rows->columns[ROW_PAGE][i];
	}
	add_column(payload, scratch, n);
	for (uint32_t column = 2; column < block_nr_columns(kind); column++)
		add_column(payload, rows->columns[column], n);
	if (kind == TRACE_MAPPINGS) {
		add_bytes(payload, rows->names, rows->nr_name_bytes);
		end_segment(payload);
	}
	*frame = (struct frame){
		.type = FRAME_EVENTS,
		.kind = (uint8_t)kind,
		.nr_events = n,
		.raw_bytes = payload->nr_bytes,
		.first_ticks = rows->columns[ROW_TIME][0],
		.last_ticks = rows->columns[ROW_TIME][n - 1],
	};
	find_page_range(frame, kind, rows);
}
