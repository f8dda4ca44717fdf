/* SPDX-License-Identifier: MIT */
/* The payload of a block to events (block.h), a chunk at a time. Every byte is untrusted: all
 * lengths are checked when the block is opened, and no value can lead outside an array. */
#include <endian.h>
#include <string.h>

#include "trace/block.h"

static int open_areas(struct block_decoder *decoder, struct column_source *source)
{
	if (source->head_end - source->head < 4)
		return -EBADMSG;
	unsigned nr = source->head[1];
	source->head += 4;
	if (nr == 0 || nr > TRACE_MAX_AREAS ||
	    (size_t)(source->head_end - source->head) < nr * sizeof(uint64_t))
		return -EBADMSG;
	for (unsigned i = 0; i < nr; i++) {
		uint64_t base;
		memcpy(&base, source->head, sizeof(base));
		decoder->area_page[i] = le64toh(base);
		source->head += sizeof(base);
	}
	return 0;
}

static int open_columns(struct block_decoder *decoder, struct column_source *source)
{
	bool is_accesses = decoder->kind == TRACE_ACCESSES;
	uint32_t nr = is_accesses ? ACCESS_NR_COLUMNS : block_nr_columns(decoder->kind);
	for (uint32_t i = 0; i < nr; i++) {
		int error = column_open(&decoder->columns[i], source, decoder->nr_events);
		if (error)
			return error;
	}
	if (is_accesses && !column_is_bytes(&decoder->columns[ACCESS_TAG]))
		return -EBADMSG;
	decoder->names = (const char *)source->head;
	decoder->names_end = (const char *)source->head_end;
	if (source->planes != source->planes_end)
		return -EBADMSG;
	return decoder->kind != TRACE_MAPPINGS && source->head != source->head_end ? -EBADMSG : 0;
}

int block_decoder_open(struct block_decoder *ret, const struct frame *frame, const uint8_t *payload)
{
	uint32_t head_bytes;
	if (frame->raw_bytes < sizeof(head_bytes))
		return -EBADMSG;
	memcpy(&head_bytes, payload, sizeof(head_bytes));
	head_bytes = le32toh(head_bytes);
	if (head_bytes > frame->raw_bytes - sizeof(head_bytes))
		return -EBADMSG;
	const uint8_t *head = payload + sizeof(head_bytes);
	struct column_source source = { .head = head,
					.head_end = head + head_bytes,
					.planes = head + head_bytes,
					.planes_end = payload + frame->raw_bytes };
	memset(ret, 0, sizeof(*ret));
	ret->kind = frame->kind;
	ret->nr_events = frame->nr_events;
	ret->ticks = frame->first_ticks;
	int error = ret->kind == TRACE_ACCESSES ? open_areas(ret, &source) : 0;
	return error ? error : open_columns(ret, &source);
}

static uint32_t chunk_size(const struct block_decoder *decoder)
{
	uint32_t left = decoder->nr_events - decoder->nr_done;
	uint32_t chunk = decoder->kind == TRACE_ACCESSES ? TRACE_BATCH_EVENTS : BLOCK_ROWS_CHUNK;
	return MIN(left, chunk);
}

VECTORISED static uint64_t any_bit(const uint64_t *values, uint32_t n)
{
	uint64_t any = 0;
	for (uint32_t i = 0; i < n; i++)
		any |= values[i];
	return any;
}

/* Those of a forged block, or of a clock beyond reason, stop at the end of time. */
static uint64_t sum_time_slowly(uint64_t sum, uint64_t *ticks, uint32_t n, uint64_t ns_per_ktick)
{
	for (uint32_t i = 0; i < n; i++) {
		sum = ticks[i] > UINT64_MAX - sum ? UINT64_MAX : sum + ticks[i];
		ticks[i] = ticks_to_ns(sum, ns_per_ktick);
	}
	return sum;
}

/* Ticks since the last event to ns. Nothing overflows while the product of the last stays below
 * 2^64: 4096 steps below 2^32 are below 2^44. */
static void sum_time(struct block_decoder *decoder, uint64_t *ticks, uint32_t n,
		     uint64_t ns_per_ktick)
{
	uint64_t sum = decoder->ticks;
	uint64_t most = sum > (uint64_t)1 << 62 ? UINT64_MAX : sum + ((uint64_t)1 << 44);
	if (unlikely(any_bit(ticks, n) >> 32 != 0 || most > UINT64_MAX / ns_per_ktick)) {
		decoder->ticks = sum_time_slowly(sum, ticks, n, ns_per_ktick);
		return;
	}
	if (ns_per_ktick == 1000) {
		for (uint32_t i = 0; i < n; i++)
			ticks[i] = sum += ticks[i];
	} else {
		for (uint32_t i = 0; i < n; i++) {
			sum += ticks[i];
			ticks[i] = sum * ns_per_ktick / 1000;
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

VECTORISED static void keep_flags(uint8_t *tags, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		tags[i] &= (1 << ACCESS_FLAG_BITS) - 1;
}

/* Page deltas to pages, each against the last page of its area; tags to flags. */
static void sum_pages_by_area(struct block_decoder *decoder, uint64_t *page, uint8_t *tags,
			      uint32_t n)
{
	uint64_t *last = decoder->area_page;
	for (uint32_t i = 0; i < n; i++) {
		unsigned area = tags[i] >> ACCESS_FLAG_BITS;
		uint64_t sum = last[area] + unzigzag(page[i]);
		last[area] = sum;
		page[i] = sum;
	}
	keep_flags(tags, n);
}

static void decode_threads(struct block_decoder *decoder, struct block_chunk *chunk, uint32_t n)
{
	struct trace_column *column = &decoder->columns[ACCESS_THREAD];
	uint64_t wide[TRACE_BATCH_EVENTS], thread;
	chunk->has_threads = !column_is_constant(column, &thread) || thread != 0;
	if (!chunk->has_threads)
		return;
	column_next(column, wide, n);
	for (uint32_t i = 0; i < n; i++)
		chunk->thread[i] = (uint32_t)wide[i];
}

uint32_t block_decode_accesses(struct block_decoder *decoder, struct block_chunk *chunk,
			       uint64_t ns_per_ktick)
{
	uint32_t n = chunk_size(decoder);
	if (n == 0)
		return 0;
	column_next_bytes(&decoder->columns[ACCESS_TAG], chunk->flags, n);
	column_next(&decoder->columns[ACCESS_PAGE], chunk->page, n);
	sum_pages_by_area(decoder, chunk->page, chunk->flags, n);
	column_next(&decoder->columns[ACCESS_TIME], chunk->time_ns, n);
	sum_time(decoder, chunk->time_ns, n, ns_per_ktick);
	decode_threads(decoder, chunk, n);
	decoder->nr_done += n;
	return n;
}

uint32_t block_decode_rows(struct block_decoder *decoder, struct block_chunk *chunk,
			   uint64_t ns_per_ktick)
{
	uint32_t n = chunk_size(decoder);
	if (n == 0)
		return 0;
	column_next(&decoder->columns[ROW_TIME], chunk->time_ns, n);
	sum_time(decoder, chunk->time_ns, n, ns_per_ktick);
	column_next(&decoder->columns[ROW_PAGE], chunk->page, n);
	sum_pages(decoder, chunk->page, n);
	for (uint32_t i = 2; i < block_nr_columns(decoder->kind); i++)
		column_next(&decoder->columns[i], chunk->columns[i], n);
	decoder->nr_done += n;
	return n;
}
