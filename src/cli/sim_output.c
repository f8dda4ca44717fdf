/* SPDX-License-Identifier: MIT */
/*
 * The results of `berth sim`. Text: the setting, a table, one plain sentence, a legend. On a narrow
 * terminal the table is folded: how long it takes, what moved, what the program waited for. JSON
 * has everything, with "schema": 1; CSV is the table with one heading line. --dilate is in all
 * three.
 */
#include "cli/sim_output.h"

#include <string.h>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/sim_fields.h"
#include "cli/sim_jobs.h"

#define SCHEMA	       1
#define MEANING_COLUMN 13 /* where the explanation of a word starts */
#define FIRST_MOVES    5  /* columns that say how it came to that begin here, */
#define FIRST_STALLS   8  /* and those that say where the time went */

static const struct column text_columns[] = {
	{ "policy", "policy", COLUMN_TEXT, 0 },
	{ "fast_bytes", "fast memory", COLUMN_BYTES, 0 },
	{ "time_ns", "time", COLUMN_NS, 0 },
	{ "slowdown", "slowdown", COLUMN_RATIO, 3 },
	{ "fast_share", "served fast", COLUMN_PERCENT, 1 },
	{ "promoted_pages", "promoted", COLUMN_U64, 0 },
	{ "demoted_pages", "demoted", COLUMN_U64, 0 },
	{ "moved_bytes", "moved", COLUMN_BYTES, 0 },
	{ "latency_ns", "latency", COLUMN_NS, 0 },
	{ "bandwidth_ns", "bandwidth", COLUMN_NS, 0 },
	{ "migration_ns", "migration", COLUMN_NS, 0 },
	{ "faults_ns", "faults", COLUMN_NS, 0 },
};

/* Of CSV: what the row is, then the figures of sim_fields (the slowdown after the time), then what
 * went wrong. */
static const struct column csv_keys[] = {
	{ "policy", "policy", COLUMN_TEXT, 0 },
	{ "kernel", "kernel", COLUMN_TEXT, 0 },
	{ "dilate", "dilate", COLUMN_U64, 0 },
	{ "fast_bytes", "fast memory", COLUMN_BYTES, 0 },
};
static const struct column csv_slowdown = { "slowdown", "slowdown", COLUMN_RATIO, 6 };
static const struct column csv_error = { "error", "error", COLUMN_TEXT, 0 };

#define CSV_COLUMNS (ARRAY_SIZE(csv_keys) + SIM_NR_FIELDS + 2)

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static void fast_cell(struct table *table, const struct sim_result *result)
{
	if (result->fast_bytes == UINT64_MAX)
		table_none(table);
	else
		table_u64(table, result->fast_bytes);
}

static void text_cell(struct table *table, const struct sim_result *result, size_t column)
{
	const uint64_t figures[ARRAY_SIZE(text_columns)] = {
		[2] = result->time_ns,	     [5] = result->nr_promoted, [6] = result->nr_demoted,
		[7] = result->moved_bytes,   [8] = result->latency_ns,	[9] = result->bandwidth_ns,
		[10] = result->migration_ns, [11] = result->faults_ns,
	};
	if (column == 0)
		table_text(table, result->policy);
	else if (column == 1)
		fast_cell(table, result);
	else if (result->error || (column == 4 && result->misses == 0))
		table_none(table);
	else if (column == 3)
		table_double(table, sim_slowdown(result));
	else if (column == 4)
		table_double(table, share(result->fast_misses, result->misses));
	else
		table_u64(table, figures[column]);
}

static void csv_figures(struct table *table, const struct sim_result *result)
{
	for (size_t i = 0; i < SIM_NR_FIELDS; i++) {
		if (sim_field_is_known(result, &sim_fields[i]))
			table_u64(table, sim_field_value(result, &sim_fields[i]));
		else
			table_none(table);
		if (i == 0 && !result->error)
			table_double(table, sim_slowdown(result));
		else if (i == 0)
			table_none(table);
	}
}

static void csv_row(struct table *table, const struct sim_result *result, uint64_t dilate)
{
	table_row(table);
	table_text(table, result->policy);
	if (result->kernel)
		table_text(table, result->kernel);
	else
		table_none(table);
	table_u64(table, dilate);
	fast_cell(table, result);
	csv_figures(table, result);
	if (result->error)
		table_text(table, result->error_text);
	else
		table_none(table);
}

static void csv_columns(struct column columns[CSV_COLUMNS])
{
	size_t nr = ARRAY_SIZE(csv_keys);
	memcpy(columns, csv_keys, sizeof(csv_keys));
	for (size_t i = 0; i < SIM_NR_FIELDS; i++) {
		const struct sim_field *field = &sim_fields[i];
		columns[nr++] = (struct column){ field->name, field->title, field->kind, 0 };
		if (i == 0)
			columns[nr++] = csv_slowdown;
	}
	columns[nr] = csv_error;
}

void sim_output_to_csv(struct printbuf *out, const struct sim_output *output)
{
	struct column columns[CSV_COLUMNS];
	csv_columns(columns);
	struct table *table = table_new(columns, CSV_COLUMNS);
	for (size_t i = 0; table && i < sim_set_nr_results(output->set); i++)
		csv_row(table, sim_set_result(output->set, i), output->dilate);
	if (table)
		table_to_csv(out, table);
	table_free(table);
}

/* The policies, and of the other columns those from `first` to before `end`. */
static void prt_columns(struct printbuf *out, const struct sim_output *output, size_t first,
			size_t end)
{
	struct column columns[ARRAY_SIZE(text_columns)] = { text_columns[0] };
	memcpy(columns + 1, text_columns + first, (end - first) * sizeof(*columns));
	struct table *table = table_new(columns, 1 + end - first);
	for (size_t i = 0; table && i < sim_set_nr_results(output->set); i++) {
		const struct sim_result *result = sim_set_result(output->set, i);
		table_row(table);
		text_cell(table, result, 0);
		for (size_t column = first; column < end; column++)
			text_cell(table, result, column);
	}
	if (table)
		table_to_text(out, table);
	table_free(table);
	prt_char(out, '\n');
}

static bool has_faults(const struct sim_output *output)
{
	bool has = false;
	for (size_t i = 0; i < sim_set_nr_results(output->set); i++)
		has |= sim_set_result(output->set, i)->nr_faults > 0;
	return has;
}

/* As one table when that fits, else folded where another question begins. The last column is left
 * out when it is zero for all. */
static void results_to_text(struct printbuf *out, const struct sim_output *output)
{
	const size_t nr_columns = ARRAY_SIZE(text_columns) - (has_faults(output) ? 0 : 1);
	const size_t folds[] = { FIRST_MOVES, FIRST_STALLS, nr_columns };
	size_t first = 1;
	while (first < nr_columns) {
		PRINTBUF(table);
		size_t end = first;
		for (size_t i = ARRAY_SIZE(folds); i-- > 0 && folds[i] > first;) {
			end = folds[i];
			printbuf_reset(&table);
			prt_columns(&table, output, first, end);
			const char *text = printbuf_str(&table);
			if (utf8_width(text, strcspn(text, "\n")) <= output->columns)
				break;
		}
		prt_str(out, printbuf_str(&table));
		first = end;
	}
}

/* "word        what it means", its further lines below its first. */
static void prt_meaning(struct printbuf *out, const char *word, const struct printbuf *meaning,
			unsigned columns)
{
	PRINTBUF(lines);
	size_t used = strlen(word);
	report_wrapped(&lines, printbuf_str(meaning), MEANING_COLUMN, columns);
	prt_str(out, word);
	prt_chars(out, ' ', used < MEANING_COLUMN ? MEANING_COLUMN - used : 1);
	prt_str(out, printbuf_str(&lines) + MIN(lines.pos, MEANING_COLUMN));
}

static void prt_legend(struct printbuf *out, const struct sim_output *output, const char *word,
		       const char *format, ...) berth_printf(4, 5);
static void prt_legend(struct printbuf *out, const struct sim_output *output, const char *word,
		       const char *format, ...)
{
	PRINTBUF(meaning);
	va_list args;
	va_start(args, format);
	prt_vprintf(&meaning, format, args);
	va_end(args);
	prt_meaning(out, word, &meaning, output->columns);
}

static void setting_to_text(struct printbuf *out, const struct sim_output *output)
{
	const struct cost_model *cost = sim_set_cost(output->set);
	PRINTBUF(recording);
	PRINTBUF(machine);
	PRINTBUF(kernel);
	prt_safe(&recording, output->path, strlen(output->path));
	if (output->info->program && *output->info->program) {
		prt_str(&recording, ": ");
		prt_safe(&recording, output->info->program, strlen(output->info->program));
	}
	prt_meaning(out, "recording", &recording, output->columns);
	machine_to_line(&machine, output->machine);
	prt_meaning(out, "machine", &machine, output->columns);
	if (output->is_default_machine) {
		PRINTBUF(why);
		prt_str(&why, "(sized from the recording: the program uses ");
		prt_bytes(&why, output->peak_pages * output->info->page_bytes);
		prt_str(&why, " at once, and half of that is fast; -M names another)");
		prt_meaning(out, "", &why, output->columns);
	}
	prt_printf(&kernel, "%s below agents; time dilation %llu, seed %llu; decisions every ",
		   output->kernel, (unsigned long long)output->dilate,
		   (unsigned long long)output->seed);
	prt_ns(&kernel, cost->tick_ns);
	prt_meaning(out, "kernel", &kernel, output->columns);
	prt_char(out, '\n');
}

static void prt_bound(struct printbuf *out, const struct sim_result *result)
{
	prt_safe(out, result->policy, strlen(result->policy));
	if (result->fast_bytes != UINT64_MAX) {
		prt_str(out, " at ");
		prt_bytes(out, result->fast_bytes);
	}
	if (result->lower_ps == 0 && !result->is_exact) { /* it proves nothing: a yardstick */
		prt_printf(out, ": its schedule (%s), replayed, takes ", result->method);
		prt_ns(out, result->time_ns);
		return;
	}
	prt_str(out, ": no placement of its kind takes less than ");
	prt_ns(out, result->lower_time_ns);
	if (result->is_exact)
		prt_printf(out, " (exact, %s)", result->method);
	else
		prt_printf(out, " (%s; gap to the schedule found %.2f %% of the stall)",
			   result->method,
			   100 * share(result->upper_ps - MIN(result->lower_ps, result->upper_ps),
				       result->upper_ps));
	prt_str(out, "; its schedule, replayed, takes ");
	prt_ns(out, result->time_ns);
}

/* What a bound proves, and what went wrong, below the table. */
static void remarks_to_text(struct printbuf *out, const struct sim_output *output)
{
	bool has_remark = false;
	for (size_t i = 0; i < sim_set_nr_results(output->set); i++) {
		const struct sim_result *result = sim_set_result(output->set, i);
		PRINTBUF(remark);
		if (result->error)
			prt_printf(&remark, "%s: %s", result->policy, result->error_text);
		else if (result->has_bound)
			prt_bound(&remark, result);
		else
			continue;
		report_wrapped(out, printbuf_str(&remark), 2, output->columns);
		has_remark = true;
	}
	prt_str(out, has_remark ? "\n" : "");
}

/* The first result of this kind, or of this name. */
static const struct sim_result *find_result(const struct sim_set *set, const char *name)
{
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *result = sim_set_result(set, i);
		if (!result->error && strcmp(result->policy, name) == 0)
			return result;
	}
	return NULL;
}

static void prt_times(struct printbuf *out, const struct sim_result *result)
{
	prt_fixed(out, sim_slowdown(result), 2);
	prt_str(out, " times as long as with everything fast");
}

static void prt_sentence(struct printbuf *out, const struct sim_set *set)
{
	const struct sim_result *first = find_result(set, "linux-none");
	const struct sim_result *best = find_result(set, "optimal");
	for (size_t i = 0; !first && i < sim_set_nr_results(set); i++)
		if (!sim_set_result(set, i)->error)
			first = sim_set_result(set, i);
	if (!first)
		return;
	if (first->fast_bytes != UINT64_MAX) {
		prt_str(out, "With ");
		prt_bytes(out, first->fast_bytes);
		prt_str(out, " of fast memory ");
	} else {
		prt_str(out, "Under ");
	}
	prt_safe(out, first->policy, strlen(first->policy));
	prt_str(out, first->fast_bytes != UINT64_MAX ? " takes " : " the program takes ");
	prt_times(out, first);
	if (best && best != first && best->fast_bytes == first->fast_bytes) {
		prt_str(out, "; the best placement possible takes ");
		prt_fixed(out, sim_slowdown(best), 2);
		prt_str(out, " times");
	}
	prt_char(out, '.');
}

static void time_to_text(struct printbuf *out, const struct sim_output *output)
{
	PRINTBUF(text);
	prt_str(&text, "predicted: compute ");
	if (sim_set_nr_results(output->set) > 0) {
		const struct sim_result *result = sim_set_result(output->set, 0);
		prt_ns(&text, result->compute_ns);
		prt_str(&text, " (the recording's clock)");
		if (result->blocked_ns) {
			prt_str(&text, " + blocked ");
			prt_ns(&text, result->blocked_ns);
		}
	}
	prt_printf(&text, " + the stalls: latency, bandwidth, migration%s",
		   has_faults(output) ? ", faults" : "");
	prt_meaning(out, "time", &text, output->columns);
}

static void legend_to_text(struct printbuf *out, const struct sim_output *output)
{
	const struct cost_model *cost = sim_set_cost(output->set);
	PRINTBUF(move);
	PRINTBUF(fault);
	time_to_text(out, output);
	prt_legend(out, output, "slowdown", "time over that of all-fast");
	prt_legend(out, output, "served fast", "share of cache misses served by the fast tier");
	prt_legend(out, output, "promoted", "pages moved to a faster tier");
	prt_legend(out, output, "demoted", "pages moved to a slower tier");
	prt_legend(out, output, "moved", "bytes of the pages moved");
	prt_legend(out, output, "latency",
		   "misses x latency of their node / %.2f misses under way at once",
		   (double)cost->values[COST_PARALLELISM] / 10000);
	prt_legend(out, output, "bandwidth",
		   "what is missing when a node's traffic takes longer than its epoch");
	prt_ns(&move, cost->values[COST_MOVE_FIXED]);
	prt_legend(out, output, "migration",
		   "pages moved x (copy + %s); all of it is charged to the program",
		   printbuf_str(&move));
	prt_ns(&fault, cost->values[COST_FAULT]);
	if (has_faults(output))
		prt_legend(out, output, "faults", "hint faults x %s%s", printbuf_str(&fault),
			   output->dilate > 1 ? " / time dilation" : "");
	for (size_t i = 0; sim_set_note(output->set, i); i++)
		prt_legend(out, output, "note:", "%s", sim_set_note(output->set, i));
	if (output->dilate > 1)
		prt_legend(out, output, "note:",
			   "the program's time is stretched %llu times against the kernel's",
			   (unsigned long long)output->dilate);
}

void sim_output_to_text(struct printbuf *out, const struct sim_output *output)
{
	PRINTBUF(sentence);
	setting_to_text(out, output);
	results_to_text(out, output);
	if (output->jobs)
		sim_jobs_to_text(out, output->jobs, output->set);
	remarks_to_text(out, output);
	prt_sentence(&sentence, output->set);
	if (sentence.pos) {
		report_wrapped(out, printbuf_str(&sentence), 0, output->columns);
		prt_char(out, '\n');
	}
	legend_to_text(out, output);
}

static void nodes_to_json(struct json_writer *json, const struct sim_output *output,
			  const struct sim_result *result)
{
	json_array_begin(json, "nodes");
	for (uint32_t i = 0; i < output->machine->nr_nodes; i++) {
		const struct cost_node *node = &result->nodes[i];
		if (output->machine->nodes[i].size_bytes == 0)
			continue;
		json_object_begin(json, NULL);
		json_u64(json, "node", output->machine->nodes[i].id);
		json_u64(json, "tier", output->machine->nodes[i].tier);
		json_u64(json, "loads", node->loads);
		json_u64(json, "stores", node->stores);
		json_fixed(json, "share", share(node->loads + node->stores, result->misses), 6);
		json_u64(json, "moved_in_pages", node->moved_in_pages);
		json_u64(json, "moved_out_pages", node->moved_out_pages);
		json_object_end(json);
	}
	json_array_end(json);
}

static void figures_to_json(struct json_writer *json, const struct sim_result *result)
{
	for (size_t i = 0; i < SIM_NR_FIELDS; i++) {
		if (!sim_fields[i].of_bound)
			json_u64(json, sim_fields[i].name, sim_field_value(result, &sim_fields[i]));
		if (i == 0)
			json_fixed(json, "slowdown", sim_slowdown(result), 6);
	}
	if (!result->has_bound)
		return;
	json_object_begin(json, "bound");
	json_bool(json, "exact", result->is_exact);
	json_str(json, "method", result->method);
	for (size_t i = 0; i < SIM_NR_FIELDS; i++)
		if (sim_fields[i].of_bound)
			json_u64(json, sim_fields[i].name, sim_field_value(result, &sim_fields[i]));
	json_object_end(json);
}

static void counter_to_json(void *context, const char *name, uint64_t value)
{
	json_u64(context, name, value);
}

static void result_to_json(struct json_writer *json, const struct sim_output *output, size_t index)
{
	const struct sim_result *result = sim_set_result(output->set, index);
	static const char *const kinds[] = { "kernel", "agent", "bound" };
	json_object_begin(json, NULL);
	json_str(json, "policy", result->policy);
	json_str(json, "kind", kinds[result->kind]);
	json_str(json, "kernel", result->kernel);
	if (result->fast_bytes == UINT64_MAX)
		json_null(json, "fast_bytes");
	else
		json_u64(json, "fast_bytes", result->fast_bytes);
	json_str(json, "error", result->error ? result->error_text : NULL);
	if (!result->error) {
		figures_to_json(json, result);
		nodes_to_json(json, output, result);
		json_object_begin(json, "vmstat");
		sim_set_counters(output->set, index, counter_to_json, json);
		json_object_end(json);
		if (output->jobs)
			sim_jobs_to_json(json, output->jobs, output->set, index);
	}
	json_object_end(json);
}

static void cost_to_json(struct json_writer *json, const struct cost_model *cost)
{
	json_object_begin(json, "cost");
	json_u64(json, "mlp_bp", cost->values[COST_PARALLELISM]);
	json_u64(json, "store_bp", cost->values[COST_STORE_SHARE]);
	json_u64(json, "move_ns", cost->values[COST_MOVE_FIXED]);
	json_u64(json, "fault_ns", cost->values[COST_FAULT]);
	json_u64(json, "check_ns", cost->values[COST_CHECK]);
	json_u64(json, "tick_ns", cost->tick_ns);
	json_object_end(json);
}

void sim_output_to_json(struct printbuf *out, const struct sim_output *output)
{
	struct json_writer json;
	struct sim_found found;
	PRINTBUF(line);
	machine_to_line(&line, output->machine);
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_u64(&json, "schema", SCHEMA);
	json_str(&json, "recording", output->path);
	json_str(&json, "program", output->info->program);
	json_str(&json, "machine", printbuf_str(&line));
	json_bool(&json, "machine_is_default", output->is_default_machine);
	json_str(&json, "kernel", output->kernel);
	json_u64(&json, "dilate", output->dilate);
	json_u64(&json, "seed", output->seed);
	cost_to_json(&json, sim_set_cost(output->set));
	json_array_begin(&json, "notes");
	for (size_t i = 0; sim_set_note(output->set, i); i++)
		json_str(&json, NULL, sim_set_note(output->set, i));
	json_array_end(&json);
	if (sim_set_found(output->set, &found)) {
		json_object_begin(&json, "as_recorded");
		json_u64(&json, "misses", found.misses);
		json_u64(&json, "fast_misses", found.fast_misses);
		json_u64(&json, "unknown_misses", found.nr_unknown);
		json_object_end(&json);
	}
	json_array_begin(&json, "results");
	for (size_t i = 0; i < sim_set_nr_results(output->set); i++)
		result_to_json(&json, output, i);
	json_array_end(&json);
	json_object_end(&json);
	prt_ensure_newline(out);
}
