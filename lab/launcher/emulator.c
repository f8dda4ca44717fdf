/* SPDX-License-Identifier: MIT */
/* QEMU as a child process: see emulator.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/emulator.h"

static int make_pair(int *ours, int *theirs)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ours = pair[0];
	*theirs = pair[1];
	return 0;
}

int lab_emulator_init(struct lab_emulator *emulator, struct printbuf *err)
{
	*emulator = (struct lab_emulator){ .pidfd = -1,
					   .channel_fd = -1,
					   .console_fd = -1,
					   .errors_fd = -1,
					   .guest_channel_fd = -1,
					   .guest_console_fd = -1 };
	int error = make_pair(&emulator->channel_fd, &emulator->guest_channel_fd);
	if (!error)
		error = make_pair(&emulator->console_fd, &emulator->guest_console_fd);
	if (error)
		return error_set(err, error, "no socket for the guest: %s", error_text(error));
	fcntl(emulator->console_fd, F_SETFL, O_NONBLOCK);
	lab_emulator_keep(emulator, emulator->guest_channel_fd);
	lab_emulator_keep(emulator, emulator->guest_console_fd);
	return 0;
}

void lab_emulator_keep(struct lab_emulator *emulator, int fd)
{
	if (fd >= 0 && emulator->nr_keep < LAB_EMULATOR_MAX_FDS)
		emulator->keep[emulator->nr_keep++] = fd;
}

/* LD_LIBRARY_PATH put in front of what there is; huge pages for QEMU's own tables (its TLBs are
 * megabytes, looked up at random); the caller's environment otherwise. */
static int make_environment(const char *libraries, struct lab_words *ret)
{
	static const char name[] = "LD_LIBRARY_PATH=";
	const char *old = getenv("LD_LIBRARY_PATH");
	for (char **at = environ; *at; at++)
		if (!libraries || strncmp(*at, name, strlen(name)) != 0)
			lab_words_add(ret, *at);
	if (!getenv("GLIBC_TUNABLES"))
		lab_words_add(ret, "GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
	if (libraries)
		lab_words_addf(ret, "%s%s%s%s", name, libraries, old ? ":" : "", old ? old : "");
	return ret->has_error || !ret->items ? -ENOMEM : 0;
}

/* In the child, until exec: no memory is taken, nothing is printed. Reports errno by `report`. */
static void become_emulator(const struct lab_emulator *emulator, char *const *words,
			    char *const *environment, pid_t parent, int errors, int report)
{
	sigset_t none;
	sigemptyset(&none);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < emulator->nr_keep; i++)
		fcntl(emulator->keep[i], F_SETFD, 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (null >= 0 && dup2(null, 0) == 0 && dup2(errors, 1) == 1 && dup2(errors, 2) == 2 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		execve(words[0], words, environment);
	int error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(2);
	_exit(1);
}

/* The child's errno, when it could not become QEMU; 0 when its end of the pipe closed on exec. */
static int read_report(int report)
{
	int error = 0;
	ssize_t nr;
	do
		nr = read(report, &error, sizeof(error));
	while (nr < 0 && errno == EINTR);
	return nr == sizeof(error) ? -error : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int spawn(struct lab_emulator *emulator, char *const *words, char *const *environment,
		 int errors)
{
	int report[2];
	pid_t parent = getpid();
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		become_emulator(emulator, words, environment, parent, errors, report[1]);
	int error = pid < 0 ? -errno : 0;
	close(report[1]);
	if (!error) {
		emulator->pid = pid;
		emulator->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		error = emulator->pidfd < 0 ? -errno : read_report(report[0]);
	}
	close(report[0]);
	return error;
}

int lab_emulator_start(struct lab_emulator *emulator, const struct lab_words *words,
		       const char *libraries, struct printbuf *err)
{
	struct lab_words environment = { 0 };
	int errors[2] = { -1, -1 };
	int error = words->has_error ? -ENOMEM : make_environment(libraries, &environment);
	if (!error && pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0)
		error = -errno;
	if (!error)
		error = spawn(emulator, words->items, environment.items, errors[1]);
	emulator->errors_fd = errors[0];
	close_fd(&errors[1]);
	close_fd(&emulator->guest_channel_fd);
	close_fd(&emulator->guest_console_fd);
	if (error)
		error_set(err, error, "%s: cannot be started: %s",
			  words->nr ? words->items[0] : "QEMU", error_text(error));
	lab_words_fini(&environment);
	return error;
}

bool lab_emulator_reap(struct lab_emulator *emulator)
{
	if (emulator->pid && !emulator->is_reaped &&
	    waitpid(emulator->pid, &emulator->wait_status, WNOHANG) == emulator->pid)
		emulator->is_reaped = true;
	return emulator->is_reaped;
}

void lab_emulator_kill(struct lab_emulator *emulator)
{
	if (emulator->pid && !emulator->is_reaped)
		kill(emulator->pid, SIGKILL);
}

void lab_emulator_fini(struct lab_emulator *emulator)
{
	lab_emulator_kill(emulator);
	while (emulator->pid && !emulator->is_reaped) {
		pid_t pid = waitpid(emulator->pid, &emulator->wait_status, 0);
		emulator->is_reaped = pid == emulator->pid || errno != EINTR;
	}
	close_fd(&emulator->pidfd);
	close_fd(&emulator->channel_fd);
	close_fd(&emulator->console_fd);
	close_fd(&emulator->errors_fd);
	close_fd(&emulator->guest_channel_fd);
	close_fd(&emulator->guest_console_fd);
}
