/* SPDX-License-Identifier: MIT */
/* The index on disk (index.h): written at the end of a recording, read by windows. */
#include "trace/index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BLOCKS 2048 /* entries written or checked at a time: 64 KiB */

void trace_index_fini(struct trace_index *index)
{
	free(index->streams);
	free(index->blocks);
	memset(index, 0, sizeof(*index));
}

int trace_read_frame(int fd, uint64_t file_bytes, uint64_t offset, struct frame *ret)
{
	uint8_t bytes[FRAME_HEADER_BYTES];
	struct frame frame;
	if (offset > file_bytes || file_bytes - offset < sizeof(bytes))
		return -EBADMSG;
	int error = read_at(fd, bytes, sizeof(bytes), offset);
	error = error ? error : frame_unpack(bytes, &frame);
	if (error)
		return error;
	if (frame.stored_bytes > file_bytes - offset - sizeof(bytes))
		return -EBADMSG;
	*ret = frame;
	return 0;
}

/* The streams must part the blocks among them, in order, and be of kinds and spaces there can
 * be. */
static bool streams_are_sane(const struct trace_index *index)
{
	uint64_t next_block = 0;
	for (uint32_t i = 0; i < index->nr_streams; i++) {
		const struct index_stream *stream = &index->streams[i];
		if (stream->kind >= TRACE_NR_KINDS || stream->space >= TRACE_MAX_SPACES ||
		    stream->first_block != next_block || stream->nr_blocks == 0 ||
		    stream->nr_blocks > index->nr_blocks - next_block ||
		    stream->first_ticks > stream->last_ticks)
			return false;
		next_block += stream->nr_blocks;
	}
	return next_block == index->nr_blocks;
}

static int read_streams(struct trace_index *index, uint64_t offset, struct checksum *checksum)
{
	uint8_t bytes[INDEX_STREAM_BYTES];
	index->streams = calloc((size_t)index->nr_streams + 1, sizeof(*index->streams));
	if (!index->streams)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->nr_streams; i++) {
		int error = read_at(index->fd, bytes, sizeof(bytes),
				    offset + (uint64_t)i * sizeof(bytes));
		if (error)
			return error;
		checksum_add(checksum, bytes, sizeof(bytes));
		index_stream_unpack(bytes, &index->streams[i]);
	}
	return streams_are_sane(index) ? 0 : -EBADMSG;
}

/* The entries are only summed here: they are read again, by windows, when needed. */
static int check_blocks(const struct trace_index *index, struct checksum *checksum)
{
	uint8_t *bytes = malloc(CHUNK_BLOCKS * INDEX_BLOCK_BYTES);
	int error = bytes ? 0 : -ENOMEM;
	for (uint64_t i = 0; i < index->nr_blocks && !error; i += CHUNK_BLOCKS) {
		size_t nr = MIN(index->nr_blocks - i, CHUNK_BLOCKS) * INDEX_BLOCK_BYTES;
		error = read_at(index->fd, bytes, nr, index->blocks_offset + i * INDEX_BLOCK_BYTES);
		if (!error)
			checksum_add(checksum, bytes, nr);
	}
	free(bytes);
	return error;
}

static int read_index(struct trace_index *index, const struct frame *frame, uint64_t offset)
{
	uint8_t head[INDEX_HEAD_BYTES];
	uint32_t nr_streams;
	uint64_t nr_blocks;
	if (frame->stored_bytes < sizeof(head))
		return -EBADMSG;
	int error = read_at(index->fd, head, sizeof(head), offset);
	if (error)
		return error;
	memcpy(&nr_streams, head, sizeof(nr_streams));
	memcpy(&nr_blocks, head + 8, sizeof(nr_blocks));
	index->nr_streams = le32toh(nr_streams);
	index->nr_blocks = le64toh(nr_blocks);
	uint64_t left = frame->stored_bytes - sizeof(head);
	uint64_t stream_bytes = (uint64_t)index->nr_streams * INDEX_STREAM_BYTES;
	if (index->nr_streams > TRACE_MAX_SPACES * TRACE_NR_KINDS || stream_bytes > left ||
	    (left - stream_bytes) % INDEX_BLOCK_BYTES != 0 ||
	    (left - stream_bytes) / INDEX_BLOCK_BYTES != index->nr_blocks)
		return -EBADMSG;
	struct checksum checksum;
	checksum_init(&checksum);
	checksum_add(&checksum, head, sizeof(head));
	index->blocks_offset = offset + sizeof(head) + stream_bytes;
	error = read_streams(index, offset + sizeof(head), &checksum);
	error = error ? error : check_blocks(index, &checksum);
	return !error && checksum_end(&checksum, "", 0) != frame->payload_sum ? -EBADMSG : error;
}

int trace_index_read(int fd, uint64_t file_bytes, uint64_t offset, struct trace_index *ret)
{
	struct frame frame;
	struct trace_index index = { .fd = fd };
	int error = trace_read_frame(fd, file_bytes, offset, &frame);
	if (!error && (frame.type != FRAME_INDEX || frame.codec != CODEC_STORED))
		error = -EBADMSG;
	error = error ? error : read_index(&index, &frame, offset + FRAME_HEADER_BYTES);
	if (error)
		trace_index_fini(&index);
	else
		*ret = index;
	return error;
}

int trace_index_blocks(const struct trace_index *index, uint64_t first, uint32_t nr,
		       struct index_block *ret)
{
	uint8_t bytes[INDEX_WINDOW * INDEX_BLOCK_BYTES];
	if (index->blocks) {
		memcpy(ret, index->blocks + first, nr * sizeof(*ret));
		return 0;
	}
	int error = read_at(index->fd, bytes, nr * INDEX_BLOCK_BYTES,
			    index->blocks_offset + first * INDEX_BLOCK_BYTES);
	for (uint32_t i = 0; i < nr && !error; i++)
		index_block_unpack(bytes + i * INDEX_BLOCK_BYTES, &ret[i]);
	return error;
}

void trace_index_totals(const struct trace_index *index, struct trace_info *info)
{
	uint64_t nr_misses = 0, nr_touches = 0, end = info->nr_ticks;
	memset(info->nr_events, 0, sizeof(info->nr_events));
	for (uint32_t i = 0; i < index->nr_streams; i++) {
		const struct index_stream *stream = &index->streams[i];
		info->nr_events[stream->kind] += stream->nr_events;
		nr_misses += stream->nr_misses;
		nr_touches += stream->nr_touches;
		end = MAX(end, stream->last_ticks);
	}
	info->nr_misses = nr_misses;
	info->nr_touches = nr_touches;
	info->nr_ticks = end;
	info->nr_blocks = index->nr_blocks;
}

/* Collects entries and writes them out by chunks, summing as they go. */
struct index_output {
	int fd;
	uint8_t *bytes;
	size_t nr_bytes;
	struct checksum checksum;
	bool writes; /* false: only sums */
	int error;
};

static uint8_t *output_room(struct index_output *output, size_t nr_bytes)
{
	if (output->nr_bytes + nr_bytes > CHUNK_BLOCKS * INDEX_BLOCK_BYTES) {
		checksum_add(&output->checksum, output->bytes, output->nr_bytes);
		if (output->writes && !output->error)
			output->error = write_whole(output->fd, output->bytes, output->nr_bytes);
		output->nr_bytes = 0;
	}
	uint8_t *room = output->bytes + output->nr_bytes;
	output->nr_bytes += nr_bytes;
	return room;
}

static void output_index(struct index_output *output, const struct trace_index *index)
{
	uint32_t nr_streams = htole32(index->nr_streams);
	uint64_t nr_blocks = htole64(index->nr_blocks);
	uint8_t *head = output_room(output, INDEX_HEAD_BYTES);
	memset(head, 0, INDEX_HEAD_BYTES);
	memcpy(head, &nr_streams, sizeof(nr_streams));
	memcpy(head + 8, &nr_blocks, sizeof(nr_blocks));
	for (uint32_t i = 0; i < index->nr_streams; i++)
		index_stream_pack(output_room(output, INDEX_STREAM_BYTES), &index->streams[i]);
	for (uint64_t i = 0; i < index->nr_blocks; i++)
		index_block_pack(output_room(output, INDEX_BLOCK_BYTES), &index->blocks[i]);
	output_room(output, CHUNK_BLOCKS * INDEX_BLOCK_BYTES); /* pushes out what is left */
	output->nr_bytes = 0;
}

int trace_index_write(int fd, const struct trace_index *index, uint64_t *ret_bytes)
{
	struct index_output output = { .fd = fd,
				       .bytes = malloc(CHUNK_BLOCKS * INDEX_BLOCK_BYTES) };
	struct frame frame = { .type = FRAME_INDEX };
	uint8_t header[FRAME_HEADER_BYTES];
	if (!output.bytes)
		return -ENOMEM;
	checksum_init(&output.checksum);
	output_index(&output, index);
	frame.raw_bytes = frame.stored_bytes = INDEX_HEAD_BYTES +
					       (uint64_t)index->nr_streams * INDEX_STREAM_BYTES +
					       index->nr_blocks * INDEX_BLOCK_BYTES;
	frame.payload_sum = checksum_end(&output.checksum, "", 0);
	frame_pack(header, &frame);
	output.error = write_whole(fd, header, sizeof(header));
	output.writes = true;
	output_index(&output, index);
	free(output.bytes);
	*ret_bytes = sizeof(header) + frame.stored_bytes;
	return output.error;
}
