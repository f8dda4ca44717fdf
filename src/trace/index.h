/* SPDX-License-Identifier: MIT */
/*
 * Where the blocks of a file are: the index at its end, or one made by walking its frames when it
 * was cut. Private to src/trace.
 *
 *     streams: ACCESSES of space 0 | ACCESSES of space 1 | ... | MAPPINGS of space 0 | ...
 *     blocks:  [ of stream 0, in time order | of stream 1 | ... ]     32 bytes each
 *
 * Memory: 64 bytes per stream; the blocks of an index on disk stay there and are read by windows.
 * A cut file's are held, 32 bytes for each block of up to 65536 events.
 */
#ifndef BERTH_TRACE_INDEX_H
#define BERTH_TRACE_INDEX_H

#include "trace/format.h"

struct trace_index {
	struct index_stream *streams;
	uint32_t nr_streams;
	uint64_t nr_blocks;
	int fd;			    /* to read blocks from; the caller's */
	uint64_t blocks_offset;	    /* of the first block's entry in the file */
	struct index_block *blocks; /* not NULL: held here instead */
};

/* What a walk found besides blocks. */
struct trace_scan {
	uint64_t info_offset;	/* of the last whole info frame; 0: none */
	uint64_t end;		/* behind the last whole frame */
	uint64_t nr_torn_bytes; /* that belong to no whole frame, the tail behind `end` included */
	uint32_t nr_spaces;	/* highest space of a block + 1 */
};

/* Walks all frames of a file of `file_bytes`. -ENOMEM or a read error. */
int trace_index_scan(int fd, uint64_t file_bytes, struct trace_index *ret,
		     struct trace_scan *ret_scan);
/* Reads the index frame at `offset`; -EBADMSG when it is damaged. */
int trace_index_read(int fd, uint64_t file_bytes, uint64_t offset, struct trace_index *ret);
/* Appends the index frame; ret_bytes: its length. */
int trace_index_write(int fd, const struct trace_index *index, uint64_t *ret_bytes);
void trace_index_fini(struct trace_index *index);

#define INDEX_WINDOW 16

/* Entries [first, first + nr) of the blocks, which must be there; nr at most INDEX_WINDOW. They
 * are not to be believed: the frame header at the offset decides. */
int trace_index_blocks(const struct trace_index *index, uint64_t first, uint32_t nr,
		       struct index_block *ret);

/* Totals of the streams into info (events, misses, touches, ticks, blocks). */
void trace_index_totals(const struct trace_index *index, struct trace_info *info);

/* Reads the frame header at `offset` and checks that the frame lies within the file. */
int trace_read_frame(int fd, uint64_t file_bytes, uint64_t offset, struct frame *ret);

#endif
