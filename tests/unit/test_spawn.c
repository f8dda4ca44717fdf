/* SPDX-License-Identifier: MIT */
/* Starting a program held, by clone3 and where the kernel or a filter refuses it in any way. */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/spawn.h"

static int errors[3]; /* of the first, second and third clone3; 0: it works */
static int nr_calls;
static bool asked_cgroup[3];
static long (*real_clone3)(struct clone_args *args, size_t size);

static long refusing_clone3(struct clone_args *args, size_t size)
{
	int call = nr_calls++;
	assert_true(call < 3);
	asked_cgroup[call] = args->flags & CLONE_INTO_CGROUP;
	/* An old kernel knows only the first version of the structure. */
	assert_int_equal(size, asked_cgroup[call] ? CLONE_ARGS_SIZE_VER2 : CLONE_ARGS_SIZE_VER0);
	if (errors[call]) {
		errno = errors[call];
		return -1;
	}
	args->flags &= ~(uint64_t)CLONE_INTO_CGROUP; /* the tests have no group to be born in */
	return real_clone3(args, CLONE_ARGS_SIZE_VER0);
}

static int start(int first, int second, int cgroup_fd, struct spawned *ret)
{
	char *const arguments[] = { (char *)"sh", (char *)"-c", (char *)"exit 9", NULL };
	sigset_t mask;
	sigemptyset(&mask);
	errors[0] = first;
	errors[1] = second;
	errors[2] = 0;
	nr_calls = 0;
	if (!real_clone3)
		real_clone3 = spawn_clone3;
	spawn_clone3 = refusing_clone3;
	return spawn_held(arguments, cgroup_fd, &mask, ret);
}

static void expect_works(int first, int second, int cgroup_fd, int expected_calls, bool in_cgroup)
{
	struct spawned spawned;
	int status;
	assert_int_equal(start(first, second, cgroup_fd, &spawned), 0);
	assert_int_equal(nr_calls, expected_calls);
	assert_int_equal(spawned.is_in_cgroup, in_cgroup);
	assert_true(spawned.pidfd >= 0);
	assert_int_equal(waitpid(spawned.pid, &status, WNOHANG), 0); /* it is held */
	assert_int_equal(spawn_release(&spawned), 0);
	assert_int_equal(waitpid(spawned.pid, &status, 0), spawned.pid);
	assert_int_equal(WEXITSTATUS(status), 9);
	close(spawned.pidfd);
}

static void test_clone3_works(void **state)
{
	expect_works(0, 0, -1, 1, false);
	assert_false(asked_cgroup[0]);
	expect_works(0, 0, 0, 1, true);
	assert_true(asked_cgroup[0]);
}

static void test_no_clone3(void **state)
{
	expect_works(ENOSYS, 0, -1, 1, false);
	expect_works(ENOSYS, 0, 0, 1, false);
}

static void test_clone3_is_filtered(void **state)
{
	expect_works(EPERM, 0, -1, 1, false);
	expect_works(EPERM, 0, 0, 1, false);
}

static void test_old_clone3_knows_no_cgroup(void **state)
{
	expect_works(E2BIG, 0, 0, 2, false);
	assert_true(asked_cgroup[0]);
	assert_false(asked_cgroup[1]);
	expect_works(E2BIG, ENOSYS, 0, 2, false);
	expect_works(EACCES, EPERM, 0, 2, false);
	expect_works(EBUSY, 0, 0, 2, false);
}

static void test_no_processes_left(void **state)
{
	struct spawned spawned;
	assert_int_equal(start(EAGAIN, 0, -1, &spawned), -EAGAIN);
	assert_int_equal(nr_calls, 1);
	assert_int_equal(start(ENOMEM, 0, 0, &spawned), -ENOMEM);
}

static void test_abandoned_never_runs(void **state)
{
	struct spawned spawned;
	assert_int_equal(start(0, 0, -1, &spawned), 0);
	spawn_abandon(&spawned);
	assert_int_equal(waitpid(spawned.pid, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
}

static void expect_exec_error(const char *program, int error, int status)
{
	char *const arguments[] = { (char *)program, NULL };
	struct spawned spawned;
	sigset_t mask;
	sigemptyset(&mask);
	assert_int_equal(spawn_held(arguments, -1, &mask, &spawned), 0);
	assert_int_equal(spawn_release(&spawned), error);
	assert_int_equal(spawn_exit_status(error), status);
}

static void test_errors_of_exec_come_back(void **state)
{
	if (real_clone3)
		spawn_clone3 = real_clone3;
	expect_exec_error("/nonexistent", -ENOENT, 127);
	expect_exec_error("/etc/passwd", -EACCES, 126);
	expect_exec_error("/etc/passwd/x", -ENOTDIR, 127);
}

static void test_killed_while_held(void **state)
{
	struct spawned spawned;
	int status;
	sigset_t mask, pipe_signal;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe_signal, &mask); /* as the caller does */
	char *const arguments[] = { (char *)"true", NULL };
	assert_int_equal(spawn_held(arguments, -1, &mask, &spawned), 0);
	kill(spawned.pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)spawned.pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(spawn_release(&spawned), 0);
	assert_int_equal(waitpid(spawned.pid, &status, 0), spawned.pid);
	assert_true(WIFSIGNALED(status));
	close(spawned.pidfd);
}
