/* SPDX-License-Identifier: MIT */
/*
 * Results of sweeps, looked at.
 *
 *                 variants (policy, spec, kernel below)
 *                +------+------+------+
 *     cases      | cell | cell |      |   cell: the mean over seeds; empty: nobody simulated it
 *     (recording | cell |      | cell |
 *      x fast)   +------+------+------+
 *
 * Means are of logarithms: a slowdown of 2 and one of 1/2 are 1 together. Memory: 16 bytes a cell.
 */
#ifndef BERTH_CLI_SWEEP_SHOW_H
#define BERTH_CLI_SWEEP_SHOW_H

#include "base/table.h"
#include "cli/sweep_db.h"

#define SWEEP_CELLS_MAX ((size_t)1 << 26)
#define SWEEP_GAP_MIN	0.01 /* a smaller gap between baseline and optimum is not worth a share */

struct sweep_filter { /* shell patterns; NULL: all */
	const char *recording, *policy, *fast;
};

struct show_case { /* a line of the tables */
	char *recording, *group, *fast, *machine, *cost;
	uint64_t dilate;
	double base_ns, best_ns; /* of linux-none and of optimal; 0: not simulated */
	bool is_twin;		 /* another case has its recording and size */
};

struct show_pair {
	char *key, *value;
};

struct show_variant { /* a column */
	char *policy, *spec, *kernel, *base, *kind;
	struct show_pair *tunables;
	size_t nr_tunables;
	bool is_shown; /* the filter takes it; others serve as yardsticks */
};

struct show_cell {
	double ln_slowdown; /* sum, over nr rows */
	double ln_time;
	uint32_t nr, nr_errors;
};

struct show {
	char *path;
	struct show_case *cases;
	size_t nr_cases;
	struct show_variant *variants; /* kernels, agents, bounds; by name */
	size_t nr_variants;
	struct show_cell *cells; /* [case * nr_variants + variant] */
	uint64_t nr_rows, nr_errors;
	char **versions;
	size_t nr_versions;
};

int show_load(struct sweep_db *db, const char *path, const struct sweep_filter *filter,
	      struct show **ret, struct printbuf *err);
struct show *show_free(struct show *show);
const struct show_cell *show_cell(const struct show *show, size_t at_case, size_t variant);

/* Of one simulation's or one cell's time. False: there is no baseline, no optimum, or no gap. */
bool show_recovered(const struct show_case *at, double time_ns, double *ret);
/* What the baseline costs over the optimum, as a share of the optimum. */
bool show_gap(const struct show_case *at, double *ret);

/* Of one variant, over the cases that have it. */
struct show_summary {
	size_t nr_cases;
	double slowdown; /* geometric mean */
	size_t nr_gaps;	 /* cases with a gap of SWEEP_GAP_MIN at least */
	double recovered, lowest, highest;
	size_t lowest_case, highest_case;
};
/* fast: of this size only; NULL: all. */
struct show_summary show_summarise(const struct show *show, size_t variant, const char *fast);
/* The variant of this policy that has the smallest mean over the cases that all of them have;
 * SIZE_MAX when it has none. */
size_t show_best(const struct show *show, const char *policy, bool worst);

/* What a tunable alone explains of the differences between the variants of a policy. */
struct show_effect {
	const char *key;
	double share; /* of the variance of ln(mean slowdown), 0..1 */
	const char *best_value, *worst_value;
	double best, worst; /* mean slowdown with it */
	size_t nr_values;
};
/* Fills up to `max`, the largest share first; returns how many. ret_spread: slowdown of the worst
 * variant over that of the best; ret_rest: what no tunable alone explains. */
size_t show_effects(const struct show *show, const char *policy, struct show_effect *effects,
		    size_t max, double *ret_spread, double *ret_rest);

void show_to_text(struct printbuf *out, const struct show *show, unsigned columns, bool is_utf8);
/* Every row of the file that the filter takes, with what follows from its case. */
int show_to_json(struct printbuf *out, const struct show *show, struct sweep_db *db,
		 const struct sweep_filter *filter, struct printbuf *err);
int show_to_csv(struct printbuf *out, const struct show *show, struct sweep_db *db,
		const struct sweep_filter *filter, struct printbuf *err);

/* "FROM runs WHERE ... ORDER BY ..." in the order of cases and variants, to be bound with the
 * filter: what the loader and the writers of rows share. */
#define SHOW_FROM                                                                                  \
	" FROM runs WHERE recording GLOB ?1 AND fast GLOB ?2 "                                     \
	"ORDER BY recording_group, recording, "                                                    \
	"max(coalesce(fast_bytes, 0)) OVER (PARTITION BY recording, fast) DESC, fast, machine, "   \
	"dilate, cost, " SHOW_VARIANT_ORDER ", seed"
#define SHOW_VARIANT_ORDER                                                                         \
	"CASE kind WHEN 'kernel' THEN 0 WHEN 'agent' THEN 1 ELSE 2 END, "                          \
	"base <> 'linux-none', policy, spec, kernel"

#endif
