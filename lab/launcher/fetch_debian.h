/* SPDX-License-Identifier: MIT */
/* Which Debian this machine runs and where it gets it from; sources for other suites of it. */
#ifndef BERTH_LAB_FETCH_DEBIAN_H
#define BERTH_LAB_FETCH_DEBIAN_H

#include "lab/launcher/apt_sources.h"

struct debian {
	char *release;		  /* "bookworm" */
	unsigned long release_nr; /* 12; 0: testing or unstable */
	struct apt_entries entries;
	const struct apt_entry *main, *security, *updates; /* NULL: has none (main: always) */
};

/* Reads /etc/os-release and apt's source entries. -EOPNOTSUPP: not a Debian, or not x86_64. */
int debian_init(struct debian *ret, struct printbuf *err);
void debian_fini(struct debian *debian);

/* The suite that has QEMU 10 when the release itself has not: "bookworm-backports"; else NULL.
 * malloc'ed. */
char *debian_backports(const struct debian *debian);
void debian_qemu_sources(const struct debian *debian, struct printbuf *out);
/* Series as in lab_kernel_series[]. */
void debian_kernel_sources(const struct debian *debian, const char *const *series, size_t nr_series,
			   struct printbuf *out);

#endif
