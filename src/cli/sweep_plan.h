/* SPDX-License-Identifier: MIT */
/*
 * From a grid to work: the recordings that are there, the rows, and the jobs.
 *
 *     open   every recording's header; refuse what cannot serve a policy     (before any work)
 *     size   what a peak decides: fast memory, the default machine           (after measuring)
 *     cut    rows that are wanted into jobs, the longest first
 */
#ifndef BERTH_CLI_SWEEP_PLAN_H
#define BERTH_CLI_SWEEP_PLAN_H

#include "cli/sweep.h"

#define SWEEP_NO_KERNEL	   UINT32_MAX
#define SWEEP_DECODE_COST  4   /* of decoding and mapping pages, in units of sweep_variant.weight */
#define SWEEP_SPLITS_MAX   64  /* recordings whose cutting is tried */
#define SWEEP_BYTES_A_PAGE 160 /* of one simulation: the most that was seen, rounded up */

struct sweep_recording {
	char *name, *group;
	char *path; /* absolute */
	uint64_t bytes;
	char checksum[16]; /* "crc32:1a2b3c4d" */
	uint32_t page_bytes;
	uint64_t nr_events, duration_ns;
	bool is_counts_only, is_cut;
	struct sim_extent extent; /* of sim_measure */
	bool is_measured;
	uint64_t dilate;
	struct machine *machine;
	char *machine_line;
	char *cost;	      /* the grid's, with the tick spelled out */
	uint64_t *fast_bytes; /* [grid size]; 0: the machine's own */
};

enum sweep_row_state { SWEEP_WANTED, SWEEP_PRESENT, SWEEP_DONE, SWEEP_LOST };

struct sweep_row {
	uint32_t recording, variant, size, seed;
	uint32_t kernel; /* index into plan->kernels; SWEEP_NO_KERNEL */
	enum sweep_row_state state;
};

struct sweep_job {
	uint32_t recording;
	bool is_measure;
	uint32_t *rows;
	size_t nr_rows;
	/* In events x weight: until the recording is fed, and after that. */
	uint64_t feed_cost, solve_cost;
};

struct sweep_plan {
	const struct sweep_grid *grid;
	struct sweep_recording *recordings;
	size_t nr_recordings;
	const char **kernels;
	size_t nr_kernels;
	struct sweep_row *rows;
	size_t nr_rows;
	struct sweep_job *jobs;
	size_t nr_jobs;
};

int sweep_plan_new(const struct sweep_grid *grid, struct sweep_plan **ret, struct printbuf *err);
struct sweep_plan *sweep_plan_free(struct sweep_plan *plan);
/* Each recording that is not measured yet becomes a job. */
int sweep_plan_measure(struct sweep_plan *plan);
/* WHEN: once all are measured. */
int sweep_plan_size(struct sweep_plan *plan, struct printbuf *err);
/* Jobs of the rows that are SWEEP_WANTED, for so many workers that have memory_bytes each. */
int sweep_plan_cut(struct sweep_plan *plan, unsigned nr_workers, uint64_t memory_bytes);
/* A job in two halves, in place of it; for finding which row brings a worker down. */
int sweep_plan_halve(struct sweep_plan *plan, const struct sweep_job *job);
void sweep_plan_clear_jobs(struct sweep_plan *plan);

/* The command that gives this row again. */
void sweep_row_command(struct printbuf *out, const struct sweep_plan *plan,
		       const struct sweep_row *row);
const char *sweep_row_kernel(const struct sweep_plan *plan, const struct sweep_row *row); /* "" */
/* "sqlite under linux-none at 50%", for messages. */
void sweep_row_to_text(struct printbuf *out, const struct sweep_plan *plan,
		       const struct sweep_row *row);

/* Opens for simulating, as `berth sim` does. */
int sweep_recording_open(const struct sweep_recording *recording, struct trace_reader **ret,
			 struct printbuf *err);

#endif
