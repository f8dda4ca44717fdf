/* SPDX-License-Identifier: MIT */
/*
 * The group of a job: a cgroup with the cpuset controller below the one that berth is in, version 2
 * or 1, whichever has cpusets here. A cpuset leaves the masks that the program set for itself as
 * they are and only cuts them, so it is the better of the two ways to hold a job.
 *
 *     version 2: OWN/berth-PID-START   when OWN hands out cpuset, or can be told to (journalled);
 *                                      else beside OWN, when the group above hands it out
 *     version 1: OWN/berth-PID-START   cpuset.mems is copied, as an empty one takes no process
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cpusets.rst (6.12).
 */
#ifndef BERTH_LINUX_CGROUP_H
#define BERTH_LINUX_CGROUP_H

#include "linux/process.h"

#define CGROUP_PREFIX "berth-"

struct cgroup {
	int version;  /* 0: none */
	char *home;   /* the group of this process, below the root */
	char *parent; /* where the job's group is made: home, or the one above */
	char *path;   /* the job's group; NULL until it is made */
};

/* Where this process is. -ENOENT: no cpuset controller; -EACCES: no group may be made there. */
int cgroup_find(const struct root *root, struct cgroup *ret);
int cgroup_make(const struct root *root, struct cgroup *group, const struct journal_owner *owner,
		struct journal *journal, struct printbuf *err);
int cgroup_set_cpus(const struct root *root, const struct cgroup *group, const char *cpus);
/* What the kernel granted. */
int cgroup_get_cpus(const struct root *root, const struct cgroup *group, struct set *ret);
int cgroup_attach(const struct root *root, const struct cgroup *group, pid_t pid);
/* Up to `max` of its processes; 1: there are more. */
int cgroup_processes(const struct root *root, const struct cgroup *group, size_t max,
		     struct task_list *ret);
/* The processes in it are moved to `back`, then it is removed. -ENOENT: it is gone. */
int cgroup_remove(const struct root *root, const char *path, const char *back);
void cgroup_fini(struct cgroup *group);

#endif
