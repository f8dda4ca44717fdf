/* SPDX-License-Identifier: MIT */
/*
 * A trigger of the kernel's pressure stall information: a descriptor on which poll(POLLPRI) wakes
 * when tasks wait for a CPU, so that nobody has to look.
 *
 *     which        whose tasks                         since
 *     GROUP/cpu.pressure   those of a cgroup v2 group  Linux 5.2
 *     /proc/pressure/cpu   all of the machine          Linux 5.2
 *
 * 10 ms of waiting in half a second wake it, after at most 60 ms. That needs CAP_SYS_RESOURCE;
 * others are served by the kernel every 2 s, which is too late to be of use.
 *
 * Cost: nothing until it wakes; one event per half second at most. While tasks of those run, the
 * kernel counts every 50 ms.
 * Source: Documentation/accounting/psi.rst, kernel/sched/psi.c (6.12): psi_trigger_create,
 * window of 500 ms to 10 s, evaluated ten times in each.
 */
#ifndef BERTH_LINUX_PRESSURE_H
#define BERTH_LINUX_PRESSURE_H

#include "base/types.h"
#include "machine/root.h"

#define PRESSURE_BLIND_NS (500 * NS_PER_MS) /* after it has told of something, it tells nothing */

/* The same for memory.pressure and /proc/pressure/memory: 25 ms in half a second of waiting for
 * memory to be reclaimed or read back. */
int pressure_open_memory(const struct root *root, const char *group);
/* `group`: path of a cgroup v2 group below the root, or NULL. A descriptor; -errno when there is
 * none. */
int pressure_open(const struct root *root, const char *group);

#endif
