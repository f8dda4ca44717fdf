/* SPDX-License-Identifier: MIT */
/* Tar files of captured roots: unpacking what somebody else made, and writing our own. */
#ifndef BERTH_MACHINE_TAR_H
#define BERTH_MACHINE_TAR_H

#include "base/printbuf.h"
#include "base/types.h"

#define TAR_MAX_ENTRIES ((size_t)1 << 20)
#define TAR_MAX_BYTES	((uint64_t)256 << 20) /* of all files together */

/* Unpacks the tar into the directory, which must be empty and private. Regular files (at most
 * 1 MiB each), directories and symbolic links that stay inside; whatever else is refused with
 * -EBADMSG and a sentence. */
int tar_extract(const char *path, const char *directory, struct printbuf *err);

/* Removes a directory and all below it. */
void tar_remove_tree(const char *directory);

/* Appends entries to `out`; -ENAMETOOLONG when ustar cannot hold the name. Missing parent
 * directories need no entry. */
int tar_add_file(struct printbuf *out, const char *name, const char *bytes, size_t nr_bytes);
int tar_add_link(struct printbuf *out, const char *name, const char *target);
void tar_finish(struct printbuf *out);

#endif
