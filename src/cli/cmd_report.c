/* SPDX-License-Identifier: MIT */
/*
 * `berth report`: one pass over a recording, and everything it shows about the program's memory.
 *
 *     reader --> profile (pictures, working set, hot and cold)
 *            --> curve maker (how much fast memory)
 *     then one of text, JSON, CSV, SVG
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"

#define ROWS_TEXT 24
#define ROWS_SVG  48
#define ROWS_MAX  2000

struct report_options {
	const char *machine, *output, *table;
	enum output_format format;
	uint64_t rows;
};

static int feed(struct report *report, struct trace_reader *reader, struct curve_maker *maker,
		struct printbuf *err, struct printbuf *cut)
{
	const struct trace_batch *batch = NULL;
	int more;
	while ((more = trace_next(reader, &batch, cut)) > 0) {
		int error = profile_add(report->profile, batch);
		if (error)
			return error_set(err, error, "out of memory");
		error = curve_maker_feed(maker, batch, err);
		if (error)
			return error;
	}
	if (more < 0 && !report->profile->nr_events) {
		prt_str(err, printbuf_str(cut));
		return more;
	}
	report->is_cut = more < 0 || report->info->is_cut;
	return 0;
}

static int make(struct report *report, struct trace_reader *reader, const char *machine,
		struct printbuf *err, struct printbuf *cut)
{
	struct curve_maker *maker = NULL;
	int error = curve_maker_new(report->info, machine, &report->curve, &maker, err);
	if (error)
		return error;
	error = profile_new(report->info, &report->profile);
	if (error)
		error = error_set(err, error, "out of memory");
	else
		error = feed(report, reader, maker, err, cut);
	if (!error && profile_finish(report->profile, report->info))
		error = error_set(err, -ENOMEM, "out of memory");
	if (!error)
		error = curve_maker_finish(maker, report->profile, err);
	curve_maker_free(maker);
	report->cut_text = printbuf_str(cut);
	return error;
}

static int print(const struct report *report, const struct report_options *options)
{
	PRINTBUF(out);
	bool to_terminal = !options->output;
	uint32_t rows = options->rows			 ? (uint32_t)options->rows
			: options->format == FORMAT_TEXT ? ROWS_TEXT
							 : ROWS_SVG;
	struct report_style style = {
		.columns = terminal_columns(),
		.rows = rows,
		.colour = to_terminal && terminal_has_colour(),
		.utf8 = terminal_is_utf8(),
	};
	switch (options->format) {
	case FORMAT_JSON:
		report_to_json(&out, report, rows);
		break;
	case FORMAT_CSV:
		report_to_csv(&out, report, options->table ? options->table : "regions", rows);
		break;
	case FORMAT_SVG:
		report_to_svg(&out, report, rows);
		break;
	default:
		report_to_text(&out, report, &style);
		break;
	}
	return put_output(&out, options->output);
}

static int check_options(const struct report_options *options, const char *path)
{
	if (options->rows > ROWS_MAX)
		return fail_usage("--rows %" PRIu64 ": at most %d", options->rows, ROWS_MAX);
	if (options->table && options->format != FORMAT_CSV)
		return fail_usage(
			"--table picks the table of --format csv; add that, or leave it out");
	if (options->output &&
	    (output_is_input(path, options->output) || output_part_is_input(path, options->output)))
		return fail_usage("%s: writing %s would destroy it; name another file", path,
				  options->output);
	return 0;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct report_options *options = values;
	int status = check_options(options, arguments[0]);
	if (status)
		return status;
	PRINTBUF(err);
	PRINTBUF(cut);
	struct report report = { .path = arguments[0], .cut_text = "" };
	struct trace_open_options open_options = { 0 };
	struct trace_reader *reader = NULL;
	int error = trace_open(arguments[0], &open_options, &reader, &err);
	if (error)
		return error == -EINVAL ? (fail(&err, error), EXIT_FAILED) : fail(&err, error);
	report.info = trace_info(reader);
	error = make(&report, reader, options->machine, &err, &cut);
	if (error) {
		status = fail(&err, error);
	} else {
		status = print(&report, options);
		if (!status && report.is_cut) {
			if (cut.pos)
				complain("%s; the report covers that", printbuf_str(&cut));
			else
				complain("%s: was cut; the report covers what is there",
					 arguments[0]);
			status = EXIT_PARTLY;
		}
	}
	profile_free(report.profile);
	report_curve_fini(&report.curve);
	trace_close(reader);
	return status;
}

#define AT(member) offsetof(struct report_options, member)
static const struct option options[] = {
	{ 'M', "machine", "MACHINE", OPTION_STRING, AT(machine),
	  "The machine of the curve: host, a captured root, hwloc XML, or a line such as "
	  "\"node:dram:64GiB@80ns/100GBps:cpus=0 node:cxl:256GiB@250ns/30GBps\". Without it: DRAM "
	  "at 80 ns and CXL memory at 250 ns.",
	  NULL },
	{ 'o', "output", "FILE", OPTION_STRING, AT(output),
	  "Write to FILE rather than to standard output.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, AT(format), "How to show it.",
	  "text|json|csv|svg" },
	{ 0, "table", "TABLE", OPTION_STRING, AT(table),
	  "The table that --format csv prints; regions unless told.",
	  "regions|working-set|curve|heatmap" },
	{ 0, "rows", "N", OPTION_COUNT, AT(rows),
	  "Rows of the heatmap, at most; 24 in text, 48 elsewhere.", NULL },
};

static const char about[] =
	"Shows what a program does with its memory: which of it is hot and when, how large its "
	"working set is, and how much fast memory it needs. Takes every recording that berth "
	"reads: "
	"its own, damo's, Valgrind lackey's, lists of addresses.\n\n"
	"The heatmap has time from left to right and addresses from top to bottom, only where "
	"something was touched; the names at its left are the heap, the stack, libraries and "
	"mappings. The curve compares the best placement that never moves a page (static-best) and "
	"the best that may (optimal) with all memory fast: no policy does better than these.";

static const char examples[] = "  # what is hot in it\n"
			       "  berth report app.berth\n"
			       "  # on this machine, as a picture for a browser\n"
			       "  berth report app.berth -M host --format svg -o app.svg\n"
			       "  # the curve, for a spreadsheet\n"
			       "  berth report app.berth --format csv --table curve\n";

const struct command command_report = {
	.name = "report",
	.usage = "FILE [-M MACHINE] [--format text|json|csv|svg] [-o FILE]",
	.summary = "show which memory of a recording is hot and when, and how much must be fast",
	.about = about,
	.examples = examples,
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.options_size = sizeof(struct report_options),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
