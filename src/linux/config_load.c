/* SPDX-License-Identifier: MIT */
/*
 * Finding the files of a configuration, in systemd's order (config.h).
 *
 * A file that everybody may write to is refused: whoever can write it decides where other people's
 * programs run.
 *
 * Source: systemd's conf-files.c and systemd.unit(5), "drop-in": the order and what hides what.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/config.h"
#include "linux/process.h"

#define MAIN_FILE "berth.conf"
#define DROP_INS  "berth.conf.d"

/* The first wins. */
static const char *const system_folders[] = { "etc/berth", "run/berth", "usr/lib/berth" };

struct loader {
	const struct root *root;
	const char *const *folders; /* below the root */
	size_t nr_folders;
	struct config *config;
	struct printbuf *err;
	uint32_t nr_found;
};

static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	char *text = malloc(CONFIG_MAX_BYTES + 1);
	size_t len = 0;
	ssize_t nr = text ? 1 : -1;
	while (nr > 0 && len <= CONFIG_MAX_BYTES) {
		nr = read(fd, text + len, CONFIG_MAX_BYTES + 1 - len);
		if (nr < 0 && errno == EINTR)
			nr = 1;
		else
			len += nr > 0 ? (size_t)nr : 0;
	}
	int error = !text ? -ENOMEM : nr < 0 ? -errno : len > CONFIG_MAX_BYTES ? -EFBIG : 0;
	if (error) {
		free(text);
		return error;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int open_checked(struct loader *loader, const char *path, const char *shown)
{
	struct stat status;
	int fd = rootfile_open(loader->root, path, O_RDONLY | O_NONBLOCK);
	int error = fd < 0 ? fd : fstat(fd, &status) < 0 ? -errno : 0;
	if (error) {
		if (fd >= 0)
			close(fd);
		return error_file(loader->err, error, shown, "read");
	}
	if (!S_ISREG(status.st_mode))
		error = error_set(loader->err, -EINVAL, "%s: not a file", shown);
	else if (status.st_mode & S_IWOTH)
		error = error_set(loader->err, -EINVAL,
				  "%s: everybody may write to it; chmod o-w %s", shown, shown);
	if (error)
		close(fd);
	return error ? error : fd;
}

static int load_file(struct loader *loader, const char *path)
{
	char *text = NULL;
	size_t len = 0;
	PRINTBUF(shown);
	prt_printf(&shown, "/%s", path);
	int fd = open_checked(loader, path, printbuf_str(&shown));
	if (fd < 0)
		return fd;
	int error = read_all(fd, &text, &len);
	close(fd);
	if (error)
		return error_file(loader->err, error, printbuf_str(&shown), "read");
	loader->nr_found++;
	error = config_add_text(loader->config, printbuf_str(&shown), text, len, loader->err);
	free(text);
	return error;
}

/* Is it there, even if it cannot be read? A link that leads nowhere is: it is told as an error. */
static bool is_there(const struct root *root, const char *path)
{
	char target[8];
	return root_has(root, path) || root_readlink(root, path, target, sizeof(target)) == 0;
}

/* Empty, or a link to /dev/null. */
static bool is_mask(const struct root *root, const char *path)
{
	char target[sizeof("/dev/null") + 1];
	struct stat status;
	if (root_readlink(root, path, target, sizeof(target)) == 0 &&
	    strcmp(target, "/dev/null") == 0)
		return true;
	int fd = rootfile_open(root, path, O_PATH);
	bool is_empty = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
			status.st_size == 0;
	if (fd >= 0)
		close(fd);
	return is_empty;
}

static int load_main(struct loader *loader)
{
	for (size_t i = 0; i < loader->nr_folders; i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/" MAIN_FILE, loader->folders[i]);
		if (is_there(loader->root, printbuf_str(&path)))
			return is_mask(loader->root, printbuf_str(&path))
				       ? 0
				       : load_file(loader, printbuf_str(&path));
	}
	return 0;
}

static bool is_drop_in(const char *name)
{
	size_t len = strlen(name);
	return len > 5 && strcmp(name + len - 5, ".conf") == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int load_drop_in(struct loader *loader, const char *name)
{
	for (size_t i = 0; i < loader->nr_folders; i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/" DROP_INS "/%s", loader->folders[i], name);
		if (is_there(loader->root, printbuf_str(&path)))
			return is_mask(loader->root, printbuf_str(&path))
				       ? 0
				       : load_file(loader, printbuf_str(&path));
	}
	return 0;
}

/* All names of drop-ins, of all folders, sorted; some twice. They point into `lists`. */
static int collect_names(struct loader *loader, struct root_names *lists, const char ***ret,
			 size_t *ret_nr)
{
	size_t nr = 0, nr_all = 0;
	for (size_t i = 0; i < loader->nr_folders; i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/" DROP_INS, loader->folders[i]);
		int error = root_list(loader->root, printbuf_str(&path), &lists[i]);
		if (error && error != -ENOENT)
			return error_file(loader->err, error, printbuf_str(&path), "list");
		nr_all += lists[i].nr;
	}
	const char **names = calloc(nr_all + 1, sizeof(*names));
	if (!names)
		return error_set(loader->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < loader->nr_folders; i++)
		for (size_t k = 0; k < lists[i].nr; k++)
			if (is_drop_in(lists[i].items[k]))
				names[nr++] = lists[i].items[k];
	if (nr > 1)
		qsort(names, nr, sizeof(*names), compare_names);
	*ret = names;
	*ret_nr = nr;
	return 0;
}

static int load_drop_ins(struct loader *loader)
{
	struct root_names lists[ARRAY_SIZE(system_folders)] = { 0 };
	const char **names = NULL;
	size_t nr = 0;
	int error = collect_names(loader, lists, &names, &nr);
	for (size_t i = 0; i < nr && !error; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			error = load_drop_in(loader, names[i]);
	free(names);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		root_names_fini(&lists[i]);
	return error;
}

static int finish(struct loader *loader, int error, struct config **ret)
{
	if (!error)
		error = config_check(loader->config, loader->err);
	if (error)
		config_free(loader->config);
	else
		*ret = loader->config;
	return error;
}

static int load_folders(struct loader *loader, const char *none, struct config **ret)
{
	int error = config_new(&loader->config);
	if (error)
		return error_set(loader->err, error, "out of memory");
	error = load_main(loader);
	if (!error)
		error = load_drop_ins(loader);
	if (!error && !loader->nr_found)
		error = error_set(loader->err, -ENOENT, "%s; write one as berth.conf(5) tells",
				  none);
	return finish(loader, error, ret);
}

int config_load(const struct root *root, struct config **ret, struct printbuf *err)
{
	struct loader loader = { .root = root,
				 .folders = system_folders,
				 .nr_folders = ARRAY_SIZE(system_folders),
				 .err = err };
	return load_folders(&loader,
			    "no configuration: berth.conf is neither in /etc/berth nor in "
			    "/run/berth nor in /usr/lib/berth",
			    ret);
}

static int load_folder(struct loader *loader, const char *path, struct config **ret)
{
	PRINTBUF(none);
	prt_printf(&none, "/%s: no " MAIN_FILE " in it, and no " DROP_INS, path);
	return load_folders(loader, printbuf_str(&none), ret);
}

static int load_one(struct loader *loader, const char *path, struct config **ret)
{
	int error = config_new(&loader->config);
	if (error)
		return error_set(loader->err, error, "out of memory");
	return finish(loader, load_file(loader, path), ret);
}

int config_load_path(const char *path, struct config **ret, struct printbuf *err)
{
	struct root root = { .fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .is_host = true };
	struct stat status;
	char *real = realpath(path, NULL);
	const char *folder = real ? real + 1 : "";
	struct loader loader = { .root = &root, .folders = &folder, .nr_folders = 1, .err = err };
	int error = !real || root.fd < 0 || stat(real, &status) < 0 ? -errno : 0;
	if (error)
		error_file(err, error, path, "read");
	else
		error = S_ISDIR(status.st_mode) ? load_folder(&loader, folder, ret)
						: load_one(&loader, folder, ret);
	if (root.fd >= 0)
		close(root.fd);
	free(real);
	return error;
}

int config_reload(const struct root *root, struct config **current, struct printbuf *err)
{
	struct config *next = NULL;
	int error = config_load(root, &next, err);
	if (error)
		return error;
	config_free(*current);
	*current = next;
	return 0;
}
