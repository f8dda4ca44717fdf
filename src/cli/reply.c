/* SPDX-License-Identifier: MIT */
/* What the daemon answered (reply.h). */
#include "cli/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/commands.h"
#include "linux/ask.h"

const char *reply_value(const struct reply_row *row, const char *name)
{
	for (uint32_t i = 0; i < row->nr; i++)
		if (strcmp(row->values[i].name, name) == 0)
			return row->values[i].value;
	return NULL;
}

void reply_prt(struct printbuf *out, const struct reply_row *row, const char *name)
{
	const char *text = reply_value(row, name);
	if (text)
		prt_safe(out, text, strlen(text));
}

uint64_t reply_u64(const struct reply_row *row, const char *name)
{
	const char *text = reply_value(row, name);
	return text ? strtoull(text, NULL, 10) : 0;
}

static void row_fini(struct reply_row *row)
{
	for (uint32_t i = 0; i < row->nr; i++) {
		free(row->values[i].name);
		free(row->values[i].value);
	}
	row->nr = 0;
}

static const char *token_text(const struct json_reader *reader, enum json_token token)
{
	return token == JSON_TRUE    ? "true"
	       : token == JSON_FALSE ? "false"
				     : json_text(reader, NULL);
}

static void add_value(struct reply_row *row, const char *prefix, const char *name,
		      const char *value)
{
	PRINTBUF(path);
	if (row->nr == REPLY_MAX_VALUES)
		return;
	prt_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", name);
	char *copies[2] = { strdup(printbuf_str(&path)), strdup(value) };
	if (!copies[0] || !copies[1]) {
		free(copies[0]);
		free(copies[1]);
		return;
	}
	row->values[row->nr].name = copies[0];
	row->values[row->nr++].value = copies[1];
}

/* An object into names and values, one level of objects within it too; arrays are passed over. */
static int read_object(struct json_reader *reader, const char *prefix, struct reply_row *row)
{
	enum json_token token;
	while ((token = json_next(reader)) == JSON_KEY) {
		PRINTBUF(name);
		prt_str(&name, json_text(reader, NULL));
		token = json_next(reader);
		if (token == JSON_OBJECT_BEGIN && !*prefix) {
			int error = read_object(reader, printbuf_str(&name), row);
			if (error)
				return error;
		} else if (token == JSON_OBJECT_BEGIN || token == JSON_ARRAY_BEGIN) {
			return -EINVAL; /* no daemon says such things in a row */
		} else if (token == JSON_ERROR || token == JSON_END) {
			return -EINVAL;
		} else if (token != JSON_NULL) {
			add_value(row, prefix, printbuf_str(&name), token_text(reader, token));
		}
	}
	return token == JSON_OBJECT_END ? 0 : -EINVAL;
}

static int read_row(struct json_reader *reader,
		    void (*take)(void *context, const struct reply_row *row), void *context)
{
	struct reply_row row = { .nr = 0 };
	int error = read_object(reader, "", &row);
	if (!error)
		take(context, &row);
	row_fini(&row);
	return error;
}

static int read_rows(struct json_reader *reader, const char *name,
		     void (*take)(void *context, const struct reply_row *row), void *context)
{
	enum json_token token = json_next(reader);
	int error = token == JSON_OBJECT_BEGIN ? 0 : -EINVAL;
	while (!error && (token = json_next(reader)) == JSON_KEY) {
		if (strcmp(json_text(reader, NULL), name) != 0) {
			error = json_skip_value(reader) < 0 ? -EINVAL : 0;
			continue;
		}
		token = json_next(reader);
		if (token == JSON_OBJECT_BEGIN)
			error = read_row(reader, take, context);
		else if (token != JSON_ARRAY_BEGIN)
			continue;
		while (token == JSON_ARRAY_BEGIN && !error &&
		       json_next(reader) == JSON_OBJECT_BEGIN)
			error = read_row(reader, take, context);
	}
	return error;
}

int reply_rows(const char *text, const char *name,
	       void (*take)(void *context, const struct reply_row *row), void *context)
{
	struct json_span span = { text, strlen(text) };
	struct json_reader *reader = NULL;
	int error = json_reader_new(json_read_span, &span, &reader);
	if (error)
		return error;
	error = read_rows(reader, name, take, context);
	json_reader_free(reader);
	return error;
}

/* The answer's own members, as a row. */
int reply_error(const char *text, struct printbuf *err)
{
	struct json_span span = { text, strlen(text) };
	struct json_reader *reader = NULL;
	struct reply_row row = { .nr = 0 };
	int status = 0;
	if (strncmp(text, "{\"error\":", 9) != 0 || json_reader_new(json_read_span, &span, &reader))
		return 0;
	if (json_next(reader) == JSON_OBJECT_BEGIN && read_object(reader, "", &row) == 0) {
		const char *sentence = reply_value(&row, "error");
		prt_str(err, sentence ? sentence : "the berth daemon refused");
		status = (int)reply_u64(&row, "exit");
	}
	row_fini(&row);
	json_reader_free(reader);
	return status > 0 && status < 126 ? status : EXIT_FAILED;
}

static void copy_scalar(struct json_writer *json, const char *key, struct json_reader *reader,
			enum json_token token)
{
	const char *text = json_text(reader, NULL);
	uint64_t number;
	if (token == JSON_TRUE || token == JSON_FALSE)
		json_bool(json, key, token == JSON_TRUE);
	else if (token == JSON_NULL)
		json_null(json, key);
	else if (token == JSON_STRING)
		json_str(json, key, text);
	else if (parse_u64(text, &number) == 0)
		json_u64(json, key, number);
	else if (strchr(text, '.'))
		json_fixed(json, key, strtod(text, NULL), 6);
	else
		json_s64(json, key, strtoll(text, NULL, 10));
}

/* One value and all within it: the reader's depth ends it. */
static int copy_value(struct json_writer *json, const char *top, struct json_reader *reader)
{
	PRINTBUF(name);
	bool has_name = top != NULL;
	prt_str(&name, top ? top : "");
	do {
		enum json_token token = json_next(reader);
		const char *key = has_name ? printbuf_str(&name) : NULL;
		has_name = false;
		if (token == JSON_ERROR || token == JSON_END)
			return -EINVAL;
		if (token == JSON_KEY) {
			printbuf_reset(&name);
			prt_str(&name, json_text(reader, NULL));
			has_name = true;
		} else if (token == JSON_OBJECT_BEGIN) {
			json_object_begin(json, key);
		} else if (token == JSON_OBJECT_END) {
			json_object_end(json);
		} else if (token == JSON_ARRAY_BEGIN) {
			json_array_begin(json, key);
		} else if (token == JSON_ARRAY_END) {
			json_array_end(json);
		} else {
			copy_scalar(json, key, reader, token);
		}
	} while (json_depth(reader) > 0);
	return 0;
}

/* One value not nested deeper than any answer is, and nothing behind it. */
static int check_value(const char *text)
{
	struct json_span span = { text, strlen(text) };
	struct json_reader *reader = NULL;
	enum json_token token = JSON_END;
	uint32_t nr = 0;
	int error = json_reader_new(json_read_span, &span, &reader);
	while (!error && (token = json_next(reader)) != JSON_END) {
		nr++;
		if (token == JSON_ERROR || json_depth(reader) > REPLY_MAX_DEPTH)
			error = -EINVAL;
	}
	json_reader_free(reader);
	return !error && nr == 0 ? -EINVAL : error;
}

/* What is half an answer is not begun: the writer could not go on behind it. */
int reply_copy(const char *text, struct json_writer *json, const char *key)
{
	struct json_span span = { text, strlen(text) };
	struct json_reader *reader = NULL;
	int error = check_value(text);
	if (!error)
		error = json_reader_new(json_read_span, &span, &reader);
	if (error)
		return error;
	error = copy_value(json, key, reader);
	json_reader_free(reader);
	return error;
}

int reply_ask(const char *socket, const char *state, const char *line, bool is_quiet,
	      struct printbuf *ret)
{
	struct root root;
	PRINTBUF(err);
	int error = root_open("/", &root, &err);
	if (error)
		return fail(&err, error);
	error = ask_daemon(&root, socket, state, line, ret, &err);
	root_fini(&root);
	if (error == -ENOENT && is_quiet)
		return 0;
	if (error)
		return fail(&err, error);
	int status = reply_error(printbuf_str(ret), &err);
	if (status)
		complain("%s", printbuf_str(&err));
	return status;
}
