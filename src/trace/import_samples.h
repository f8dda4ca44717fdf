/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of ranges (DAMON's results), collected in the order of a file, given back in the order
 * of time. Used by the importers of damo's formats.
 *
 * Collect: a snapshot is built range by range with import_snapshot_add, then handed over with
 * import_samples_commit under the number of its series (one per target of a kdamond's context).
 * What a file tells about a series, it may tell after the snapshots: series are resolved at the
 * end. Replay: import_samples_finish once, then import_samples_next until 0.
 */
#ifndef BERTH_TRACE_IMPORT_SAMPLES_H
#define BERTH_TRACE_IMPORT_SAMPLES_H

#include "trace/trace.h"

#define IMPORT_MAX_SERIES	  4096
#define IMPORT_SAMPLE_NS_DEFAULT  (5 * NS_PER_MS)     /* DAMON's, when the file does not say */
#define IMPORT_CHECKS_PERCENT	  100		      /* hits given as percent are out of these */
#define IMPORT_PHYSICAL_PAGES_MAX ((uint64_t)1 << 32) /* 16 TiB: programs map higher than this */

struct import_series {
	uint32_t space;
	uint64_t sample_ns, aggregation_ns; /* 0: the file does not say */
	/* Counted by commit. */
	uint64_t nr_snapshots;
	uint64_t first_end_ns, last_end_ns;
	uint64_t max_page;
	uint32_t max_hits;
	bool lacks_window; /* a snapshot came without the length of its window */
	bool lacks_checks;
	uint64_t mean_window_ns; /* by finish: for snapshots that lack it */
};

struct import_snapshot { /* zeroed to begin with */
	uint8_t *bytes;
	size_t nr, size;
	uint64_t end_page;
	uint64_t max_page;
	uint32_t nr_ranges;
	uint32_t max_hits;
};

struct import_samples;

int import_samples_new(struct import_samples **ret);
struct import_samples *import_samples_free(struct import_samples *samples);

/* -E2BIG: the snapshot passes the bound of memory. */
int import_snapshot_add(struct import_snapshot *snapshot, uint64_t page, uint64_t nr_pages,
			uint32_t hits);
void import_snapshot_clear(struct import_snapshot *snapshot); /* empty, storage kept */
void import_snapshot_fini(struct import_snapshot *snapshot);

/* A further series; -E2BIG: too many. The pointer of import_samples_series holds until then. */
int import_samples_add_series(struct import_samples *samples, uint32_t *ret_number);
struct import_series *import_samples_series(struct import_samples *samples, uint32_t number);
uint32_t import_samples_nr_series(const struct import_samples *samples);

/* window_ns, checks: 0 when the file does not say. Clears the snapshot. -E2BIG: too many steps
 * back in time. */
int import_samples_commit(struct import_samples *samples, uint32_t series,
			  struct import_snapshot *snapshot, uint64_t end_ns, uint64_t window_ns,
			  uint32_t checks);
/* The end of a snapshot that holds nothing but its time (damo's made-up successor of a lone one).
 */
void import_samples_mark(struct import_samples *samples, uint32_t series, uint64_t end_ns);

uint64_t import_samples_nr_ranges(const struct import_samples *samples);
int import_samples_finish(struct import_samples *samples, uint64_t ns_per_ktick,
			  uint64_t *ret_duration_ns);
/* As struct trace_import's next; times count from the start of the first window. */
int import_samples_next(struct import_samples *samples, const struct trace_batch **ret_batch);

#endif
