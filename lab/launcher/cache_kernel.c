/* SPDX-License-Identifier: MIT */
/*
 * Finding the guest's kernel, and seeing that it is one.
 *
 * A bzImage begins with a boot sector of the real mode (Documentation/arch/x86/boot.rst):
 *
 *     0x1fe  55 aa              boot flag
 *     0x202  "HdrS"             magic
 *     0x206  protocol version   2 bytes
 *     0x20e  kernel_version     2 bytes; + 0x200 = offset of "6.12.95+deb12-amd64 (who@where) #1"
 *
 * Cost: one read of 64 KiB.
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/cache_files.h"

#define HEADER_BYTES	  ((size_t)64 << 10) /* kernel_version points within its 32 KiB of setup */
#define BOOT_FLAG_AT	  0x1fe
#define MAGIC_AT	  0x202
#define KERNEL_VERSION_AT 0x20e
#define HEADER_END	  0x230
#define MODULES_DEP_MAX	  ((size_t)8 << 20)

const char *const lab_kernel_series[] = { "6.12", "7.3", NULL };

/* Up to `size` bytes from the beginning; negative errno. */
static ssize_t read_start(const char *path, uint8_t *bytes, size_t size)
{
	struct stat status;
	size_t nr = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ssize_t result = fstat(fd, &status) < 0 ? -errno : 0;
	if (!result && !S_ISREG(status.st_mode))
		result = S_ISDIR(status.st_mode) ? -EISDIR : -ENODEV;
	while (!result && nr < size) {
		ssize_t got = read(fd, bytes + nr, size - nr);
		if (got < 0)
			result = -errno;
		if (got <= 0)
			break;
		nr += (size_t)got;
	}
	close(fd);
	return result ? result : (ssize_t)nr;
}

static int not_a_kernel(const char *path, const char *what, struct printbuf *err)
{
	if (err)
		prt_safe(err, path, MIN(strlen(path), 4096));
	return error_set(err, -ENOEXEC,
			 ": %s, not an x86 kernel (bzImage); name a vmlinuz such as "
			 "/boot/vmlinuz-VERSION",
			 what);
}

static const char *what_is_it(const uint8_t *bytes, size_t nr)
{
	if (nr == 0)
		return "an empty file";
	if (nr >= 4 && memcmp(bytes, "\177ELF", 4) == 0)
		return "an ELF file (vmlinux is the kernel before it is packed)";
	if (nr >= 2 && memcmp(bytes, "MZ", 2) == 0)
		return "an EFI program";
	return "another kind of file";
}

static int parse_version(const char *path, const uint8_t *bytes, size_t nr, char **ret,
			 struct printbuf *err)
{
	if (nr < HEADER_END || bytes[BOOT_FLAG_AT] != 0x55 || bytes[BOOT_FLAG_AT + 1] != 0xaa ||
	    memcmp(bytes + MAGIC_AT, "HdrS", 4) != 0)
		return not_a_kernel(path, what_is_it(bytes, nr), err);
	size_t at = bytes[KERNEL_VERSION_AT] + ((size_t)bytes[KERNEL_VERSION_AT + 1] << 8) + 0x200;
	size_t len = 0;
	while (at + len < nr && bytes[at + len] > ' ' && bytes[at + len] < 127)
		len++;
	if (at == 0x200 || len == 0 || len > 128 || at + len >= nr)
		return not_a_kernel(path, "a boot image that names no kernel version", err);
	char *version = strndup((const char *)bytes + at, len);
	if (!version)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = version;
	return 0;
}

int lab_kernel_read_version(const char *path, char **ret, struct printbuf *err)
{
	uint8_t *bytes = malloc(HEADER_BYTES);
	if (!bytes)
		return error_set(err, -ENOMEM, "out of memory");
	ssize_t nr = read_start(path, bytes, HEADER_BYTES);
	int error = nr < 0 ? (int)nr : 0;
	if (error == -EISDIR)
		error = not_a_kernel(path, "a folder", err);
	else if (error == -ENODEV)
		error = not_a_kernel(path, "a device or a pipe", err);
	else if (error)
		error_file(err, error, path, "read the kernel");
	else
		error = parse_version(path, bytes, (size_t)nr, ret, err);
	free(bytes);
	return error;
}

int lab_kernel_in(const char *folder, const char *series, struct lab_kernel *ret,
		  struct printbuf *err)
{
	struct lab_kernel kernel = { .vmlinuz = lab_path_if_there(folder, "vmlinuz") };
	if (!kernel.vmlinuz)
		return -ENOENT;
	int error = lab_kernel_read_version(kernel.vmlinuz, &kernel.version, err);
	kernel.modules_dir = lab_path_if_there(folder, "modules");
	kernel.config = lab_path_if_there(folder, "config");
	kernel.series = strdup(series);
	if (!error && (!kernel.modules_dir || !kernel.config || !kernel.series))
		error = -ENOENT;
	if (error) {
		lab_kernel_fini(&kernel);
		return error;
	}
	*ret = kernel;
	return 0;
}

int lab_kernel_check_series(const char *name, struct printbuf *err)
{
	for (size_t i = 0; lab_kernel_series[i]; i++)
		if (strcmp(lab_kernel_series[i], name) == 0)
			return 0;
	if (err)
		prt_safe(err, name, MIN(strlen(name), 256));
	error_set(err, -EINVAL, ": an unknown kernel series; there are");
	for (size_t i = 0; lab_kernel_series[i]; i++)
		error_set(err, -EINVAL, "%s %s", i ? "," : "", lab_kernel_series[i]);
	return error_set(err, -EINVAL, "; or give lab run the path of a vmlinuz, with a /");
}

static int fetched_kernel(const char *series, struct lab_kernel *ret, struct printbuf *err)
{
	char *cache = NULL;
	PRINTBUF(folder);
	PRINTBUF(why);
	int error = lab_kernel_check_series(series, err);
	if (!error)
		error = lab_cache_dir(&cache, err);
	if (error)
		return error;
	prt_printf(&folder, "%s/kernels/%s", cache, series);
	error = lab_kernel_in(printbuf_str(&folder), series, ret, &why);
	if (error == -ENOENT)
		error_set(err, error,
			  "kernel %s: not in %s; fetch it with: berth lab setup --kernel %s",
			  series, cache, series);
	else if (error)
		error_set(err, error, "%s", printbuf_str(&why));
	free(cache);
	return error;
}

/* The first of FOLDER/config, FOLDER/config-VERSION that is there. */
static char *find_config(const char *folder, const char *version)
{
	PRINTBUF(name);
	char *path = lab_path_if_there(folder, "config");
	prt_printf(&name, "config-%s", version);
	return path ? path : lab_path_if_there(folder, printbuf_str(&name));
}

static int own_kernel(const char *path, struct lab_kernel *ret, struct printbuf *err)
{
	struct lab_kernel kernel = {};
	int error = lab_kernel_read_version(path, &kernel.version, err);
	if (error)
		return error;
	kernel.vmlinuz = realpath(path, NULL);
	char *copy = kernel.vmlinuz ? strdup(kernel.vmlinuz) : NULL;
	if (!copy) {
		lab_kernel_fini(&kernel);
		return error_set(err, -ENOMEM, "out of memory");
	}
	const char *folder = dirname(copy);
	kernel.config = find_config(folder, kernel.version);
	kernel.modules_dir = lab_path_if_there(folder, "modules");
	if (!kernel.modules_dir)
		kernel.modules_dir = lab_path_if_there("/lib/modules", kernel.version);
	free(copy);
	*ret = kernel;
	return 0;
}

int lab_cache_kernel(const char *name, struct lab_kernel *ret, struct printbuf *err)
{
	return strchr(name, '/') ? own_kernel(name, ret, err) : fetched_kernel(name, ret, err);
}

void lab_kernel_fini(struct lab_kernel *kernel)
{
	free(kernel->vmlinuz);
	free(kernel->modules_dir);
	free(kernel->config);
	free(kernel->version);
	free(kernel->series);
	*kernel = (struct lab_kernel){};
}

/* "kernel/net/9p/9pnet.ko.xz" of a line of modules.dep whose module is `name`; NULL: none. */
static char *find_in_dep(const char *text, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		const char *start = at;
		if (strncmp(at + len, ".ko", 3) != 0 || at == text || at[-1] != '/')
			continue;
		while (start > text && start[-1] != '\n' && start[-1] != ' ')
			start--;
		size_t end = strcspn(start, ": \n");
		if (start[end] == ':') /* the module itself, not one that another needs */
			return strndup(start, end);
	}
	return NULL;
}

static char *find_in_tree(const char *tree, const char *name)
{
	char *dep = lab_path(tree, "modules.dep");
	char *text = dep ? malloc(MODULES_DEP_MAX + 1) : NULL;
	ssize_t nr = text ? read_start(dep, (uint8_t *)text, MODULES_DEP_MAX) : -1;
	char *found = NULL, *path = NULL;
	if (nr >= 0) {
		text[nr] = '\0';
		found = find_in_dep(text, name);
	}
	if (found)
		path = lab_path_if_there(tree, found);
	free(found);
	free(text);
	free(dep);
	return path;
}

int lab_kernel_module(const struct lab_kernel *kernel, const char *name, char **ret)
{
	static const char *const ends[] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };
	char *path = NULL;
	if (!kernel->modules_dir)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(ends) && !path; i++) {
		PRINTBUF(file);
		prt_printf(&file, "%s%s", name, ends[i]);
		path = lab_path_if_there(kernel->modules_dir, printbuf_str(&file));
	}
	if (!path)
		path = find_in_tree(kernel->modules_dir, name);
	if (!path)
		return -ENOENT;
	*ret = path;
	return 0;
}
