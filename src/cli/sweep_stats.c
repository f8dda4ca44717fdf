/* SPDX-License-Identifier: MIT */
/*
 * What the tables say, as arithmetic over cells.
 *
 *     recovered   (baseline - policy) / (baseline - optimal), of times; 1: as good as can be,
 *                 0: as good as doing nothing, below 0: worse
 *     effect      of a tunable: y = ln(mean slowdown) of each variant; the variance between the
 *                 means of its values, over the variance of all y. In a full grid the effects add
 *                 up to at most 1; what is left is what tunables do only together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep_show.h"

#define KERNEL_KEY "kernel" /* below an agent: a tunable like others */

const struct show_cell *show_cell(const struct show *show, size_t at_case, size_t variant)
{
	return &show->cells[at_case * show->nr_variants + variant];
}

bool show_gap(const struct show_case *at, double *ret)
{
	if (at->base_ns <= 0 || at->best_ns <= 0)
		return false;
	*ret = (at->base_ns - at->best_ns) / at->best_ns;
	return true;
}

bool show_recovered(const struct show_case *at, double time_ns, double *ret)
{
	double gap = 0;
	if (!show_gap(at, &gap) || gap <= 0)
		return false;
	*ret = (at->base_ns - time_ns) / (at->base_ns - at->best_ns);
	return true;
}

static void add_recovered(struct show_summary *summary, const struct show *show, size_t at_case,
			  const struct show_cell *cell)
{
	const struct show_case *at = &show->cases[at_case];
	double gap = 0, recovered = 0;
	if (!show_gap(at, &gap) || gap < SWEEP_GAP_MIN ||
	    !show_recovered(at, exp(cell->ln_time / cell->nr), &recovered))
		return;
	if (summary->nr_gaps == 0 || recovered < summary->lowest) {
		summary->lowest = recovered;
		summary->lowest_case = at_case;
	}
	if (summary->nr_gaps == 0 || recovered > summary->highest) {
		summary->highest = recovered;
		summary->highest_case = at_case;
	}
	summary->recovered += recovered;
	summary->nr_gaps++;
}

struct show_summary show_summarise(const struct show *show, size_t variant, const char *fast)
{
	struct show_summary summary = { 0 };
	double sum = 0;
	for (size_t i = 0; i < show->nr_cases; i++) {
		const struct show_cell *cell = show_cell(show, i, variant);
		if (!cell->nr || (fast && strcmp(show->cases[i].fast, fast) != 0))
			continue;
		sum += cell->ln_slowdown / cell->nr;
		summary.nr_cases++;
		add_recovered(&summary, show, i, cell);
	}
	summary.slowdown = summary.nr_cases ? exp(sum / (double)summary.nr_cases) : 0;
	summary.recovered /= summary.nr_gaps ? (double)summary.nr_gaps : 1;
	return summary;
}

/* Mean of ln(slowdown) of each variant of a policy, over the cases that all of them have. */
struct level {
	size_t variant;
	double mean;
};

static bool is_common(const struct show *show, size_t at_case, const struct level *levels,
		      size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!show_cell(show, at_case, levels[i].variant)->nr)
			return false;
	return true;
}

/* Returns how many; the caller frees *ret. */
static size_t policy_levels(const struct show *show, const char *policy, struct level **ret)
{
	struct level *levels = calloc(MAX(show->nr_variants, 1), sizeof(*levels));
	size_t nr = 0, nr_cases = 0;
	for (size_t i = 0; levels && i < show->nr_variants; i++)
		if (show->variants[i].is_shown && strcmp(show->variants[i].policy, policy) == 0)
			levels[nr++].variant = i;
	for (size_t i = 0; i < show->nr_cases; i++) {
		if (!nr || !is_common(show, i, levels, nr))
			continue;
		nr_cases++;
		for (size_t j = 0; j < nr; j++) {
			const struct show_cell *cell = show_cell(show, i, levels[j].variant);
			levels[j].mean += cell->ln_slowdown / cell->nr;
		}
	}
	for (size_t i = 0; i < nr && nr_cases; i++)
		levels[i].mean /= (double)nr_cases;
	*ret = levels;
	return nr_cases ? nr : 0;
}

size_t show_best(const struct show *show, const char *policy, bool worst)
{
	struct level *levels = NULL;
	size_t nr = policy_levels(show, policy, &levels), best = 0;
	for (size_t i = 1; i < nr; i++)
		if (worst ? levels[i].mean > levels[best].mean : levels[i].mean < levels[best].mean)
			best = i;
	size_t variant = nr ? levels[best].variant : SIZE_MAX;
	free(levels);
	return variant;
}

/* NULL: this variant does not name the tunable. */
static const char *value_of(const struct show_variant *variant, const char *key)
{
	if (strcmp(key, KERNEL_KEY) == 0 && *variant->kernel)
		return variant->kernel;
	for (size_t i = 0; i < variant->nr_tunables; i++)
		if (strcmp(variant->tunables[i].key, key) == 0)
			return variant->tunables[i].value;
	return NULL;
}

/* Values of one tunable, each with the sum of its variants. */
struct value_sum {
	const char *value;
	double sum;
	size_t nr;
};

static size_t sum_values(const struct show *show, const struct level *levels, size_t nr,
			 const char *key, struct value_sum *sums)
{
	size_t nr_values = 0;
	for (size_t i = 0; i < nr; i++) {
		const char *value = value_of(&show->variants[levels[i].variant], key);
		size_t at = 0;
		value = value ? value : "";
		while (at < nr_values && strcmp(sums[at].value, value) != 0)
			at++;
		if (at == nr_values)
			sums[nr_values++] = (struct value_sum){ .value = value };
		sums[at].sum += levels[i].mean;
		sums[at].nr++;
	}
	return nr_values;
}

static struct show_effect effect_of(const struct value_sum *sums, size_t nr_values, double mean,
				    double variance, size_t nr)
{
	struct show_effect effect = { .nr_values = nr_values };
	double between = 0;
	for (size_t i = 0; i < nr_values; i++) {
		double at = sums[i].sum / (double)sums[i].nr;
		between += (double)sums[i].nr * (at - mean) * (at - mean);
		if (i == 0 || at < log(effect.best)) {
			effect.best = exp(at);
			effect.best_value = sums[i].value;
		}
		if (i == 0 || at > log(effect.worst)) {
			effect.worst = exp(at);
			effect.worst_value = sums[i].value;
		}
	}
	effect.share = variance > 0 ? between / (double)nr / variance : 0;
	return effect;
}

static int compare_effects(const void *raw_a, const void *raw_b)
{
	const struct show_effect *a = raw_a, *b = raw_b;
	if (a->share != b->share)
		return a->share < b->share ? 1 : -1;
	return strcmp(a->key, b->key);
}

static double variance_of(const struct level *levels, size_t nr, double *ret_mean)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < nr; i++)
		sum += levels[i].mean;
	*ret_mean = sum / (double)nr;
	for (size_t i = 0; i < nr; i++)
		squares += (levels[i].mean - *ret_mean) * (levels[i].mean - *ret_mean);
	return squares / (double)nr;
}

/* The key with this number among those of a variant; behind its tunables comes the kernel below. */
static const char *key_at(const struct show_variant *variant, size_t index)
{
	if (index < variant->nr_tunables)
		return variant->tunables[index].key;
	return index == variant->nr_tunables && *variant->kernel ? KERNEL_KEY : NULL;
}

size_t show_effects(const struct show *show, const char *policy, struct show_effect *effects,
		    size_t max, double *ret_spread, double *ret_rest)
{
	struct level *levels = NULL;
	double mean = 0, explained = 0;
	size_t nr = policy_levels(show, policy, &levels), nr_effects = 0;
	struct value_sum *sums = calloc(MAX(nr, 1), sizeof(*sums));
	double variance = nr ? variance_of(levels, nr, &mean) : 0;
	for (size_t i = 0; sums && nr > 1 && nr_effects < max; i++) {
		const char *key = key_at(&show->variants[levels[0].variant], i);
		if (!key)
			break;
		size_t nr_values = sum_values(show, levels, nr, key, sums);
		if (nr_values < 2)
			continue;
		effects[nr_effects] = effect_of(sums, nr_values, mean, variance, nr);
		effects[nr_effects].key = key;
		explained += effects[nr_effects++].share;
		memset(sums, 0, nr * sizeof(*sums));
	}
	if (nr_effects > 1)
		qsort(effects, nr_effects, sizeof(*effects), compare_effects);
	size_t best = show_best(show, policy, false), worst = show_best(show, policy, true);
	*ret_spread = 1;
	for (size_t i = 0; i < nr; i++) {
		*ret_spread *= levels[i].variant == worst ? exp(levels[i].mean) : 1;
		*ret_spread /= levels[i].variant == best ? exp(levels[i].mean) : 1;
	}
	*ret_rest = variance > 0 ? MAX(1 - explained, 0) : 0;
	free(levels);
	free(sums);
	return nr_effects;
}
