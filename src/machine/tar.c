/* SPDX-License-Identifier: MIT */
/*
 * A small tar, for captured roots: ustar (POSIX.1-1988), with the long names of GNU ('L', 'K') and
 * pax ('x') that tar programs add. Written by us rather than a library because what matters here
 * is what it refuses: absolute names, "..", hard links, devices, links that leave the root, files
 * and sums beyond a limit, and lengths that the file does not have.
 *
 *   [header 512][contents, padded to 512] ... [zeros 512][zeros 512]
 *
 * Symbolic links are made last, when every directory is there, so that no name passes through one;
 * their target may climb (../..) only at its beginning and only as high as the root. A link's own
 * directory is a real one, so that climb is exact, and no chain of such links leaves the root.
 *
 * Cost: each byte is copied once; 64 KiB of buffer; one list of links.
 */
#include "machine/tar.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "machine/root.h"

#define BLOCK	 512
#define MAX_NAME 1024

struct header { /* ustar */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type, target[100];
	char magic[6], version[2], user[32], group[32], major[8], minor[8];
	char prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct link {
	char *name, *target;
};

struct extraction {
	const char *path; /* for messages */
	int fd, directory;
	uint64_t offset, file_size, nr_bytes;
	size_t nr_entries;
	char *long_name, *long_target; /* from a GNU or pax entry, for the next one */
	struct link *links;
	size_t nr_links;
	struct printbuf *err;
};

static int refuse(const struct extraction *tar, const char *name, const char *reason)
{
	if (!tar->err)
		return -EBADMSG;
	prt_printf(tar->err, "%s: ", tar->path);
	if (name) {
		prt_safe(tar->err, name, strnlen(name, 100));
		prt_str(tar->err, ": ");
	}
	prt_printf(tar->err, "%s; capture the machine again with `berth machine --capture`",
		   reason);
	return -EBADMSG;
}

static int read_at(struct extraction *tar, void *bytes, size_t nr)
{
	size_t done = 0;
	while (done < nr) {
		ssize_t got = pread(tar->fd, (char *)bytes + done, nr - done,
				    (off_t)(tar->offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_file(tar->err, -errno, tar->path, "read");
		if (got == 0)
			return refuse(tar, NULL, "the tar is cut short");
		done += (size_t)got;
	}
	tar->offset += nr;
	return 0;
}

/* Octal, with blanks or NULs around; -1 when it is not. */
static int64_t octal(const char *field, size_t size)
{
	int64_t value = 0;
	size_t i = 0;
	while (i < size && field[i] == ' ')
		i++;
	if (i == size || field[i] < '0' || field[i] > '7')
		return -1;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (field[i] - '0');
	return i == size || field[i] == ' ' || field[i] == '\0' ? value : -1;
}

static uint32_t checksum(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t at = offsetof(struct header, checksum);
	uint32_t sum = 0;
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= at && i < at + sizeof(header->checksum) ? ' ' : bytes[i];
	return sum;
}

static bool is_zero(const struct header *header)
{
	static const struct header zero;
	return memcmp(header, &zero, sizeof(zero)) == 0;
}

/* Takes "./" and trailing "/" away; false for names that could lead out. */
static bool clean_name(char *name)
{
	size_t len = strlen(name);
	while (len > 0 && name[len - 1] == '/')
		name[--len] = '\0';
	while (strncmp(name, "./", 2) == 0)
		memmove(name, name + 2, strlen(name + 2) + 1);
	if (name[0] == '/')
		return false;
	for (const char *at = name; *at;) {
		size_t part = strcspn(at, "/");
		if (part == 2 && at[0] == '.' && at[1] == '.')
			return false;
		at += part;
		at += *at == '/';
	}
	return true;
}

static bool link_stays_inside(const char *name, const char *target)
{
	size_t depth = 0, nr_up = 0;
	for (const char *at = name; *at; at++)
		depth += *at == '/' && at[1] != '/';
	if (target[0] == '/' || !*target)
		return false;
	while (strncmp(target, "../", 3) == 0) {
		nr_up++;
		target += 3;
	}
	if (strcmp(target, "..") == 0) {
		nr_up++;
		target = "";
	}
	bool climbs_later = strstr(target, "/../") || strncmp(target, "../", 3) == 0 ||
			    strcmp(target, "..") == 0;
	size_t len = strlen(target);
	if (len >= 3 && strcmp(target + len - 3, "/..") == 0)
		climbs_later = true;
	return nr_up <= depth && !climbs_later;
}

static int make_parents(struct extraction *tar, char *name)
{
	for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int error = mkdirat(tar->directory, name, 0700) < 0 && errno != EEXIST ? -errno : 0;
		if (error)
			refuse(tar, name, error_text(error));
		*slash = '/';
		if (error)
			return error;
	}
	return 0;
}

static int copy_contents(struct extraction *tar, int to, uint64_t size)
{
	char buffer[65536];
	while (size > 0) {
		size_t nr = (size_t)MIN(size, sizeof(buffer));
		int error = read_at(tar, buffer, nr);
		if (error)
			return error;
		if (write(to, buffer, nr) != (ssize_t)nr)
			return error_file(tar->err, errno ? -errno : -ENOSPC, tar->path, "unpack");
		size -= nr;
	}
	return 0;
}

/* A descriptor, or a negative errno. Most directories are there already, so they come second. */
static int create_file(struct extraction *tar, char *name)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	int to = openat(tar->directory, name, flags, 0600);
	if (to < 0 && errno == ENOENT) {
		int error = make_parents(tar, name);
		if (error)
			return error;
		to = openat(tar->directory, name, flags, 0600);
	}
	return to < 0 ? refuse(tar, name, error_text(-errno)) : to;
}

static int extract_file(struct extraction *tar, char *name, uint64_t size)
{
	if (size > ROOT_MAX_FILE)
		return refuse(tar, name, "a file of more than 1 MiB does not belong in a root");
	tar->nr_bytes += size;
	if (tar->nr_bytes > TAR_MAX_BYTES)
		return refuse(tar, NULL, "more than 256 MiB when unpacked");
	int to = create_file(tar, name);
	if (to < 0)
		return to;
	int error = copy_contents(tar, to, size);
	if (close(to) < 0 && !error)
		error = error_file(tar->err, -errno, tar->path, "unpack");
	return error;
}

static int remember_link(struct extraction *tar, char *name, const char *target)
{
	if (!link_stays_inside(name, target))
		return refuse(tar, name, "a symbolic link that leaves the root");
	int error = make_parents(tar, name);
	if (error)
		return error;
	if ((tar->nr_links & (tar->nr_links - 1)) == 0) {
		struct link *links = realloc(tar->links,
					     MAX(tar->nr_links * 2, 1) * sizeof(*tar->links));
		if (!links)
			return error_set(tar->err, -ENOMEM, "out of memory");
		tar->links = links;
	}
	struct link *link = &tar->links[tar->nr_links++];
	*link = (struct link){ .name = strdup(name), .target = strdup(target) };
	if (!link->name || !link->target)
		return error_set(tar->err, -ENOMEM, "out of memory");
	return 0;
}

/* A name that did not fit a header stands as contents before it. */
static int read_long(struct extraction *tar, uint64_t size, char **ret)
{
	if (size == 0 || size > MAX_NAME)
		return refuse(tar, NULL, "a name of more than 1,024 bytes");
	char *text = calloc(1, size + 1);
	if (!text)
		return error_set(tar->err, -ENOMEM, "out of memory");
	int error = read_at(tar, text, size);
	if (error) {
		free(text);
		return error;
	}
	free(*ret);
	*ret = text;
	return 0;
}

/* Records "LENGTH key=value\n": path and linkpath are of use here. */
static int read_pax(struct extraction *tar, uint64_t size)
{
	char *records = NULL;
	int error = read_long(tar, size, &records);
	for (char *at = records; !error && at && *at;) {
		char *end = NULL;
		size_t left = strlen(at);
		unsigned long length = strtoul(at, &end, 10);
		if (length < 5 || length > left || *end != ' ' || at[length - 1] != '\n') {
			error = refuse(tar, NULL, "a broken pax header");
			break;
		}
		at[length - 1] = '\0';
		char **into = strncmp(end + 1, "path=", 5) == 0	      ? &tar->long_name
			      : strncmp(end + 1, "linkpath=", 9) == 0 ? &tar->long_target
								      : NULL;
		if (into) {
			free(*into);
			*into = strdup(strchr(end, '=') + 1);
			error = *into ? 0 : error_set(tar->err, -ENOMEM, "out of memory");
		}
		at += length;
	}
	free(records);
	return error;
}

static int take_name(struct extraction *tar, const struct header *header, char *name)
{
	bool is_ustar = memcmp(header->magic, "ustar", 5) == 0;
	int len;
	if (tar->long_name)
		len = snprintf(name, MAX_NAME, "%s", tar->long_name);
	else if (is_ustar && header->magic[5] == '\0' && header->prefix[0])
		len = snprintf(name, MAX_NAME, "%.155s/%.100s", header->prefix, header->name);
	else
		len = snprintf(name, MAX_NAME, "%.100s", header->name);
	if (len >= MAX_NAME)
		return refuse(tar, name, "a name of more than 1,024 bytes");
	if (!clean_name(name))
		return refuse(tar, name, "a name that leads out of the root");
	return 0;
}

static int extract_named(struct extraction *tar, const struct header *header, uint64_t size)
{
	char name[MAX_NAME], short_target[101];
	int error = take_name(tar, header, name);
	snprintf(short_target, sizeof(short_target), "%.100s", header->target);
	const char *target = tar->long_target ? tar->long_target : short_target;
	if (error)
		return error;
	switch (header->type) {
	case '5':
		if (strcmp(name, ".") == 0 || !*name)
			break;
		error = make_parents(tar, name);
		if (!error && mkdirat(tar->directory, name, 0700) < 0 && errno != EEXIST)
			error = refuse(tar, name, error_text(-errno));
		break;
	case '2':
		error = remember_link(tar, name, target);
		break;
	case '0':
	case '\0':
		error = extract_file(tar, name, size);
		break;
	default:
		error = refuse(tar, name, "neither a file nor a directory nor a symbolic link");
	}
	free(tar->long_name);
	free(tar->long_target);
	tar->long_name = tar->long_target = NULL;
	return error;
}

static int extract_entry(struct extraction *tar, const struct header *header)
{
	int64_t size = octal(header->size, sizeof(header->size));
	int64_t sum = octal(header->checksum, sizeof(header->checksum));
	if (size < 0 || sum != checksum(header))
		return refuse(tar, NULL, "not a tar file, or a damaged one");
	if (header->type != '0' && header->type != '\0' && !strchr("LKxg", header->type))
		size = 0;
	if ((uint64_t)size > tar->file_size - tar->offset)
		return refuse(tar, NULL, "the tar is cut short");
	if (++tar->nr_entries > TAR_MAX_ENTRIES)
		return refuse(tar, NULL, "more than a million entries");
	uint64_t next = tar->offset + ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;
	int error = 0;
	switch (header->type) {
	case 'L':
		error = read_long(tar, (uint64_t)size, &tar->long_name);
		break;
	case 'K':
		error = read_long(tar, (uint64_t)size, &tar->long_target);
		break;
	case 'x':
		error = read_pax(tar, (uint64_t)size);
		break;
	case 'g':
		break;
	default:
		error = extract_named(tar, header, (uint64_t)size);
	}
	tar->offset = next;
	return error;
}

static int make_links(struct extraction *tar)
{
	int error = 0;
	for (size_t i = 0; i < tar->nr_links && !error; i++) {
		struct link *link = &tar->links[i];
		if (symlinkat(link->target, tar->directory, link->name) < 0)
			error = refuse(tar, link->name, error_text(-errno));
	}
	return error;
}

static int extract_all(struct extraction *tar)
{
	struct header header = { 0 };
	bool is_whole = false; /* a block of zeros ends it */
	int error = 0;
	while (!error && !is_whole && tar->offset + BLOCK <= tar->file_size) {
		error = read_at(tar, &header, BLOCK);
		is_whole = !error && is_zero(&header);
		if (!error && !is_whole)
			error = extract_entry(tar, &header);
	}
	if (!error && !is_whole)
		error = refuse(tar, NULL, "the tar is cut short");
	if (!error && tar->nr_entries == 0)
		error = refuse(tar, NULL, "an empty tar");
	return error ? error : make_links(tar);
}

static int open_tar(struct extraction *tar)
{
	struct stat status;
	tar->fd = open(tar->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (tar->fd < 0 || fstat(tar->fd, &status) < 0)
		return error_file(tar->err, -errno, tar->path, "open");
	if (!S_ISREG(status.st_mode))
		return error_set(tar->err, -EBADMSG, "%s: not a regular file; name a tar file",
				 tar->path);
	tar->file_size = (uint64_t)status.st_size;
	return 0;
}

int tar_extract(const char *path, const char *directory, struct printbuf *err)
{
	struct extraction tar = { .path = path, .fd = -1, .directory = -1, .err = err };
	int error = open_tar(&tar);
	if (!error) {
		tar.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (tar.directory < 0)
			error = error_file(err, -errno, directory, "open");
	}
	if (!error)
		error = extract_all(&tar);
	for (size_t i = 0; i < tar.nr_links; i++) {
		free(tar.links[i].name);
		free(tar.links[i].target);
	}
	free(tar.links);
	free(tar.long_name);
	free(tar.long_target);
	if (tar.fd >= 0)
		close(tar.fd);
	if (tar.directory >= 0)
		close(tar.directory);
	return error;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

void tar_remove_tree(const char *directory)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Names of up to 100 bytes, or split at a slash into prefix and name. */
static int put_name(struct header *header, const char *name)
{
	size_t len = strlen(name);
	if (len <= sizeof(header->name)) {
		memcpy(header->name, name, len);
		return 0;
	}
	const char *slash = strchr(name + len - sizeof(header->name) - 1, '/');
	if (!slash || (size_t)(slash - name) > sizeof(header->prefix))
		return -ENAMETOOLONG;
	memcpy(header->prefix, name, (size_t)(slash - name));
	memcpy(header->name, slash + 1, strlen(slash + 1));
	return 0;
}

static int put_header(struct printbuf *out, const char *name, char type, const char *target,
		      size_t size)
{
	struct header header = { .type = type };
	int error = put_name(&header, name);
	if (error || strlen(target) > sizeof(header.target))
		return -ENAMETOOLONG;
	memcpy(header.target, target, strlen(target));
	memcpy(header.magic, "ustar", sizeof(header.magic));
	memcpy(header.version, "00", 2);
	snprintf(header.mode, sizeof(header.mode), "%07o", type == '2' ? 0777 : 0644);
	snprintf(header.uid, sizeof(header.uid), "%07o", 0);
	snprintf(header.gid, sizeof(header.gid), "%07o", 0);
	snprintf(header.size, sizeof(header.size), "%011o", (unsigned)size);
	snprintf(header.mtime, sizeof(header.mtime), "%011o", 0);
	snprintf(header.checksum, sizeof(header.checksum), "%06o", checksum(&header));
	header.checksum[7] = ' ';
	prt_mem(out, &header, sizeof(header));
	return 0;
}

int tar_add_file(struct printbuf *out, const char *name, const char *bytes, size_t nr_bytes)
{
	if (nr_bytes > ROOT_MAX_FILE)
		return -EFBIG;
	int error = put_header(out, name, '0', "", nr_bytes);
	if (error)
		return error;
	prt_mem(out, bytes, nr_bytes);
	prt_chars(out, '\0', (BLOCK - nr_bytes % BLOCK) % BLOCK);
	return 0;
}

int tar_add_link(struct printbuf *out, const char *name, const char *target)
{
	return put_header(out, name, '2', target, 0);
}

void tar_finish(struct printbuf *out)
{
	prt_chars(out, '\0', 2 * BLOCK);
}
