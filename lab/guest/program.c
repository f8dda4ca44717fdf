/* SPDX-License-Identifier: MIT */
/*
 * Starting the program, and what is left of it when it ended.
 *
 * It gets a session of its own, pipes for its three streams, and none of the agent's privileges
 * (its memory is not locked, the out-of-memory killer may take it). Whether exec worked is learned
 * from a pipe that exec closes. The child itself tells the latency model to start, just before
 * exec: what the program costs is counted, what starting it costs is not.
 *
 * As process 1 the agent inherits every orphan and must collect it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/guest/agent.h"
#include "lab/marker.h"

#define REPORT_FRAMES (LAB_REPORT_MAX / LAB_FRAME_MAX)
#define KILL_NS	      5000000000ull /* wait at most so long for what was killed to be gone */

struct program program = { .input = -1, .output = -1, .errors = -1 };

uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct not_run {
	int error;
	bool is_user; /* it was the user that could not be taken on */
};

struct pipes {
	int input[2], output[2], errors[2], exec[2];
};

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		dprintf(STDERR_FILENO, "berth-agent: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* In the child: becomes the program, or says why not. */
static void become(const struct agent_conf *conf, const struct pipes *pipes)
{
	struct not_run why = { 0 };
	sigset_t none;
	sigemptyset(&none);
	setsid();
	write_text("/proc/self/oom_score_adj", "0");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(pipes->input[0], STDIN_FILENO);
	dup2(pipes->output[1], STDOUT_FILENO);
	dup2(pipes->errors[1], STDERR_FILENO);
	if (!conf->cwd || chdir(conf->cwd) < 0) {
		if (chdir("/") < 0)
			why.error = errno;
	}
	if (conf->has_user &&
	    (setgroups(0, NULL) < 0 || setgid(conf->group) < 0 || setuid(conf->user) < 0)) {
		why = (struct not_run){ errno, true };
	} else {
		environ = conf->env;
		if (conf->adopt)
			lab_mark(LAB_MARK_ADOPT);
		lab_mark(LAB_MARK_START);
		execvp(conf->argv[0], conf->argv);
		why.error = errno;
	}
	if (write(pipes->exec[1], &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

static bool open_pipes(struct pipes *pipes)
{
	int *all[] = { pipes->input, pipes->output, pipes->errors, pipes->exec };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (pipe2(all[i], O_CLOEXEC) < 0)
			return false;
	}
	fcntl(pipes->input[1], F_SETFL, O_NONBLOCK);
	fcntl(pipes->output[0], F_SETFL, O_NONBLOCK);
	fcntl(pipes->errors[0], F_SETFL, O_NONBLOCK);
	return true;
}

static void say_not_run(const struct agent_conf *conf, const struct not_run *why)
{
	struct {
		uint32_t error;
		char words[500];
	} payload = { .error = (uint32_t)why->error };
	int length;
	if (why->is_user)
		length = snprintf(payload.words, sizeof(payload.words),
				  "user %u: the program cannot run as this user: %s", conf->user,
				  strerror(why->error));
	else
		length = snprintf(payload.words, sizeof(payload.words), "%.300s: %s", conf->argv[0],
				  strerror(why->error));
	port_send(LAB_NOT_RUN, &payload, sizeof(payload.error) + (size_t)length);
}

/* Says that it runs; the time is that before exec. */
static void say_started(void)
{
	uint8_t payload[12];
	uint32_t pid = (uint32_t)program.pid;
	memcpy(payload, &program.start_ns, sizeof(program.start_ns));
	memcpy(payload + sizeof(program.start_ns), &pid, sizeof(pid));
	port_send(LAB_STARTED, payload, sizeof(payload));
}

bool program_start(const struct agent_conf *conf)
{
	struct pipes pipes;
	struct not_run why = { 0 };
	if (!open_pipes(&pipes)) {
		port_say(LAB_FAILED, "pipes for the program: %s", strerror(errno));
		return false;
	}
	program.start_ns = monotonic_ns();
	program.pid = fork();
	if (program.pid == 0)
		become(conf, &pipes);
	if (program.pid < 0)
		why.error = errno;
	close(pipes.input[0]);
	close(pipes.output[1]);
	close(pipes.errors[1]);
	close(pipes.exec[1]);
	ssize_t nr = why.error ? 0 : read(pipes.exec[0], &why, sizeof(why));
	close(pipes.exec[0]);
	if (why.error || nr > 0) {
		lab_mark(LAB_MARK_STOP);
		say_not_run(conf, &why);
		return false;
	}
	program.input = pipes.input[1];
	program.output = pipes.output[0];
	program.errors = pipes.errors[0];
	say_started();
	return true;
}

static uint64_t timeval_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

bool program_reap(void)
{
	int status;
	struct rusage usage;
	pid_t pid;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (pid != program.pid)
			continue;
		lab_mark(LAB_MARK_STOP);
		program.has_ended = true;
		program.exited = (struct lab_exited){
			.guest_ns = monotonic_ns(),
			.status = (uint32_t)status,
			.user_ns = timeval_ns(&usage.ru_utime),
			.system_ns = timeval_ns(&usage.ru_stime),
			.max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024,
		};
	}
	return pid < 0 && errno == ECHILD;
}

/* SIGCHLD stays blocked: ppoll() lets it in while it waits, so that none is missed. */
void program_kill_rest(void)
{
	uint64_t end_ns = monotonic_ns() + KILL_NS;
	kill(-1, SIGKILL);
	while (!program_reap() && monotonic_ns() < end_ns)
		poll(NULL, 0, 1);
}

void program_send_report(const struct agent_conf *conf)
{
	static char text[LAB_FRAME_MAX];
	ssize_t nr;
	if (!conf->report)
		return;
	int fd = open(conf->report, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < REPORT_FRAMES && (nr = read(fd, text, sizeof(text))) > 0; i++)
		port_send(LAB_REPORT, text, (size_t)nr);
	if (fd >= 0)
		close(fd);
	port_send(LAB_REPORT, text, 0);
}
