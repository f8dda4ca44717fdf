/* SPDX-License-Identifier: MIT */
/*
 * A program's start in two steps: born (in its cgroup where the kernel can), then placed by the
 * parent, then let go. Until then it waits before its exec, so that it runs no instruction of its
 * own in the wrong place.
 *
 *     clone3(CLONE_PIDFD | CLONE_INTO_CGROUP)
 *        E2BIG (before 5.7: no cgroup), EACCES, EBUSY, EOPNOTSUPP -> clone3(CLONE_PIDFD)
 *        ENOSYS (before 5.3), EPERM (a filter of system calls)    -> fork, pidfd_open
 *           no pidfd either -> -1: SIGCHLD tells the end
 *
 * The child gets the signals as they were before the caller blocked some, and its errno of exec
 * comes back through a pipe that a successful exec closes.
 */
#ifndef BERTH_LINUX_SPAWN_H
#define BERTH_LINUX_SPAWN_H

#include <linux/sched.h>
#include <signal.h>
#include <sys/types.h>

#include "base/types.h"

struct spawned {
	pid_t pid;
	int pidfd;	   /* -1: none */
	int hold_fd;	   /* a byte into it lets the child go */
	int error_fd;	   /* the child's errno comes out of it */
	bool is_in_cgroup; /* born in it */
};

/* cgroup_fd: -1 for none. */
int spawn_held(char *const arguments[], int cgroup_fd, const sigset_t *mask, struct spawned *ret);
/* Lets it run; 0, or the negative errno of exec (then it is reaped). */
int spawn_release(struct spawned *spawned);
/* It never ran: ended and reaped. */
void spawn_abandon(struct spawned *spawned);
/* As env(1): 126 cannot be run, 127 not found. */
int spawn_exit_status(int exec_error);

/* The system call, replaceable in tests: returns as clone3(2) through libc does. */
extern long (*spawn_clone3)(struct clone_args *args, size_t size);

#endif
