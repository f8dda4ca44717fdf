/* SPDX-License-Identifier: MIT */
/* See column.h. */
#include "trace/column.h"

#include <endian.h>
#include <string.h>

static const uint8_t lengths[4] = { 1, 2, 3, 8 };
static const uint64_t masks[4] = { 0xff, 0xffff, 0xffffff, UINT64_MAX };

/* For each control byte: where its four numbers start, and where the next group does. */
#define LENGTH_OF(code)	 ((code) == 3 ? 8 : (code) + 1)
#define START_1(control) LENGTH_OF((control)&3)
#define START_2(control) (START_1(control) + LENGTH_OF((control) >> 2 & 3))
#define START_3(control) (START_2(control) + LENGTH_OF((control) >> 4 & 3))
#define START_4(control) (START_3(control) + LENGTH_OF((control) >> 6 & 3))
#define GROUP(control)                                                                             \
	{                                                                                          \
		START_1(control), START_2(control), START_3(control), START_4(control)             \
	}
#define GROUP_4(c)  GROUP(c), GROUP((c) + 1), GROUP((c) + 2), GROUP((c) + 3)
#define GROUP_16(c) GROUP_4(c), GROUP_4((c) + 4), GROUP_4((c) + 8), GROUP_4((c) + 12)
#define GROUP_64(c) GROUP_16(c), GROUP_16((c) + 16), GROUP_16((c) + 32), GROUP_16((c) + 48)
static const uint8_t group_starts[256][4] = { GROUP_64(0), GROUP_64(64), GROUP_64(128),
					      GROUP_64(192) };

static inline uint64_t load_u64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static inline void store_u64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void put_header(uint8_t *out, enum column_mode mode, uint32_t data_bytes)
{
	uint32_t bytes = htole32(data_bytes);
	memset(out, 0, 4);
	out[0] = (uint8_t)mode;
	memcpy(out + 4, &bytes, sizeof(bytes));
}

static size_t encode_constant(uint8_t *out, uint64_t value)
{
	put_header(out, COLUMN_CONSTANT, 8);
	store_u64(out + COLUMN_HEADER_BYTES, value);
	return COLUMN_HEADER_BYTES + 8;
}

/* 0 to 3 without a branch: random lengths would be mispredicted. */
static inline unsigned code_of(uint64_t value)
{
	return (value > 0xff) + (value > 0xffff) + (value > 0xffffff);
}

static size_t encode_split(uint8_t *out, const uint64_t *values, uint32_t n)
{
	uint32_t nr_groups = (n + 3) / 4;
	uint8_t *control = out + COLUMN_HEADER_BYTES;
	uint8_t *first = control + nr_groups;
	uint8_t *data = first;
	for (uint32_t i = 0; i < n; i += 4) {
		unsigned codes = 0;
		unsigned nr = n - i < 4 ? n - i : 4;
		for (unsigned j = 0; j < nr; j++) {
			unsigned code = code_of(values[i + j]);
			codes |= code << (2 * j);
			store_u64(data, values[i + j]);
			data += lengths[code];
		}
		/* The last group is filled up with zeros of one byte, so that groups are whole. */
		for (unsigned j = nr; j < 4; j++)
			*data++ = 0;
		*control++ = (uint8_t)codes;
	}
	put_header(out, COLUMN_SPLIT, (uint32_t)(data - first));
	return (size_t)(data - out);
}

size_t column_encode(uint8_t *out, const uint64_t *values, uint32_t n)
{
	uint64_t differs = 0, any = 0;
	for (uint32_t i = 0; i < n; i++) {
		differs |= values[i] ^ values[0];
		any |= values[i];
	}
	if (!differs)
		return encode_constant(out, values[0]);
	if (any > 0xff)
		return encode_split(out, values, n);
	put_header(out, COLUMN_BYTE, n);
	for (uint32_t i = 0; i < n; i++)
		out[COLUMN_HEADER_BYTES + i] = (uint8_t)values[i];
	return COLUMN_HEADER_BYTES + n;
}

size_t column_encode_bytes(uint8_t *out, const uint8_t *values, uint32_t n)
{
	uint8_t differs = 0;
	for (uint32_t i = 0; i < n; i++)
		differs |= values[i] ^ values[0];
	if (!differs)
		return encode_constant(out, values[0]);
	put_header(out, COLUMN_BYTE, n);
	memcpy(out + COLUMN_HEADER_BYTES, values, n);
	return COLUMN_HEADER_BYTES + n;
}

/* The data must be exactly as long as the control bytes say: checked once, so that decoding
 * needs no bounds. */
static bool split_is_whole(const uint8_t *control, uint32_t nr_groups, uint32_t data_bytes)
{
	uint64_t nr_bytes = 0;
	for (uint32_t i = 0; i < nr_groups; i++)
		nr_bytes += group_starts[control[i]][3];
	return nr_bytes == data_bytes;
}

int column_open(struct trace_column *ret, const uint8_t **at, const uint8_t *end, uint32_t n)
{
	const uint8_t *start = *at;
	if ((size_t)(end - start) < COLUMN_HEADER_BYTES)
		return -EBADMSG;
	enum column_mode mode = start[0];
	uint32_t data_bytes = load_u32(start + 4);
	uint32_t control_bytes = mode == COLUMN_SPLIT ? n / 4 + (n % 4 != 0) : 0;
	start += COLUMN_HEADER_BYTES;
	if ((uint64_t)(end - start) < (uint64_t)control_bytes + data_bytes)
		return -EBADMSG;
	struct trace_column column = { .mode = mode,
				       .control = start,
				       .bytes = start + control_bytes };
	switch (mode) {
	case COLUMN_CONSTANT:
		if (data_bytes != 8)
			return -EBADMSG;
		column.constant = load_u64(start);
		break;
	case COLUMN_BYTE:
		if (data_bytes != n)
			return -EBADMSG;
		break;
	case COLUMN_SPLIT:
		if (!split_is_whole(column.control, control_bytes, data_bytes))
			return -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	*at = start + control_bytes + data_bytes;
	*ret = column;
	return 0;
}

static void next_split(struct trace_column *column, uint64_t *out, uint32_t n)
{
	const uint8_t *control = column->control, *data = column->bytes;
	for (uint32_t i = 0; i < n; i += 4) {
		unsigned codes = *control++;
		const uint8_t *starts = group_starts[codes];
		out[i] = load_u64(data) & masks[codes & 3];
		out[i + 1] = load_u64(data + starts[0]) & masks[codes >> 2 & 3];
		out[i + 2] = load_u64(data + starts[1]) & masks[codes >> 4 & 3];
		out[i + 3] = load_u64(data + starts[2]) & masks[codes >> 6];
		data += starts[3];
	}
	column->control = control;
	column->bytes = data;
}

void column_next(struct trace_column *column, uint64_t *out, uint32_t n)
{
	switch (column->mode) {
	case COLUMN_CONSTANT:
		for (uint32_t i = 0; i < n; i++)
			out[i] = column->constant;
		break;
	case COLUMN_BYTE:
		for (uint32_t i = 0; i < n; i++)
			out[i] = column->bytes[i];
		column->bytes += n;
		break;
	case COLUMN_SPLIT:
		next_split(column, out, n);
		break;
	}
}

bool column_is_bytes(const struct trace_column *column)
{
	return column->mode == COLUMN_BYTE ||
	       (column->mode == COLUMN_CONSTANT && column->constant <= 0xff);
}

void column_next_bytes(struct trace_column *column, uint8_t *out, uint32_t n)
{
	if (column->mode == COLUMN_CONSTANT) {
		memset(out, (int)column->constant, n);
		return;
	}
	memcpy(out, column->bytes, n);
	column->bytes += n;
}
