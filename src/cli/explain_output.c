/* SPDX-License-Identifier: MIT */
/*
 * The output of `berth explain`: which format, and the two that machines read. JSON has "schema":
 * 1, the setting, and either "events" (a story) or "most_moved" and "most_lost" (a survey); CSV is
 * one table. Times are nanoseconds of the kernel's clock.
 */
#include "cli/explain_output.h"

#include <inttypes.h>
#include <string.h>

#include "mem/key.h"
#include "sim/sim.h"

#define SCHEMA 1

static const struct column event_columns[] = {
	{ "event", "event", COLUMN_TEXT, 0 },
	{ "first_ns", "first", COLUMN_U64, 0 },
	{ "last_ns", "last", COLUMN_U64, 0 },
	{ "times", "times", COLUMN_U64, 0 },
	{ "from_node", "from", COLUMN_U64, 0 },
	{ "to_node", "to", COLUMN_U64, 0 },
	{ "why", "why", COLUMN_TEXT, 0 },
	{ "outcome", "outcome", COLUMN_TEXT, 0 },
	{ "min_latency_ns", "latency", COLUMN_U64, 0 },
	{ "max_latency_ns", "to", COLUMN_U64, 0 },
	{ "threshold_ns", "threshold", COLUMN_U64, 0 },
	{ "hits", "hits", COLUMN_U64, 0 },
	{ "checks", "checks", COLUMN_U64, 0 },
	{ "range_pages", "range", COLUMN_U64, 0 },
	{ "stay_end_ns", "until", COLUMN_U64, 0 },
	{ "loads", "loads", COLUMN_U64, 0 },
	{ "stores", "stores", COLUMN_U64, 0 },
	{ "touches", "touches", COLUMN_U64, 0 },
};

static const struct column life_columns[] = {
	{ "list", "list", COLUMN_TEXT, 0 },    { "address", "address", COLUMN_TEXT, 0 },
	{ "space", "space", COLUMN_U64, 0 },   { "region", "region", COLUMN_TEXT, 0 },
	{ "born_ns", "born", COLUMN_U64, 0 },  { "end_ns", "end", COLUMN_U64, 0 },
	{ "moves", "moves", COLUMN_U64, 0 },   { "refused", "refused", COLUMN_U64, 0 },
	{ "misses", "misses", COLUMN_U64, 0 }, { "fast_misses", "fast misses", COLUMN_U64, 0 },
	{ "lost_ps", "lost", COLUMN_U64, 0 },
};

const char *explain_region(const struct explain_output *output, uint32_t space, uint64_t page)
{
	uint32_t region = regions_find(output->regions, mem_key(space, page));
	return region == REGION_NONE ? "" : output->regions->list[region].name;
}

static void cell_if(struct table *table, bool is_known, uint64_t value)
{
	if (is_known)
		table_u64(table, value);
	else
		table_none(table);
}

static void node_cell(struct table *table, const struct explain_output *output, uint32_t node)
{
	bool is_node = node < output->machine->nr_nodes;
	cell_if(table, is_node, is_node ? output->machine->nodes[node].id : 0);
}

static void text_cell(struct table *table, const char *text)
{
	if (text && *text)
		table_text(table, text);
	else
		table_none(table);
}

static void event_row(struct table *table, const struct explain_output *output,
		      const struct story_event *event)
{
	bool is_stay = event->kind == STORY_BORN || event->kind == STORY_MOVED;
	bool has_latency = event->min_latency_ns != STORY_UNKNOWN;
	bool is_sample = event->kind == STORY_SAMPLED;
	table_row(table);
	table_text(table, story_kind_names[event->kind]);
	table_u64(table, event->first_ns);
	table_u64(table, event->last_ns);
	table_u64(table, event->nr);
	node_cell(table, output, event->from);
	node_cell(table, output, event->to);
	text_cell(table, event->why);
	text_cell(table, event->kind == STORY_REFUSED ? move_outcome_names[event->outcome] : NULL);
	cell_if(table, has_latency, event->min_latency_ns);
	cell_if(table, has_latency, event->max_latency_ns);
	cell_if(table, event->threshold_ns != STORY_UNKNOWN, event->threshold_ns);
	cell_if(table, is_sample && event->nr_checks > 0, event->nr_hits);
	cell_if(table, is_sample && event->nr_checks > 0, event->nr_checks);
	cell_if(table, is_sample, event->nr_pages);
	cell_if(table, is_stay, event->end_ns);
	cell_if(table, is_stay, event->nr_loads);
	cell_if(table, is_stay, event->nr_stores);
	cell_if(table, is_stay, event->nr_touches);
}

static struct table *events_table(const struct explain_output *output)
{
	struct table *table = table_new(event_columns, ARRAY_SIZE(event_columns));
	for (uint32_t i = 0; table && i < output->story->nr; i++)
		event_row(table, output, &output->story->events[i]);
	return table;
}

static void life_rows(struct table *table, const struct explain_output *output,
		      const struct survey_top *top, const char *list)
{
	for (uint32_t i = 0; i < top->nr; i++) {
		const struct survey_life *life = &top->lives[i];
		PRINTBUF(address);
		prt_printf(&address, "0x%" PRIx64, life->address.page * output->info->page_bytes);
		table_row(table);
		table_text(table, list);
		table_text(table, printbuf_str(&address));
		table_u64(table, life->address.space);
		text_cell(table, explain_region(output, life->address.space, life->address.page));
		table_u64(table, life->born_ns);
		table_u64(table, life->end_ns);
		table_u64(table, life->nr_moves);
		table_u64(table, life->nr_refused);
		table_u64(table, life->nr_misses);
		table_u64(table, life->nr_fast);
		table_u64(table, life->lost_ps);
	}
}

static struct table *lives_table(const struct explain_output *output)
{
	struct table *table = table_new(life_columns, ARRAY_SIZE(life_columns));
	if (!table)
		return NULL;
	life_rows(table, output, &output->survey->by_moves, "moved");
	life_rows(table, output, &output->survey->by_loss, "lost");
	return table;
}

void explain_to_csv(struct printbuf *out, const struct explain_output *output)
{
	struct table *table = output->story ? events_table(output) : lives_table(output);
	if (table)
		table_to_csv(out, table);
	table_free(table);
}

static void setting_to_json(struct json_writer *json, const struct explain_output *output)
{
	PRINTBUF(line);
	machine_to_line(&line, output->machine);
	json_u64(json, "schema", SCHEMA);
	json_str(json, "recording", output->path);
	json_str(json, "program", output->info->program);
	json_str(json, "machine", printbuf_str(&line));
	json_u64(json, "fast_bytes", output->result->fast_bytes);
	json_str(json, "policy", output->policy);
	json_str(json, "kernel", output->kernel);
	json_u64(json, "dilate", output->dilate);
	json_u64(json, "seed", output->seed);
}

static void story_to_json(struct json_writer *json, const struct explain_output *output)
{
	const struct story *story = output->story;
	struct table *table = events_table(output);
	PRINTBUF(address);
	prt_printf(&address, "0x%" PRIx64, story->config.page * output->info->page_bytes);
	json_str(json, "address", printbuf_str(&address));
	json_u64(json, "space", story->config.space);
	json_str(json, "region", explain_region(output, story->config.space, story->config.page));
	json_u64(json, "lives", story->nr_lives);
	json_u64(json, "moves", story->nr_moves);
	json_u64(json, "samples", story->nr_samples);
	json_u64(json, "left_out", story->nr_left_out);
	json_u64(json, "end_ns", story->end_ns);
	if (table)
		table_to_json(json, "events", table);
	table_free(table);
}

static void survey_to_json(struct json_writer *json, const struct explain_output *output)
{
	const struct survey *survey = output->survey;
	struct table *table = lives_table(output);
	json_u64(json, "lives", survey->nr_lives);
	json_u64(json, "lives_moved", survey->nr_moved);
	json_u64(json, "lost_ps", survey->lost_ps);
	if (table)
		table_to_json(json, "pages", table);
	table_free(table);
}

void explain_to_json(struct printbuf *out, const struct explain_output *output)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	setting_to_json(&json, output);
	if (output->story)
		story_to_json(&json, output);
	else
		survey_to_json(&json, output);
	json_object_end(&json);
	prt_char(out, '\n');
}
