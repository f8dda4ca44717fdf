/* SPDX-License-Identifier: MIT */
/*
 * The guest's first root, a cpio archive in memory: /init (the agent), the modules, /lab.conf.
 */
#ifndef BERTH_LAB_INITRD_H
#define BERTH_LAB_INITRD_H

#include "base/printbuf.h"
#include "lab/launcher/conf.h"

/* `agent`: path of berth-agent; `conf`: the text of /lab.conf. The descriptor is a sealed memory
 * file, close-on-exec: dup it in the child and give QEMU -initrd /proc/self/fd/N. */
int lab_initrd(const char *agent, const struct lab_kernel *kernel,
	       const struct lab_modules *modules, const struct printbuf *conf, int *ret_fd,
	       struct printbuf *err);

/* Pieces, for tests: the archive is written to a printbuf. */
void lab_cpio_directory(struct printbuf *out, const char *name);
void lab_cpio_device(struct printbuf *out, const char *name, unsigned major, unsigned minor);
void lab_cpio_file(struct printbuf *out, const char *name, unsigned mode, const void *bytes,
		   size_t nr_bytes);
void lab_cpio_end(struct printbuf *out);

#endif
