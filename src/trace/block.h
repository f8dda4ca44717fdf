/* SPDX-License-Identifier: MIT */
/*
 * The payload of one block: events of one kind and one space as columns. Private to src/trace.
 *
 *     head_bytes 4 | head | planes
 *
 *     ACCESSES:  head: shift 1 | nr_areas 1 | zero 2 | base page 8 x nr_areas, then the heads of
 * the columns tag, page, time, thread others:    head: those of their columns, in the order of the
 * enum below; MAPPINGS then the bytes of the names
 *
 * A tag is an event's flags (5 bits) and its area (3 bits above).
 *
 * Programs jump between stack, heap and libraries at every other access; a delta against the
 * previous event would be 35 bits each time. So pages are kept per area (the page number shifted
 * right by `shift`: 4 GiB, or coarser where a block has more than 8 areas), and a delta is taken
 * against the last event in the same area. Tags repeat and all but vanish in zstd.
 *
 * Cost: encoding about 5 ns an event before zstd, decoding about 3.
 */
#ifndef BERTH_TRACE_BLOCK_H
#define BERTH_TRACE_BLOCK_H

#include "trace/column.h"
#include "trace/format.h"

#define BLOCK_MAX_COLUMNS 9
#define BLOCK_NAMES_MAX	  (256u * 1024) /* bytes of names in one block of mappings */
#define BLOCK_ROWS_CHUNK  1024u		/* rows decoded at a time */

enum { ACCESS_TAG, ACCESS_PAGE, ACCESS_TIME, ACCESS_THREAD, ACCESS_NR_COLUMNS };
#define ACCESS_FLAG_BITS 5 /* of a tag; the area is above */

/* Columns of the kinds that are not accesses; all begin with time and (but for blocked) page. */
enum { ROW_TIME, ROW_PAGE };
enum { SAMPLE_NR_PAGES = 2, SAMPLE_HITS, SAMPLE_CHECKS, SAMPLE_WINDOW, SAMPLE_NR_COLUMNS };
enum { COUNT_LOADS = 2, COUNT_STORES, COUNT_NR_COLUMNS };
enum { BLOCKED_THREAD = 2, BLOCKED_NS, BLOCKED_NR_COLUMNS };
enum { NODES_NODE = 2, NODES_NR_COLUMNS };
enum {
	MAPPING_OP = 2,
	MAPPING_THREAD,
	MAPPING_PROTECTION,
	MAPPING_NR_PAGES,
	MAPPING_FROM_PAGE,
	MAPPING_DETAIL,
	MAPPING_NAME_BYTES,
	MAPPING_NR_COLUMNS
};

/* Columns and most events in a block of a kind (ACCESSES: 0 columns, they have their own form). */
uint32_t block_nr_columns(enum trace_kind kind);
uint32_t block_max_events(enum trace_kind kind);

/* Accesses not yet written. */
struct block_accesses {
	uint32_t nr;
	uint64_t *ticks, *page;
	uint8_t *flags;
	uint32_t *thread;
};

/* Events of another kind not yet written. */
struct block_rows {
	uint32_t nr;
	uint64_t *columns[BLOCK_MAX_COLUMNS];
	char *names; /* MAPPINGS: one after the other, without ends */
	size_t nr_name_bytes;
};

/* The most that the head of a block takes: eight areas or the names, and all exceptions. */
#define BLOCK_HEAD_MAX                                                                             \
	(4096 + BLOCK_NAMES_MAX + BLOCK_MAX_COLUMNS * COLUMN_MAX_HEAD_BYTES(TRACE_BLOCK_EVENTS))
#define BLOCK_PLANES_MAX (3 * 8 * (size_t)TRACE_BLOCK_EVENTS + TRACE_BLOCK_EVENTS)

/* Fill the sink and all of the frame but space, stored size and checksum. `scratch` has room for
 * TRACE_BLOCK_EVENTS numbers, `tags` for as many bytes. */
void block_encode_accesses(struct column_sink *sink, struct frame *frame,
			   const struct block_accesses *accesses, uint64_t *scratch, uint8_t *tags);
void block_encode_rows(struct column_sink *sink, struct frame *frame, enum trace_kind kind,
		       const struct block_rows *rows, uint64_t *scratch);

/* Decoder: opened on an unpacked payload, then asked for
 * chunks in order: of TRACE_BATCH_EVENTS accesses or BLOCK_ROWS_CHUNK rows. */
struct block_decoder {
	enum trace_kind kind;
	uint32_t nr_events, nr_done;
	uint64_t ticks, page; /* running sums */
	struct trace_column columns[BLOCK_MAX_COLUMNS];
	uint64_t area_page[TRACE_MAX_AREAS]; /* ACCESSES: the last page of each */
	/* MAPPINGS: the names not yet used */
	const char *names, *names_end;
};

/* Where one chunk goes. */
struct block_chunk {
	uint64_t *time_ns;
	uint64_t *page;
	uint8_t *flags;
	uint32_t *thread; /* filled only when has_threads */
	bool has_threads;
	uint64_t *columns[BLOCK_MAX_COLUMNS]; /* other kinds: from column 2 on */
};

int block_decoder_open(struct block_decoder *ret, const struct frame *frame,
		       const uint8_t *payload);
/* The number of events decoded, 0 at the end. */
uint32_t block_decode_accesses(struct block_decoder *decoder, struct block_chunk *chunk,
			       uint64_t ns_per_ktick);
uint32_t block_decode_rows(struct block_decoder *decoder, struct block_chunk *chunk,
			   uint64_t ns_per_ktick);

#endif
