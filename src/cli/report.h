/* SPDX-License-Identifier: MIT */
/*
 * What the files of `berth report` share: the finished result, and one function per look of it.
 *
 *     cmd_report.c   reads the recording into a struct report
 *     report_curve.c how much fast memory: slowdown against share
 *     report_text.c, report_heatmap.c, report_plot.c   the terminal
 *     report_json.c, report_svg.c                      JSON and CSV, and the picture
 */
#ifndef BERTH_CLI_REPORT_H
#define BERTH_CLI_REPORT_H

#include "base/error.h"
#include "base/table.h"
#include "machine/machine.h"
#include "mem/heatmap.h"
#include "trace/trace.h"

#define REPORT_SCHEMA 1

struct report_point { /* one size of the fast tier */
	double share; /* of the peak of live memory */
	uint64_t fast_bytes;
	/* Times the run with everything in fast memory; lower <= truth <= upper. */
	double static_lower, static_upper;
	double optimal_lower, optimal_upper;
	double served; /* share of the count that the busiest pages of this size take */
};

#define REPORT_MAX_POINTS 11

struct report_curve {
	bool has_slowdown; /* else only `served` is known, and `why_not` says why */
	char *why_not;
	char *machine_line;
	bool machine_is_default;
	char *note;	      /* a sentence that the reader of the figures must see, or NULL */
	uint64_t tick_ns;     /* between two decisions of `optimal` */
	uint64_t total_bytes; /* 100 %: peak of live memory */
	uint64_t all_fast_ns;
	double all_slow; /* times all-fast */
	struct report_point points[REPORT_MAX_POINTS];
	uint32_t nr_points;
};

struct report {
	const char *path;
	const struct trace_info *info;
	struct profile *profile;
	struct report_curve curve;
	bool is_cut;
	const char *cut_text; /* why, a sentence; or "" */
};

struct report_style {
	unsigned columns; /* of the terminal */
	unsigned rows;	  /* of the heatmap */
	bool colour, utf8;
};

/* Feeds on the same pass as the profile; see report_curve.c. */
struct curve_maker;
int curve_maker_new(const struct trace_info *info, const char *machine, struct report_curve *curve,
		    struct curve_maker **ret, struct printbuf *err);
int curve_maker_feed(struct curve_maker *maker, const struct trace_batch *batch,
		     struct printbuf *err);
int curve_maker_finish(struct curve_maker *maker, const struct profile *profile,
		       struct printbuf *err);
struct curve_maker *curve_maker_free(struct curve_maker *maker);
void report_curve_fini(struct report_curve *curve);
/* The point nearest to `share`; NULL when the curve has no slowdown. */
const struct report_point *report_curve_at(const struct report_curve *curve, double share);

/* Words that several looks use. */
const char *report_measure(const struct report *report); /* "misses" */
uint64_t report_bytes(const struct report *report, uint64_t pages);
void report_region_name(struct printbuf *out, const struct report *report, uint32_t region);
void report_space_name(struct printbuf *out, const struct report *report, uint32_t space);
uint32_t report_nr_spaces(const struct report *report); /* that were touched */
void report_summary(struct printbuf *out, const struct report *report);
void report_definitions(struct printbuf *out, const struct report *report);
void report_streams(struct printbuf *out, const struct report *report);
/* Rows by what they take, most first; the least share the last row beyond max_rows. */
struct table *report_regions_table(const struct report *report, uint32_t max_rows,
				   bool with_process);
struct table *report_curve_table(const struct report *report);
struct table *report_workingset_table(const struct report *report);

/* Breaks at blanks so that no line passes `columns`; `indent` blanks before each. */
void report_wrapped(struct printbuf *out, const char *text, unsigned indent, unsigned columns);

/* Looks. */
void report_to_text(struct printbuf *out, const struct report *report,
		    const struct report_style *style);
void report_heatmap_to_text(struct printbuf *out, const struct report *report,
			    const struct report_style *style);
void report_workingset_to_text(struct printbuf *out, const struct report *report,
			       const struct report_style *style);
void report_curve_to_text(struct printbuf *out, const struct report *report,
			  const struct report_style *style);
void report_to_json(struct printbuf *out, const struct report *report, uint32_t rows);
/* which: "regions", "working-set", "curve" or "heatmap". */
void report_to_csv(struct printbuf *out, const struct report *report, const char *which,
		   uint32_t rows);
void report_to_svg(struct printbuf *out, const struct report *report, uint32_t rows);

/* Columns of the terminal pictures, shared so that their time axes align. */
struct report_columns {
	unsigned name, size, cells, share;
};
struct report_columns report_columns(const struct report_style *style);
void report_time_axis(struct printbuf *out, const struct report *report,
		      const struct report_columns *columns, bool with_share);

#endif
