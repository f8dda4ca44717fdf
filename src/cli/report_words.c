/* SPDX-License-Identifier: MIT */
/* The words and tables of a report that the terminal, JSON, CSV and SVG share. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

const char *report_measure(const struct report *report)
{
	switch (report->profile->measure) {
	case PROFILE_MISSES:
		return "misses";
	case PROFILE_ACCESSES:
		return "accesses";
	default:
		return "hits";
	}
}

uint64_t report_bytes(const struct report *report, uint64_t pages)
{
	return pages * report->profile->page_bytes;
}

void report_region_name(struct printbuf *out, const struct report *report, uint32_t index)
{
	const struct profile_region *region = &report->profile->regions[index];
	const char *name = region_short_name(region);
	if (*name)
		prt_safe(out, name, MIN(strlen(name), (size_t)256));
	else
		prt_printf(out, "0x%" PRIx64, report_bytes(report, region->first_page));
}

void report_space_name(struct printbuf *out, const struct report *report, uint32_t space)
{
	if (space == PROFILE_MAX_SPACES - 1 && report->info->nr_spaces > PROFILE_MAX_SPACES) {
		prt_str(out, "all other processes");
		return;
	}
	const struct trace_space *found = NULL;
	for (uint32_t i = 0; i < report->info->nr_spaces && !found; i++)
		if (report->info->spaces[i].id == space)
			found = &report->info->spaces[i];
	if (found && found->kind == TRACE_SPACE_PHYSICAL) {
		prt_str(out, "physical memory");
		return;
	}
	prt_str(out, found && found->kind == TRACE_SPACE_FILE ? "file" : "process");
	if (found && found->pid >= 0)
		prt_printf(out, " %" PRId64, found->pid);
	else
		prt_printf(out, " %u", space);
	if (found && found->name && *found->name) {
		prt_str(out, ": ");
		prt_safe(out, found->name, MIN(strlen(found->name), (size_t)256));
	}
}

uint32_t report_nr_spaces(const struct report *report)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < report->profile->nr_regions; i++)
		nr += !i ||
		      report->profile->regions[i].space != report->profile->regions[i - 1].space;
	return nr;
}

void report_streams(struct printbuf *out, const struct report *report)
{
	static const char *const names[] = { "misses", "first touches", "all accesses",
					     "counts", "samples",	"nodes",
					     NULL };
	PRINTBUF(list);
	for (unsigned i = 0; names[i]; i++) {
		if (!(report->info->streams & 1U << i))
			continue;
		if (list.pos)
			prt_str(&list, ", ");
		prt_str(&list, names[i]);
	}
	prt_str(out, list.pos ? printbuf_str(&list) : "none");
}

/* The regions that hold most of the busy pages, in words: "libc.so.6 and heap". */
static void prt_busiest_regions(struct printbuf *out, const struct report *report)
{
	const struct profile *profile = report->profile;
	uint32_t best[2] = { UINT32_MAX, UINT32_MAX };
	for (uint32_t i = 0; i < profile->nr_regions; i++) {
		double count = profile->regions[i].count;
		if (best[0] == UINT32_MAX || count > profile->regions[best[0]].count) {
			best[1] = best[0];
			best[0] = i;
		} else if (best[1] == UINT32_MAX || count > profile->regions[best[1]].count) {
			best[1] = i;
		}
	}
	if (best[0] == UINT32_MAX)
		return;
	report_region_name(out, report, best[0]);
	prt_str(out, " took ");
	prt_percent(out, profile->regions[best[0]].count / profile->count, 0);
	prt_str(out, " of them");
	if (best[1] == UINT32_MAX || profile->regions[best[1]].count < 0.05 * profile->count)
		return;
	prt_str(out, ", ");
	report_region_name(out, report, best[1]);
	prt_char(out, ' ');
	prt_percent(out, profile->regions[best[1]].count / profile->count, 0);
}

void report_summary(struct printbuf *out, const struct report *report)
{
	const struct profile *profile = report->profile;
	if (!profile->touched_pages) {
		prt_str(out, profile->nr_events
				     ? "No memory was found accessed.\n"
				     : "The recording holds no accesses: nothing to show.\n");
		return;
	}
	prt_bytes(out, report_bytes(report, profile->touched_pages));
	prt_str(out, profile->is_samples ? " were found accessed in " : " were touched in ");
	prt_ns(out, profile->duration_ns);
	prt_str(out, "; a typical ");
	prt_ns(out, profile->interval_ns);
	prt_str(out, " touched ");
	prt_bytes(out, report_bytes(report, workingset_percentile(&profile->workingset, 0.5)));
	prt_str(out, ", the busiest ");
	prt_bytes(out, report_bytes(report, profile->workingset.max));
	prt_str(out, ". ");
	if (profile->count <= 0)
		return prt_str(out, "Nothing missed the cache.\n");
	prt_str(out, "The busiest ");
	prt_bytes(out, report_bytes(report, profile->busy_pages));
	prt_str(out, " (");
	prt_percent(out, (double)profile->busy_pages / (double)profile->touched_pages, 0);
	prt_printf(out, ") took 90 %% of the %s: ", report_measure(report));
	prt_busiest_regions(out, report);
	prt_str(out, ".\n");
}

void report_definitions(struct printbuf *out, const struct report *report)
{
	const struct profile *profile = report->profile;
	if (profile->is_samples) {
		prt_str(out,
			"hot: found accessed in at least 50 % of the checks of the whole time; "
			"warm: in at least 5 %; cold: in fewer. Told apart in pieces of ");
		prt_bytes(out, report_bytes(report, (uint64_t)1 << profile->grid.page_shift));
		prt_char(out, '.');
		return;
	}
	prt_str(out, "hot: pages touched in at least 50 % of all intervals of ");
	prt_ns(out, profile->interval_ns);
	prt_str(out, "; warm: in at least 5 %; cold: in fewer.");
	if (profile->counts_misses_only)
		prt_str(out, " Only misses were recorded: a touch that hit the cache is not seen.");
	if (profile->tally.shift) {
		prt_str(out, " Counted in units of ");
		prt_bytes(out, report_bytes(report, (uint64_t)1 << profile->tally.shift));
		prt_str(out, ", because the program touched so many pages.");
	}
}

struct regions_sum {
	uint64_t touched, hot, warm, cold;
	double count;
};

static const struct column region_columns[] = {
	{ "process", "process", COLUMN_TEXT, 0 },
	{ "region", "region", COLUMN_TEXT, 0 },
	{ "address", "from address", COLUMN_TEXT, 0 },
	{ "touched_bytes", "touched", COLUMN_BYTES, 0 },
	{ "hot_bytes", "hot", COLUMN_BYTES, 0 },
	{ "warm_bytes", "warm", COLUMN_BYTES, 0 },
	{ "cold_bytes", "cold", COLUMN_BYTES, 0 },
	{ "share_ratio", "share", COLUMN_PERCENT, 1 },
};
static const struct profile_region *sorted_regions;
static int compare_counts(const void *a, const void *b)
{
	const struct profile_region *x = &sorted_regions[*(const uint32_t *)a];
	const struct profile_region *y = &sorted_regions[*(const uint32_t *)b];
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->touched_pages != y->touched_pages)
		return x->touched_pages > y->touched_pages ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void add_numbers(struct table *table, const struct report *report,
			const struct regions_sum *sum)
{
	table_u64(table, report_bytes(report, sum->touched));
	table_u64(table, report_bytes(report, sum->hot));
	table_u64(table, report_bytes(report, sum->warm));
	table_u64(table, report_bytes(report, sum->cold));
	table_double(table, report->profile->count > 0 ? sum->count / report->profile->count : 0);
}

static void add_region_row(struct table *table, const struct report *report, uint32_t index,
			   bool with_process)
{
	const struct profile_region *region = &report->profile->regions[index];
	PRINTBUF(text);
	table_row(table);
	report_space_name(&text, report, region->space);
	if (with_process)
		table_text(table, printbuf_str(&text));
	printbuf_reset(&text);
	report_region_name(&text, report, index);
	table_text(table, printbuf_str(&text));
	printbuf_reset(&text);
	prt_printf(&text, "0x%" PRIx64, report_bytes(report, region->first_page));
	table_text(table, printbuf_str(&text));
	const struct regions_sum sum = { region->touched_pages, region->hot_pages,
					 region->warm_pages, region->cold_pages, region->count };
	add_numbers(table, report, &sum);
}

static void add_sum_row(struct table *table, const struct report *report, const char *name,
			const struct regions_sum *sum, bool with_process)
{
	table_row(table);
	if (with_process)
		table_text(table, "");
	table_text(table, name);
	table_text(table, "");
	add_numbers(table, report, sum);
}

static void add_to_sum(struct regions_sum *sum, const struct profile_region *region)
{
	sum->touched += region->touched_pages;
	sum->hot += region->hot_pages;
	sum->warm += region->warm_pages;
	sum->cold += region->cold_pages;
	sum->count += region->count;
}

struct table *report_regions_table(const struct report *report, uint32_t max_rows,
				   bool with_process)
{
	const struct profile *profile = report->profile;
	struct table *table = table_new(region_columns + !with_process,
					ARRAY_SIZE(region_columns) - !with_process);
	uint32_t *order = calloc((size_t)profile->nr_regions + 1, sizeof(*order));
	if (!table || !order) {
		free(order);
		return table_free(table);
	}
	for (uint32_t i = 0; i < profile->nr_regions; i++)
		order[i] = i;
	sorted_regions = profile->regions;
	qsort(order, profile->nr_regions, sizeof(*order), compare_counts);
	struct regions_sum all = { 0 }, rest = { 0 };
	uint32_t shown = profile->nr_regions <= max_rows ? profile->nr_regions : max_rows - 1;
	for (uint32_t i = 0; i < profile->nr_regions; i++) {
		if (i < shown)
			add_region_row(table, report, order[i], with_process);
		else
			add_to_sum(&rest, &profile->regions[order[i]]);
		add_to_sum(&all, &profile->regions[order[i]]);
	}
	free(order);
	if (shown < profile->nr_regions) {
		PRINTBUF(name);
		prt_printf(&name, "%u others", profile->nr_regions - shown);
		add_sum_row(table, report, printbuf_str(&name), &rest, with_process);
	}
	add_sum_row(table, report, "all", &all, with_process);
	return table;
}

struct table *report_curve_table(const struct report *report)
{
	static const struct column columns[] = {
		{ "fast_ratio", "fast share", COLUMN_PERCENT, 0 },
		{ "fast_bytes", "fast memory", COLUMN_BYTES, 0 },
		{ "served_ratio", "served fast", COLUMN_PERCENT, 1 },
		{ "static_best_lower_ratio", "static-best", COLUMN_RATIO, 3 },
		{ "static_best_upper_ratio", "at most", COLUMN_RATIO, 3 },
		{ "optimal_lower_ratio", "optimal", COLUMN_RATIO, 3 },
		{ "optimal_upper_ratio", "at most", COLUMN_RATIO, 3 },
	};
	const struct report_curve *curve = &report->curve;
	struct table *table = table_new(columns, curve->has_slowdown ? ARRAY_SIZE(columns) : 3);
	for (uint32_t i = 0; table && i < curve->nr_points; i++) {
		const struct report_point *point = &curve->points[i];
		table_row(table);
		table_double(table, point->share);
		table_u64(table, point->fast_bytes);
		table_double(table, point->served);
		if (!curve->has_slowdown)
			continue;
		table_double(table, point->static_lower);
		table_double(table, point->static_upper);
		table_double(table, point->optimal_lower);
		table_double(table, point->optimal_upper);
	}
	return table;
}

struct table *report_workingset_table(const struct report *report)
{
	static const struct column columns[] = {
		{ "time_ns", "time", COLUMN_NS, 0 },
		{ "mean_bytes", "mean", COLUMN_BYTES, 0 },
		{ "max_bytes", "most", COLUMN_BYTES, 0 },
		{ "new_bytes", "first touched", COLUMN_BYTES, 0 },
	};
	const struct profile *profile = report->profile;
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; table && i < profile_nr_bins(profile); i++) {
		const struct workingset_bin *bin = &profile->workingset.bins[i];
		if (!bin->nr)
			continue;
		table_row(table);
		table_u64(table, i * profile_bin_ns(profile));
		table_u64(table,
			  (uint64_t)(bin->sum / (double)bin->nr * profile->page_bytes + 0.5));
		table_u64(table, report_bytes(report, bin->max));
		table_u64(table, report_bytes(report, bin->new_pages));
	}
	return table;
}

void report_wrapped(struct printbuf *out, const char *text, unsigned indent, unsigned columns)
{
	prt_chars(out, ' ', indent);
	prt_words(out, text, indent, columns);
}
