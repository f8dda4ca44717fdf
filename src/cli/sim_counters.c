/* SPDX-License-Identifier: MIT */
/*
 * The counters that the kernels of a simulation kept, side by side: one line per counter, one
 * column per result, as many columns below each other as the terminal is wide. CSV has one line
 * per result and counter. JSON has them in every result, under "vmstat".
 */
#include "cli/sim_counters.h"

#include <stdlib.h>
#include <string.h>

#define COUNTERS_MAX 128 /* different names */
#define BESIDE_MAX   16	 /* columns of one table */

struct counter_row {
	const char *name;
	uint64_t *values; /* [result] */
	bool *is_kept;	  /* [result] */
};

struct counter_rows {
	struct counter_row rows[COUNTERS_MAX];
	size_t nr, nr_results, result; /* result: being asked */
	bool has_failed;
};

static struct counter_row *row_of(struct counter_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->nr; i++)
		if (strcmp(rows->rows[i].name, name) == 0)
			return &rows->rows[i];
	if (rows->nr == COUNTERS_MAX)
		return NULL;
	struct counter_row *row = &rows->rows[rows->nr];
	row->name = name;
	row->values = calloc(rows->nr_results, sizeof(*row->values));
	row->is_kept = calloc(rows->nr_results, sizeof(*row->is_kept));
	rows->nr++;
	return row->values && row->is_kept ? row : NULL;
}

static void note(void *context, const char *name, uint64_t value)
{
	struct counter_rows *rows = context;
	struct counter_row *row = rows->has_failed ? NULL : row_of(rows, name);
	rows->has_failed |= !row;
	if (!row)
		return;
	row->values[rows->result] = value;
	row->is_kept[rows->result] = true;
}

static void rows_fini(struct counter_rows *rows)
{
	for (size_t i = 0; i < rows->nr; i++) {
		free(rows->rows[i].values);
		free(rows->rows[i].is_kept);
	}
}

static void rows_init(struct counter_rows *rows, const struct sim_set *set)
{
	*rows = (struct counter_rows){ .nr_results = sim_set_nr_results(set) };
	for (; rows->result < rows->nr_results; rows->result++)
		if (!sim_set_result(set, rows->result)->error)
			sim_set_counters(set, rows->result, note, rows);
}

static bool keeps_any(const struct counter_rows *rows, size_t result)
{
	for (size_t i = 0; i < rows->nr; i++)
		if (rows->rows[i].is_kept[result])
			return true;
	return false;
}

/* "linux-tiering", and the size when there are several. */
static void prt_heading(struct printbuf *out, const struct sim_set *set, size_t index)
{
	const struct sim_result *result = sim_set_result(set, index);
	bool has_twin = false;
	for (size_t i = 0; i < sim_set_nr_results(set); i++)
		has_twin |= i != index &&
			    strcmp(sim_set_result(set, i)->policy, result->policy) == 0;
	prt_safe(out, result->policy, strlen(result->policy));
	if (has_twin) {
		prt_str(out, " at ");
		prt_bytes(out, result->fast_bytes);
	}
}

/* A table of the results in `shown`, `nr` of them. */
static void prt_table(struct printbuf *out, const struct counter_rows *rows,
		      const struct sim_set *set, const size_t *shown, size_t nr)
{
	struct column *columns = calloc(nr + 1, sizeof(*columns));
	struct printbuf *headings = calloc(nr + 1, sizeof(*headings));
	for (size_t i = 0; columns && headings && i < nr; i++) {
		printbuf_init(&headings[i], 0);
		prt_heading(&headings[i], set, shown[i]);
		columns[i + 1] = (struct column){ "", printbuf_str(&headings[i]), COLUMN_U64, 0 };
	}
	struct table *table = NULL;
	if (columns && headings) {
		columns[0] = (struct column){ "counter", "counter", COLUMN_TEXT, 0 };
		table = table_new(columns, nr + 1);
	}
	for (size_t i = 0; table && i < rows->nr; i++) {
		table_row(table);
		table_text(table, rows->rows[i].name);
		for (size_t j = 0; j < nr; j++) {
			if (rows->rows[i].is_kept[shown[j]])
				table_u64(table, rows->rows[i].values[shown[j]]);
			else
				table_none(table);
		}
	}
	if (table)
		table_to_text(out, table);
	table_free(table);
	for (size_t i = 0; headings && i < nr; i++)
		printbuf_fini(&headings[i]);
	free(headings);
	free(columns);
}

/* How many of `shown` fit beside each other, at least one. */
static size_t prt_fitting(struct printbuf *out, const struct counter_rows *rows,
			  const struct sim_set *set, const size_t *shown, size_t nr,
			  unsigned columns)
{
	size_t fit = MIN(nr, BESIDE_MAX);
	while (true) {
		PRINTBUF(table);
		prt_table(&table, rows, set, shown, fit);
		const char *text = printbuf_str(&table);
		if (fit == 1 || utf8_width(text, strcspn(text, "\n")) <= columns) {
			prt_str(out, text);
			prt_char(out, '\n');
			return fit;
		}
		fit--;
	}
}

void sim_counters_to_text(struct printbuf *out, const struct sim_set *set, unsigned columns)
{
	struct counter_rows rows;
	rows_init(&rows, set);
	size_t *shown = calloc(rows.nr_results + 1, sizeof(*shown)), nr = 0;
	for (size_t i = 0; shown && i < rows.nr_results; i++)
		if (keeps_any(&rows, i))
			shown[nr++] = i;
	for (size_t i = 0; i < nr;)
		i += prt_fitting(out, &rows, set, shown + i, nr - i, columns);
	if (nr == 0)
		prt_str(out, "None of these policies keeps counters of the kernel.\n\n");
	free(shown);
	rows_fini(&rows);
}

void sim_counters_to_csv(struct printbuf *out, const struct sim_set *set)
{
	static const struct column csv_columns[] = {
		{ "policy", "policy", COLUMN_TEXT, 0 },
		{ "fast_bytes", "fast memory", COLUMN_BYTES, 0 },
		{ "counter", "counter", COLUMN_TEXT, 0 },
		{ "value", "value", COLUMN_U64, 0 },
	};
	struct counter_rows rows;
	struct table *table = table_new(csv_columns, ARRAY_SIZE(csv_columns));
	rows_init(&rows, set);
	for (size_t i = 0; table && i < rows.nr_results * rows.nr; i++) {
		const struct sim_result *result = sim_set_result(set, i / rows.nr);
		const struct counter_row *row = &rows.rows[i % rows.nr];
		if (!row->is_kept[i / rows.nr])
			continue;
		table_row(table);
		table_text(table, result->policy);
		table_u64(table, result->fast_bytes);
		table_text(table, row->name);
		table_u64(table, row->values[i / rows.nr]);
	}
	if (table)
		table_to_csv(out, table);
	table_free(table);
	rows_fini(&rows);
}
