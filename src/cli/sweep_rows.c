/* SPDX-License-Identifier: MIT */
/*
 * All rows, for programs: every column of the file under its own name, and after them what follows
 * from the row's case: slowdown, gap, recovered. In the order of cases and variants.
 */
#include <fnmatch.h>
#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "cli/sweep_show.h"

#define SHOW_SCHEMA  1
#define EFFECTS_MAX  (TUNABLES_MAX + 1)
#define NO_SUCH_CASE SIZE_MAX

struct row_reader {
	const struct show *show;
	struct sweep_db *db;
	const struct sweep_filter *filter;
	sqlite3_stmt *rows, *counters;
	int recording, fast, machine, cost, dilate, policy, spec, base, time, error, all_fast;
	size_t at_case;
	struct printbuf *err;
};

static const char *text_at(const struct row_reader *reader, int index)
{
	const char *text = (const char *)sqlite3_column_text(reader->rows, index);
	return text ? text : "";
}

static int find_column(const struct row_reader *reader, const char *name)
{
	int nr = sqlite3_column_count(reader->rows);
	for (int i = 0; i < nr; i++)
		if (strcmp(sqlite3_column_name(reader->rows, i), name) == 0)
			return i;
	return nr; /* SQLite gives NULL for a column that is not there */
}

static int open_rows(struct row_reader *reader)
{
	struct sqlite3 *handle = sweep_db_handle(reader->db);
	const struct sweep_filter *filter = reader->filter;
	const struct {
		int *at;
		const char *name;
	} names[] = { { &reader->recording, "recording" }, { &reader->fast, "fast" },
		      { &reader->machine, "machine" },	   { &reader->cost, "cost" },
		      { &reader->dilate, "dilate" },	   { &reader->policy, "policy" },
		      { &reader->spec, "spec" },	   { &reader->base, "base" },
		      { &reader->time, "time_ns" },	   { &reader->error, "error" },
		      { &reader->all_fast, "all_fast_ns" } };
	if (sqlite3_prepare_v2(handle, "SELECT *" SHOW_FROM, -1, &reader->rows, NULL) !=
		    SQLITE_OK ||
	    sqlite3_prepare_v2(handle, "SELECT name, value FROM counters WHERE run=? ORDER BY name",
			       -1, &reader->counters, NULL) != SQLITE_OK)
		return sweep_db_error(reader->db, "reading", reader->err);
	sqlite3_bind_text(reader->rows, 1, filter->recording ? filter->recording : "*", -1,
			  SQLITE_TRANSIENT);
	sqlite3_bind_text(reader->rows, 2, filter->fast ? filter->fast : "*", -1, SQLITE_TRANSIENT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		*names[i].at = find_column(reader, names[i].name);
	return 0;
}

static bool case_is(const struct row_reader *reader, const struct show_case *at)
{
	return strcmp(at->recording, text_at(reader, reader->recording)) == 0 &&
	       strcmp(at->fast, text_at(reader, reader->fast)) == 0 &&
	       strcmp(at->machine, text_at(reader, reader->machine)) == 0 &&
	       strcmp(at->cost, text_at(reader, reader->cost)) == 0 &&
	       at->dilate == (uint64_t)sqlite3_column_int64(reader->rows, reader->dilate);
}

static bool is_wanted(const struct row_reader *reader)
{
	const char *pattern = reader->filter->policy;
	return !pattern || fnmatch(pattern, text_at(reader, reader->policy), 0) == 0 ||
	       fnmatch(pattern, text_at(reader, reader->spec), 0) == 0 ||
	       fnmatch(pattern, text_at(reader, reader->base), 0) == 0;
}

/* 1: the next row that the filter takes, and at_case is its; 0: the end. Rows that a sweep added
 * since the cases were read have none. */
static int next_row(struct row_reader *reader)
{
	int code = 0;
	while ((code = sqlite3_step(reader->rows)) == SQLITE_ROW) {
		size_t first = reader->at_case == NO_SUCH_CASE ? 0 : reader->at_case;
		size_t at = first;
		while (at < reader->show->nr_cases && !case_is(reader, &reader->show->cases[at]))
			at++;
		if (at < reader->show->nr_cases)
			reader->at_case = at;
		if (at < reader->show->nr_cases && is_wanted(reader))
			return 1;
	}
	return code == SQLITE_DONE ? 0 : sweep_db_error(reader->db, "reading", reader->err);
}

struct derived {
	bool has_slowdown, has_gap, has_recovered;
	double slowdown, gap, recovered;
};

static struct derived derive(const struct row_reader *reader)
{
	const struct show_case *at = &reader->show->cases[reader->at_case];
	struct derived derived = { 0 };
	double time = (double)sqlite3_column_int64(reader->rows, reader->time);
	double all_fast = (double)sqlite3_column_int64(reader->rows, reader->all_fast);
	if (sqlite3_column_type(reader->rows, reader->error) != SQLITE_NULL || time <= 0)
		return derived;
	derived.has_slowdown = all_fast > 0;
	derived.slowdown = all_fast > 0 ? time / all_fast : 0;
	derived.has_gap = show_gap(at, &derived.gap);
	derived.has_recovered = show_recovered(at, time, &derived.recovered);
	return derived;
}

static void json_maybe(struct json_writer *json, const char *key, bool is_known, double value)
{
	if (is_known)
		json_fixed(json, key, value, 6);
	else
		json_null(json, key);
}

/* A flat object of strings, copied through reader and writer, so that it is sound whatever the
 * file holds. */
static void tunables_to_json(struct json_writer *json, const char *text)
{
	struct json_span input = { text, strlen(text) };
	struct json_reader *reader = NULL;
	enum json_token token;
	PRINTBUF(key);
	json_object_begin(json, "tunables");
	if (json_reader_new(json_read_span, &input, &reader) == 0) {
		while ((token = json_next(reader)) != JSON_END && token != JSON_ERROR) {
			if (token == JSON_KEY) {
				printbuf_reset(&key);
				prt_str(&key, json_text(reader, NULL));
			} else if (token == JSON_STRING && key.pos) {
				json_str(json, printbuf_str(&key), json_text(reader, NULL));
			}
		}
	}
	json_reader_free(reader);
	json_object_end(json);
}

static void counters_to_json(struct json_writer *json, const struct row_reader *reader)
{
	sqlite3_bind_int64(reader->counters, 1,
			   sqlite3_column_int64(reader->rows, find_column(reader, "id")));
	json_object_begin(json, "counters");
	while (sqlite3_step(reader->counters) == SQLITE_ROW)
		json_s64(json, (const char *)sqlite3_column_text(reader->counters, 0),
			 sqlite3_column_int64(reader->counters, 1));
	json_object_end(json);
	sqlite3_reset(reader->counters);
}

static void row_to_json(struct json_writer *json, const struct row_reader *reader)
{
	struct derived derived = derive(reader);
	json_object_begin(json, NULL);
	for (int i = 0; i < sqlite3_column_count(reader->rows); i++) {
		const char *name = sqlite3_column_name(reader->rows, i);
		if (strcmp(name, "tunables") == 0)
			tunables_to_json(json, text_at(reader, i));
		else if (sqlite3_column_type(reader->rows, i) == SQLITE_NULL)
			json_null(json, name);
		else if (sqlite3_column_type(reader->rows, i) == SQLITE_INTEGER)
			json_s64(json, name, sqlite3_column_int64(reader->rows, i));
		else
			json_str(json, name, text_at(reader, i));
	}
	json_maybe(json, "slowdown", derived.has_slowdown, derived.slowdown);
	json_maybe(json, "gap", derived.has_gap, derived.gap);
	json_maybe(json, "recovered", derived.has_recovered, derived.recovered);
	counters_to_json(json, reader);
	json_object_end(json);
}

static void variant_to_json(struct json_writer *json, const struct show *show, size_t index,
			    size_t best)
{
	const struct show_variant *variant = &show->variants[index];
	struct show_summary summary = show_summarise(show, index, NULL);
	json_object_begin(json, NULL);
	json_str(json, "policy", variant->policy);
	json_str(json, "spec", variant->spec);
	json_str(json, "kernel", *variant->kernel ? variant->kernel : NULL);
	json_bool(json, "best", best == index);
	json_u64(json, "cases", summary.nr_cases);
	json_maybe(json, "slowdown", summary.nr_cases, summary.slowdown);
	json_u64(json, "cases_with_gap", summary.nr_gaps);
	json_maybe(json, "recovered", summary.nr_gaps, summary.recovered);
	json_maybe(json, "recovered_lowest", summary.nr_gaps, summary.lowest);
	json_maybe(json, "recovered_highest", summary.nr_gaps, summary.highest);
	json_object_end(json);
}

static void effects_to_json(struct json_writer *json, const struct show *show, const char *policy)
{
	struct show_effect effects[EFFECTS_MAX];
	double spread = 1, rest = 0;
	size_t nr = show_effects(show, policy, effects, EFFECTS_MAX, &spread, &rest);
	for (size_t i = 0; i < nr; i++) {
		json_object_begin(json, NULL);
		json_str(json, "policy", policy);
		json_str(json, "tunable", effects[i].key);
		json_fixed(json, "share", effects[i].share, 6);
		json_str(json, "best_value", effects[i].best_value);
		json_fixed(json, "best_slowdown", effects[i].best, 6);
		json_str(json, "worst_value", effects[i].worst_value);
		json_fixed(json, "worst_slowdown", effects[i].worst, 6);
		json_object_end(json);
	}
}

/* Variants of a policy mostly follow each other, which makes this cheap. */
static bool is_first_of_policy(const struct show *show, size_t index)
{
	const char *policy = show->variants[index].policy;
	if (index > 0 && strcmp(show->variants[index - 1].policy, policy) == 0)
		return false;
	for (size_t i = 0; i < index; i++)
		if (strcmp(show->variants[i].policy, policy) == 0)
			return false;
	return true;
}

static void summaries_to_json(struct json_writer *json, const struct show *show)
{
	const char *policy = "";
	size_t best = SIZE_MAX;
	json_array_begin(json, "variants");
	for (size_t i = 0; i < show->nr_variants; i++) {
		if (!show->variants[i].is_shown)
			continue;
		if (strcmp(policy, show->variants[i].policy) != 0)
			best = show_best(show, show->variants[i].policy, false);
		policy = show->variants[i].policy;
		variant_to_json(json, show, i, best);
	}
	json_array_end(json);
	json_array_begin(json, "effects");
	for (size_t i = 0; i < show->nr_variants; i++)
		if (show->variants[i].is_shown && is_first_of_policy(show, i))
			effects_to_json(json, show, show->variants[i].policy);
	json_array_end(json);
}

static void close_rows(struct row_reader *reader)
{
	sqlite3_finalize(reader->rows);
	sqlite3_finalize(reader->counters);
}

int show_to_json(struct printbuf *out, const struct show *show, struct sweep_db *db,
		 const struct sweep_filter *filter, struct printbuf *err)
{
	struct row_reader reader = {
		.show = show, .db = db, .filter = filter, .at_case = NO_SUCH_CASE, .err = err
	};
	struct json_writer json;
	int more = open_rows(&reader);
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_u64(&json, "schema", SHOW_SCHEMA);
	json_str(&json, "file", show->path);
	json_array_begin(&json, "rows");
	while (more >= 0 && (more = next_row(&reader)) > 0)
		row_to_json(&json, &reader);
	json_array_end(&json);
	summaries_to_json(&json, show);
	json_object_end(&json);
	prt_ensure_newline(out);
	close_rows(&reader);
	return more;
}

static void csv_heading(struct printbuf *out, const struct row_reader *reader)
{
	for (int i = 0; i < sqlite3_column_count(reader->rows); i++)
		prt_printf(out, "%s,", sqlite3_column_name(reader->rows, i));
	prt_str(out, "slowdown,gap,recovered\n");
}

static void csv_maybe(struct printbuf *out, bool is_known, double value, char end)
{
	if (is_known)
		prt_fixed(out, value, 6);
	prt_char(out, end);
}

static void row_to_csv(struct printbuf *out, const struct row_reader *reader)
{
	struct derived derived = derive(reader);
	for (int i = 0; i < sqlite3_column_count(reader->rows); i++) {
		const char *text = text_at(reader, i);
		prt_csv_field(out, text, strlen(text));
		prt_char(out, ',');
	}
	csv_maybe(out, derived.has_slowdown, derived.slowdown, ',');
	csv_maybe(out, derived.has_gap, derived.gap, ',');
	csv_maybe(out, derived.has_recovered, derived.recovered, '\n');
}

int show_to_csv(struct printbuf *out, const struct show *show, struct sweep_db *db,
		const struct sweep_filter *filter, struct printbuf *err)
{
	struct row_reader reader = {
		.show = show, .db = db, .filter = filter, .at_case = NO_SUCH_CASE, .err = err
	};
	int more = open_rows(&reader);
	if (more == 0)
		csv_heading(out, &reader);
	while (more >= 0 && (more = next_row(&reader)) > 0)
		row_to_csv(out, &reader);
	close_rows(&reader);
	return more;
}
