/* SPDX-License-Identifier: MIT */
/*
 * Finding what the lab runs: its folder, QEMU, and our own files that belong to the guest.
 *
 * QEMU is taken from the first of
 *
 *     $BERTH_LAB_QEMU                     asked with --version
 *     the system's qemu-system-x86_64     when its version is at least LAB_QEMU_MAJOR_MIN
 *     CACHE/qemu/usr/bin/...              with its own libraries, data and firmware
 *
 * Cost: a handful of access(2), and the start of one process (10 to 50 ms) when QEMU is not ours.
 */
#include "lab/launcher/cache.h"

#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "lab/launcher/cache_files.h"
#include "lab/launcher/process.h"

#define SYSTEM_QEMU "/usr/bin/qemu-system-x86_64"

static int set_dir(char **ret, const char *base, const char *rest, struct printbuf *err)
{
	PRINTBUF(path);
	prt_printf(&path, "%s%s", base, rest);
	while (path.pos > 1 && path.buf[path.pos - 1] == '/')
		path.buf[--path.pos] = '\0';
	char *text = printbuf_steal(&path, NULL);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = text;
	return 0;
}

int lab_cache_dir(char **ret, struct printbuf *err)
{
	const char *own = getenv("BERTH_LAB_CACHE");
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	if (own && *own && *own != '/')
		return error_set(err, -EINVAL,
				 "BERTH_LAB_CACHE=%s: must be an absolute path; write one with /",
				 own);
	if (own && *own)
		return set_dir(ret, own, "", err);
	if (cache && *cache == '/') /* a relative one is to be ignored, says its specification */
		return set_dir(ret, cache, "/berth/lab", err);
	if (!home || *home != '/') {
		const struct passwd *user = getpwuid(getuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home || *home != '/')
		return error_set(err, -ENOENT,
				 "no home folder to keep the lab in; set HOME or BERTH_LAB_CACHE");
	return set_dir(ret, home, "/.cache/berth/lab", err);
}

char *lab_path(const char *directory, const char *name)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s", directory, name);
	return printbuf_steal(&path, NULL);
}

char *lab_path_if_there(const char *directory, const char *name)
{
	char *path = lab_path(directory, name);
	if (path && access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *lab_read_line(const char *directory, const char *name)
{
	char line[256] = "";
	char *path = lab_path(directory, name);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
	ssize_t nr = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (fd >= 0)
		close(fd);
	free(path);
	line[MAX(nr, 0)] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return nr > 0 && *line ? strdup(line) : NULL;
}

/* "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)" -> "10.0.2" */
char *lab_qemu_parse_version(const char *text)
{
	static const char lead[] = "QEMU emulator version ";
	const char *at = strstr(text, lead);
	if (!at)
		return NULL;
	at += sizeof(lead) - 1;
	size_t len = strspn(at, "0123456789.");
	return len > 0 && len < 32 ? strndup(at, len) : NULL;
}

static char *ask_version(const struct lab_qemu *qemu, struct printbuf *said)
{
	PRINTBUF(libraries);
	PRINTBUF(out);
	prt_printf(&libraries, "LD_LIBRARY_PATH=%s", qemu->libraries ? qemu->libraries : "");
	const char *const argv[] = { qemu->binary, "--version", NULL };
	const char *const set[] = { printbuf_str(&libraries), NULL };
	struct process process = { .argv = argv,
				   .set = qemu->libraries ? set : NULL,
				   .limit_ns = 20 * NS_PER_S };
	if (process_run(&process, &out, said) != 0)
		return NULL;
	return lab_qemu_parse_version(printbuf_str(&out));
}

int lab_qemu_check(const struct lab_qemu *qemu, char **ret_version, struct printbuf *err)
{
	PRINTBUF(said);
	char *version = ask_version(qemu, &said);
	if (version && ret_version)
		*ret_version = version;
	else
		free(version);
	if (version)
		return 0;
	size_t len = strcspn(printbuf_str(&said), "\n");
	error_set(err, -ENOEXEC, "%s: not a QEMU that runs here (", qemu->binary);
	if (err)
		prt_safe(err, len ? said.buf : "it names no version", len ? MIN(len, 400) : 19);
	return error_set(err, -ENOEXEC, ")");
}

static int own_qemu(const char *path, struct lab_qemu *ret, struct printbuf *err)
{
	PRINTBUF(why);
	struct lab_qemu qemu = { .binary = strdup(path) };
	int error = qemu.binary ? 0 : error_set(&why, -ENOMEM, "out of memory");
	if (!error && access(path, X_OK) < 0)
		error = error_file(&why, -errno, path, "run");
	if (!error)
		error = lab_qemu_check(&qemu, &qemu.version, &why);
	if (error) {
		lab_qemu_fini(&qemu);
		return error_set(err, error, "BERTH_LAB_QEMU=%s", printbuf_str(&why));
	}
	*ret = qemu;
	return 0;
}

bool lab_qemu_system(struct lab_qemu *ret)
{
	struct lab_qemu qemu = {};
	PRINTBUF(said);
	if (access(SYSTEM_QEMU, X_OK) < 0)
		return false;
	qemu.binary = strdup(SYSTEM_QEMU);
	qemu.version = qemu.binary ? ask_version(&qemu, &said) : NULL;
	if (qemu.version && strtoul(qemu.version, NULL, 10) >= LAB_QEMU_MAJOR_MIN) {
		*ret = qemu;
		return true;
	}
	lab_qemu_fini(&qemu);
	return false;
}

bool lab_qemu_in(const char *tree, struct lab_qemu *ret)
{
	PRINTBUF(libraries);
	struct lab_qemu qemu = {
		.binary = lab_path_if_there(tree, "usr/bin/qemu-system-x86_64"),
		.data_dir = lab_path_if_there(tree, "usr/share/qemu"),
		.bios_dir = lab_path_if_there(tree, "usr/share/seabios"),
		.version = lab_read_line(tree, "version"),
	};
	prt_printf(&libraries, "%s/usr/lib/x86_64-linux-gnu:%s/lib/x86_64-linux-gnu", tree, tree);
	qemu.libraries = printbuf_steal(&libraries, NULL);
	if (qemu.binary && qemu.data_dir && qemu.version && qemu.libraries) {
		*ret = qemu;
		return true;
	}
	lab_qemu_fini(&qemu);
	return false;
}

int lab_cache_qemu(struct lab_qemu *ret, struct printbuf *err)
{
	char *cache = NULL;
	const char *own = getenv("BERTH_LAB_QEMU");
	if (own && *own)
		return own_qemu(own, ret, err);
	if (lab_qemu_system(ret))
		return 0;
	int error = lab_cache_dir(&cache, err);
	if (error)
		return error;
	char *tree = lab_path(cache, "qemu");
	if (!tree || !lab_qemu_in(tree, ret))
		error = error_set(err, -ENOENT,
				  "QEMU %d: not in %s; fetch it with: berth lab setup",
				  LAB_QEMU_MAJOR_MIN, cache);
	free(tree);
	free(cache);
	return error;
}

void lab_qemu_fini(struct lab_qemu *qemu)
{
	free(qemu->binary);
	free(qemu->data_dir);
	free(qemu->bios_dir);
	free(qemu->libraries);
	free(qemu->version);
	*qemu = (struct lab_qemu){};
}

/* DIRECTORY/BELOW/NAME, or the same with .sh; NULL when neither is there. */
static char *find_file(const char *directory, const char *below, const char *name)
{
	static const char *const ends[] = { "", ".sh" };
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		PRINTBUF(path);
		struct stat status;
		prt_printf(&path, "%s/%s%s%s", directory, below, name, ends[i]);
		if (stat(printbuf_str(&path), &status) == 0 && S_ISREG(status.st_mode))
			return printbuf_steal(&path, NULL);
	}
	return NULL;
}

int lab_file(const char *name, char **ret, struct printbuf *err)
{
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[MAX(len, 0)] = '\0';
	const char *build = dirname(exe);
	char *path = find_file(build, "lab/", name);
	if (!path) /* a script stays in the source tree, whose folder the build tree is in */
		path = find_file(build, "../lab/", name);
	if (!path)
		path = find_file(BERTH_PLUGIN_DIR, "", name);
	if (!path)
		return error_set(err, -ENOENT,
				 "%s: neither beside berth nor in " BERTH_PLUGIN_DIR
				 "; run make, or make install",
				 name);
	*ret = path;
	return 0;
}

int lab_write_text(const char *folder, const char *name, const struct printbuf *text,
		   struct printbuf *err)
{
	char *path = lab_path(folder, name);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	int error = !path || printbuf_has_error(text) ? -ENOMEM : fd < 0 ? -errno : 0;
	const char *bytes = printbuf_str(text);
	for (size_t done = 0; !error && done < text->pos;) {
		ssize_t nr = write(fd, bytes + done, text->pos - done);
		if (nr < 0 && errno != EINTR)
			error = -errno;
		done += nr > 0 ? (size_t)nr : 0;
	}
	if (fd >= 0 && close(fd) < 0 && !error)
		error = -errno;
	if (error)
		error_file(err, error, path ? path : name, "write");
	free(path);
	return error;
}
