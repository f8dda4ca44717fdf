/* SPDX-License-Identifier: MIT */
/*
 * The launcher's end of the channel to the guest: frames in, frames out, on one non-blocking socket
 * that QEMU holds the other end of (lab/protocol.h).
 *
 * The guest is not trusted: a header that claims too much is -EBADMSG, buffers have a bound, and
 * nothing here waits. It fits into a caller's poll() loop:
 *
 *     poll fd for POLLIN | (lab_channel_wants_write() ? POLLOUT : 0)
 *     POLLOUT: lab_channel_flush()
 *     POLLIN:  lab_channel_fill(), then lab_channel_next() until it returns 0
 *
 * To hold the guest back (the reader of its output is slow) do not poll for POLLIN: the socket
 * fills, QEMU waits, the agent stops reading the program's pipes and the program waits.
 *
 * Two things happen inside and need no care of the caller: a sample that came in parts is put
 * together, and LAB_DONE is answered by LAB_BYE, upon which the guest powers off.
 */
#ifndef BERTH_LAB_CHANNEL_H
#define BERTH_LAB_CHANNEL_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "lab/protocol.h"

#define LAB_SAMPLE_MAX (4u << 20) /* bytes of a sample put together from its parts */

struct lab_channel {
	int fd; /* the caller's: not closed here */
	uint8_t *in, *out;
	size_t in_start, in_end;   /* bytes received, not yet taken */
	size_t out_start, out_end; /* bytes to be sent */
	uint8_t *sample;	   /* parts of a sample, so far */
	size_t sample_length, sample_size;
	uint64_t input_room; /* bytes of LAB_STDIN the guest still takes */
	bool is_ended;	     /* the other end closed: no more will come than is buffered */
};

struct lab_incoming {
	enum lab_frame_type type;
	const uint8_t *payload; /* valid until the next call with this channel */
	size_t length;
};

/* Makes `fd` non-blocking; -ENOMEM. */
int lab_channel_init(struct lab_channel *channel, int fd, struct printbuf *err);
void lab_channel_fini(struct lab_channel *channel);
/* Reads what is there, as far as it has room. 0 also when nothing was there or the other end closed
 * (is_ended); negative errno when the socket is broken. */
int lab_channel_fill(struct lab_channel *channel, struct printbuf *err);
/* For tests: as lab_channel_fill() with these bytes; returns how many it had room for. */
size_t lab_channel_feed(struct lab_channel *channel, const void *bytes, size_t nr_bytes);
/* The next whole frame of a known type: 1; 0 when there is none yet; -EBADMSG when what came cannot
 * be frames (the run should end). Unknown types are skipped, known ones are long enough for their
 * struct and short enough for LAB_FRAME_MAX (a sample: LAB_SAMPLE_MAX). */
int lab_channel_next(struct lab_channel *channel, struct lab_incoming *ret, struct printbuf *err);

/* Queues a frame and sends what the socket takes. -ENOBUFS when the queue is full (the guest does
 * not read: signals get lost then), -EPIPE when the other end closed. */
int lab_channel_send(struct lab_channel *channel, uint32_t type, const void *payload,
		     size_t length);
int lab_channel_send_signal(struct lab_channel *channel, int signal);
/* How much input may be sent now; 0: do not read more from our own stdin yet. */
size_t lab_channel_input_room(const struct lab_channel *channel);
/* Sends at most lab_channel_input_room() bytes; nr_bytes 0 says that the input has ended. */
int lab_channel_send_input(struct lab_channel *channel, const void *bytes, size_t nr_bytes);
bool lab_channel_wants_write(const struct lab_channel *channel);
int lab_channel_flush(struct lab_channel *channel);

/* What is in a frame; false when it is of another type. Text is not NUL-terminated: print it with
 * prt_safe(), for it comes from the guest. */
struct lab_text {
	const char *text;
	size_t length;
};
bool lab_incoming_ready(const struct lab_incoming *frame, struct lab_ready *ret,
			struct lab_text *ret_release);
bool lab_incoming_started(const struct lab_incoming *frame, uint64_t *ret_guest_ns,
			  uint32_t *ret_pid);
bool lab_incoming_exited(const struct lab_incoming *frame, struct lab_exited *ret);
bool lab_incoming_not_run(const struct lab_incoming *frame, uint32_t *ret_errno,
			  struct lab_text *ret_words);

#endif
