/* SPDX-License-Identifier: MIT */
/*
 * Frames from bytes and bytes from frames, never waiting, never believing the guest.
 *
 *     in   [ taken | header payload | header pay..|          free          ]
 *                  ^in_start                      ^in_end                 IN_SIZE
 *
 * The buffer holds two of the longest frames, so a whole one always fits after moving the rest to
 * the front, and that moving costs at most one copy per byte. A sample's parts go to a buffer of
 * their own, which begins with the room for struct lab_sample that only the last frame brings.
 *
 * Costs 128 KiB for what comes and 256 KiB for what goes, and up to LAB_SAMPLE_MAX for samples.
 */
#include "lab/launcher/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

#define HEADER	 sizeof(struct lab_frame)
#define IN_SIZE	 (2 * (HEADER + LAB_FRAME_MAX))
#define OUT_SIZE ((size_t)256 << 10)

/* The least a frame must hold; -1: a type that the guest does not send. */
static int least_length(uint32_t type)
{
	switch (type) {
	case LAB_READY:
		return sizeof(struct lab_ready);
	case LAB_STARTED:
		return sizeof(uint64_t) + sizeof(uint32_t);
	case LAB_SAMPLE:
		return sizeof(struct lab_sample);
	case LAB_EXITED:
		return sizeof(struct lab_exited);
	case LAB_NOT_RUN:
	case LAB_INPUT_ROOM:
		return sizeof(uint32_t);
	case LAB_MESSAGE:
	case LAB_SETTING_FAILED:
	case LAB_STDOUT:
	case LAB_STDERR:
	case LAB_DONE:
	case LAB_SAMPLE_PART:
	case LAB_FAILED:
	case LAB_REPORT:
		return 0;
	}
	return -1;
}

int lab_channel_init(struct lab_channel *channel, int fd, struct printbuf *err)
{
	*channel = (struct lab_channel){ .fd = fd };
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	if (fd >= 0 && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return error_set(err, -errno, "the lab's channel: %s", error_text(-errno));
	channel->in = malloc(IN_SIZE);
	channel->out = malloc(OUT_SIZE);
	if (channel->in && channel->out)
		return 0;
	lab_channel_fini(channel);
	return error_set(err, -ENOMEM, "the lab's channel: %s", error_text(-ENOMEM));
}

void lab_channel_fini(struct lab_channel *channel)
{
	free(channel->in);
	free(channel->out);
	free(channel->sample);
	*channel = (struct lab_channel){ .fd = -1 };
}

/* Room behind in_end, after the rest was moved to the front if that was needed. */
static size_t make_room(struct lab_channel *channel)
{
	size_t nr = channel->in_end - channel->in_start;
	if (!nr || IN_SIZE - channel->in_end < HEADER + LAB_FRAME_MAX) {
		memmove(channel->in, channel->in + channel->in_start, nr);
		channel->in_start = 0;
		channel->in_end = nr;
	}
	return IN_SIZE - channel->in_end;
}

int lab_channel_fill(struct lab_channel *channel, struct printbuf *err)
{
	for (size_t room; (room = make_room(channel)) > 0 && !channel->is_ended;) {
		ssize_t nr = read(channel->fd, channel->in + channel->in_end, room);
		if (nr > 0) {
			channel->in_end += (size_t)nr;
		} else if (nr == 0 || errno == ECONNRESET) {
			channel->is_ended = true;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			return error_set(err, -errno, "the lab's channel: %s", error_text(-errno));
		}
	}
	return 0;
}

size_t lab_channel_feed(struct lab_channel *channel, const void *bytes, size_t nr_bytes)
{
	size_t nr = MIN(nr_bytes, make_room(channel));
	if (nr)
		memcpy(channel->in + channel->in_end, bytes, nr);
	channel->in_end += nr;
	return nr;
}

/* Appends text to the sample that is being put together. */
static int add_to_sample(struct lab_channel *channel, const uint8_t *bytes, size_t nr)
{
	size_t have = MAX(channel->sample_length, sizeof(struct lab_sample));
	if (nr > LAB_SAMPLE_MAX - have)
		return -EBADMSG;
	if (have + nr > channel->sample_size) {
		size_t size = MIN(LAB_SAMPLE_MAX, 2 * (have + nr));
		uint8_t *bigger = realloc(channel->sample, size);
		if (!bigger)
			return -ENOMEM;
		channel->sample = bigger;
		channel->sample_size = size;
	}
	if (nr)
		memcpy(channel->sample + have, bytes, nr);
	channel->sample_length = have + nr;
	return 0;
}

/* The last piece of a sample brings its head. */
static int end_sample(struct lab_channel *channel, struct lab_incoming *frame)
{
	const size_t head = sizeof(struct lab_sample);
	int error = add_to_sample(channel, frame->payload + head, frame->length - head);
	if (error)
		return error;
	memcpy(channel->sample, frame->payload, head);
	frame->payload = channel->sample;
	frame->length = channel->sample_length;
	channel->sample_length = 0;
	return 0;
}

/* What the channel itself does with a frame: 1 the caller's, 0 done with, or negative errno. */
static int look_at(struct lab_channel *channel, struct lab_incoming *frame)
{
	int error;
	uint32_t room;
	switch (frame->type) {
	case LAB_SAMPLE_PART:
		return add_to_sample(channel, frame->payload, frame->length);
	case LAB_SAMPLE:
		error = channel->sample_length ? end_sample(channel, frame) : 0;
		return error ? error : 1;
	case LAB_INPUT_ROOM:
		memcpy(&room, frame->payload, sizeof(room));
		channel->input_room = MIN(channel->input_room + room, (uint64_t)UINT32_MAX);
		return 0;
	case LAB_DONE: /* lost when the guest does not listen; the caller has a time limit */
		lab_channel_send(channel, LAB_BYE, NULL, 0);
		return 1;
	default:
		return 1;
	}
}

/* The next frame as it lies in the buffer, of any type: 1, 0 none yet, -EBADMSG. */
static int take_frame(struct lab_channel *channel, struct lab_incoming *ret)
{
	struct lab_frame head;
	size_t nr = channel->in_end - channel->in_start;
	if (nr < HEADER)
		return 0;
	memcpy(&head, channel->in + channel->in_start, HEADER);
	if (head.length > LAB_FRAME_MAX)
		return -EBADMSG;
	if (nr - HEADER < head.length)
		return 0;
	int least = least_length(head.type);
	if (least > 0 && head.length < (uint32_t)least)
		return -EBADMSG;
	*ret = (struct lab_incoming){ .type = (enum lab_frame_type)head.type,
				      .payload = channel->in + channel->in_start + HEADER,
				      .length = head.length };
	channel->in_start += HEADER + head.length;
	return 1;
}

int lab_channel_next(struct lab_channel *channel, struct lab_incoming *ret, struct printbuf *err)
{
	struct lab_incoming frame;
	int result;
	while ((result = take_frame(channel, &frame)) > 0) {
		if (least_length(frame.type) < 0)
			continue;
		result = look_at(channel, &frame);
		if (result > 0)
			*ret = frame;
		if (result)
			break;
	}
	if (result == -EBADMSG)
		return error_set(err, result,
				 "the guest: what it sent is not in the lab's format; its agent "
				 "broke down, or the program wrote to %s itself",
				 LAB_PORT_NAME);
	if (result < 0)
		return error_set(err, result, "the guest's sample: %s", error_text(result));
	return result;
}

bool lab_channel_wants_write(const struct lab_channel *channel)
{
	return channel->out_end > channel->out_start;
}

int lab_channel_flush(struct lab_channel *channel)
{
	while (lab_channel_wants_write(channel) && channel->fd >= 0) {
		ssize_t nr = send(channel->fd, channel->out + channel->out_start,
				  channel->out_end - channel->out_start,
				  MSG_NOSIGNAL | MSG_DONTWAIT);
		if (nr >= 0)
			channel->out_start += (size_t)nr;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -EPIPE;
	}
	return 0;
}

int lab_channel_send(struct lab_channel *channel, uint32_t type, const void *payload, size_t length)
{
	struct lab_frame head = { .type = type, .length = (uint32_t)length };
	size_t nr = channel->out_end - channel->out_start;
	if (length > LAB_FRAME_MAX || HEADER + length > OUT_SIZE - nr)
		return -ENOBUFS;
	if (HEADER + length > OUT_SIZE - channel->out_end) {
		memmove(channel->out, channel->out + channel->out_start, nr);
		channel->out_start = 0;
		channel->out_end = nr;
	}
	memcpy(channel->out + channel->out_end, &head, HEADER);
	if (length)
		memcpy(channel->out + channel->out_end + HEADER, payload, length);
	channel->out_end += HEADER + length;
	return lab_channel_flush(channel);
}

int lab_channel_send_signal(struct lab_channel *channel, int signal)
{
	uint32_t number = (uint32_t)signal;
	return lab_channel_send(channel, LAB_SIGNAL, &number, sizeof(number));
}

/* Never more than half of what is queued, so that a signal finds room. */
size_t lab_channel_input_room(const struct lab_channel *channel)
{
	size_t queued = channel->out_end - channel->out_start;
	if (queued > OUT_SIZE / 2)
		return 0;
	return (size_t)MIN(channel->input_room, (uint64_t)LAB_FRAME_MAX);
}

int lab_channel_send_input(struct lab_channel *channel, const void *bytes, size_t nr_bytes)
{
	if (nr_bytes > channel->input_room)
		return -ENOBUFS;
	channel->input_room -= nr_bytes;
	return lab_channel_send(channel, LAB_STDIN, bytes, nr_bytes);
}

bool lab_incoming_ready(const struct lab_incoming *frame, struct lab_ready *ret,
			struct lab_text *ret_release)
{
	if (frame->type != LAB_READY)
		return false;
	memcpy(ret, frame->payload, sizeof(*ret));
	*ret_release = (struct lab_text){ (const char *)frame->payload + sizeof(*ret),
					  frame->length - sizeof(*ret) };
	return true;
}

bool lab_incoming_started(const struct lab_incoming *frame, uint64_t *ret_guest_ns,
			  uint32_t *ret_pid)
{
	if (frame->type != LAB_STARTED)
		return false;
	memcpy(ret_guest_ns, frame->payload, sizeof(*ret_guest_ns));
	memcpy(ret_pid, frame->payload + sizeof(*ret_guest_ns), sizeof(*ret_pid));
	return true;
}

bool lab_incoming_exited(const struct lab_incoming *frame, struct lab_exited *ret)
{
	if (frame->type != LAB_EXITED)
		return false;
	memcpy(ret, frame->payload, sizeof(*ret));
	return true;
}

bool lab_incoming_not_run(const struct lab_incoming *frame, uint32_t *ret_errno,
			  struct lab_text *ret_words)
{
	if (frame->type != LAB_NOT_RUN)
		return false;
	memcpy(ret_errno, frame->payload, sizeof(*ret_errno));
	*ret_words = (struct lab_text){ (const char *)frame->payload + sizeof(*ret_errno),
					frame->length - sizeof(*ret_errno) };
	return true;
}
