/* SPDX-License-Identifier: MIT */
/* Plots in the terminal: the working set over time, and slowdown against share of fast memory. */
#include <math.h>
#include <string.h>

#include "cli/report.h"

#define PLOT_ROWS    6
#define CURVE_ROWS   10
#define CURVE_LABELS 9

/* clang-format off */
static const char *const eighths[] = { " ", "▁", "▂", "▃", "▄",
				       "▅", "▆", "▇", "█" };
/* clang-format on */

struct column_load { /* one column of the working set plot, in pages */
	double mean, max;
};

/* Bins without a snapshot (samples come when they come) show the bin before. */
static struct column_load load_of(const struct profile *profile, double from, double to)
{
	struct column_load load = { 0 };
	unsigned nr_bins = profile_nr_bins(profile);
	unsigned first = MIN((unsigned)from, nr_bins - 1);
	unsigned end = MAX(MIN((unsigned)ceil(to), nr_bins), first + 1);
	double nr = 0, sum = 0;
	for (unsigned i = first; i < end; i++) {
		const struct workingset_bin *bin = &profile->workingset.bins[i];
		nr += (double)bin->nr;
		sum += bin->sum;
		load.max = MAX(load.max, (double)bin->max);
	}
	for (unsigned i = first; nr == 0 && i-- > 0;) {
		nr = (double)profile->workingset.bins[i].nr;
		sum = profile->workingset.bins[i].sum;
		load.max = (double)profile->workingset.bins[i].max;
	}
	load.mean = nr > 0 ? sum / nr : 0;
	return load;
}

/* What stands in row `row` (0 at the bottom) of a column: filled to the mean, a dot at the most. */
static void prt_bar_cell(struct printbuf *out, const struct column_load *load, double top,
			 unsigned row, bool utf8)
{
	double height = load->mean / top * PLOT_ROWS - row;
	double most = load->max / top * PLOT_ROWS - row;
	if (height >= (utf8 ? 0.0625 : 0.5) || (row == 0 && load->mean > 0)) {
		int part = height >= 1 ? 8 : MAX((int)lround(height * 8), 1);
		prt_str(out, utf8 ? eighths[part] : "#");
	} else if (most > 0 && most <= 1 && load->max > 0) {
		prt_str(out, utf8 ? "·" : ".");
	} else {
		prt_char(out, ' ');
	}
}

static void prt_axis_label(struct printbuf *out, const struct report *report, double pages,
			   unsigned width)
{
	PRINTBUF(label);
	prt_bytes(&label, report_bytes(report, (uint64_t)(pages + 0.5)));
	prt_field_right(out, printbuf_str(&label), width);
}

static void prt_percentiles(struct printbuf *result, const struct report *report, unsigned width)
{
	PRINTBUF(words);
	struct printbuf *out = &words;
	static const struct {
		const char *name;
		double ratio;
	} points[] = { { "10 %", 0.10 },
		       { "50 %", 0.50 },
		       { "90 %", 0.90 },
		       { "99 %", 0.99 },
		       { "all", 1.0 } };
	const struct workingset *set = &report->profile->workingset;
	prt_str(out, "At most");
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		prt_str(out, i ? ", " : " ");
		prt_bytes(out, report_bytes(report, workingset_percentile(set, points[i].ratio)));
		prt_printf(out, " in %s", points[i].name);
	}
	prt_str(out, " of the ");
	prt_u64_grouped(out, set->nr);
	prt_str(out, report->profile->is_samples ? " snapshots" : " intervals");
	prt_str(out, "; mean ");
	prt_bytes(out, (uint64_t)(workingset_mean(set) * report->profile->page_bytes + 0.5));
	prt_char(out, '.');
	report_wrapped(result, printbuf_str(out), 2, width);
}

void report_workingset_to_text(struct printbuf *out, const struct report *report,
			       const struct report_style *style)
{
	const struct profile *profile = report->profile;
	struct report_columns columns = report_columns(style);
	unsigned label = columns.name + columns.size;
	double top = 1, bin_ns = (double)profile_bin_ns(profile);
	double step = (double)profile->duration_ns / columns.cells / bin_ns;
	for (unsigned c = 0; c < columns.cells; c++) {
		struct column_load load = load_of(profile, c * step, (c + 1) * step);
		top = MAX(top, MAX(load.max, load.mean));
	}
	prt_str(out, "Working set (memory touched per ");
	prt_ns(out, profile->interval_ns);
	prt_printf(out, "; bars: mean, %s: most)\n", style->utf8 ? "·" : ".");
	for (unsigned row = PLOT_ROWS; row-- > 0;) {
		if (row == PLOT_ROWS - 1 || row == PLOT_ROWS / 2 - 1)
			prt_axis_label(out, report, top * (row + 1) / PLOT_ROWS, label);
		else
			prt_chars(out, ' ', label);
		prt_str(out, style->utf8 ? " │" : " |");
		for (unsigned c = 0; c < columns.cells; c++) {
			struct column_load load = load_of(profile, c * step, (c + 1) * step);
			prt_bar_cell(out, &load, top, row, style->utf8);
		}
		prt_char(out, '\n');
	}
	report_time_axis(out, report, &columns, false);
	prt_percentiles(out, report, style->columns);
}

/* The curve. */

struct curve_style {
	const char *static_best, *optimal, *both, *vertical;
};

static void place(char *grid, unsigned width, unsigned height, double x, double y, char mark)
{
	int column = (int)lround(x * (width - 1)), row = (int)lround(y * (height - 1));
	if (column < 0 || column >= (int)width || row < 0 || row >= (int)height)
		return;
	char *cell = &grid[(unsigned)row * width + (unsigned)column];
	*cell = *cell == ' ' || *cell == mark ? mark : 'b';
}

/* Straight lines between the points, one mark per column. */
static void draw_line(char *grid, unsigned width, const struct report_curve *curve, double low,
		      double high, bool optimal)
{
	for (unsigned c = 0; c < width; c++) {
		double share = (double)c / (width - 1);
		uint32_t i = 1;
		while (i + 1 < curve->nr_points && curve->points[i].share < share)
			i++;
		const struct report_point *a = &curve->points[i - 1], *b = &curve->points[i];
		double part = b->share > a->share ? (share - a->share) / (b->share - a->share) : 0;
		part = MIN(MAX(part, 0.0), 1.0);
		double ya = optimal ? a->optimal_upper : a->static_upper;
		double yb = optimal ? b->optimal_upper : b->static_upper;
		double y = high > low ? (ya + (yb - ya) * part - low) / (high - low) : 0;
		place(grid, width, CURVE_ROWS, share, y, optimal ? 'o' : 's');
	}
}

static void prt_plot(struct printbuf *out, const char *grid, unsigned width, double low,
		     double high, bool utf8)
{
	static const char *const utf8_marks[] = { "▲", "●", "◆" }, *const ascii_marks[] = { "s",
											    "o",
											    "*" };
	const char *const *marks = utf8 ? utf8_marks : ascii_marks;
	for (unsigned row = CURVE_ROWS; row-- > 0;) {
		PRINTBUF(label);
		if (row % 3 == 0) {
			prt_fixed(&label, low + (high - low) * row / (CURVE_ROWS - 1), 2);
			prt_char(&label, 'x');
		}
		prt_field_right(out, printbuf_str(&label), CURVE_LABELS);
		prt_str(out, utf8 ? " │" : " |");
		for (unsigned c = 0; c < width; c++) {
			char mark = grid[row * width + c];
			if (mark == ' ')
				prt_char(out, ' ');
			else
				prt_str(out, marks[mark == 's' ? 0 : mark == 'o' ? 1 : 2]);
		}
		prt_char(out, '\n');
	}
	prt_chars(out, ' ', CURVE_LABELS + 2);
	for (unsigned i = 0; i <= 4; i++) {
		PRINTBUF(label);
		prt_printf(&label, "%u %%", i * 25);
		unsigned from = i ? (width - 1) * (i - 1) / 4 + (i > 1 ? 2 : 3) : 0;
		unsigned to = (width - 1) * i / 4 + (i ? 2 : 3);
		prt_field_right(out, printbuf_str(&label), to - from);
	}
	prt_str(out, "\n");
}

static void prt_curve_plot(struct printbuf *out, const struct report_curve *curve,
			   const struct report_style *style)
{
	unsigned width = MIN(MAX(style->columns, 50U) - CURVE_LABELS - 6, 81U);
	char grid[CURVE_ROWS * 81];
	memset(grid, ' ', sizeof(grid));
	double high = 1.01;
	for (uint32_t i = 0; i < curve->nr_points; i++)
		high = MAX(high,
			   MAX(curve->points[i].static_upper, curve->points[i].optimal_upper));
	draw_line(grid, width, curve, 1, high, false);
	draw_line(grid, width, curve, 1, high, true);
	prt_plot(out, grid, width, 1, high, style->utf8);
	PRINTBUF(legend);
	prt_printf(&legend,
		   "across: share of memory that is fast; %s static-best, %s optimal, %s both",
		   style->utf8 ? "▲" : "s", style->utf8 ? "●" : "o", style->utf8 ? "◆" : "*");
	report_wrapped(out, printbuf_str(&legend), 2, style->columns);
}

static void prt_range(struct printbuf *out, double lower, double upper)
{
	prt_fixed(out, upper, 3);
	prt_char(out, 'x');
	if (upper - lower > 0.0005) {
		prt_str(out, " (at least ");
		prt_fixed(out, lower, 3);
		prt_char(out, ')');
	}
}

static void prt_curve_rows(struct printbuf *out, const struct report *report)
{
	const struct report_curve *curve = &report->curve;
	PRINTBUF(rows);
	prt_str(&rows, "fast share\rfast memory\rserved fast\r");
	prt_str(&rows, curve->has_slowdown ? "static-best\toptimal\n" : "\n");
	for (uint32_t i = 0; i < curve->nr_points; i++) {
		const struct report_point *point = &curve->points[i];
		prt_percent(&rows, point->share, 0);
		prt_char(&rows, '\r');
		prt_bytes(&rows, point->fast_bytes);
		prt_char(&rows, '\r');
		prt_percent(&rows, point->served, 1);
		if (curve->has_slowdown) {
			prt_char(&rows, '\r');
			prt_range(&rows, point->static_lower, point->static_upper);
			prt_char(&rows, '\t');
			prt_range(&rows, point->optimal_lower, point->optimal_upper);
		}
		prt_char(&rows, '\n');
	}
	printbuf_indent_add(out, 2);
	prt_aligned(out, printbuf_str(&rows));
	printbuf_indent_sub(out, 2);
}

static void prt_curve_sentence(struct printbuf *out, const struct report *report)
{
	const struct report_curve *curve = &report->curve;
	const struct report_point *point = report_curve_at(curve, 0.3);
	if (!point)
		return;
	prt_str(out, "With ");
	prt_percent(out, point->share, 0);
	prt_str(out, " fast memory (");
	prt_bytes(out, point->fast_bytes);
	prt_str(out, ") the program takes ");
	prt_range(out, point->static_lower, point->static_upper);
	prt_str(out,
		" the time of all-fast when each page is placed once, as well as can be, and ");
	prt_range(out, point->optimal_lower, point->optimal_upper);
	prt_str(out, " when pages move at the best moments; without any, ");
	prt_fixed(out, curve->all_slow, 3);
	prt_str(out, "x.");
}

static void prt_curve_legend(struct printbuf *out, const struct report *report)
{
	const struct report_curve *curve = &report->curve;
	prt_printf(out, "served fast: share of the %s on the busiest pages that fit",
		   report_measure(report));
	if (curve->has_slowdown) {
		prt_str(out, "; 100 % is the most memory alive at one time");
		prt_str(out, "; static-best: no page moves; optimal: pages may move every ");
		prt_ns(out, curve->tick_ns);
		prt_str(out, ". Latency and moves are counted, bandwidth is not: berth sim does.");
		if (curve->note)
			prt_printf(out, " %s", curve->note);
	} else {
		prt_char(out, '.');
	}
}

void report_curve_to_text(struct printbuf *out, const struct report *report,
			  const struct report_style *style)
{
	const struct report_curve *curve = &report->curve;
	if (!curve->nr_points)
		return;
	PRINTBUF(words);
	if (curve->has_slowdown) {
		prt_str(&words,
			"How much fast memory: predicted time against all memory fast, on ");
		prt_str(&words, curve->machine_is_default ? "a default machine: " : "");
		prt_safe(&words, curve->machine_line, strlen(curve->machine_line));
		report_wrapped(out, printbuf_str(&words), 0, style->columns);
		prt_curve_plot(out, curve, style);
	} else {
		prt_str(&words, "How much fast memory: ");
		prt_str(&words, curve->why_not ? curve->why_not : "");
		report_wrapped(out, printbuf_str(&words), 0, style->columns);
	}
	prt_curve_rows(out, report);
	printbuf_reset(&words);
	prt_curve_legend(&words, report);
	report_wrapped(out, printbuf_str(&words), 2, style->columns);
	printbuf_reset(&words);
	prt_curve_sentence(&words, report);
	if (words.pos)
		report_wrapped(out, printbuf_str(&words), 0, style->columns);
}
