/* SPDX-License-Identifier: MIT */
/*
 * Makes the index of a file that has none, by walking its frames.
 *
 * A writer that was killed in the middle of a write, or ran out of disk, leaves a torn frame; other
 * processes may have appended behind it. So a frame counts only if another frame, or its own
 * payload's checksum, confirms it; from a torn one the walk goes on at the next frame that is
 * whole. The work on checksums is bounded by a budget in proportion to the file, so that a forged
 * file cannot make it quadratic.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/index.h"

#define SEARCH_BYTES (64 * 1024)

struct found { /* a block, before sorting */
	struct index_block block;
	uint32_t kind, space, nr_misses, nr_touches;
};

struct walk {
	int fd;
	uint64_t file_bytes;
	uint64_t budget; /* bytes of payload that may still be summed */
	struct found *found;
	size_t nr_found, max_found;
	uint8_t *buffer; /* SEARCH_BYTES */
};

static int add_found(struct walk *walk, const struct frame *frame, uint64_t offset)
{
	if (walk->nr_found == walk->max_found) {
		size_t max = walk->max_found ? walk->max_found * 2 : 256;
		struct found *found = realloc(walk->found, max * sizeof(*found));
		if (!found)
			return -ENOMEM;
		walk->found = found;
		walk->max_found = max;
	}
	walk->found[walk->nr_found++] = (struct found){
		.block = { offset, frame->first_ticks, frame->last_ticks, frame->nr_events,
			   (uint32_t)frame->stored_bytes },
		.kind = frame->kind,
		.space = frame->space,
		.nr_misses = frame->nr_misses,
		.nr_touches = frame->nr_touches,
	};
	return 0;
}

static bool payload_is_whole(struct walk *walk, const struct frame *frame, uint64_t offset)
{
	struct checksum checksum;
	if (frame->stored_bytes > walk->budget)
		return false;
	walk->budget -= frame->stored_bytes;
	offset += FRAME_HEADER_BYTES;
	checksum_init(&checksum);
	for (uint64_t left = frame->stored_bytes;;) {
		size_t nr = MIN(left, SEARCH_BYTES);
		if (read_at(walk->fd, walk->buffer, nr, offset))
			return false;
		if (nr == left)
			return checksum_end(&checksum, walk->buffer, nr) == frame->payload_sum;
		checksum_add(&checksum, walk->buffer, nr);
		offset += nr;
		left -= nr;
	}
}

static bool frame_is_confirmed(struct walk *walk, const struct frame *frame, uint64_t offset)
{
	struct frame next;
	uint64_t end = offset + FRAME_HEADER_BYTES + frame->stored_bytes;
	return trace_read_frame(walk->fd, walk->file_bytes, end, &next) == 0 ||
	       payload_is_whole(walk, frame, offset);
}

/* The next offset at or behind `offset` where a whole frame header is; file_bytes if none. */
static uint64_t find_frame(struct walk *walk, uint64_t offset)
{
	struct frame frame;
	while (walk->file_bytes - offset >= FRAME_HEADER_BYTES) {
		size_t nr = MIN(walk->file_bytes - offset, SEARCH_BYTES);
		if (read_at(walk->fd, walk->buffer, nr, offset))
			break;
		size_t last = nr - FRAME_HEADER_BYTES;
		for (size_t i = 0; i <= last; i++) {
			const uint8_t *at = memchr(walk->buffer + i, frame_magic[0], last - i + 1);
			if (!at)
				break;
			i = (size_t)(at - walk->buffer);
			if (frame_unpack(at, &frame) == 0)
				return offset + i;
		}
		offset += last + 1;
	}
	return walk->file_bytes;
}

static int take_frame(struct walk *walk, const struct frame *frame, uint64_t offset,
		      struct trace_scan *scan)
{
	if (frame->type == FRAME_INFO)
		scan->info_offset = offset;
	if (frame->type != FRAME_EVENTS)
		return 0;
	scan->nr_spaces = MAX(scan->nr_spaces, frame->space + 1);
	return add_found(walk, frame, offset);
}

static int walk_frames(struct walk *walk, struct trace_scan *scan)
{
	uint64_t offset = HEAD_BYTES;
	scan->end = MIN(offset, walk->file_bytes);
	while (offset < walk->file_bytes) {
		struct frame frame;
		int error = trace_read_frame(walk->fd, walk->file_bytes, offset, &frame);
		if (error && error != -EBADMSG)
			return error;
		if (!error && frame_is_confirmed(walk, &frame, offset)) {
			uint64_t next = offset + FRAME_HEADER_BYTES + frame.stored_bytes;
			error = take_frame(walk, &frame, offset, scan);
			if (error)
				return error;
			scan->end = offset = next;
			continue;
		}
		uint64_t next = find_frame(walk, offset + 1);
		scan->nr_torn_bytes += next - offset;
		offset = next;
	}
	return 0;
}

static int compare_found(const void *left, const void *right)
{
	const struct found *a = left, *b = right;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	if (a->block.first_ticks != b->block.first_ticks)
		return a->block.first_ticks < b->block.first_ticks ? -1 : 1;
	return a->block.offset < b->block.offset ? -1 : a->block.offset > b->block.offset;
}

static bool starts_stream(const struct found *found, size_t i)
{
	return i == 0 || found[i].kind != found[i - 1].kind || found[i].space != found[i - 1].space;
}

static void add_to_stream(struct index_stream *stream, const struct found *found)
{
	stream->nr_blocks++;
	stream->nr_events += found->block.nr_events;
	stream->nr_misses += found->nr_misses;
	stream->nr_touches += found->nr_touches;
	stream->last_ticks = MAX(stream->last_ticks, found->block.last_ticks);
}

static int make_index(const struct walk *walk, struct trace_index *index)
{
	const struct found *found = walk->found;
	uint32_t nr_streams = 0;
	for (size_t i = 0; i < walk->nr_found; i++)
		nr_streams += starts_stream(found, i);
	index->streams = calloc((size_t)nr_streams + 1, sizeof(*index->streams));
	index->blocks = calloc(walk->nr_found + 1, sizeof(*index->blocks));
	if (!index->streams || !index->blocks)
		return -ENOMEM;
	for (size_t i = 0; i < walk->nr_found; i++) {
		if (starts_stream(found, i))
			index->streams[index->nr_streams++] =
				(struct index_stream){ .space = found[i].space,
						       .kind = found[i].kind,
						       .first_block = i,
						       .first_ticks = found[i].block.first_ticks };
		add_to_stream(&index->streams[index->nr_streams - 1], &found[i]);
		index->blocks[i] = found[i].block;
	}
	index->nr_blocks = walk->nr_found;
	return 0;
}

int trace_index_scan(int fd, uint64_t file_bytes, struct trace_index *ret,
		     struct trace_scan *ret_scan)
{
	struct walk walk = { .fd = fd,
			     .file_bytes = file_bytes,
			     .budget = 2 * file_bytes + 2 * TRACE_BLOCK_STORE_MAX,
			     .buffer = malloc(SEARCH_BYTES) };
	struct trace_scan scan = { 0 };
	struct trace_index index = { .fd = fd };
	int error = walk.buffer ? walk_frames(&walk, &scan) : -ENOMEM;
	if (!error) {
		if (walk.nr_found > 0)
			qsort(walk.found, walk.nr_found, sizeof(*walk.found), compare_found);
		error = make_index(&walk, &index);
	}
	free(walk.buffer);
	free(walk.found);
	if (error) {
		trace_index_fini(&index);
		return error;
	}
	*ret = index;
	*ret_scan = scan;
	return 0;
}
