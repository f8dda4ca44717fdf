/* SPDX-License-Identifier: MIT */
/*
 * What -M takes: "host", a line, a captured root (directory or tar) or hwloc XML. What begins with
 * "node:" is a line (a file of that name is ./node:...); else what exists is a file; else what has
 * a colon and no slash is taken for a line with a mistake in it, whose error helps more than
 * "no such file".
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "machine/discover.h"

#define HEAD_BYTES 512

static bool is_compressed(const unsigned char *head)
{
	static const struct {
		size_t len;
		const char *magic;
	} known[] = { { 2, "\x1f\x8b" },
		      { 3, "BZh" },
		      { 5, "\xfd"
			   "7zXZ" },
		      { 4, "\x28\xb5\x2f\xfd" } };
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (memcmp(head, known[i].magic, known[i].len) == 0)
			return true;
	return false;
}

/* The first bytes of a regular file, zeros beyond its end. */
static int read_head(const char *path, unsigned char head[HEAD_BYTES], size_t *ret_nr,
		     struct printbuf *err)
{
	struct stat status;
	memset(head, 0, HEAD_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_file(err, -errno, path, "open");
	ssize_t nr = fstat(fd, &status) < 0 ? -1 : 0;
	if (nr == 0 && !S_ISREG(status.st_mode)) {
		close(fd);
		return error_set(err, -EBADMSG, "%s: neither a file nor a directory", path);
	}
	if (nr == 0)
		nr = read(fd, head, HEAD_BYTES);
	int error = nr < 0 ? -errno : 0;
	close(fd);
	*ret_nr = nr < 0 ? 0 : (size_t)nr;
	return error ? error_file(err, error, path, "read") : 0;
}

static int open_tar(const char *path, const unsigned char *head, size_t nr, struct root *ret,
		    struct printbuf *err)
{
	if (is_compressed(head))
		return error_set(err, -EBADMSG, "%s: compressed; decompress it first", path);
	if (nr < HEAD_BYTES)
		return error_set(err, -EBADMSG,
				 "%s: neither hwloc XML nor a tar of a captured root; make one "
				 "with `berth machine --capture FILE.tar`",
				 path);
	return root_open_tar(path, ret, err);
}

int root_open_argument(const char *argument, struct root *ret, struct printbuf *err)
{
	unsigned char head[HEAD_BYTES];
	struct stat status;
	size_t nr = 0;
	if (strcmp(argument, "host") == 0)
		return root_open("/", ret, err);
	if (stat(argument, &status) < 0)
		return error_file(err, -errno, argument, "open");
	if (S_ISDIR(status.st_mode))
		return root_open(argument, ret, err);
	int error = read_head(argument, head, &nr, err);
	if (!error && head[0] == '<')
		return error_set(err, -EBADMSG, "%s: XML, not a captured root; give it as MACHINE",
				 argument);
	return error ? error : open_tar(argument, head, nr, ret, err);
}

int machine_open_root(const char *path, struct machine **ret, struct printbuf *err)
{
	struct root root;
	int error = root_open_argument(path, &root, err);
	if (error)
		return error;
	error = discover_root(&root, root.is_host ? "host" : path, ret, err);
	root_fini(&root);
	return error;
}

static bool is_xml(const char *path)
{
	unsigned char head[HEAD_BYTES];
	size_t nr = 0;
	return read_head(path, head, &nr, NULL) == 0 && head[0] == '<';
}

static int open_missing(const char *argument, int error, struct machine **ret, struct printbuf *err)
{
	if (error == -ENOENT && strchr(argument, ':') && !strchr(argument, '/'))
		return machine_parse(argument, ret, err);
	if (error != -ENOENT)
		return error_file(err, error, argument, "open");
	return error_set(
		err, error,
		"%s: no such file; a machine is host, a captured root (directory or tar), "
		"hwloc XML, or a line such as \"node:dram:64GiB:cpus=0-15 node:cxl:256GiB\"",
		argument);
}

int machine_open(const char *argument, struct machine **ret, struct printbuf *err)
{
	struct stat status;
	const char *text = argument + strspn(argument, " \t\n");
	if (!*text)
		return error_set(err, -EINVAL,
				 "an empty machine; write host, a file, or a line "
				 "such as node:dram:64GiB:cpus=0-15");
	if (strcmp(argument, "host") == 0)
		return machine_open_root(argument, ret, err);
	if (strncmp(text, "node:", 5) == 0)
		return machine_parse(argument, ret, err);
	if (stat(argument, &status) < 0)
		return open_missing(argument, -errno, ret, err);
	if (S_ISREG(status.st_mode) && is_xml(argument))
		return discover_xml(argument, ret, err);
	return machine_open_root(argument, ret, err);
}
