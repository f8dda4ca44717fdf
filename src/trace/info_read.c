/* SPDX-License-Identifier: MIT */
/* Reads the info document, through jansson: it is small and read whole. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trace/info.h"

/* A key that is missing or null leaves the default; one of the wrong kind is an error. */
struct document {
	json_t *object;
	const char *wrong; /* the first key that is */
};

static uint64_t get_u64(struct document *document, const char *key, uint64_t otherwise,
			uint64_t max)
{
	const json_t *value = json_object_get(document->object, key);
	if (!value || json_is_null(value))
		return otherwise;
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    (uint64_t)json_integer_value(value) <= max)
		return (uint64_t)json_integer_value(value);
	if (!document->wrong)
		document->wrong = key;
	return otherwise;
}

static char *get_string(struct document *document, const char *key)
{
	const json_t *value = json_object_get(document->object, key);
	if (value && !json_is_string(value) && !document->wrong)
		document->wrong = key;
	const char *text = json_string_value(value);
	return strdup(text ? text : "");
}

static int find_name(const char *const names[], const json_t *value)
{
	const char *text = json_string_value(value);
	for (int i = 0; text && names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

/* Streams of a later minor version are passed over. */
static uint32_t get_streams(struct document *document)
{
	const json_t *array = json_object_get(document->object, "streams");
	uint32_t streams = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		int bit = find_name(trace_stream_names, json_array_get(array, i));
		if (bit >= 0)
			streams |= 1u << bit;
	}
	return streams;
}

static void get_cache(struct document *document, struct trace_cache *cache)
{
	json_t *object = json_object_get(document->object, "cache");
	if (!json_is_object(object))
		return;
	struct document part = { .object = object };
	cache->size_bytes = get_u64(&part, "size_bytes", 0, INT64_MAX);
	cache->ways = (uint32_t)get_u64(&part, "ways", 0, UINT32_MAX);
	cache->line_bytes = (uint32_t)get_u64(&part, "line_bytes", 0, UINT32_MAX);
	cache->filter_lines = (uint32_t)get_u64(&part, "filter_lines", 0, UINT32_MAX);
	if (part.wrong)
		document->wrong = "cache";
}

static int get_spaces(struct document *document, struct trace_info *info)
{
	const json_t *array = json_object_get(document->object, "spaces");
	size_t nr = json_array_size(array);
	if (nr > TRACE_MAX_SPACES) {
		document->wrong = "spaces";
		return 0;
	}
	int error = trace_info_grow_spaces(info, (uint32_t)nr);
	for (uint32_t i = 0; i < nr && !error; i++) {
		struct document part = { .object = json_array_get(array, i) };
		struct trace_space *space = &info->spaces[i];
		int kind = find_name(trace_space_kind_names, json_object_get(part.object, "kind"));
		free(space->name);
		space->name = get_string(&part, "name");
		space->kind = kind >= 0 ? (enum trace_space_kind)kind : TRACE_SPACE_MM;
		space->parent = (uint32_t)get_u64(&part, "parent", TRACE_NONE, TRACE_MAX_SPACES);
		uint64_t pid = get_u64(&part, "pid", UINT64_MAX, INT64_MAX);
		space->pid = pid == UINT64_MAX ? -1 : (int64_t)pid;
		if (kind < 0 || part.wrong)
			document->wrong = "spaces";
		error = space->name ? 0 : -ENOMEM;
	}
	return error;
}

static int get_notes(struct document *document, struct trace_info *info)
{
	const json_t *array = json_object_get(document->object, "notes");
	int error = 0;
	for (size_t i = 0; i < json_array_size(array) && !error; i++) {
		const char *note = json_string_value(json_array_get(array, i));
		error = note ? trace_info_add_note(info, note) : 0;
	}
	return error;
}

static int get_settings(struct document *document, struct trace_info *info)
{
	const json_t *array = json_object_get(document->object, "settings");
	int error = 0;
	for (size_t i = 0; i < json_array_size(array) && !error; i++) {
		const char *setting = json_string_value(json_array_get(array, i));
		if (info->nr_settings == TRACE_MAX_SETTINGS) {
			document->wrong = "settings";
			return 0;
		}
		error = setting ? trace_info_add_setting(info, setting) : 0;
	}
	return error;
}

static int get_memory(struct document *document, struct trace_info *info)
{
	const json_t *array = json_object_get(document->object, "memory");
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct document part = { .object = json_array_get(array, i) };
		uint32_t node = (uint32_t)get_u64(&part, "node", TRACE_NONE, TRACE_NONE - 1);
		if (node == TRACE_NONE || info->nr_memory == TRACE_MAX_MEMORY) {
			document->wrong = "memory";
			return 0;
		}
		struct trace_memory *memory = trace_info_add_memory(info, node);
		if (!memory)
			return -ENOMEM;
		for (const struct trace_memory_field *field = trace_memory_fields; field->name;
		     field++)
			*trace_memory_value(memory, field) = get_u64(&part, field->name,
								     TRACE_UNKNOWN, INT64_MAX);
		if (part.wrong)
			document->wrong = "memory";
	}
	return 0;
}

static int read_document(struct document *document, struct trace_info *info)
{
	info->page_bytes = (uint32_t)get_u64(document, "page_bytes", 0, UINT32_MAX);
	info->ns_per_ktick = get_u64(document, "ns_per_ktick", 0, INT64_MAX);
	info->clock_measured = json_is_true(json_object_get(document->object, "clock_measured"));
	info->streams = get_streams(document);
	info->interval_ns = get_u64(document, "interval_ns", 0, INT64_MAX);
	get_cache(document, &info->cache);
	info->exit_status = (int32_t)get_u64(document, "exit_status", UINT32_MAX, UINT32_MAX);
	info->native_ns = get_u64(document, "native_ns", TRACE_UNKNOWN, INT64_MAX);
	info->started_unix_s = get_u64(document, "started_unix_s", 0, INT64_MAX);
	info->nr_references = get_u64(document, "nr_references", TRACE_UNKNOWN, INT64_MAX);
	info->nr_ticks = get_u64(document, "nr_ticks", 0, INT64_MAX);
	info->recorder = get_string(document, "recorder");
	info->program = get_string(document, "program");
	info->machine = get_string(document, "machine");
	info->kernel = get_string(document, "kernel");
	bool has_strings = info->recorder && info->program && info->machine && info->kernel;
	int error = has_strings ? 0 : -ENOMEM;
	error = error ? error : get_spaces(document, info);
	error = error ? error : get_settings(document, info);
	error = error ? error : get_memory(document, info);
	return error ? error : get_notes(document, info);
}

int trace_info_from_json(const char *text, size_t nr_bytes, struct trace_info *ret,
			 struct printbuf *err)
{
	json_error_t json_error;
	struct trace_info info;
	struct document document = { .object = json_loadb(text, nr_bytes, 0, &json_error) };
	if (!document.object)
		return error_set(err, -EBADMSG, "its info is not JSON (line %d: %s)",
				 json_error.line, json_error.text);
	trace_info_init(&info);
	int error = read_document(&document, &info);
	json_decref(document.object);
	if (!error && document.wrong)
		error = error_set(err, -EBADMSG, "\"%s\" in its info has a wrong value",
				  document.wrong);
	if (!error && trace_info_check(&info, err))
		error = -EBADMSG;
	if (error)
		trace_info_fini(&info);
	else
		*ret = info;
	return error;
}
