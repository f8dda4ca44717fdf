/* SPDX-License-Identifier: MIT */
/*
 * A page's story for people: a timeline, one line per event and one below each birth and move that
 * says what the stay brought.
 *
 *     1.02 s  born     on node 1 (cxl): the nodes before it had no room to spare
 *                      stayed 3.51 s; memory served 104 misses, 12 more uses came from the cache
 *     4.53 s  moved    node 1 (cxl) -> node 0 (dram): promoted after a hint fault
 */
#include "cli/explain_output.h"

#include <inttypes.h>
#include <string.h>

#include "sim/sim.h"

#define TIME_WIDTH  10
#define KIND_COLUMN 12 /* what happened */
#define TEXT_COLUMN 21 /* the sentence */

static void prt_node(struct printbuf *out, const struct explain_output *output, uint32_t index)
{
	if (index >= output->machine->nr_nodes) {
		prt_str(out, "a node that is not known");
		return;
	}
	const struct machine_node *node = &output->machine->nodes[index];
	prt_printf(out, "node %u (%s)", node->id, node_kind_names[node->kind]);
}

static void prt_latency(struct printbuf *out, const struct story_event *event, const char *before,
			const char *after)
{
	if (event->min_latency_ns == STORY_UNKNOWN)
		return;
	prt_str(out, before);
	prt_ns(out, event->min_latency_ns);
	if (event->max_latency_ns != event->min_latency_ns) {
		prt_str(out, " to ");
		prt_ns(out, event->max_latency_ns);
	}
	prt_str(out, after);
}

static void prt_repeats(struct printbuf *out, const struct story_event *event)
{
	if (event->nr == 1)
		return;
	prt_str(out, "; ");
	prt_u64_grouped(out, event->nr);
	prt_str(out, " times until ");
	prt_ns(out, event->last_ns);
}

static void prt_sample(struct printbuf *out, const struct story_event *event)
{
	static const char *const kinds[] = {
		[SAMPLE_HITS] = "accessed bits",
		[SAMPLE_HINT_FAULT] = "hint fault",
		[SAMPLE_HARDWARE] = "by the hardware",
	};
	prt_str(out, kinds[event->sample_kind]);
	if (event->nr_checks > 0) {
		prt_str(out, ": ");
		prt_u64_grouped(out, event->nr_hits);
		prt_str(out, event->nr_hits == 1 ? " hit of " : " hits of ");
		prt_u64_grouped(out, event->nr_checks);
		prt_str(out, event->nr_checks == 1 ? " check" : " checks");
	}
	prt_latency(out, event, ", ",
		    event->sample_kind == SAMPLE_HINT_FAULT ? " after arming" : " of latency");
	if (event->nr_pages > 1) {
		prt_str(out, ", in a range of up to ");
		prt_u64_grouped(out, event->nr_pages);
		prt_str(out, " pages");
	}
}

static void prt_move(struct printbuf *out, const struct explain_output *output,
		     const struct story_event *event)
{
	prt_node(out, output, event->from);
	prt_str(out, " -> ");
	prt_node(out, output, event->to);
	prt_str(out, ": ");
	prt_str(out, event->why);
}

static void prt_decision(struct printbuf *out, const struct story_event *event)
{
	prt_str(out, event->why);
	prt_latency(out, event, " (", " after arming");
	if (event->threshold_ns != STORY_UNKNOWN) {
		prt_str(out, ", the threshold is ");
		prt_ns(out, event->threshold_ns);
	}
	if (event->min_latency_ns != STORY_UNKNOWN)
		prt_char(out, ')');
}

static void prt_event(struct printbuf *out, const struct explain_output *output,
		      const struct story_event *event)
{
	switch (event->kind) {
	case STORY_BORN:
		prt_str(out, "on ");
		prt_node(out, output, event->to);
		prt_str(out, ": ");
		prt_str(out, event->why);
		break;
	case STORY_MOVED:
		prt_move(out, output, event);
		break;
	case STORY_FREED:
		prt_str(out, event->why);
		break;
	case STORY_SAMPLED:
		prt_sample(out, event);
		break;
	case STORY_DECIDED:
		prt_decision(out, event);
		break;
	case STORY_REFUSED:
	case STORY_NR_KINDS:
		prt_move(out, output, event);
		prt_str(out, "; refused: ");
		prt_str(out, move_outcome_names[event->outcome]);
		break;
	}
	prt_repeats(out, event);
}

/* `text`, folded at blanks to the terminal's width, from TEXT_COLUMN on. */
static void prt_folded(struct printbuf *out, const char *text, unsigned columns)
{
	size_t width = columns > TEXT_COLUMN + 30 ? columns - TEXT_COLUMN : 30;
	while (strlen(text) > width) {
		size_t end = width;
		while (end > 0 && text[end] != ' ')
			end--;
		if (end == 0)
			break;
		prt_mem(out, text, end);
		prt_char(out, '\n');
		prt_chars(out, ' ', TEXT_COLUMN);
		text += end + 1;
	}
	prt_str(out, text);
	prt_char(out, '\n');
}

static void prt_stay(struct printbuf *out, const struct story_event *event, unsigned columns)
{
	PRINTBUF(text);
	prt_str(&text, "stayed ");
	prt_ns(&text, event->end_ns - event->first_ns);
	prt_str(&text, "; memory served ");
	prt_u64_grouped(&text, event->nr_loads + event->nr_stores);
	prt_str(&text, event->nr_loads + event->nr_stores == 1 ? " miss" : " misses");
	if (event->nr_stores > 0) {
		prt_str(&text, " (");
		prt_u64_grouped(&text, event->nr_stores);
		prt_str(&text, event->nr_stores == 1 ? " store)" : " stores)");
	}
	if (event->nr_touches > 0) {
		prt_str(&text, ", ");
		prt_u64_grouped(&text, event->nr_touches);
		prt_str(&text,
			event->nr_touches == 1 ? " more recorded use" : " more recorded uses");
		prt_str(&text, " came from the cache");
	}
	prt_chars(out, ' ', TEXT_COLUMN);
	prt_folded(out, printbuf_str(&text), columns);
}

static void prt_line(struct printbuf *out, const struct explain_output *output,
		     const struct story_event *event)
{
	PRINTBUF(time);
	PRINTBUF(text);
	prt_ns(&time, event->first_ns);
	prt_event(&text, output, event);
	size_t length = strlen(printbuf_str(&time));
	prt_chars(out, ' ', length < TIME_WIDTH ? TIME_WIDTH - length : 0);
	prt_str(out, printbuf_str(&time));
	prt_chars(out, ' ', KIND_COLUMN - TIME_WIDTH);
	prt_str(out, story_kind_names[event->kind]);
	prt_chars(out, ' ', TEXT_COLUMN - KIND_COLUMN - strlen(story_kind_names[event->kind]));
	prt_folded(out, printbuf_str(&text), output->columns);
	if (event->kind == STORY_BORN || event->kind == STORY_MOVED)
		prt_stay(out, event, output->columns);
}

static void prt_label(struct printbuf *out, const char *label)
{
	prt_str(out, label);
	prt_chars(out, ' ', 13 - strlen(label));
}

static void prt_setting(struct printbuf *out, const struct explain_output *output)
{
	prt_label(out, "recording");
	prt_printf(out, "%s: %s\n", output->path,
		   output->info->program ? output->info->program : "");
	prt_label(out, "machine");
	machine_to_line(out, output->machine);
	prt_char(out, '\n');
	prt_label(out, "fast memory");
	prt_bytes(out, output->result->fast_bytes);
	prt_char(out, '\n');
	prt_label(out, "policy");
	prt_str(out, output->policy);
	if (output->kernel)
		prt_printf(out, " above %s", output->kernel);
	prt_printf(out, "; time dilation %" PRIu64 ", seed %" PRIu64 "; times are the kernel's\n\n",
		   output->dilate, output->seed);
}

static void prt_summary(struct printbuf *out, const struct explain_output *output)
{
	const struct story *story = output->story;
	uint64_t nr_misses = 0, nr_fast = 0;
	for (uint32_t i = 0; i < story->nr; i++) {
		const struct story_event *event = &story->events[i];
		uint64_t nr = event->nr_loads + event->nr_stores;
		nr_misses += nr;
		nr_fast += event->to < output->machine->nr_nodes &&
					   output->machine->nodes[event->to].tier == 0
				   ? nr
				   : 0;
	}
	prt_char(out, '\n');
	prt_u64_grouped(out, story->nr_lives);
	prt_str(out, story->nr_lives == 1 ? " life, " : " lives, ");
	prt_u64_grouped(out, story->nr_moves);
	prt_str(out, story->nr_moves == 1 ? " move; " : " moves; ");
	prt_u64_grouped(out, nr_misses);
	prt_str(out, " misses");
	if (nr_misses > 0) {
		prt_str(out, ", ");
		prt_percent(out, (double)nr_fast / (double)nr_misses, 1);
		prt_str(out, " of them served by the fast tier");
	}
	prt_str(out, ". The recording ends at ");
	prt_ns(out, story->end_ns);
	prt_str(out, ".\n");
	if (story->nr_left_out > 0) {
		prt_u64_grouped(out, story->nr_left_out);
		prt_str(out, " further events are left out.\n");
	}
}

void explain_story_to_text(struct printbuf *out, const struct explain_output *output)
{
	const struct story *story = output->story;
	const char *region = explain_region(output, story->config.space, story->config.page);
	prt_label(out, "page");
	prt_printf(out, "0x%" PRIx64, story->config.page * output->info->page_bytes);
	if (*region)
		prt_printf(out, " of %s", region);
	prt_printf(out, ", space %u", story->config.space);
	if (output->info->nr_spaces > 1)
		prt_printf(out, " of %u (--space chooses)", output->info->nr_spaces);
	prt_char(out, '\n');
	prt_setting(out, output);
	for (uint32_t i = 0; i < story->nr; i++)
		prt_line(out, output, &story->events[i]);
	prt_summary(out, output);
}

static const struct column life_columns[] = {
	{ "address", "address", COLUMN_TEXT, 0 }, { "space", "space", COLUMN_U64, 0 },
	{ "moves", "moves", COLUMN_U64, 0 },	  { "refused", "refused", COLUMN_U64, 0 },
	{ "misses", "misses", COLUMN_U64, 0 },	  { "fast", "served fast", COLUMN_PERCENT, 1 },
	{ "lost_ns", "lost", COLUMN_NS, 0 },	  { "lived_ns", "lived", COLUMN_NS, 0 },
	{ "region", "region", COLUMN_TEXT, 0 },
};

static void prt_lives(struct printbuf *out, const struct explain_output *output,
		      const struct survey_top *top)
{
	struct table *table = table_new(life_columns, ARRAY_SIZE(life_columns));
	for (uint32_t i = 0; table && i < top->nr; i++) {
		const struct survey_life *life = &top->lives[i];
		PRINTBUF(address);
		prt_printf(&address, "0x%" PRIx64, life->address.page * output->info->page_bytes);
		table_row(table);
		table_text(table, printbuf_str(&address));
		table_u64(table, life->address.space);
		table_u64(table, life->nr_moves);
		table_u64(table, life->nr_refused);
		table_u64(table, life->nr_misses);
		if (life->nr_misses > 0)
			table_double(table, (double)life->nr_fast / (double)life->nr_misses);
		else
			table_none(table);
		table_u64(table, life->lost_ps / COST_PS_PER_NS);
		table_u64(table, life->end_ns - life->born_ns);
		table_text(table, explain_region(output, life->address.space, life->address.page));
	}
	if (table)
		table_to_text(out, table);
	table_free(table);
}

void explain_survey_to_text(struct printbuf *out, const struct explain_output *output)
{
	const struct survey *survey = output->survey;
	prt_setting(out, output);
	prt_u64_grouped(out, survey->nr_lives);
	prt_str(out, " pages lived; ");
	prt_u64_grouped(out, survey->nr_moved);
	prt_str(out, " of them moved. All together lost ");
	prt_ns(out, survey->lost_ps / COST_PS_PER_NS);
	prt_str(out, " to slow memory and to moves.\n");
	if (survey->by_moves.nr > 0)
		prt_str(out, "\nThose that moved most:\n");
	prt_lives(out, output, &survey->by_moves);
	if (survey->by_loss.nr > 0)
		prt_str(out, "\nThose that lost most:\n");
	prt_lives(out, output, &survey->by_loss);
	prt_str(out,
		"\nlost   time of its misses beyond that of the fastest node, and of its moves\n"
		"lived  by the kernel's clock; an address that is unmapped and used again is "
		"another page\n"
		"The story of one: berth explain FILE ADDRESS, with the same options.\n");
}

void explain_to_text(struct printbuf *out, const struct explain_output *output)
{
	if (output->story)
		explain_story_to_text(out, output);
	else
		explain_survey_to_text(out, output);
}
