/* SPDX-License-Identifier: MIT */
/*
 * Recordings that share a machine: `--job NAME=FILE[:floor=SIZE][:cap=SIZE]`. The keys are taken
 * from the end, so that a file's name may hold colons.
 */
#include "cli/sim_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/table.h"
#include "base/units.h"

static int parse_key(struct sim_job_config *config, const char *text, const char *key,
		     struct printbuf *err)
{
	bool is_floor = strncmp(key, "floor=", 6) == 0, is_cap = strncmp(key, "cap=", 4) == 0;
	uint64_t *value = is_floor ? &config->floor_bytes : &config->cap_bytes;
	if (!is_floor && !is_cap)
		return error_set(err, -EINVAL,
				 "--job %s: no such key: %s; write floor= or cap=", text, key);
	if (parse_bytes(strchr(key, '=') + 1, value))
		return error_set(err, -EINVAL, "--job %s: %s: not a size; write one such as 64MiB",
				 text, key);
	return 0;
}

/* "...:word=" */
static char *last_key(char *path)
{
	char *colon = strrchr(path, ':');
	size_t length = colon ? strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
	return length > 0 && colon[1 + length] == '=' ? colon : NULL;
}

static int parse_one(struct sim_jobs *jobs, const char *text, struct printbuf *err)
{
	struct sim_job_config *config = &jobs->configs[jobs->nr];
	const char *equals = strchr(text, '=');
	char *colon = NULL;
	int error = 0;
	if (!equals || equals == text || !equals[1])
		return error_set(err, -EINVAL, "--job %s: write NAME=FILE", text);
	char *name = strndup(text, (size_t)(equals - text)), *path = strdup(equals + 1);
	jobs->names[jobs->nr] = name;
	jobs->paths[jobs->nr++] = path;
	if (!name || !path)
		return error_set(err, -ENOMEM, "out of memory for jobs");
	*config = (struct sim_job_config){ .name = name, .cap_bytes = UINT64_MAX };
	while (!error && (colon = last_key(path))) {
		*colon = '\0';
		error = parse_key(config, text, colon + 1, err);
	}
	if (!error && config->floor_bytes > config->cap_bytes)
		error = error_set(err, -EINVAL, "--job %s: the floor is above the cap", text);
	for (uint32_t i = 0; !error && i + 1 < jobs->nr; i++)
		if (strcmp(jobs->names[i], name) == 0)
			error = error_set(err, -EINVAL, "--job %s: two jobs are named %s", text,
					  name);
	return error;
}

int sim_jobs_parse(struct sim_jobs *jobs, const char *const *texts, size_t nr, struct printbuf *err)
{
	int error = 0;
	if (nr > SIM_JOBS_MAX)
		return error_set(err, -EINVAL, "--job: more than %d jobs; leave some out",
				 SIM_JOBS_MAX);
	for (size_t i = 0; i < nr && !error; i++)
		error = parse_one(jobs, texts[i], err);
	for (size_t i = 0; i < nr && !error; i++)
		prt_printf(&jobs->title, "%s%s", i ? " " : "", texts[i]);
	return error;
}

void sim_jobs_fini(struct sim_jobs *jobs)
{
	for (uint32_t i = 0; i < jobs->nr; i++) {
		trace_close(jobs->readers[i]);
		free(jobs->names[i]);
		free(jobs->paths[i]);
	}
	printbuf_fini(&jobs->title);
}

int sim_jobs_open(struct sim_jobs *jobs, struct printbuf *err)
{
	const struct trace_info *infos[SIM_JOBS_MAX] = { NULL };
	struct trace_open_options options = {
		.kinds = 1 << TRACE_ACCESSES | 1 << TRACE_MAPPINGS | 1 << TRACE_BLOCKED,
	};
	bool is_cut = false;
	for (uint32_t i = 0; i < jobs->nr; i++) {
		jobs->readers[i] = trace_close(jobs->readers[i]);
		int error = trace_open(jobs->paths[i], &options, &jobs->readers[i], err);
		if (error)
			return error;
		infos[i] = trace_info(jobs->readers[i]);
		is_cut |= infos[i]->is_cut;
	}
	jobs->info = *infos[0];
	jobs->info.program = NULL;
	jobs->info.is_cut = is_cut;
	return sim_check_jobs(infos, jobs->configs, jobs->nr, err);
}

int sim_jobs_measure(struct sim_jobs *jobs, struct sim_extent *ret)
{
	int worst = 0;
	for (uint32_t i = 0; i < jobs->nr; i++) {
		struct sim_extent extent = { 0 };
		int error = sim_measure(jobs->readers[i], &extent, NULL);
		if (error < 0)
			return error;
		worst = MAX(worst, error);
		ret->peak_pages += extent.peak_pages;
		ret->nr_events += extent.nr_events;
		ret->nr_misses += extent.nr_misses;
		ret->set_bytes += extent.set_bytes;
	}
	return worst;
}

static const struct column columns_of_jobs[] = {
	{ "policy", "policy", COLUMN_TEXT, 0 },
	{ "machine_fast_bytes", "fast memory", COLUMN_BYTES, 0 },
	{ "job", "job", COLUMN_TEXT, 0 },
	{ "floor_bytes", "floor", COLUMN_BYTES, 0 },
	{ "cap_bytes", "cap", COLUMN_BYTES, 0 },
	{ "misses", "misses", COLUMN_U64, 0 },
	{ "fast_misses", "fast misses", COLUMN_U64, 0 },
	{ "fast_share", "served fast", COLUMN_PERCENT, 1 },
	{ "promoted_pages", "promoted", COLUMN_U64, 0 },
	{ "demoted_pages", "demoted", COLUMN_U64, 0 },
	{ "fast_bytes", "fast at end", COLUMN_BYTES, 0 },
	{ "peak_fast_bytes", "fast at most", COLUMN_BYTES, 0 },
};

/* Of these the text has all but what the heading or the shares tell. */
#define FIRST_CSV_ONLY 3
#define END_CSV_ONLY   7

static void cell_or_none(struct table *table, bool is_known, uint64_t value)
{
	if (is_known)
		table_u64(table, value);
	else
		table_none(table);
}

static void add_row(struct table *table, const struct sim_jobs *jobs, const struct sim_set *set,
		    size_t index, uint32_t job, bool is_csv)
{
	const struct sim_result *result = sim_set_result(set, index);
	const struct sim_job_figures *figures = sim_set_job(set, index, job);
	const struct sim_job_config *config = &jobs->configs[job];
	uint64_t page_bytes = sim_set_cost(set)->page_bytes;
	if (!figures || result->error)
		return;
	table_row(table);
	table_text(table, result->policy);
	cell_or_none(table, result->fast_bytes != UINT64_MAX, result->fast_bytes);
	table_text(table, config->name);
	if (is_csv) {
		table_u64(table, config->floor_bytes);
		cell_or_none(table, config->cap_bytes != UINT64_MAX, config->cap_bytes);
		table_u64(table, figures->misses);
		table_u64(table, figures->fast_misses);
	}
	if (figures->misses)
		table_double(table, (double)figures->fast_misses / (double)figures->misses);
	else
		table_none(table);
	table_u64(table, figures->nr_promoted);
	table_u64(table, figures->nr_demoted);
	cell_or_none(table, figures->has_pages, figures->fast_pages * page_bytes);
	cell_or_none(table, figures->has_pages, figures->peak_fast_pages * page_bytes);
}

/* The columns belong to the caller: the table only points to them. */
static struct table *table_of(const struct sim_jobs *jobs, const struct sim_set *set, bool is_csv,
			      struct column columns[ARRAY_SIZE(columns_of_jobs)])
{
	size_t nr = 0;
	for (size_t i = 0; i < ARRAY_SIZE(columns_of_jobs); i++)
		if (is_csv || i < FIRST_CSV_ONLY || i >= END_CSV_ONLY)
			columns[nr++] = columns_of_jobs[i];
	struct table *table = table_new(columns, nr);
	for (size_t i = 0; table && i < sim_set_nr_results(set); i++)
		for (uint32_t job = 0; job < jobs->nr; job++)
			add_row(table, jobs, set, i, job, is_csv);
	return table;
}

void sim_jobs_to_csv(struct printbuf *out, const struct sim_jobs *jobs, const struct sim_set *set)
{
	struct column columns[ARRAY_SIZE(columns_of_jobs)];
	struct table *table = table_of(jobs, set, true, columns);
	if (table)
		table_to_csv(out, table);
	table_free(table);
}

void sim_jobs_to_text(struct printbuf *out, const struct sim_jobs *jobs, const struct sim_set *set)
{
	struct column columns[ARRAY_SIZE(columns_of_jobs)];
	struct table *table = table_of(jobs, set, false, columns);
	if (table)
		table_to_text(out, table);
	table_free(table);
	prt_char(out, '\n');
}

static void known_to_json(struct json_writer *json, const char *key, bool is_known, uint64_t value)
{
	if (is_known)
		json_u64(json, key, value);
	else
		json_null(json, key);
}

void sim_jobs_to_json(struct json_writer *json, const struct sim_jobs *jobs,
		      const struct sim_set *set, size_t index)
{
	uint64_t page_bytes = sim_set_cost(set)->page_bytes;
	json_array_begin(json, "jobs");
	for (uint32_t i = 0; i < jobs->nr; i++) {
		const struct sim_job_figures *figures = sim_set_job(set, index, i);
		const struct sim_job_config *config = &jobs->configs[i];
		if (!figures)
			continue;
		json_object_begin(json, NULL);
		json_str(json, "job", config->name);
		json_u64(json, "floor_bytes", config->floor_bytes);
		known_to_json(json, "cap_bytes", config->cap_bytes != UINT64_MAX,
			      config->cap_bytes);
		json_u64(json, "misses", figures->misses);
		json_u64(json, "fast_misses", figures->fast_misses);
		json_u64(json, "promoted_pages", figures->nr_promoted);
		json_u64(json, "demoted_pages", figures->nr_demoted);
		known_to_json(json, "fast_bytes", figures->has_pages,
			      figures->fast_pages * page_bytes);
		known_to_json(json, "slow_bytes", figures->has_pages,
			      figures->slow_pages * page_bytes);
		known_to_json(json, "peak_fast_bytes", figures->has_pages,
			      figures->peak_fast_pages * page_bytes);
		json_object_end(json);
	}
	json_array_end(json);
}
