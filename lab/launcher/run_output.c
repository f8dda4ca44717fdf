/* SPDX-License-Identifier: MIT */
/*
 * The program's output to our stdout and stderr, and our stdin to the program.
 *
 * Output goes out at once, in the order in which it came, without making the descriptors
 * non-blocking (they may be shared with others): poll() says that there is room, and at most
 * PIPE_BUF bytes are written, which then fit. When the reader is gone, the program is told by
 * SIGPIPE, as it would be without a lab, and the rest is thrown away.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lab/launcher/run.h"

bool run_has_output(const struct run *run)
{
	return run->output.fd >= 0;
}

/* A reader who went away knows it; a full disk has to be told. */
static void lose_reader(struct run *run, int fd, int error)
{
	if (error != -EPIPE)
		run->result->output_error = error;
	if (run->stdout_fd == fd)
		run->stdout_fd = -1;
	if (run->stderr_fd == fd)
		run->stderr_fd = -1;
	run->output.fd = -1;
	lab_channel_send_signal(&run->channel, SIGPIPE);
}

void run_write_output(struct run *run)
{
	struct run_output *output = &run->output;
	struct pollfd poll_fd = { .fd = output->fd, .events = POLLOUT };
	while (output->fd >= 0 && poll(&poll_fd, 1, 0) > 0) {
		size_t nr = MIN(output->length - output->at, (size_t)PIPE_BUF);
		ssize_t written = write(output->fd, output->bytes + output->at, nr);
		if (written < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (written < 0) {
			lose_reader(run, output->fd, -errno);
			return;
		}
		output->at += (size_t)written;
		if (output->at == output->length)
			output->fd = -1;
	}
}

void run_take_output(struct run *run, int fd, const void *bytes, size_t nr_bytes)
{
	if (fd < 0 || nr_bytes == 0 || nr_bytes > sizeof(run->output.bytes))
		return;
	run->output.fd = fd;
	run->output.at = 0;
	run->output.length = nr_bytes;
	memcpy(run->output.bytes, bytes, nr_bytes);
	run_write_output(run);
}

void run_forward_input(struct run *run)
{
	uint8_t bytes[LAB_FRAME_MAX];
	size_t room = MIN(lab_channel_input_room(&run->channel), sizeof(bytes));
	if (room == 0)
		return;
	ssize_t nr = read(run->stdin_fd, bytes, room);
	if (nr < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	lab_channel_send_input(&run->channel, bytes, (size_t)MAX(nr, 0));
	if (nr <= 0)
		run->stdin_fd = -1;
}
