/* SPDX-License-Identifier: MIT */
/*
 * The connection of a loading client (wire.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab/workloads/common/wire.h"
#include "lab/workloads/common/work.h"

/* A server that says nothing for so long hangs. */
#define SILENCE_S 60

static int try_connect(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval silence = { .tv_sec = SILENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	one = -errno;
	close(fd);
	return one;
}

void wire_open(struct wire *wire, uint16_t port, uint64_t wait_ns)
{
	uint64_t end_ns = work_now_ns() + wait_ns;
	struct timespec pause = { .tv_nsec = 50000000 };

	signal(SIGPIPE, SIG_IGN);
	wire->port = port;
	wire->start = wire->end = wire->nr_out = 0;
	while ((wire->fd = try_connect(port)) < 0) {
		if (wire->fd != -ECONNREFUSED || work_now_ns() >= end_ns)
			work_fail(1, "127.0.0.1:%u: %s; is the server up?", port,
				  strerror(-wire->fd));
		nanosleep(&pause, NULL);
	}
}

void wire_close(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
}

void wire_flush(struct wire *wire)
{
	for (size_t at = 0; at < wire->nr_out;) {
		ssize_t nr = write(wire->fd, wire->out + at, wire->nr_out - at);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			work_fail(1, "127.0.0.1:%u: cannot be written to: %s", wire->port,
				  strerror(errno));
		at += (size_t)nr;
	}
	wire->nr_out = 0;
}

void wire_put(struct wire *wire, const void *bytes, size_t nr)
{
	if (nr > WIRE_BYTES)
		work_fail(2, "%zu bytes are more than a request may have", nr);
	if (wire->nr_out + nr > WIRE_BYTES)
		wire_flush(wire);
	memcpy(wire->out + wire->nr_out, bytes, nr);
	wire->nr_out += nr;
}

void wire_print(struct wire *wire, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int nr;

	va_start(arguments, format);
	nr = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (nr < 0 || (size_t)nr >= sizeof(text))
		work_fail(2, "a request's line is too long");
	wire_put(wire, text, (size_t)nr);
}

/* More bytes behind those that are there; false: the server has closed. */
static bool read_more(struct wire *wire)
{
	ssize_t nr;

	if (wire->start) {
		memmove(wire->in, wire->in + wire->start, wire->end - wire->start);
		wire->end -= wire->start;
		wire->start = 0;
	}
	if (wire->end == WIRE_BYTES)
		work_fail(1, "127.0.0.1:%u: an answer longer than %d bytes", wire->port,
			  WIRE_BYTES);
	do
		nr = read(wire->fd, wire->in + wire->end, WIRE_BYTES - wire->end);
	while (nr < 0 && errno == EINTR);
	if (nr < 0 && errno != ECONNRESET)
		work_fail(1, "127.0.0.1:%u: no answer: %s", wire->port, strerror(errno));
	if (nr <= 0)
		return false;
	wire->end += (size_t)nr;
	return true;
}

char *wire_line(struct wire *wire)
{
	size_t looked = 0;

	for (;;) {
		char *from = wire->in + wire->start;
		char *end = memchr(from + looked, '\n', wire->end - wire->start - looked);

		if (end) {
			wire->start = (size_t)(end + 1 - wire->in);
			*end = '\0';
			if (end > from && end[-1] == '\r')
				end[-1] = '\0';
			return from;
		}
		looked = wire->end - wire->start;
		if (!read_more(wire))
			return NULL;
	}
}

char *wire_bytes(struct wire *wire, size_t nr)
{
	char *from;

	while (wire->end - wire->start < nr)
		if (!read_more(wire))
			work_fail(1, "127.0.0.1:%u: closed in the middle of an answer", wire->port);
	from = wire->in + wire->start;
	wire->start += nr;
	return from;
}
