/* SPDX-License-Identifier: MIT */
/*
 * A private apt: its sources, lists and settings below one folder, the system's own untouched.
 *
 *     FOLDER/apt.conf             read instead of the system's (APT_CONFIG)
 *     FOLDER/berth.sources        what apt_entry_derive() wrote
 *     FOLDER/lists, cache, status
 *
 * Signatures are verified as ever; no root needed, nothing installed. Of the system's settings
 * those of Acquire (proxies, timeouts, credentials) are kept.
 */
#ifndef BERTH_LAB_APT_H
#define BERTH_LAB_APT_H

#include "lab/launcher/apt_records.h"
#include "lab/launcher/cache.h"

struct apt_view {
	const char *folder;
	const struct lab_setup_options *options; /* for progress */
	bool knows_installed; /* resolves against what the system has installed, not from nothing */
	char *environment;    /* "APT_CONFIG=FOLDER/apt.conf" */
};

/* Writes FOLDER's files. The folder is made. */
int apt_view_init(struct apt_view *view, const char *sources, struct printbuf *err);
void apt_view_fini(struct apt_view *view);

/* All: -ENETUNREACH, -ENOSPC, -EIO with apt's first word, -EOPNOTSUPP no apt, -EINTR. */
int apt_update(struct apt_view *view, const char *what, struct printbuf *err);
/* The candidates of `names` (NULL-terminated); packages that do not exist are left out. */
int apt_show(struct apt_view *view, const char *const *names, struct apt_packages *ret,
	     struct printbuf *err);
/* Names that begin with `prefix`, one a line. */
int apt_names(struct apt_view *view, const char *prefix, struct printbuf *ret,
	      struct printbuf *err);
/* What must be unpacked so that `package` of `suite` (NULL: any) runs here, in full (apt_show). */
int apt_plan(struct apt_view *view, const char *package, const char *suite,
	     struct apt_packages *ret, struct printbuf *err);
/* Fetches exactly these into `directory`; what is there already, whole, is not fetched again, what
 * is not among them is removed. */
int apt_fetch(struct apt_view *view, const struct apt_packages *packages, const char *directory,
	      const char *what, struct printbuf *err);

/* The sentence for a process_run() that did not return 0. */
int explain_failure(int status, const char *program, const char *doing, const char *said,
		    struct printbuf *err);
/* Runs a program; its failure becomes a sentence that begins with `doing`. */
int run_tool(const char *const *argv, const char *directory, const char *doing,
	     struct printbuf *err);

#endif
