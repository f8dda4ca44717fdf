/* SPDX-License-Identifier: MIT */
/*
 * A table of typed cells, printed as aligned text, JSON (array of objects) or CSV: the one writer
 * behind every command's --format.
 *
 * Build: table_new(columns), table_row() then one table_*() per column, in order. Text shows human
 * units; JSON and CSV show plain numbers, and their column key carries the unit (latency_ns).
 */
#ifndef BERTH_BASE_TABLE_H
#define BERTH_BASE_TABLE_H

#include "base/json.h"
#include "base/printbuf.h"

enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV, FORMAT_SVG, FORMAT_LINE };

enum column_kind {
	COLUMN_TEXT, /* left */
	COLUMN_U64,  /* right, grouped by thousands in text */
	COLUMN_BYTES,
	COLUMN_NS,
	COLUMN_RATE,	/* bytes per second */
	COLUMN_RATIO,	/* a double; text: "1.23x" */
	COLUMN_PERCENT, /* a double 0..1; text: "12.3 %" */
	COLUMN_FIXED,	/* a double with `decimals` */
};

struct column {
	const char *key;   /* machine name, with unit suffix */
	const char *title; /* heading in text */
	enum column_kind kind;
	unsigned decimals; /* RATIO, PERCENT, FIXED */
};

struct table;
struct table *table_new(const struct column *columns, size_t nr_columns); /* columns: static */
struct table *table_free(struct table *table);
void table_row(struct table *table); /* the next row; unfilled cells are empty (null) */
void table_text(struct table *table, const char *value);
void table_u64(struct table *table, uint64_t value);  /* U64, BYTES, NS, RATE */
void table_double(struct table *table, double value); /* RATIO, PERCENT, FIXED */
void table_none(struct table *table);
size_t table_nr_rows(const struct table *table);
bool table_has_error(const struct table *table); /* out of memory, or a cell of the wrong kind */

void table_to_text(struct printbuf *out, const struct table *table);
void table_to_json(struct json_writer *json, const char *key, const struct table *table);
void table_to_csv(struct printbuf *out, const struct table *table); /* with a heading line */

#endif
