/* SPDX-License-Identifier: MIT */
/*
 * The heatmap in the terminal: time runs right, addresses run down, one row per piece of a region.
 *
 *     heap      2.10 MiB |..::++**##  ..|  61.9 %      name and size on a region's first row
 *                        |..::++        |   3.1 %
 *     libc.so.6  432 KiB :**            |  12.0 %      ':' something untouched is left out above
 *
 * A cell is a shade that says how often its pages are touched: five steps with a meaning (the
 * middle three end at the limits of cold and hot), so that the picture can be read without colour.
 * With colour it is a ramp of rising lightness that the colour-blind see too.
 */
#include <math.h>
#include <string.h>

#include "cli/report.h"

#define NAME_WIDTH_MIN 14
#define NAME_WIDTH_MAX 22
#define BYTES_WIDTH    10
#define SHARE_WIDTH    11

static const char *const shades_utf8[HEATMAP_NR_LEVELS] = { " ", "·", "░", "▒", "▓", "█" };
static const char *const shades_ascii[HEATMAP_NR_LEVELS] = { " ", ".", ":", "+", "*", "#" };
/* From dark violet over red to pale yellow, in the 256-colour cube; a decade of rate is 4 steps. */
static const uint8_t ramp[] = { 53, 54, 90, 126, 162, 161, 197, 203, 209, 215, 222, 229 };

struct report_columns report_columns(const struct report_style *style)
{
	unsigned columns = MAX(style->columns, 50U);
	struct report_columns widths = { .size = BYTES_WIDTH, .share = SHARE_WIDTH };
	widths.name = MIN(MAX(columns / 6, (unsigned)NAME_WIDTH_MIN), (unsigned)NAME_WIDTH_MAX);
	widths.cells = columns - widths.name - widths.size - widths.share - 3;
	return widths;
}

static void prt_cell(struct printbuf *out, const struct report_style *style, double rate,
		     int *last_colour)
{
	if (!style->colour) {
		unsigned level = heatmap_level(rate);
		prt_str(out, style->utf8 ? shades_utf8[level] : shades_ascii[level]);
		return;
	}
	int colour = -1;
	if (rate > 0) {
		int step = (int)floor((log10(rate) + 3) * 4);
		colour = ramp[MIN(MAX(step, 0), (int)ARRAY_SIZE(ramp) - 1)];
	}
	if (colour != *last_colour) {
		if (colour < 0)
			prt_str(out, "\033[0m");
		else
			prt_printf(out, "\033[48;5;%dm", colour);
		*last_colour = colour;
	}
	prt_char(out, ' ');
}

static void prt_row_label(struct printbuf *out, const struct report *report,
			  const struct heatmap *map, const struct heatmap_row *row,
			  const struct report_columns *columns)
{
	PRINTBUF(name);
	PRINTBUF(size);
	if (row->region == HEATMAP_OTHERS) {
		prt_printf(&name, "%u others", map->nr_others);
		prt_bytes(&size, report_bytes(report, row->nr_pages));
	} else if (row->is_first) {
		report_region_name(&name, report, row->region);
		prt_bytes(&size, report_bytes(report,
					      report->profile->regions[row->region].touched_pages));
	} else {
		const struct profile_region *region = &report->profile->regions[row->region];
		prt_char(&size, '+');
		prt_bytes(&size, report_bytes(report, row->first_page - region->first_page));
	}
	prt_field_left(out, printbuf_str(&name), columns->name);
	prt_field_right(out, printbuf_str(&size), columns->size);
	prt_char(out, ' ');
}

static void prt_row(struct printbuf *out, const struct report *report, const struct heatmap *map,
		    uint32_t r, const struct report_style *style,
		    const struct report_columns *columns)
{
	const struct heatmap_row *row = &map->rows[r];
	prt_row_label(out, report, map, row, columns);
	if (row->gap_pages)
		prt_str(out, style->utf8 ? "┆" : ":");
	else
		prt_str(out, style->utf8 ? "│" : "|");
	int colour = -1;
	for (uint32_t c = 0; c < map->nr_columns; c++)
		prt_cell(out, style, map->heat[(size_t)r * map->nr_columns + c], &colour);
	if (colour >= 0)
		prt_str(out, "\033[0m");
	prt_str(out, style->utf8 ? "│" : "|");
	PRINTBUF(share);
	if (report->profile->count > 0 && row->count > 0)
		prt_percent(&share, row->count / report->profile->count, 1);
	prt_field_right(out, printbuf_str(&share), columns->share);
	prt_char(out, '\n');
}

void report_time_axis(struct printbuf *out, const struct report *report,
		      const struct report_columns *columns, bool with_share)
{
	unsigned parts = columns->cells >= 60 ? 4 : 2;
	unsigned at = 0; /* cells already printed */
	prt_chars(out, ' ', columns->name + columns->size + 2);
	for (unsigned i = 0; i <= parts; i++) {
		PRINTBUF(label);
		prt_ns(&label, (uint64_t)((double)report->profile->duration_ns * i / parts));
		unsigned width = (unsigned)utf8_width(printbuf_str(&label), label.pos);
		unsigned centre = columns->cells * i / parts;
		unsigned from = i == 0 ? 0 : centre > width / 2 ? centre - width / 2 : 0;
		from = MIN(from, columns->cells > width ? columns->cells - width : 0);
		if (from < at + (at > 0))
			continue;
		prt_chars(out, ' ', from - at);
		prt_str(out, printbuf_str(&label));
		at = from + width;
	}
	PRINTBUF(share);
	prt_printf(&share, "of %s", report_measure(report));
	unsigned left = columns->cells + 1 + columns->share;
	if (with_share && at + 1 + share.pos <= left)
		prt_field_right(out, printbuf_str(&share), left - at);
	prt_char(out, '\n');
}

static void prt_shades(struct printbuf *out, const struct report_style *style)
{
	static const char *const words[] = { "below 1 %", "1 to 5 %", "5 to 20 %", "20 to 50 %",
					     "50 % and more" };
	if (style->colour) {
		int colour = -1;
		prt_str(out, "  0.1 % ");
		for (unsigned i = 0; i < ARRAY_SIZE(ramp); i++)
			prt_cell(out, style, pow(10, (i + 0.5) / 4 - 3), &colour);
		prt_str(out, "\033[0m 100 %, ten times more every four steps\n");
		return;
	}
	PRINTBUF(legend);
	for (unsigned i = 1; i < HEATMAP_NR_LEVELS; i++)
		prt_printf(&legend, "%s%s %s", i > 1 ? ",  " : "",
			   style->utf8 ? shades_utf8[i] : shades_ascii[i], words[i - 1]);
	report_wrapped(out, printbuf_str(&legend), 2, style->columns);
}

static void prt_legend(struct printbuf *out, const struct report *report, const struct heatmap *map,
		       const struct report_style *style)
{
	const struct profile *profile = report->profile;
	PRINTBUF(words);
	uint64_t most = 0;
	for (uint32_t r = 0; r < map->nr_rows; r++)
		if (map->rows[r].region != HEATMAP_OTHERS)
			most = MAX(most, map->rows[r].nr_pages);
	prt_str(&words, profile->is_samples ? "A cell is the share of checks that found its pages "
					      "accessed; blank: no hit. "
					    : "A cell is the share of intervals of ");
	if (!profile->is_samples) {
		prt_ns(&words, profile->interval_ns);
		prt_str(&words, " in which a page of it is touched; blank: never. ");
	}
	prt_printf(&words, "%s marks untouched addresses left out above. A column is ",
		   style->utf8 ? "┆" : ":");
	prt_ns(&words, profile->duration_ns / map->nr_columns);
	prt_str(&words, " (recorded at ");
	prt_ns(&words, profile->interval_ns);
	prt_str(&words, "), a row at most ");
	prt_bytes(&words, report_bytes(report, most));
	prt_str(&words, " (kept at ");
	prt_bytes(&words, report_bytes(report, (uint64_t)1 << profile->grid.page_shift));
	prt_str(&words, ").");
	prt_shades(out, style);
	report_wrapped(out, printbuf_str(&words), 2, style->columns);
}

void report_heatmap_to_text(struct printbuf *out, const struct report *report,
			    const struct report_style *style)
{
	struct report_columns columns = report_columns(style);
	struct heatmap map;
	if (heatmap_make(report->profile, style->rows, columns.cells, &map)) {
		out->allocation_failure = true;
		return;
	}
	prt_str(out, "Where and when: time runs right, addresses down\n");
	bool many = report_nr_spaces(report) > 1;
	report_time_axis(out, report, &columns, true);
	uint32_t space = UINT32_MAX;
	for (uint32_t r = 0; r < map.nr_rows; r++) {
		uint32_t region = map.rows[r].region;
		if (many && region != HEATMAP_OTHERS &&
		    report->profile->regions[region].space != space) {
			space = report->profile->regions[region].space;
			report_space_name(out, report, space);
			prt_char(out, '\n');
		}
		prt_row(out, report, &map, r, style, &columns);
	}
	prt_legend(out, report, &map, style);
	heatmap_fini(&map);
}
