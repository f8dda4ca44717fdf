/* SPDX-License-Identifier: MIT */
/*
 * Reading kernel files below a root directory (root.h says what is safe about it and why).
 *
 * After the practice of hwloc (one directory descriptor that every access goes through) and of
 * util-linux's --sysroot. Kernels without openat2 (before 5.6) read the host only.
 *
 * Cost: three system calls per file.
 */
#include "machine/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "machine/tar.h"

#define FIRST_BYTES ((size_t)4096)

static int open_below(const struct root *root, const char *path, int flags)
{
	flags |= flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct open_how how = {
		.flags = (uint64_t)flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
	if (fd < 0 && root->is_host && (errno == ENOSYS || errno == EPERM))
		fd = openat(root->fd, path, flags);
	return fd < 0 ? -errno : (int)fd;
}

bool root_has(const struct root *root, const char *path)
{
	int fd = open_below(root, path, O_PATH);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Most files have a few bytes: room for a page first, then twice as much each time. */
static bool grow(char **text, size_t *size)
{
	size_t larger_size = MAX(*size * 2, FIRST_BYTES);
	char *larger = realloc(*text, larger_size);
	if (!larger)
		return false;
	*text = larger;
	*size = larger_size;
	return true;
}

static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	size_t len = 0, size = 0;
	char *text = NULL;
	ssize_t nr = 1;
	while (nr > 0 && len <= ROOT_MAX_FILE) {
		if (len + 1 >= size && !grow(&text, &size)) {
			free(text);
			return -ENOMEM;
		}
		do
			nr = read(fd, text + len, size - len - 1);
		while (nr < 0 && errno == EINTR);
		len += nr > 0 ? (size_t)nr : 0;
	}
	int error = nr < 0 ? -errno : len > ROOT_MAX_FILE ? -EFBIG : 0;
	if (error) {
		free(text);
		return error;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int root_read(const struct root *root, const char *path, char **ret_text)
{
	struct stat status;
	size_t len = 0;
	char *text = NULL;
	int fd = open_below(root, path, O_RDONLY);
	if (fd < 0)
		return fd;
	int error = fstat(fd, &status) < 0 ? -errno : 0;
	if (!error && !S_ISREG(status.st_mode))
		error = -EINVAL;
	if (!error)
		error = read_all(fd, &text, &len);
	close(fd);
	if (error)
		return error;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

int root_read_u64(const struct root *root, const char *path, uint64_t *ret)
{
	char *text = NULL;
	int error = root_read(root, path, &text);
	if (!error)
		error = parse_u64(text, ret);
	free(text);
	return error;
}

int root_read_set(const struct root *root, const char *path, struct set *ret)
{
	char *text = NULL;
	int error = root_read(root, path, &text);
	if (!error)
		error = set_parse(text, ret);
	free(text);
	return error;
}

int root_readlink(const struct root *root, const char *path, char *ret_target, size_t size)
{
	int fd = open_below(root, path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	ssize_t len = readlinkat(fd, "", ret_target, size - 1);
	int error = len < 0 ? -errno : 0;
	close(fd);
	if (!error)
		ret_target[len] = '\0';
	return error;
}

static int compare_names(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t len_x = strlen(x), len_y = strlen(y);
	if (len_x != len_y)
		return len_x < len_y ? -1 : 1;
	return strcmp(x, y);
}

static int add_name(struct root_names *names, const char *name)
{
	if (names->nr >= ROOT_MAX_ENTRIES)
		return -EFBIG;
	if ((names->nr & (names->nr - 1)) == 0) {
		size_t size = MAX(names->nr * 2, 1) * sizeof(*names->items);
		char **items = realloc(names->items, size);
		if (!items)
			return -ENOMEM;
		names->items = items;
	}
	names->items[names->nr] = strdup(name);
	if (!names->items[names->nr])
		return -ENOMEM;
	names->nr++;
	return 0;
}

int root_list(const struct root *root, const char *path, struct root_names *ret)
{
	struct root_names names = { 0 };
	int fd = open_below(root, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	DIR *directory = fdopendir(fd);
	if (!directory) {
		int error = -errno;
		close(fd);
		return error;
	}
	int error = 0;
	for (struct dirent *entry; !error && (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			error = add_name(&names, entry->d_name);
	closedir(directory);
	if (error) {
		root_names_fini(&names);
		return error;
	}
	if (names.nr > 1)
		qsort(names.items, names.nr, sizeof(*names.items), compare_names);
	*ret = names;
	return 0;
}

void root_names_fini(struct root_names *names)
{
	for (size_t i = 0; i < names->nr; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct root_names){ 0 };
}

int64_t root_name_number(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);
	int64_t number = 0;
	if (strncmp(name, prefix, len) != 0 || !name[len])
		return -1;
	for (const char *at = name + len; *at; at++) {
		if (*at < '0' || *at > '9' || number > SET_MAX)
			return -1;
		number = number * 10 + (*at - '0');
	}
	return number > SET_MAX ? -1 : number;
}

/* A captured root needs something to read; a wrong directory gets a sentence of its own. */
static int check_root(const struct root *root, const char *shown, struct printbuf *err)
{
	if (root_has(root, "sys/devices/system/node") || root_has(root, "sys/devices/system/cpu") ||
	    root_has(root, "proc/cpuinfo"))
		return 0;
	return error_set(err, -ENODATA,
			 "%s: not a machine's root: it has no sys/devices/system; "
			 "name a directory or tar that `berth machine --capture` made",
			 shown);
}

int root_open(const char *path, struct root *ret, struct printbuf *err)
{
	struct root root = { .fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	if (root.fd < 0)
		return error_file(err, -errno, path, "open");
	root.is_host = strcmp(path, "/") == 0;
	root.path = strdup(path);
	int error = 0;
	if (access(path, R_OK | X_OK) < 0)
		error = error_file(err, -errno, path, "read");
	else
		error = root.path ? check_root(&root, path, err)
				  : error_set(err, -ENOMEM, "out of memory");
	if (error)
		root_fini(&root);
	else
		*ret = root;
	return error;
}

/* A tar may hold the root in one directory of its own, as those of hwloc-gather-topology do. */
static int enter_only_directory(struct root *root)
{
	struct root_names names = { 0 };
	char *inner = NULL;
	if (root_has(root, "sys") || root_has(root, "proc"))
		return 0;
	int error = root_list(root, ".", &names);
	if (error || names.nr != 1 || asprintf(&inner, "%s/%s", root->path, names.items[0]) < 0) {
		root_names_fini(&names);
		return error;
	}
	root_names_fini(&names);
	int fd = open(inner, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		free(inner);
		return 0;
	}
	close(root->fd);
	free(root->path);
	root->fd = fd;
	root->path = inner;
	return 0;
}

/* Memory rather than disk where there is a choice: ten thousand small files for a second. */
static const char *temporary_parent(void)
{
	const char *chosen = getenv("TMPDIR");
	if (chosen && *chosen)
		return chosen;
	return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

static int make_temporary(char **ret, struct printbuf *err)
{
	char *path = NULL;
	if (asprintf(&path, "%s/berth-root-XXXXXX", temporary_parent()) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (!mkdtemp(path)) {
		int error = error_file(err, -errno, path, "make a directory to unpack into");
		free(path);
		return error;
	}
	*ret = path;
	return 0;
}

int root_open_tar(const char *path, struct root *ret, struct printbuf *err)
{
	struct root root = { .fd = -1 };
	int error = make_temporary(&root.temporary, err);
	if (error)
		return error;
	root.path = strdup(root.temporary);
	root.fd = open(root.temporary, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!root.path || root.fd < 0)
		error = error_file(err, root.path ? -errno : -ENOMEM, root.temporary, "open");
	if (!error)
		error = tar_extract(path, root.temporary, err);
	if (!error)
		error = enter_only_directory(&root);
	if (!error)
		error = check_root(&root, path, err);
	if (error)
		root_fini(&root);
	else
		*ret = root;
	return error;
}

void root_fini(struct root *root)
{
	if (root->fd >= 0)
		close(root->fd);
	if (root->temporary)
		tar_remove_tree(root->temporary);
	free(root->temporary);
	free(root->path);
	*root = (struct root){ .fd = -1 };
}
