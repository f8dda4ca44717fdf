/* SPDX-License-Identifier: MIT */
/*
 * Frames to and from the launcher, over a virtio-serial port that never blocks.
 *
 *     out  [ sent | frame | frame | frame being written.. |    free    ]
 *                 ^out_start      ^out_end
 *
 * What the host does not take stays in `out`; when that is full the program's pipes are not read
 * any more, and the program waits: so the launcher's reader sets the pace of all. A frame is
 * written in place (pipes and the kernel's counters are read straight into it).
 *
 * Waiting for the host: with icount an idle guest jumps to its next timer, so waiting by sleeping
 * would cost guest time without end; there the agent spins, which costs what the host takes.
 *
 * The port: drivers/char/virtio_console.c (6.12). Its POLLHUP means that the host end is closed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "lab/guest/agent.h"

#define HEADER	sizeof(struct lab_frame)
#define OPEN_NS 10000000000ull /* wait at most so long for the port to appear */

struct port port;

static void power_off(void) __attribute__((noreturn));

static void power_off(void)
{
	for (;;) {
		reboot(RB_POWER_OFF);
		pause();
	}
}

/* Is this port ours? Its name comes from the host after the port itself. */
static bool is_our_port(const char *entry)
{
	char path[300], name[64] = "";
	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t nr = read(fd, name, sizeof(name) - 1);
	close(fd);
	return nr > 0 && !strncmp(name, LAB_PORT_NAME "\n", sizeof(LAB_PORT_NAME));
}

static bool find_port(char *ret_path, size_t size)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	bool found = false;
	while (dir && !found && (entry = readdir(dir))) {
		found = entry->d_name[0] != '.' && is_our_port(entry->d_name);
		if (found)
			snprintf(ret_path, size, "/dev/%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool is_connected(void)
{
	struct pollfd poll_port = { .fd = port.fd, .events = POLLOUT };
	return poll(&poll_port, 1, 0) > 0 && !(poll_port.revents & POLLHUP);
}

bool port_open(void)
{
	char path[300];
	uint64_t end_ns = monotonic_ns() + OPEN_NS;
	while (monotonic_ns() < end_ns) {
		if (port.fd < 0 && find_port(path, sizeof(path)))
			port.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (port.fd >= 0 && is_connected())
			return true;
		if (!port.is_icount)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return false;
}

bool port_flush(void)
{
	while (port.out_start < port.out_end) {
		ssize_t nr = write(port.fd, port.out + port.out_start,
				   port.out_end - port.out_start);
		if (nr > 0)
			port.out_start += (size_t)nr;
		else if (nr < 0 && errno == EAGAIN)
			return false;
		else if (nr < 0 && errno != EINTR)
			power_off(); /* the host is gone: nobody to work for */
	}
	port.out_start = port.out_end = 0;
	return true;
}

/* Until the host may take more. */
static void wait_for_host(short events)
{
	struct pollfd poll_port = { .fd = port.fd, .events = events };
	if (port.is_icount)
		sched_yield();
	if (poll(&poll_port, 1, port.is_icount ? 0 : -1) > 0 && (poll_port.revents & POLLHUP))
		power_off();
}

uint8_t *port_begin(size_t least, bool wait, size_t *ret_room)
{
	while (PORT_OUT_SIZE - port.out_end < HEADER + least) {
		if (port.out_start) {
			memmove(port.out, port.out + port.out_start, port.out_end - port.out_start);
			port.out_end -= port.out_start;
			port.out_start = 0;
		} else if (!wait) {
			return NULL;
		} else if (!port_flush()) {
			wait_for_host(POLLOUT);
		}
	}
	size_t room = PORT_OUT_SIZE - port.out_end - HEADER;
	*ret_room = room < LAB_FRAME_MAX ? room : LAB_FRAME_MAX;
	return port.out + port.out_end + HEADER;
}

void port_end(uint32_t type, size_t length)
{
	struct lab_frame head = { .type = type, .length = (uint32_t)length };
	memcpy(port.out + port.out_end, &head, HEADER);
	port.out_end += HEADER + length;
	port_flush();
}

void port_send(uint32_t type, const void *payload, size_t length)
{
	size_t room;
	uint8_t *place = port_begin(length, true, &room);
	if (length)
		memcpy(place, payload, length);
	port_end(type, length);
}

void port_say(uint32_t type, const char *format, ...)
{
	char words[1024];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	if (length >= (int)sizeof(words))
		length = sizeof(words) - 1;
	dprintf(STDERR_FILENO, "berth-agent: %s\n", words);
	if (port.fd >= 0 && length >= 0)
		port_send(type, words, (size_t)length);
}

/* The launcher is trusted, but a frame that cannot fit would be waited for in vain. */
static size_t take_frames(void (*take)(uint32_t, const uint8_t *, size_t))
{
	size_t at = 0;
	struct lab_frame head;
	while (port.in_length - at >= HEADER) {
		memcpy(&head, port.in + at, HEADER);
		if (head.length > LAB_FRAME_MAX)
			power_off();
		if (port.in_length - at - HEADER < head.length)
			break;
		take(head.type, port.in + at + HEADER, head.length);
		at += HEADER + head.length;
	}
	return at;
}

void port_receive(void (*take)(uint32_t type, const uint8_t *payload, size_t length))
{
	ssize_t nr;
	while ((nr = read(port.fd, port.in + port.in_length, sizeof(port.in) - port.in_length)) >
	       0) {
		port.in_length += (size_t)nr;
		size_t taken = take_frames(take);
		port.in_length -= taken;
		memmove(port.in, port.in + taken, port.in_length);
	}
	if (nr == 0) /* the host closed its end */
		power_off();
}

static void take_bye(uint32_t type, const uint8_t *payload, size_t length)
{
	(void)payload;
	(void)length;
	if (type == LAB_BYE)
		power_off();
}

void port_finish(void)
{
	if (port.fd < 0)
		power_off();
	port_send(LAB_DONE, NULL, 0);
	while (!port_flush())
		wait_for_host(POLLOUT);
	for (;;) {
		port_receive(take_bye);
		wait_for_host(POLLIN);
	}
}
