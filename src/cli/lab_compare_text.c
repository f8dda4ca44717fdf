/* SPDX-License-Identifier: MIT */
/*
 * Runs side by side, for people: one table, folded where it is too wide for the terminal, with a
 * small bar beside each ratio; below it the course of each policy over time, and what words mean.
 *
 *     policy       throughput  spread      of static-best  | served fast ...
 *     none         0.88 Mop/s  0.86..0.90  0.28 ##         |      31.0 % ...
 *     static-best  3.10 Mop/s  3.08..3.12  1.00 ########   |      99.0 % ...
 */
#include <math.h>
#include <string.h>

#include "cli/lab_compare.h"
#include "cli/report.h"

#define BAR_CELLS     8
#define SPARK_CELLS   50
#define LEGEND_COLUMN 16
#define NAME_COLUMNS  28  /* longer names of policies are cut short in tables */
#define RATIO_FULL    1.0 /* a bar of BAR_CELLS, unless a ratio is above */

/* clang-format off */
static const char *const eighths_right[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
static const char *const eighths_up[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
/* clang-format on */

enum cell_kind {
	CELL_POLICY,
	CELL_KERNEL,
	CELL_VALUE,
	CELL_SPREAD,
	CELL_OF_STATIC_BEST,
	CELL_OF_ALL_FAST,
	CELL_SERVED_FAST,
	CELL_FIGURE,				      /* + enum compare_figure */
	CELL_WAIT = CELL_FIGURE + COMPARE_NR_FIGURES, /* + tier */
	CELL_NR_KINDS = CELL_WAIT + COMPARE_MAX_TIERS,
};

struct view { /* what is shown of it */
	const struct compare_show *show;
	unsigned columns[CELL_NR_KINDS];
	size_t nr_columns;
	size_t folds[4]; /* where a narrow terminal may break the table; the last is nr_columns */
	size_t nr_folds;
	double full_ratio;
};

static const struct compare_run *typical_run(const struct compare_case *entry)
{
	return entry->typical < 0 ? NULL : &entry->runs[entry->typical];
}

static bool any_figure(const struct compare *compare, enum compare_figure figure)
{
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_run *run = typical_run(&compare->cases[i]);
		if (run && run->figures[figure] > 0)
			return true;
	}
	return false;
}

static bool any_ratio(const struct compare *compare, bool is_all_fast)
{
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		if (!isnan(is_all_fast ? entry->of_all_fast : entry->of_static_best))
			return true;
	}
	return false;
}

static bool has_kernels(const struct compare *compare)
{
	for (size_t i = 1; i < compare->nr_cases; i++)
		if (strcmp(compare->cases[i].kernel, compare->cases[0].kernel) != 0)
			return true;
	return false;
}

static bool has_spread(const struct compare *compare)
{
	for (size_t i = 0; i < compare->nr_cases; i++)
		if (compare->cases[i].nr_ok > 1)
			return true;
	return false;
}

static void add_column(struct view *view, unsigned kind, bool is_wanted)
{
	if (is_wanted)
		view->columns[view->nr_columns++] = kind;
}

static void choose_columns(struct view *view)
{
	const struct compare *compare = view->show->compare;
	bool has_model = any_figure(compare, COMPARE_MISSES);
	add_column(view, CELL_POLICY, true);
	add_column(view, CELL_KERNEL, has_kernels(compare));
	add_column(view, CELL_VALUE, true);
	add_column(view, CELL_SPREAD, has_spread(compare));
	add_column(view, CELL_OF_STATIC_BEST, any_ratio(compare, false));
	add_column(view, CELL_OF_ALL_FAST, any_ratio(compare, true));
	view->folds[view->nr_folds++] = view->nr_columns;
	add_column(view, CELL_SERVED_FAST, has_model);
	for (unsigned i = COMPARE_PROMOTED; i < COMPARE_NR_FIGURES; i++)
		add_column(view, CELL_FIGURE + i, any_figure(compare, (enum compare_figure)i));
	view->folds[view->nr_folds++] = view->nr_columns;
	for (unsigned tier = 0; has_model && tier < MIN(compare->nr_tiers, COMPARE_MAX_TIERS);
	     tier++)
		add_column(view, CELL_WAIT + tier, true);
	view->folds[view->nr_folds++] = view->nr_columns;
	view->full_ratio = RATIO_FULL;
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		view->full_ratio = fmax(view->full_ratio, entry->of_static_best);
		view->full_ratio = fmax(view->full_ratio, entry->of_all_fast);
	}
}

static bool stands_right(unsigned kind)
{
	return kind == CELL_VALUE || kind >= CELL_SERVED_FAST;
}

static void prt_title(struct printbuf *out, const struct view *view, unsigned kind)
{
	static const char *const titles[] = {
		[CELL_POLICY] = "policy",
		[CELL_KERNEL] = "kernel",
		[CELL_SPREAD] = "spread",
		[CELL_OF_STATIC_BEST] = "of static-best",
		[CELL_OF_ALL_FAST] = "of all-fast",
		[CELL_SERVED_FAST] = "served fast",
		[CELL_FIGURE + COMPARE_PROMOTED] = "promoted",
		[CELL_FIGURE + COMPARE_DEMOTED] = "demoted",
		[CELL_FIGURE + COMPARE_HINT_FAULTS] = "hint faults",
		[CELL_FIGURE + COMPARE_MOVED] = "moved",
		[CELL_FIGURE + COMPARE_FAILED] = "failed",
	};
	if (kind == CELL_VALUE)
		prt_str(out, view->show->compare->metric.name[0] ? view->show->compare->metric.name
								 : "result");
	else if (kind >= CELL_WAIT)
		prt_printf(out, "wait tier %u", kind - CELL_WAIT);
	else
		prt_str(out, titles[kind]);
}

/* Three significant digits, as people read them. */
static void prt_value(struct printbuf *out, double value)
{
	unsigned decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4;
	prt_fixed(out, value, value == 0 ? 0 : decimals);
}

static void prt_bar(struct printbuf *out, const struct view *view, double ratio)
{
	unsigned parts = (unsigned)lround(ratio / view->full_ratio * BAR_CELLS * 8);
	if (!view->show->is_utf8) {
		prt_chars(out, '#', (parts + 4) / 8);
		return;
	}
	for (; parts >= 8; parts -= 8)
		prt_str(out, "█");
	prt_str(out, eighths_right[parts]);
}

static void prt_ratio(struct printbuf *out, const struct view *view, double ratio)
{
	if (isnan(ratio)) {
		prt_char(out, '-');
		return;
	}
	prt_fixed(out, ratio, 2);
	prt_char(out, ' ');
	prt_bar(out, view, ratio);
}

/* "0.88 Mop/s"; how it ended when no run was good. */
static void prt_median(struct printbuf *out, const struct view *view,
		       const struct compare_case *entry)
{
	const char *unit = view->show->compare->metric.unit;
	if (entry->nr_ok > 0) {
		prt_value(out, entry->median);
		prt_printf(out, "%s%s", *unit ? " " : "", unit);
	} else if (entry->nr_runs > 0) {
		prt_str(out, entry->runs[0].end);
	} else {
		prt_str(out, "not run");
	}
}

/* "0.86..0.90", and how many of the runs are behind it when some failed. */
static void prt_spread(struct printbuf *out, const struct compare_case *entry)
{
	if (entry->nr_ok > 1) {
		prt_value(out, entry->min);
		prt_str(out, "..");
		prt_value(out, entry->max);
	}
	if (entry->nr_ok < entry->nr_runs)
		prt_printf(out, "%s(%u of %u)", entry->nr_ok > 1 ? " " : "", entry->nr_ok,
			   entry->nr_runs);
	else if (entry->nr_ok < 2)
		prt_char(out, '-');
}

static void prt_counter(struct printbuf *out, const struct compare_case *entry, unsigned kind)
{
	const struct compare_run *run = typical_run(entry);
	bool is_model = kind == CELL_SERVED_FAST || kind >= CELL_WAIT;
	if (!run || (is_model && !run->has_model)) {
		prt_char(out, '-');
	} else if (kind >= CELL_WAIT) {
		prt_ns(out, run->wait_ns[kind - CELL_WAIT]);
	} else if (kind >= CELL_FIGURE) {
		prt_u64_grouped(out, run->figures[kind - CELL_FIGURE]);
	} else if (run->figures[COMPARE_MISSES] == 0) {
		prt_char(out, '-');
	} else {
		prt_percent(out,
			    (double)run->figures[COMPARE_FAST_MISSES] /
				    (double)run->figures[COMPARE_MISSES],
			    1);
	}
}

static size_t first_of_policy(const struct compare *compare, const char *policy)
{
	size_t i = 0;
	while (strcmp(compare->cases[i].policy, policy) != 0)
		i++;
	return i;
}

static bool has_long_name(const struct compare_case *entry)
{
	return utf8_width(entry->policy, strlen(entry->policy)) > NAME_COLUMNS;
}

/* A policy with many keys would fill the line: "kernel#3" then, and the legend has it whole. */
static void prt_policy(struct printbuf *out, const struct compare *compare,
		       const struct compare_case *entry)
{
	if (!has_long_name(entry)) {
		prt_safe(out, entry->policy, strlen(entry->policy));
		return;
	}
	prt_safe(out, entry->policy, MIN(strcspn(entry->policy, ":"), (size_t)NAME_COLUMNS));
	prt_printf(out, "#%zu", first_of_policy(compare, entry->policy) + 1);
}

static void prt_cell(struct printbuf *out, const struct view *view,
		     const struct compare_case *entry, unsigned kind)
{
	switch (kind) {
	case CELL_POLICY:
		prt_policy(out, view->show->compare, entry);
		break;
	case CELL_KERNEL:
		prt_safe(out, entry->kernel, strlen(entry->kernel));
		break;
	case CELL_VALUE:
		prt_median(out, view, entry);
		break;
	case CELL_SPREAD:
		prt_spread(out, entry);
		break;
	case CELL_OF_STATIC_BEST:
		prt_ratio(out, view, entry->of_static_best);
		break;
	case CELL_OF_ALL_FAST:
		prt_ratio(out, view, entry->of_all_fast);
		break;
	default:
		prt_counter(out, entry, kind);
	}
}

/* A row of fields as prt_aligned() reads them; entry NULL: the titles. */
static void prt_row(struct printbuf *rows, const struct view *view,
		    const struct compare_case *entry, size_t first, size_t end)
{
	size_t nr_names = 1 + (view->columns[1] == CELL_KERNEL);
	for (size_t i = 0; i < end; i++) {
		unsigned kind = view->columns[i];
		if (i >= nr_names && i < first)
			continue;
		if (entry)
			prt_cell(rows, view, entry, kind);
		else
			prt_title(rows, view, kind);
		prt_char(rows, stands_right(kind) ? '\r' : i + 1 < end ? '\t' : ' ');
	}
	while (rows->pos && rows->buf[rows->pos - 1] == ' ')
		rows->buf[--rows->pos] = '\0';
	prt_char(rows, '\n');
}

static void prt_columns(struct printbuf *out, const struct view *view, size_t first, size_t end)
{
	const struct compare *compare = view->show->compare;
	PRINTBUF(rows);
	prt_row(&rows, view, NULL, first, end);
	for (size_t i = 0; i < compare->nr_cases; i++)
		if (!compare->cases[i].is_left_out)
			prt_row(&rows, view, &compare->cases[i], first, end);
	prt_aligned(out, printbuf_str(&rows));
	prt_char(out, '\n');
}

static size_t widest_line(const char *text)
{
	size_t widest = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");
		widest = MAX(widest, utf8_width(text, len));
		text += len + (text[len] == '\n');
	}
	return widest;
}

/* As one table when that fits, else folded where another question begins. */
static void prt_table(struct printbuf *out, const struct view *view)
{
	size_t first = 0;
	while (first < view->nr_columns) {
		PRINTBUF(table);
		size_t end = first;
		for (size_t i = view->nr_folds; i-- > 0 && view->folds[i] > first;) {
			end = view->folds[i];
			printbuf_reset(&table);
			prt_columns(&table, view, first, end);
			if (widest_line(printbuf_str(&table)) <= view->show->columns)
				break;
		}
		prt_str(out, printbuf_str(&table));
		first = end;
	}
}

/* The mean rate between two moments; NaN when no interval lies there. */
static double rate_between(const struct compare_run *run, double from, double to)
{
	double sum = 0, weight = 0, begin = 0;
	for (size_t i = 0; i < run->nr_series; i++) {
		double end = (double)run->series[i].end_ns;
		double shared = fmin(end, to) - fmax(begin, from);
		if (shared > 0) {
			sum += shared * run->series[i].rate;
			weight += shared;
		}
		begin = end;
	}
	return weight > 0 ? sum / weight : NAN;
}

struct course { /* of all policies over time, on common axes */
	double cell_ns, top;
	unsigned cells;
};

static struct course course_of(const struct compare *compare, unsigned cells)
{
	struct course course = { .cells = cells };
	double longest = 0;
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_run *run = typical_run(&compare->cases[i]);
		if (!run || run->nr_series < 2)
			continue;
		longest = fmax(longest, (double)run->series[run->nr_series - 1].end_ns);
		for (size_t k = 0; k < run->nr_series; k++)
			course.top = fmax(course.top, run->series[k].rate);
	}
	course.cell_ns = longest / cells;
	return course;
}

static void prt_spark(struct printbuf *out, const struct compare_run *run,
		      const struct course *course, bool is_utf8)
{
	for (unsigned i = 0; i < course->cells; i++) {
		double rate = rate_between(run, i * course->cell_ns, (i + 1) * course->cell_ns);
		if (isnan(rate))
			return;
		unsigned level = (unsigned)fmin(rate / course->top * 8, 7);
		if (is_utf8)
			prt_str(out, eighths_up[level]);
		else
			prt_char(out, "_.-:=+*#"[level]);
	}
}

/* "How fast it was over time": that a policy takes a minute to find what is hot shows here. */
static void prt_courses(struct printbuf *out, const struct compare_show *show)
{
	const struct compare *compare = show->compare;
	struct course course = course_of(compare, SPARK_CELLS);
	bool several = has_kernels(compare);
	PRINTBUF(rows);
	/* Under icount the guest's clock does not know of misses: all would look alike. */
	if (show->time == LAB_TIME_ICOUNT || course.top <= 0 || course.cell_ns <= 0)
		return;
	prt_str(out, "Over time (a column is ");
	prt_ns(out, (uint64_t)course.cell_ns);
	prt_str(out, ", full height ");
	prt_value(out, course.top);
	prt_str(out, " million operations per second):\n");
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		const struct compare_run *run = typical_run(entry);
		if (!run || run->nr_series < 2 || entry->is_left_out)
			continue;
		prt_str(&rows, "  ");
		prt_policy(&rows, compare, entry);
		if (several) {
			prt_str(&rows, " on ");
			prt_safe(&rows, entry->kernel, strlen(entry->kernel));
		}
		prt_char(&rows, '\t');
		prt_spark(&rows, run, &course, show->is_utf8);
		prt_char(&rows, '\n');
	}
	prt_aligned(out, printbuf_str(&rows));
	prt_char(out, '\n');
}

/* "word        what it means", its further lines below its first. */
static void prt_meaning(struct printbuf *out, const struct compare_show *show, const char *word,
			const char *meaning)
{
	PRINTBUF(lines);
	size_t used = strlen(word);
	report_wrapped(&lines, meaning, LEGEND_COLUMN, show->columns);
	prt_str(out, word);
	prt_chars(out, ' ', used < LEGEND_COLUMN ? LEGEND_COLUMN - used : 1);
	prt_str(out, printbuf_str(&lines) + MIN(lines.pos, LEGEND_COLUMN));
}

static void prt_setting(struct printbuf *out, const struct compare_show *show)
{
	PRINTBUF(program);
	PRINTBUF(machine);
	PRINTBUF(kernel);
	prt_safe(&program, show->program, strlen(show->program));
	machine_to_line(&machine, show->machine);
	prt_str(&kernel, *show->kernels ? show->kernels : "none has booted");
	if (show->qemu_version)
		prt_printf(&kernel, "; QEMU %s", show->qemu_version);
	prt_printf(&kernel, "; time %s; %llu run%s each, interleaved",
		   show->time == LAB_TIME_ICOUNT ? "icount" : "delay",
		   (unsigned long long)show->repeat, show->repeat == 1 ? "" : "s");
	prt_meaning(out, show, "program", printbuf_str(&program));
	prt_meaning(out, show, "machine", printbuf_str(&machine));
	prt_meaning(out, show, "kernel", printbuf_str(&kernel));
	prt_char(out, '\n');
}

static const char *meaning_of(unsigned kind)
{
	static const char *const meanings[] = {
		[CELL_SPREAD] = "smallest to largest of the runs",
		[CELL_OF_STATIC_BEST] = "speed over that of the best placement by hand",
		[CELL_OF_ALL_FAST] = "speed over that with all memory in the fastest tier",
		[CELL_SERVED_FAST] = "share of cache misses served by the fastest tier",
		[CELL_FIGURE + COMPARE_PROMOTED] = "pages moved to a faster tier upon a hint fault",
		[CELL_FIGURE + COMPARE_DEMOTED] = "pages moved to a slower tier by reclaim",
		[CELL_FIGURE + COMPARE_HINT_FAULTS] = "faults taken to find out what is accessed",
		[CELL_FIGURE + COMPARE_MOVED] =
			"pages that changed their place for whatever reason, DAMON's and "
			"compaction's included",
		[CELL_FIGURE + COMPARE_FAILED] = "pages that could not be moved",
	};
	return kind < ARRAY_SIZE(meanings) ? meanings[kind] : NULL;
}

static void prt_long_names(struct printbuf *out, const struct compare_show *show)
{
	const struct compare *compare = show->compare;
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		PRINTBUF(name);
		PRINTBUF(whole);
		if (!has_long_name(entry) || first_of_policy(compare, entry->policy) != i)
			continue;
		prt_policy(&name, compare, entry);
		prt_safe(&whole, entry->policy, strlen(entry->policy));
		prt_meaning(out, show, printbuf_str(&name), printbuf_str(&whole));
	}
}

static void prt_legend(struct printbuf *out, const struct view *view)
{
	const struct compare_show *show = view->show;
	PRINTBUF(title);
	if (show->time == LAB_TIME_ICOUNT && strcmp(show->compare->metric.name, "modelled") == 0)
		prt_meaning(out, show, "modelled",
			    "instructions at 0.3 ns and misses at their node's latency");
	prt_long_names(out, show);
	for (size_t i = 0; i < view->nr_columns; i++) {
		printbuf_reset(&title);
		prt_title(&title, view, view->columns[i]);
		if (meaning_of(view->columns[i]))
			prt_meaning(out, show, printbuf_str(&title), meaning_of(view->columns[i]));
	}
	if (view->nr_columns && view->columns[view->nr_columns - 1] >= CELL_WAIT)
		prt_meaning(out, show, "wait",
			    "what misses served by a tier cost in all, summed over CPUs");
}

static void prt_notes(struct printbuf *out, const struct compare_show *show)
{
	const char *note = show->notes;
	while (note && *note) {
		size_t len = strcspn(note, "\n");
		PRINTBUF(line);
		prt_mem(&line, note, len);
		if (len)
			prt_meaning(out, show, "note:", printbuf_str(&line));
		note += len + (note[len] == '\n');
	}
}

void compare_to_text(struct printbuf *out, const struct compare_show *show)
{
	struct view view = { .show = show };
	choose_columns(&view);
	prt_setting(out, show);
	prt_table(out, &view);
	prt_courses(out, show);
	prt_legend(out, &view);
	prt_notes(out, show);
}
