/* SPDX-License-Identifier: MIT */
/* What a daemon answers is not to be relied on: cut, damaged and deep answers. */
#include "test.h"

#include <string.h>

#include "cli/reply.h"

static const char whole[] = "{\"version\":1,\"service\":{\"pid\":7,\"share\":0.5,\"why\":null},"
			    "\"jobs\":[{\"job\":\"a\",\"cpus\":{\"now\":\"0-1\",\"left\":-3}}]}";

/* As `berth status --format json` does. */
static int copy(const char *answer, struct printbuf *out)
{
	struct json_writer json;
	json_writer_init(&json, out, true);
	json_object_begin(&json, NULL);
	int error = reply_copy(answer, &json, "daemon");
	if (error)
		json_null(&json, "daemon");
	json_object_end(&json);
	return error;
}

static void count(void *context, const struct reply_row *row)
{
	*(uint32_t *)context += 1 + row->nr;
}

static void test_reply_copies_what_is_whole(void **state)
{
	PRINTBUF(out);
	uint32_t nr = 0;
	(void)state;
	assert_int_equal(copy(whole, &out), 0);
	assert_string_equal(printbuf_str(&out),
			    "{\"daemon\":{\"version\":1,\"service\":{\"pid\":7,\"share\":"
			    "0.500000,\"why\":null},\"jobs\":[{\"job\":\"a\",\"cpus\":{\"now\":"
			    "\"0-1\",\"left\":-3}}]}}");
	assert_int_equal(reply_rows(whole, "jobs", count, &nr), 0);
	assert_int_equal(nr, 4);
}

/* Cut anywhere: nothing of it is written. */
static void test_reply_copies_nothing_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		PRINTBUF(out);
		char part[sizeof(whole)];
		uint32_t nr = 0;
		memcpy(part, whole, len);
		part[len] = '\0';
		assert_int_equal(copy(part, &out), -EINVAL);
		assert_string_equal(printbuf_str(&out), "{\"daemon\":null}");
		reply_rows(part, "jobs", count, &nr);
	}
}

/* Any byte another one: no crash, and what is written is whole. */
static void test_reply_survives_damage(void **state)
{
	static const char bytes[] = "\"{}[]:,0-.\\x\x1b\xff";
	(void)state;
	for (size_t at = 0; at < sizeof(whole) - 1; at++)
		for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
			PRINTBUF(out);
			PRINTBUF(again);
			char other[sizeof(whole)];
			uint32_t nr = 0;
			memcpy(other, whole, sizeof(whole));
			other[at] = bytes[i];
			copy(other, &out);
			assert_int_equal(copy(printbuf_str(&out), &again), 0);
			reply_rows(other, "jobs", count, &nr);
		}
}

static void test_reply_refuses_what_is_deep(void **state)
{
	char deep[256];
	(void)state;
	for (size_t depth = 1; depth <= 100; depth++) {
		PRINTBUF(out);
		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		deep[2 * depth] = '\0';
		assert_int_equal(copy(deep, &out), depth > REPLY_MAX_DEPTH ? -EINVAL : 0);
	}
}
