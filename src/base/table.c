/* SPDX-License-Identifier: MIT */
/*
 * Tables of typed cells (table.h).
 *
 * Cells stand in one array, row after row; texts in one buffer behind each other, so that a table
 * of a million cells takes three allocations that double:
 *
 *     cells   row 0: [text @0] [u64 5] [double 1.5]   row 1: ...
 *     texts   "node0\0node1\0..."
 *
 * Running out of memory, a cell of the wrong kind and one too many in a row are sticky errors: the
 * table prints what it has, table_has_error() tells.
 * Cost: 16 bytes a cell and the texts.
 */
#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum cell_kind { CELL_NONE, CELL_TEXT, CELL_U64, CELL_DOUBLE };

struct cell {
	enum cell_kind kind;
	union {
		size_t text; /* offset in texts */
		uint64_t u64;
		double real;
	};
};

struct table {
	const struct column *columns;
	size_t nr_columns, nr_rows;
	size_t at; /* the next column of the last row */
	struct cell *cells;
	size_t room; /* cells allocated */
	struct printbuf texts;
	bool has_error;
};

struct table *table_new(const struct column *columns, size_t nr_columns)
{
	struct table *table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->columns = columns;
	table->nr_columns = nr_columns;
	table->texts = PRINTBUF_HEAP;
	return table;
}

struct table *table_free(struct table *table)
{
	if (table) {
		printbuf_fini(&table->texts);
		free(table->cells);
		free(table);
	}
	return NULL;
}

void table_row(struct table *table)
{
	if (!table || table->has_error)
		return;
	size_t need = (table->nr_rows + 1) * table->nr_columns;
	if (need > table->room) {
		size_t room = MAX(need, 2 * table->room);
		struct cell *cells = realloc(table->cells, room * sizeof(*cells));
		if (!cells) {
			table->has_error = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	for (size_t i = need - table->nr_columns; i < need; i++)
		table->cells[i] = (struct cell){ .kind = CELL_NONE };
	table->nr_rows++;
	table->at = 0;
}

static enum cell_kind kind_of(const struct column *column)
{
	switch (column->kind) {
	case COLUMN_TEXT:
		return CELL_TEXT;
	case COLUMN_RATIO:
	case COLUMN_PERCENT:
	case COLUMN_FIXED:
		return CELL_DOUBLE;
	default:
		return CELL_U64;
	}
}

/* The next cell, for a value of this kind; NULL and the sticky error when it is not its place. */
static struct cell *next_cell(struct table *table, enum cell_kind kind)
{
	if (!table || table->has_error)
		return NULL;
	if (table->nr_rows == 0 || table->at == table->nr_columns ||
	    (kind != CELL_NONE && kind_of(&table->columns[table->at]) != kind)) {
		table->has_error = true;
		return NULL;
	}
	struct cell *cell = &table->cells[(table->nr_rows - 1) * table->nr_columns + table->at++];
	cell->kind = kind;
	return cell;
}

void table_text(struct table *table, const char *value)
{
	struct cell *cell = next_cell(table, value ? CELL_TEXT : CELL_NONE);
	if (!cell || !value)
		return;
	cell->text = table->texts.pos;
	prt_mem(&table->texts, value, strlen(value) + 1);
	if (!printbuf_has_error(&table->texts))
		return;
	cell->kind = CELL_NONE;
	table->has_error = true;
}

void table_u64(struct table *table, uint64_t value)
{
	struct cell *cell = next_cell(table, CELL_U64);
	if (cell)
		cell->u64 = value;
}

void table_double(struct table *table, double value)
{
	struct cell *cell = next_cell(table, CELL_DOUBLE);
	if (cell)
		cell->real = value;
}

void table_none(struct table *table)
{
	next_cell(table, CELL_NONE);
}

size_t table_nr_rows(const struct table *table)
{
	return table ? table->nr_rows : 0;
}

bool table_has_error(const struct table *table)
{
	return !table || table->has_error;
}

static const char *cell_text(const struct table *table, const struct cell *cell)
{
	return printbuf_str(&table->texts) + cell->text;
}

static const struct cell *cell_at(const struct table *table, size_t row, size_t column)
{
	return &table->cells[row * table->nr_columns + column];
}

/* For people: units, and nothing that moves the cursor. */
static void prt_cell(struct printbuf *out, const struct table *table, const struct column *column,
		     const struct cell *cell)
{
	if (cell->kind == CELL_NONE || (cell->kind == CELL_DOUBLE && !isfinite(cell->real))) {
		prt_str(out, cell->kind == CELL_DOUBLE && isinf(cell->real) ? "inf" : "-");
		return;
	}
	switch (column->kind) {
	case COLUMN_TEXT:
		prt_safe(out, cell_text(table, cell), strlen(cell_text(table, cell)));
		break;
	case COLUMN_U64:
		prt_u64_grouped(out, cell->u64);
		break;
	case COLUMN_BYTES:
		prt_bytes(out, cell->u64);
		break;
	case COLUMN_NS:
		prt_ns(out, cell->u64);
		break;
	case COLUMN_RATE:
		prt_rate(out, cell->u64);
		break;
	case COLUMN_RATIO:
		prt_fixed(out, cell->real, column->decimals);
		prt_char(out, 'x');
		break;
	case COLUMN_PERCENT:
		prt_percent(out, cell->real, column->decimals);
		break;
	case COLUMN_FIXED:
		prt_fixed(out, cell->real, column->decimals);
		break;
	}
}

/* What prt_aligned() reads: a field ends with '\t' when it stands left, '\r' when right. The last
 * column has no '\t', so that no line ends in blanks. */
static void end_field(struct printbuf *out, const struct table *table, size_t column)
{
	if (table->columns[column].kind != COLUMN_TEXT)
		prt_char(out, '\r');
	else if (column + 1 < table->nr_columns)
		prt_char(out, '\t');
}

void table_to_text(struct printbuf *out, const struct table *table)
{
	PRINTBUF(raw);
	for (size_t i = 0; i < table->nr_columns; i++) {
		prt_str(&raw, table->columns[i].title);
		end_field(&raw, table, i);
	}
	prt_char(&raw, '\n');
	for (size_t row = 0; row < table->nr_rows; row++) {
		for (size_t i = 0; i < table->nr_columns; i++) {
			prt_cell(&raw, table, &table->columns[i], cell_at(table, row, i));
			end_field(&raw, table, i);
		}
		prt_char(&raw, '\n');
	}
	prt_aligned(out, printbuf_str(&raw));
	if (printbuf_has_error(&raw)) {
		out->overflow = true;
		out->allocation_failure |= raw.allocation_failure;
	}
}

/* A percentage is written as a ratio: two more decimals say as much. */
static unsigned plain_decimals(const struct column *column)
{
	return column->decimals + (column->kind == COLUMN_PERCENT ? 2 : 0);
}

void table_to_json(struct json_writer *json, const char *key, const struct table *table)
{
	json_array_begin(json, key);
	for (size_t row = 0; row < table->nr_rows; row++) {
		json_object_begin(json, NULL);
		for (size_t i = 0; i < table->nr_columns; i++) {
			const struct column *column = &table->columns[i];
			const struct cell *cell = cell_at(table, row, i);
			if (cell->kind == CELL_NONE)
				json_null(json, column->key);
			else if (cell->kind == CELL_TEXT)
				json_str(json, column->key, cell_text(table, cell));
			else if (cell->kind == CELL_U64)
				json_u64(json, column->key, cell->u64);
			else
				json_fixed(json, column->key, cell->real, plain_decimals(column));
		}
		json_object_end(json);
	}
	json_array_end(json);
}

void table_to_csv(struct printbuf *out, const struct table *table)
{
	for (size_t i = 0; i < table->nr_columns; i++) {
		prt_str(out, i ? "," : "");
		prt_csv_field(out, table->columns[i].key, strlen(table->columns[i].key));
	}
	prt_char(out, '\n');
	for (size_t row = 0; row < table->nr_rows; row++) {
		for (size_t i = 0; i < table->nr_columns; i++) {
			const struct cell *cell = cell_at(table, row, i);
			prt_str(out, i ? "," : "");
			if (cell->kind == CELL_TEXT)
				prt_csv_field(out, cell_text(table, cell),
					      strlen(cell_text(table, cell)));
			else if (cell->kind == CELL_U64)
				prt_u64(out, cell->u64);
			else if (cell->kind == CELL_DOUBLE && isfinite(cell->real))
				prt_fixed(out, cell->real, plain_decimals(&table->columns[i]));
		}
		prt_char(out, '\n');
	}
}
