/* SPDX-License-Identifier: MIT */
/* Asking the daemon (ask.h). */
#include "linux/ask.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/daemon.h"
#include "linux/server.h"
#include "linux/undo.h"

static int connect_to(const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = ASK_PATIENCE_MS / 1000 };
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno == ECONNREFUSED ? -ENOENT : -errno; /* left by a killed one */
		close(fd);
		return error;
	}
	*ret = fd;
	return 0;
}

/* The directory is asked for by its descriptor: no path of it may be known. */
static int connect_in(const struct root *root, const char *state, int *ret, struct printbuf *why)
{
	char path[64];
	int directory_fd, error = undo_open_directory(root, state, false, &directory_fd, why);
	if (error)
		return error;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory_fd, DAEMON_SOCKET);
	error = connect_to(path, ret);
	close(directory_fd);
	return error;
}

static int connect_anywhere(const struct root *root, const char *socket, const char *state,
			    int *ret, struct printbuf *why)
{
	if (socket)
		return connect_to(socket, ret);
	int error = connect_in(root, state, ret, why);
	if (error && !state && root->is_host && geteuid() != 0) {
		printbuf_reset(why);
		error = connect_to("/run/berth/" DAEMON_SOCKET, ret);
	}
	return error;
}

static int send_line(int fd, const char *line)
{
	PRINTBUF(text);
	prt_str(&text, line);
	prt_char(&text, '\n');
	for (size_t sent = 0; sent < text.pos;) {
		ssize_t nr = send(fd, printbuf_str(&text) + sent, text.pos - sent, MSG_NOSIGNAL);
		if (nr < 0 && errno != EINTR)
			return -errno;
		sent += nr > 0 ? (size_t)nr : 0;
	}
	return 0;
}

static int take_line(int fd, struct printbuf *ret)
{
	char part[4096];
	while (ret->pos < ASK_MAX_ANSWER) {
		ssize_t nr = recv(fd, part, sizeof(part), 0);
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr < 0 ? -errno : -EPIPE;
		char *end = memchr(part, '\n', (size_t)nr);
		prt_mem(ret, part, end ? (size_t)(end - part) : (size_t)nr);
		if (end)
			return printbuf_has_error(ret) ? -ENOMEM : 0;
	}
	return -EFBIG;
}

/* Where it was looked for is said when the caller chose the place: it may be the wrong one. */
static int say_nobody(const char *socket, const char *state, struct printbuf *err)
{
	if (socket)
		return error_set(err, -ENOENT,
				 "%s: no berth daemon listens there; start one with `berth daemon "
				 "--socket %s`, or leave the option out",
				 socket, socket);
	if (state)
		return error_set(
			err, -ENOENT,
			"%s: no berth daemon runs with this state directory%s; name the one "
			"that `berth daemon --state` has, or leave the option out",
			state, access(state, F_OK) ? ", which does not exist" : "");
	return error_set(err, -ENOENT, "no berth daemon runs here; start one with `berth daemon`");
}

int ask_daemon(const struct root *root, const char *socket, const char *state, const char *line,
	       struct printbuf *ret_answer, struct printbuf *err)
{
	PRINTBUF(why);
	int fd;
	if (strlen(line) >= SERVER_MAX_LINE)
		return error_set(err, -EINVAL,
				 "longer than the %d bytes that the berth daemon may be asked",
				 SERVER_MAX_LINE - 1);
	int error = connect_anywhere(root, socket, state, &fd, &why);
	if (error == -ENOENT || error == -ENXIO)
		return say_nobody(socket, state, err);
	if (error && *printbuf_str(&why))
		return error_set(err, error, "%s", printbuf_str(&why));
	if (error)
		return error_set(err, error, "the berth daemon: %s", error_text(error));
	error = send_line(fd, line);
	if (!error)
		error = take_line(fd, ret_answer);
	close(fd);
	if (error == -EAGAIN)
		return error_set(err, -ETIMEDOUT, "the berth daemon does not answer");
	if (error == -EPIPE || error == -ECONNRESET)
		return error_set(err, error,
				 "the berth daemon hung up: too many ask it; again "
				 "in a moment");
	return error ? error_set(err, error, "the berth daemon: %s", error_text(error)) : 0;
}
