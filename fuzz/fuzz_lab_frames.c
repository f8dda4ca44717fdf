/* SPDX-License-Identifier: MIT */
/*
 * What a guest may send, in pieces whose size the first byte chooses. What the channel makes of it
 * must not depend on the pieces, and an error must have a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "lab/launcher/channel.h"
#include "lab/launcher/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FNV-1a, to compare without keeping. */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
	return hash;
}

static void look_inside(const struct lab_incoming *frame)
{
	struct lab_ready ready;
	struct lab_exited exited;
	struct lab_text text;
	struct lab_reading reading;
	uint64_t guest_ns;
	uint32_t number;
	PRINTBUF(safe);
	if (lab_incoming_ready(frame, &ready, &text) || lab_incoming_not_run(frame, &number, &text))
		prt_safe(&safe, text.text, text.length);
	lab_incoming_started(frame, &guest_ns, &number);
	lab_incoming_exited(frame, &exited);
	if (frame->type == LAB_SAMPLE &&
	    lab_reading_parse(frame->payload, frame->length, &reading, NULL) == 0)
		lab_reading_fini(&reading);
}

static uint64_t take(const uint8_t *data, size_t size, size_t step)
{
	struct lab_channel channel;
	struct lab_incoming frame;
	PRINTBUF(err);
	uint64_t hash = 0xcbf29ce484222325;
	int result = 0;
	if (lab_channel_init(&channel, -1, NULL) < 0)
		abort();
	for (size_t at = 0; at < size && result >= 0;) {
		size_t fed = lab_channel_feed(&channel, data + at, MIN(step, size - at));
		if (!fed)
			abort(); /* a frame is always taken before the buffer is full */
		at += fed;
		while ((result = lab_channel_next(&channel, &frame, &err)) > 0) {
			uint32_t type = frame.type;
			look_inside(&frame);
			hash = add_bytes(hash, &type, sizeof(type));
			hash = add_bytes(hash, frame.payload, frame.length);
		}
	}
	if (result < 0 && !err.pos)
		abort();
	hash = add_bytes(hash, &result, sizeof(result));
	uint64_t room = lab_channel_input_room(&channel);
	hash = add_bytes(hash, &room, sizeof(room));
	lab_channel_fini(&channel);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	size_t step = data[0] + 1;
	if (take(data + 1, size - 1, step) != take(data + 1, size - 1, SIZE_MAX))
		abort();
	return 0;
}
