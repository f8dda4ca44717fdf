/* SPDX-License-Identifier: MIT */
/*
 * What a recording shows of a program's memory: one pass over its batches, whatever their kind.
 *
 *     batches --> regions     names of ranges               (mappings)
 *             --> tally       per page: touched, counted    (accesses, counts)
 *             --> grid        heat over time and addresses  (all kinds)
 *             --> workingset  pages touched per interval    (all kinds)
 *
 * "Touched" is: seen at least once in an interval. For accesses that is computed here from the
 * events (a recording with touches holds the first access of each page and interval, so it is
 * exact; one that holds only misses shows what missed). Samples are ranges with hits of checks:
 * they stay ranges, spread over the blocks of the grid, and their hit ratio is the heat.
 *
 * What is counted (`measure`) is the traffic to memory: misses when the recording knows them, else
 * accesses; for samples an estimate, page-milliseconds weighted by the hit ratio.
 *
 * Memory is bounded by its parts, whatever the file: at most about 120 MB, 20 MB for samples. Time:
 * one hash look-up per event on another page than the one before.
 */
#ifndef BERTH_MEM_PROFILE_H
#define BERTH_MEM_PROFILE_H

#include "mem/grid.h"
#include "mem/regions.h"
#include "mem/tally.h"
#include "mem/workingset.h"
#include "trace/trace.h"

#define PROFILE_INTERVAL_DEFAULT_NS NS_PER_MS
#define PROFILE_HOT_BP		    5000 /* hot: touched in at least half of the intervals */
#define PROFILE_WARM_BP		    500	 /* warm: in at least one of twenty; colder is cold */
#define PROFILE_MAX_SPACES	    64	 /* drawn apart; the others share the last */
#define PROFILE_COVERAGE	    101

enum profile_measure { PROFILE_MISSES, PROFILE_ACCESSES, PROFILE_HITS };

struct profile_region {
	uint32_t space;			/* PROFILE_MAX_SPACES - 1: several */
	uint32_t id;			/* of its name */
	char *name;			/* as recorded; "" when unnamed: its address is its name */
	uint64_t first_page, last_page; /* touched ones */
	uint64_t touched_pages, hot_pages, warm_pages, cold_pages;
	double count;	     /* of the measure */
	double mean_rate;    /* of intervals in which a touched page of it is touched, 0..1 */
	uint64_t busy_pages; /* of those that take 90 % of the whole count */
};

struct profile_snapshot;

struct profile {
	uint32_t page_bytes;
	uint64_t interval_ns;
	bool is_samples;	 /* heat comes from samples */
	bool counts_misses_only; /* the events are misses: touches between are not seen */
	bool order_unknown;	 /* counts per epoch */
	enum profile_measure measure;
	struct regions names;
	struct tally tally;
	struct grid grid;
	struct workingset workingset;
	/* The pass. */
	uint64_t interval, interval_end_ns; /* the current one */
	uint64_t touched_now;		    /* pages in it */
	struct profile_snapshot *snapshot;  /* of samples; see profile_samples.c */
	uint64_t blocked_ns;
	uint64_t nr_events;
	uint64_t end_ns; /* of the last event */
	/* The result, after profile_finish(). */
	uint64_t nr_intervals;
	uint64_t duration_ns;
	uint64_t touched_pages;
	double count;			/* of the measure, all */
	struct profile_region *regions; /* by (space, address) */
	uint32_t nr_regions;
	uint64_t busy_pages; /* the smallest set of pages that takes 90 % of the count */
	/* [i]: share of the count that the busiest i % of the touched pages take. */
	double coverage[PROFILE_COVERAGE];
};

int profile_new(const struct trace_info *info, struct profile **ret);
struct profile *profile_free(struct profile *profile);
int profile_add(struct profile *profile, const struct trace_batch *batch);
/* Closes the pass: info's duration counts even if nothing happened at its end. */
int profile_finish(struct profile *profile, const struct trace_info *info);

/* Parts of the pass that its files share: time is made to fit the bins; the bin of an interval. */
void profile_fit_time(struct profile *profile, uint64_t interval);
int profile_add_samples(struct profile *profile, const struct trace_batch *batch);
void profile_close_snapshot(struct profile *profile);
void profile_close_time(struct profile *profile, uint64_t duration_ns);

/* Of the finished grid. Heat is the rate at which a cell's pages were touched, 0..1. */
double profile_heat(const struct profile *profile, const uint32_t *blocks, uint32_t nr_blocks,
		    unsigned first_bin, unsigned nr_bins);
unsigned profile_nr_bins(const struct profile *profile); /* that hold time; at least 1 */
uint64_t profile_bin_ns(const struct profile *profile);

#endif
