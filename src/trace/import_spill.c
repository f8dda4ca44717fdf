/* SPDX-License-Identifier: MIT */
/*
 * Append, then read back.
 *
 *     few bytes:  buffer [ everything ]                      fd -1
 *     many:       file [ everything before ] + buffer [ the last few, until finish ]
 *
 * The file is unlinked from its birth (O_TMPFILE), so nothing stays behind a crash; it lies in
 * $TMPDIR or /var/tmp, which is a disk where /tmp is often memory. Cost: at most memory_bytes.
 */
#include "trace/import_spill.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BYTES ((size_t)64 << 10)

void import_spill_init(struct import_spill *spill, size_t memory_bytes)
{
	*spill = (struct import_spill){ .memory_bytes = memory_bytes, .fd = -1 };
}

void import_spill_fini(struct import_spill *spill)
{
	free(spill->buffer);
	spill->buffer = NULL;
	if (spill->fd >= 0)
		close(spill->fd);
	spill->fd = -1;
}

static int open_unlinked(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd < 0 ? -errno : fd;
	PRINTBUF(path); /* a file system without O_TMPFILE */
	prt_printf(&path, "%s/berth-XXXXXX", directory);
	char *template = printbuf_steal(&path, NULL);
	if (!template)
		return -ENOMEM;
	fd = mkostemp(template, O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	if (fd >= 0)
		unlink(template);
	free(template);
	return error ? error : fd;
}

static int spill_open(struct import_spill *spill)
{
	const char *chosen = getenv("TMPDIR");
	int fd = open_unlinked(chosen && *chosen ? chosen : "/var/tmp");
	if (fd < 0)
		fd = open_unlinked("/tmp");
	if (fd < 0)
		return fd;
	spill->fd = fd;
	return 0;
}

static int spill_write(struct import_spill *spill)
{
	size_t done = 0;
	while (done < spill->nr) {
		ssize_t nr = write(spill->fd, spill->buffer + done, spill->nr - done);
		if (nr < 0 && errno != EINTR)
			return -errno;
		done += nr > 0 ? (size_t)nr : 0;
	}
	spill->file_bytes += done;
	spill->nr = 0;
	return 0;
}

/* Makes room for one byte at least: a larger buffer, or an emptied one. */
static int spill_make_room(struct import_spill *spill)
{
	if (spill->size < spill->memory_bytes) {
		size_t size = spill->size ? spill->size * 2 : FIRST_BYTES;
		size = MIN(size, spill->memory_bytes);
		uint8_t *buffer = realloc(spill->buffer, size);
		if (!buffer)
			return -ENOMEM;
		spill->buffer = buffer;
		spill->size = size;
		return 0;
	}
	int error = spill->fd < 0 ? spill_open(spill) : 0;
	return error ? error : spill_write(spill);
}

int import_spill_append(struct import_spill *spill, const void *bytes, size_t nr)
{
	const uint8_t *from = bytes;
	while (nr) { /* every round takes at least one byte */
		if (spill->nr == spill->size) {
			int error = spill_make_room(spill);
			if (error)
				return error;
		}
		size_t part = MIN(nr, spill->size - spill->nr);
		memcpy(spill->buffer + spill->nr, from, part);
		spill->nr += part;
		from += part;
		nr -= part;
	}
	return 0;
}

int import_spill_finish(struct import_spill *spill)
{
	if (spill->fd < 0)
		return 0;
	int error = spill_write(spill);
	free(spill->buffer);
	spill->buffer = NULL;
	spill->size = 0;
	return error;
}

uint64_t import_spill_bytes(const struct import_spill *spill)
{
	return spill->file_bytes + spill->nr;
}

ssize_t import_spill_read(const struct import_spill *spill, uint64_t offset, void *out, size_t nr)
{
	if (spill->fd < 0) {
		size_t left = offset < spill->nr ? spill->nr - (size_t)offset : 0;
		nr = MIN(nr, left);
		if (nr)
			memcpy(out, spill->buffer + offset, nr);
		return (ssize_t)nr;
	}
	size_t done = 0;
	while (done < nr) {
		ssize_t part = pread(spill->fd, (uint8_t *)out + done, nr - done,
				     (off_t)(offset + done));
		if (part < 0 && errno != EINTR)
			return -errno;
		if (part == 0)
			break;
		done += part > 0 ? (size_t)part : 0;
	}
	return (ssize_t)done;
}
