/* SPDX-License-Identifier: MIT */
/*
 * Runs side by side: what a program said of itself, what the lab counted, and what several runs
 * make of it. No run is started here (cli/cmd_lab_compare.c does), so all of it is arithmetic.
 *
 *     program's lines  -> compare_printed --+
 *     lab_result       ---------------------+-> compare_run   one run
 *                                               compare_case  a policy on a kernel: its runs
 *                                               compare       all cases, with the yardsticks
 *
 * A ratio is always a speed over the yardstick's speed, whichever way the metric is better: 1 is as
 * fast, 0.5 takes twice as long or does half as much.
 */
#ifndef BERTH_LAB_COMPARE_H
#define BERTH_LAB_COMPARE_H

#include "lab/launcher/lab.h"

#define COMPARE_WORD_MAX   48	/* bytes of a metric's name or unit */
#define COMPARE_SERIES_MAX 4096 /* intervals of one run that are kept */
#define COMPARE_MAX_TIERS  8

struct compare_metric {
	char name[COMPARE_WORD_MAX], unit[COMPARE_WORD_MAX];
	bool is_higher_better;
};

struct compare_interval { /* of the steady run: a rate from then until end_ns */
	double rate;
	uint64_t end_ns;
};

/* What a program printed, as far as it matters (lab/workloads/README.md). */
struct compare_printed {
	bool has_value, was_placed;
	struct compare_metric metric;
	double value;
	struct compare_interval *series;
	size_t nr_series;
	char last[256]; /* its last line that was not empty, made safe */
};

/* One line without its newline. `wish`: the metric asked for, or NULL for the result. */
void compare_read_line(struct compare_printed *printed, const char *line, const char *wish);
/* A whole file; stops at nothing but the end. */
int compare_read_file(struct compare_printed *printed, int fd, const char *wish);
void compare_printed_fini(struct compare_printed *printed);

enum compare_figure { /* counters that explain */
		      COMPARE_MISSES,
		      COMPARE_FAST_MISSES, /* served by the fastest tier */
		      COMPARE_PROMOTED,
		      COMPARE_DEMOTED,
		      COMPARE_HINT_FAULTS,
		      COMPARE_MOVED, /* pages migrated, for whatever reason */
		      COMPARE_FAILED,
		      COMPARE_NR_FIGURES,
};

struct compare_run {
	bool is_ok; /* it ended well and has a value */
	double value;
	char end[24]; /* a word or two: "panic", "status 3"; "" when is_ok */
	char *why;    /* a sentence; NULL: none */
	uint64_t wall_ns, guest_ns, boot_wall_ns, modelled_ns;
	bool has_model;
	uint64_t figures[COMPARE_NR_FIGURES];
	uint64_t wait_ns[COMPARE_MAX_TIERS];
	struct compare_interval *series;
	size_t nr_series;
};

struct compare_case {
	const char *policy, *kernel; /* as given */
	bool is_yardstick;	     /* added without being asked for */
	bool is_left_out;	     /* static-best, and the program places nothing */
	struct compare_run *runs;
	uint32_t nr_runs, room;
	/* compare_summarize() */
	uint32_t nr_ok;
	double median, min, max, mad;	    /* mad: median of the distances from the median */
	int64_t typical;		    /* the run nearest to the median; -1: none is ok */
	double of_static_best, of_all_fast; /* NaN: no yardstick */
};

struct compare {
	struct compare_metric metric; /* name empty: no run has ended well yet */
	struct compare_case *cases;
	size_t nr_cases;
	uint32_t nr_tiers;
};

/* "modelled", "time" or what the program calls it; NULL: the result, or time without one. */
int compare_add_run(struct compare *compare, size_t index, const struct lab_result *result,
		    const struct machine *machine, enum lab_time time, const char *wish,
		    struct compare_printed *printed);
/* After the last run, or whenever a table is wanted. */
void compare_summarize(struct compare *compare);
void compare_fini(struct compare *compare);

double compare_median(const double *values, size_t nr); /* NaN of none; sorts a copy */
double compare_ratio(const struct compare_metric *metric, double value, double yardstick);

#endif
