/* SPDX-License-Identifier: MIT */
/*
 * Sweeps for people: slowdowns, case by case; how much of the gap each policy recovers, as bars;
 * the best settings; and which tunables matter.
 *
 *     recovered of the gap between linux-none and optimal
 *     recency  1:2   ███████▌      65 %   from 12 % (phases) to 97 % (lives)
 *
 * A policy with several settings stands in the first two tables with its best ones.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/sweep_show.h"

#define BAR_COLUMNS 24
#define EFFECTS_MAX (TUNABLES_MAX + 1)
#define SIZES_MAX   64

struct text_view {
	struct printbuf *out;
	const struct show *show;
	unsigned columns;
	bool is_utf8;
	size_t *chosen; /* the best variant of each policy that is shown */
	size_t nr_chosen;
	bool has_twins;
};

static bool is_chosen_policy(const struct text_view *view, const char *policy)
{
	for (size_t i = 0; i < view->nr_chosen; i++)
		if (strcmp(view->show->variants[view->chosen[i]].policy, policy) == 0)
			return true;
	return false;
}

/* Of a policy whose variants have no case in common: the first that has any. */
static void choose(struct text_view *view)
{
	const struct show *show = view->show;
	for (size_t i = 0; i < show->nr_variants; i++) {
		const struct show_variant *variant = &show->variants[i];
		if (!variant->is_shown || is_chosen_policy(view, variant->policy))
			continue;
		size_t best = show_best(show, variant->policy, false);
		view->chosen[view->nr_chosen++] = best == SIZE_MAX ? i : best;
	}
	for (size_t i = 0; i < show->nr_cases; i++)
		view->has_twins |= show->cases[i].is_twin;
}

static size_t count_variants(const struct show *show, const char *policy)
{
	size_t nr = 0;
	for (size_t i = 0; i < show->nr_variants; i++)
		nr += show->variants[i].is_shown && strcmp(show->variants[i].policy, policy) == 0;
	return nr;
}

static void prt_title(const struct text_view *view, const char *text)
{
	report_wrapped(view->out, text, 0, view->columns);
}

static void head_to_text(const struct text_view *view)
{
	const struct show *show = view->show;
	PRINTBUF(text);
	prt_safe(&text, show->path, strlen(show->path));
	prt_printf(&text, ": %llu simulations in %zu cases, %zu variants of policies",
		   (unsigned long long)show->nr_rows, show->nr_cases, show->nr_variants);
	if (show->nr_errors)
		prt_printf(&text, ", %llu without figures", (unsigned long long)show->nr_errors);
	for (size_t i = 0; i < show->nr_versions && show->versions[i]; i++)
		prt_printf(&text, "%s%s", i ? ", " : "; berth ", show->versions[i]);
	prt_title(view, printbuf_str(&text));
	prt_char(view->out, '\n');
}

static void case_cells(const struct text_view *view, struct table *table,
		       const struct show_case *at)
{
	table_text(table, at->recording);
	table_text(table, at->fast);
	if (view->has_twins)
		table_u64(table, at->dilate);
}

static bool case_has_all(const struct text_view *view, size_t at_case)
{
	for (size_t i = 0; i < view->nr_chosen; i++)
		if (!show_cell(view->show, at_case, view->chosen[i])->nr)
			return false;
	return true;
}

/* Over the cases that all policies have, so that the means compare. */
static double common_mean(const struct text_view *view, size_t variant, size_t *ret_nr)
{
	double sum = 0;
	*ret_nr = 0;
	for (size_t i = 0; i < view->show->nr_cases; i++) {
		const struct show_cell *cell = show_cell(view->show, i, variant);
		if (!case_has_all(view, i))
			continue;
		sum += cell->ln_slowdown / cell->nr;
		++*ret_nr;
	}
	return *ret_nr ? exp(sum / (double)*ret_nr) : 0;
}

static void mean_row(const struct text_view *view, struct table *table, size_t first, size_t end)
{
	PRINTBUF(label);
	size_t nr = 0;
	common_mean(view, view->chosen[0], &nr);
	prt_printf(&label, "mean of %zu", nr);
	table_row(table);
	table_text(table, printbuf_str(&label));
	table_none(table);
	if (view->has_twins)
		table_none(table);
	for (size_t i = first; i < end; i++) {
		double mean = common_mean(view, view->chosen[i], &nr);
		if (nr)
			table_double(table, mean);
		else
			table_none(table);
	}
}

/* The policies from `first` to before `end`. */
static void prt_slowdowns(struct printbuf *out, const struct text_view *view, size_t first,
			  size_t end)
{
	const struct show *show = view->show;
	struct column *columns = calloc(3 + end - first, sizeof(*columns));
	size_t nr = 0;
	if (!columns)
		return;
	columns[nr++] = (struct column){ "recording", "recording", COLUMN_TEXT, 0 };
	columns[nr++] = (struct column){ "fast", "fast", COLUMN_TEXT, 0 };
	if (view->has_twins)
		columns[nr++] = (struct column){ "dilate", "dilate", COLUMN_U64, 0 };
	for (size_t i = first; i < end; i++) {
		const char *name = show->variants[view->chosen[i]].policy;
		columns[nr++] = (struct column){ name, name, COLUMN_RATIO, 3 };
	}
	struct table *table = table_new(columns, nr);
	for (size_t i = 0; table && i < show->nr_cases; i++) {
		table_row(table);
		case_cells(view, table, &show->cases[i]);
		for (size_t j = first; j < end; j++) {
			const struct show_cell *cell = show_cell(show, i, view->chosen[j]);
			if (cell->nr)
				table_double(table, exp(cell->ln_slowdown / cell->nr));
			else
				table_none(table);
		}
	}
	if (table && show->nr_cases > 1)
		mean_row(view, table, first, end);
	if (table)
		table_to_text(out, table);
	table_free(table);
	free(columns);
}

/* As many policies side by side as the terminal has room for. */
static void slowdowns_to_text(const struct text_view *view)
{
	prt_title(view, "Slowdown: time over that with everything fast; the geometric mean over "
			"seeds, and below over the cases that all policies have");
	for (size_t first = 0, end; first < view->nr_chosen; first = end) {
		PRINTBUF(best);
		end = first;
		do {
			PRINTBUF(table);
			prt_slowdowns(&table, view, first, end + 1);
			const char *text = printbuf_str(&table);
			if (best.pos && utf8_width(text, strcspn(text, "\n")) > view->columns)
				break;
			printbuf_reset(&best);
			prt_str(&best, text);
		} while (++end < view->nr_chosen);
		prt_str(view->out, printbuf_str(&best));
		prt_char(view->out, '\n');
	}
}

static void prt_bar(const struct text_view *view, double share)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	double clamped = MIN(MAX(share, 0.0), 1.0);
	size_t steps = (size_t)(clamped * BAR_COLUMNS * 8 + 0.5);
	size_t used = steps / 8 + (view->is_utf8 && steps % 8 != 0);
	for (size_t i = 0; i < steps / 8; i++)
		prt_str(view->out, view->is_utf8 ? "█" : "#");
	if (view->is_utf8)
		prt_str(view->out, eighths[steps % 8]);
	for (; used < BAR_COLUMNS; used++)
		prt_str(view->out, view->is_utf8 ? "·" : ".");
}

static void prt_extreme(const struct text_view *view, const char *word, double value,
			size_t at_case)
{
	const char *name = view->show->cases[at_case].recording;
	prt_printf(view->out, "%s %.0f %% (", word, 100 * value);
	prt_safe(view->out, name, strlen(name));
	prt_char(view->out, ')');
}

static void recovered_line(const struct text_view *view, size_t variant, const char *fast,
			   size_t name_width, size_t fast_width)
{
	struct show_summary summary = show_summarise(view->show, variant, fast);
	if (!summary.nr_gaps)
		return;
	prt_field_left(view->out, view->show->variants[variant].policy, name_width);
	prt_str(view->out, "  ");
	prt_field_left(view->out, fast, fast_width);
	prt_str(view->out, "  ");
	prt_bar(view, summary.recovered);
	prt_printf(view->out, " %4.0f %%", 100 * summary.recovered);
	if (summary.nr_gaps > 1) {
		prt_extreme(view, "  from", summary.lowest, summary.lowest_case);
		prt_extreme(view, " to", summary.highest, summary.highest_case);
	}
	prt_char(view->out, '\n');
}

/* Labels of fast sizes in the order of the cases. */
static size_t list_sizes(const struct show *show, const char *sizes[SIZES_MAX])
{
	size_t nr = 0;
	for (size_t i = 0; i < show->nr_cases; i++) {
		size_t j = 0;
		while (j < nr && strcmp(sizes[j], show->cases[i].fast) != 0)
			j++;
		if (j == nr && nr < SIZES_MAX)
			sizes[nr++] = show->cases[i].fast;
	}
	return nr;
}

static bool is_yardstick(const struct show_variant *variant)
{
	return strcmp(variant->base, "linux-none") == 0 || strcmp(variant->base, "optimal") == 0;
}

static void recovered_to_text(const struct text_view *view)
{
	const char *sizes[SIZES_MAX];
	size_t nr_sizes = list_sizes(view->show, sizes), name_width = 0, fast_width = 0, nr = 0;
	double gap = 0;
	for (size_t i = 0; i < view->show->nr_cases; i++)
		nr += show_gap(&view->show->cases[i], &gap) && gap >= SWEEP_GAP_MIN;
	if (nr == 0)
		return;
	for (size_t i = 0; i < view->nr_chosen; i++) {
		const char *name = view->show->variants[view->chosen[i]].policy;
		name_width = MAX(name_width, utf8_width(name, strlen(name)));
	}
	for (size_t i = 0; i < nr_sizes; i++)
		fast_width = MAX(fast_width, strlen(sizes[i]));
	prt_title(view, "Recovered of the gap between linux-none and optimal: the mean over "
			"recordings where it is at least 1 %");
	for (size_t i = 0; i < view->nr_chosen; i++)
		for (size_t j = 0; j < nr_sizes; j++)
			if (!is_yardstick(&view->show->variants[view->chosen[i]]))
				recovered_line(view, view->chosen[i], sizes[j], name_width,
					       fast_width);
	prt_char(view->out, '\n');
}

static void prt_variant(struct printbuf *out, const struct show_variant *variant, bool with_kernel)
{
	prt_safe(out, variant->spec, strlen(variant->spec));
	if (!with_kernel || !*variant->kernel)
		return;
	prt_str(out, " above ");
	prt_safe(out, variant->kernel, strlen(variant->kernel));
}

static bool has_two_kernels(const struct show *show, const char *policy)
{
	const char *first = NULL;
	for (size_t i = 0; i < show->nr_variants; i++) {
		const struct show_variant *variant = &show->variants[i];
		if (!variant->is_shown || strcmp(variant->policy, policy) != 0)
			continue;
		if (first && strcmp(first, variant->kernel) != 0)
			return true;
		first = variant->kernel;
	}
	return false;
}

/* "best WORD: mean 1.05x with idle=4" */
static void prt_setting(const struct text_view *view, const char *word, size_t variant)
{
	const struct show *show = view->show;
	const char *policy = show->variants[variant].policy;
	struct show_summary summary = show_summarise(show, variant, NULL);
	prt_printf(view->out, "  %-5s  %.3fx  ", word, summary.slowdown);
	prt_variant(view->out, &show->variants[variant], has_two_kernels(show, policy));
	prt_char(view->out, '\n');
}

static void prt_effects(const struct text_view *view, const char *policy)
{
	static const struct column columns[] = {
		{ "tunable", "  tunable", COLUMN_TEXT, 0 },
		{ "share", "matters", COLUMN_PERCENT, 0 },
		{ "best_value", "best", COLUMN_TEXT, 0 },
		{ "best", "mean", COLUMN_RATIO, 3 },
		{ "worst_value", "worst", COLUMN_TEXT, 0 },
		{ "worst", "mean", COLUMN_RATIO, 3 },
	};
	struct show_effect effects[EFFECTS_MAX];
	double spread = 1, rest = 0;
	size_t nr = show_effects(view->show, policy, effects, EFFECTS_MAX, &spread, &rest);
	struct table *table = nr ? table_new(columns, ARRAY_SIZE(columns)) : NULL;
	for (size_t i = 0; table && i < nr; i++) {
		PRINTBUF(key);
		prt_printf(&key, "  %s", effects[i].key);
		table_row(table);
		table_text(table, printbuf_str(&key));
		table_double(table, effects[i].share);
		if (effects[i].worst == effects[i].best) /* it makes no difference: no cells */
			continue;
		table_text(table, effects[i].best_value);
		table_double(table, effects[i].best);
		table_text(table, effects[i].worst_value);
		table_double(table, effects[i].worst);
	}
	if (table)
		table_to_text(view->out, table);
	table_free(table);
	if (nr > 1)
		prt_printf(view->out, "  %.0f %% is what they do only together\n", 100 * rest);
}

static void settings_to_text(const struct text_view *view)
{
	const struct show *show = view->show;
	bool has_any = false;
	for (size_t i = 0; i < view->nr_chosen; i++) {
		const char *policy = show->variants[view->chosen[i]].policy;
		size_t nr = count_variants(show, policy), worst = show_best(show, policy, true);
		if (nr < 2 || worst == SIZE_MAX)
			continue;
		if (!has_any)
			prt_title(view, "Settings: the best and the worst by mean slowdown, and "
					"what share of the differences between settings each "
					"tunable explains alone (variance of the logarithm)");
		has_any = true;
		prt_safe(view->out, policy, strlen(policy));
		prt_printf(view->out, ": %zu settings\n", nr);
		prt_setting(view, "best", view->chosen[i]);
		if (worst != view->chosen[i]) /* else all are alike */
			prt_setting(view, "worst", worst);
		prt_effects(view, policy);
		prt_char(view->out, '\n');
	}
}

void show_to_text(struct printbuf *out, const struct show *show, unsigned columns, bool is_utf8)
{
	struct text_view view = { out, show, columns, is_utf8, NULL, 0, false };
	view.chosen = calloc(MAX(show->nr_variants, 1), sizeof(*view.chosen));
	if (!view.chosen)
		return;
	choose(&view);
	head_to_text(&view);
	if (view.nr_chosen) {
		slowdowns_to_text(&view);
		recovered_to_text(&view);
		settings_to_text(&view);
	}
	free(view.chosen);
}
