/* SPDX-License-Identifier: MIT */
/* A configuration in memory: sections and keys into structs, and whether all fits (config.h). */
#include "linux/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "policy/cpu/soft.h"

/* What is being read, and where. */
struct config_parser {
	struct config *config;
	const char *path;
	uint32_t file;
	bool is_in_daemon;
	struct config_job *job; /* of the heading; NULL: none */
};

static const struct config_origin nowhere = { CONFIG_NO_FILE, 0, 0 };

/* A value as the table's default says. */
static int reset_slot(const struct config_key *key, void *slot, size_t size)
{
	if (key->kind->fini)
		key->kind->fini(slot);
	memset(slot, 0, size);
	return *key->otherwise ? key->kind->parse(key, slot, key->otherwise, false, NULL) : 0;
}

static size_t slot_size(size_t i)
{
	const struct config_key *key = &config_keys[i];
	size_t end = key->is_of_job ? offsetof(struct config_job, origins)
				    : offsetof(struct config_daemon, origins);
	for (size_t k = 0; k < CONFIG_NR_KEYS; k++)
		if (config_keys[k].is_of_job == key->is_of_job &&
		    config_keys[k].offset > key->offset)
			end = MIN(end, config_keys[k].offset);
	return end - key->offset;
}

static int set_defaults(bool is_of_job, void *values, struct config_origin *origins)
{
	int error = 0;
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		origins[i] = nowhere;
		if (config_keys[i].is_of_job == is_of_job && !error)
			error = reset_slot(&config_keys[i], (char *)values + config_keys[i].offset,
					   slot_size(i));
	}
	return error;
}

static void values_fini(bool is_of_job, void *values)
{
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++)
		if (config_keys[i].is_of_job == is_of_job && config_keys[i].kind->fini)
			config_keys[i].kind->fini((char *)values + config_keys[i].offset);
}

int config_new(struct config **ret)
{
	struct config *config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	int error = set_defaults(false, &config->daemon, config->daemon.origins);
	if (error)
		config_free(config);
	else
		*ret = config;
	return error;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->nr_jobs; i++) {
		values_fini(true, &config->jobs[i]);
		free(config->jobs[i].name);
	}
	for (uint32_t i = 0; i < config->nr_files; i++)
		free(config->files[i]);
	values_fini(false, &config->daemon);
	free(config->files);
	free(config->jobs);
	free(config);
	return NULL;
}

static int say(const struct config_parser *parser, const struct ini_value *at, struct printbuf *err,
	       const char *format, ...) berth_printf(4, 5);
static int say(const struct config_parser *parser, const struct ini_value *at, struct printbuf *err,
	       const char *format, ...)
{
	va_list args;
	if (!err)
		return -EINVAL;
	ini_place(err, parser->path, at);
	va_start(args, format);
	prt_vprintf(err, format, args);
	va_end(args);
	return -EINVAL;
}

static struct config_job *find_job(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nr_jobs; i++)
		if (strcmp(config->jobs[i].name, name) == 0)
			return &config->jobs[i];
	return NULL;
}

static int add_job(struct config *config, const char *name, struct config_job **ret)
{
	size_t size = (config->nr_jobs + 1) * sizeof(*config->jobs);
	struct config_job *jobs = realloc(config->jobs, size);
	if (!jobs)
		return -ENOMEM;
	config->jobs = jobs;
	struct config_job *job = &jobs[config->nr_jobs];
	*job = (struct config_job){ .name = strdup(name) };
	if (!job->name)
		return -ENOMEM;
	config->nr_jobs++;
	*ret = job;
	return set_defaults(true, job, job->origins);
}

static bool is_name(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);
	return len > 0 && len <= CONFIG_MAX_NAME && strspn(name, allowed) == len && name[0] != '-';
}

static int begin_job(struct config_parser *parser, const struct ini_value *heading,
		     const char *name, struct printbuf *err)
{
	struct ini_value at = { .line = heading->line, .column = heading->column + 5 };
	if (!is_name(name))
		return say(parser, &at, err,
			   "%s: not a job's name: letters, digits, '_', '.' and '-', at most %d",
			   *name ? name : "\"\"", CONFIG_MAX_NAME);
	parser->job = find_job(parser->config, name);
	if (parser->job)
		return 0;
	if (parser->config->nr_jobs >= CONFIG_MAX_JOBS)
		return say(parser, &at, err, "more than %d jobs", CONFIG_MAX_JOBS);
	int error = add_job(parser->config, name, &parser->job);
	if (error)
		return error_set(err, error, "out of memory");
	parser->job->heading = (struct config_origin){ parser->file, at.line, at.column };
	return 0;
}

static int on_section(void *context, const struct ini_value *heading, struct printbuf *err)
{
	static const char *const sections[] = { "Daemon", "Job" };
	struct config_parser *parser = context;
	PRINTBUF(word);
	parser->job = NULL;
	parser->is_in_daemon = strcmp(heading->text, "Daemon") == 0;
	if (parser->is_in_daemon)
		return 0;
	if (strncmp(heading->text, "Job ", 4) == 0)
		return begin_job(parser, heading, heading->text + 4, err);
	if (strcmp(heading->text, "Job") == 0)
		return say(parser, heading, err, "[Job]: a job has a name; write [Job NAME]");
	prt_mem(&word, heading->text, strcspn(heading->text, " "));
	const char *nearest = nearest_name(printbuf_str(&word), sections, ARRAY_SIZE(sections));
	return say(parser, heading, err, "[%s]: no such section%s%s%s", heading->text,
		   nearest ? "; did you mean [" : "; there are [Daemon] and [Job NAME",
		   nearest ? nearest : "",
		   nearest && *nearest == 'J' ? " NAME]?"
		   : nearest		      ? "]?"
					      : "]");
}

static int unknown_key(const struct config_parser *parser, const struct ini_value *name,
		       struct printbuf *err)
{
	const char *names[CONFIG_NR_KEYS];
	size_t nr = 0;
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		if (strcmp(config_keys[i].name, name->text) == 0)
			return say(parser, name, err, "%s belongs into %s", name->text,
				   config_keys[i].is_of_job ? "[Job NAME]" : "[Daemon]");
		if (config_keys[i].is_of_job == (parser->job != NULL))
			names[nr++] = config_keys[i].name;
	}
	const char *nearest = nearest_name(name->text, names, nr);
	return say(parser, name, err, "%s: no such key%s%s%s", name->text,
		   nearest ? "; did you mean " : "; berth.conf(5) lists them",
		   nearest ? nearest : "", nearest ? "?" : "");
}

/* The matches that a value added tell where they come from, each for itself. */
static void note_matches(struct config_parser *parser, const struct ini_value *value)
{
	struct config_matches *matches = &parser->job->matches;
	if (matches->nr)
		matches->items[matches->nr - 1].origin =
			(struct config_origin){ parser->file, value->line, value->column };
}

static int set_key(struct config_parser *parser, size_t i, const struct ini_value *value,
		   bool goes_on, struct printbuf *err)
{
	const struct config_key *key = &config_keys[i];
	char *values = parser->job ? (char *)parser->job : (char *)&parser->config->daemon;
	struct config_origin *origins = parser->job ? parser->job->origins
						    : parser->config->daemon.origins;
	PRINTBUF(why);
	int error = 0;
	if (goes_on && !key->kind->is_list)
		return say(parser, value, err, "%s: takes one value, on one line", key->name);
	if (!*value->text && !goes_on) {
		origins[i] = nowhere;
		error = reset_slot(key, values + key->offset, slot_size(i));
	} else {
		error = key->kind->parse(key, values + key->offset, value->text, goes_on, &why);
		origins[i] = (struct config_origin){ parser->file, value->line, value->column };
		if (!error &&
		    key->kind ==
			    config_keys[config_key_of(true, offsetof(struct config_job, matches))]
				    .kind)
			note_matches(parser, value);
	}
	if (error == -ENOMEM)
		return error_set(err, error, "out of memory");
	return error ? say(parser, value, err, "%s=%s", key->name, printbuf_str(&why)) : 0;
}

static int on_key(void *context, const struct ini_value *name, const struct ini_value *value,
		  bool goes_on, struct printbuf *err)
{
	struct config_parser *parser = context;
	if (!parser->job && !parser->is_in_daemon)
		return say(parser, name, err,
			   "%s: a key before the first heading; begin with [Daemon] or [Job NAME]",
			   name->text);
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++)
		if (config_keys[i].is_of_job == (parser->job != NULL) &&
		    strcmp(config_keys[i].name, name->text) == 0)
			return set_key(parser, i, value, goes_on, err);
	return unknown_key(parser, name, err);
}

int config_add_text(struct config *config, const char *path, const char *text, size_t nr_bytes,
		    struct printbuf *err)
{
	struct config_parser parser = { .config = config, .path = path, .file = config->nr_files };
	struct ini ini = { path, &parser, on_section, on_key };
	if (config->nr_files >= CONFIG_MAX_FILES)
		return error_set(err, -EINVAL, "%s: more than %d files", path, CONFIG_MAX_FILES);
	char **files = realloc(config->files, (config->nr_files + 1) * sizeof(*files));
	if (!files)
		return error_set(err, -ENOMEM, "out of memory");
	config->files = files;
	files[config->nr_files] = strdup(path);
	if (!files[config->nr_files])
		return error_set(err, -ENOMEM, "out of memory");
	config->nr_files++;
	int error = ini_parse_text(text, nr_bytes, &ini, err);
	return error == -E2BIG ? -EINVAL : error;
}

/* About a value where it stands, or the job when it is a default. */
static int misfit(const struct config *config, const struct config_job *job, size_t offset,
		  struct printbuf *err, const char *sentence)
{
	struct config_origin at = job->heading;
	size_t i = config_key_of(true, offset);
	if (i < CONFIG_NR_KEYS && job->origins[i].file != CONFIG_NO_FILE)
		at = job->origins[i];
	struct config_parser parser = { .path = at.file < config->nr_files ? config->files[at.file]
									   : "" };
	struct ini_value place = { .line = at.line, .column = at.column };
	return say(&parser, &place, err, "[Job %s]: %s", job->name, sentence);
}

/* Whatever the machine's fast memory is: both amounts of one kind. */
static bool is_above(const struct config_amount *a, const struct config_amount *b)
{
	if (!a->is_set || !b->is_set || a->is_share != b->is_share)
		return false;
	return a->is_share ? a->bp > b->bp : a->bytes > b->bytes;
}

static bool is_said(const struct config_job *job, size_t offset)
{
	return job->origins[config_key_of(true, offset)].file != CONFIG_NO_FILE;
}

static int check_job(const struct config *config, const struct config_job *job,
		     struct printbuf *err)
{
	size_t nr_said = 0;
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++)
		nr_said += job->origins[i].file != CONFIG_NO_FILE;
	if (!job->matches.nr)
		return misfit(config, job, offsetof(struct config_job, matches), err,
			      "no process is its; add Match=");
	if (nr_said < 2)
		return misfit(config, job, SIZE_MAX, err,
			      "asks for nothing; add PreferCPUs=, FastMin=, FastMax= or Goal=");
	if (!set_is_empty(&job->allow) && !set_is_subset(&job->prefer, &job->allow))
		return misfit(config, job, offsetof(struct config_job, prefer), err,
			      "PreferCPUs= has CPUs that AllowCPUs= has not");
	if (set_is_empty(&job->prefer) && is_said(job, offsetof(struct config_job, spill_at_bp)))
		return misfit(config, job, offsetof(struct config_job, spill_at_bp), err,
			      "SpillAt= needs PreferCPUs=");
	if (set_is_empty(&job->prefer) && is_said(job, offsetof(struct config_job, max_distance)))
		return misfit(config, job, offsetof(struct config_job, max_distance), err,
			      "MaxDistance= needs PreferCPUs=");
	if (is_above(&job->fast_min, &job->fast_max))
		return misfit(config, job, offsetof(struct config_job, fast_min), err,
			      "FastMin= is above FastMax=");
	return 0;
}

int config_check(const struct config *config, struct printbuf *err)
{
	uint64_t floors_bp = 0;
	for (size_t i = 0; i < config->nr_jobs; i++) {
		const struct config_job *job = &config->jobs[i];
		int error = check_job(config, job, err);
		if (error)
			return error;
		floors_bp += job->fast_min.is_share ? job->fast_min.bp : 0;
		if (floors_bp > SOFT_ALL_BP)
			return misfit(config, job, offsetof(struct config_job, fast_min), err,
				      "the floors of all jobs together are above 100%");
	}
	return 0;
}
