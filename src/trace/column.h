/* SPDX-License-Identifier: MIT */
/*
 * One column of a block: n numbers, packed so that decoding has no unpredictable branch.
 *
 *     mode 1 | zero 3 | data_bytes 4 | ...
 *     CONSTANT: value 8
 *     BYTES:    n bytes                                   (all values below 256)
 *     SPLIT:    ceil(n / 4) control bytes | data_bytes    (all others)
 *
 * SPLIT follows Stream VByte (Lemire, Kurz, Rupp 2018): the lengths, two bits each, are kept apart
 * from the bytes, so that a group of four is four masked loads at offsets from a table. Lengths are
 * 1, 2, 3 or 8 bytes: page deltas within 4 GiB fit 3 bytes.
 *
 * Cost: about one nanosecond per number to encode, half of one to decode; 1.25 bytes for a small
 * number before zstd.
 */
#ifndef BERTH_TRACE_COLUMN_H
#define BERTH_TRACE_COLUMN_H

#include "base/types.h"

#define COLUMN_HEADER_BYTES 8
#define COLUMN_SLACK_BYTES                                                                         \
	8 /* readable bytes needed behind a payload, writable behind a buffer                      \
	   */

enum column_mode { COLUMN_CONSTANT = 1, COLUMN_BYTE = 2, COLUMN_SPLIT = 3 };

/* Most bytes column_encode() writes for n numbers, slack included. */
#define COLUMN_MAX_BYTES(n) (COLUMN_HEADER_BYTES + COLUMN_SLACK_BYTES + ((n) + 3) / 4 + 8 * (n))

/* Returns the bytes written. n > 0. */
size_t column_encode(uint8_t *out, const uint64_t *values, uint32_t n);
size_t column_encode_bytes(uint8_t *out, const uint8_t *values, uint32_t n);

struct trace_column {
	enum column_mode mode;
	uint64_t constant;
	const uint8_t *bytes;	/* BYTE: the values; SPLIT: the data of what is not yet decoded */
	const uint8_t *control; /* SPLIT: the next control byte */
};

/* Opens the column of n numbers at *at (moved behind it); -EBADMSG when it does not fit. The
 * payload must have COLUMN_SLACK_BYTES behind `end`. */
int column_open(struct trace_column *ret, const uint8_t **at, const uint8_t *end, uint32_t n);

/* The next n numbers; all calls but the last must take a multiple of four. `out` has room for n
 * rounded up to four. Never more in total than column_open() was told. */
void column_next(struct trace_column *column, uint64_t *out, uint32_t n);

/* The same for numbers that are known to be bytes; false when the column has larger ones. */
bool column_is_bytes(const struct trace_column *column);
void column_next_bytes(struct trace_column *column, uint8_t *out, uint32_t n);

#endif
