/* SPDX-License-Identifier: MIT */
/* One poll() over everything that may happen during a run, and its clocks: see run.c. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "lab/launcher/run.h"

#define BOOT_LIMIT_NS	 (180 * NS_PER_S) /* 3 s when the host is free */
#define TIME_LIMIT_NS	 (600 * NS_PER_S)
#define SILENCE_NS	 (60 * NS_PER_S)
#define SILENCE_SAMPLES	 30		 /* and so many samples that did not come */
#define STALL_SILENCE_NS (30 * NS_PER_S) /* when the kernel itself has complained */
#define DEATH_NS	 (10 * NS_PER_S) /* from a panic's words to QEMU's end */
#define TERM_NS		 (2 * NS_PER_S)	 /* the program's time from SIGTERM to SIGKILL */
#define KILL_NS		 (6 * NS_PER_S)	 /* from SIGTERM until all is ended */
#define DONE_NS		 (10 * NS_PER_S) /* for the guest's power-off */
#define ROUND_MS	 250		 /* clocks are looked at so often */

enum {
	POLL_CHANNEL,
	POLL_CONSOLE,
	POLL_ERRORS,
	POLL_PID,
	POLL_SIGNAL,
	POLL_INPUT,
	POLL_OUTPUT,
	NR_POLLS
};

void run_end(struct run *run, enum lab_end end, const char *format, ...)
{
	va_list args;
	if (run->has_end)
		return;
	run->has_end = true;
	run->result->end = end;
	run->result->status = EXIT_FAILED;
	printbuf_reset(&run->result->words);
	va_start(args, format);
	prt_vprintf(&run->result->words, format, args);
	va_end(args);
	if (run->program_ns && !run->result->wall_ns)
		run->result->wall_ns = clock_now_ns() - run->program_ns;
	lab_emulator_kill(&run->emulator);
	if (end == LAB_END_SIGNAL) /* whoever reads may never come back */
		run->output.fd = run->stdout_fd = run->stderr_fd = -1;
}

static void set_polls(const struct run *run, struct pollfd *polls)
{
	bool takes_input = run->stage == RUN_PROGRAM && run->stdin_fd >= 0 &&
			   lab_channel_input_room(&run->channel) > 0;
	for (int i = 0; i < NR_POLLS; i++)
		polls[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (!run->channel.is_ended) {
		polls[POLL_CHANNEL].fd = run->emulator.channel_fd;
		polls[POLL_CHANNEL].events =
			(short)((run_has_output(run) ? 0 : POLLIN) |
				(lab_channel_wants_write(&run->channel) ? POLLOUT : 0));
		if (!polls[POLL_CHANNEL].events)
			polls[POLL_CHANNEL].fd = -1;
	}
	polls[POLL_CONSOLE].fd = run->emulator.console_fd;
	polls[POLL_ERRORS].fd = run->emulator.errors_fd;
	if (!run->emulator.is_reaped)
		polls[POLL_PID].fd = run->emulator.pidfd;
	polls[POLL_SIGNAL].fd = run->signal_fd;
	polls[POLL_INPUT].fd = takes_input ? run->stdin_fd : -1;
	polls[POLL_OUTPUT].fd = run->output.fd;
	polls[POLL_OUTPUT].events = POLLOUT;
}

static void write_all(int fd, const char *bytes, size_t nr)
{
	while (nr > 0) {
		ssize_t written = write(fd, bytes, nr);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		bytes += written;
		nr -= (size_t)written;
	}
}

/* 0: nothing more now; negative: the other end closed. */
static ssize_t read_some(int fd, char *bytes, size_t size)
{
	ssize_t nr;
	do
		nr = read(fd, bytes, size);
	while (nr < 0 && errno == EINTR);
	return nr > 0 ? nr : nr < 0 && errno == EAGAIN ? 0 : -1;
}

static void close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

static void read_console(struct run *run)
{
	char bytes[4096];
	ssize_t nr = 1;
	for (int round = 0; round < 16 && nr > 0 && run->emulator.console_fd >= 0; round++) {
		nr = read_some(run->emulator.console_fd, bytes, sizeof(bytes));
		if (nr < 0) {
			lab_watch_end(&run->watch);
			close_end(&run->emulator.console_fd);
		}
		if (nr <= 0)
			return;
		if (run->watch.nr_bytes < LAB_CONSOLE_MAX)
			write_all(run->console_fd, bytes, (size_t)nr);
		if (run->options->is_verbose)
			write_all(STDERR_FILENO, bytes, (size_t)nr);
		uint64_t nr_stalls = run->watch.nr_stalls;
		bool was_dead = lab_watch_death(&run->watch) != NULL;
		lab_watch_feed(&run->watch, bytes, (size_t)nr);
		if (!was_dead && run->watch.nr_stalls == nr_stalls)
			run->life_ns = clock_now_ns();
	}
}

static void read_errors(struct run *run)
{
	char bytes[4096];
	ssize_t nr = read_some(run->emulator.errors_fd, bytes, sizeof(bytes));
	if (nr < 0)
		close_end(&run->emulator.errors_fd);
	if (nr <= 0)
		return;
	size_t room = LAB_ERRORS_MAX - run->nr_errors;
	size_t kept = MIN((size_t)nr, room);
	memcpy(run->errors + run->nr_errors, bytes, kept);
	run->nr_errors += kept;
}

static void read_signal(struct run *run)
{
	struct signalfd_siginfo info;
	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	bool is_first = run->host_signal == 0;
	run->host_signal = (int)info.ssi_signo;
	if (is_first && run->stage == RUN_PROGRAM &&
	    lab_channel_send_signal(&run->channel, run->host_signal) == 0) {
		if (run->host_signal != SIGINT)
			run->told_ns = clock_now_ns();
		return;
	}
	run_end(run, LAB_END_SIGNAL, "ended by signal %d, which came to berth", run->host_signal);
	run->result->status = 128 + run->host_signal;
}

static int handle(struct run *run, const struct pollfd *polls, struct printbuf *err)
{
	int error = 0;
	if (polls[POLL_SIGNAL].revents)
		read_signal(run);
	if (polls[POLL_CONSOLE].revents)
		read_console(run);
	if (polls[POLL_ERRORS].revents)
		read_errors(run);
	if (polls[POLL_CHANNEL].revents & POLLOUT)
		lab_channel_flush(&run->channel);
	if (polls[POLL_CHANNEL].revents & (POLLIN | POLLHUP | POLLERR) && !run_has_output(run))
		error = lab_channel_fill(&run->channel, err);
	if (polls[POLL_OUTPUT].revents)
		run_write_output(run);
	if (polls[POLL_INPUT].revents)
		run_forward_input(run);
	if (polls[POLL_PID].revents)
		lab_emulator_reap(&run->emulator);
	if (!error)
		run_frames(run);
	return error;
}

static uint64_t silence_limit(const struct run *run)
{
	const struct lab_options *options = run->options;
	uint64_t sample_ns = options->sample_ns ? options->sample_ns : NS_PER_S;
	if (options->silence_ns)
		return options->silence_ns;
	if (lab_watch_sign(&run->watch, LAB_SIGN_STALL))
		return STALL_SILENCE_NS;
	return SILENCE_NS + SILENCE_SAMPLES * MIN(sample_ns, 3600 * NS_PER_S);
}

/* Over its time: told to end, killed, and at last ended with its guest. */
static void press_to_end(struct run *run, uint64_t now)
{
	if (now - run->told_ns >= KILL_NS) {
		if (run->host_signal) {
			run_end(run, LAB_END_SIGNAL, "ended by signal %d, which came to berth",
				run->host_signal);
			run->result->status = 128 + run->host_signal;
		} else {
			run_end(run, LAB_END_TIME, "over its time limit, and deaf to signals");
		}
	} else if (now - run->told_ns >= TERM_NS && !run->was_killed) {
		run->was_killed = true;
		lab_channel_send_signal(&run->channel, SIGKILL);
	}
}

static void check_limit(struct run *run, uint64_t now)
{
	uint64_t limit = run->options->time_limit_ns;
	limit = limit ? limit : TIME_LIMIT_NS;
	if (run->told_ns) {
		press_to_end(run, now);
	} else if (now - run->program_ns >= limit) {
		run->is_over_limit = true;
		run->told_ns = now;
		lab_channel_send_signal(&run->channel, SIGTERM);
	}
}

static void check_silence(struct run *run, uint64_t now)
{
	const char *stall = lab_watch_sign(&run->watch, LAB_SIGN_STALL);
	if (run_has_output(run)) {
		run->life_ns = now; /* it is our reader that we wait for */
		return;
	}
	if (now - run->life_ns < silence_limit(run))
		return;
	PRINTBUF(text);
	prt_ns(&text, now - run->life_ns);
	if (stall)
		run_end(run, LAB_END_HANG, "the guest hangs: %s", stall);
	else
		run_end(run, LAB_END_HANG, "the guest hangs: nothing came from it for %s",
			printbuf_str(&text));
}

static void check_death(struct run *run, uint64_t now)
{
	const char *death = lab_watch_death(&run->watch);
	if (death && now - run->life_ns > DEATH_NS)
		run_end(run, LAB_END_PANIC, "the guest's kernel died: %s", death);
}

static uint64_t boot_limit(const struct run *run)
{
	bool has_stalled = lab_watch_sign(&run->watch, LAB_SIGN_STALL) != NULL;
	return has_stalled && run->may_try_again ? STALL_SILENCE_NS : BOOT_LIMIT_NS;
}

static void check_clocks(struct run *run)
{
	uint64_t now = clock_now_ns();
	if (run->has_end && run->stage != RUN_DONE)
		return;
	check_death(run, now);
	switch (run->stage) {
	case RUN_BOOTING:
		if (now - run->start_ns > boot_limit(run))
			run_end(run, LAB_END_NO_BOOT, "the guest did not boot; its last words: %s",
				run->watch.last[0] ? run->watch.last : "none");
		break;
	case RUN_PROGRAM:
		check_limit(run, now);
		check_silence(run, now);
		break;
	case RUN_READY:
	case RUN_EXITED:
		check_silence(run, now);
		break;
	case RUN_DONE:
		if (now - run->done_ns > DONE_NS)
			lab_emulator_kill(&run->emulator);
		break;
	}
}

/* All that QEMU left behind was read and written. */
static bool is_over(const struct run *run)
{
	return run->emulator.is_reaped && run->channel.is_ended && !run_has_output(run) &&
	       run->emulator.console_fd < 0 && run->emulator.errors_fd < 0;
}

int run_loop(struct run *run, struct printbuf *err)
{
	struct pollfd polls[NR_POLLS];
	int error = 0;
	while (!error && !is_over(run)) {
		set_polls(run, polls);
		if (poll(polls, NR_POLLS, ROUND_MS) < 0 && errno != EINTR)
			return error_set(err, -errno, "poll: %s", error_text(-errno));
		error = handle(run, polls, err);
		check_clocks(run);
	}
	return error;
}
