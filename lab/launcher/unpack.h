/* SPDX-License-Identifier: MIT */
/* Debian packages to the folders that the lab runs from. The folder given is made, filled, and
 * removed by the caller when this fails. */
#ifndef BERTH_LAB_UNPACK_H
#define BERTH_LAB_UNPACK_H

#include "lab/launcher/apt_records.h"

/* A tree with QEMU and its libraries; what the lab never runs is left out. */
int unpack_qemu(const char *debs, const struct apt_packages *packages, const char *folder,
		struct printbuf *err);
/* vmlinuz, config and modules/NAME.ko; checked to be complete. */
int unpack_kernel(const char *debs, const struct apt_packages *packages, const char *folder,
		  struct printbuf *err);

#endif
