/* SPDX-License-Identifier: MIT */
/*
 * Reads .berth files: opens by trailer and index, or by a walk when there is none, and merges the
 * streams into one sequence in time order.
 *
 *     cursors (one per kind and space) in a heap by the time of their next event
 *         -> the first one's events up to the second one's time are a batch
 *
 * Where several events have the same time, mappings come first, then blocked times, samples,
 * counts, nodes and accesses; then lower spaces.
 *
 * Cost: a heap step per batch; see cursor.h for memory.
 */
#include "trace/native.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "trace/cursor.h"
#include "trace/info.h"

struct native {
	struct cursor_file file;
	struct trace_index index;
	char *path;
	struct cursor *cursors; /* of the kinds wanted */
	struct cursor **heap;
	uint32_t nr_cursors, nr_heap;
	struct trace_batch batch;
	int error; /* sticky */
};

bool native_recognise(const uint8_t *bytes, size_t nr_bytes)
{
	return nr_bytes >= sizeof(trace_magic) &&
	       memcmp(bytes, trace_magic, sizeof(trace_magic)) == 0;
}

/* Before or after at the same time. */
static unsigned rank(const struct cursor *cursor)
{
	static const uint8_t ranks[TRACE_NR_KINDS] = {
		[TRACE_MAPPINGS] = 0, [TRACE_BLOCKED] = 1, [TRACE_SAMPLES] = 2,
		[TRACE_COUNTS] = 3,   [TRACE_NODES] = 4,   [TRACE_ACCESSES] = 5,
	};
	return ranks[cursor->stream->kind] * TRACE_MAX_SPACES + cursor->stream->space;
}

static bool is_before(const struct cursor *a, const struct cursor *b)
{
	return a->key_ns != b->key_ns ? a->key_ns < b->key_ns : rank(a) < rank(b);
}

static void sift_down(struct native *native, uint32_t i)
{
	struct cursor **heap = native->heap, *cursor = heap[i];
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= native->nr_heap)
			break;
		if (child + 1 < native->nr_heap && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], cursor))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = cursor;
}

static void make_heap(struct native *native)
{
	native->nr_heap = native->nr_cursors;
	for (uint32_t i = 0; i < native->nr_cursors; i++)
		native->heap[i] = &native->cursors[i];
	for (uint32_t i = native->nr_heap / 2; i-- > 0;)
		sift_down(native, i);
}

/* The cursor that would be first but for the top one, or NULL. */
static const struct cursor *second(const struct native *native)
{
	if (native->nr_heap < 2)
		return NULL;
	const struct cursor *a = native->heap[1];
	if (native->nr_heap < 3 || is_before(a, native->heap[2]))
		return a;
	return native->heap[2];
}

/* How many events of the chunk come before `other`; at least one, because its own key did. */
static uint32_t count_before(const struct cursor *cursor, const struct cursor *other)
{
	const uint64_t *time_ns = cursor->chunk.time_ns;
	uint32_t low = cursor->at + 1, high = cursor->nr;
	if (!other)
		return high - cursor->at;
	bool wins_ties = rank(cursor) < rank(other);
	uint64_t end_ns = other->key_ns;
	if (time_ns[high - 1] < end_ns)
		return high - cursor->at;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (time_ns[middle] < end_ns || (wins_ties && time_ns[middle] == end_ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low - cursor->at;
}

int native_next(struct native *native, const struct trace_batch **ret_batch, struct printbuf *err)
{
	if (native->error)
		return error_set(err, native->error, "%s: cannot be read on", native->path);
	while (native->nr_heap > 0) {
		struct cursor *cursor = native->heap[0];
		if (cursor->at < cursor->nr) {
			cursor_take(cursor, count_before(cursor, second(native)), &native->batch);
			sift_down(native, 0);
			*ret_batch = &native->batch;
			return 1;
		}
		int more = cursor_advance(cursor, &native->file, err);
		if (more < 0) {
			native->error = more;
			return more;
		}
		if (more == 0)
			native->heap[0] = native->heap[--native->nr_heap];
		if (native->nr_heap > 0)
			sift_down(native, 0);
	}
	return 0;
}

int native_seek(struct native *native, uint64_t time_ns, struct printbuf *err)
{
	for (uint32_t i = 0; i < native->nr_cursors; i++) {
		int error = cursor_seek(&native->cursors[i], &native->file, time_ns, err);
		if (error)
			return error;
	}
	native->error = 0;
	make_heap(native);
	return 0;
}

void native_close(struct native *native)
{
	if (!native)
		return;
	for (uint32_t i = 0; i < native->nr_cursors; i++)
		cursor_fini(&native->cursors[i]);
	free(native->cursors);
	free(native->heap);
	trace_index_fini(&native->index);
	trace_names_free(native->file.names);
	ZSTD_freeDCtx(native->file.zstd);
	free(native->file.stored);
	close(native->file.fd);
	free(native->path);
	free(native);
}

static int check_head(const struct native *native, uint32_t *ret_major, struct printbuf *err)
{
	uint8_t head[HEAD_BYTES];
	uint32_t major = 0, minor = 0;
	int error = read_at(native->file.fd, head, sizeof(head), 0);
	error = error ? error : head_unpack(head, &major, &minor);
	if (error == -EOPNOTSUPP)
		return error_set(err, error,
				 "%s: a recording of format %u, this berth reads formats up to %u; "
				 "use a later berth",
				 native->path, major, TRACE_MAJOR_MAX);
	if (error == -EBADMSG)
		return error_set(err, error,
				 "%s: the head of the recording is cut or damaged; record again",
				 native->path);
	*ret_major = major;
	return error ? error_file(err, error, native->path, "read") : 0;
}

static int read_info(const struct native *native, uint64_t offset, struct trace_info *info,
		     struct printbuf *err)
{
	struct frame frame;
	int error = trace_read_frame(native->file.fd, native->file.file_bytes, offset, &frame);
	if (error || frame.type != FRAME_INFO || frame.codec != CODEC_STORED)
		return error_set(err, error && error != -EBADMSG ? error : -EBADMSG,
				 "%s: its info at offset %llu is damaged", native->path,
				 (unsigned long long)offset);
	char *text = malloc(frame.stored_bytes + 1);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	error = read_at(native->file.fd, text, frame.stored_bytes, offset + FRAME_HEADER_BYTES);
	if (!error && checksum_of(text, frame.stored_bytes) != frame.payload_sum)
		error = -EBADMSG;
	if (error) {
		error_set(err, error, "%s: its info at offset %llu is damaged", native->path,
			  (unsigned long long)offset);
	} else {
		PRINTBUF(why);
		error = trace_info_from_json(text, frame.stored_bytes, info, &why);
		if (error)
			error_set(err, error, "%s: %s", native->path, printbuf_str(&why));
	}
	free(text);
	return error;
}

/* By the trailer. -EBADMSG: there is none, or what it leads to is damaged. */
static int open_whole(struct native *native, struct trace_info *info)
{
	uint8_t bytes[TRAILER_BYTES];
	struct trailer trailer;
	uint64_t file_bytes = native->file.file_bytes;
	if (file_bytes < HEAD_BYTES + TRAILER_BYTES)
		return -EBADMSG;
	int error = read_at(native->file.fd, bytes, sizeof(bytes), file_bytes - TRAILER_BYTES);
	error = error ? error : trailer_unpack(bytes, &trailer);
	if (!error && trailer.file_bytes != file_bytes)
		error = -EBADMSG;
	error = error ? error
		      : trace_index_read(native->file.fd, file_bytes, trailer.index_offset,
					 &native->index);
	return error ? error : read_info(native, trailer.info_offset, info, NULL);
}

static int open_cut(struct native *native, struct trace_info *info, struct printbuf *err)
{
	struct trace_scan scan;
	PRINTBUF(note);
	trace_index_fini(&native->index);
	int error = trace_index_scan(native->file.fd, native->file.file_bytes, &native->index,
				     &scan);
	if (error)
		return error_file(err, error, native->path, "read");
	if (scan.info_offset == 0)
		return error_set(
			err, -EBADMSG,
			"%s: the recording is cut or damaged before its first block; record again",
			native->path);
	error = read_info(native, scan.info_offset, info, err);
	if (error)
		return error;
	info->is_cut = true;
	prt_printf(&note,
		   "the file has no end (its recorder was stopped, or it was cut or damaged): "
		   "read up to its last whole block");
	if (scan.nr_torn_bytes > 0)
		prt_printf(&note, "; %llu bytes belong to none",
			   (unsigned long long)scan.nr_torn_bytes);
	return trace_info_add_note(info, printbuf_str(&note));
}

static int complete_info(struct native *native, struct trace_info *info, uint64_t ns_per_ktick)
{
	uint32_t nr_spaces = 0;
	for (uint32_t i = 0; i < native->index.nr_streams; i++)
		nr_spaces = MAX(nr_spaces, native->index.streams[i].space + 1);
	if (ns_per_ktick > 0) {
		info->ns_per_ktick = ns_per_ktick;
		info->clock_measured = false;
	}
	trace_index_totals(&native->index, info);
	info->duration_ns = ticks_to_ns(info->nr_ticks, info->ns_per_ktick);
	info->file_bytes = native->file.file_bytes;
	return trace_info_grow_spaces(info, nr_spaces);
}

static int make_cursors(struct native *native, uint32_t kinds)
{
	uint32_t nr = native->index.nr_streams;
	native->cursors = calloc((size_t)nr + 1, sizeof(*native->cursors));
	native->heap = calloc((size_t)nr + 1, sizeof(struct cursor *));
	native->file.names = trace_names_new();
	native->file.zstd = ZSTD_createDCtx();
	if (!native->cursors || !native->heap || !native->file.names || !native->file.zstd)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		const struct index_stream *stream = &native->index.streams[i];
		if (kinds == 0 || kinds & 1u << stream->kind)
			cursor_init(&native->cursors[native->nr_cursors++], stream, &native->file);
	}
	make_heap(native);
	return 0;
}

static int open_file(struct native *native, const struct trace_open_options *options,
		     struct trace_info *info, struct printbuf *err)
{
	struct stat status;
	int error = fstat(native->file.fd, &status) < 0 ? -errno : 0;
	if (error)
		return error_file(err, error, native->path, "read");
	native->file.file_bytes = (uint64_t)status.st_size;
	uint32_t major = 0;
	error = check_head(native, &major, err);
	if (error)
		return error;
	if (open_whole(native, info)) {
		error = open_cut(native, info, err);
		if (error)
			return error;
	}
	error = complete_info(native, info, options ? options->ns_per_ktick : 0);
	info->version = major;
	native->file.ns_per_ktick = info->ns_per_ktick;
	native->file.index = &native->index;
	if (!error && !(options && options->verify_only_headers))
		error = make_cursors(native, options ? options->kinds : 0);
	return error ? error_set(err, error, "%s: out of memory", native->path) : 0;
}

int native_open(int fd, const char *path, const struct trace_open_options *options,
		struct native **ret, struct trace_info *info, struct printbuf *err)
{
	struct native *native = calloc(1, sizeof(*native));
	char *copy = strdup(path);
	if (!native || !copy) {
		free(native);
		free(copy);
		close(fd);
		return error_set(err, -ENOMEM, "out of memory");
	}
	native->file.fd = fd;
	native->path = copy;
	native->file.path = copy;
	int error = open_file(native, options, info, err);
	if (error)
		native_close(native);
	else
		*ret = native;
	return error;
}
