/* SPDX-License-Identifier: MIT */
/* The kernel inside a bzImage, unpacked by the host, for a quicker boot. */
#ifndef BERTH_LAB_VMLINUX_H
#define BERTH_LAB_VMLINUX_H

#include "base/printbuf.h"

/* Unpacks `vmlinuz` into a sealed memory file (close-on-exec) that QEMU boots as its -kernel by the
 * PVH entry. -ENOTSUP with err saying why when this kernel cannot be booted so: boot the bzImage
 * itself. */
int lab_vmlinux(const char *vmlinuz, int *ret_fd, struct printbuf *err);

#endif
