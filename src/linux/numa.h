/* SPDX-License-Identifier: MIT */
/*
 * The kernel's calls about memory nodes, as they are: nodes are sets of ids, errors are negative
 * errnos. No libnuma: these are six system calls, and a mask of any length is what it lacks.
 *
 * WHAT CHANGES WHAT: numa_bind() and numa_set_policy() concern pages that are touched from then
 * on; numa_move() moves those that are there. None of them is the truth about a page: ask
 * numa_where().
 *
 * Errors that have a meaning: -ENOSYS a kernel without NUMA, -EPERM forbidden (a container's
 * seccomp filter does so), -EINVAL no such node or a cpuset that does not allow any of them.
 *
 * Source: mm/mempolicy.c, mm/migrate.c (6.12); set_mempolicy(2), mbind(2), move_pages(2).
 */
#ifndef BERTH_LINUX_NUMA_H
#define BERTH_LINUX_NUMA_H

#include <sys/types.h>

#include "base/set.h"
#include "base/types.h"

enum numa_policy { /* the kernel's numbers */
		   NUMA_DEFAULT,
		   NUMA_PREFERRED, /* one node first, then any */
		   NUMA_BIND,	   /* these nodes or the out-of-memory killer */
		   NUMA_INTERLEAVE,
		   NUMA_LOCAL,
		   NUMA_PREFERRED_MANY,	     /* 5.15 */
		   NUMA_WEIGHTED_INTERLEAVE, /* 6.9 */
};

/* The policy of a range, whole pages; pages that are there already stay where they are. */
int numa_bind(void *start, size_t nr_bytes, enum numa_policy policy, const struct set *nodes);
/* The policy of the calling thread and of what it starts; NUMA_DEFAULT and NUMA_LOCAL take an empty
 * set. */
int numa_set_policy(enum numa_policy policy, const struct set *nodes);
/* Of the calling thread. `ret_nodes` is initialised here, set_fini() after. */
int numa_get_policy(enum numa_policy *ret_policy, struct set *ret_nodes);
/* The nodes on which the calling thread's cpuset lets it have memory. */
int numa_allowed(struct set *ret_nodes);
/* The node of one page of ours; a page that was never touched is touched by asking. */
int numa_node_of(const void *address, uint32_t *ret_node);
/* For each page of `pid` (0: ourselves) its node, or a negative errno (-ENOENT: not present). */
int numa_where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes);
/* Moves each page to its node; `ret_nodes` tells where each is afterwards, or a negative errno.
 * Returns how many were refused for reasons of their own, or a negative errno. */
int64_t numa_move(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes);

#endif
