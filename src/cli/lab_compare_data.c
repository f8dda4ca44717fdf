/* SPDX-License-Identifier: MIT */
/* Runs side by side, for programs: JSON with every run, CSV with one line a policy. */
#include <math.h>
#include <string.h>

#include "cli/lab_compare.h"

#define SCHEMA	 1
#define DECIMALS 6

static const char *const figure_keys[COMPARE_NR_FIGURES] = {
	[COMPARE_MISSES] = "misses",
	[COMPARE_FAST_MISSES] = "fast_misses",
	[COMPARE_PROMOTED] = "promoted_pages",
	[COMPARE_DEMOTED] = "demoted_pages",
	[COMPARE_HINT_FAULTS] = "hint_faults",
	[COMPARE_MOVED] = "moved_pages",
	[COMPARE_FAILED] = "move_failed_pages",
};

static const struct column columns[] = {
	{ "policy", "", COLUMN_TEXT, 0 },
	{ "kernel", "", COLUMN_TEXT, 0 },
	{ "is_yardstick", "", COLUMN_U64, 0 },
	{ "metric", "", COLUMN_TEXT, 0 },
	{ "unit", "", COLUMN_TEXT, 0 },
	{ "better", "", COLUMN_TEXT, 0 },
	{ "runs", "", COLUMN_U64, 0 },
	{ "good_runs", "", COLUMN_U64, 0 },
	{ "median", "", COLUMN_FIXED, DECIMALS },
	{ "min", "", COLUMN_FIXED, DECIMALS },
	{ "max", "", COLUMN_FIXED, DECIMALS },
	{ "mad", "", COLUMN_FIXED, DECIMALS },
	{ "of_static_best", "", COLUMN_FIXED, DECIMALS },
	{ "of_all_fast", "", COLUMN_FIXED, DECIMALS },
	{ "misses", "", COLUMN_U64, 0 },
	{ "fast_misses", "", COLUMN_U64, 0 },
	{ "promoted_pages", "", COLUMN_U64, 0 },
	{ "demoted_pages", "", COLUMN_U64, 0 },
	{ "hint_faults", "", COLUMN_U64, 0 },
	{ "moved_pages", "", COLUMN_U64, 0 },
	{ "move_failed_pages", "", COLUMN_U64, 0 },
	{ "fast_wait_ns", "", COLUMN_U64, 0 },
	{ "slow_wait_ns", "", COLUMN_U64, 0 },
	{ "end", "", COLUMN_TEXT, 0 },
};

static const char *better(const struct compare_metric *metric)
{
	return metric->is_higher_better ? "higher" : "lower";
}

static void real_cell(struct table *table, double value)
{
	if (isnan(value))
		table_none(table);
	else
		table_double(table, value);
}

static void counter_cells(struct table *table, const struct compare_run *run)
{
	uint64_t slow_ns = 0;
	for (unsigned i = 0; i < COMPARE_NR_FIGURES; i++) {
		bool is_model = i == COMPARE_MISSES || i == COMPARE_FAST_MISSES;
		if (run && (!is_model || run->has_model))
			table_u64(table, run->figures[i]);
		else
			table_none(table);
	}
	if (!run || !run->has_model) {
		table_none(table);
		table_none(table);
		return;
	}
	for (unsigned tier = 1; tier < COMPARE_MAX_TIERS; tier++)
		slow_ns += run->wait_ns[tier];
	table_u64(table, run->wait_ns[0]);
	table_u64(table, slow_ns);
}

static const char *first_failure(const struct compare_case *entry)
{
	for (uint32_t i = 0; i < entry->nr_runs; i++)
		if (!entry->runs[i].is_ok)
			return entry->runs[i].end;
	return entry->nr_runs ? "" : "not run";
}

static void csv_row(struct table *table, const struct compare_metric *metric,
		    const struct compare_case *entry)
{
	const double reals[] = { entry->median,		entry->min,	   entry->max, entry->mad,
				 entry->of_static_best, entry->of_all_fast };
	table_row(table);
	table_text(table, entry->policy);
	table_text(table, entry->kernel);
	table_u64(table, entry->is_yardstick);
	table_text(table, metric->name);
	table_text(table, metric->unit);
	table_text(table, better(metric));
	table_u64(table, entry->nr_runs);
	table_u64(table, entry->nr_ok);
	for (size_t i = 0; i < ARRAY_SIZE(reals); i++)
		real_cell(table, reals[i]);
	counter_cells(table, entry->typical < 0 ? NULL : &entry->runs[entry->typical]);
	table_text(table, first_failure(entry));
}

void compare_to_csv(struct printbuf *out, const struct compare_show *show)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	for (size_t i = 0; table && i < show->compare->nr_cases; i++)
		if (!show->compare->cases[i].is_left_out)
			csv_row(table, &show->compare->metric, &show->compare->cases[i]);
	if (table)
		table_to_csv(out, table);
	table_free(table);
}

static void json_real(struct json_writer *json, const char *key, double value)
{
	if (isnan(value))
		json_null(json, key);
	else
		json_fixed(json, key, value, DECIMALS);
}

static void model_to_json(struct json_writer *json, const struct compare_run *run,
			  uint32_t nr_tiers)
{
	json_u64(json, "misses", run->figures[COMPARE_MISSES]);
	json_u64(json, "fast_misses", run->figures[COMPARE_FAST_MISSES]);
	json_u64(json, "modelled_ns", run->modelled_ns);
	json_array_begin(json, "wait_ns"); /* by tier, fastest first */
	for (uint32_t tier = 0; tier < MIN(nr_tiers, COMPARE_MAX_TIERS); tier++)
		json_u64(json, NULL, run->wait_ns[tier]);
	json_array_end(json);
}

static void series_to_json(struct json_writer *json, const struct compare_run *run)
{
	json_array_begin(json, "series");
	for (size_t i = 0; i < run->nr_series; i++) {
		json_object_begin(json, NULL);
		json_u64(json, "end_ns", run->series[i].end_ns);
		json_fixed(json, "mops", run->series[i].rate, DECIMALS);
		json_object_end(json);
	}
	json_array_end(json);
}

static void run_to_json(struct json_writer *json, const struct compare_run *run, uint32_t nr_tiers)
{
	json_object_begin(json, NULL);
	json_bool(json, "ok", run->is_ok);
	json_real(json, "value", run->is_ok ? run->value : NAN);
	json_str(json, "end", run->is_ok ? NULL : run->end);
	json_str(json, "why", run->why);
	json_u64(json, "boot_wall_ns", run->boot_wall_ns);
	json_u64(json, "wall_ns", run->wall_ns);
	json_u64(json, "guest_ns", run->guest_ns);
	for (unsigned i = COMPARE_PROMOTED; i < COMPARE_NR_FIGURES; i++)
		json_u64(json, figure_keys[i], run->figures[i]);
	if (run->has_model)
		model_to_json(json, run, nr_tiers);
	series_to_json(json, run);
	json_object_end(json);
}

static void case_to_json(struct json_writer *json, const struct compare_case *entry,
			 uint32_t nr_tiers)
{
	json_object_begin(json, NULL);
	json_str(json, "policy", entry->policy);
	json_str(json, "kernel", entry->kernel);
	json_bool(json, "is_yardstick", entry->is_yardstick);
	json_u64(json, "good_runs", entry->nr_ok);
	json_real(json, "median", entry->median);
	json_real(json, "min", entry->min);
	json_real(json, "max", entry->max);
	json_real(json, "mad", entry->mad);
	json_real(json, "of_static_best", entry->of_static_best);
	json_real(json, "of_all_fast", entry->of_all_fast);
	if (entry->typical >= 0)
		json_u64(json, "typical_run", (uint64_t)entry->typical);
	else
		json_null(json, "typical_run");
	json_array_begin(json, "runs");
	for (uint32_t i = 0; i < entry->nr_runs; i++)
		run_to_json(json, &entry->runs[i], nr_tiers);
	json_array_end(json);
	json_object_end(json);
}

static void notes_to_json(struct json_writer *json, const char *note)
{
	json_array_begin(json, "notes");
	while (note && *note) {
		size_t len = strcspn(note, "\n");
		PRINTBUF(line);
		prt_mem(&line, note, len);
		json_str(json, NULL, printbuf_str(&line));
		note += len + (note[len] == '\n');
	}
	json_array_end(json);
}

void compare_to_json(struct printbuf *out, const struct compare_show *show)
{
	const struct compare *compare = show->compare;
	struct json_writer json;
	PRINTBUF(line);
	machine_to_line(&line, show->machine);
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_u64(&json, "schema", SCHEMA);
	json_str(&json, "program", show->program);
	json_str(&json, "machine", printbuf_str(&line));
	json_str(&json, "time", show->time == LAB_TIME_ICOUNT ? "icount" : "delay");
	json_str(&json, "kernels", show->kernels);
	json_str(&json, "qemu", show->qemu_version);
	json_u64(&json, "repeat", show->repeat);
	json_str(&json, "metric", compare->metric.name[0] ? compare->metric.name : NULL);
	json_str(&json, "unit", compare->metric.unit);
	json_str(&json, "better", better(&compare->metric));
	notes_to_json(&json, show->notes);
	json_array_begin(&json, "cases");
	for (size_t i = 0; i < compare->nr_cases; i++)
		if (!compare->cases[i].is_left_out)
			case_to_json(&json, &compare->cases[i], compare->nr_tiers);
	json_array_end(&json);
	json_object_end(&json);
	prt_ensure_newline(out);
}
