/* SPDX-License-Identifier: MIT */
/*
 * One column of a block: n numbers as planes of bytes.
 *
 *     head:    width 1 | zero 3 | nr_exceptions 4 | constant 8 if width is 0
 *              position 2 x nr_exceptions | value 8 x nr_exceptions
 *     planes:  lowest byte of every number, n | next byte of every number, n | ... width times
 *
 * Bytes of equal weight lie together, so that zstd finds noise apart from order: high bytes all but
 * vanish, and low bytes cost their entropy. Decoding has no branch that depends on the data, and
 * vectorises. The few numbers too large for the width are exceptions.
 *
 * Cost, before zstd: about one nanosecond a number to encode, a third of one to decode.
 */
#ifndef BERTH_TRACE_COLUMN_H
#define BERTH_TRACE_COLUMN_H

#include "base/types.h"

#define COLUMN_HEAD_BYTES 16 /* without exceptions, at most */
#define COLUMN_MAX_PLANES (8 * 9)

/* Where columns are written: heads together, then planes; each plane is packed on its own. */
struct column_sink {
	uint8_t *head, *planes; /* room for the worst is the caller's business */
	size_t nr_head_bytes, nr_plane_bytes;
	size_t plane_end[COLUMN_MAX_PLANES];
	unsigned nr_planes;
};

/* At most one number in so many is an exception. */
#define COLUMN_EXCEPTION_RATE	 64
#define COLUMN_MAX_HEAD_BYTES(n) (COLUMN_HEAD_BYTES + (n) / COLUMN_EXCEPTION_RATE * 10)

/* gcc vectorises loops of unknown length only at -O3; clang always. */
#if defined(__GNUC__) && !defined(__clang__)
#define VECTORISED __attribute__((optimize("O3")))
#else
#define VECTORISED
#endif

/* n from 1 to 65536. */
void column_encode(struct column_sink *sink, const uint64_t *values, uint32_t n);
void column_encode_constant(struct column_sink *sink, uint64_t value);
void column_encode_bytes(struct column_sink *sink, const uint8_t *values, uint32_t n);

/* Where columns are read from; both move on with every column. */
struct column_source {
	const uint8_t *head, *head_end;
	const uint8_t *planes, *planes_end;
};

struct trace_column {
	unsigned width;
	uint32_t n, nr_done;
	uint64_t constant;
	const uint8_t *planes;
	const uint8_t *positions, *values; /* of the exceptions */
	uint32_t nr_exceptions, next_exception;
};

/* -EBADMSG when it does not fit or cannot be right. */
int column_open(struct trace_column *ret, struct column_source *source, uint32_t n);

/* The next n numbers; never more in total than column_open() was told. */
void column_next(struct trace_column *column, uint64_t *out, uint32_t n);

/* Whether all are bytes without exceptions, and then the next of them. */
bool column_is_bytes(const struct trace_column *column);
void column_next_bytes(struct trace_column *column, uint8_t *out, uint32_t n);
bool column_is_constant(const struct trace_column *column, uint64_t *ret_value);

#endif
