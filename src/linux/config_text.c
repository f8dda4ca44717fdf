/* SPDX-License-Identifier: MIT */
/* A configuration as text that parses back to it, and as JSON; both tell where values come from. */
#include <string.h>

#include "linux/config.h"

#define ORIGIN_COLUMN 40
#define ORIGIN_MAX    120
#define TAB_COLUMNS   8

static const void *slot_of(const void *values, const struct config_key *key)
{
	return (const char *)values + key->offset;
}

static void prt_origin(struct printbuf *out, const struct config *config,
		       const struct config_origin *at)
{
	if (at->file >= config->nr_files) {
		prt_str(out, "default");
		return;
	}
	const char *path = config->files[at->file];
	prt_safe(out, path, strlen(path));
	prt_printf(out, ":%u", at->line);
}

/* A line with where it comes from; above it where both would be too long to be read again. */
static void prt_line(struct printbuf *out, const struct config *config, const struct printbuf *line,
		     const struct config_origin *at)
{
	const char *text = printbuf_str(line);
	const char *newline = strrchr(text, '\n');
	size_t width = newline ? strlen(newline) + TAB_COLUMNS - 2 : line->pos;
	PRINTBUF(origin);
	prt_origin(&origin, config, at);
	if (width + origin.pos + ORIGIN_COLUMN < INI_LINE_MAX) {
		prt_mem(out, text, line->pos);
		prt_chars(out, ' ', width < ORIGIN_COLUMN ? ORIGIN_COLUMN - width : 1);
		prt_printf(out, "; %s\n", printbuf_str(&origin));
	} else {
		prt_str(out, "; ");
		prt_field_left(out, printbuf_str(&origin), ORIGIN_MAX);
		prt_printf(out, "\n%s\n", text);
	}
}

/* A default is a comment: said, it would be a wish. */
static void key_to_text(struct printbuf *out, const struct config *config,
			const struct config_key *key, const void *values,
			const struct config_origin *at)
{
	PRINTBUF(line);
	prt_printf(&line, "%s%s=", at->file == CONFIG_NO_FILE ? "; " : "", key->name);
	size_t before = line.pos;
	key->kind->print(key, slot_of(values, key), &line);
	if (line.pos > before)
		prt_line(out, config, &line, at);
}

static void matches_to_text(struct printbuf *out, const struct config *config,
			    const struct config_matches *matches)
{
	for (size_t i = 0; i < matches->nr; i++) {
		PRINTBUF(line);
		prt_str(&line, "Match=");
		config_match_to_text(&line, &matches->items[i]);
		prt_line(out, config, &line, &matches->items[i].origin);
	}
}

static void section_to_text(struct printbuf *out, const struct config *config, bool is_of_job,
			    const void *values, const struct config_origin *origins)
{
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->is_of_job != is_of_job)
			continue;
		if (is_of_job && key->offset == offsetof(struct config_job, matches))
			matches_to_text(out, config, slot_of(values, key));
		else
			key_to_text(out, config, key, values, &origins[i]);
	}
}

void config_to_text(struct printbuf *out, const struct config *config)
{
	prt_str(out, "[Daemon]\n");
	section_to_text(out, config, false, &config->daemon, config->daemon.origins);
	for (size_t i = 0; i < config->nr_jobs; i++) {
		const struct config_job *job = &config->jobs[i];
		prt_printf(out, "\n[Job %s]\n", job->name);
		section_to_text(out, config, true, job, job->origins);
	}
}

static void matches_to_json(struct json_writer *json, const struct config *config,
			    const struct config_matches *matches)
{
	json_array_begin(json, "Match");
	for (size_t i = 0; i < matches->nr; i++) {
		const struct config_match *match = &matches->items[i];
		PRINTBUF(from);
		prt_origin(&from, config, &match->origin);
		json_object_begin(json, NULL);
		if (match->pattern)
			json_str(json, config_match_names[match->kind], match->pattern);
		else
			json_u64(json, config_match_names[match->kind], match->pid);
		json_str(json, "from", printbuf_str(&from));
		json_object_end(json);
	}
	json_array_end(json);
}

/* As it would be written; continued lines as one. */
static void key_to_json(struct json_writer *json, const struct config *config,
			const struct config_key *key, const void *values,
			const struct config_origin *at)
{
	PRINTBUF(value);
	PRINTBUF(joined);
	PRINTBUF(from);
	key->kind->print(key, slot_of(values, key), &value);
	for (size_t i = 0; i < value.pos; i++)
		if (value.buf[i] != '\n' && value.buf[i] != '\t')
			prt_char(&joined, value.buf[i]);
	prt_origin(&from, config, at);
	json_object_begin(json, key->name);
	json_str(json, "value", joined.pos ? printbuf_str(&joined) : NULL);
	json_str(json, "from", printbuf_str(&from));
	json_object_end(json);
}

static void section_to_json(struct json_writer *json, const struct config *config, bool is_of_job,
			    const void *values, const struct config_origin *origins)
{
	size_t matches = config_key_of(true, offsetof(struct config_job, matches));
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		if (config_keys[i].is_of_job != is_of_job)
			continue;
		if (i == matches)
			matches_to_json(json, config, slot_of(values, &config_keys[i]));
		else
			key_to_json(json, config, &config_keys[i], values, &origins[i]);
	}
}

void config_to_json(struct printbuf *out, const struct config *config)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_array_begin(&json, "files");
	for (uint32_t i = 0; i < config->nr_files; i++)
		json_str(&json, NULL, config->files[i]);
	json_array_end(&json);
	json_object_begin(&json, "daemon");
	section_to_json(&json, config, false, &config->daemon, config->daemon.origins);
	json_object_end(&json);
	json_array_begin(&json, "jobs");
	for (size_t i = 0; i < config->nr_jobs; i++) {
		json_object_begin(&json, NULL);
		json_str(&json, "name", config->jobs[i].name);
		section_to_json(&json, config, true, &config->jobs[i], config->jobs[i].origins);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	prt_char(out, '\n');
}

static bool is_equal_section(bool is_of_job, const void *a, const void *b)
{
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		PRINTBUF(one);
		PRINTBUF(other);
		if (key->is_of_job != is_of_job)
			continue;
		key->kind->print(key, slot_of(a, key), &one);
		key->kind->print(key, slot_of(b, key), &other);
		if (strcmp(printbuf_str(&one), printbuf_str(&other)) != 0)
			return false;
	}
	return true;
}

bool config_is_equal(const struct config *a, const struct config *b)
{
	bool is_equal = a->nr_jobs == b->nr_jobs && is_equal_section(false, &a->daemon, &b->daemon);
	for (size_t i = 0; is_equal && i < a->nr_jobs; i++)
		is_equal = strcmp(a->jobs[i].name, b->jobs[i].name) == 0 &&
			   is_equal_section(true, &a->jobs[i], &b->jobs[i]);
	return is_equal;
}
