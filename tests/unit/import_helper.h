/* SPDX-License-Identifier: MIT */
/* A file in memory, imported whole: what the importers' tests look at. */
#ifndef BERTH_TEST_IMPORT_HELPER_H
#define BERTH_TEST_IMPORT_HELPER_H

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/printbuf.h"
#include "trace/trace.h"

#define EVENTS_MAX 100000

struct event { /* an access or a sample; what does not apply is 0 */
	uint64_t time_ns, page, nr_pages, window_ns;
	uint32_t space, hits, checks, flags;
};

struct imported {
	int error;		     /* of trace_open */
	int status;		     /* of the last trace_next */
	struct trace_reader *reader; /* NULL when it did not open */
	const struct trace_info *info;
	struct printbuf err;
	uint32_t nr, nr_batches;
	struct event *events;
};

static void file_of(char path[64], const void *bytes, size_t nr, int *ret_fd)
{
	int fd = memfd_create("import", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, nr), nr);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	*ret_fd = fd;
}

static void add_batch(struct imported *all, const struct trace_batch *batch)
{
	all->nr_batches++;
	assert_true(batch->nr > 0 && batch->nr <= TRACE_BATCH_EVENTS);
	for (uint32_t i = 0; i < batch->nr; i++) {
		assert_true(all->nr < EVENTS_MAX);
		struct event *event = &all->events[all->nr++];
		bool is_sample = batch->kind == TRACE_SAMPLES;
		*event = (struct event){ .time_ns = batch->time_ns[i],
					 .page = batch->page[i],
					 .space = batch->space,
					 .nr_pages = is_sample ? batch->nr_pages[i] : 0,
					 .window_ns = is_sample ? batch->window_ns[i] : 0,
					 .hits = is_sample ? batch->hits[i] : 0,
					 .checks = is_sample ? batch->checks[i] : 0,
					 .flags = is_sample ? 0 : batch->flags[i] };
		assert_true(all->nr == 1 || event->time_ns >= event[-1].time_ns);
		assert_true(event->time_ns <= all->info->duration_ns);
		assert_true(batch->space < all->info->nr_spaces);
	}
}

static struct imported import_bytes_with(const void *bytes, size_t nr,
					 const struct trace_open_options *options)
{
	struct imported all = { .err = PRINTBUF_HEAP,
				.events = calloc(EVENTS_MAX, sizeof(struct event)) };
	char path[64];
	int fd;
	file_of(path, bytes, nr, &fd);
	all.error = trace_open(path, options, &all.reader, &all.err);
	close(fd);
	if (all.error) {
		assert_true(all.err.pos > 0);
		assert_int_equal(strncmp(printbuf_str(&all.err), path, strlen(path)), 0);
		assert_null(all.reader);
		return all;
	}
	const struct trace_batch *batch;
	all.info = trace_info(all.reader);
	while ((all.status = trace_next(all.reader, &batch, &all.err)) > 0)
		add_batch(&all, batch);
	if (!all.status) {
		uint64_t total = all.info->nr_events[TRACE_ACCESSES] +
				 all.info->nr_events[TRACE_SAMPLES];
		assert_int_equal(total, all.nr);
	}
	return all;
}

static struct imported import_bytes(const void *bytes, size_t nr)
{
	return import_bytes_with(bytes, nr, NULL);
}

__attribute__((unused)) static struct imported import_text(const char *text)
{
	return import_bytes(text, strlen(text));
}

__attribute__((unused)) static void imported_fini(struct imported *all)
{
	trace_close(all->reader);
	printbuf_fini(&all->err);
	free(all->events);
}

/* window_bits as zlib numbers framings: 15 zlib, 31 gzip. The caller frees. */
__attribute__((unused)) static uint8_t *compress_text(const void *text, size_t nr, int window_bits,
						      size_t *ret_nr)
{
	z_stream zlib = { 0 };
	assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 8, 0), Z_OK);
	size_t size = deflateBound(&zlib, (uLong)nr);
	uint8_t *out = malloc(size);
	zlib.next_in = (Bytef *)(uintptr_t)text;
	zlib.avail_in = (uInt)nr;
	zlib.next_out = out;
	zlib.avail_out = (uInt)size;
	assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
	*ret_nr = size - zlib.avail_out;
	deflateEnd(&zlib);
	return out;
}

__attribute__((unused)) static void assert_says(const struct imported *all, const char *part)
{
	if (!strstr(printbuf_str(&all->err), part))
		fail_msg("'%s' does not say '%s'", printbuf_str(&all->err), part);
}

__attribute__((unused)) static void assert_noted(const struct imported *all, const char *part)
{
	for (uint32_t i = 0; i < all->info->nr_notes; i++)
		if (strstr(all->info->notes[i], part))
			return;
	fail_msg("no note says '%s'", part);
}

#endif
