/* SPDX-License-Identifier: MIT */
/* The payload of a block to events (block.h), a chunk at a time. Every byte is untrusted: all
 * lengths are checked when the block is opened, and no value can lead outside an array. */
#include <endian.h>
#include <string.h>

#include "trace/block.h"

enum { ACCESS_PAGE, ACCESS_TIME };

static int open_areas(struct block_decoder *decoder, const uint8_t **at, const uint8_t *end)
{
	if (end - *at < 4)
		return -EBADMSG;
	unsigned nr = (*at)[1];
	*at += 4;
	if (nr == 0 || nr > TRACE_MAX_AREAS || (size_t)(end - *at) < nr * sizeof(uint64_t))
		return -EBADMSG;
	for (unsigned i = 0; i < nr; i++) {
		uint64_t base;
		memcpy(&base, *at, sizeof(base));
		decoder->area_page[i] = le64toh(base);
		*at += sizeof(base);
	}
	int error = column_open(&decoder->area_column, at, end, decoder->nr_events);
	if (!error && !column_is_bytes(&decoder->area_column))
		error = -EBADMSG;
	return error;
}

static int open_accesses(struct block_decoder *decoder, const uint8_t *at, const uint8_t *end)
{
	uint32_t n = decoder->nr_events;
	int error = open_areas(decoder, &at, end);
	error = error ? error : column_open(&decoder->columns[ACCESS_PAGE], &at, end, n);
	error = error ? error : column_open(&decoder->columns[ACCESS_TIME], &at, end, n);
	error = error ? error : column_open(&decoder->flags_column, &at, end, n);
	if (!error && !column_is_bytes(&decoder->flags_column))
		error = -EBADMSG;
	error = error ? error : column_open(&decoder->thread_column, &at, end, n);
	return !error && at != end ? -EBADMSG : error;
}

static int open_rows(struct block_decoder *decoder, const uint8_t *at, const uint8_t *end)
{
	uint32_t nr_columns = block_nr_columns(decoder->kind);
	for (uint32_t i = 0; i < nr_columns; i++) {
		int error = column_open(&decoder->columns[i], &at, end, decoder->nr_events);
		if (error)
			return error;
	}
	decoder->names = (const char *)at;
	decoder->names_end = (const char *)end;
	return decoder->kind != TRACE_MAPPINGS && at != end ? -EBADMSG : 0;
}

int block_decoder_open(struct block_decoder *ret, const struct frame *frame, const uint8_t *payload)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = frame->kind;
	ret->nr_events = frame->nr_events;
	ret->ticks = frame->first_ticks;
	const uint8_t *end = payload + frame->raw_bytes;
	return ret->kind == TRACE_ACCESSES ? open_accesses(ret, payload, end)
					   : open_rows(ret, payload, end);
}

static uint32_t chunk_size(const struct block_decoder *decoder)
{
	uint32_t left = decoder->nr_events - decoder->nr_done;
	uint32_t chunk = decoder->kind == TRACE_ACCESSES ? TRACE_BATCH_EVENTS : BLOCK_ROWS_CHUNK;
	return MIN(left, chunk);
}

/* Honest times never wrap; those of a forged block stop at the end of time. */
static void sum_time(struct block_decoder *decoder, uint64_t *ticks, uint32_t n)
{
	uint64_t sum = decoder->ticks, any = sum >> 1;
	for (uint32_t i = 0; i < n; i++)
		any |= ticks[i];
	if (likely(any >> 50 == 0)) {
		for (uint32_t i = 0; i < n; i++) {
			sum += ticks[i];
			ticks[i] = sum;
		}
	} else {
		for (uint32_t i = 0; i < n; i++) {
			sum = ticks[i] > UINT64_MAX - sum ? UINT64_MAX : sum + ticks[i];
			ticks[i] = sum;
		}
	}
	decoder->ticks = sum;
}

static void sum_pages(struct block_decoder *decoder, uint64_t *page, uint32_t n)
{
	uint64_t sum = decoder->page;
	for (uint32_t i = 0; i < n; i++) {
		sum += unzigzag(page[i]);
		page[i] = sum;
	}
	decoder->page = sum;
}

/* Page deltas to pages, each against the last page of its area. */
static void sum_pages_by_area(struct block_decoder *decoder, uint64_t *page, uint32_t n)
{
	uint8_t areas[TRACE_BATCH_EVENTS];
	uint64_t *last = decoder->area_page;
	if (decoder->area_column.mode == COLUMN_CONSTANT) {
		uint8_t area = (uint8_t)decoder->area_column.constant;
		decoder->page = last[area];
		sum_pages(decoder, page, n);
		last[area] = decoder->page;
		return;
	}
	column_next_bytes(&decoder->area_column, areas, n);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t sum = last[areas[i]] + unzigzag(page[i]);
		last[areas[i]] = sum;
		page[i] = sum;
	}
}

static void decode_threads(struct block_decoder *decoder, struct block_chunk *chunk, uint32_t n)
{
	const struct trace_column *column = &decoder->thread_column;
	uint64_t wide[TRACE_BATCH_EVENTS + 4];
	chunk->has_threads = column->mode != COLUMN_CONSTANT || column->constant != 0;
	if (!chunk->has_threads)
		return;
	column_next(&decoder->thread_column, wide, n);
	for (uint32_t i = 0; i < n; i++)
		chunk->thread[i] = (uint32_t)wide[i];
}

uint32_t block_decode_accesses(struct block_decoder *decoder, struct block_chunk *chunk)
{
	uint32_t n = chunk_size(decoder);
	if (n == 0)
		return 0;
	column_next(&decoder->columns[ACCESS_PAGE], chunk->page, n);
	sum_pages_by_area(decoder, chunk->page, n);
	column_next(&decoder->columns[ACCESS_TIME], chunk->ticks, n);
	sum_time(decoder, chunk->ticks, n);
	column_next_bytes(&decoder->flags_column, chunk->flags, n);
	decode_threads(decoder, chunk, n);
	decoder->nr_done += n;
	return n;
}

uint32_t block_decode_rows(struct block_decoder *decoder, struct block_chunk *chunk)
{
	uint32_t n = chunk_size(decoder);
	if (n == 0)
		return 0;
	column_next(&decoder->columns[ROW_TIME], chunk->ticks, n);
	sum_time(decoder, chunk->ticks, n);
	column_next(&decoder->columns[ROW_PAGE], chunk->page, n);
	sum_pages(decoder, chunk->page, n);
	for (uint32_t i = 2; i < block_nr_columns(decoder->kind); i++)
		column_next(&decoder->columns[i], chunk->columns[i], n);
	decoder->nr_done += n;
	return n;
}
