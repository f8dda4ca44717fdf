/* SPDX-License-Identifier: MIT */
/*
 * `berth lab setup`: what is missing in the cache folder is fetched from the machine's own Debian
 * mirror, unpacked beside, checked and renamed.
 *
 *     /etc/apt/sources.list*, os-release       the machine's own entries (apt_sources.c)
 *         |  suites changed
 *     work/apt-qemu, work/apt-kernels          private apt folders (apt.c)
 *         |  newest of a series
 *     work/debs-NAME                           packages, signatures verified by apt
 *         |  unpack.c
 *     work/NAME  --- checked, renamed --->  qemu, kernels/SERIES
 *
 * QEMU is resolved among the suites of the machine's own release only: with a newer release in
 * sight apt would take its libraries from there, and its C library with them. Kernels depend on
 * nothing that the lab needs, so they come from wherever their series is.
 *
 * What an interrupted setup fetched stays in work/ and is used by the next. When all that was asked
 * for is there, nothing but a few stat(2) and the start of QEMU (--version) happens: no network,
 * below 0.2 s.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "lab/launcher/apt.h"
#include "lab/launcher/cache_files.h"
#include "lab/launcher/fetch_debian.h"
#include "lab/launcher/unpack.h"
#include "machine/tar.h"

#define LISTS_BYTES  (64 * MIB) /* of a release and what comes with it, seen: 41 MB */
#define KERNEL_BYTES (48 * MIB) /* of one kernel without its packages, seen: 20 MB */

struct setup {
	const struct lab_setup_options *options;
	char *cache, *work;
	struct debian debian;
	bool has_debian; /* read already */
	int lock_fd;
};

static void tell(struct setup *setup, const char *what)
{
	if (setup->options->progress)
		setup->options->progress(setup->options->data, what, -1, 0);
}

static bool has_room(struct setup *setup, uint64_t needed, const char *what, struct printbuf *err)
{
	struct statvfs disk;
	if (statvfs(setup->work, &disk) < 0)
		return true;
	uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free_bytes >= needed || !err)
		return free_bytes >= needed;
	prt_printf(err, "%s: ", setup->cache);
	prt_bytes(err, needed);
	prt_printf(err, " needed to fetch %s, ", what);
	prt_bytes(err, free_bytes);
	prt_str(err, " free; free some space, or set BERTH_LAB_CACHE to a folder elsewhere");
	return false;
}

static uint64_t sum_bytes(const struct apt_packages *packages, bool with_installed)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < packages->nr; i++)
		sum += packages->items[i].fetch_bytes +
		       (with_installed ? packages->items[i].installed_bytes : 0);
	return sum;
}

/* The new folder takes the old one's place at once; the old one is removed. */
static int put_in_place(struct setup *setup, const char *from, const char *to, struct printbuf *err)
{
	int error = 0;
	if (rename(from, to) < 0 && renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0)
		error = -errno;
	if (error)
		return error_file(err, error, to, "write");
	if (access(from, F_OK) == 0)
		tar_remove_tree(from);
	return 0;
}

static int write_word(const char *folder, const char *name, const char *word, struct printbuf *err)
{
	PRINTBUF(text);
	prt_printf(&text, "%s\n", word);
	return lab_write_text(folder, name, &text, err);
}

static int make_dirs(const char *path, struct printbuf *err)
{
	PRINTBUF(part);
	for (const char *at = path; *at; at++) {
		if (at[1] && at[1] != '/')
			continue;
		printbuf_reset(&part);
		prt_mem(&part, path, (size_t)(at + 1 - path));
		if (mkdir(printbuf_str(&part), 0755) < 0 && errno != EEXIST) {
			int error = -errno;
			return error_file(err, error, printbuf_str(&part), "write");
		}
	}
	return 0;
}

static int know_debian(struct setup *setup, struct printbuf *err)
{
	int error = setup->has_debian ? 0 : debian_init(&setup->debian, err);
	setup->has_debian = error == 0;
	return error;
}

/* A folder below work/, made; malloc'ed. */
static int work_folder(struct setup *setup, const char *kind, const char *name, char **ret,
		       struct printbuf *err)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s%s", setup->work, kind, name);
	int error = 0;
	if (mkdir(setup->work, 0700) < 0 && errno != EEXIST) /* a proxy's password may be in it */
		error = error_file(err, -errno, setup->work, "write");
	if (!error)
		error = make_dirs(printbuf_str(&path), err);
	if (!error)
		*ret = printbuf_steal(&path, NULL);
	return error;
}

/* A private apt for `name` whose lists are up to date. */
static int open_view(struct setup *setup, struct apt_view *view, const char *name,
		     const struct printbuf *sources, const char *what, struct printbuf *err)
{
	char *folder = NULL;
	int error = work_folder(setup, "apt-", name, &folder, err);
	if (error)
		return error;
	view->folder = folder;
	view->options = setup->options;
	if (!has_room(setup, LISTS_BYTES, what, err))
		error = -ENOSPC;
	if (!error)
		error = apt_view_init(view, printbuf_str(sources), err);
	return error ? error : apt_update(view, what, err);
}

static void close_view(struct apt_view *view)
{
	free((char *)view->folder);
	apt_view_fini(view);
}

/* What differs between QEMU and a kernel. */
struct component {
	const char *name;  /* of folders below work/: "qemu", "6.12" */
	const char *title; /* "QEMU", "kernel 6.12" */
	const char *place; /* below the cache folder: "qemu", "kernels/6.12" */
	const char *main_package;
	bool is_there;	     /* and works: only a newer one is fetched */
	uint64_t room_bytes; /* besides the packages */
	int (*unpack)(const char *debs, const struct apt_packages *packages, const char *folder,
		      struct printbuf *err);
	/* The version to keep beside it, malloc'ed; the unpacked folder works. */
	int (*check)(const char *folder, char **ret_version, struct printbuf *err);
};

static int check_qemu(const char *folder, char **ret_version, struct printbuf *err)
{
	struct lab_qemu qemu = {};
	int error = write_word(folder, "version", "0", err);
	if (error)
		return error;
	if (!lab_qemu_in(folder, &qemu))
		return error_set(err, -EBADMSG, "QEMU: its packages lack a program or its data");
	error = lab_qemu_check(&qemu, ret_version, err);
	lab_qemu_fini(&qemu);
	return error;
}

static int check_kernel(const char *folder, char **ret_version, struct printbuf *err)
{
	char *path = lab_path(folder, "vmlinuz");
	int error = path ? lab_kernel_read_version(path, ret_version, err) : -ENOMEM;
	free(path);
	return error;
}

static int fill_folder(struct setup *setup, const struct component *component, const char *debs,
		       const struct apt_packages *packages, const char *package_version,
		       struct printbuf *err)
{
	char *version = NULL;
	char *folder = lab_path(setup->work, component->name);
	char *place = lab_path(setup->cache, component->place);
	int error = folder && place ? 0 : -ENOMEM;
	PRINTBUF(what);
	prt_printf(&what, "unpacking %s", component->title);
	tell(setup, printbuf_str(&what));
	if (!error) {
		tar_remove_tree(folder); /* left by a setup that was killed */
		error = component->unpack(debs, packages, folder, err);
	}
	if (!error)
		error = component->check(folder, &version, err);
	if (!error)
		error = write_word(folder, "version", version, err);
	if (!error)
		error = write_word(folder, "package", package_version, err);
	if (!error)
		error = put_in_place(setup, folder, place, err);
	if (error && folder)
		tar_remove_tree(folder);
	free(version);
	free(place);
	free(folder);
	return error;
}

static int fetch_component(struct setup *setup, struct apt_view *view,
			   const struct component *component, const struct apt_packages *packages,
			   struct printbuf *err)
{
	char *debs = NULL;
	const struct apt_package *main_package = apt_packages_find(packages,
								   component->main_package);
	char *place = lab_path(setup->cache, component->place);
	char *present = place ? lab_read_line(place, "package") : NULL;
	bool is_newest = present && strcmp(present, main_package->version) == 0 &&
			 component->is_there;
	free(present);
	free(place);
	if (is_newest)
		return 0;
	if (!has_room(setup, sum_bytes(packages, false) + component->room_bytes, component->title,
		      err))
		return -ENOSPC;
	int error = work_folder(setup, "debs-", component->name, &debs, err);
	if (!error)
		error = apt_fetch(view, packages, debs, component->title, err);
	if (!error)
		error = fill_folder(setup, component, debs, packages, main_package->version, err);
	if (!error)
		tar_remove_tree(debs);
	free(debs);
	return error;
}

static int fetch_qemu(struct setup *setup, bool is_there, struct printbuf *err)
{
	static const char name[] = "qemu-system-x86";
	PRINTBUF(sources);
	struct apt_packages packages = {};
	struct apt_view view = { .knows_installed = true };
	int error = know_debian(setup, err);
	if (error)
		return error;
	debian_qemu_sources(&setup->debian, &sources);
	error = open_view(setup, &view, "qemu", &sources, "package lists for QEMU", err);
	char *backports = debian_backports(&setup->debian);
	if (!error)
		error = apt_plan(&view, name, backports, &packages, err);
	struct apt_package *package = error ? NULL : apt_packages_find(&packages, name);
	if (!error && (!package || deb_version_major(package->version) < LAB_QEMU_MAJOR_MIN))
		error = error_set(err, -ENOENT,
				  "QEMU %d: not in Debian %s%s; name your own with BERTH_LAB_QEMU",
				  LAB_QEMU_MAJOR_MIN, setup->debian.release,
				  backports ? " nor its backports" : "");
	if (!error) {
		const struct component component = { .name = "qemu",
						     .title = "QEMU",
						     .place = "qemu",
						     .main_package = name,
						     .is_there = is_there,
						     .room_bytes = sum_bytes(&packages, true),
						     .unpack = unpack_qemu,
						     .check = check_qemu };
		error = fetch_component(setup, &view, &component, &packages, err);
	}
	free(backports);
	apt_packages_fini(&packages);
	close_view(&view);
	return error;
}

/* Names among `text`'s lines that are kernels of the series; at most APT_MAX_PACKAGES. */
static size_t pick_names(char *text, const char *prefix, const char *series, const char **names)
{
	size_t nr = 0;
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (nr < APT_MAX_PACKAGES && kernel_name_fits(line, prefix, series))
			names[nr++] = line;
	names[nr] = NULL;
	return nr;
}

/* The newest package PREFIX SERIES.*-amd64; its name is empty when there is none. */
static int find_newest(struct apt_view *view, const char *prefix, const char *series,
		       struct printbuf *ret_name, struct printbuf *err)
{
	const char *names[APT_MAX_PACKAGES + 1];
	struct apt_packages packages = {};
	PRINTBUF(start);
	PRINTBUF(list);
	prt_printf(&start, "%s%s.", prefix, series);
	int error = apt_names(view, printbuf_str(&start), &list, err);
	if (error || !list.pos)
		return error;
	if (pick_names(list.buf, prefix, series, names))
		error = apt_show(view, names, &packages, err);
	const struct apt_package *best = NULL;
	for (size_t i = 0; i < packages.nr; i++)
		if (!best || deb_version_compare(packages.items[i].version, best->version) > 0)
			best = &packages.items[i];
	if (best)
		prt_str(ret_name, best->name);
	apt_packages_fini(&packages);
	return error;
}

/* Since 7.x an image is three packages; before it was one. */
static int find_kernel(struct apt_view *view, const char *series, struct apt_packages *ret,
		       struct printbuf *ret_name, struct printbuf *err)
{
	static const char *const parts[] = { "linux-binary-", "linux-base-", "linux-modules-" };
	char words[ARRAY_SIZE(parts)][256];
	const char *names[ARRAY_SIZE(parts) + 1] = {};
	int error = find_newest(view, parts[0], series, ret_name, err);
	bool is_split = ret_name->pos > 0;
	if (!error && !is_split)
		error = find_newest(view, "linux-image-", series, ret_name, err);
	if (error)
		return error;
	if (!ret_name->pos)
		return error_set(err, -ENOENT,
				 "kernel %s: not in the archive any more; fetch another series, or "
				 "name a vmlinuz with lab run --kernel PATH",
				 series);
	names[0] = printbuf_str(ret_name);
	for (size_t i = 1; i < ARRAY_SIZE(parts) && is_split; i++) {
		struct printbuf word;
		printbuf_init_fixed(&word, words[i], sizeof(words[i]), 0);
		prt_printf(&word, "%s%s", parts[i], printbuf_str(ret_name) + strlen(parts[0]));
		names[i] = words[i];
	}
	return apt_show(view, names, ret, err);
}

static bool kernel_is_there(const char *series)
{
	struct lab_kernel kernel = {};
	bool is_there = lab_cache_kernel(series, &kernel, NULL) == 0;
	lab_kernel_fini(&kernel);
	return is_there;
}

static int fetch_kernel(struct setup *setup, struct apt_view *view, const char *series,
			struct printbuf *err)
{
	struct apt_packages packages = {};
	PRINTBUF(title);
	PRINTBUF(place);
	PRINTBUF(name);
	prt_printf(&title, "kernel %s", series);
	prt_printf(&place, "kernels/%s", series);
	int error = find_kernel(view, series, &packages, &name, err);
	if (!error && !apt_packages_find(&packages, printbuf_str(&name)))
		error = error_set(err, -ENOENT, "kernel %s: apt does not know %s any more", series,
				  printbuf_str(&name));
	if (!error) {
		const struct component component = { .name = series,
						     .title = printbuf_str(&title),
						     .place = printbuf_str(&place),
						     .main_package = printbuf_str(&name),
						     .is_there = kernel_is_there(series),
						     .room_bytes = KERNEL_BYTES,
						     .unpack = unpack_kernel,
						     .check = check_kernel };
		error = fetch_component(setup, view, &component, &packages, err);
	}
	apt_packages_fini(&packages);
	return error;
}

static int fetch_kernels(struct setup *setup, const char *const *series, size_t nr,
			 struct printbuf *err)
{
	PRINTBUF(sources);
	PRINTBUF(kernels);
	struct apt_view view = {};
	int error = know_debian(setup, err);
	if (error)
		return error;
	prt_printf(&kernels, "%s/kernels", setup->cache);
	error = make_dirs(printbuf_str(&kernels), err);
	debian_kernel_sources(&setup->debian, series, nr, &sources);
	if (!error)
		error = open_view(setup, &view, "kernels", &sources, "package lists for kernels",
				  err);
	for (size_t i = 0; i < nr && !error; i++)
		error = fetch_kernel(setup, &view, series[i], err);
	close_view(&view);
	return error;
}

/* One that runs: its own, the system's, or the fetched one with libraries that are still there. */
static int qemu_is_there(bool *ret, struct printbuf *err)
{
	struct lab_qemu qemu = {};
	PRINTBUF(why);
	const char *own = getenv("BERTH_LAB_QEMU");
	int error = lab_cache_qemu(&qemu, own && *own ? err : &why);
	if (error && own && *own)
		return error;
	*ret = error == 0 && (!qemu.libraries || lab_qemu_check(&qemu, NULL, &why) == 0);
	lab_qemu_fini(&qemu);
	return 0;
}

static int set_up_qemu(struct setup *setup, struct printbuf *err)
{
	bool is_there = false;
	struct lab_qemu system = {};
	const char *own = getenv("BERTH_LAB_QEMU");
	int error = qemu_is_there(&is_there, err);
	if (error || (is_there && !setup->options->refresh))
		return error;
	bool is_given = is_there && ((own && *own) || lab_qemu_system(&system));
	lab_qemu_fini(&system);
	return is_given ? 0 : fetch_qemu(setup, is_there, err);
}

/* A vmlinuz of the user's own: there is nothing to fetch, but it must be one. */
static int check_own_kernel(const char *path, struct printbuf *err)
{
	struct lab_kernel kernel = {};
	int error = lab_cache_kernel(path, &kernel, err);
	lab_kernel_fini(&kernel);
	return error;
}

/* Each series once, in the order asked for. -EINVAL: unknown. */
static int list_series(const struct lab_setup_options *options, const char **ret, size_t *ret_nr,
		       struct printbuf *err)
{
	static const char *const standard[] = { LAB_KERNEL_DEFAULT };
	const char *const *asked = options->nr_kernels ? options->kernels : standard;
	size_t nr_asked = options->nr_kernels ? options->nr_kernels : 1, nr = 0;
	for (size_t i = 0; i < nr_asked; i++) {
		bool is_again = false;
		bool is_path = strchr(asked[i], '/') != NULL;
		int error = is_path ? check_own_kernel(asked[i], err)
				    : lab_kernel_check_series(asked[i], err);
		if (error)
			return error;
		for (size_t k = 0; k < nr; k++)
			is_again |= strcmp(ret[k], asked[i]) == 0;
		if (!is_again && !is_path)
			ret[nr++] = asked[i];
	}
	*ret_nr = nr;
	return 0;
}

static int set_up_kernels(struct setup *setup, const char *const *series, size_t nr,
			  struct printbuf *err)
{
	const char *missing[LAB_KERNELS_MAX];
	size_t nr_missing = 0;
	for (size_t i = 0; i < nr; i++)
		if (setup->options->refresh || !kernel_is_there(series[i]))
			missing[nr_missing++] = series[i];
	return nr_missing ? fetch_kernels(setup, missing, nr_missing, err) : 0;
}

/* Waits for another setup to end: then what it fetched is there. */
static int take_lock(struct setup *setup, struct printbuf *err)
{
	char *path = lab_path(setup->cache, "lock");
	setup->lock_fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	int error = setup->lock_fd < 0 ? -errno : 0;
	if (error)
		error_file(err, error, path ? path : setup->cache, "write");
	if (!error && flock(setup->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		tell(setup, "waiting for another setup to end");
		while (flock(setup->lock_fd, LOCK_EX) < 0 && errno == EINTR)
			;
	}
	free(path);
	return error;
}

static int set_up_all(struct setup *setup, struct printbuf *err)
{
	const char *series[LAB_KERNELS_MAX];
	size_t nr = 0;
	int error = list_series(setup->options, series, &nr, err);
	if (!error)
		error = make_dirs(setup->cache, err);
	if (!error)
		error = take_lock(setup, err);
	if (!error)
		error = set_up_qemu(setup, err);
	if (!error)
		error = set_up_kernels(setup, series, nr, err);
	if (error == 0 || error == -ENOSPC) /* else the next setup goes on from there */
		tar_remove_tree(setup->work);
	return error;
}

int lab_setup(const struct lab_setup_options *options, struct printbuf *err)
{
	struct setup setup = { .options = options, .lock_fd = -1 };
	int error = lab_cache_dir(&setup.cache, err);
	if (error)
		return error;
	setup.work = lab_path(setup.cache, "work");
	error = setup.work ? set_up_all(&setup, err) : error_set(err, -ENOMEM, "out of memory");
	if (setup.lock_fd >= 0)
		close(setup.lock_fd);
	debian_fini(&setup.debian);
	free(setup.work);
	free(setup.cache);
	return error;
}
