/* SPDX-License-Identifier: MIT */
/*
 * A pull parser for JSON of any size (json.h): each json_next() gives one token.
 *
 * The input passes through a window. The current token always lies whole inside it, so its text is
 * given where it stands, without a copy: the byte behind it is made NUL and put back before the
 * next token. Escapes are resolved in place, because they only get shorter.
 *
 *     window                start            at            end            size
 *      | read before        | current token  | still to read | free        |
 *
 * When the window is empty, what is before `start` is dropped and more is read; a token that fills
 * the window doubles it, up to JSON_MAX_TOKEN.
 *
 * Cost: one pass; plain stretches of strings are passed over eight bytes at a time. Memory: a
 * window of 64 KiB, or the longest token rounded up; one bit per open object or array.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

#define WINDOW_BYTES ((size_t)64 << 10)

/* What may come next. */
enum expect {
	EXPECT_VALUE,	   /* a value must come */
	EXPECT_FIRST_ITEM, /* just after '[': a value or ']' */
	EXPECT_FIRST_KEY,  /* just after '{': a key or '}' */
	EXPECT_COLON,	   /* after a key */
	EXPECT_COMMA,	   /* after a value: ',' or an end; at the top only blanks */
	EXPECT_NOTHING,	   /* an error was found: for ever */
};

struct json_reader {
	json_read_fn read;
	void *context;
	char *window;
	size_t size; /* bytes of the window, one more is there for a NUL */
	size_t start, at, end;
	size_t text, text_len; /* of the last token with a text */
	bool is_held;	       /* window[at] was replaced by a NUL ... */
	char held;	       /* ... and was this */
	bool is_at_end;	       /* read() gave 0 */
	bool is_cut;	       /* the error is that the input ends */
	enum expect expect;
	unsigned depth;
	uint64_t objects;    /* bit d - 1: depth d is an object */
	uint64_t line;	     /* from 1 */
	uint64_t dropped;    /* bytes of input before the window */
	uint64_t line_start; /* where the line begins, in bytes of input */
	int error;
	struct printbuf message;
};

ssize_t json_read_span(void *context, void *buffer, size_t size)
{
	struct json_span *span = context;
	size_t nr = MIN(size, span->left);
	memcpy(buffer, span->text, nr);
	span->text += nr;
	span->left -= nr;
	return (ssize_t)nr;
}

int json_reader_new(json_read_fn read, void *context, struct json_reader **ret)
{
	struct json_reader *reader = calloc(1, sizeof(*reader));
	char *window = malloc(WINDOW_BYTES + 1);
	if (!reader || !window) {
		free(reader);
		free(window);
		return -ENOMEM;
	}
	*reader = (struct json_reader){ .read = read,
					.context = context,
					.window = window,
					.size = WINDOW_BYTES,
					.line = 1,
					.message = PRINTBUF_HEAP };
	*ret = reader;
	return 0;
}

struct json_reader *json_reader_free(struct json_reader *reader)
{
	if (reader) {
		printbuf_fini(&reader->message);
		free(reader->window);
		free(reader);
	}
	return NULL;
}

const char *json_text(const struct json_reader *reader, size_t *ret_len)
{
	if (ret_len)
		*ret_len = reader->text_len;
	return reader->window + reader->text;
}

unsigned json_depth(const struct json_reader *reader)
{
	return reader->depth;
}

const char *json_reader_error(const struct json_reader *reader)
{
	return printbuf_str(&reader->message);
}

int json_reader_errno(const struct json_reader *reader)
{
	return reader->error;
}

uint64_t json_reader_line(const struct json_reader *reader)
{
	return reader->line;
}

static enum json_token fail_at(struct json_reader *reader, size_t at, int error, const char *why)
{
	if (reader->error)
		return JSON_ERROR;
	uint64_t column = reader->dropped + at - reader->line_start + 1;
	reader->error = error;
	reader->is_cut = reader->is_at_end && at == reader->end;
	reader->expect = EXPECT_NOTHING;
	reader->text_len = 0;
	reader->text = reader->end;
	reader->window[reader->end] = '\0';
	prt_printf(&reader->message, "line %llu column %llu: %s", (unsigned long long)reader->line,
		   (unsigned long long)column, why);
	return JSON_ERROR;
}

/* Drops what is before `start`, makes room, reads. False: the end, or an error (then set). */
static bool refill(struct json_reader *reader)
{
	if (reader->is_at_end || reader->error)
		return false;
	size_t keep = reader->end - reader->start;
	if (reader->start > 0) {
		memmove(reader->window, reader->window + reader->start, keep);
		reader->dropped += reader->start;
		reader->at -= reader->start;
		reader->start = 0;
		reader->end = keep;
	}
	if (keep == reader->size) {
		size_t size = MIN(2 * reader->size, JSON_MAX_TOKEN + 2); /* with the quotes */
		char *window = size > keep ? realloc(reader->window, size + 1) : NULL;
		if (!window) {
			fail_at(reader, reader->start, size > keep ? -ENOMEM : -E2BIG,
				size > keep ? "out of memory"
					    : "a string or number of more than 1 MiB");
			return false;
		}
		reader->window = window;
		reader->size = size;
	}
	ssize_t nr = reader->read(reader->context, reader->window + reader->end,
				  reader->size - reader->end);
	if (nr < 0)
		fail_at(reader, reader->end, (int)nr, error_text((int)nr));
	if (nr == 0)
		reader->is_at_end = true;
	if (nr <= 0)
		return false;
	reader->end += (size_t)nr;
	return true;
}

/* The byte at the cursor, or -1 at the end of input. */
static inline int peek(struct json_reader *reader)
{
	if (unlikely(reader->at == reader->end) && !refill(reader))
		return -1;
	return (unsigned char)reader->window[reader->at];
}

/* Passes over blanks; the next byte or -1. */
static inline int peek_token(struct json_reader *reader)
{
	for (;;) {
		reader->start = reader->at;
		int c = peek(reader);
		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return c;
		reader->at++;
		if (c == '\n') {
			reader->line++;
			reader->line_start = reader->dropped + reader->at;
		}
	}
}

/* The text of a token is window[from..to); the byte behind it gives way to a NUL. */
static void set_text(struct json_reader *reader, size_t from, size_t to)
{
	reader->text = from;
	reader->text_len = to - from;
	if (to == reader->at) {
		reader->is_held = true;
		reader->held = reader->window[to];
	}
	reader->window[to] = '\0';
}

static enum json_token fail_here(struct json_reader *reader, int c, const char *wanted)
{
	PRINTBUF(why);
	char byte = (char)c;
	if (c < 0) {
		prt_printf(&why, "the text ends where %s should be", wanted);
	} else {
		prt_char(&why, '\'');
		prt_safe(&why, &byte, 1);
		prt_printf(&why, "' where %s should be", wanted);
	}
	return fail_at(reader, reader->at, -EINVAL, printbuf_str(&why));
}

/* At least nr bytes at the cursor. */
static inline bool ensure(struct json_reader *reader, size_t nr)
{
	while (unlikely(reader->end - reader->at < nr))
		if (!refill(reader))
			return false;
	return true;
}

/* Bytes that a string may hold as they are and that need no look: ASCII but for '"', '\\' and
 * controls. */
static size_t plain_run(const char *text, size_t nr)
{
	const uint64_t ones = ~(uint64_t)0 / 255, highs = ones * 0x80;
	size_t at = 0;
	for (; nr - at >= 8; at += 8) {
		uint64_t word;
		memcpy(&word, text + at, 8);
		uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
		/* A high bit in each: byte < 0x20; byte == 0, twice; byte >= 0x80. */
		if (((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs)
			break;
	}
	while (at < nr && (unsigned char)text[at] >= 0x20 && (unsigned char)text[at] < 0x80 &&
	       text[at] != '"' && text[at] != '\\')
		at++;
	return at;
}

/* Four hexadecimal digits at `offset` from the cursor, or -1. */
static int32_t hex_digits(struct json_reader *reader, size_t offset)
{
	int32_t code = 0;
	if (!ensure(reader, offset + 4))
		return -1;
	for (size_t i = 0; i < 4; i++) {
		char c = reader->window[reader->at + offset + i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
		if (digit < 0 || digit > 15 || (digit > 9 && (c | 0x20) < 'a'))
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* "\uXXXX", or two of them that make one character: its bytes, 0 on error. */
static size_t take_unicode(struct json_reader *reader, char ret[4])
{
	int32_t code = hex_digits(reader, 2), low = 0;
	size_t len = 6;
	if (code >= 0xd800 && code <= 0xdbff && ensure(reader, 12) &&
	    reader->window[reader->at + 6] == '\\' && reader->window[reader->at + 7] == 'u') {
		low = hex_digits(reader, 8);
		len = 12;
	}
	if (code < 0 || low < 0) {
		fail_at(reader, reader->at, -EINVAL, "\\u without four hexadecimal digits");
		return 0;
	}
	if (len == 12 && low >= 0xdc00 && low <= 0xdfff)
		code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
	if (code >= 0xd800 && code <= 0xdfff) {
		fail_at(reader, reader->at, -EINVAL, "half of a surrogate pair");
		return 0;
	}
	reader->at += len;
	return utf8_encode((uint32_t)code, ret);
}

static size_t take_escape(struct json_reader *reader, char ret[4])
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	if (!ensure(reader, 2)) {
		fail_at(reader, reader->end, -EINVAL, "the text ends inside a string");
		return 0;
	}
	char letter = reader->window[reader->at + 1];
	if (letter == 'u')
		return take_unicode(reader, ret);
	const char *found = letter ? strchr(letters, letter) : NULL;
	if (!found) {
		fail_at(reader, reader->at, -EINVAL, "an unknown escape in a string");
		return 0;
	}
	ret[0] = meanings[found - letters];
	reader->at += 2;
	return 1;
}

static size_t take_wide(struct json_reader *reader, char ret[4])
{
	size_t len = 0;
	do {
		len = utf8_decode(reader->window + reader->at, reader->end - reader->at, NULL);
	} while (len == 0 && reader->end - reader->at < 4 && refill(reader));
	if (len == 0)
		fail_at(reader, reader->at, -EINVAL, "a string is not UTF-8");
	memcpy(ret, reader->window + reader->at, len);
	reader->at += len;
	return len;
}

/* A character of a string that cannot just be passed over: its bytes, 0 on error. */
static size_t take_special(struct json_reader *reader, char ret[4])
{
	int c = peek(reader);
	if (c == '\\')
		return take_escape(reader, ret);
	if (c >= 0x80)
		return take_wide(reader, ret);
	fail_at(reader, reader->at, -EINVAL,
		c < 0 ? "the text ends inside a string"
		      : "a control character in a string; write it as \\uXXXX");
	return 0;
}

/* The cursor stands at the opening quote. */
static enum json_token take_string(struct json_reader *reader, enum json_token token)
{
	size_t len = 0; /* of the resolved text, which begins at start + 1 */
	reader->start = reader->at++;
	while (peek(reader) != '"') {
		size_t run = plain_run(reader->window + reader->at, reader->end - reader->at);
		char special[4];
		size_t nr = run ? run : take_special(reader, special);
		char *to = reader->window + reader->start + 1 + len;
		if (nr == 0)
			return JSON_ERROR;
		if (run == 0)
			memcpy(to, special, nr);
		else if (to != reader->window + reader->at)
			memmove(to, reader->window + reader->at, nr);
		reader->at += run;
		len += nr;
	}
	reader->at++;
	set_text(reader, reader->start + 1, reader->start + 1 + len);
	return token;
}

static size_t count_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(const char *text)
{
	text += *text == '-';
	size_t whole = count_digits(text);
	if (whole == 0 || (whole > 1 && *text == '0'))
		return false;
	text += whole;
	if (*text == '.') {
		size_t fraction = count_digits(++text);
		if (fraction == 0)
			return false;
		text += fraction;
	}
	if (*text == 'e' || *text == 'E') {
		text += 1 + (text[1] == '+' || text[1] == '-');
		size_t exponent = count_digits(text);
		if (exponent == 0)
			return false;
		text += exponent;
	}
	return *text == '\0';
}

static bool is_number_character(int c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

static enum json_token take_number(struct json_reader *reader)
{
	bool is_plain = reader->window[reader->at] != '0'; /* digits only: nothing to check */
	int c;
	reader->start = reader->at;
	for (; is_number_character(c = peek(reader)); reader->at++)
		is_plain &= c >= '0' && c <= '9';
	if (reader->error)
		return JSON_ERROR;
	set_text(reader, reader->start, reader->at);
	if (!is_plain && !is_number(reader->window + reader->start))
		return fail_at(reader, reader->start, -EINVAL, "not a number as JSON writes them");
	return JSON_NUMBER;
}

static enum json_token take_word(struct json_reader *reader, const char *word,
				 enum json_token token)
{
	size_t len = strlen(word);
	size_t have = ensure(reader, len) ? len : reader->end - reader->at;
	if (have < len && !memcmp(reader->window + reader->at, word, have))
		return fail_at(reader, reader->end, -EINVAL, "the text ends inside a word");
	if (have < len || memcmp(reader->window + reader->at, word, len) != 0)
		return fail_at(reader, reader->at, -EINVAL,
			       "an unknown word; only true, false and null are values");
	reader->at += len;
	return token;
}

static enum json_token take_begin(struct json_reader *reader, bool is_object)
{
	if (reader->depth == JSON_MAX_DEPTH)
		return fail_at(reader, reader->at, -E2BIG, "nested deeper than 64");
	uint64_t bit = (uint64_t)1 << reader->depth++;
	reader->objects = is_object ? reader->objects | bit : reader->objects & ~bit;
	reader->expect = is_object ? EXPECT_FIRST_KEY : EXPECT_FIRST_ITEM;
	reader->at++;
	return is_object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
}

static bool is_in_object(const struct json_reader *reader)
{
	return reader->depth > 0 && reader->objects >> (reader->depth - 1) & 1;
}

static enum json_token take_end(struct json_reader *reader)
{
	bool is_object = is_in_object(reader);
	reader->depth--;
	reader->at++;
	reader->expect = EXPECT_COMMA;
	return is_object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_token take_value(struct json_reader *reader, int c)
{
	reader->expect = EXPECT_COMMA;
	if (c == '"')
		return take_string(reader, JSON_STRING);
	if (c == '-' || (c >= '0' && c <= '9'))
		return take_number(reader);
	switch (c) {
	case '{':
		return take_begin(reader, true);
	case '[':
		return take_begin(reader, false);
	case 't':
		return take_word(reader, "true", JSON_TRUE);
	case 'f':
		return take_word(reader, "false", JSON_FALSE);
	case 'n':
		return take_word(reader, "null", JSON_NULL);
	default:
		return fail_here(reader, c, "a value");
	}
}

static enum json_token take_key(struct json_reader *reader, int c)
{
	if (c != '"')
		return fail_here(reader, c, "a key in double quotes");
	reader->expect = EXPECT_COLON;
	return take_string(reader, JSON_KEY);
}

/* After a value: ',' and what it announces, the end of what is open, or of all. */
static enum json_token take_after_value(struct json_reader *reader, int c)
{
	bool is_object = is_in_object(reader);
	if (reader->depth == 0) {
		if (c < 0)
			return reader->error ? JSON_ERROR : JSON_END;
		return fail_here(reader, c, "the end of the text");
	}
	if (c == (is_object ? '}' : ']'))
		return take_end(reader);
	if (c != ',')
		return fail_here(reader, c, is_object ? "',' or '}'" : "',' or ']'");
	reader->at++;
	c = peek_token(reader);
	return is_object ? take_key(reader, c) : take_value(reader, c);
}

enum json_token json_next(struct json_reader *reader)
{
	if (reader->is_held)
		reader->window[reader->at] = reader->held;
	reader->is_held = false;
	if (reader->error)
		return JSON_ERROR;
	int c = peek_token(reader);
	switch (reader->expect) {
	case EXPECT_COMMA:
		return take_after_value(reader, c);
	case EXPECT_COLON:
		if (c != ':')
			return fail_here(reader, c, "':'");
		reader->at++;
		return take_value(reader, peek_token(reader));
	case EXPECT_FIRST_KEY:
		return c == '}' ? take_end(reader) : take_key(reader, c);
	case EXPECT_FIRST_ITEM:
		return c == ']' ? take_end(reader) : take_value(reader, c);
	default:
		return take_value(reader, c);
	}
}

int json_skip_value(struct json_reader *reader)
{
	unsigned depth = reader->depth;
	enum json_token token = json_next(reader);
	bool is_value = token == JSON_OBJECT_BEGIN || token == JSON_ARRAY_BEGIN ||
			token >= JSON_STRING;
	if (token != JSON_ERROR && !is_value)
		return -EINVAL;
	while (token != JSON_ERROR && reader->depth > depth)
		token = json_next(reader);
	return token == JSON_ERROR ? reader->error : 0;
}

bool json_reader_is_cut(const struct json_reader *reader)
{
	return reader->is_cut;
}

uint64_t json_offset(const struct json_reader *reader)
{
	return reader->dropped + reader->at;
}

const char *json_peek(struct json_reader *reader, size_t want, size_t *ret_nr)
{
	if (reader->is_held)
		reader->window[reader->at] = reader->held;
	reader->is_held = false;
	reader->start = reader->at;
	if (!reader->error)
		ensure(reader, MIN(want, WINDOW_BYTES / 2));
	*ret_nr = reader->error ? 0 : reader->end - reader->at;
	return reader->window + reader->at;
}

void json_pass(struct json_reader *reader, size_t nr_bytes, uint64_t nr_lines)
{
	const char *from = reader->window + reader->at;
	if (nr_bytes)
		reader->expect = EXPECT_COMMA;
	reader->at += nr_bytes;
	reader->line += nr_lines;
	const char *newline = nr_lines ? memrchr(from, '\n', nr_bytes) : NULL;
	if (newline)
		reader->line_start = reader->dropped + (uint64_t)(newline + 1 - reader->window);
}
