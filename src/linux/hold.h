/* SPDX-License-Identifier: MIT */
/*
 * Files of the kernel that berth writes for a time (sysctls, sysfs): the original goes to the
 * journal first, and comes back by undoing it.
 */
#ifndef BERTH_LINUX_HOLD_H
#define BERTH_LINUX_HOLD_H

#include "engine/journal.h"
#include "machine/root.h"

#define HOLD_KIND "file" /* of the journal; the object is the path below the root */

/* Journals the present value and writes `value`; nothing when it has that value already. Of a file
 * that marks one of several words with brackets the marked one is its value. */
int hold_file(const struct root *root, struct journal *journal, const char *path, const char *value,
	      struct printbuf *err);
/* As journal_ops.undo, for changes of HOLD_KIND. */
int hold_undo(const struct root *root, const struct journal_change *change,
	      enum journal_outcome *ret, struct printbuf *err);

#endif
