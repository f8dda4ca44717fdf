/* SPDX-License-Identifier: MIT */
/*
 * Processes as the kernel shows them below a root's /proc: who somebody is such that a pid that is
 * used again is somebody else, which threads and children he has, and on which CPUs these may run.
 *
 * Cost: three system calls per file; the lists are bounded (PROCESS_MAX_TASKS).
 */
#ifndef BERTH_LINUX_PROCESS_H
#define BERTH_LINUX_PROCESS_H

#include <stdio.h>
#include <sys/types.h>

#include "base/set.h"
#include "engine/journal.h"
#include "machine/root.h"

#define PROCESS_MAX_TASKS 65536

struct task_list {
	pid_t *items;
	size_t nr;
};

/* Start time in clock ticks since boot. -ENOENT: no such process; -ESRCH: it ended and was not yet
 * waited for. */
int process_start_ticks(const struct root *root, pid_t pid, uint64_t *ret);
int process_boot_id(const struct root *root, char ret_boot[JOURNAL_BOOT_SIZE]);
/* This process, as owner of a journal. */
int process_self(const struct root *root, struct journal_owner *ret, struct printbuf *err);
bool process_is_alive(const struct root *root, const struct journal_owner *owner);
int process_threads(const struct root *root, pid_t pid, struct task_list *ret);
/* Up to `max` of them, in one read of the kernel's list. How many: none when it has ended. */
size_t process_some_threads(const struct root *root, pid_t pid, pid_t *ret, size_t max);
/* The process and all its descendants that are not orphans of somebody else. */
int process_tree(const struct root *root, pid_t pid, struct task_list *ret);
/* The same, as far as the children of each one's first `max_threads` threads tell. 1: there are
 * more than `max_processes`. */
int process_some_tree(const struct root *root, pid_t pid, size_t max_processes, size_t max_threads,
		      struct task_list *ret);
int task_list_add(struct task_list *list, pid_t pid);
void task_list_fini(struct task_list *list);

/* The host's only; -ESRCH: no such thread. */
int affinity_get(pid_t tid, struct set *ret);
int affinity_set(pid_t tid, const struct set *cpus);

/* 6012 for 6.12; 0: not known. */
uint32_t kernel_version(const struct root *root);
uint32_t kernel_version_of(const char *release); /* "6.12.0-rc1" */

/* Writing below a root: never creates a file. */
int rootfile_write(const struct root *root, const char *path, const char *text);
int rootfile_open(const struct root *root, const char *path, int flags);
/* A file of /proc/PID, to be read line by line; NULL: none, as after its end. */
FILE *process_open_lines(const struct root *root, pid_t pid, const char *name);

#endif
