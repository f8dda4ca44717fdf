/* SPDX-License-Identifier: MIT */
/* Writes JSON to a printbuf (json.h). The only state is, per depth, whether something was written
 * and whether it is an object. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"

void json_writer_init(struct json_writer *json, struct printbuf *out, bool compact)
{
	*json = (struct json_writer){ .out = out, .compact = compact };
}

static void prt_line(struct json_writer *json)
{
	if (json->compact)
		return;
	prt_char(json->out, '\n');
	prt_chars(json->out, ' ', 2 * (size_t)json->depth);
}

/* Comma, line and key: what stands before a value. */
static void item_begin(struct json_writer *json, const char *key)
{
	bool in_object = json->depth > 0 && json->is_object[json->depth];
	assert(in_object == (key != NULL));
	assert(json->depth > 0 || !json->has_item[0]);
	if (json->has_item[json->depth])
		prt_char(json->out, ',');
	json->has_item[json->depth] = true;
	if (json->depth > 0)
		prt_line(json);
	if (!key)
		return;
	prt_json_string(json->out, key, strlen(key));
	prt_str(json->out, json->compact ? ":" : ": ");
}

static void nest(struct json_writer *json, const char *key, bool is_object)
{
	item_begin(json, key);
	assert(json->depth < JSON_MAX_DEPTH);
	json->depth++;
	json->has_item[json->depth] = false;
	json->is_object[json->depth] = is_object;
	prt_char(json->out, is_object ? '{' : '[');
}

static void unnest(struct json_writer *json, bool is_object)
{
	assert(json->depth > 0 && json->is_object[json->depth] == is_object);
	bool had_item = json->has_item[json->depth--];
	if (had_item)
		prt_line(json);
	prt_char(json->out, is_object ? '}' : ']');
}

void json_object_begin(struct json_writer *json, const char *key)
{
	nest(json, key, true);
}

void json_object_end(struct json_writer *json)
{
	unnest(json, true);
}

void json_array_begin(struct json_writer *json, const char *key)
{
	nest(json, key, false);
}

void json_array_end(struct json_writer *json)
{
	unnest(json, false);
}

void json_str(struct json_writer *json, const char *key, const char *value)
{
	item_begin(json, key);
	if (value)
		prt_json_string(json->out, value, strlen(value));
	else
		prt_str(json->out, "null");
}

void json_u64(struct json_writer *json, const char *key, uint64_t value)
{
	item_begin(json, key);
	prt_u64(json->out, value);
}

void json_s64(struct json_writer *json, const char *key, int64_t value)
{
	item_begin(json, key);
	prt_s64(json->out, value);
}

void json_fixed(struct json_writer *json, const char *key, double value, unsigned decimals)
{
	item_begin(json, key);
	if (isfinite(value))
		prt_fixed(json->out, value, decimals);
	else
		prt_str(json->out, "null");
}

void json_bool(struct json_writer *json, const char *key, bool value)
{
	item_begin(json, key);
	prt_str(json->out, value ? "true" : "false");
}

void json_null(struct json_writer *json, const char *key)
{
	item_begin(json, key);
	prt_str(json->out, "null");
}

void json_set(struct json_writer *json, const char *key, const char *list)
{
	json_str(json, key, list);
}
