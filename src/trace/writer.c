/* SPDX-License-Identifier: MIT */
/*
 * The appender: events of one process into whole blocks at the end of FILE.part.
 *
 *     append -> pending arrays per kind -> (full) columns -> zstd -> frame header | payload
 *                                                                    one write(2), O_APPEND
 *
 * Before a block of accesses goes out, pending mappings, blocked times and nodes do, so that a file
 * that ends anywhere has every mapping up to its last access.
 *
 * Everything is allocated by trace_appender_new(): untouched arrays cost address space only, about
 * 5 MB are used for accesses. Cost: see bench/bench_decode.c.
 */
#include "trace/writer.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "trace/block.h"

#define ZSTD_LEVEL 1
#define FLAGS_MASK ((1 << ACCESS_FLAG_BITS) - 1)

_Static_assert(TRACE_MAX_AREAS << ACCESS_FLAG_BITS <= 256, "a tag is a byte");
_Static_assert(BLOCK_HEAD_MAX + BLOCK_PLANES_MAX + 4 <= TRACE_BLOCK_RAW_MAX, "a full block fits");

struct trace_appender {
	int fd;
	int error; /* the first one; sticky */
	uint32_t space;
	uint64_t last_ticks[TRACE_NR_KINDS];
	struct block_accesses accesses;
	struct block_rows rows[TRACE_NR_KINDS];
	uint64_t *scratch;
	uint8_t *tags;
	struct column_sink sink;
	uint8_t *packed; /* frame header and stored payload, as they are written */
	ZSTD_CCtx *zstd;
};

#define PACKED_BYTES (FRAME_HEADER_BYTES + TRACE_BLOCK_STORE_MAX)

static bool rows_init(struct block_rows *rows, enum trace_kind kind)
{
	for (uint32_t i = 0; i < block_nr_columns(kind); i++) {
		rows->columns[i] = malloc(block_max_events(kind) * sizeof(uint64_t));
		if (!rows->columns[i])
			return false;
	}
	if (kind == TRACE_MAPPINGS)
		rows->names = malloc(BLOCK_NAMES_MAX);
	return kind != TRACE_MAPPINGS || rows->names;
}

static void rows_fini(struct block_rows *rows)
{
	for (uint32_t i = 0; i < BLOCK_MAX_COLUMNS; i++)
		free(rows->columns[i]);
	free(rows->names);
}

static bool accesses_init(struct block_accesses *accesses)
{
	size_t n = TRACE_BLOCK_EVENTS;
	accesses->ticks = malloc(n * sizeof(*accesses->ticks));
	accesses->page = malloc(n * sizeof(*accesses->page));
	accesses->flags = malloc(n);
	accesses->thread = malloc(n * sizeof(*accesses->thread));
	return accesses->ticks && accesses->page && accesses->flags && accesses->thread;
}

/* Matches of six bytes and less gain nothing in a plane of noise but take time to decode; the long
 * ones of loops stay. */
static void zstd_set(ZSTD_CCtx *zstd)
{
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, 7);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
}

/* zstd allocates at the first use of a size; inside the recorded program it must not. */
static bool zstd_warm(struct trace_appender *appender)
{
	appender->zstd = ZSTD_createCCtx();
	if (!appender->zstd)
		return false;
	zstd_set(appender->zstd);
	size_t nr = ZSTD_compress2(appender->zstd, appender->packed, PACKED_BYTES,
				   appender->sink.planes, BLOCK_HEAD_MAX);
	return !ZSTD_isError(nr);
}

int trace_appender_new(int fd, uint32_t space, uint32_t page_bytes, struct trace_appender **ret)
{
	(void)page_bytes;
	if (space >= TRACE_MAX_SPACES)
		return -ERANGE;
	struct trace_appender *appender = calloc(1, sizeof(*appender));
	if (!appender)
		return -ENOMEM;
	appender->fd = fd;
	appender->space = space;
	bool ok = accesses_init(&appender->accesses);
	for (unsigned kind = TRACE_SAMPLES; kind < TRACE_NR_KINDS; kind++)
		ok = ok && rows_init(&appender->rows[kind], kind);
	appender->scratch = malloc(TRACE_BLOCK_EVENTS * sizeof(*appender->scratch));
	appender->tags = malloc(TRACE_BLOCK_EVENTS);
	appender->sink.head = malloc(BLOCK_HEAD_MAX);
	appender->sink.planes = calloc(1, BLOCK_PLANES_MAX);
	appender->packed = malloc(PACKED_BYTES);
	if (!ok || !appender->scratch || !appender->tags || !appender->sink.head ||
	    !appender->sink.planes || !appender->packed || !zstd_warm(appender)) {
		trace_appender_free(appender);
		return -ENOMEM;
	}
	*ret = appender;
	return 0;
}

struct trace_appender *trace_appender_free(struct trace_appender *appender)
{
	if (!appender)
		return NULL;
	free(appender->accesses.ticks);
	free(appender->accesses.page);
	free(appender->accesses.flags);
	free(appender->accesses.thread);
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
		rows_fini(&appender->rows[kind]);
	free(appender->scratch);
	free(appender->tags);
	free(appender->sink.head);
	free(appender->sink.planes);
	free(appender->packed);
	ZSTD_freeCCtx(appender->zstd);
	free(appender);
	return NULL;
}

void trace_appender_set_fd(struct trace_appender *appender, int fd)
{
	appender->fd = fd;
}

/* Packs one run of bytes behind what is packed; SIZE_MAX once it does not fit. */
static size_t pack(struct trace_appender *appender, uint8_t *out, size_t at, const void *bytes,
		   size_t nr_bytes)
{
	if (at == SIZE_MAX || nr_bytes == 0)
		return at;
	size_t nr = ZSTD_compress2(appender->zstd, out + at, TRACE_BLOCK_STORE_MAX - at, bytes,
				   nr_bytes);
	return ZSTD_isError(nr) ? SIZE_MAX : at + nr;
}

/* Heads, and each plane, become zstd frames of their own: they share no statistics. */
static size_t pack_sink(struct trace_appender *appender, uint8_t *out)
{
	const struct column_sink *sink = &appender->sink;
	size_t start = 0, at;
	at = pack(appender, out, 0, sink->head, sink->nr_head_bytes);
	for (unsigned i = 0; i < sink->nr_planes; i++) {
		at = pack(appender, out, at, sink->planes + start, sink->plane_end[i] - start);
		start = sink->plane_end[i];
	}
	return at;
}

/* Small blocks may grow by packing; then they are stored as they are. */
static size_t store_sink(const struct trace_appender *appender, uint8_t *out)
{
	const struct column_sink *sink = &appender->sink;
	memcpy(out, sink->head, sink->nr_head_bytes);
	memcpy(out + sink->nr_head_bytes, sink->planes, sink->nr_plane_bytes);
	return sink->nr_head_bytes + sink->nr_plane_bytes;
}

static int write_block(struct trace_appender *appender, struct frame *frame)
{
	uint8_t *stored = appender->packed + FRAME_HEADER_BYTES;
	size_t nr_stored = pack_sink(appender, stored);
	frame->codec = CODEC_ZSTD;
	if (nr_stored >= frame->raw_bytes) {
		nr_stored = store_sink(appender, stored);
		frame->codec = CODEC_STORED;
	}
	frame->space = appender->space;
	frame->stored_bytes = nr_stored;
	frame->payload_sum = checksum_of(stored, nr_stored);
	frame_pack(appender->packed, frame);
	return write_whole(appender->fd, appender->packed, FRAME_HEADER_BYTES + nr_stored);
}

static int flush_rows(struct trace_appender *appender, enum trace_kind kind)
{
	struct block_rows *rows = &appender->rows[kind];
	struct frame frame;
	if (appender->error || rows->nr == 0)
		return appender->error;
	block_encode_rows(&appender->sink, &frame, kind, rows, appender->scratch);
	rows->nr = 0;
	rows->nr_name_bytes = 0;
	appender->error = write_block(appender, &frame);
	return appender->error;
}

static int flush_accesses(struct trace_appender *appender)
{
	struct block_accesses *accesses = &appender->accesses;
	struct frame frame;
	flush_rows(appender, TRACE_MAPPINGS);
	flush_rows(appender, TRACE_BLOCKED);
	flush_rows(appender, TRACE_NODES);
	if (appender->error || accesses->nr == 0)
		return appender->error;
	block_encode_accesses(&appender->sink, &frame, accesses, appender->scratch, appender->tags);
	accesses->nr = 0;
	appender->error = write_block(appender, &frame);
	return appender->error;
}

int trace_appender_flush(struct trace_appender *appender)
{
	flush_accesses(appender);
	for (unsigned kind = TRACE_SAMPLES; kind < TRACE_NR_KINDS; kind++)
		flush_rows(appender, kind);
	return appender->error;
}

static uint64_t clamp_ticks(struct trace_appender *appender, enum trace_kind kind, uint64_t ticks)
{
	uint64_t last = appender->last_ticks[kind];
	ticks = MAX(ticks, last);
	appender->last_ticks[kind] = ticks;
	return ticks;
}

/* After an error the buffer stays empty: nothing grows, every call says so. */
int trace_append_access(struct trace_appender *appender, uint64_t ticks, uint64_t page,
			uint8_t flags, uint32_t thread)
{
	struct block_accesses *accesses = &appender->accesses;
	uint32_t i = accesses->nr;
	accesses->ticks[i] = clamp_ticks(appender, TRACE_ACCESSES, ticks);
	accesses->page[i] = page;
	accesses->flags[i] = flags & FLAGS_MASK;
	accesses->thread[i] = thread;
	accesses->nr = i + 1;
	if (unlikely(i + 1 == TRACE_BLOCK_EVENTS)) {
		flush_accesses(appender);
		accesses->nr = 0;
	}
	return appender->error;
}

static int append_row(struct trace_appender *appender, enum trace_kind kind, const uint64_t *values)
{
	struct block_rows *rows = &appender->rows[kind];
	if (appender->error)
		return appender->error;
	for (uint32_t i = 0; i < block_nr_columns(kind); i++)
		rows->columns[i][rows->nr] = values[i];
	rows->columns[ROW_TIME][rows->nr] = clamp_ticks(appender, kind, values[ROW_TIME]);
	rows->nr++;
	return rows->nr == block_max_events(kind) ? flush_rows(appender, kind) : 0;
}

int trace_append_sample(struct trace_appender *appender, uint64_t ticks, uint64_t window_ticks,
			uint64_t page, uint64_t nr_pages, uint32_t hits, uint32_t checks)
{
	const uint64_t values[SAMPLE_NR_COLUMNS] = {
		[ROW_TIME] = ticks,   [ROW_PAGE] = page,	[SAMPLE_NR_PAGES] = nr_pages,
		[SAMPLE_HITS] = hits, [SAMPLE_CHECKS] = checks, [SAMPLE_WINDOW] = window_ticks,
	};
	return append_row(appender, TRACE_SAMPLES, values);
}

int trace_append_count(struct trace_appender *appender, uint64_t epoch_ticks, uint64_t page,
		       uint32_t loads, uint32_t stores)
{
	const uint64_t values[COUNT_NR_COLUMNS] = {
		[ROW_TIME] = epoch_ticks,
		[ROW_PAGE] = page,
		[COUNT_LOADS] = loads,
		[COUNT_STORES] = stores,
	};
	return append_row(appender, TRACE_COUNTS, values);
}

int trace_append_blocked(struct trace_appender *appender, uint64_t ticks, uint32_t thread,
			 uint64_t blocked_ns)
{
	const uint64_t values[BLOCKED_NR_COLUMNS] = {
		[ROW_TIME] = ticks,
		[BLOCKED_THREAD] = thread,
		[BLOCKED_NS] = blocked_ns,
	};
	return append_row(appender, TRACE_BLOCKED, values);
}

int trace_append_node(struct trace_appender *appender, uint64_t ticks, uint64_t page, uint32_t node)
{
	const uint64_t values[NODES_NR_COLUMNS] = {
		[ROW_TIME] = ticks,
		[ROW_PAGE] = page,
		[NODES_NODE] = node,
	};
	return append_row(appender, TRACE_NODES, values);
}

int trace_append_mapping(struct trace_appender *appender, const struct trace_mapping *mapping)
{
	struct block_rows *rows = &appender->rows[TRACE_MAPPINGS];
	const char *name = mapping->name ? mapping->name : "";
	size_t name_bytes = strnlen(name, TRACE_NAME_MAX);
	const uint64_t values[MAPPING_NR_COLUMNS] = {
		[ROW_TIME] = mapping->time_ns,
		[ROW_PAGE] = mapping->page,
		[MAPPING_OP] = mapping->op,
		[MAPPING_THREAD] = mapping->thread,
		[MAPPING_PROTECTION] = mapping->protection,
		[MAPPING_NR_PAGES] = mapping->nr_pages,
		[MAPPING_FROM_PAGE] = mapping->from_page,
		[MAPPING_DETAIL] = mapping->detail,
		[MAPPING_NAME_BYTES] = name_bytes,
	};
	if (rows->nr_name_bytes + name_bytes > BLOCK_NAMES_MAX &&
	    flush_rows(appender, TRACE_MAPPINGS))
		return appender->error;
	memcpy(rows->names + rows->nr_name_bytes, name, name_bytes);
	rows->nr_name_bytes += name_bytes;
	return append_row(appender, TRACE_MAPPINGS, values);
}
