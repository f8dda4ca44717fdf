/* SPDX-License-Identifier: MIT */
/* JSON: the writer and the reader against jansson, at every size of read. */
#include "test.h"

#include <math.h>

/* Names that both have. json_is_string() and the like must not be used below. */
#define json_null   jansson_null
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE   JANSSON_TRUE
#define JSON_FALSE  JANSSON_FALSE
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef json_null
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#include "base/json.h"
#include "base/random.h"

struct source {
	const char *text;
	size_t len, at, step; /* bytes a read */
	int error;	      /* instead of the end */
};

static ssize_t read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t nr = MIN(MIN(size, source->step), source->len - source->at);
	memcpy(buffer, source->text + source->at, nr);
	source->at += nr;
	return nr == 0 && source->error ? source->error : (ssize_t)nr;
}

/* Writes again what is read; true: it was JSON. */
static bool copy_all(struct json_reader *reader, struct printbuf *out, bool compact)
{
	struct json_writer json;
	PRINTBUF(key);
	bool has_key = false;
	enum json_token token;
	json_writer_init(&json, out, compact);
	while ((token = json_next(reader)) > JSON_END) {
		size_t len = 0;
		const char *text = json_text(reader, &len);
		const char *name = has_key ? printbuf_str(&key) : NULL;
		if (token == JSON_KEY) {
			printbuf_reset(&key);
			prt_mem(&key, text, len);
			has_key = true;
			continue;
		}
		if (token == JSON_OBJECT_BEGIN)
			json_object_begin(&json, name);
		else if (token == JSON_ARRAY_BEGIN)
			json_array_begin(&json, name);
		else if (token == JSON_OBJECT_END)
			json_object_end(&json);
		else if (token == JSON_ARRAY_END)
			json_array_end(&json);
		else if (token == JSON_STRING)
			json_str(&json, name, text);
		else if (token == JSON_NUMBER)
			json_fixed(&json, name, strtod(text, NULL), 3);
		else if (token == JSON_NULL)
			json_null(&json, name);
		else
			json_bool(&json, name, token == JSON_TRUE);
		has_key = false;
	}
	return token == JSON_END;
}

static bool read_text(const char *text, size_t len, size_t step, struct printbuf *out,
		      struct printbuf *ret_error)
{
	struct source source = { .text = text, .len = len, .step = step };
	struct json_reader *reader = NULL;
	assert_int_equal(json_reader_new(read_source, &source, &reader), 0);
	bool is_json = copy_all(reader, out, true);
	assert_int_equal(is_json, json_reader_errno(reader) == 0);
	if (ret_error)
		prt_str(ret_error, json_reader_error(reader));
	assert_int_equal(json_next(reader), is_json ? JSON_END : JSON_ERROR);
	json_reader_free(reader);
	return is_json;
}

/* A random value, depth at most 5. */
static json_t *random_value(struct random *random, unsigned depth)
{
	static const char *const words[] = {
		"",	     "a",	"key", "\"q\\", "tab\t\n\x01",
		"é",	     "漢字",	"😀",   "\x7f",	"sixteen characters and more",
		"</script>", "\xc2\x80"
	};
	uint64_t kind = random_below(random, depth < 5 ? 8 : 6);
	if (kind == 6 || kind == 7) {
		json_t *value = kind == 6 ? json_array() : json_object();
		for (uint64_t i = random_below(random, 6); i > 0; i--) {
			json_t *item = random_value(random, depth + 1);
			const char *name = words[random_below(random, ARRAY_SIZE(words))];
			if (kind == 6)
				json_array_append_new(value, item);
			else
				json_object_set_new(value, name, item);
		}
		return value;
	}
	switch (kind) {
	case 0:
		return json_loads("null", JSON_DECODE_ANY, NULL);
	case 1:
		return json_boolean(random_below(random, 2));
	case 2:
		return json_integer((json_int_t)random_below(random, 2000000) - 1000000);
	case 3:
		return json_real((double)((int64_t)random_below(random, 2000000) - 1000000) / 8);
	default:
		return json_string(words[random_below(random, ARRAY_SIZE(words))]);
	}
}

/* Numbers are written as reals with three decimals: so must the original's be. */
static json_t *with_reals(const json_t *value)
{
	const char *key;
	json_t *item, *copy;
	size_t i;
	if (json_is_number(value))
		return json_real(json_number_value(value));
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach((json_t *)value, i, item)
			json_array_append_new(copy, with_reals(item));
		return copy;
	}
	if (!json_is_object(value))
		return json_incref((json_t *)value);
	copy = json_object();
	json_object_foreach((json_t *)value, key, item)
		json_object_set_new(copy, key, with_reals(item));
	return copy;
}

static void check_document(struct random *random, const json_t *value, size_t flags)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, 100000 };
	char *text = json_dumps(value, flags);
	PRINTBUF(out);
	bool is_json = read_text(text, strlen(text), steps[random_below(random, ARRAY_SIZE(steps))],
				 &out, NULL);
	assert_true(is_json);
	json_t *back = json_loads(printbuf_str(&out), JSON_DECODE_ANY, NULL);
	json_t *expected = with_reals(value);
	assert_non_null(back);
	assert_true(json_equal(back, expected));
	json_decref(back);
	json_decref(expected);
	free(text);
}

static void test_random_documents_as_jansson(void **state)
{
	static const size_t styles[] = { 0, JSON_COMPACT, JSON_INDENT(4), JSON_ENSURE_ASCII,
					 JSON_ESCAPE_SLASH };
	struct random random;
	random_init(&random, 1);
	for (unsigned i = 0; i < 4000; i++) {
		json_t *value = random_value(&random, 0);
		check_document(&random, value,
			       styles[i % ARRAY_SIZE(styles)] | JSON_ENCODE_ANY |
				       JSON_REAL_PRECISION(17));
		json_decref(value);
	}
}

/* Mutated documents: both take them or both refuse them. */
static void test_mutations_as_jansson(void **state)
{
	static const char alphabet[] = "{}[]\",:\\u0e+-.1tfn \n\xff\xc3\xa9\x01";
	struct random random;
	random_init(&random, 2);
	unsigned nr_valid = 0;
	for (unsigned i = 0; i < 60000; i++) {
		json_t *value = random_value(&random, 2);
		char *text = json_dumps(value, JSON_ENCODE_ANY | (i & 1 ? JSON_ENSURE_ASCII : 0));
		size_t len = strlen(text);
		for (uint64_t n = random_below(&random, 3); n > 0 && len > 0; n--) {
			size_t at = random_below(&random, len);
			if (random_below(&random, 2))
				text[at] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
			else
				memmove(text + at, text + at + 1, len-- - at);
		}
		json_error_t error;
		json_t *theirs = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		/* jansson refuses numbers that a double cannot hold, and keys with a NUL. */
		bool is_limit = !theirs && (strstr(error.text, "overflow") ||
					    strstr(error.text, "not supported"));
		PRINTBUF(out);
		bool ours = read_text(text, len, 1 + i % 9, &out, NULL);
		if (!is_limit && ours != (theirs != NULL))
			fail_msg("%s: ours %d, jansson: %s", text, ours,
				 theirs ? "valid" : error.text);
		nr_valid += ours;
		json_decref(theirs);
		json_decref(value);
		free(text);
	}
	assert_in_range(nr_valid, 10000, 50000); /* both happen */
}

/* Not JSON, one way each. */
static const char *const refused[] = {
	"",
	" ",
	"[",
	"]",
	"{",
	"}",
	"[1",
	"[1,",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[1,,2]",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"{a:1}",
	"{1:2}",
	"{'a':1}",
	"{\"a\" 1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":1]",
	"[1}",
	"1 2",
	"[] []",
	"[1]x",
	"nul",
	"nulll",
	"True",
	"NaN",
	"Infinity",
	"-Infinity",
	"+1",
	"-",
	"01",
	"-01",
	"1.",
	".5",
	"1.e5",
	"1e",
	"1e+",
	"1.2.3",
	"0x10",
	"1-2",
	"--1",
	"\"",
	"\"a",
	"\"\\",
	"\"\\\"",
	"\"\\x\"",
	"\"\\u\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\ud800\"",
	"\"\\udc00\"",
	"\"\\ud800\\u0041\"",
	"\"\\ud800x\"",
	"\"\\ud800\\n\"",
	"\"\t\"",
	"\"\n\"",
	"\"\x1f\"",
	"\"\xff\"",
	"\"\xc3\"",
	"\"\xc0\x80\"",
	"\"\xed\xa0\x80\"",
	"\"\xf4\x90\x80\x80\"",
	"\xef\xbb\xbf[]",
	"[1]//",
	"/**/1",
	"'a'",
	"\"\\U0041\"",
	"[\"a\",\n1\n,]",
	"\x0c[]",
	"[\x0b]",
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		for (size_t step = 1; step < 12; step++) {
			PRINTBUF(out);
			PRINTBUF(error);
			if (read_text(refused[i], strlen(refused[i]), step, &out, &error))
				fail_msg("taken: %s", refused[i]);
			assert_true(strncmp(printbuf_str(&error), "line ", 5) == 0);
			assert_null(json_loads(refused[i], JSON_DECODE_ANY, NULL));
		}
}

static void check_error(const char *text, const char *expected)
{
	for (size_t step = 1; step < 40; step += 3) {
		PRINTBUF(out);
		PRINTBUF(error);
		assert_false(read_text(text, strlen(text), step, &out, &error));
		assert_string_equal(printbuf_str(&error), expected);
	}
}

static void test_error_sentences(void **state)
{
	check_error("[1,\n 2,\n  x]", "line 3 column 3: 'x' where a value should be");
	check_error("{\"a\":1,\n\"b\" 2}", "line 2 column 5: '2' where ':' should be");
	check_error("[1\n", "line 2 column 1: the text ends where ',' or ']' should be");
	check_error("[\"a\x1b\"]",
		    "line 1 column 4: a control character in a string; write it as \\uXXXX");
	check_error("\x1b", "line 1 column 1: '\\x1b' where a value should be");
	check_error("[01]", "line 1 column 2: not a number as JSON writes them");
	check_error("[] []", "line 1 column 4: '[' where the end of the text should be");
}

static void test_limits(void **state)
{
	for (unsigned depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		PRINTBUF(text);
		PRINTBUF(out);
		prt_chars(&text, '[', depth);
		prt_chars(&text, ']', depth);
		if (depth > JSON_MAX_DEPTH) {
			PRINTBUF(error);
			assert_false(read_text(printbuf_str(&text), text.pos, 10, &out, &error));
			assert_string_equal(printbuf_str(&error),
					    "line 1 column 65: nested deeper than 64");
		} else {
			assert_true(read_text(printbuf_str(&text), text.pos, 10, &out, NULL));
			assert_string_equal(printbuf_str(&out), printbuf_str(&text));
		}
	}
	for (size_t len = JSON_MAX_TOKEN - 1; len <= JSON_MAX_TOKEN + 1; len++) {
		PRINTBUF(text);
		PRINTBUF(out);
		PRINTBUF(error);
		prt_str(&text, "[1,\"");
		prt_chars(&text, 'x', len);
		prt_str(&text, "\"]");
		assert_int_equal(read_text(printbuf_str(&text), text.pos, 5000, &out, &error),
				 len <= JSON_MAX_TOKEN);
		if (len > JSON_MAX_TOKEN)
			assert_string_equal(
				printbuf_str(&error),
				"line 1 column 4: a string or number of more than 1 MiB");
	}
}

static void test_read_errors(void **state)
{
	for (size_t len = 0; len < 9; len++) {
		struct source source = {
			.text = "[\"a\",12]", .len = len, .step = 2, .error = -EIO
		};
		struct json_reader *reader = NULL;
		PRINTBUF(out);
		assert_int_equal(json_reader_new(read_source, &source, &reader), 0);
		assert_false(copy_all(reader, &out, true));
		assert_int_equal(json_reader_errno(reader), -EIO);
		assert_non_null(strstr(json_reader_error(reader), "Input/output error"));
		json_reader_free(reader);
	}
	assert_null(json_reader_free(NULL));
}

static void test_skip(void **state)
{
	static const char text[] = "{\"skip\":{\"a\":[1,[2],{}]},\"keep\":7,\"s\":\"x\"}";
	for (size_t step = 1; step < 20; step++) {
		struct source source = { .text = text, .len = strlen(text), .step = step };
		struct json_reader *reader = NULL;
		size_t len = 0;
		assert_int_equal(json_reader_new(read_source, &source, &reader), 0);
		assert_int_equal(json_next(reader), JSON_OBJECT_BEGIN);
		assert_int_equal(json_next(reader), JSON_KEY);
		assert_int_equal(json_skip_value(reader), 0);
		assert_int_equal(json_depth(reader), 1);
		assert_int_equal(json_next(reader), JSON_KEY);
		assert_string_equal(json_text(reader, &len), "keep");
		assert_int_equal(len, 4);
		assert_int_equal(json_next(reader), JSON_NUMBER);
		assert_string_equal(json_text(reader, NULL), "7");
		assert_int_equal(json_next(reader), JSON_KEY);
		assert_int_equal(json_skip_value(reader), 0);
		assert_int_equal(json_skip_value(reader), -EINVAL); /* the end */
		assert_int_equal(json_next(reader), JSON_END);
		json_reader_free(reader);
	}
}

static void test_nul_in_a_string(void **state)
{
	struct source source = { .text = "\"a\\u0000b\"", .len = 10, .step = 10 };
	struct json_reader *reader = NULL;
	size_t len = 0;
	assert_int_equal(json_reader_new(read_source, &source, &reader), 0);
	assert_int_equal(json_next(reader), JSON_STRING);
	assert_memory_equal(json_text(reader, &len), "a\0b", 4);
	assert_int_equal(len, 3);
	json_reader_free(reader);
}

static void test_writer_golden(void **state)
{
	PRINTBUF(out);
	struct json_writer json;
	json_writer_init(&json, &out, false);
	json_object_begin(&json, NULL);
	json_str(&json, "name", "a\"b");
	json_str(&json, "none", NULL);
	json_u64(&json, "big", UINT64_MAX);
	json_s64(&json, "small", INT64_MIN);
	json_fixed(&json, "ratio", 1.005, 1);
	json_fixed(&json, "nan", NAN, 1);
	json_fixed(&json, "infinite", -INFINITY, 1);
	json_bool(&json, "yes", true);
	json_null(&json, "null");
	json_set(&json, "cpus", "0-3");
	json_array_begin(&json, "empty");
	json_array_end(&json);
	json_array_begin(&json, "list");
	json_u64(&json, NULL, 1);
	json_object_begin(&json, NULL);
	json_object_end(&json);
	json_array_end(&json);
	json_object_end(&json);
	assert_string_equal(printbuf_str(&out), "{\n"
						"  \"name\": \"a\\\"b\",\n"
						"  \"none\": null,\n"
						"  \"big\": 18446744073709551615,\n"
						"  \"small\": -9223372036854775808,\n"
						"  \"ratio\": 1.0,\n"
						"  \"nan\": null,\n"
						"  \"infinite\": null,\n"
						"  \"yes\": true,\n"
						"  \"null\": null,\n"
						"  \"cpus\": \"0-3\",\n"
						"  \"empty\": [],\n"
						"  \"list\": [\n"
						"    1,\n"
						"    {}\n"
						"  ]\n"
						"}");
}
