/* SPDX-License-Identifier: MIT */
/* The beginning and the end of a recording: trace_create() and trace_finish() (writer.h). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "trace/index.h"
#include "trace/info.h"
#include "trace/writer.h"

#define FULL_DISK_ROOM (256 * KIB) /* given up to have room for the end of the file, or half */
#define FULL_DISK_MIN  (8 * KIB)   /* of what is smaller no half would be enough */

char *trace_part_path(const char *path)
{
	size_t len = strlen(path);
	char *part = malloc(len + sizeof(".part"));
	if (part) {
		memcpy(part, path, len);
		memcpy(part + len, ".part", sizeof(".part"));
	}
	return part;
}

/* The info frame, stored plain, so that `strings` shows it; in one write. */
static int write_info(int fd, const struct trace_info *info, const char *note, uint64_t *ret_bytes)
{
	PRINTBUF(out);
	prt_chars(&out, ' ', FRAME_HEADER_BYTES);
	trace_info_to_json(&out, info, note);
	if (printbuf_has_error(&out))
		return -ENOMEM;
	size_t nr_bytes = out.pos - FRAME_HEADER_BYTES;
	if (nr_bytes > TRACE_INFO_MAX)
		return -EMSGSIZE;
	struct frame frame = { .type = FRAME_INFO,
			       .raw_bytes = nr_bytes,
			       .stored_bytes = nr_bytes,
			       .payload_sum = checksum_of(out.buf + FRAME_HEADER_BYTES, nr_bytes) };
	frame_pack((uint8_t *)out.buf, &frame);
	*ret_bytes = out.pos;
	return write_whole(fd, out.buf, out.pos);
}

static int write_start(int fd, const struct trace_info *info)
{
	uint8_t head[HEAD_BYTES];
	uint64_t nr_bytes;
	head_pack(head, info->streams & TRACE_STREAM_NODES ? TRACE_MAJOR_NODES : TRACE_MAJOR);
	int error = write_whole(fd, head, sizeof(head));
	return error ? error : write_info(fd, info, NULL, &nr_bytes);
}

/* The rename at the end would fail on a directory, after all the work, and would put a file in the
 * place of a device or a link such as /dev/stdout. */
static int refuse_special(const char *path, struct printbuf *err)
{
	struct stat status;
	if (lstat(path, &status) < 0 || S_ISREG(status.st_mode))
		return 0;
	if (S_ISDIR(status.st_mode))
		return error_set(err, -EISDIR, "%s: is a directory; name a file", path);
	return error_set(err, -ESPIPE, "%s: is not an ordinary file; name one", path);
}

int trace_create(const char *path, const struct trace_info *info, int *ret_fd, struct printbuf *err)
{
	int error = trace_info_check(info, err);
	error = error ? error : refuse_special(path, err);
	if (error)
		return error;
	char *part = trace_part_path(path);
	if (!part)
		return error_set(err, -ENOMEM, "out of memory");
	int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0) {
		error = error_file(err, -errno, path, "write");
	} else {
		error = write_start(fd, info);
		if (error) {
			error_file(err, error, path, "write");
			close(fd);
			unlink(part);
		}
	}
	free(part);
	if (!error)
		*ret_fd = fd;
	return error;
}

static int write_trailer(int fd, uint64_t info_offset, uint64_t info_bytes, uint64_t index_bytes)
{
	uint8_t bytes[TRAILER_BYTES];
	uint64_t index_offset = info_offset + info_bytes;
	trailer_pack(bytes,
		     &(struct trailer){ .info_offset = info_offset,
					.index_offset = index_offset,
					.file_bytes = index_offset + index_bytes + TRAILER_BYTES });
	return write_whole(fd, bytes, sizeof(bytes));
}

/* Behind the last whole frame: info, index, trailer; then everything to disk. */
static int write_end(int fd, const struct trace_info *info, const struct trace_index *index,
		     const struct trace_scan *scan, uint64_t nr_tail_bytes)
{
	uint64_t info_bytes, index_bytes;
	PRINTBUF(note);
	if (scan->nr_torn_bytes > nr_tail_bytes)
		prt_printf(&note,
			   "%llu bytes that a killed writer left incomplete were passed over",
			   (unsigned long long)(scan->nr_torn_bytes - nr_tail_bytes));
	if (ftruncate(fd, (off_t)scan->end) < 0)
		return -errno;
	int error = write_info(fd, info, note.pos ? printbuf_str(&note) : NULL, &info_bytes);
	error = error ? error : trace_index_write(fd, index, &index_bytes);
	error = error ? error : write_trailer(fd, scan->end, info_bytes, index_bytes);
	if (!error && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		error = -errno;
	return error;
}

static int check_head(int fd)
{
	uint8_t head[HEAD_BYTES];
	uint32_t major, minor;
	int error = read_at(fd, head, sizeof(head), 0);
	return error ? error : head_unpack(head, &major, &minor);
}

static int finish_fd(int fd, const struct trace_info *info, const char *part, struct printbuf *err)
{
	struct stat status;
	struct trace_index index;
	struct trace_scan scan;
	if (fstat(fd, &status) < 0)
		return error_file(err, -errno, part, "read");
	int error = check_head(fd);
	if (error)
		return error_set(err, error, "%s: not a recording that could be completed", part);
	error = trace_index_scan(fd, (uint64_t)status.st_size, &index, &scan);
	if (error)
		return error_file(err, error, part, "read");
	uint64_t nr_tail_bytes = (uint64_t)status.st_size - scan.end;
	if (scan.nr_spaces > info->nr_spaces)
		error = error_set(err, -EINVAL,
				  "%s: has events of space %u, but %u spaces are named", part,
				  scan.nr_spaces - 1, info->nr_spaces);
	if (!error) {
		error = write_end(fd, info, &index, &scan, nr_tail_bytes);
		if (error)
			error_file(err, error, part, "write");
	}
	trace_index_fini(&index);
	return error;
}

int trace_finish(const char *path, const struct trace_info *info, struct printbuf *err)
{
	int error = trace_info_check(info, err);
	char *part = error ? NULL : trace_part_path(path);
	if (error)
		return error;
	if (!part)
		return error_set(err, -ENOMEM, "out of memory");
	int fd = open(part, O_RDWR | O_APPEND | O_CLOEXEC);
	if (fd < 0) {
		error = error_file(err, -errno, part, "write");
	} else {
		error = finish_fd(fd, info, part, err);
		close(fd);
	}
	if (!error && rename(part, path) < 0)
		error = error_file(err, -errno, path, "write");
	free(part);
	return error;
}

int trace_finish_full_disk(const char *path, int fd, const struct trace_info *info,
			   struct printbuf *err)
{
	struct stat status;
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size < FULL_DISK_MIN)
		return trace_finish(path, info, err);
	uint64_t size = (uint64_t)status.st_size;
	uint64_t less = MIN(FULL_DISK_ROOM, size / 2);
	if (ftruncate(fd, (off_t)(size - less)) < 0)
		return error_file(err, -errno, path, "shorten");
	return trace_finish(path, info, err);
}
