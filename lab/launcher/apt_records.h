/* SPDX-License-Identifier: MIT */
/*
 * What apt says about packages: the records of `apt-cache show`, the plan of `apt-get -s install`,
 * the status lines of a download, and which of two versions is newer. Text in, no programs run.
 */
#ifndef BERTH_LAB_APT_RECORDS_H
#define BERTH_LAB_APT_RECORDS_H

#include "base/printbuf.h"

#define APT_MAX_PACKAGES 512

struct apt_package {
	char *name, *version, *architecture;
	uint64_t fetch_bytes, installed_bytes;
};

struct apt_packages {
	struct apt_package *items;
	size_t nr;
};

/* Of deb-version(7): below, equal to or above 0 as `a` is older than, the same as or newer than
 * `b`. A strict weak order for any text. */
int deb_version_compare(const char *a, const char *b);
/* The upstream version's first number: 10 of "1:10.0.2+ds-2"; 0: none. */
unsigned long deb_version_major(const char *version);
/* "NAME_VERSION_ARCH.deb" as apt names the file it fetches. */
char *deb_file_name(const struct apt_package *package);

/* Appends the records that have a name and a version. -E2BIG, -ENOMEM. */
int apt_records_parse(struct apt_packages *packages, const char *text);
/* Appends name and version of each "Inst" line that is needed to run what was asked for: packages
 * that are not installed, and upgrades of libraries and of QEMU's own parts. */
int apt_plan_parse(struct apt_packages *packages, const char *text);
void apt_packages_fini(struct apt_packages *packages);
struct apt_package *apt_packages_find(const struct apt_packages *packages, const char *name);

/* "dlstatus:1:23.5:Retrieving..." -> 23; -1: another line. */
int apt_status_percent(const char *line);

/* Whether `name` is a kernel image of `series` for any amd64 machine: PREFIX6.12.95+deb12-amd64,
 * but no -rt-amd64, -cloud-amd64, -unsigned, -dbg. */
bool kernel_name_fits(const char *name, const char *prefix, const char *series);

enum apt_trouble { APT_OTHER, APT_NO_NETWORK, APT_NO_SPACE, APT_NO_KEY };
/* What apt's or a program's messages tell; the first line that begins with E: or W: to `line`. */
enum apt_trouble apt_trouble(const char *said, struct printbuf *line);

#endif
