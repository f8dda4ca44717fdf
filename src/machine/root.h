/* SPDX-License-Identifier: MIT */
/*
 * A root: a directory that holds a machine's /sys and /proc, "/" for this machine, or one that was
 * captured. Every kernel file is opened below it, so that any machine is a test.
 *
 * A captured root is somebody else's: no path and no symbolic link in it leads out of it (the
 * kernel resolves below the root, openat2 RESOLVE_IN_ROOT), only regular files are read, each up
 * to ROOT_MAX_FILE bytes, and nothing waits (a FIFO in it is not opened for reading).
 */
#ifndef BERTH_MACHINE_ROOT_H
#define BERTH_MACHINE_ROOT_H

#include "base/printbuf.h"
#include "base/set.h"
#include "base/types.h"

#define ROOT_MAX_FILE	 ((size_t)1 << 20)
#define ROOT_MAX_ENTRIES ((size_t)1 << 20)

struct root {
	int fd;
	char *path;	 /* as a path for hwloc; inside `temporary` for a tar */
	char *temporary; /* a directory to remove at the end, or NULL */
	bool is_host;
};

/* "/" is the host. -ENODATA with a sentence when the directory holds no /sys of a machine. */
int root_open(const char *path, struct root *ret, struct printbuf *err);
/* Unpacks into a private temporary directory, which root_fini() removes. */
int root_open_tar(const char *path, struct root *ret, struct printbuf *err);
/* "host", a directory or a tar, by what the path is. -EBADMSG with a sentence when it is none. */
int root_open_argument(const char *argument, struct root *ret, struct printbuf *err);
void root_fini(struct root *root);

/* The text of a file without its last newline; free() it. Negative errno: -ENOENT when it is not
 * there, -EFBIG when larger than ROOT_MAX_FILE. */
int root_read(const struct root *root, const char *path, char **ret_text);
int root_read_u64(const struct root *root, const char *path, uint64_t *ret);
int root_read_set(const struct root *root, const char *path, struct set *ret); /* "0-3,8" */
bool root_has(const struct root *root, const char *path);
/* The target's text, at most size - 1 bytes; the link is not followed. */
int root_readlink(const struct root *root, const char *path, char *ret_target, size_t size);

/* Names in a directory, sorted by length and then by character (so that node9 precedes node10). */
struct root_names {
	char **items;
	size_t nr;
};
int root_list(const struct root *root, const char *path, struct root_names *ret);
void root_names_fini(struct root_names *names);
/* The number after `prefix` when the name is exactly that: ("node12", "node") -> 12, else -1. */
int64_t root_name_number(const char *name, const char *prefix);

#endif
