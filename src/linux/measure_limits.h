/* SPDX-License-Identifier: MIT */
/* What bounds a measurement: caches, memory limits of cgroups, CPUs that may be used. */
#ifndef BERTH_LINUX_MEASURE_LIMITS_H
#define BERTH_LINUX_MEASURE_LIMITS_H

#include "base/set.h"

/* The largest cache that one CPU of the set has, and what all of them have together (shared ones
 * counted once); 0 where the kernel does not tell. */
void measure_caches(const struct set *cpus, uint64_t *ret_largest_bytes, uint64_t *ret_total_bytes);
/* Bytes until this process' cgroup, or one above it, is at its limit; UINT64_MAX: no limit. */
uint64_t measure_cgroup_room(void);
/* The CPUs on which the kernel (its cpuset) lets threads of ours run. */
int measure_allowed_cpus(struct set *ret);

#endif
