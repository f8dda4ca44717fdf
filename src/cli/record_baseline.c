/* SPDX-License-Identifier: MIT */
/* `berth record --baseline`: the program once as it is, for its true time. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/record.h"

extern char **environ;

static uint64_t timeval_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

/* What the program reads it reads twice: the input must be one that can be wound back. */
static int keep_input(off_t *ret_offset, struct printbuf *err)
{
	*ret_offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (*ret_offset >= 0 || isatty(STDIN_FILENO) || errno == EBADF)
		return 0;
	return error_set(err, -EINVAL,
			 "--baseline runs the program twice, and standard input is a pipe that "
			 "cannot be read twice; redirect it from a file or /dev/null");
}

static int run_once(const struct record_program *program, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int error = posix_spawn(ret_pid, program->path, &actions, NULL, program->arguments,
				environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int record_baseline(const struct record_program *program, uint64_t *ret_wall_ns,
		    uint64_t *ret_cpu_ns, struct printbuf *err)
{
	off_t offset;
	pid_t pid;
	int error = keep_input(&offset, err);
	if (error)
		return error;
	uint64_t start = clock_now_ns();
	error = run_once(program, &pid);
	if (error)
		return error_set(err, error, "%s: cannot be run natively: %s", program->path,
				 error_text(error));
	struct rusage usage;
	int status;
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	*ret_wall_ns = clock_now_ns() - start;
	*ret_cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
	if (offset >= 0)
		lseek(STDIN_FILENO, offset, SEEK_SET);
	return 0;
}
