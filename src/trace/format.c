/* SPDX-License-Identifier: MIT */
/* Packs and unpacks the fixed parts of a .berth file (format.h); every limit is checked here. */
#include "trace/format.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

/* Like PNG's: a byte above 127, a name, a line end and an end-of-text that careless copies spoil.
 */
const uint8_t trace_magic[8] = { 0x89, 'B', 'R', 'T', 'H', '\r', '\n', 0x1a };
const uint8_t frame_magic[4] = { 0xf5, 'B', 'r', 'F' };
static const uint8_t trailer_magic[8] = { 0xf5, 'B', 'r', 't', 'h', 'E', 'n', 'd' };

static void put_u16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static void put_u32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put_u64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

void head_pack(uint8_t bytes[HEAD_BYTES], uint32_t major)
{
	memcpy(bytes, trace_magic, sizeof(trace_magic));
	put_u16(bytes + 8, (uint16_t)major);
	put_u16(bytes + 10, TRACE_MINOR);
	put_u32(bytes + 12, checksum_of(bytes, 12));
}

int head_unpack(const uint8_t bytes[HEAD_BYTES], uint32_t *ret_major, uint32_t *ret_minor)
{
	if (memcmp(bytes, trace_magic, sizeof(trace_magic)) != 0 ||
	    get_u32(bytes + 12) != checksum_of(bytes, 12))
		return -EBADMSG;
	*ret_major = get_u16(bytes + 8);
	*ret_minor = get_u16(bytes + 10);
	return *ret_major >= TRACE_MAJOR && *ret_major <= TRACE_MAJOR_MAX ? 0 : -EOPNOTSUPP;
}

void frame_pack(uint8_t bytes[FRAME_HEADER_BYTES], const struct frame *frame)
{
	memcpy(bytes, frame_magic, sizeof(frame_magic));
	bytes[4] = frame->type;
	bytes[5] = frame->kind;
	bytes[6] = frame->codec;
	bytes[7] = 0;
	put_u32(bytes + 8, frame->space);
	put_u32(bytes + 12, frame->nr_events);
	put_u64(bytes + 16, frame->raw_bytes);
	put_u64(bytes + 24, frame->stored_bytes);
	put_u64(bytes + 32, frame->first_ticks);
	put_u64(bytes + 40, frame->last_ticks);
	put_u64(bytes + 48, frame->min_page);
	put_u64(bytes + 56, frame->max_page);
	put_u32(bytes + 64, frame->nr_misses);
	put_u32(bytes + 68, frame->nr_touches);
	put_u32(bytes + 72, frame->payload_sum);
	put_u32(bytes + 76, checksum_of(bytes, 76));
}

static bool events_frame_is_sane(const struct frame *frame)
{
	return frame->kind < TRACE_NR_KINDS && frame->space < TRACE_MAX_SPACES &&
	       frame->nr_events > 0 && frame->nr_events <= TRACE_BLOCK_EVENTS &&
	       frame->raw_bytes > 0 && frame->raw_bytes <= TRACE_BLOCK_RAW_MAX &&
	       frame->stored_bytes <= TRACE_BLOCK_STORE_MAX &&
	       frame->first_ticks <= frame->last_ticks && frame->min_page <= frame->max_page &&
	       frame->nr_misses <= frame->nr_events && frame->nr_touches <= frame->nr_events;
}

static bool frame_is_sane(const struct frame *frame)
{
	if (frame->codec == CODEC_STORED && frame->raw_bytes != frame->stored_bytes)
		return false;
	if (frame->type == FRAME_EVENTS)
		return events_frame_is_sane(frame);
	if (frame->type == FRAME_INFO)
		return frame->raw_bytes <= TRACE_INFO_MAX && frame->stored_bytes <= TRACE_INFO_MAX;
	return frame->stored_bytes <= (uint64_t)INT64_MAX;
}

int frame_unpack(const uint8_t bytes[FRAME_HEADER_BYTES], struct frame *ret)
{
	if (memcmp(bytes, frame_magic, sizeof(frame_magic)) != 0 ||
	    get_u32(bytes + 76) != checksum_of(bytes, 76))
		return -EBADMSG;
	struct frame frame = {
		.type = bytes[4],
		.kind = bytes[5],
		.codec = bytes[6],
		.space = get_u32(bytes + 8),
		.nr_events = get_u32(bytes + 12),
		.raw_bytes = get_u64(bytes + 16),
		.stored_bytes = get_u64(bytes + 24),
		.first_ticks = get_u64(bytes + 32),
		.last_ticks = get_u64(bytes + 40),
		.min_page = get_u64(bytes + 48),
		.max_page = get_u64(bytes + 56),
		.nr_misses = get_u32(bytes + 64),
		.nr_touches = get_u32(bytes + 68),
		.payload_sum = get_u32(bytes + 72),
	};
	if (!frame_is_sane(&frame))
		return -EBADMSG;
	*ret = frame;
	return 0;
}

void index_block_pack(uint8_t bytes[INDEX_BLOCK_BYTES], const struct index_block *block)
{
	put_u64(bytes, block->offset);
	put_u64(bytes + 8, block->first_ticks);
	put_u64(bytes + 16, block->last_ticks);
	put_u32(bytes + 24, block->nr_events);
	put_u32(bytes + 28, block->stored_bytes);
}

void index_block_unpack(const uint8_t bytes[INDEX_BLOCK_BYTES], struct index_block *ret)
{
	ret->offset = get_u64(bytes);
	ret->first_ticks = get_u64(bytes + 8);
	ret->last_ticks = get_u64(bytes + 16);
	ret->nr_events = get_u32(bytes + 24);
	ret->stored_bytes = get_u32(bytes + 28);
}

void index_stream_pack(uint8_t bytes[INDEX_STREAM_BYTES], const struct index_stream *stream)
{
	put_u32(bytes, stream->space);
	put_u32(bytes + 4, stream->kind);
	put_u64(bytes + 8, stream->first_block);
	put_u64(bytes + 16, stream->nr_blocks);
	put_u64(bytes + 24, stream->nr_events);
	put_u64(bytes + 32, stream->nr_misses);
	put_u64(bytes + 40, stream->nr_touches);
	put_u64(bytes + 48, stream->first_ticks);
	put_u64(bytes + 56, stream->last_ticks);
}

void index_stream_unpack(const uint8_t bytes[INDEX_STREAM_BYTES], struct index_stream *ret)
{
	ret->space = get_u32(bytes);
	ret->kind = get_u32(bytes + 4);
	ret->first_block = get_u64(bytes + 8);
	ret->nr_blocks = get_u64(bytes + 16);
	ret->nr_events = get_u64(bytes + 24);
	ret->nr_misses = get_u64(bytes + 32);
	ret->nr_touches = get_u64(bytes + 40);
	ret->first_ticks = get_u64(bytes + 48);
	ret->last_ticks = get_u64(bytes + 56);
}

void trailer_pack(uint8_t bytes[TRAILER_BYTES], const struct trailer *trailer)
{
	memcpy(bytes, trailer_magic, sizeof(trailer_magic));
	put_u64(bytes + 8, trailer->info_offset);
	put_u64(bytes + 16, trailer->index_offset);
	put_u64(bytes + 24, trailer->file_bytes);
	put_u32(bytes + 32, 0);
	put_u32(bytes + 36, checksum_of(bytes, 36));
}

int trailer_unpack(const uint8_t bytes[TRAILER_BYTES], struct trailer *ret)
{
	if (memcmp(bytes, trailer_magic, sizeof(trailer_magic)) != 0 ||
	    get_u32(bytes + 36) != checksum_of(bytes, 36))
		return -EBADMSG;
	ret->info_offset = get_u64(bytes + 8);
	ret->index_offset = get_u64(bytes + 16);
	ret->file_bytes = get_u64(bytes + 24);
	return 0;
}

int read_at(int fd, void *bytes, size_t nr_bytes, uint64_t offset)
{
	uint8_t *at = bytes;
	if (offset > (uint64_t)INT64_MAX - nr_bytes)
		return -EBADMSG;
	while (nr_bytes > 0) {
		ssize_t done = pread(fd, at, nr_bytes, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EBADMSG;
		at += done;
		offset += (uint64_t)done;
		nr_bytes -= (size_t)done;
	}
	return 0;
}

/* One write: a second one for the rest could land behind another process' block. */
int write_whole(int fd, const void *bytes, size_t nr_bytes)
{
	ssize_t done;
	do
		done = write(fd, bytes, nr_bytes);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return (size_t)done == nr_bytes ? 0 : -ENOSPC;
}
