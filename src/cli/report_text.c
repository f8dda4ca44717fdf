/* SPDX-License-Identifier: MIT */
/* The report in the terminal: what was recorded, the summary, and the pictures one below another.
 */
#include <string.h>

#include "cli/report.h"

#define MAX_REGION_ROWS 14
#define MAX_NOTES	8

static void prt_bold(struct printbuf *out, const struct report_style *style, bool on)
{
	if (style->colour)
		prt_str(out, on ? "\033[1m" : "\033[0m");
}

static void prt_clock(struct printbuf *out, const struct report *report)
{
	const struct trace_info *info = report->info;
	if (info->ns_per_ktick == 1000 || report->profile->is_samples) {
		prt_str(out, "real time");
		return;
	}
	prt_u64(out, info->ns_per_ktick);
	prt_printf(out, " ns per 1,000 instructions (%s)",
		   info->clock_measured ? "measured" : "assumed");
}

static void prt_header(struct printbuf *out, const struct report *report,
		       const struct report_style *style)
{
	const struct trace_info *info = report->info;
	PRINTBUF(name);
	const char *program = info->program && *info->program ? info->program : report->path;
	prt_safe(&name, program, MIN(strlen(program), (size_t)4096));
	prt_bold(out, style, true);
	prt_mem(out, printbuf_str(&name), utf8_fit(printbuf_str(&name), name.pos, style->columns));
	prt_bold(out, style, false);
	prt_char(out, '\n');
	PRINTBUF(line);
	prt_ns(&line, report->profile->duration_ns);
	prt_str(&line, "; clock: ");
	prt_clock(&line, report);
	if (report->profile->blocked_ns) {
		prt_str(&line, "; blocked besides for ");
		prt_ns(&line, report->profile->blocked_ns);
	}
	prt_str(&line, "; recorded: ");
	report_streams(&line, report);
	if (info->cache.size_bytes) {
		prt_str(&line, ", behind a cache of ");
		prt_bytes(&line, info->cache.size_bytes);
	}
	if (info->recorder && *info->recorder) {
		prt_str(&line, ", by ");
		prt_safe(&line, info->recorder, MIN(strlen(info->recorder), (size_t)256));
	}
	report_wrapped(out, printbuf_str(&line), 0, style->columns);
}

static void prt_notes(struct printbuf *out, const struct report *report,
		      const struct report_style *style)
{
	const struct trace_info *info = report->info;
	PRINTBUF(note);
	if (report->is_cut) {
		prt_str(&note, "note: this recording is cut; what follows is up to the cut");
		if (*report->cut_text)
			prt_printf(&note, " (%s)", report->cut_text);
		report_wrapped(out, printbuf_str(&note), 0, style->columns);
	}
	for (uint32_t i = 0; i < info->nr_notes && i < MAX_NOTES; i++) {
		printbuf_reset(&note);
		prt_str(&note, "note: ");
		prt_safe(&note, info->notes[i], MIN(strlen(info->notes[i]), (size_t)1024));
		report_wrapped(out, printbuf_str(&note), 0, style->columns);
	}
	if (info->nr_notes > MAX_NOTES)
		prt_printf(out, "note: %u more notes; `berth info` prints them\n",
			   info->nr_notes - MAX_NOTES);
}

static void prt_regions(struct printbuf *out, const struct report *report,
			const struct report_style *style)
{
	prt_printf(out, "Hot, warm and cold (share: of the %s)\n", report_measure(report));
	struct table *table = report_regions_table(report, MAX_REGION_ROWS,
						   report_nr_spaces(report) > 1);
	if (!table || table_has_error(table))
		out->allocation_failure = true;
	else
		table_to_text(out, table);
	table_free(table);
	PRINTBUF(words);
	report_definitions(&words, report);
	report_wrapped(out, printbuf_str(&words), 2, style->columns);
}

void report_to_text(struct printbuf *out, const struct report *report,
		    const struct report_style *style)
{
	prt_header(out, report, style);
	prt_notes(out, report, style);
	prt_char(out, '\n');
	PRINTBUF(summary);
	report_summary(&summary, report);
	prt_bold(out, style, true);
	report_wrapped(out, printbuf_str(&summary), 0, style->columns);
	prt_bold(out, style, false);
	if (!report->profile->touched_pages)
		return;
	prt_char(out, '\n');
	report_heatmap_to_text(out, report, style);
	prt_char(out, '\n');
	report_workingset_to_text(out, report, style);
	prt_char(out, '\n');
	prt_regions(out, report, style);
	prt_char(out, '\n');
	report_curve_to_text(out, report, style);
}
