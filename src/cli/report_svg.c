/* SPDX-License-Identifier: MIT */
/*
 * The report as one self-contained SVG: heatmap, working set and curve, one below another.
 *
 *     title, summary
 *     +-- label --+------------ time --------------+-- share --+
 *     |           |            heatmap             |           |   0 .. map_height
 *     |           |          working set           |           |
 *     |           |       curve      | legend      |           |
 *
 * No scripts, no fonts, no links: it opens anywhere and can be mailed. Every cell row carries a
 * <title>, so pointing at it says what it is. Runs of equal colour become one rectangle, which
 * keeps a picture of 48 x 220 cells below about half a megabyte.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/report.h"

#define WIDTH	     1200
#define LEFT	     230
#define RIGHT	     90
#define PLOT	     (WIDTH - LEFT - RIGHT)
#define COLUMNS	     220
#define TOP	     150
#define LOAD_HEIGHT  130
#define CURVE_HEIGHT 260
#define CURVE_WIDTH  560
#define GAP	     78

/* Inferno's course from dark to pale (van der Walt, Smith 2015), a decade of rate is 4 steps. */
static const char *const ramp[] = { "#3b0f70", "#57157e", "#721f81", "#8c2981",
				    "#a8327d", "#c43c75", "#de4968", "#f1605d",
				    "#fa7f5e", "#fe9f6d", "#febf84", "#fcfdbf" };
#define SVG_EMPTY "#f3f1f6"

static unsigned step_of(double rate)
{
	int step = (int)floor((log10(rate) + 3) * 4);
	return (unsigned)MIN(MAX(step, 0), (int)ARRAY_SIZE(ramp) - 1);
}

static const char *colour_of(double rate)
{
	return rate > 0 ? ramp[step_of(rate)] : SVG_EMPTY;
}

static void svg_text(struct printbuf *out, double x, double y, const char *style, const char *text)
{
	prt_printf(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);
	prt_xml_text(out, text, strlen(text));
	prt_str(out, "</text>\n");
}

static void svg_line(struct printbuf *out, double x1, double y1, double x2, double y2)
{
	prt_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"axis\"/>\n",
		   x1, y1, x2, y2);
}

static void svg_time_axis(struct printbuf *out, const struct report *report, double y)
{
	for (unsigned i = 0; i <= 5; i++) {
		double x = LEFT + PLOT * i / 5.0;
		PRINTBUF(label);
		prt_ns(&label, (uint64_t)((double)report->profile->duration_ns * i / 5));
		svg_line(out, x, y, x, y + 5);
		svg_text(out, x, y + 19, "class=\"middle\"", printbuf_str(&label));
	}
	svg_text(out, LEFT + PLOT / 2.0, y + 38, "class=\"middle axis-title\"",
		 "time of the program");
}

static void svg_wrapped(struct printbuf *out, double x, double y, const char *style,
			const char *text, size_t columns)
{
	while (*text) {
		size_t len = strlen(text);
		if (len > columns) {
			len = columns;
			while (len && text[len] != ' ')
				len--;
			len = len ? len : utf8_fit(text, strlen(text), columns);
		}
		PRINTBUF(line);
		prt_mem(&line, text, len);
		svg_text(out, x, y, style, printbuf_str(&line));
		y += 18;
		text += len + (text[len] == ' ');
	}
}

static void svg_head(struct printbuf *out, const struct report *report, double height)
{
	const struct trace_info *info = report->info;
	const char *program = info->program && *info->program ? info->program : report->path;
	PRINTBUF(title);
	PRINTBUF(name);
	PRINTBUF(summary);
	prt_safe(&name, program, MIN(strlen(program), (size_t)200));
	prt_mem(&title, printbuf_str(&name), utf8_fit(printbuf_str(&name), name.pos, 100));
	prt_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" "
		   "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"13\">\n",
		   WIDTH, height, WIDTH, height);
	prt_str(out, "<style>text{fill:#222}.axis{stroke:#888;stroke-width:1}.small{font-size:11px}"
		     ".middle{text-anchor:middle}.end{text-anchor:end}.h{font-size:16px;"
		     "font-weight:bold}.axis-title{fill:#555}.grid{stroke:#ddd}</style>\n"
		     "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
	svg_text(out, 24, 34, "style=\"font-size:20px;font-weight:bold\"", printbuf_str(&title));
	report_summary(&summary, report);
	prt_trim_newlines(&summary);
	svg_wrapped(out, 24, 58, "", printbuf_str(&summary), 165);
	if (report->is_cut)
		svg_text(out, 24, 112, "fill=\"#b00\"",
			 "The recording is cut: this is what there is.");
}

static void svg_row_label(struct printbuf *out, const struct report *report,
			  const struct heatmap *map, const struct heatmap_row *row, double y)
{
	PRINTBUF(name);
	PRINTBUF(label);
	if (row->region == HEATMAP_OTHERS)
		prt_printf(&name, "%u others", map->nr_others);
	else
		report_region_name(&name, report, row->region);
	prt_mem(&label, printbuf_str(&name), utf8_fit(printbuf_str(&name), name.pos, 22));
	prt_str(&label, "  ");
	prt_bytes(&label,
		  report_bytes(report,
			       row->region == HEATMAP_OTHERS
				       ? row->nr_pages
				       : report->profile->regions[row->region].touched_pages));
	svg_text(out, LEFT - 10, y, "class=\"end\"", printbuf_str(&label));
}

/* Runs of one colour become one rectangle. */
static void svg_cells(struct printbuf *out, const struct report *report, const struct heatmap *map,
		      uint32_t r, double y, double height)
{
	const struct heatmap_row *row = &map->rows[r];
	const double *heat = &map->heat[(size_t)r * map->nr_columns];
	double cell = (double)PLOT / map->nr_columns;
	prt_str(out, "<g><title>");
	PRINTBUF(name);
	if (row->region == HEATMAP_OTHERS)
		prt_printf(&name, "%u others", map->nr_others);
	else
		report_region_name(&name, report, row->region);
	prt_xml_text(out, printbuf_str(&name), name.pos);
	if (row->region != HEATMAP_OTHERS)
		prt_printf(out, " from 0x%" PRIx64, report_bytes(report, row->first_page));
	prt_str(out, ", ");
	prt_bytes(out, report_bytes(report, row->nr_pages));
	prt_str(out, "</title>\n");
	for (uint32_t c = 0; c < map->nr_columns;) {
		const char *colour = colour_of(heat[c]);
		uint32_t end = c + 1;
		while (end < map->nr_columns && colour_of(heat[end]) == colour)
			end++;
		prt_printf(out,
			   "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			   "fill=\"%s\"/>\n",
			   LEFT + c * cell, y, (end - c) * cell + 0.3, height + 0.3, colour);
		c = end;
	}
	prt_str(out, "</g>\n");
}

static void svg_share(struct printbuf *out, const struct report *report,
		      const struct heatmap_row *row, double y)
{
	PRINTBUF(share);
	double part = report->profile->count > 0 ? row->count / report->profile->count : 0;
	if (part < 0.001)
		return;
	prt_percent(&share, part, 1);
	svg_text(out, LEFT + PLOT + 74, y, "class=\"end small\"", printbuf_str(&share));
}

static double row_height(const struct heatmap *map)
{
	return MIN(MAX(620.0 / MAX(map->nr_rows, 1U), 5.0), 22.0);
}

static void svg_heatmap(struct printbuf *out, const struct report *report,
			const struct heatmap *map)
{
	double height = row_height(map), label_y = 0;
	PRINTBUF(share);
	prt_printf(&share, "of %s", report_measure(report));
	svg_text(out, 24, TOP - 24, "class=\"h\"", "Where and when");
	svg_text(out, LEFT - 10, TOP - 6, "class=\"end axis-title\"", "addresses (touched only)");
	svg_text(out, LEFT + PLOT + 74, TOP - 6, "class=\"end axis-title\"", printbuf_str(&share));
	for (uint32_t r = 0; r < map->nr_rows; r++) {
		const struct heatmap_row *row = &map->rows[r];
		double y = TOP + r * height;
		svg_cells(out, report, map, r, y, height);
		if (row->is_first && y + height / 2 + 4 >= label_y + 12) {
			label_y = y + height / 2 + 4;
			svg_row_label(out, report, map, row, label_y);
		}
		if (row->is_first && r)
			prt_printf(out,
				   "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
				   "stroke=\"white\" stroke-width=\"1.5\"%s/>\n",
				   LEFT, y, LEFT + PLOT, y,
				   row->gap_pages ? " stroke-dasharray=\"3 2\"" : "");
		if (height >= 9)
			svg_share(out, report, row, y + height / 2 + 4);
	}
	svg_time_axis(out, report, TOP + map->nr_rows * height);
}

static void svg_legend(struct printbuf *out, const struct report *report)
{
	double x = LEFT + PLOT - 12.0 * ARRAY_SIZE(ramp) - 76, y = TOP - 34;
	svg_text(out, x - 8, y + 10, "class=\"end small\"",
		 report->profile->is_samples
			 ? "share of checks that found it accessed: 0.1 %"
			 : "share of intervals in which a page is touched: 0.1 %");
	for (unsigned i = 0; i < ARRAY_SIZE(ramp); i++)
		prt_printf(out,
			   "<rect x=\"%.1f\" y=\"%.1f\" width=\"12.3\" height=\"12\" "
			   "fill=\"%s\"/>\n",
			   x + 12.0 * i, y, ramp[i]);
	svg_text(out, x + 12.0 * ARRAY_SIZE(ramp) + 8, y + 10, "class=\"small\"", "100 %");
}

static void svg_workingset(struct printbuf *out, const struct report *report, double y)
{
	const struct profile *profile = report->profile;
	double top = (double)MAX(profile->workingset.max, UINT64_C(1));
	double bin = (double)profile_bin_ns(profile) /
		     (double)MAX(profile->duration_ns, UINT64_C(1));
	PRINTBUF(title);
	prt_str(&title, "Working set: memory touched per ");
	prt_ns(&title, profile->interval_ns);
	prt_str(&title, " (area: mean, line: most)");
	svg_text(out, 24, y - 14, "class=\"h\"", printbuf_str(&title));
	for (unsigned pass = 0; pass < 2; pass++) {
		prt_printf(out, "<path d=\"M%d %.1f", LEFT, y + LOAD_HEIGHT);
		for (unsigned i = 0; i < profile_nr_bins(profile); i++) {
			const struct workingset_bin *at = &profile->workingset.bins[i];
			if (!at->nr)
				continue;
			double value = pass ? (double)at->max : at->sum / (double)at->nr;
			double height = y + LOAD_HEIGHT * (1 - value / top);
			prt_printf(out, " L%.1f %.1f L%.1f %.1f", LEFT + PLOT * MIN(i * bin, 1.0),
				   height, LEFT + PLOT * MIN((i + 1) * bin, 1.0), height);
		}
		prt_printf(out, " L%d %.1f\" %s/>\n", LEFT + PLOT, y + LOAD_HEIGHT,
			   pass ? "fill=\"none\" stroke=\"#c43c75\""
				: "fill=\"#8c2981\" opacity=\"0.55\"");
	}
	for (unsigned i = 0; i <= 2; i++) {
		PRINTBUF(label);
		prt_bytes(&label, report_bytes(report, (uint64_t)(top * i / 2 + 0.5)));
		double at = y + LOAD_HEIGHT * (1 - i / 2.0);
		svg_line(out, LEFT - 5, at, LEFT, at);
		svg_text(out, LEFT - 10, at + 4, "class=\"end\"", printbuf_str(&label));
	}
	svg_line(out, LEFT, y, LEFT, y + LOAD_HEIGHT);
	svg_line(out, LEFT, y + LOAD_HEIGHT, LEFT + PLOT, y + LOAD_HEIGHT);
	svg_time_axis(out, report, y + LOAD_HEIGHT);
}

static void svg_curve_line(struct printbuf *out, const struct report_curve *curve, double y,
			   double high, bool optimal, const char *style)
{
	prt_str(out, "<polyline fill=\"none\" points=\"");
	for (uint32_t i = 0; i < curve->nr_points; i++) {
		const struct report_point *point = &curve->points[i];
		double value = !curve->has_slowdown ? point->served
			       : optimal	    ? point->optimal_upper
						    : point->static_upper;
		double low = curve->has_slowdown ? 1 : 0;
		prt_printf(out, "%.1f,%.1f ", LEFT + CURVE_WIDTH * point->share,
			   y + CURVE_HEIGHT * (1 - (value - low) / (high - low)));
	}
	prt_printf(out, "\" %s/>\n", style);
}

static double curve_top(const struct report_curve *curve)
{
	double high = curve->has_slowdown ? 1.01 : 1;
	for (uint32_t i = 0; curve->has_slowdown && i < curve->nr_points; i++)
		high = MAX(high,
			   MAX(curve->points[i].static_upper, curve->points[i].optimal_upper));
	return high;
}

static void svg_curve_axes(struct printbuf *out, const struct report *report, double y, double high)
{
	const struct report_curve *curve = &report->curve;
	double low = curve->has_slowdown ? 1 : 0;
	for (unsigned i = 0; i <= 4; i++) {
		double at = y + CURVE_HEIGHT * (1 - i / 4.0), x = LEFT + CURVE_WIDTH * i / 4.0;
		PRINTBUF(label);
		PRINTBUF(share);
		if (curve->has_slowdown) {
			prt_fixed(&label, low + (high - low) * i / 4, 2);
			prt_char(&label, 'x');
		} else {
			prt_printf(&label, "%u %%", i * 25);
		}
		prt_printf(&share, "%u %% = ", i * 25);
		prt_bytes(&share, curve->total_bytes * i / 4);
		prt_printf(out,
			   "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"grid\"/>\n",
			   LEFT, at, LEFT + CURVE_WIDTH, at);
		svg_text(out, LEFT - 10, at + 4, "class=\"end\"", printbuf_str(&label));
		svg_line(out, x, y + CURVE_HEIGHT, x, y + CURVE_HEIGHT + 5);
		svg_text(out, x, y + CURVE_HEIGHT + 19, "class=\"middle small\"",
			 printbuf_str(&share));
	}
	svg_text(out, LEFT + CURVE_WIDTH / 2.0, y + CURVE_HEIGHT + 38,
		 "class=\"middle axis-title\"", "share of memory that is fast");
}

static void svg_curve_words(struct printbuf *out, const struct report *report, double y)
{
	const struct report_curve *curve = &report->curve;
	const double x = LEFT + CURVE_WIDTH + 40;
	const struct report_point *point = report_curve_at(curve, 0.3);
	PRINTBUF(words);
	if (!point) {
		svg_wrapped(out, x, y + 14, "", curve->why_not ? curve->why_not : "", 50);
		prt_printf(&words, "Line: share of the %s on the busiest pages that fit.",
			   report_measure(report));
		svg_wrapped(out, x, y + 120, "", printbuf_str(&words), 50);
		return;
	}
	svg_text(out, x, y + 14, "style=\"fill:#c43c75;font-weight:bold\"",
		 "static-best: every page placed once");
	svg_text(out, x, y + 34, "style=\"fill:#31688e;font-weight:bold\"",
		 "optimal: pages move at the best moments");
	prt_str(&words, "With ");
	prt_percent(&words, point->share, 0);
	prt_str(&words, " fast memory (");
	prt_bytes(&words, point->fast_bytes);
	prt_str(&words, ") the program runs ");
	prt_fixed(&words, point->static_upper, 3);
	prt_str(&words, " times all-fast placed once, ");
	prt_fixed(&words, point->optimal_upper, 3);
	prt_str(&words, " times when pages move; with none ");
	prt_fixed(&words, curve->all_slow, 3);
	prt_str(&words, " times. Bandwidth is not counted.");
	svg_wrapped(out, x, y + 64, "", printbuf_str(&words), 50);
	printbuf_reset(&words);
	prt_printf(&words, "Machine%s: ", curve->machine_is_default ? " (default)" : "");
	prt_safe(&words, curve->machine_line, strlen(curve->machine_line));
	svg_wrapped(out, x, y + 160, "class=\"small\"", printbuf_str(&words), 58);
	if (curve->note)
		svg_wrapped(out, x, y + 230, "class=\"small\"", curve->note, 58);
}

static void svg_curve(struct printbuf *out, const struct report *report, double y)
{
	const struct report_curve *curve = &report->curve;
	double high = curve_top(curve);
	svg_text(out, 24, y - 14, "class=\"h\"",
		 curve->has_slowdown ? "How much fast memory: predicted time against all fast"
				     : "How much fast memory: share of use it would serve");
	svg_curve_axes(out, report, y, high);
	svg_curve_line(out, curve, y, high, false, "stroke=\"#c43c75\" stroke-width=\"2.5\"");
	if (curve->has_slowdown)
		svg_curve_line(out, curve, y, high, true,
			       "stroke=\"#31688e\" stroke-width=\"2.5\" stroke-dasharray=\"7 3\"");
	svg_curve_words(out, report, y);
}

void report_to_svg(struct printbuf *out, const struct report *report, uint32_t rows)
{
	struct heatmap map;
	if (heatmap_make(report->profile, rows, COLUMNS, &map)) {
		out->allocation_failure = true;
		return;
	}
	double load_y = TOP + map.nr_rows * row_height(&map) + GAP + 20;
	double curve_y = load_y + LOAD_HEIGHT + GAP + 20;
	bool is_empty = map.nr_rows == 0;
	svg_head(out, report, is_empty ? 130 : curve_y + CURVE_HEIGHT + 60);
	if (!is_empty) {
		svg_heatmap(out, report, &map);
		svg_legend(out, report);
		svg_workingset(out, report, load_y);
		if (report->curve.nr_points)
			svg_curve(out, report, curve_y);
	}
	prt_str(out, "</svg>\n");
	heatmap_fini(&map);
}
