/* SPDX-License-Identifier: MIT */
/*
 * trace_open(): finds out what a file is by its first bytes, and reads recordings (native.c) and
 * the files of other tools (import.h) through one interface.
 *
 * An import has no index: to seek it is opened again and read up to the time wanted.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "trace/import.h"
#include "trace/info.h"
#include "trace/native.h"

#define RECOGNISE_BYTES 4096

struct trace_reader {
	char *path;
	struct trace_info info;
	struct trace_open_options options;
	struct native *native; /* or */
	const struct trace_import *import;
	void *import_state;
	uint64_t skip_before_ns;  /* imports, after a seek */
	struct trace_batch batch; /* imports: what is left of one that a seek cut */
};

static int open_file(const char *path, int *ret_fd, struct printbuf *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_file(err, -errno, path, "read");
	int error = fstat(fd, &status) < 0 ? -errno : 0;
	if (error)
		error_file(err, error, path, "read");
	else if (S_ISDIR(status.st_mode))
		error = error_set(err, -EISDIR, "%s: is a directory; name a recording", path);
	else if (!S_ISREG(status.st_mode))
		error = error_set(err, -ESPIPE, "%s: is not an ordinary file; save it to one first",
				  path);
	else if (status.st_size == 0)
		error = error_set(err, -EBADMSG, "%s: is empty; record again", path);
	if (error) {
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static const struct trace_import *find_import(const uint8_t *bytes, size_t nr_bytes)
{
	const struct trace_import *best = NULL;
	int best_certainty = 0;
	for (size_t i = 0; trace_imports[i]; i++) {
		int certainty = trace_imports[i]->recognise(bytes, nr_bytes);
		if (certainty > best_certainty) {
			best = trace_imports[i];
			best_certainty = certainty;
		}
	}
	return best;
}

/* A recording whose first byte was lost or changed is no other tool's file. */
static bool looks_like_recording(const uint8_t *bytes, size_t nr_bytes)
{
	static const char rest[] = "BRTH";
	return nr_bytes >= 5 && memcmp(bytes + 1, rest, 4) == 0;
}

static int not_a_recording(const char *path, const uint8_t *bytes, size_t nr_bytes,
			   struct printbuf *err)
{
	if (looks_like_recording(bytes, nr_bytes) || (nr_bytes > 0 && bytes[0] == 0x89))
		return error_set(err, -EBADMSG,
				 "%s: the head of the recording is cut or damaged; record again",
				 path);
	PRINTBUF(kinds);
	for (size_t i = 0; trace_imports[i]; i++)
		prt_printf(&kinds, "; %s", trace_imports[i]->summary);
	return error_set(err, -EBADMSG,
			 "%s: not a recording that berth can read (.berth%s); make one with "
			 "`berth record`",
			 path, printbuf_str(&kinds));
}

static int open_import(struct trace_reader *reader, int fd, struct printbuf *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0) {
		int error = -errno;
		close(fd);
		return error_file(err, error, reader->path, "read");
	}
	trace_info_fini(&reader->info);
	trace_info_init(&reader->info);
	return reader->import->open(fd, reader->path, &reader->options, &reader->import_state,
				    &reader->info, err);
}

static int open_kind(struct trace_reader *reader, struct printbuf *err)
{
	uint8_t bytes[RECOGNISE_BYTES];
	int fd;
	int error = open_file(reader->path, &fd, err);
	if (error)
		return error;
	ssize_t nr = pread(fd, bytes, sizeof(bytes), 0);
	if (nr < 0) {
		error = error_file(err, -errno, reader->path, "read");
		close(fd);
		return error;
	}
	if (native_recognise(bytes, (size_t)nr))
		return native_open(fd, reader->path, &reader->options, &reader->native,
				   &reader->info, err);
	reader->import = looks_like_recording(bytes, (size_t)nr) ? NULL
								 : find_import(bytes, (size_t)nr);
	if (reader->import)
		return open_import(reader, fd, err);
	close(fd);
	return not_a_recording(reader->path, bytes, (size_t)nr, err);
}

int trace_open(const char *path, const struct trace_open_options *options,
	       struct trace_reader **ret, struct printbuf *err)
{
	struct trace_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_set(err, -ENOMEM, "out of memory");
	reader->path = strdup(path);
	if (options)
		reader->options = *options;
	int error = reader->path ? open_kind(reader, err)
				 : error_set(err, -ENOMEM, "out of memory");
	if (error)
		trace_close(reader);
	else
		*ret = reader;
	return error;
}

struct trace_reader *trace_close(struct trace_reader *reader)
{
	if (!reader)
		return NULL;
	native_close(reader->native);
	if (reader->import && reader->import_state)
		reader->import->close(reader->import_state);
	trace_info_fini(&reader->info);
	free(reader->path);
	free(reader);
	return NULL;
}

const struct trace_info *trace_info(const struct trace_reader *reader)
{
	return &reader->info;
}

static uint64_t event_time(const struct trace_batch *batch, uint32_t i)
{
	return batch->kind == TRACE_MAPPINGS ? batch->mappings[i].time_ns : batch->time_ns[i];
}

#define ADVANCE(array, n) ((array) = (array) ? (array) + (n) : NULL)

/* The batch without its first n events. */
static void drop_first(struct trace_batch *batch, uint32_t n)
{
	batch->nr -= n;
	ADVANCE(batch->time_ns, n);
	ADVANCE(batch->page, n);
	ADVANCE(batch->flags, n);
	ADVANCE(batch->thread, n);
	ADVANCE(batch->nr_pages, n);
	ADVANCE(batch->hits, n);
	ADVANCE(batch->checks, n);
	ADVANCE(batch->window_ns, n);
	ADVANCE(batch->loads, n);
	ADVANCE(batch->stores, n);
	ADVANCE(batch->blocked_ns, n);
	ADVANCE(batch->node, n);
	ADVANCE(batch->mappings, n);
}

/* What the importer may still hand out unasked: other kinds, and events before a seek. */
static bool is_wanted(struct trace_reader *reader, const struct trace_batch **batch)
{
	uint32_t nr_early = 0;
	if ((reader->options.kinds && !(reader->options.kinds & 1u << (*batch)->kind)) ||
	    (*batch)->nr == 0)
		return false;
	while (nr_early < (*batch)->nr && event_time(*batch, nr_early) < reader->skip_before_ns)
		nr_early++;
	if (nr_early == 0)
		return true;
	reader->batch = **batch;
	drop_first(&reader->batch, nr_early);
	*batch = &reader->batch;
	return reader->batch.nr > 0;
}

int trace_next(struct trace_reader *reader, const struct trace_batch **ret_batch,
	       struct printbuf *err)
{
	if (reader->native)
		return native_next(reader->native, ret_batch, err);
	if (!reader->import_state) /* a seek failed */
		return error_set(err, -EBADF, "%s: cannot be read on", reader->path);
	for (;;) {
		const struct trace_batch *batch;
		int more = reader->import->next(reader->import_state, &batch, err);
		if (more <= 0)
			return more;
		if (is_wanted(reader, &batch)) {
			*ret_batch = batch;
			return 1;
		}
	}
}

int trace_seek(struct trace_reader *reader, uint64_t time_ns, struct printbuf *err)
{
	int fd;
	if (reader->native)
		return native_seek(reader->native, time_ns, err);
	int error = open_file(reader->path, &fd, err);
	if (error)
		return error;
	reader->import->close(reader->import_state);
	reader->import_state = NULL;
	reader->skip_before_ns = time_ns;
	return open_import(reader, fd, err);
}
