/* SPDX-License-Identifier: MIT */
/*
 * Running a program of the system (process.h).
 *
 *     feed --stdout--> program --stdout, stderr, 3--> poll loop --> out, said, status_line()
 *
 * Each program gets a process group of its own, so that what it started (apt's methods) ends with
 * it, and SIGKILL when we die. SIGINT and SIGTERM are blocked here and read from a signalfd: a
 * setup that is interrupted tidies up before it ends. With a limit, silence of that length on all
 * descriptors is a hang.
 */
#include "lab/launcher/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

#define STATUS_FD 3

enum { FD_OUT, FD_ERROR, FD_STATUS, FD_SIGNAL, NR_FDS };

struct running {
	const struct process *process;
	struct printbuf *texts[NR_FDS]; /* where what is read goes; NULL: nowhere */
	struct printbuf status;		/* a line not yet whole */
	int fds[NR_FDS];		/* -1: closed */
	pid_t pid, feed_pid;
	sigset_t old_mask;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* In the child: only async-signal-safe calls until exec. */
static void become(const char *const *argv, const struct running *running, int in, const int out[3])
{
	const struct process *process = running->process;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &running->old_mask, NULL);
	signal(SIGPIPE, SIG_DFL); /* CPython and others leave it ignored for us */
	dup2(in, STDIN_FILENO);
	dup2(out[0], STDOUT_FILENO);
	dup2(out[1], STDERR_FILENO);
	if (out[2] == STATUS_FD)
		fcntl(STATUS_FD, F_SETFD, 0);
	else if (out[2] >= 0)
		dup2(out[2], STATUS_FD);
	if (process->directory && chdir(process->directory) < 0)
		_exit(126);
	for (size_t i = 0; process->set && process->set[i]; i++)
		putenv((char *)process->set[i]);
	putenv((char *)"LC_ALL=C");
	putenv((char *)"LANGUAGE=C");
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Ends from 10 upwards, so that none is in the way of the child's 0 to 3. */
static int open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int high = fcntl(ends[i], F_DUPFD_CLOEXEC, 10);
		if (high >= 0) {
			close(ends[i]);
			ends[i] = high;
		}
	}
	return 0;
}

static pid_t start(const char *const *argv, const struct running *running, int in, const int out[3])
{
	pid_t pid = fork();
	if (pid == 0)
		become(argv, running, in, out);
	if (pid > 0)
		setpgid(pid, pid); /* both sides do it: whoever comes first */
	return pid < 0 ? -errno : pid;
}

static int start_both(struct running *running, const int out[3])
{
	int joint[2] = { -1, -1 };
	const struct process *process = running->process;
	int in = open("/dev/null", O_RDWR | O_CLOEXEC);
	int error = process->feed ? open_pipe(joint) : 0;
	if (in < 0)
		error = -errno;
	if (!error && process->feed) {
		const int feed_out[3] = { joint[1], out[1], -1 };
		running->feed_pid = start(process->feed, running, in, feed_out);
		error = MIN(running->feed_pid, 0);
	}
	if (!error) {
		running->pid = start(process->argv, running, process->feed ? joint[0] : in, out);
		error = MIN(running->pid, 0);
	}
	close_fd(&in);
	close_fd(&joint[0]);
	close_fd(&joint[1]);
	return error;
}

/* The mask in which `running` waits for signals by descriptor. */
static int catch_signals(struct running *running)
{
	sigset_t caught;
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigprocmask(SIG_BLOCK, &caught, &running->old_mask);
	running->fds[FD_SIGNAL] = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return running->fds[FD_SIGNAL] < 0 ? -errno : 0;
}

static int launch(struct running *running)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int error = catch_signals(running);
	for (int i = 0; i < 3 && !error; i++)
		error = open_pipe(pipes[i]);
	if (!error) {
		bool has_status = running->process->status_line;
		const int out[3] = { pipes[0][1], pipes[1][1], has_status ? pipes[2][1] : -1 };
		error = start_both(running, out);
	}
	for (int i = 0; i < 3; i++) {
		close_fd(&pipes[i][1]);
		running->fds[i] = pipes[i][0];
	}
	return error;
}

static void give_lines(struct running *running)
{
	struct printbuf *text = &running->status;
	size_t done = 0;
	if (!text->buf)
		return;
	for (char *end; (end = memchr(text->buf + done, '\n', text->pos - done));) {
		*end = '\0';
		running->process->status_line(running->process->data, text->buf + done);
		done = (size_t)(end + 1 - text->buf);
	}
	memmove(text->buf, text->buf + done, text->pos - done + 1);
	text->pos -= done;
	if (text->pos > 65536) /* no line of apt's: drop it */
		printbuf_reset(text);
}

/* 0, or -E2BIG when stdout is more than is kept. The rest of stderr is dropped. */
static int take(struct running *running, int which)
{
	char bytes[16384];
	struct printbuf *text = running->texts[which];
	ssize_t nr = read(running->fds[which], bytes, sizeof(bytes));
	if (nr < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (nr <= 0) {
		close_fd(&running->fds[which]);
		return 0;
	}
	if (which == FD_OUT && text && text->pos + (size_t)nr > PROCESS_OUTPUT_MAX)
		return -E2BIG;
	if (which == FD_ERROR && text && text->pos > PROCESS_ERROR_MAX)
		return 0;
	if (text)
		prt_mem(text, bytes, (size_t)nr);
	if (which == FD_STATUS && text)
		give_lines(running);
	return 0;
}

/* Until everything that the program could say is said. */
static int hear(struct running *running)
{
	uint64_t limit_ns = running->process->limit_ns;
	int timeout = limit_ns ? (int)MIN(limit_ns / NS_PER_MS, (uint64_t)INT32_MAX) : -1;
	while (running->fds[FD_OUT] >= 0 || running->fds[FD_ERROR] >= 0) {
		struct pollfd polls[NR_FDS];
		for (int i = 0; i < NR_FDS; i++)
			polls[i] = (struct pollfd){ .fd = running->fds[i], .events = POLLIN };
		int nr = poll(polls, NR_FDS, timeout);
		if (nr < 0 && errno != EINTR)
			return -errno;
		if (nr == 0)
			return -ETIMEDOUT;
		if (nr > 0 && polls[FD_SIGNAL].revents) { /* taken, so that we live to tidy up */
			struct signalfd_siginfo info;
			return read(running->fds[FD_SIGNAL], &info, sizeof(info)) < 0 ? -errno
										      : -EINTR;
		}
		for (int i = 0; nr > 0 && i < FD_SIGNAL; i++) {
			int error = polls[i].revents ? take(running, i) : 0;
			if (error)
				return error;
		}
	}
	return 0;
}

static int wait_for(pid_t pid)
{
	int status = 0;
	if (pid <= 0)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int reap(struct running *running, int error)
{
	if (error && running->pid > 0)
		kill(-running->pid, SIGKILL);
	if (error && running->feed_pid > 0)
		kill(-running->feed_pid, SIGKILL);
	int status = wait_for(running->pid);
	int feed_status = wait_for(running->feed_pid);
	return status ? status : feed_status;
}

int process_run(const struct process *process, struct printbuf *out, struct printbuf *said)
{
	struct running running = { .process = process,
				   .fds = { -1, -1, -1, -1 },
				   .texts = { out, said },
				   .status = PRINTBUF_HEAP };
	running.texts[FD_STATUS] = &running.status;
	int error = launch(&running);
	if (!error)
		error = hear(&running);
	int status = reap(&running, error);
	for (int i = 0; i < NR_FDS; i++)
		close_fd(&running.fds[i]);
	sigprocmask(SIG_SETMASK, &running.old_mask, NULL);
	printbuf_fini(&running.status);
	if (error)
		return error;
	return status == 127 ? -ENOENT : status;
}
