/* SPDX-License-Identifier: MIT */
/*
 * Unpacking packages (unpack.h).
 *
 * QEMU's packages are unpacked whole (dpkg-deb -x), then freed of documentation and of emulators
 * for other machines: 92 MB become 45. Of a kernel's 110 MB of modules a few are needed:
 *
 *     dpkg-deb --fsys-tarfile DEB | tar -x PATTERNS --transform ...
 *         ./boot/vmlinuz-VERSION, ./usr/lib/modules/VERSION/vmlinuz   -> vmlinuz
 *         ./boot/config-VERSION,  ./usr/lib/modules/VERSION/config    -> config
 *         .../kernel/net/9p/9pnet.ko.xz                               -> modules/9pnet.ko
 *
 * so that a setup never needs room for all of them. Modules are stored without compression: the
 * guest, emulated, would take longer to unpack them than the host takes to read them.
 */
#include "lab/launcher/unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/apt.h"
#include "lab/launcher/cache_files.h"
#include "lab/launcher/process.h"
#include "machine/tar.h"

/* The kernel's configuration word says =y when it is built in. */
static const struct {
	const char *name, *built_in;
} modules[] = {
	/* Needed to have the host's root. */
	{ "netfs", "CONFIG_NETFS_SUPPORT=y\n" },
	{ "9pnet", "CONFIG_NET_9P=y\n" },
	{ "9pnet_virtio", "CONFIG_NET_9P_VIRTIO=y\n" },
	{ "9p", "CONFIG_9P_FS=y\n" },
	{ "overlay", "CONFIG_OVERLAY_FS=y\n" },
	/* Good to have: a disk, memory that comes and goes, a node that is a DAX device. */
	{ "virtio_blk", NULL },
	{ "ext4", NULL },
	{ "jbd2", NULL },
	{ "mbcache", NULL },
	{ "crc16", NULL },
	{ "virtio_mem", NULL },
	{ "device_dax", NULL },
	{ "kmem", NULL },
};

#define CONFIG_MAX ((size_t)4 << 20)

static int make_folder(const char *path, struct printbuf *err)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	int error = -errno;
	return error_file(err, error, path, "write");
}

static char *deb_path(const char *debs, const struct apt_package *package)
{
	char *name = deb_file_name(package);
	char *path = name ? lab_path(debs, name) : NULL;
	free(name);
	return path;
}

static void remove_below(const char *folder, const char *name)
{
	char *path = lab_path(folder, name);
	if (path)
		tar_remove_tree(path);
	free(path);
}

/* Programs but the one that the lab runs. */
static void remove_programs(const char *folder)
{
	char *path = lab_path(folder, "usr/bin");
	DIR *programs = path ? opendir(path) : NULL;
	for (struct dirent *entry; programs && (entry = readdir(programs));)
		if (strcmp(entry->d_name, "qemu-system-x86_64") != 0 && entry->d_name[0] != '.')
			unlinkat(dirfd(programs), entry->d_name, 0);
	if (programs)
		closedir(programs);
	free(path);
}

int unpack_qemu(const char *debs, const struct apt_packages *packages, const char *folder,
		struct printbuf *err)
{
	static const char *const useless[] = {
		"etc",
		"usr/libexec",
		"usr/share/doc",
		"usr/share/man",
		"usr/share/icons",
		"usr/share/locale",
		"usr/share/bug",
		"usr/share/lintian",
		"usr/share/doc-base",
		"usr/share/applications",
		"usr/share/metainfo",
		"var",
		"usr/sbin",
		"lib/udev",
		"usr/lib/udev",
		"usr/lib/systemd",
	};
	int error = make_folder(folder, err);
	for (size_t i = 0; i < packages->nr && !error; i++) {
		char *deb = deb_path(debs, &packages->items[i]);
		const char *const argv[] = { "dpkg-deb", "-x", deb, folder, NULL };
		error = deb ? run_tool(argv, NULL, packages->items[i].name, err) : -ENOMEM;
		free(deb);
	}
	if (error)
		return error;
	for (size_t i = 0; i < ARRAY_SIZE(useless); i++)
		remove_below(folder, useless[i]);
	remove_programs(folder);
	return 0;
}

/* Patterns that match nothing are no failure, as each package holds only some of them. */
static int extract_wanted(const char *deb, const char *folder, const char *name,
			  struct printbuf *err)
{
	const char *const feed[] = { "dpkg-deb", "--fsys-tarfile", deb, NULL };
	const char *argv[16 + ARRAY_SIZE(modules)] = {
		"tar",
		"-x",
		"--touch",
		"--no-same-owner",
		"--no-same-permissions",
		"--wildcards",
		"--transform=s,^.*/\\([^/]*\\.ko[^/]*\\)$,modules/\\1,",
		"--transform=s,^.*/vmlinuz[^/]*$,vmlinuz,",
		"--transform=s,^.*/config[^/]*$,config,",
		"./boot/vmlinuz-*",
		"./boot/config-*",
		"./usr/lib/modules/*/vmlinuz",
		"./usr/lib/modules/*/config",
	};
	char patterns[ARRAY_SIZE(modules)][32];
	PRINTBUF(said);
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		struct printbuf pattern;
		printbuf_init_fixed(&pattern, patterns[i], sizeof(patterns[i]), 0);
		prt_printf(&pattern, "*/%s.ko*", modules[i].name);
		argv[13 + i] = patterns[i];
	}
	struct process process = {
		.argv = argv, .feed = feed, .directory = folder, .limit_ns = 600 * NS_PER_S
	};
	int status = process_run(&process, NULL, &said);
	bool is_cut = strstr(printbuf_str(&said), "dpkg-deb: error") ||
		      strstr(printbuf_str(&said), "No space left");
	if (status < 0 || status > 2 || (status && is_cut))
		return explain_failure(status, argv[0], name, printbuf_str(&said), err);
	return 0;
}

static int decompress_modules(const char *folder, struct printbuf *err)
{
	char *path = lab_path(folder, "modules");
	DIR *list = path ? opendir(path) : NULL;
	int error = list ? 0 : error_set(err, -EBADMSG, "no modules in the kernel's package");
	for (struct dirent *entry; !error && (entry = readdir(list));) {
		size_t len = strlen(entry->d_name);
		const char *const argv[] = { "xz", "-dq", "--", entry->d_name, NULL };
		if (len > 3 && strcmp(entry->d_name + len - 3, ".xz") == 0)
			error = run_tool(argv, path, entry->d_name, err);
	}
	if (list)
		closedir(list);
	free(path);
	return error;
}

/* The whole file, NUL-terminated; NULL: it cannot be read. */
static char *read_config(const char *folder)
{
	char *path = lab_path(folder, "config");
	char *text = calloc(1, CONFIG_MAX + 1);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	size_t done = 0;
	ssize_t nr = -1;
	while (fd >= 0 && text && done < CONFIG_MAX &&
	       (nr = read(fd, text + done, CONFIG_MAX - done)) > 0)
		done += (size_t)nr;
	if (fd >= 0)
		close(fd);
	free(path);
	if (nr >= 0 && done)
		return text;
	free(text);
	return NULL;
}

static int check_modules(const char *folder, struct printbuf *err)
{
	char *config = read_config(folder);
	int error = config ? 0
			   : error_set(err, -EBADMSG, "no configuration in the kernel's package");
	for (size_t i = 0; i < ARRAY_SIZE(modules) && !error; i++) {
		PRINTBUF(name);
		prt_printf(&name, "modules/%s.ko", modules[i].name);
		char *path = lab_path_if_there(folder, printbuf_str(&name));
		if (!path && modules[i].built_in && !strstr(config, modules[i].built_in))
			error = error_set(err, -EBADMSG,
					  "the kernel's package has no module %s, which the lab "
					  "needs",
					  modules[i].name);
		free(path);
	}
	free(config);
	return error;
}

int unpack_kernel(const char *debs, const struct apt_packages *packages, const char *folder,
		  struct printbuf *err)
{
	char *version = NULL;
	char *path = lab_path(folder, "vmlinuz");
	int error = path ? make_folder(folder, err) : -ENOMEM;
	for (size_t i = 0; i < packages->nr && !error; i++) {
		char *deb = deb_path(debs, &packages->items[i]);
		error = deb ? extract_wanted(deb, folder, packages->items[i].name, err) : -ENOMEM;
		free(deb);
	}
	if (!error)
		error = decompress_modules(folder, err);
	if (!error)
		error = check_modules(folder, err);
	if (!error)
		error = lab_kernel_read_version(path, &version, err);
	free(version);
	free(path);
	return error;
}
