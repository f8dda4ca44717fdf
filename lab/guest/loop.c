/* SPDX-License-Identifier: MIT */
/*
 * While the program runs: one poll() over its pipes, the launcher's port, its end, and the clock.
 *
 *     program --stdout, stderr--> frames -> port          stops reading when the port is full
 *     port -> LAB_STDIN -> input buffer --stdin--> program   the launcher knows the room left
 *     port -> LAB_SIGNAL -> the program's process group
 *
 * Input is bounded by saying how much may come (LAB_INPUT_ROOM), not by leaving it in the port, for
 * a signal behind it must get through. A program that closed its input is given no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/guest/agent.h"

#define INPUT_SIZE   ((size_t)64 << 10)
#define INPUT_STEP   (INPUT_SIZE / 4) /* room is said again in steps of so much */
#define OUTPUT_LEAST ((size_t)4096)   /* less room than this is not worth a frame */
#define BURST	     16		      /* reads of one pipe before the others get their turn */

enum { POLL_PORT, POLL_CHILD, POLL_TIMER, POLL_INPUT, POLL_OUTPUT, POLL_ERRORS, NR_POLLS };

static struct {
	uint8_t bytes[INPUT_SIZE];
	size_t start, end;
	size_t unsaid; /* bytes of room not yet told to the launcher */
	bool is_last;  /* no more will come */
} input;

static void say_room(size_t least)
{
	uint32_t room = (uint32_t)input.unsaid;
	if (program.input < 0 || input.is_last || input.unsaid < least)
		return;
	input.unsaid = 0;
	port_send(LAB_INPUT_ROOM, &room, sizeof(room));
}

static void close_input(void)
{
	close(program.input);
	program.input = -1;
	input.start = input.end = 0;
}

static void take_input(const uint8_t *bytes, size_t nr)
{
	if (!nr)
		input.is_last = true;
	if (program.input < 0)
		return;
	if (input.start) {
		memmove(input.bytes, input.bytes + input.start, input.end - input.start);
		input.end -= input.start;
		input.start = 0;
	}
	if (nr > INPUT_SIZE - input.end) {
		port_say(LAB_MESSAGE, "input: the launcher sent more than there was room for");
		nr = INPUT_SIZE - input.end;
	}
	memcpy(input.bytes + input.end, bytes, nr);
	input.end += nr;
}

static void give_input(void)
{
	while (program.input >= 0 && input.start < input.end) {
		ssize_t nr = write(program.input, input.bytes + input.start,
				   input.end - input.start);
		if (nr > 0) {
			input.start += (size_t)nr;
			input.unsaid += (size_t)nr;
		} else if (nr < 0 && errno == EAGAIN) {
			break;
		} else if (nr < 0 && errno != EINTR) {
			close_input();
		}
	}
	if (program.input >= 0 && input.is_last && input.start == input.end)
		close_input();
	say_room(INPUT_STEP);
}

static void take_frame(uint32_t type, const uint8_t *payload, size_t length)
{
	uint32_t signal_number;
	if (type == LAB_STDIN) {
		take_input(payload, length);
		give_input();
	} else if (type == LAB_SIGNAL && length >= sizeof(signal_number)) {
		memcpy(&signal_number, payload, sizeof(signal_number));
		if (signal_number > 0 && signal_number < NSIG && !program.has_ended)
			kill(-program.pid, (int)signal_number);
	}
}

/* From a pipe into frames; closes it at its end. False when it should be asked again later. */
static bool forward(int *fd, uint32_t type, bool wait)
{
	size_t room;
	for (int i = 0; i < BURST; i++) {
		uint8_t *place = port_begin(OUTPUT_LEAST, wait, &room);
		if (!place)
			return false;
		ssize_t nr = read(*fd, place, room);
		if (nr > 0) {
			port_end(type, (size_t)nr);
		} else if (nr < 0 && errno == EAGAIN) {
			return false;
		} else if (nr == 0 || errno != EINTR) {
			close(*fd);
			*fd = -1;
			return false;
		}
	}
	return true;
}

void loop_drain(void)
{
	while (program.output >= 0 && forward(&program.output, LAB_STDOUT, true))
		;
	while (program.errors >= 0 && forward(&program.errors, LAB_STDERR, true))
		;
}

/* The next sample: an interval later, but never so soon that sampling takes more than 1 %. */
static void set_timer(int timer, uint64_t interval_ns, uint64_t *next_ns, uint64_t cost_ns)
{
	uint64_t now_ns = monotonic_ns();
	uint64_t soonest_ns = now_ns + 100 * cost_ns;
	*next_ns += interval_ns;
	if (*next_ns < soonest_ns)
		*next_ns = soonest_ns;
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(*next_ns / 1000000000),
						 .tv_nsec = (long)(*next_ns % 1000000000) } };
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void prepare(struct pollfd *polls)
{
	bool has_room = PORT_OUT_SIZE - (port.out_end - port.out_start) >=
			sizeof(struct lab_frame) + OUTPUT_LEAST;
	bool is_waiting = port.out_start < port.out_end;
	polls[POLL_PORT] = (struct pollfd){ port.fd, (short)(POLLIN | (is_waiting ? POLLOUT : 0)),
					    0 };
	polls[POLL_INPUT].fd = input.start < input.end ? program.input : -1;
	polls[POLL_OUTPUT].fd = has_room ? program.output : -1;
	polls[POLL_ERRORS].fd = has_room ? program.errors : -1;
}

static void serve(struct pollfd *polls)
{
	if (polls[POLL_PORT].revents & POLLOUT)
		port_flush();
	if (polls[POLL_PORT].revents & (POLLIN | POLLHUP))
		port_receive(take_frame);
	if (polls[POLL_INPUT].revents)
		give_input();
	if (polls[POLL_OUTPUT].revents)
		forward(&program.output, LAB_STDOUT, false);
	if (polls[POLL_ERRORS].revents)
		forward(&program.errors, LAB_STDERR, false);
}

void loop_run(const struct agent_conf *conf)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int ended = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	uint64_t next_ns = program.start_ns, expired;
	struct signalfd_siginfo info;
	struct pollfd polls[NR_POLLS] = {
		[POLL_CHILD] = { ended, POLLIN, 0 }, [POLL_TIMER] = { timer, POLLIN, 0 },
		[POLL_INPUT] = { -1, POLLOUT, 0 },   [POLL_OUTPUT] = { -1, POLLIN, 0 },
		[POLL_ERRORS] = { -1, POLLIN, 0 },
	};
	if (conf->sample_ns)
		set_timer(timer, conf->sample_ns, &next_ns, 0);
	input.unsaid = INPUT_SIZE;
	say_room(1);
	for (program_reap(); !program.has_ended;) {
		prepare(polls);
		bool is_full = polls[POLL_OUTPUT].fd < 0 && program.output >= 0;
		if (poll(polls, NR_POLLS, port.is_icount && is_full ? 0 : -1) < 0)
			continue;
		if (polls[POLL_CHILD].revents && read(ended, &info, sizeof(info)) > 0)
			program_reap();
		if (polls[POLL_TIMER].revents && read(timer, &expired, sizeof(expired)) > 0)
			set_timer(timer, conf->sample_ns, &next_ns, sample_take(1));
		serve(polls);
	}
	close(ended);
	close(timer);
}
