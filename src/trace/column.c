/* SPDX-License-Identifier: MIT */
/* See column.h. */
#include "trace/column.h"

#include <endian.h>
#include <string.h>

static uint64_t load_u64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint16_t load_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static void put(struct column_sink *sink, const void *bytes, size_t nr_bytes)
{
	memcpy(sink->head + sink->nr_head_bytes, bytes, nr_bytes);
	sink->nr_head_bytes += nr_bytes;
}

static void put_head(struct column_sink *sink, unsigned width, uint32_t nr_exceptions,
		     uint64_t constant)
{
	const uint8_t start[4] = { (uint8_t)width };
	nr_exceptions = htole32(nr_exceptions);
	constant = htole64(constant);
	put(sink, start, sizeof(start));
	put(sink, &nr_exceptions, sizeof(nr_exceptions));
	if (width == 0)
		put(sink, &constant, sizeof(constant));
}

#define COUNT_CHUNK 1024

/* How many numbers differ from the first (width 0) or do not fit the width; once that is above
 * `most`, any number above it. */
static uint32_t count_exceptions(const uint64_t *values, uint32_t n, unsigned width, uint32_t most)
{
	uint64_t first = width == 0 ? values[0] : 0;
	unsigned shift = 8 * width;
	uint32_t nr = 0;
	for (uint32_t start = 0; start < n && nr <= most; start += COUNT_CHUNK) {
		uint32_t end = MIN(start + COUNT_CHUNK, n);
		for (uint32_t i = start; i < end; i++)
			nr += (values[i] ^ first) >> shift != 0;
	}
	return nr;
}

/* 0: constant but for exceptions. */
static unsigned choose_width(const uint64_t *values, uint32_t n, uint32_t *ret_nr_exceptions)
{
	uint32_t most = n / COLUMN_EXCEPTION_RATE;
	for (unsigned width = 0; width <= 4; width++) {
		*ret_nr_exceptions = count_exceptions(values, n, width, most);
		if (*ret_nr_exceptions <= most)
			return width;
	}
	*ret_nr_exceptions = 0;
	return 8;
}

static bool is_exception(uint64_t value, unsigned width, uint64_t constant)
{
	return width == 0 ? value != constant : width < 8 && value >> (8 * width) != 0;
}

static void put_exceptions(struct column_sink *sink, const uint64_t *values, uint32_t n,
			   unsigned width, uint32_t nr_exceptions)
{
	uint8_t *positions = sink->head + sink->nr_head_bytes;
	uint8_t *kept = positions + 2 * (size_t)nr_exceptions;
	for (uint32_t i = 0; i < n && nr_exceptions > 0; i++) {
		if (!is_exception(values[i], width, values[0]))
			continue;
		uint16_t position = htole16((uint16_t)i);
		uint64_t value = htole64(values[i]);
		memcpy(positions, &position, sizeof(position));
		memcpy(kept, &value, sizeof(value));
		positions += sizeof(position);
		kept += sizeof(value);
		nr_exceptions--;
	}
	sink->nr_head_bytes = (size_t)(kept - sink->head);
}

VECTORISED static void put_plane(struct column_sink *sink, const uint64_t *values, uint32_t n,
				 unsigned shift)
{
	uint8_t *restrict plane = sink->planes + sink->nr_plane_bytes;
	for (uint32_t i = 0; i < n; i++)
		plane[i] = (uint8_t)(values[i] >> shift);
	sink->nr_plane_bytes += n;
	sink->plane_end[sink->nr_planes++] = sink->nr_plane_bytes;
}

void column_encode(struct column_sink *sink, const uint64_t *values, uint32_t n)
{
	uint32_t nr_exceptions;
	unsigned width = choose_width(values, n, &nr_exceptions);
	put_head(sink, width, nr_exceptions, values[0]);
	put_exceptions(sink, values, n, width, nr_exceptions);
	for (unsigned i = 0; i < width; i++)
		put_plane(sink, values, n, 8 * i);
}

void column_encode_constant(struct column_sink *sink, uint64_t value)
{
	put_head(sink, 0, 0, value);
}

void column_encode_bytes(struct column_sink *sink, const uint8_t *values, uint32_t n)
{
	uint8_t differs = 0;
	for (uint32_t i = 0; i < n; i++)
		differs |= values[i] ^ values[0];
	put_head(sink, differs ? 1 : 0, 0, values[0]);
	if (differs) {
		memcpy(sink->planes + sink->nr_plane_bytes, values, n);
		sink->nr_plane_bytes += n;
		sink->plane_end[sink->nr_planes++] = sink->nr_plane_bytes;
	}
}

/* Positions must rise: then decoding needs no search and cannot go back. */
static bool positions_are_sane(const struct trace_column *column)
{
	int64_t last = -1;
	for (uint32_t i = 0; i < column->nr_exceptions; i++) {
		uint16_t position = load_u16(column->positions + 2 * (size_t)i);
		if (position <= last || position >= column->n)
			return false;
		last = position;
	}
	return true;
}

int column_open(struct trace_column *ret, struct column_source *source, uint32_t n)
{
	struct trace_column column = { .n = n, .planes = source->planes };
	const uint8_t *at = source->head;
	if (source->head_end - at < 8)
		return -EBADMSG;
	column.width = at[0];
	column.nr_exceptions = load_u32(at + 4);
	at += 8;
	if (column.width > 8 || column.nr_exceptions > n)
		return -EBADMSG;
	if (column.width == 0) {
		if (source->head_end - at < 8)
			return -EBADMSG;
		column.constant = load_u64(at);
		at += 8;
	}
	size_t plane_bytes = (size_t)column.width * n;
	size_t exception_bytes = (size_t)column.nr_exceptions * 10;
	if ((size_t)(source->head_end - at) < exception_bytes ||
	    (size_t)(source->planes_end - source->planes) < plane_bytes)
		return -EBADMSG;
	column.positions = at;
	column.values = at + 2 * (size_t)column.nr_exceptions;
	if (!positions_are_sane(&column))
		return -EBADMSG;
	source->head = at + exception_bytes;
	source->planes += plane_bytes;
	*ret = column;
	return 0;
}

VECTORISED static void join_1(uint64_t *restrict out, const uint8_t *low, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = low[i];
}

VECTORISED static void join_2(uint64_t *restrict out, const uint8_t *low, const uint8_t *high,
			      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = (uint32_t)low[i] | (uint32_t)high[i] << 8;
}

VECTORISED static void join_3(uint64_t *restrict out, const uint8_t *low, const uint8_t *middle,
			      const uint8_t *high, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = (uint32_t)low[i] | (uint32_t)middle[i] << 8 | (uint32_t)high[i] << 16;
}

/* Planes from the fourth on are rare; one by one on top of what is there. */
static void join_more(uint64_t *restrict out, const uint8_t *plane, uint32_t n, unsigned shift)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] |= (uint64_t)plane[i] << shift;
}

static void patch_exceptions(struct trace_column *column, uint64_t *out, uint32_t n)
{
	while (column->next_exception < column->nr_exceptions) {
		uint32_t i = column->next_exception;
		uint32_t position = load_u16(column->positions + 2 * (size_t)i);
		if (position >= column->nr_done + n)
			break;
		out[position - column->nr_done] = load_u64(column->values + 8 * (size_t)i);
		column->next_exception++;
	}
}

void column_next(struct trace_column *column, uint64_t *out, uint32_t n)
{
	const uint8_t *planes = column->planes + column->nr_done;
	size_t stride = column->n;
	switch (column->width) {
	case 0:
		for (uint32_t i = 0; i < n; i++)
			out[i] = column->constant;
		break;
	case 1:
		join_1(out, planes, n);
		break;
	case 2:
		join_2(out, planes, planes + stride, n);
		break;
	default:
		join_3(out, planes, planes + stride, planes + 2 * stride, n);
		for (unsigned i = 3; i < column->width; i++)
			join_more(out, planes + i * stride, n, 8 * i);
		break;
	}
	patch_exceptions(column, out, n);
	column->nr_done += n;
}

bool column_is_bytes(const struct trace_column *column)
{
	return column->nr_exceptions == 0 &&
	       (column->width == 1 || (column->width == 0 && column->constant <= 0xff));
}

bool column_is_constant(const struct trace_column *column, uint64_t *ret_value)
{
	if (column->width != 0 || column->nr_exceptions != 0)
		return false;
	*ret_value = column->constant;
	return true;
}

void column_next_bytes(struct trace_column *column, uint8_t *out, uint32_t n)
{
	if (column->width == 0)
		memset(out, (int)column->constant, n);
	else
		memcpy(out, column->planes + column->nr_done, n);
	column->nr_done += n;
}
