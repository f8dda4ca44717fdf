/* SPDX-License-Identifier: MIT */
/*
 * JSON: a writer on a printbuf, and a streaming pull reader in bounded memory.
 *
 * Small documents that berth reads whole go through jansson; this reader is for imports of any
 * size (a damo record of gigabytes) and holds only the current token and one bit per depth.
 *
 * The writer never makes an invalid document: a key where none belongs, a missing one, an end that
 * closes nothing and a second top value are programming errors and abort; text that is not UTF-8
 * is replaced, NaN and infinities become null. When all is closed, nothing more is written: a
 * newline at the end is the caller's.
 *
 * The reader takes RFC 8259 and nothing else: one top value; no comments, no trailing commas, no
 * byte order mark. It refuses what cannot be UTF-8 text: invalid bytes, and escaped surrogates
 * without their other half. \u0000 is allowed: look at the length. Keys may repeat; each is given.
 */
#ifndef BERTH_BASE_JSON_H
#define BERTH_BASE_JSON_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "base/types.h"

#define JSON_MAX_DEPTH 64
#define JSON_MAX_TOKEN ((size_t)1 << 20) /* bytes of one string or number */

/* Writer. key is NULL inside arrays and at the top. Indented by two spaces, or on one line. */
struct json_writer {
	struct printbuf *out;
	unsigned depth;
	bool compact;
	bool has_item[JSON_MAX_DEPTH + 1];
	bool is_object[JSON_MAX_DEPTH + 1];
};
void json_writer_init(struct json_writer *json, struct printbuf *out, bool compact);
void json_object_begin(struct json_writer *json, const char *key);
void json_object_end(struct json_writer *json);
void json_array_begin(struct json_writer *json, const char *key);
void json_array_end(struct json_writer *json);
void json_str(struct json_writer *json, const char *key, const char *value); /* NULL -> null */
void json_u64(struct json_writer *json, const char *key, uint64_t value);
void json_s64(struct json_writer *json, const char *key, int64_t value);
void json_fixed(struct json_writer *json, const char *key, double value, unsigned decimals);
void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);
void json_set(struct json_writer *json, const char *key, const char *list); /* as a string */

/* Reader. */
enum json_token {
	JSON_ERROR = -1, /* json_reader_error() has the sentence, with line and column */
	JSON_END = 0,	 /* the top value is complete and only blanks follow */
	JSON_OBJECT_BEGIN,
	JSON_OBJECT_END,
	JSON_ARRAY_BEGIN,
	JSON_ARRAY_END,
	JSON_KEY,
	JSON_STRING,
	JSON_NUMBER, /* its text, unparsed */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

/* Fills up to `size` bytes, returns how many, 0 at the end, negative errno on failure. */
typedef ssize_t (*json_read_fn)(void *context, void *buffer, size_t size);

/* A json_read_fn over text that is in memory already; context: a struct json_span. */
struct json_span {
	const char *text;
	size_t left; /* bytes */
};
ssize_t json_read_span(void *context, void *buffer, size_t size);

struct json_reader;
int json_reader_new(json_read_fn read, void *context, struct json_reader **ret);
struct json_reader *json_reader_free(struct json_reader *reader); /* NULL allowed; returns NULL */
enum json_token json_next(struct json_reader *reader);
/* Text of the last KEY, STRING (unescaped, UTF-8, NUL-terminated) or NUMBER; valid until next. */
const char *json_text(const struct json_reader *reader, size_t *ret_len);
unsigned json_depth(const struct json_reader *reader);
/* After a KEY or inside an array before a value: passes over one whole value. 0 or negative. */
int json_skip_value(struct json_reader *reader);
const char *json_reader_error(const struct json_reader *reader);
/* Why: -EINVAL (not JSON), -E2BIG (a token or nesting above the limits), -ENOMEM, or what `read`
 * returned; 0: no error so far. */
int json_reader_errno(const struct json_reader *reader);
/* Where the reader stands: for the sentences of those who find a well-formed value wrong. */
uint64_t json_reader_line(const struct json_reader *reader); /* from 1 */
/* The error is that the input ends too early: what was given before it is good. */
bool json_reader_is_cut(const struct json_reader *reader);

/*
 * For arrays of a million items that differ in a few digits: the input as it stands. After the
 * begin or an item of an array json_peek shows what comes next: at least `want` bytes (up to
 * 32 KiB) unless the input ends. A caller that recognises whole items there, each but the array's
 * first with the comma before it, passes over them; it vouches that they are well-formed.
 */
const char *json_peek(struct json_reader *reader, size_t want, size_t *ret_nr);
void json_pass(struct json_reader *reader, size_t nr_bytes, uint64_t nr_lines);
/* Bytes of input up to the end of the last token. */
uint64_t json_offset(const struct json_reader *reader);

#endif
