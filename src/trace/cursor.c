/* SPDX-License-Identifier: MIT */
/* See cursor.h. */
#include "trace/cursor.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void free_buffers(struct cursor *cursor)
{
	free(cursor->raw);
	free(cursor->arrays);
	free(cursor->mappings);
	cursor->raw = NULL;
	cursor->raw_size = 0;
	cursor->arrays = NULL;
	cursor->mappings = NULL;
}

void cursor_fini(struct cursor *cursor)
{
	free_buffers(cursor);
	cursor->stream = NULL;
}

void cursor_init(struct cursor *cursor, const struct index_stream *stream,
		 const struct cursor_file *file)
{
	*cursor = (struct cursor){
		.stream = stream,
		.key_ns = ticks_to_ns(stream->first_ticks, file->ns_per_ktick),
	};
}

/* One allocation, carved up. */
static int alloc_arrays(struct cursor *cursor)
{
	bool is_accesses = cursor->stream->kind == TRACE_ACCESSES;
	size_t room = (is_accesses ? TRACE_BATCH_EVENTS : BLOCK_ROWS_CHUNK);
	size_t nr_columns = is_accesses ? 3 : block_nr_columns(cursor->stream->kind);
	uint64_t *arrays = calloc(nr_columns + 1, room * sizeof(uint64_t));
	if (!arrays)
		return -ENOMEM;
	cursor->arrays = arrays;
	cursor->chunk.time_ns = arrays;
	cursor->chunk.page = arrays + room;
	if (is_accesses) {
		cursor->chunk.thread = (uint32_t *)(arrays + 2 * room);
		cursor->chunk.flags = (uint8_t *)(arrays + 3 * room);
	}
	for (size_t i = 2; i < nr_columns && !is_accesses; i++)
		cursor->chunk.columns[i] = arrays + i * room;
	if (cursor->stream->kind == TRACE_MAPPINGS) {
		cursor->mappings = calloc(room, sizeof(*cursor->mappings));
		if (!cursor->mappings)
			return -ENOMEM;
	}
	return 0;
}

static int grow(uint8_t **buffer, size_t *size, size_t wanted)
{
	if (wanted <= *size)
		return 0;
	uint8_t *bigger = realloc(*buffer, wanted);
	if (!bigger)
		return -ENOMEM;
	*buffer = bigger;
	*size = wanted;
	return 0;
}

/* The index entry of the block that comes next. */
static int peek_block(struct cursor *cursor, const struct trace_index *index,
		      struct index_block *ret)
{
	uint64_t block = cursor->next_block;
	if (block < cursor->window_first || block >= cursor->window_first + cursor->window_nr) {
		uint32_t nr = (uint32_t)MIN(cursor->stream->nr_blocks - block, INDEX_WINDOW);
		int error = trace_index_blocks(index, cursor->stream->first_block + block, nr,
					       cursor->window);
		if (error)
			return error;
		cursor->window_first = block;
		cursor->window_nr = nr;
	}
	*ret = cursor->window[block - cursor->window_first];
	return 0;
}

static int read_stored(struct cursor_file *file, const struct index_block *block)
{
	size_t nr_bytes = FRAME_HEADER_BYTES + (size_t)block->stored_bytes;
	if (block->stored_bytes > TRACE_BLOCK_STORE_MAX || block->offset > file->file_bytes ||
	    nr_bytes > file->file_bytes - block->offset)
		return -EBADMSG;
	int error = grow(&file->stored, &file->stored_size, nr_bytes);
	return error ? error : read_at(file->fd, file->stored, nr_bytes, block->offset);
}

static int unpack(struct cursor *cursor, struct cursor_file *file, const struct frame *frame)
{
	const uint8_t *stored = file->stored + FRAME_HEADER_BYTES;
	size_t raw_bytes = frame->raw_bytes, nr;
	int error = grow(&cursor->raw, &cursor->raw_size, raw_bytes);
	if (error)
		return error;
	switch (frame->codec) {
	case CODEC_STORED:
		memcpy(cursor->raw, stored, raw_bytes);
		return 0;
	case CODEC_ZSTD:
		nr = ZSTD_decompressDCtx(file->zstd, cursor->raw, raw_bytes, stored,
					 frame->stored_bytes);
		return ZSTD_isError(nr) || nr != raw_bytes ? -EBADMSG : 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int open_block(struct cursor *cursor, struct cursor_file *file,
		      const struct index_block *block)
{
	struct frame frame;
	int error = read_stored(file, block);
	error = error ? error : frame_unpack(file->stored, &frame);
	if (error)
		return error;
	if (frame.type != FRAME_EVENTS || frame.kind != cursor->stream->kind ||
	    frame.space != cursor->stream->space || frame.nr_events != block->nr_events ||
	    frame.first_ticks != block->first_ticks || frame.last_ticks != block->last_ticks ||
	    frame.stored_bytes != block->stored_bytes ||
	    checksum_of(file->stored + FRAME_HEADER_BYTES, frame.stored_bytes) != frame.payload_sum)
		return -EBADMSG;
	error = unpack(cursor, file, &frame);
	return error ? error : block_decoder_open(&cursor->decoder, &frame, cursor->raw);
}

static int load_block(struct cursor *cursor, struct cursor_file *file,
		      const struct index_block *block, struct printbuf *err)
{
	int error = cursor->arrays ? 0 : alloc_arrays(cursor);
	error = error ? error : open_block(cursor, file, block);
	/* The order of the streams was decided by the index: it must have said the truth. */
	if (!error && cursor->next_block == 0 && block->first_ticks != cursor->stream->first_ticks)
		error = -EBADMSG;
	if (!error) {
		cursor->next_block++;
		cursor->has_block = true;
		return 0;
	}
	unsigned long long offset = block->offset;
	if (error == -EBADMSG)
		return error_set(
			err, error,
			"%s: the block at offset %llu is damaged; what came before is good",
			file->path, offset);
	if (error == -EOPNOTSUPP)
		return error_set(err, error,
				 "%s: the block at offset %llu is packed in a way that this berth "
				 "does not know; use a later one",
				 file->path, offset);
	return error_file(err, error, file->path, "read");
}

/* Blocks of one stream may overlap when two processes wrote it: later ones are held back. */
static void hold_back(struct cursor *cursor, uint64_t *time_ns, uint32_t n)
{
	for (uint32_t i = 0; i < n && time_ns[i] < cursor->last_ns; i++)
		time_ns[i] = cursor->last_ns;
	cursor->last_ns = time_ns[n - 1];
}

static void narrow(uint64_t *column, uint32_t n)
{
	uint32_t *narrowed = (uint32_t *)column;
	for (uint32_t i = 0; i < n; i++)
		narrowed[i] = (uint32_t)column[i];
}

/* Operations of a later minor version are passed over. -EBADMSG: names do not fit. */
static int make_mappings(struct cursor *cursor, struct cursor_file *file, uint32_t n,
			 uint32_t *ret_nr)
{
	struct block_decoder *decoder = &cursor->decoder;
	uint64_t *const *columns = cursor->chunk.columns;
	uint32_t nr = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t name_bytes = columns[MAPPING_NAME_BYTES][i];
		if (name_bytes > TRACE_NAME_MAX ||
		    name_bytes > (uint64_t)(decoder->names_end - decoder->names))
			return -EBADMSG;
		const char *name = trace_names_get(file->names, decoder->names, name_bytes);
		if (!name)
			return -ENOMEM;
		decoder->names += name_bytes;
		if (columns[MAPPING_OP][i] > TRACE_PROTECT)
			continue;
		cursor->chunk.time_ns[nr] = cursor->chunk.time_ns[i];
		cursor->mappings[nr++] = (struct trace_mapping){
			.time_ns = cursor->chunk.time_ns[i],
			.space = cursor->stream->space,
			.thread = (uint32_t)columns[MAPPING_THREAD][i],
			.op = (enum trace_mapping_op)columns[MAPPING_OP][i],
			.protection = (uint32_t)columns[MAPPING_PROTECTION][i],
			.page = cursor->chunk.page[i],
			.nr_pages = columns[MAPPING_NR_PAGES][i],
			.from_page = columns[MAPPING_FROM_PAGE][i],
			.detail = columns[MAPPING_DETAIL][i],
			.name = name,
		};
	}
	*ret_nr = nr;
	return 0;
}

static int shape_rows(struct cursor *cursor, struct cursor_file *file, uint32_t n)
{
	uint64_t *const *columns = cursor->chunk.columns;
	switch (cursor->stream->kind) {
	case TRACE_SAMPLES:
		narrow(columns[SAMPLE_HITS], n);
		narrow(columns[SAMPLE_CHECKS], n);
		for (uint32_t i = 0; i < n; i++)
			columns[SAMPLE_WINDOW][i] = ticks_to_ns(columns[SAMPLE_WINDOW][i],
								file->ns_per_ktick);
		break;
	case TRACE_COUNTS:
		narrow(columns[COUNT_LOADS], n);
		narrow(columns[COUNT_STORES], n);
		break;
	case TRACE_BLOCKED:
		narrow(columns[BLOCKED_THREAD], n);
		break;
	case TRACE_NODES:
		narrow(columns[NODES_NODE], n);
		break;
	case TRACE_MAPPINGS:
		return make_mappings(cursor, file, n, &cursor->nr);
	default:
		break;
	}
	return 0;
}

static int decode_chunk(struct cursor *cursor, struct cursor_file *file)
{
	bool is_accesses = cursor->stream->kind == TRACE_ACCESSES;
	struct block_chunk *chunk = &cursor->chunk;
	uint32_t n = is_accesses
			     ? block_decode_accesses(&cursor->decoder, chunk, file->ns_per_ktick)
			     : block_decode_rows(&cursor->decoder, chunk, file->ns_per_ktick);
	cursor->at = 0;
	cursor->nr = n;
	if (n == 0) {
		cursor->has_block = false;
		return 0;
	}
	hold_back(cursor, chunk->time_ns, n);
	int error = is_accesses ? 0 : shape_rows(cursor, file, n);
	if (error) {
		cursor->nr = 0;
		return error;
	}
	while (cursor->at < cursor->nr && chunk->time_ns[cursor->at] < cursor->skip_before_ns)
		cursor->at++;
	cursor->key_ns = cursor->at < cursor->nr ? chunk->time_ns[cursor->at] : cursor->last_ns;
	return 0;
}

int cursor_advance(struct cursor *cursor, struct cursor_file *file, struct printbuf *err)
{
	if (!cursor->has_block) {
		struct index_block block;
		if (cursor->next_block == cursor->stream->nr_blocks) {
			free_buffers(cursor);
			return 0;
		}
		int error = peek_block(cursor, file->index, &block);
		if (error)
			return error_file(err, error, file->path, "read the index of");
		uint64_t first_ns = ticks_to_ns(block.first_ticks, file->ns_per_ktick);
		if (first_ns > cursor->key_ns) {
			cursor->key_ns = first_ns;
			return 1;
		}
		error = load_block(cursor, file, &block, err);
		if (error)
			return error;
	}
	int error = decode_chunk(cursor, file);
	if (error == -EBADMSG)
		return error_set(err, error, "%s: a block of mappings is damaged", file->path);
	if (error)
		return error_set(err, error, "%s: the names of its mappings take too much memory",
				 file->path);
	return 1;
}

int cursor_seek(struct cursor *cursor, const struct cursor_file *file, uint64_t time_ns,
		struct printbuf *err)
{
	uint64_t low = 0, high = cursor->stream->nr_blocks;
	while (low < high) {
		struct index_block block;
		uint64_t middle = low + (high - low) / 2;
		int error = trace_index_blocks(file->index, cursor->stream->first_block + middle, 1,
					       &block);
		if (error)
			return error_file(err, error, file->path, "read the index of");
		if (ticks_to_ns(block.last_ticks, file->ns_per_ktick) < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	cursor->next_block = low;
	cursor->has_block = false;
	cursor->at = cursor->nr = 0;
	cursor->last_ns = 0;
	cursor->skip_before_ns = time_ns;
	cursor->key_ns = time_ns;
	return 0;
}

void cursor_take(struct cursor *cursor, uint32_t n, struct trace_batch *batch)
{
	const struct block_chunk *chunk = &cursor->chunk;
	uint64_t *const *columns = chunk->columns;
	uint32_t at = cursor->at;
	*batch = (struct trace_batch){ .kind = cursor->stream->kind,
				       .space = cursor->stream->space,
				       .nr = n,
				       .time_ns = chunk->time_ns + at,
				       .page = chunk->page + at };
	switch (batch->kind) {
	case TRACE_ACCESSES:
		batch->flags = chunk->flags + at;
		batch->thread = chunk->has_threads ? chunk->thread + at : NULL;
		break;
	case TRACE_SAMPLES:
		batch->nr_pages = columns[SAMPLE_NR_PAGES] + at;
		batch->hits = (const uint32_t *)columns[SAMPLE_HITS] + at;
		batch->checks = (const uint32_t *)columns[SAMPLE_CHECKS] + at;
		batch->window_ns = columns[SAMPLE_WINDOW] + at;
		break;
	case TRACE_COUNTS:
		batch->loads = (const uint32_t *)columns[COUNT_LOADS] + at;
		batch->stores = (const uint32_t *)columns[COUNT_STORES] + at;
		break;
	case TRACE_BLOCKED:
		batch->thread = (const uint32_t *)columns[BLOCKED_THREAD] + at;
		batch->blocked_ns = columns[BLOCKED_NS] + at;
		break;
	case TRACE_NODES:
		batch->node = (const uint32_t *)columns[NODES_NODE] + at;
		break;
	default:
		batch->mappings = cursor->mappings + at;
		break;
	}
	cursor->at = at + n;
	cursor->key_ns = cursor->at < cursor->nr ? chunk->time_ns[cursor->at]
						 : chunk->time_ns[cursor->at - 1];
}
