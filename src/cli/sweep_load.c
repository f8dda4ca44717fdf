/* SPDX-License-Identifier: MIT */
/*
 * Rows of the database to cases, variants and cells. Rows come sorted by case, and inside by
 * variant, as the list of variants is: two pointers that only move forward find every cell.
 */
#include <fnmatch.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/sweep_show.h"

struct loader {
	struct show *show;
	struct sweep_db *db;
	const struct sweep_filter *filter;
	struct printbuf *err;
};

static int out_of_memory(struct loader *loader)
{
	return error_set(loader->err, -ENOMEM, "out of memory");
}

static int bound_query(struct loader *loader, const char *sql, sqlite3_stmt **ret)
{
	const struct sweep_filter *filter = loader->filter;
	if (sqlite3_prepare_v2(sweep_db_handle(loader->db), sql, -1, ret, NULL) != SQLITE_OK)
		return sweep_db_error(loader->db, "reading", loader->err);
	sqlite3_bind_text(*ret, 1, filter->recording ? filter->recording : "*", -1,
			  SQLITE_TRANSIENT);
	sqlite3_bind_text(*ret, 2, filter->fast ? filter->fast : "*", -1, SQLITE_TRANSIENT);
	return 0;
}

static const char *column(sqlite3_stmt *statement, int index)
{
	const char *text = (const char *)sqlite3_column_text(statement, index);
	return text ? text : "";
}

static int add_pair(struct show_variant *variant, const char *key, const char *value)
{
	void *items = sweep_append(variant->tunables, &variant->nr_tunables,
				   sizeof(*variant->tunables));
	if (!items)
		return -ENOMEM;
	variant->tunables = items;
	struct show_pair *pair = &variant->tunables[variant->nr_tunables - 1];
	pair->key = strdup(key);
	pair->value = strdup(value);
	return pair->key && pair->value ? 0 : -ENOMEM;
}

/* {"key": "value", ...}; what is no such object has no tunables. */
static int read_tunables(struct show_variant *variant, const char *text)
{
	struct json_span input = { text, strlen(text) };
	struct json_reader *reader = NULL;
	enum json_token token;
	char *key = NULL;
	int error = json_reader_new(json_read_span, &input, &reader);
	while (!error && (token = json_next(reader)) != JSON_END && token != JSON_ERROR) {
		if (token == JSON_KEY) {
			free(key);
			key = strdup(json_text(reader, NULL));
			error = key ? 0 : -ENOMEM;
		} else if (token == JSON_STRING && key) {
			error = add_pair(variant, key, json_text(reader, NULL));
		}
	}
	free(key);
	json_reader_free(reader);
	return error;
}

static bool is_shown(const struct show_variant *variant, const char *pattern)
{
	return !pattern || fnmatch(pattern, variant->policy, 0) == 0 ||
	       fnmatch(pattern, variant->spec, 0) == 0 || fnmatch(pattern, variant->base, 0) == 0;
}

static int add_variant(struct loader *loader, sqlite3_stmt *statement)
{
	struct show *show = loader->show;
	void *items = sweep_append(show->variants, &show->nr_variants, sizeof(*show->variants));
	if (!items)
		return -ENOMEM;
	show->variants = items;
	struct show_variant *variant = &show->variants[show->nr_variants - 1];
	char **texts[] = { &variant->policy, &variant->spec, &variant->kernel, &variant->base,
			   &variant->kind };
	for (int i = 0; i < (int)ARRAY_SIZE(texts); i++) {
		*texts[i] = strdup(column(statement, i));
		if (!*texts[i])
			return -ENOMEM;
	}
	variant->is_shown = is_shown(variant, loader->filter->policy);
	return read_tunables(variant, column(statement, (int)ARRAY_SIZE(texts)));
}

static int load_variants(struct loader *loader)
{
	sqlite3_stmt *statement = NULL;
	int code = 0;
	int error = bound_query(loader,
				"SELECT DISTINCT policy, spec, kernel, base, kind, tunables FROM "
				"runs WHERE recording GLOB ?1 AND fast GLOB ?2 "
				"ORDER BY " SHOW_VARIANT_ORDER,
				&statement);
	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW)
		if (add_variant(loader, statement))
			error = out_of_memory(loader);
	if (!error && code != SQLITE_DONE)
		error = sweep_db_error(loader->db, "reading", loader->err);
	sqlite3_finalize(statement);
	return error;
}

static int load_versions(struct loader *loader)
{
	struct show *show = loader->show;
	sqlite3_stmt *statement = NULL;
	int error = bound_query(loader,
				"SELECT DISTINCT version FROM runs WHERE recording GLOB ?1 AND "
				"fast GLOB ?2 ORDER BY 1",
				&statement);
	while (!error && sqlite3_step(statement) == SQLITE_ROW) {
		void *items = sweep_append(show->versions, &show->nr_versions,
					   sizeof(*show->versions));
		if (!items) {
			error = out_of_memory(loader);
			break;
		}
		show->versions = items;
		show->versions[show->nr_versions - 1] = strdup(column(statement, 0));
	}
	sqlite3_finalize(statement);
	return error;
}

enum {
	ROW_RECORDING,
	ROW_GROUP,
	ROW_FAST,
	ROW_MACHINE,
	ROW_COST,
	ROW_DILATE,
	ROW_POLICY,
	ROW_SPEC,
	ROW_KERNEL,
	ROW_TIME,
	ROW_ALL_FAST,
	ROW_ERROR
};

static bool is_same_case(const struct show_case *at, sqlite3_stmt *row)
{
	return strcmp(at->recording, column(row, ROW_RECORDING)) == 0 &&
	       strcmp(at->fast, column(row, ROW_FAST)) == 0 &&
	       strcmp(at->machine, column(row, ROW_MACHINE)) == 0 &&
	       strcmp(at->cost, column(row, ROW_COST)) == 0 &&
	       at->dilate == (uint64_t)sqlite3_column_int64(row, ROW_DILATE);
}

static int add_case(struct loader *loader, sqlite3_stmt *row)
{
	struct show *show = loader->show;
	void *items = sweep_append(show->cases, &show->nr_cases, sizeof(*show->cases));
	if (!items)
		return out_of_memory(loader);
	show->cases = items;
	struct show_case *at = &show->cases[show->nr_cases - 1];
	*at = (struct show_case){
		.recording = strdup(column(row, ROW_RECORDING)),
		.group = strdup(column(row, ROW_GROUP)),
		.fast = strdup(column(row, ROW_FAST)),
		.machine = strdup(column(row, ROW_MACHINE)),
		.cost = strdup(column(row, ROW_COST)),
		.dilate = (uint64_t)sqlite3_column_int64(row, ROW_DILATE),
	};
	size_t nr_cells = show->nr_cases * show->nr_variants;
	if (nr_cells > SWEEP_CELLS_MAX)
		return error_set(loader->err, -E2BIG,
				 "%s: too much for one table; choose with --recording and --fast",
				 show->path);
	/* Grown like the list of cases: by powers of two. */
	if ((show->nr_cases & (show->nr_cases - 1)) == 0) {
		void *cells = realloc(show->cells, 2 * nr_cells * sizeof(*show->cells));
		if (!cells)
			return out_of_memory(loader);
		show->cells = cells;
	}
	memset(&show->cells[nr_cells - show->nr_variants], 0,
	       show->nr_variants * sizeof(*show->cells));
	return at->recording && at->group && at->fast && at->machine && at->cost
		       ? 0
		       : out_of_memory(loader);
}

static void add_to_cell(struct show *show, size_t variant, sqlite3_stmt *row)
{
	struct show_cell *cell = &show->cells[(show->nr_cases - 1) * show->nr_variants + variant];
	double time = (double)sqlite3_column_int64(row, ROW_TIME);
	double all_fast = (double)sqlite3_column_int64(row, ROW_ALL_FAST);
	bool has_error = sqlite3_column_type(row, ROW_ERROR) != SQLITE_NULL;
	show->nr_rows++;
	show->nr_errors += has_error;
	cell->nr_errors += has_error;
	if (has_error || time <= 0)
		return;
	cell->ln_time += log(time);
	cell->ln_slowdown += all_fast > 0 ? log(time / all_fast) : 0;
	cell->nr++;
}

static bool is_variant(const struct show_variant *variant, sqlite3_stmt *row)
{
	return strcmp(variant->policy, column(row, ROW_POLICY)) == 0 &&
	       strcmp(variant->spec, column(row, ROW_SPEC)) == 0 &&
	       strcmp(variant->kernel, column(row, ROW_KERNEL)) == 0;
}

static int load_cells(struct loader *loader)
{
	struct show *show = loader->show;
	sqlite3_stmt *row = NULL;
	size_t variant = 0;
	int code = 0;
	int error = bound_query(loader,
				"SELECT recording, recording_group, fast, machine, cost, dilate, "
				"policy, spec, kernel, time_ns, all_fast_ns, error" SHOW_FROM,
				&row);
	while (!error && (code = sqlite3_step(row)) == SQLITE_ROW) {
		if (show->nr_cases == 0 || !is_same_case(&show->cases[show->nr_cases - 1], row)) {
			error = add_case(loader, row);
			variant = 0;
		}
		while (variant < show->nr_variants && !is_variant(&show->variants[variant], row))
			variant++;
		if (!error && variant < show->nr_variants)
			add_to_cell(show, variant, row);
	}
	if (!error && code != SQLITE_DONE)
		error = sweep_db_error(loader->db, "reading", loader->err);
	sqlite3_finalize(row);
	return error;
}

/* The yardstick of a case: the plain policy of this name; the first that has a time. */
static double yardstick_ns(const struct show *show, size_t at_case, const char *base)
{
	for (size_t i = 0; i < show->nr_variants; i++) {
		const struct show_variant *variant = &show->variants[i];
		const struct show_cell *cell = show_cell(show, at_case, i);
		if (strcmp(variant->base, base) == 0 && variant->nr_tunables == 0 && cell->nr)
			return exp(cell->ln_time / cell->nr);
	}
	return 0;
}

static void finish_cases(struct show *show)
{
	for (size_t i = 0; i < show->nr_cases; i++) {
		struct show_case *at = &show->cases[i], *before = i ? at - 1 : NULL;
		at->base_ns = yardstick_ns(show, i, "linux-none");
		at->best_ns = yardstick_ns(show, i, "optimal");
		if (before && strcmp(before->recording, at->recording) == 0 &&
		    strcmp(before->fast, at->fast) == 0)
			at->is_twin = before->is_twin = true;
	}
}

int show_load(struct sweep_db *db, const char *path, const struct sweep_filter *filter,
	      struct show **ret, struct printbuf *err)
{
	struct loader loader = { calloc(1, sizeof(struct show)), db, filter, err };
	if (!loader.show)
		return out_of_memory(&loader);
	loader.show->path = strdup(path);
	int error = loader.show->path ? load_variants(&loader) : out_of_memory(&loader);
	if (!error)
		error = load_versions(&loader);
	if (!error)
		error = load_cells(&loader);
	if (error) {
		show_free(loader.show);
		return error;
	}
	finish_cases(loader.show);
	*ret = loader.show;
	return 0;
}

static void free_variant(struct show_variant *variant)
{
	for (size_t i = 0; i < variant->nr_tunables; i++) {
		free(variant->tunables[i].key);
		free(variant->tunables[i].value);
	}
	free(variant->tunables);
	free(variant->policy);
	free(variant->spec);
	free(variant->kernel);
	free(variant->base);
	free(variant->kind);
}

struct show *show_free(struct show *show)
{
	if (!show)
		return NULL;
	for (size_t i = 0; i < show->nr_cases; i++) {
		free(show->cases[i].recording);
		free(show->cases[i].group);
		free(show->cases[i].fast);
		free(show->cases[i].machine);
		free(show->cases[i].cost);
	}
	for (size_t i = 0; i < show->nr_variants; i++)
		free_variant(&show->variants[i]);
	for (size_t i = 0; i < show->nr_versions; i++)
		free(show->versions[i]);
	free(show->cases);
	free(show->variants);
	free(show->cells);
	free(show->versions);
	free(show->path);
	free(show);
	return NULL;
}
