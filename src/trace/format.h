/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a .berth file, as structs: file head, frame header, index, trailer.
 * docs/format.md is the specification; this is its transcription. Private to src/trace.
 *
 *     head 16 | frame frame frame ... | info frame | index frame | trailer 40
 *     frame = header 80 | payload (stored_bytes)
 *
 * All numbers are little-endian and unaligned. Every frame header has its own checksum, so that
 * walking a file needs no payloads, and one over the payload. Nothing read from a file is believed
 * before frame_unpack() or trailer_unpack() has checked it.
 */
#ifndef BERTH_TRACE_FORMAT_H
#define BERTH_TRACE_FORMAT_H

#include "trace/trace.h"

#define TRACE_MAJOR 1
#define TRACE_MAJOR_NODES                                                                          \
	2 /* of a file that may hold TRACE_NODES, and nothing else is different                    \
	   */
#define TRACE_MAJOR_MAX 2
#define TRACE_MINOR	0

#define HEAD_BYTES	   16
#define FRAME_HEADER_BYTES 80
#define TRAILER_BYTES	   40
#define INDEX_HEAD_BYTES   32
#define INDEX_STREAM_BYTES 64
#define INDEX_BLOCK_BYTES  32

#define TRACE_BLOCK_EVENTS    65536u		/* most events in one block */
#define TRACE_BLOCK_RAW_MAX   ((size_t)4 << 20) /* most bytes of one block, unpacked */
#define TRACE_BLOCK_STORE_MAX ((size_t)5 << 20) /* ... and packed (it never grows much) */
#define TRACE_INFO_MAX	      ((size_t)16 << 20)
#define TRACE_MAX_SPACES      65536u
#define TRACE_MAX_AREAS	      8u
#define TRACE_MAX_MEMORY      1024u /* nodes whose memory the info tells, as many as Linux has */
#define TRACE_MAX_SETTINGS    1024u
#define TRACE_NAME_MAX	      4095u /* bytes of a mapping's name; longer ones are cut */

extern const uint8_t trace_magic[8];
extern const uint8_t frame_magic[4];

enum frame_type {
	FRAME_INFO = 1,
	FRAME_EVENTS = 2,
	FRAME_INDEX = 3,
};

enum frame_codec {
	CODEC_STORED = 0,
	CODEC_ZSTD = 1, /* one or more zstd frames, one after the other */
};

struct frame {
	uint8_t type, kind, codec;
	uint32_t space;
	uint32_t nr_events;
	uint64_t raw_bytes, stored_bytes;
	uint64_t first_ticks, last_ticks;
	uint64_t min_page, max_page;
	uint32_t nr_misses, nr_touches; /* accesses only */
	uint32_t payload_sum;
};

/* One entry of the index: where a block is and what time it covers. */
struct index_block {
	uint64_t offset; /* of its frame header */
	uint64_t first_ticks, last_ticks;
	uint32_t nr_events;
	uint32_t stored_bytes; /* of its payload */
};

/* One sequence of the index: the blocks of one kind and one space, in time order. */
struct index_stream {
	uint32_t space, kind;
	uint64_t first_block, nr_blocks; /* entries [first_block, first_block + nr_blocks) */
	uint64_t nr_events, nr_misses, nr_touches;
	uint64_t first_ticks, last_ticks;
};

struct trailer {
	uint64_t info_offset, index_offset, file_bytes;
};

void head_pack(uint8_t bytes[HEAD_BYTES], uint32_t major);
/* 0; -EBADMSG: not this format or damaged; -EOPNOTSUPP: a later major version. */
int head_unpack(const uint8_t bytes[HEAD_BYTES], uint32_t *ret_major, uint32_t *ret_minor);

void frame_pack(uint8_t bytes[FRAME_HEADER_BYTES], const struct frame *frame);
/* 0 or -EBADMSG: wrong magic, checksum, or sizes and counts beyond the limits above. */
int frame_unpack(const uint8_t bytes[FRAME_HEADER_BYTES], struct frame *ret);

void index_block_pack(uint8_t bytes[INDEX_BLOCK_BYTES], const struct index_block *block);
void index_block_unpack(const uint8_t bytes[INDEX_BLOCK_BYTES], struct index_block *ret);
void index_stream_pack(uint8_t bytes[INDEX_STREAM_BYTES], const struct index_stream *stream);
void index_stream_unpack(const uint8_t bytes[INDEX_STREAM_BYTES], struct index_stream *ret);

void trailer_pack(uint8_t bytes[TRAILER_BYTES], const struct trailer *trailer);
int trailer_unpack(const uint8_t bytes[TRAILER_BYTES], struct trailer *ret);

/* The lower half of XXH64 (Collet; seed 0), as zstd uses it: 32 bytes in about three nanoseconds.
 * All parts but the last must be multiples of 32 bytes. */
struct checksum {
	uint64_t lanes[4];
	uint64_t nr_bytes;
};
void checksum_init(struct checksum *checksum);
void checksum_add(struct checksum *checksum, const void *bytes, size_t nr_bytes);
/* The last part, of any length. */
uint32_t checksum_end(struct checksum *checksum, const void *bytes, size_t nr_bytes);
uint32_t checksum_of(const void *bytes, size_t nr_bytes);

/* Whole reads and writes; -EBADMSG when the file ends before. */
int read_at(int fd, void *bytes, size_t nr_bytes, uint64_t offset);
int write_whole(int fd, const void *bytes, size_t nr_bytes);

static inline uint64_t zigzag(uint64_t delta)
{
	return (delta << 1) ^ (0 - (delta >> 63));
}

static inline uint64_t unzigzag(uint64_t value)
{
	return (value >> 1) ^ (0 - (value & 1));
}

/* ns of a tick count, rounded down; saturates. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t ns_per_ktick)
{
	unsigned __int128 ns = (unsigned __int128)ticks * ns_per_ktick / 1000;
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

#endif
