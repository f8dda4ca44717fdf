/* SPDX-License-Identifier: MIT */
/*
 * What apt's source entries say, and entries for other suites derived from them: text in, text
 * out, no files.
 *
 *     deb822 (*.sources)                       one line (*.list)
 *     Types: deb                               deb [signed-by=KEY arch=amd64] URI SUITE main
 *     URIs: URI...
 *     Suites: SUITE...
 *     Components: main
 *     Signed-By: KEY, or the key itself
 *
 * Each URI and suite becomes one apt_entry. apt_entries_find() picks the entry that is the
 * machine's own Debian among those of strangers; apt_entry_derive() writes it with other suites.
 * What an entry demands of signatures is kept; what it waives (trusted=yes) is not.
 */
#ifndef BERTH_LAB_APT_SOURCES_H
#define BERTH_LAB_APT_SOURCES_H

#include "base/printbuf.h"

#define APT_MAX_TEXT	((size_t)1 << 20) /* bytes of one file */
#define APT_MAX_ENTRIES 4096

struct apt_entry {
	char *uri, *suite;
	char *signed_by; /* a path, or lines of a key each but the first with its indent; NULL */
	bool has_main;	 /* among its components */
	bool is_amd64;	 /* not confined to other architectures */
};

struct apt_entries {
	struct apt_entry *items;
	size_t nr;
};

/* Appends the entries of `text` (nr bytes, any bytes). Lines that make no sense are passed over, as
 * they are not ours to judge. -E2BIG, -ENOMEM. */
int apt_entries_parse(struct apt_entries *entries, const char *text, size_t nr, bool is_deb822);
void apt_entries_fini(struct apt_entries *entries);

/* Debian's own entry for `suite`, or NULL: what names Debian's keyring, has other suites of the
 * release beside it, or ends in /debian, comes before what does not; then the first. `release` is
 * the name that begins those other suites. */
const struct apt_entry *apt_entries_find(const struct apt_entries *entries, const char *suite,
					 const char *release);
/* A deb822 stanza: component main, amd64, `suites` separated by blanks. */
void apt_entry_derive(struct printbuf *out, const struct apt_entry *entry, const char *suites);

/* The value of KEY=VALUE or KEY="VALUE" in an os-release file; malloc'ed, NULL: not there. */
char *os_release_value(const char *text, const char *key);

#endif
