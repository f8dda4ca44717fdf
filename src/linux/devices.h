/* SPDX-License-Identifier: MIT */
/*
 * Which parts of a process's memory are a device's: DMA-BUFs, and files of /dev. Their page table
 * entries lead to memory that looks like any other, but no page of it is the process's, and no
 * interface of the kernel tells of it: pagemap shows holes there, move_pages that nothing is
 * mapped. So they are told by their names in /proc/PID/maps.
 *
 * Cost: one reading of maps.
 * Names: drivers/dma-buf/dma-buf.c (dmabuffs_dname), fs/anon_inodes.c (6.12).
 */
#ifndef BERTH_LINUX_DEVICES_H
#define BERTH_LINUX_DEVICES_H

#include <sys/types.h>

#include "machine/root.h"

#define DEVICES_MAX 256 /* areas of one process; more are not told apart */

struct device_area { /* whole pages */
	uint64_t first, end;
};

struct devices {
	struct device_area areas[DEVICES_MAX];
	uint32_t nr;
};

/* None when the process has ended. */
void devices_find(const struct root *root, pid_t pid, uint32_t page_bytes, struct devices *ret);
bool devices_hold(const struct devices *devices, uint64_t page);
/* By the name of what is mapped, as maps shows it. */
bool devices_is_name(const char *name);

#endif
