/* SPDX-License-Identifier: MIT */
/*
 * The machine's own Debian (fetch_debian.h).
 *
 *     what          from suites                                      derived from the entry of
 *     QEMU          RELEASE, RELEASE-updates, RELEASE-security,      each its own
 *                   RELEASE-backports before trixie                  RELEASE
 *     kernel 6.12   trixie                                           RELEASE
 *                   RELEASE-security, trixie-security                RELEASE-security
 *     kernel 7.3    trixie-backports                                 RELEASE
 *
 * A new series is one line of series_sources[] and one of lab_kernel_series[].
 */
#include "lab/launcher/fetch_debian.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/cache_files.h"

#define FIRST_RELEASE_WITH_QEMU 13 /* Debian's first that has QEMU 10 itself */
#define SUITES_MAX		8

static const struct series_source {
	const char *series;
	const char *suite;     /* in the archive */
	const char *security;  /* in the security archive; NULL: none */
	bool from_own_release; /* the release's own security updates may have it, too */
} series_sources[] = {
	{ "6.12", "trixie", "trixie-security", true },
	{ "7.3", "trixie-backports", NULL, false },
};

static char *read_text(const char *path, size_t *ret_nr)
{
	char *text = malloc(APT_MAX_TEXT + 2);
	int fd = text ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	size_t done = 0;
	ssize_t nr = fd < 0 ? -1 : 1;
	while (nr > 0 && done <= APT_MAX_TEXT) {
		nr = read(fd, text + done, APT_MAX_TEXT + 1 - done);
		done += nr > 0 ? (size_t)nr : 0;
	}
	if (fd >= 0)
		close(fd);
	if (nr < 0) {
		free(text);
		return NULL;
	}
	text[done] = '\0';
	*ret_nr = done;
	return text;
}

/* A file that cannot be read is passed over: apt itself would name it. */
static int add_source_file(struct debian *debian, const char *path, bool is_deb822,
			   struct printbuf *err)
{
	size_t nr = 0;
	char *text = read_text(path, &nr);
	int error = text ? apt_entries_parse(&debian->entries, text, nr, is_deb822) : 0;
	free(text);
	return error ? error_set(err, error, "%s: %s", path, error_text(error)) : 0;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);
	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static int add_source_folder(struct debian *debian, const char *folder, struct printbuf *err)
{
	struct dirent **list = NULL;
	int nr = scandir(folder, &list, NULL, alphasort), error = 0;
	for (int i = 0; i < nr; i++) {
		bool is_deb822 = ends_with(list[i]->d_name, ".sources");
		char *path = lab_path(folder, list[i]->d_name);
		if (!error && path && (is_deb822 || ends_with(list[i]->d_name, ".list")))
			error = add_source_file(debian, path, is_deb822, err);
		free(path);
		free(list[i]);
	}
	free(list);
	return error;
}

static int read_release(struct debian *debian, struct printbuf *err)
{
	size_t nr = 0;
	struct utsname machine;
	char *text = read_text("/etc/os-release", &nr);
	char *id = text ? os_release_value(text, "ID") : NULL;
	char *number = text ? os_release_value(text, "VERSION_ID") : NULL;
	debian->release = text ? os_release_value(text, "VERSION_CODENAME") : NULL;
	debian->release_nr = number ? strtoul(number, NULL, 10) : 0;
	int error = 0;
	if (!id || strcmp(id, "debian") != 0)
		error = error_set(
			err, -EOPNOTSUPP,
			"this system (%s) is not Debian, from whose archive the lab is "
			"fetched; copy the cache folder of a Debian machine here, or name "
			"your own with BERTH_LAB_QEMU and --kernel PATH",
			id ? id : "no ID in /etc/os-release");
	else if (!debian->release)
		error = error_set(err, -EOPNOTSUPP,
				  "/etc/os-release: no VERSION_CODENAME, so the release's name is "
				  "not known; add one");
	else if (uname(&machine) == 0 && strcmp(machine.machine, "x86_64") != 0)
		error = error_set(err, -EOPNOTSUPP,
				  "this machine is %s; the lab runs on x86_64 only",
				  machine.machine);
	free(id);
	free(number);
	free(text);
	return error;
}

/* The release's entry, by its name or by what it is called now. */
static const struct apt_entry *find_entry(const struct debian *debian, const char *tail)
{
	const char *const names[] = { debian->release, "stable", "oldstable", "testing",
				      "unstable" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		PRINTBUF(suite);
		prt_printf(&suite, "%s%s", names[i], tail);
		const struct apt_entry *entry = apt_entries_find(&debian->entries,
								 printbuf_str(&suite), names[i]);
		if (entry)
			return entry;
	}
	return NULL;
}

static int read_all(struct debian *debian, struct printbuf *err)
{
	int error = read_release(debian, err);
	if (!error)
		error = add_source_file(debian, "/etc/apt/sources.list", false, err);
	if (!error)
		error = add_source_folder(debian, "/etc/apt/sources.list.d", err);
	if (error)
		return error;
	debian->main = find_entry(debian, "");
	debian->security = find_entry(debian, "-security");
	debian->updates = find_entry(debian, "-updates");
	if (!debian->main)
		return error_set(err, -EOPNOTSUPP,
				 "/etc/apt: no entry for %s main, from which the lab's sources are "
				 "derived; add Debian's own (sources.list(5))",
				 debian->release);
	return 0;
}

int debian_init(struct debian *ret, struct printbuf *err)
{
	struct debian debian = {};
	int error = read_all(&debian, err);
	if (error) {
		debian_fini(&debian);
		return error;
	}
	*ret = debian;
	return 0;
}

void debian_fini(struct debian *debian)
{
	apt_entries_fini(&debian->entries);
	free(debian->release);
	*debian = (struct debian){};
}

char *debian_backports(const struct debian *debian)
{
	PRINTBUF(suite);
	if (debian->release_nr == 0 || debian->release_nr >= FIRST_RELEASE_WITH_QEMU)
		return NULL;
	prt_printf(&suite, "%s-backports", debian->release);
	return printbuf_steal(&suite, NULL);
}

void debian_qemu_sources(const struct debian *debian, struct printbuf *out)
{
	PRINTBUF(suites);
	char *backports = debian_backports(debian);
	prt_printf(&suites, "%s %s", debian->release, backports ? backports : "");
	free(backports);
	apt_entry_derive(out, debian->main, printbuf_str(&suites));
	printbuf_reset(&suites);
	prt_printf(&suites, "%s-updates", debian->release);
	if (debian->updates)
		apt_entry_derive(out, debian->updates, printbuf_str(&suites));
	printbuf_reset(&suites);
	prt_printf(&suites, "%s-security", debian->release);
	if (debian->security)
		apt_entry_derive(out, debian->security, printbuf_str(&suites));
}

/* A suite named twice would be fetched twice. */
static void add_suite(struct printbuf *suites, const char *suite)
{
	size_t len = strlen(suite);
	for (const char *at = printbuf_str(suites); *at;) {
		size_t word = strcspn(at, " ");
		if (word == len && strncmp(at, suite, len) == 0)
			return;
		at += word + (at[word] == ' ');
	}
	prt_printf(suites, "%s%s", suites->pos ? " " : "", suite);
}

void debian_kernel_sources(const struct debian *debian, const char *const *series, size_t nr_series,
			   struct printbuf *out)
{
	PRINTBUF(own);
	PRINTBUF(archive);
	PRINTBUF(security);
	prt_printf(&own, "%s-security", debian->release);
	for (size_t i = 0; i < nr_series * ARRAY_SIZE(series_sources); i++) {
		const struct series_source *source = &series_sources[i / nr_series];
		if (strcmp(source->series, series[i % nr_series]) != 0)
			continue;
		add_suite(&archive, source->suite);
		if (source->from_own_release)
			add_suite(&security, printbuf_str(&own));
		if (source->security)
			add_suite(&security, source->security);
	}
	if (archive.pos)
		apt_entry_derive(out, debian->main, printbuf_str(&archive));
	if (security.pos && debian->security)
		apt_entry_derive(out, debian->security, printbuf_str(&security));
}
