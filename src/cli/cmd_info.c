/* SPDX-License-Identifier: MIT */
/* `berth info`: what is in a recording? One list of facts, printed as text, JSON or CSV. */
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "trace/trace.h"

struct info_options {
	enum output_format format;
};

enum fact_unit { FACT_COUNT, FACT_BYTES, FACT_NS };

/* Where facts go. Text: rows of "title<tab>value", aligned at the end. */
struct facts {
	enum output_format format;
	struct printbuf *out;
	struct json_writer json;
};

static void fact_text(struct facts *facts, const char *key, const char *title, const char *value)
{
	if (facts->format == FORMAT_JSON) {
		json_str(&facts->json, key, value);
	} else if (facts->format == FORMAT_CSV) {
		prt_str(facts->out, key);
		prt_char(facts->out, ',');
		prt_csv_field(facts->out, value, strlen(value));
		prt_char(facts->out, '\n');
	} else {
		prt_str(facts->out, title);
		prt_char(facts->out, '\t');
		prt_safe(facts->out, value, strlen(value));
		prt_char(facts->out, '\n');
	}
}

static void prt_fact(struct printbuf *out, uint64_t value, enum fact_unit unit)
{
	if (unit == FACT_BYTES)
		prt_bytes(out, value);
	else if (unit == FACT_NS)
		prt_ns(out, value);
	else
		prt_u64_grouped(out, value);
}

static void fact_u64(struct facts *facts, const char *key, const char *title, uint64_t value,
		     enum fact_unit unit)
{
	PRINTBUF(text);
	if (facts->format == FORMAT_JSON) {
		if (value == TRACE_UNKNOWN)
			json_null(&facts->json, key);
		else
			json_u64(&facts->json, key, value);
		return;
	}
	if (value == TRACE_UNKNOWN)
		prt_str(&text, facts->format == FORMAT_CSV ? "" : "not known");
	else if (facts->format == FORMAT_CSV)
		prt_u64(&text, value);
	else
		prt_fact(&text, value, unit);
	fact_text(facts, key, title, printbuf_str(&text));
}

static void fact_ratio(struct facts *facts, const char *key, const char *title, double value)
{
	PRINTBUF(text);
	prt_fixed(&text, value, 2);
	if (facts->format == FORMAT_JSON)
		json_fixed(&facts->json, key, value, 2);
	else
		fact_text(facts, key, title, printbuf_str(&text));
}

/* A fact that only text joins into a sentence; the numbers are facts of their own elsewhere. */
static void text_only(struct facts *facts, const char *title, const struct printbuf *value)
{
	if (facts->format == FORMAT_TEXT)
		fact_text(facts, "", title, printbuf_str(value));
}

static void program_facts(struct facts *facts, const struct trace_info *info)
{
	char date[32];
	time_t started = (time_t)info->started_unix_s;
	struct tm tm;
	fact_text(facts, "program", "program", info->program ? info->program : "");
	fact_text(facts, "recorder", "recorder", info->recorder ? info->recorder : "");
	if (info->started_unix_s && gmtime_r(&started, &tm) &&
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		fact_text(facts, "started", "started", date);
	if (info->exit_status >= 0)
		fact_u64(facts, "exit_status", "exit status", (uint64_t)info->exit_status,
			 FACT_COUNT);
	fact_u64(facts, "native_ns", "time without the recorder", info->native_ns, FACT_NS);
}

static void clock_facts(struct facts *facts, const struct trace_info *info)
{
	PRINTBUF(clock);
	prt_printf(&clock, "%llu ns per 1000 ticks (%s)", (unsigned long long)info->ns_per_ktick,
		   info->clock_measured ? "measured" : "assumed");
	text_only(facts, "clock", &clock);
	if (facts->format != FORMAT_TEXT) {
		fact_u64(facts, "ns_per_ktick", "", info->ns_per_ktick, FACT_COUNT);
		fact_u64(facts, "clock_measured", "", info->clock_measured, FACT_COUNT);
		fact_u64(facts, "nr_ticks", "", info->nr_ticks, FACT_COUNT);
	}
	fact_u64(facts, "duration_ns", "duration", info->duration_ns, FACT_NS);
}

static void stream_facts(struct facts *facts, const struct trace_info *info)
{
	static const char *const names[] = { "misses",	"touches", "all", "counts",
					     "samples", "nodes",   NULL };
	PRINTBUF(streams);
	PRINTBUF(cache);
	prt_bitflags(&streams, names, info->streams);
	fact_text(facts, "streams", "streams", printbuf_str(&streams));
	if (info->interval_ns)
		fact_u64(facts, "interval_ns", "interval", info->interval_ns, FACT_NS);
	fact_u64(facts, "page_bytes", "page", info->page_bytes, FACT_BYTES);
	if (info->cache.size_bytes == 0)
		return;
	prt_bytes(&cache, info->cache.size_bytes);
	prt_printf(&cache, ", %u ways, lines of %u B, filter of %u lines", info->cache.ways,
		   info->cache.line_bytes, info->cache.filter_lines);
	text_only(facts, "modelled cache", &cache);
	if (facts->format == FORMAT_TEXT)
		return;
	fact_u64(facts, "cache_bytes", "", info->cache.size_bytes, FACT_BYTES);
	fact_u64(facts, "cache_ways", "", info->cache.ways, FACT_COUNT);
	fact_u64(facts, "cache_line_bytes", "", info->cache.line_bytes, FACT_BYTES);
	fact_u64(facts, "cache_filter_lines", "", info->cache.filter_lines, FACT_COUNT);
}

static void event_facts(struct facts *facts, const struct trace_info *info)
{
	uint64_t nr_events = 0;
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
		nr_events += info->nr_events[kind];
	fact_u64(facts, "nr_references", "references looked at", info->nr_references, FACT_COUNT);
	fact_u64(facts, "nr_accesses", "accesses", info->nr_events[TRACE_ACCESSES], FACT_COUNT);
	fact_u64(facts, "nr_misses", "  misses", info->nr_misses, FACT_COUNT);
	fact_u64(facts, "nr_touches", "  touches", info->nr_touches, FACT_COUNT);
	fact_u64(facts, "nr_samples", "samples", info->nr_events[TRACE_SAMPLES], FACT_COUNT);
	fact_u64(facts, "nr_counts", "counts", info->nr_events[TRACE_COUNTS], FACT_COUNT);
	fact_u64(facts, "nr_mappings", "mappings", info->nr_events[TRACE_MAPPINGS], FACT_COUNT);
	fact_u64(facts, "nr_blocked", "times blocked", info->nr_events[TRACE_BLOCKED], FACT_COUNT);
	if (facts->format != FORMAT_TEXT || info->streams & TRACE_STREAM_NODES)
		fact_u64(facts, "nr_nodes", "nodes of pages", info->nr_events[TRACE_NODES],
			 FACT_COUNT);
	fact_u64(facts, "file_bytes", "file", info->file_bytes, FACT_BYTES);
	fact_u64(facts, "nr_blocks", "blocks", info->nr_blocks, FACT_COUNT);
	if (nr_events > 0)
		fact_ratio(facts, "bytes_per_event", "bytes per event",
			   (double)info->file_bytes / (double)nr_events);
	if (info->nr_references != TRACE_UNKNOWN && info->file_bytes > 0)
		fact_ratio(facts, "references_per_byte", "references per byte",
			   (double)info->nr_references / (double)info->file_bytes);
	if (facts->format == FORMAT_JSON)
		json_bool(&facts->json, "is_cut", info->is_cut);
	else
		fact_text(facts, "is_cut", "complete",
			  facts->format == FORMAT_CSV ? (info->is_cut ? "1" : "0")
						      : (info->is_cut ? "no" : "yes"));
}

static void memory_to_json(struct json_writer *json, const struct trace_memory *memory)
{
	json_object_begin(json, NULL);
	json_u64(json, "node", memory->node);
	for (const struct trace_memory_field *field = trace_memory_fields; field->name; field++) {
		uint64_t value = *trace_memory_value(memory, field);
		if (value == TRACE_UNKNOWN)
			json_null(json, field->name);
		else
			json_u64(json, field->name, value);
	}
	json_object_end(json);
}

static void prt_pages(struct printbuf *out, const char *before, uint64_t nr_pages,
		      uint32_t page_bytes)
{
	uint64_t nr_bytes;
	if (nr_pages == TRACE_UNKNOWN || __builtin_mul_overflow(nr_pages, page_bytes, &nr_bytes))
		return;
	prt_str(out, before);
	prt_bytes(out, nr_bytes);
}

/* "512 MiB, free 480 MiB, min 1 MiB, low ...; used by the kernel 12 MiB, page cache ..." */
static void memory_to_text(struct facts *facts, const struct trace_memory *memory,
			   uint32_t page_bytes)
{
	PRINTBUF(key);
	PRINTBUF(value);
	prt_printf(&key, "node %u", memory->node);
	prt_pages(&value, "", memory->total_pages, page_bytes);
	prt_pages(&value, ", managed ", memory->managed_pages, page_bytes);
	prt_pages(&value, ", free ", memory->free_pages, page_bytes);
	prt_pages(&value, ", min ", memory->min_pages, page_bytes);
	prt_pages(&value, ", low ", memory->low_pages, page_bytes);
	prt_pages(&value, ", high ", memory->high_pages, page_bytes);
	prt_pages(&value, ", promo ", memory->promo_pages, page_bytes);
	prt_pages(&value, "; ballast: kernel ", memory->kernel_pages, page_bytes);
	prt_pages(&value, ", page cache ", memory->cache_pages, page_bytes);
	prt_pages(&value, ", others ", memory->other_pages, page_bytes);
	fact_text(facts, "", printbuf_str(&key), printbuf_str(&value));
}

static void memory_to_csv(struct facts *facts, const struct trace_memory *memory)
{
	for (const struct trace_memory_field *field = trace_memory_fields; field->name; field++) {
		PRINTBUF(key);
		prt_printf(&key, "node_%u_%s", memory->node, field->name);
		fact_u64(facts, printbuf_str(&key), "", *trace_memory_value(memory, field),
			 FACT_COUNT);
	}
}

static void memory_facts(struct facts *facts, const struct trace_info *info)
{
	if (facts->format == FORMAT_JSON)
		json_array_begin(&facts->json, "memory");
	for (uint32_t i = 0; i < info->nr_memory; i++) {
		if (facts->format == FORMAT_JSON)
			memory_to_json(&facts->json, &info->memory[i]);
		else if (facts->format == FORMAT_CSV)
			memory_to_csv(facts, &info->memory[i]);
		else
			memory_to_text(facts, &info->memory[i], info->page_bytes);
	}
	if (facts->format == FORMAT_JSON)
		json_array_end(&facts->json);
}

/* Where it ran: only recordings made in the lab say. */
static void place_facts(struct facts *facts, const struct trace_info *info)
{
	if (info->machine && *info->machine)
		fact_text(facts, "machine", "machine", info->machine);
	if (info->kernel && *info->kernel)
		fact_text(facts, "kernel", "kernel", info->kernel);
	if (info->nr_settings && facts->format == FORMAT_JSON) {
		json_array_begin(&facts->json, "settings");
		for (uint32_t i = 0; i < info->nr_settings; i++)
			json_str(&facts->json, NULL, info->settings[i]);
		json_array_end(&facts->json);
	}
	for (uint32_t i = 0; i < info->nr_settings && facts->format != FORMAT_JSON; i++)
		fact_text(facts, "setting", "setting", info->settings[i]);
	if (info->nr_memory)
		memory_facts(facts, info);
}

static const char *space_kind(const struct trace_space *space)
{
	static const char *const names[] = { "mm", "file", "physical" };
	return space->kind < ARRAY_SIZE(names) ? names[space->kind] : "unknown";
}

static void space_to_json(struct json_writer *json, const struct trace_space *space)
{
	json_object_begin(json, NULL);
	json_u64(json, "id", space->id);
	json_str(json, "kind", space_kind(space));
	if (space->parent == TRACE_NONE)
		json_null(json, "parent");
	else
		json_u64(json, "parent", space->parent);
	if (space->pid < 0)
		json_null(json, "pid");
	else
		json_s64(json, "pid", space->pid);
	json_str(json, "name", space->name ? space->name : "");
	json_object_end(json);
}

static void space_to_text(struct facts *facts, const struct trace_space *space)
{
	PRINTBUF(key);
	PRINTBUF(value);
	prt_printf(&key, facts->format == FORMAT_CSV ? "space_%u" : "space %u", space->id);
	prt_str(&value, space_kind(space));
	if (space->name && *space->name)
		prt_printf(&value, " %s", space->name);
	if (space->pid >= 0)
		prt_printf(&value, ", pid %lld", (long long)space->pid);
	if (space->parent != TRACE_NONE)
		prt_printf(&value, ", child of space %u", space->parent);
	fact_text(facts, printbuf_str(&key), printbuf_str(&key), printbuf_str(&value));
}

static void list_facts(struct facts *facts, const struct trace_info *info)
{
	if (facts->format == FORMAT_JSON) {
		json_array_begin(&facts->json, "spaces");
		for (uint32_t i = 0; i < info->nr_spaces; i++)
			space_to_json(&facts->json, &info->spaces[i]);
		json_array_end(&facts->json);
		json_array_begin(&facts->json, "notes");
		for (uint32_t i = 0; i < info->nr_notes; i++)
			json_str(&facts->json, NULL, info->notes[i]);
		json_array_end(&facts->json);
		return;
	}
	for (uint32_t i = 0; i < info->nr_spaces; i++)
		space_to_text(facts, &info->spaces[i]);
	for (uint32_t i = 0; i < info->nr_notes; i++)
		fact_text(facts, "note", "note", info->notes[i]);
}

static void all_facts(struct facts *facts, const char *path, const struct trace_info *info)
{
	fact_text(facts, "path", "file name", path);
	program_facts(facts, info);
	clock_facts(facts, info);
	stream_facts(facts, info);
	event_facts(facts, info);
	place_facts(facts, info);
	list_facts(facts, info);
}

static void info_to_output(struct printbuf *out, enum output_format format, const char *path,
			   const struct trace_info *info)
{
	PRINTBUF(rows);
	struct facts facts = { .format = format, .out = format == FORMAT_TEXT ? &rows : out };
	if (format == FORMAT_JSON) {
		json_writer_init(&facts.json, out, false);
		json_object_begin(&facts.json, NULL);
		all_facts(&facts, path, info);
		json_object_end(&facts.json);
		prt_ensure_newline(out);
		return;
	}
	if (format == FORMAT_CSV)
		prt_str(out, "key,value\n");
	all_facts(&facts, path, info);
	if (format == FORMAT_TEXT)
		prt_aligned(out, printbuf_str(&rows));
}

/* Other tools' files have no totals: they are read through and counted. */
static int count_events(struct trace_reader *reader, struct trace_info *totals,
			struct printbuf *err)
{
	const struct trace_batch *batch;
	uint64_t nr_misses = 0, nr_touches = 0;
	int more;
	*totals = *trace_info(reader);
	memset(totals->nr_events, 0, sizeof(totals->nr_events));
	while ((more = trace_next(reader, &batch, err)) == 1) {
		totals->nr_events[batch->kind] += batch->nr;
		for (uint32_t i = 0; batch->flags && i < batch->nr; i++) {
			nr_misses += (batch->flags[i] & TRACE_MISS) != 0;
			nr_touches += (batch->flags[i] & TRACE_TOUCH) != 0;
		}
	}
	const struct trace_info *info = trace_info(reader); /* may have learnt on the way */
	uint64_t nr_events[TRACE_NR_KINDS];
	memcpy(nr_events, totals->nr_events, sizeof(nr_events));
	*totals = *info;
	memcpy(totals->nr_events, nr_events, sizeof(nr_events));
	totals->nr_misses = nr_misses;
	totals->nr_touches = nr_touches;
	return more;
}

static int info_run(const void *opaque, int nr_arguments, char **arguments)
{
	const struct info_options *options = opaque;
	struct trace_reader *reader = NULL;
	PRINTBUF(err);
	PRINTBUF(out);
	(void)nr_arguments;
	int error = trace_open(arguments[0], NULL, &reader, &err);
	if (error)
		return fail(&err, error);
	struct trace_info totals = *trace_info(reader);
	if (totals.nr_blocks == 0)
		error = count_events(reader, &totals, &err);
	int status = error ? fail(&err, error) : EXIT_DONE;
	if (!error) {
		info_to_output(&out, options->format, arguments[0], &totals);
		status = put_output(&out, NULL);
		if (status == EXIT_DONE && totals.is_cut) {
			complain("%s: was cut; this is what its whole blocks say", arguments[0]);
			status = EXIT_PARTLY;
		}
	}
	trace_close(reader);
	return status;
}

static const struct option info_option_table[] = {
	{ .name = "format",
	  .argument = "FORMAT",
	  .kind = OPTION_FORMAT,
	  .offset = offsetof(struct info_options, format),
	  .help = "How to print. text is for people; json and csv have plain numbers.",
	  .choices = "text|json|csv" },
};

const struct command command_info = {
	.name = "info",
	.usage = "FILE [--format text|json|csv]",
	.summary = "what is in a recording",
	.about = "Prints what a recording says of itself: the program, the clock, the streams and "
		 "how many events they have, the spaces (one per process), and notes of the "
		 "recorder. FILE is a .berth recording or any file that convert reads.\n"
		 "A recording that was cut is read up to its last whole block; the exit status is "
		 "then 5.",
	.examples = "  # what was recorded\n"
		    "  berth info sqlite3.berth\n"
		    "  # the number of misses, for a script\n"
		    "  berth info sqlite3.berth --format json\n",
	.options = info_option_table,
	.nr_options = ARRAY_SIZE(info_option_table),
	.options_size = sizeof(struct info_options),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = info_run,
};
