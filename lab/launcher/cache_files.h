/* SPDX-License-Identifier: MIT */
/* What finding and setup share about the files of the cache folder (see cache.h). */
#ifndef BERTH_LAB_CACHE_FILES_H
#define BERTH_LAB_CACHE_FILES_H

#include "lab/launcher/cache.h"

/* malloc'ed; NULL: out of memory, or not there. */
char *lab_path(const char *directory, const char *name);
char *lab_path_if_there(const char *directory, const char *name);
char *lab_read_line(const char *directory, const char *name); /* the first, of a short file */

/* The version in what `qemu --version` says, malloc'ed; NULL: it is not there. */
char *lab_qemu_parse_version(const char *text);
/* The system's, when it is new enough; the one unpacked in `tree`. */
bool lab_qemu_system(struct lab_qemu *ret);
bool lab_qemu_in(const char *tree, struct lab_qemu *ret);
/* It starts: its libraries are all there. -ENOEXEC and a sentence. ret_version: malloc'ed, or
 * NULL. */
int lab_qemu_check(const struct lab_qemu *qemu, char **ret_version, struct printbuf *err);

#define LAB_KERNELS_MAX 8 /* series in lab_kernel_series[], and more */

/* -EINVAL and a sentence that names the known. */
int lab_kernel_check_series(const char *name, struct printbuf *err);
/* The kernel in a folder of the cache's layout. -ENOENT without text: not there. */
int lab_kernel_in(const char *folder, const char *series, struct lab_kernel *ret,
		  struct printbuf *err);
/* "6.12.95+deb12-amd64" of a bzImage, malloc'ed. */
int lab_kernel_read_version(const char *path, char **ret, struct printbuf *err);

/* Makes or replaces the file. */
int lab_write_text(const char *folder, const char *name, const struct printbuf *text,
		   struct printbuf *err);

#endif
