/* SPDX-License-Identifier: MIT */
/*
 * A cursor reads one stream of a file (one kind, one space) in time order, a chunk at a time.
 * Private to src/trace.
 *
 *     index entries (a window) -> block (unpacked) -> chunk (decoded; times in ns)
 *
 * Memory: nothing until its first event is due and after its last; in between about 100 KB, and
 * the unpacked block (300 KB usually, 4 MiB at most).
 */
#ifndef BERTH_TRACE_CURSOR_H
#define BERTH_TRACE_CURSOR_H

#include <zstd.h>

#include "trace/block.h"
#include "trace/index.h"

/* What the cursors of one file share. */
struct cursor_file {
	int fd;
	const char *path; /* for errors */
	uint64_t file_bytes;
	uint64_t ns_per_ktick;
	const struct trace_index *index;
	ZSTD_DCtx *zstd;
	uint8_t *stored; /* TRACE_BLOCK_STORE_MAX grown as needed: one packed block */
	size_t stored_size;
	struct trace_names *names;
};

struct cursor {
	const struct index_stream *stream;
	uint64_t next_block; /* within the stream */
	struct index_block window[INDEX_WINDOW];
	uint64_t window_first;
	uint32_t window_nr;
	struct block_decoder decoder;
	bool has_block;
	uint8_t *raw;
	size_t raw_size;
	struct block_chunk chunk;
	void *arrays; /* that chunk points into */
	struct trace_mapping *mappings;
	uint32_t nr, at;  /* of the chunk, and of those how many are used */
	uint64_t last_ns; /* times never step back */
	uint64_t skip_before_ns;
	uint64_t key_ns; /* the next event is not before */
};

void cursor_init(struct cursor *cursor, const struct index_stream *stream,
		 const struct cursor_file *file);
void cursor_fini(struct cursor *cursor);
/* Fills the chunk, or sets the key nearer to the next event. 1: there may be more; 0: the end;
 * negative: broken. Only when at == nr. */
int cursor_advance(struct cursor *cursor, struct cursor_file *file, struct printbuf *err);
int cursor_seek(struct cursor *cursor, const struct cursor_file *file, uint64_t time_ns,
		struct printbuf *err);
/* The next n events of the chunk as a batch. */
void cursor_take(struct cursor *cursor, uint32_t n, struct trace_batch *batch);

/* Names of mappings, kept as long as the reader, each once. */
struct trace_names;
struct trace_names *trace_names_new(void);
struct trace_names *trace_names_free(struct trace_names *names);
/* NULL: out of memory, or more names than a recording may have. */
const char *trace_names_get(struct trace_names *names, const char *text, size_t nr_bytes);

#endif
