/* SPDX-License-Identifier: MIT */
/* The report as JSON (everything) and as CSV (one table). */
#include <inttypes.h>
#include <string.h>

#include "cli/report.h"

#define JSON_COLUMNS 128

/* Names from outside, made safe for any reader: JSON strings are UTF-8. */
static void json_safe(struct json_writer *json, const char *key, const char *text)
{
	PRINTBUF(safe);
	if (text)
		prt_safe(&safe, text, strlen(text));
	json_str(json, key, text ? printbuf_str(&safe) : NULL);
}

static void json_recording(struct json_writer *json, const struct report *report)
{
	const struct trace_info *info = report->info;
	PRINTBUF(streams);
	report_streams(&streams, report);
	json_object_begin(json, "recording");
	json_safe(json, "path", report->path);
	json_safe(json, "program", info->program);
	json_safe(json, "recorder", info->recorder);
	json_str(json, "streams", printbuf_str(&streams));
	json_u64(json, "duration_ns", report->profile->duration_ns);
	json_u64(json, "interval_ns", report->profile->interval_ns);
	json_u64(json, "ns_per_thousand_ticks", info->ns_per_ktick);
	json_bool(json, "clock_measured", info->clock_measured);
	json_u64(json, "page_bytes", info->page_bytes);
	json_u64(json, "nr_events", report->profile->nr_events);
	json_u64(json, "blocked_ns", report->profile->blocked_ns);
	json_bool(json, "is_cut", report->is_cut);
	json_array_begin(json, "notes");
	for (uint32_t i = 0; i < info->nr_notes; i++)
		json_safe(json, NULL, info->notes[i]);
	json_array_end(json);
	json_object_end(json);
}

static void json_workingset(struct json_writer *json, const struct report *report)
{
	static const struct {
		const char *key;
		double ratio;
	} points[] = { { "p10_bytes", 0.1 },
		       { "p50_bytes", 0.5 },
		       { "p90_bytes", 0.9 },
		       { "p99_bytes", 0.99 },
		       { "max_bytes", 1.0 } };
	const struct workingset *set = &report->profile->workingset;
	json_object_begin(json, "working_set");
	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		json_u64(json, points[i].key,
			 report_bytes(report, workingset_percentile(set, points[i].ratio)));
	json_u64(json, "mean_bytes",
		 (uint64_t)(workingset_mean(set) * report->profile->page_bytes + 0.5));
	json_u64(json, "nr_intervals", set->nr);
	struct table *table = report_workingset_table(report);
	if (table)
		table_to_json(json, "over_time", table);
	table_free(table);
	json_object_end(json);
}

static void json_row(struct json_writer *json, const struct report *report,
		     const struct heatmap *map, uint32_t r)
{
	const struct heatmap_row *row = &map->rows[r];
	PRINTBUF(name);
	json_object_begin(json, NULL);
	if (row->region == HEATMAP_OTHERS) {
		json_null(json, "region");
		json_null(json, "address");
	} else {
		PRINTBUF(address);
		report_region_name(&name, report, row->region);
		prt_printf(&address, "0x%" PRIx64, report_bytes(report, row->first_page));
		json_str(json, "region", printbuf_str(&name));
		json_u64(json, "space", report->profile->regions[row->region].space);
		json_str(json, "address", printbuf_str(&address));
	}
	json_u64(json, "touched_bytes", report_bytes(report, row->nr_pages));
	json_fixed(json, "share_ratio",
		   report->profile->count > 0 ? row->count / report->profile->count : 0, 6);
	json_array_begin(json, "heat");
	for (uint32_t c = 0; c < map->nr_columns; c++)
		json_fixed(json, NULL, map->heat[(size_t)r * map->nr_columns + c], 4);
	json_array_end(json);
	json_object_end(json);
}

static void json_heatmap(struct json_writer *json, const struct report *report, uint32_t rows)
{
	struct heatmap map;
	if (heatmap_make(report->profile, rows, JSON_COLUMNS, &map)) {
		json->out->allocation_failure = true;
		return;
	}
	json_object_begin(json, "heatmap");
	json_str(json, "meaning",
		 report->profile->is_samples
			 ? "share of checks that found the row's pages accessed"
			 : "share of the column's intervals in which a page of the row is touched");
	json_u64(json, "column_ns", report->profile->duration_ns / JSON_COLUMNS);
	json_u64(json, "nr_columns", JSON_COLUMNS);
	json_array_begin(json, "rows");
	for (uint32_t r = 0; r < map.nr_rows; r++)
		json_row(json, report, &map, r);
	json_array_end(json);
	json_object_end(json);
	heatmap_fini(&map);
}

static void json_curve(struct json_writer *json, const struct report *report)
{
	const struct report_curve *curve = &report->curve;
	json_object_begin(json, "curve");
	json_bool(json, "has_slowdown", curve->has_slowdown);
	json_str(json, "reason", curve->why_not);
	json_str(json, "note", curve->note);
	json_safe(json, "machine", curve->machine_line);
	json_bool(json, "machine_is_default", curve->machine_is_default);
	json_u64(json, "total_bytes", curve->total_bytes);
	json_u64(json, "tick_ns", curve->tick_ns);
	if (curve->has_slowdown) {
		json_u64(json, "all_fast_ns", curve->all_fast_ns);
		json_fixed(json, "all_slow_ratio", curve->all_slow, 6);
	}
	struct table *table = report_curve_table(report);
	if (table)
		table_to_json(json, "points", table);
	table_free(table);
	json_object_end(json);
}

void report_to_json(struct printbuf *out, const struct report *report, uint32_t rows)
{
	struct json_writer json;
	PRINTBUF(text);
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_str(&json, "kind", "berth-report");
	json_u64(&json, "schema", REPORT_SCHEMA);
	json_recording(&json, report);
	report_summary(&text, report);
	prt_trim_newlines(&text);
	json_str(&json, "summary", printbuf_str(&text));
	printbuf_reset(&text);
	report_definitions(&text, report);
	json_str(&json, "definitions", printbuf_str(&text));
	json_str(&json, "measure", report_measure(report));
	json_fixed(&json, "count", report->profile->count, report->profile->is_samples ? 3 : 0);
	json_u64(&json, "touched_bytes", report_bytes(report, report->profile->touched_pages));
	json_u64(&json, "busy_bytes", report_bytes(report, report->profile->busy_pages));
	struct table *table = report_regions_table(report, UINT32_MAX, true);
	if (table)
		table_to_json(&json, "regions", table);
	table_free(table);
	json_workingset(&json, report);
	json_heatmap(&json, report, rows);
	json_curve(&json, report);
	json_object_end(&json);
	prt_ensure_newline(out);
}

static void heatmap_to_csv(struct printbuf *out, const struct report *report, uint32_t rows)
{
	struct heatmap map;
	if (heatmap_make(report->profile, rows, JSON_COLUMNS, &map)) {
		out->allocation_failure = true;
		return;
	}
	prt_str(out, "region,address,touched_bytes,time_ns,heat_ratio\n");
	for (size_t i = 0; i < (size_t)map.nr_rows * map.nr_columns; i++) {
		const struct heatmap_row *row = &map.rows[i / map.nr_columns];
		PRINTBUF(name);
		if (row->region == HEATMAP_OTHERS)
			prt_printf(&name, "%u others", map.nr_others);
		else
			report_region_name(&name, report, row->region);
		prt_csv_field(out, printbuf_str(&name), name.pos);
		prt_printf(out, ",0x%" PRIx64 ",%" PRIu64 ",%" PRIu64 ",",
			   report_bytes(report, row->first_page),
			   report_bytes(report, row->nr_pages),
			   (uint64_t)((double)report->profile->duration_ns *
				      (double)(i % map.nr_columns) / map.nr_columns));
		prt_fixed(out, map.heat[i], 4);
		prt_char(out, '\n');
	}
	heatmap_fini(&map);
}

void report_to_csv(struct printbuf *out, const struct report *report, const char *which,
		   uint32_t rows)
{
	if (strcmp(which, "heatmap") == 0) {
		heatmap_to_csv(out, report, rows);
		return;
	}
	struct table *table = strcmp(which, "curve") == 0 ? report_curve_table(report)
			      : strcmp(which, "working-set") == 0
				      ? report_workingset_table(report)
				      : report_regions_table(report, UINT32_MAX, true);
	if (!table || table_has_error(table))
		out->allocation_failure = true;
	else
		table_to_csv(out, table);
	table_free(table);
}
