/* SPDX-License-Identifier: MIT */
/* Info of a recording: its life, its checks, and writing it down (info_read.c reads it). */
#include "trace/info.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

#define NS_PER_KTICK_MAX ((uint64_t)1 << 40) /* a tick of a second: no clock is coarser */

const char *const trace_space_kind_names[] = { "mm", "file", "physical", NULL };
const char *const trace_stream_names[] = { "misses",  "touches", "all", "counts",
					   "samples", "nodes",	 NULL };
const char *const trace_kind_names[] = { "accesses", "samples", "counts", "mappings",
					 "blocked",  "nodes",	NULL };
const char *const trace_flag_names[] = { "write", "fetch", "miss", "touch", "syscall", NULL };
const char *const trace_mapping_op_names[] = { "map",	     "unmap",	"remap",       "discard",
					       "advice",     "process", "process_end", "thread",
					       "thread_end", "exec",	"protect",     NULL };

void trace_info_init(struct trace_info *info)
{
	*info = (struct trace_info){
		.version = TRACE_MAJOR,
		.page_bytes = 4096,
		.ns_per_ktick = TRACE_NS_PER_KTICK_DEFAULT,
		.exit_status = -1,
		.native_ns = TRACE_UNKNOWN,
		.nr_references = TRACE_UNKNOWN,
	};
}

void trace_info_fini(struct trace_info *info)
{
	for (uint32_t i = 0; i < info->nr_spaces; i++)
		free(info->spaces[i].name);
	for (uint32_t i = 0; i < info->nr_notes; i++)
		free(info->notes[i]);
	for (uint32_t i = 0; i < info->nr_settings; i++)
		free(info->settings[i]);
	free(info->settings);
	free(info->memory);
	free(info->machine);
	free(info->kernel);
	free(info->spaces);
	free(info->notes);
	free(info->recorder);
	free(info->program);
	memset(info, 0, sizeof(*info));
}

int trace_info_grow_spaces(struct trace_info *info, uint32_t nr)
{
	if (nr <= info->nr_spaces)
		return 0;
	struct trace_space *spaces = realloc(info->spaces, nr * sizeof(*spaces));
	if (!spaces)
		return -ENOMEM;
	info->spaces = spaces;
	while (info->nr_spaces < nr) {
		char *name = strdup("");
		if (!name)
			return -ENOMEM;
		spaces[info->nr_spaces] = (struct trace_space){
			.id = info->nr_spaces, .parent = TRACE_NONE, .pid = -1, .name = name
		};
		info->nr_spaces++;
	}
	return 0;
}

static int add_text(char ***list, uint32_t *nr, const char *text)
{
	char **longer = realloc(*list, (*nr + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	*list = longer;
	longer[*nr] = strdup(text);
	if (!longer[*nr])
		return -ENOMEM;
	(*nr)++;
	return 0;
}

int trace_info_add_note(struct trace_info *info, const char *note)
{
	return add_text(&info->notes, &info->nr_notes, note);
}

int trace_info_add_setting(struct trace_info *info, const char *setting)
{
	return add_text(&info->settings, &info->nr_settings, setting);
}

struct trace_memory *trace_info_add_memory(struct trace_info *info, uint32_t node)
{
	struct trace_memory *memory = realloc(info->memory,
					      (info->nr_memory + 1) * sizeof(*memory));
	if (!memory)
		return NULL;
	info->memory = memory;
	memset(&memory[info->nr_memory], 0xff, sizeof(*memory)); /* TRACE_UNKNOWN */
	memory[info->nr_memory].node = node;
	return &memory[info->nr_memory++];
}

int trace_info_check(const struct trace_info *info, struct printbuf *err)
{
	if (info->page_bytes < 512 || info->page_bytes > GIB ||
	    (info->page_bytes & (info->page_bytes - 1)))
		return error_set(err, -EINVAL,
				 "a page of %u bytes is not a power of two from 512 to 1 GiB",
				 info->page_bytes);
	if (info->ns_per_ktick == 0 || info->ns_per_ktick > NS_PER_KTICK_MAX)
		return error_set(err, -EINVAL, "a clock of %llu ns per 1000 ticks is out of bounds",
				 (unsigned long long)info->ns_per_ktick);
	if (info->nr_spaces > TRACE_MAX_SPACES)
		return error_set(err, -EINVAL, "%u spaces are more than %u", info->nr_spaces,
				 TRACE_MAX_SPACES);
	for (uint32_t i = 0; i < info->nr_spaces; i++) {
		const struct trace_space *space = &info->spaces[i];
		if (space->id != i || space->kind > TRACE_SPACE_PHYSICAL ||
		    (space->parent != TRACE_NONE && space->parent >= info->nr_spaces))
			return error_set(err, -EINVAL, "space %u has a wrong id, kind or parent",
					 i);
	}
	if (info->nr_memory > TRACE_MAX_MEMORY || info->nr_settings > TRACE_MAX_SETTINGS)
		return error_set(err, -EINVAL, "memory of %u nodes or %u settings is too much",
				 info->nr_memory, info->nr_settings);
	return 0;
}

static void put_known(struct json_writer *json, const char *key, uint64_t value)
{
	if (value > (uint64_t)INT64_MAX)
		json_null(json, key);
	else
		json_u64(json, key, value);
}

static void put_streams(struct json_writer *json, uint32_t streams)
{
	json_array_begin(json, "streams");
	for (unsigned i = 0; trace_stream_names[i]; i++)
		if (streams & 1u << i)
			json_str(json, NULL, trace_stream_names[i]);
	json_array_end(json);
}

static void put_cache(struct json_writer *json, const struct trace_cache *cache)
{
	if (cache->size_bytes == 0)
		return;
	json_object_begin(json, "cache");
	put_known(json, "size_bytes", cache->size_bytes);
	json_u64(json, "ways", cache->ways);
	json_u64(json, "line_bytes", cache->line_bytes);
	json_u64(json, "filter_lines", cache->filter_lines);
	json_object_end(json);
}

static void put_spaces(struct json_writer *json, const struct trace_info *info)
{
	json_array_begin(json, "spaces");
	for (uint32_t i = 0; i < info->nr_spaces; i++) {
		const struct trace_space *space = &info->spaces[i];
		json_object_begin(json, NULL);
		json_str(json, "kind", trace_space_kind_names[space->kind]);
		if (space->parent != TRACE_NONE)
			json_u64(json, "parent", space->parent);
		if (space->pid >= 0)
			json_s64(json, "pid", space->pid);
		json_str(json, "name", space->name ? space->name : "");
		json_object_end(json);
	}
	json_array_end(json);
}

const struct trace_memory_field trace_memory_fields[] = {
	{ "total_pages", offsetof(struct trace_memory, total_pages) },
	{ "managed_pages", offsetof(struct trace_memory, managed_pages) },
	{ "free_pages", offsetof(struct trace_memory, free_pages) },
	{ "min_pages", offsetof(struct trace_memory, min_pages) },
	{ "low_pages", offsetof(struct trace_memory, low_pages) },
	{ "high_pages", offsetof(struct trace_memory, high_pages) },
	{ "promo_pages", offsetof(struct trace_memory, promo_pages) },
	{ "kernel_pages", offsetof(struct trace_memory, kernel_pages) },
	{ "cache_pages", offsetof(struct trace_memory, cache_pages) },
	{ "other_pages", offsetof(struct trace_memory, other_pages) },
	{ NULL, 0 },
};

/* Where it ran; nothing at all where that was not noted, as in most recordings. */
static void put_place(struct json_writer *json, const struct trace_info *info)
{
	if (info->machine && *info->machine)
		json_str(json, "machine", info->machine);
	if (info->kernel && *info->kernel)
		json_str(json, "kernel", info->kernel);
	if (info->nr_settings) {
		json_array_begin(json, "settings");
		for (uint32_t i = 0; i < info->nr_settings; i++)
			json_str(json, NULL, info->settings[i]);
		json_array_end(json);
	}
	if (!info->nr_memory)
		return;
	json_array_begin(json, "memory");
	for (uint32_t i = 0; i < info->nr_memory; i++) {
		json_object_begin(json, NULL);
		json_u64(json, "node", info->memory[i].node);
		for (const struct trace_memory_field *field = trace_memory_fields; field->name;
		     field++)
			put_known(json, field->name, *trace_memory_value(&info->memory[i], field));
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_notes(struct json_writer *json, const struct trace_info *info, const char *extra)
{
	json_array_begin(json, "notes");
	for (uint32_t i = 0; i < info->nr_notes; i++)
		json_str(json, NULL, info->notes[i]);
	if (extra)
		json_str(json, NULL, extra);
	json_array_end(json);
}

void trace_info_to_json(struct printbuf *out, const struct trace_info *info, const char *extra_note)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_u64(&json, "page_bytes", info->page_bytes);
	put_known(&json, "ns_per_ktick", info->ns_per_ktick);
	json_bool(&json, "clock_measured", info->clock_measured);
	put_streams(&json, info->streams);
	put_known(&json, "interval_ns", info->interval_ns);
	put_cache(&json, &info->cache);
	json_str(&json, "recorder", info->recorder ? info->recorder : "");
	json_str(&json, "program", info->program ? info->program : "");
	if (info->exit_status >= 0)
		json_s64(&json, "exit_status", info->exit_status);
	put_known(&json, "native_ns", info->native_ns);
	put_known(&json, "started_unix_s", info->started_unix_s);
	put_known(&json, "nr_references", info->nr_references);
	put_known(&json, "nr_ticks", info->nr_ticks);
	put_spaces(&json, info);
	put_place(&json, info);
	put_notes(&json, info, extra_note);
	json_object_end(&json);
}
