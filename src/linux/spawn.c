/* SPDX-License-Identifier: MIT */
/* Starting a program held (spawn.h). Source: clone3(2), kernel/fork.c (6.12). */
#include "linux/spawn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

static long call_clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

long (*spawn_clone3)(struct clone_args *args, size_t size) = call_clone3;

struct pipes {
	int hold[2], error[2];
};

static _Noreturn void become(char *const arguments[], const struct pipes *pipes,
			     const sigset_t *mask)
{
	char byte;
	ssize_t nr;
	close(pipes->hold[1]); /* else the end of the parent is not seen */
	do
		nr = read(pipes->hold[0], &byte, 1);
	while (nr < 0 && errno == EINTR);
	if (nr != 1)
		_exit(EXIT_CANNOT_RUN); /* berth died before it was placed: nothing is to run */
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(arguments[0], arguments);
	int error = errno;
	nr = write(pipes->error[1], &error, sizeof(error));
	_exit(spawn_exit_status(-error) + (nr < 0));
}

static long try_clone3(int cgroup_fd, int *pidfd)
{
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)pidfd,
				   .exit_signal = SIGCHLD };
	size_t size = CLONE_ARGS_SIZE_VER0;
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		size = CLONE_ARGS_SIZE_VER2;
	}
	return spawn_clone3(&args, size);
}

static bool is_refused_cgroup(int error)
{
	return error == E2BIG || error == EACCES || error == EBUSY || error == EOPNOTSUPP ||
	       error == EBADF || error == ENODEV || error == EINVAL;
}

/* 0 in the child. */
static pid_t give_birth(int cgroup_fd, struct spawned *spawned)
{
	long pid = -1;
	spawned->pidfd = -1;
	spawned->is_in_cgroup = false;
	if (cgroup_fd >= 0) {
		pid = try_clone3(cgroup_fd, &spawned->pidfd);
		spawned->is_in_cgroup = pid > 0;
	}
	if (pid < 0 && (cgroup_fd < 0 || is_refused_cgroup(errno)))
		pid = try_clone3(-1, &spawned->pidfd);
	if (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG || errno == EINVAL)) {
		pid = fork();
		if (pid > 0)
			spawned->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	return (pid_t)pid;
}

static void close_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

int spawn_held(char *const arguments[], int cgroup_fd, const sigset_t *mask, struct spawned *ret)
{
	struct pipes pipes;
	struct spawned spawned = { 0 };
	if (pipe2(pipes.hold, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(pipes.error, O_CLOEXEC) < 0) {
		int error = -errno;
		close_pipe(pipes.hold);
		return error;
	}
	spawned.pid = give_birth(cgroup_fd, &spawned);
	if (spawned.pid == 0)
		become(arguments, &pipes, mask);
	int error = spawned.pid < 0 ? -errno : 0;
	close(pipes.hold[0]);
	close(pipes.error[1]);
	spawned.hold_fd = pipes.hold[1];
	spawned.error_fd = pipes.error[0];
	if (error) {
		close(spawned.hold_fd);
		close(spawned.error_fd);
		return error;
	}
	*ret = spawned;
	return 0;
}

static void reap(struct spawned *spawned)
{
	while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (spawned->pidfd >= 0)
		close(spawned->pidfd);
	spawned->pidfd = -1;
}

int spawn_release(struct spawned *spawned)
{
	int child_errno = 0;
	ssize_t nr;
	if (write(spawned->hold_fd, "", 1) != 1)
		child_errno = errno; /* it was killed while it was held: waiting tells how */
	close(spawned->hold_fd);
	do
		nr = read(spawned->error_fd, &child_errno, sizeof(child_errno));
	while (nr < 0 && errno == EINTR);
	close(spawned->error_fd);
	if (nr != sizeof(child_errno))
		return 0;
	reap(spawned);
	return -child_errno;
}

void spawn_abandon(struct spawned *spawned)
{
	close(spawned->hold_fd);
	close(spawned->error_fd);
	reap(spawned);
}

int spawn_exit_status(int exec_error)
{
	return exec_error == -ENOENT || exec_error == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
