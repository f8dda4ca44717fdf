/* SPDX-License-Identifier: MIT */
/* The launcher's end of the channel: frames from any pieces, and none from garbage. */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/launcher/channel.h"

static size_t put(uint8_t *at, uint32_t type, const void *payload, size_t length)
{
	struct lab_frame head = { .type = type, .length = (uint32_t)length };
	memcpy(at, &head, sizeof(head));
	if (length)
		memcpy(at + sizeof(head), payload, length);
	return sizeof(head) + length;
}

/* A short session of one frame of each kind that is the caller's. */
static size_t session(uint8_t *bytes)
{
	struct lab_exited exited = { .guest_ns = 5, .status = 0x300, .max_rss_bytes = 4096 };
	struct lab_ready ready = { .guest_ns = 77 };
	uint8_t payload[64];
	size_t nr = 0;
	memcpy(payload, &ready, sizeof(ready));
	memcpy(payload + sizeof(ready), "6.12.1", 6);
	nr += put(bytes + nr, LAB_READY, payload, sizeof(ready) + 6);
	nr += put(bytes + nr, LAB_MESSAGE, "a word", 6);
	nr += put(bytes + nr, 4711, "unknown", 7);
	memset(payload, 0, sizeof(payload));
	payload[0] = 9;
	payload[8] = 42;
	nr += put(bytes + nr, LAB_STARTED, payload, 12);
	nr += put(bytes + nr, LAB_STDOUT, "out", 3);
	nr += put(bytes + nr, LAB_STDERR, "", 0);
	nr += put(bytes + nr, LAB_EXITED, &exited, sizeof(exited));
	return nr;
}

static const enum lab_frame_type session_types[] = { LAB_READY,	 LAB_MESSAGE, LAB_STARTED,
						     LAB_STDOUT, LAB_STDERR,  LAB_EXITED };

static void check_frame(const struct lab_incoming *frame)
{
	struct lab_ready ready;
	struct lab_text text;
	struct lab_exited exited;
	uint64_t guest_ns;
	uint32_t pid;
	if (lab_incoming_ready(frame, &ready, &text)) {
		assert_int_equal(ready.guest_ns, 77);
		assert_int_equal(text.length, 6);
		assert_memory_equal(text.text, "6.12.1", 6);
	} else if (lab_incoming_started(frame, &guest_ns, &pid)) {
		assert_int_equal(guest_ns, 9);
		assert_int_equal(pid, 42);
	} else if (lab_incoming_exited(frame, &exited)) {
		assert_int_equal(exited.status, 0x300);
		assert_int_equal(exited.max_rss_bytes, 4096);
	} else if (frame->type == LAB_STDOUT) {
		assert_int_equal(frame->length, 3);
		assert_memory_equal(frame->payload, "out", 3);
	}
}

/* Takes all frames that are there and checks that they are the next of the session. */
static void take_all(struct lab_channel *channel, size_t *at)
{
	struct lab_incoming frame;
	int result;
	while ((result = lab_channel_next(channel, &frame, NULL)) > 0) {
		assert_true(*at < sizeof(session_types) / sizeof(session_types[0]));
		assert_int_equal(frame.type, session_types[*at]);
		check_frame(&frame);
		++*at;
	}
	assert_int_equal(result, 0);
}

static void test_split_at_every_byte(void **state)
{
	uint8_t bytes[1024];
	size_t nr = session(bytes);
	for (size_t split = 0; split <= nr; split++) {
		struct lab_channel channel;
		size_t at = 0;
		assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
		assert_int_equal(lab_channel_feed(&channel, bytes, split), split);
		take_all(&channel, &at);
		assert_int_equal(lab_channel_feed(&channel, bytes + split, nr - split), nr - split);
		take_all(&channel, &at);
		assert_int_equal(at, sizeof(session_types) / sizeof(session_types[0]));
		lab_channel_fini(&channel);
	}
}

static void test_byte_by_byte(void **state)
{
	uint8_t bytes[1024];
	size_t nr = session(bytes), at = 0;
	struct lab_channel channel;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(lab_channel_feed(&channel, bytes + i, 1), 1);
		take_all(&channel, &at);
	}
	assert_int_equal(at, sizeof(session_types) / sizeof(session_types[0]));
	lab_channel_fini(&channel);
}

/* The longest frame fits wherever it begins in the buffer. */
static void test_longest_frames(void **state)
{
	uint8_t *bytes = malloc(LAB_FRAME_MAX + 16);
	struct lab_channel channel;
	struct lab_incoming frame;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	for (size_t round = 0; round < 20; round++) {
		memset(bytes, (int)round, LAB_FRAME_MAX + 16);
		struct lab_frame head = { LAB_STDOUT, (uint32_t)(LAB_FRAME_MAX - round % 3) };
		memcpy(bytes, &head, sizeof(head));
		size_t nr = sizeof(head) + head.length;
		for (size_t at = 0; at < nr;) {
			size_t fed = lab_channel_feed(&channel, bytes + at, nr - at);
			assert_true(fed > 0);
			at += fed;
		}
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 1);
		assert_int_equal(frame.length, head.length);
		assert_int_equal(frame.payload[frame.length - 1], round);
	}
	lab_channel_fini(&channel);
	free(bytes);
}

static void refuse(const uint8_t *bytes, size_t nr)
{
	struct lab_channel channel;
	struct lab_incoming frame;
	PRINTBUF(err);
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	assert_int_equal(lab_channel_feed(&channel, bytes, nr), nr);
	assert_int_equal(lab_channel_next(&channel, &frame, &err), -EBADMSG);
	assert_non_null(strstr(printbuf_str(&err), "not in the lab's format"));
	lab_channel_fini(&channel);
}

static void test_refuses_garbage(void **state)
{
	static const uint8_t text[] = "this is not a frame but some text of a shell";
	uint8_t bytes[64];
	struct lab_frame head = { LAB_STDOUT, LAB_FRAME_MAX + 1 };
	refuse(text, sizeof(text));
	memcpy(bytes, &head, sizeof(head));
	refuse(bytes, sizeof(head));
	for (uint32_t type = LAB_READY; type <= LAB_INPUT_ROOM; type++) {
		/* Too short for its struct. */
		if (type != LAB_READY && type != LAB_STARTED && type != LAB_SAMPLE &&
		    type != LAB_EXITED && type != LAB_NOT_RUN && type != LAB_INPUT_ROOM)
			continue;
		refuse(bytes, put(bytes, type, "abc", 3));
	}
}

static void test_puts_samples_together(void **state)
{
	uint8_t bytes[256];
	struct {
		struct lab_sample head;
		char text[4];
	} last = { { .guest_ns = 3, .when = 2, .snapshot = 8 }, "efg" };
	struct lab_channel channel;
	struct lab_incoming frame;
	struct lab_sample head;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	for (int round = 0; round < 2; round++) {
		size_t nr = put(bytes, LAB_SAMPLE_PART, "ab", 2);
		nr += put(bytes + nr, LAB_SAMPLE_PART, "cd", 2);
		nr += put(bytes + nr, LAB_STDOUT, "between", 7);
		nr += put(bytes + nr, LAB_SAMPLE, &last, sizeof(last.head) + 3);
		nr += put(bytes + nr, LAB_SAMPLE, &last, sizeof(last.head) + 1);
		lab_channel_feed(&channel, bytes, nr);
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 1);
		assert_int_equal(frame.type, LAB_STDOUT);
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 1);
		assert_int_equal(frame.type, LAB_SAMPLE);
		assert_int_equal(frame.length, sizeof(head) + 7);
		memcpy(&head, frame.payload, sizeof(head));
		assert_int_equal(head.snapshot, 8);
		assert_memory_equal(frame.payload + sizeof(head), "abcdefg", 7);
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 1);
		assert_int_equal(frame.length, sizeof(head) + 1);
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 0);
	}
	lab_channel_fini(&channel);
}

/* Parts without end must not fill the host's memory. */
static void test_bounds_samples(void **state)
{
	uint8_t *bytes = calloc(1, LAB_FRAME_MAX + sizeof(struct lab_frame));
	struct lab_channel channel;
	struct lab_incoming frame;
	size_t nr = put(bytes, LAB_SAMPLE_PART, NULL, 0);
	struct lab_frame head = { LAB_SAMPLE_PART, LAB_FRAME_MAX };
	memcpy(bytes, &head, sizeof(head));
	nr += LAB_FRAME_MAX;
	int result = 0;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	for (size_t i = 0; i <= LAB_SAMPLE_MAX / LAB_FRAME_MAX && !result; i++) {
		assert_int_equal(lab_channel_feed(&channel, bytes, nr), nr);
		result = lab_channel_next(&channel, &frame, NULL);
	}
	assert_int_equal(result, -EBADMSG);
	assert_true(channel.sample_size <= LAB_SAMPLE_MAX);
	lab_channel_fini(&channel);
	free(bytes);
}

static void test_input_has_room_only_when_told(void **state)
{
	uint8_t bytes[64];
	uint32_t room = 10;
	struct lab_channel channel;
	struct lab_incoming frame;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	assert_int_equal(lab_channel_input_room(&channel), 0);
	assert_int_equal(lab_channel_send_input(&channel, "x", 1), -ENOBUFS);
	lab_channel_feed(&channel, bytes, put(bytes, LAB_INPUT_ROOM, &room, sizeof(room)));
	assert_int_equal(lab_channel_next(&channel, &frame, NULL), 0);
	assert_int_equal(lab_channel_input_room(&channel), 10);
	assert_int_equal(lab_channel_send_input(&channel, "1234567", 7), 0);
	assert_int_equal(lab_channel_input_room(&channel), 3);
	room = UINT32_MAX;
	for (int i = 0; i < 3; i++) {
		lab_channel_feed(&channel, bytes, put(bytes, LAB_INPUT_ROOM, &room, sizeof(room)));
		assert_int_equal(lab_channel_next(&channel, &frame, NULL), 0);
	}
	assert_int_equal(lab_channel_input_room(&channel), LAB_FRAME_MAX);
	lab_channel_fini(&channel);
}

/* A queue that nobody empties fills up, but never with input alone: a signal still fits. */
static void test_signals_fit_behind_input(void **state)
{
	static uint8_t input[LAB_FRAME_MAX];
	struct lab_channel channel;
	assert_int_equal(lab_channel_init(&channel, -1, NULL), 0);
	channel.input_room = UINT32_MAX;
	size_t room, sent = 0;
	while ((room = lab_channel_input_room(&channel)) > 0) {
		assert_int_equal(lab_channel_send_input(&channel, input, room), 0);
		sent += room;
	}
	assert_true(sent >= LAB_FRAME_MAX);
	assert_int_equal(lab_channel_send_signal(&channel, 15), 0);
	int error = 0;
	for (int i = 0; i < 10 && !error; i++)
		error = lab_channel_send(&channel, LAB_STDIN, input, sizeof(input));
	assert_int_equal(error, -ENOBUFS);
	lab_channel_fini(&channel);
}

static size_t receive(int fd, void *bytes, size_t size)
{
	size_t nr = 0;
	ssize_t got;
	while ((got = recv(fd, (char *)bytes + nr, size - nr, MSG_DONTWAIT)) > 0)
		nr += (size_t)got;
	return nr;
}

static void test_answers_done(void **state)
{
	int pair[2];
	uint8_t bytes[64], answer[64];
	struct lab_channel channel;
	struct lab_incoming frame;
	struct lab_frame head;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(lab_channel_init(&channel, pair[0], NULL), 0);
	assert_int_equal(write(pair[1], bytes, put(bytes, LAB_DONE, NULL, 0)), sizeof(head));
	assert_int_equal(lab_channel_fill(&channel, NULL), 0);
	assert_int_equal(lab_channel_next(&channel, &frame, NULL), 1);
	assert_int_equal(frame.type, LAB_DONE);
	assert_int_equal(receive(pair[1], answer, sizeof(answer)), sizeof(head));
	memcpy(&head, answer, sizeof(head));
	assert_int_equal(head.type, LAB_BYE);
	close(pair[1]);
	assert_int_equal(lab_channel_fill(&channel, NULL), 0);
	assert_true(channel.is_ended);
	assert_int_equal(lab_channel_send_signal(&channel, 2), -EPIPE);
	lab_channel_fini(&channel);
	close(pair[0]);
}

/* What a full socket does not take goes out later, whole and in order. */
static void test_flushes_later(void **state)
{
	int pair[2];
	static uint8_t sent[3][LAB_FRAME_MAX], got[4 * LAB_FRAME_MAX];
	size_t nr = 0, frame_bytes = sizeof(struct lab_frame) + LAB_FRAME_MAX;
	struct lab_channel channel;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	int small = 4096;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(lab_channel_init(&channel, pair[0], NULL), 0);
	for (int i = 0; i < 3; i++) {
		memset(sent[i], 'a' + i, LAB_FRAME_MAX);
		assert_int_equal(lab_channel_send(&channel, LAB_STDIN, sent[i], LAB_FRAME_MAX), 0);
	}
	assert_true(lab_channel_wants_write(&channel));
	for (int i = 0; i < 1000 && nr < 3 * frame_bytes; i++) {
		nr += receive(pair[1], got + nr, sizeof(got) - nr);
		assert_int_equal(lab_channel_flush(&channel), 0);
	}
	assert_int_equal(nr, 3 * frame_bytes);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(got + i * frame_bytes + sizeof(struct lab_frame), sent[i],
				    LAB_FRAME_MAX);
	assert_false(lab_channel_wants_write(&channel));
	lab_channel_fini(&channel);
	close(pair[0]);
	close(pair[1]);
}
