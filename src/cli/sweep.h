/* SPDX-License-Identifier: MIT */
/*
 * `berth sweep`: many simulations, kept in a database. What its parts share.
 *
 *     GRID.ini --> sweep_grid --> sweep_plan ----> sweep_run --------> sweep_db --> sweep_show
 *                  (what was      (recordings,     (a process per      (SQLite)     (tables)
 *                   asked for)     rows, jobs)      job: sweep_work)
 *
 * A row is one simulation: recording x policy with its tunables x size of fast memory x seed (x
 * kernel below, for agents). A job is rows of one recording that one worker simulates in one
 * decode.
 */
#ifndef BERTH_CLI_SWEEP_H
#define BERTH_CLI_SWEEP_H

#include "base/ini.h"
#include "cli/sim_fields.h"
#include "policy/tunable.h"
#include "sim/sim.h"

#define SWEEP_GRID_BYTES   ((size_t)1 << 20) /* of the grid's file */
#define SWEEP_NAME_MAX	   40
#define SWEEP_LIST_MAX	   256	 /* values of one key */
#define SWEEP_POLICIES_MAX 256	 /* sections */
#define SWEEP_VARIANTS_MAX 65536 /* policies with their tunables */
#define SWEEP_SOURCES_MAX  4096	 /* recordings */
#define SWEEP_ROWS_MAX	   1000000
#define SWEEP_WORKERS_MAX  256

struct sweep_values {
	struct ini_value *items;
	size_t nr;
};

struct sweep_tunable { /* of a policy's section: a key and the values to try */
	struct ini_value key;
	struct sweep_values values;
};

struct sweep_policy { /* a section [policy NAME] */
	struct ini_value name, spec;
	struct sweep_tunable *tunables;
	size_t nr_tunables;
	struct sweep_values kernels; /* of this agent; none: those of [sweep] */
};

struct sweep_variant { /* a policy with one value of each tunable */
	uint32_t policy;
	char *spec;	/* as -P takes it */
	char *base;	/* its name alone */
	char *tunables; /* {"key": "value", ...}: those that the grid names */
	enum sim_policy_kind kind;
	bool needs_order;
	/* What a simulation costs beside a kernel that does nothing, roughly: while the recording
	 * is fed, or after its end (bounds). */
	unsigned weight;
	bool is_solved;
	uint64_t tick_ns; /* sim_spec_tick_ns */
};

enum sweep_size_kind { SWEEP_SIZE_OWN, SWEEP_SIZE_BYTES, SWEEP_SIZE_SHARE };

struct sweep_size {  /* of the fast tier */
	char *label; /* as written, or "machine" */
	enum sweep_size_kind kind;
	uint64_t bytes, part, whole; /* part / whole of the recording's peak */
};

struct sweep_source { /* a line of [recordings] */
	struct ini_value name, pattern;
	char *group; /* of [recordings GROUP]; "" */
};

struct sweep_grid {
	char *path;
	struct ini_value machine; /* text NULL: the default, made to fit each recording */
	struct ini_value dilate_text, span_text, cost, tick_text;
	uint64_t dilate, span_ns; /* span_ns 0: dilate counts */
	uint64_t tick_ns;	  /* of the kernel's clock, at most; 0: KERNEL_TICK_NS */
	struct sweep_values kernels, fast_texts, seed_texts;
	struct sweep_size *sizes;
	size_t nr_sizes;
	uint64_t *seeds;
	size_t nr_seeds;
	struct sweep_policy *policies;
	size_t nr_policies;
	struct sweep_source *sources;
	size_t nr_sources;
	struct sweep_variant *variants;
	size_t nr_variants;
};

/* Errors begin with FILE:LINE:COLUMN. Only the text is looked at, no recording. */
int sweep_grid_parse(const char *text, size_t nr_bytes, const char *path, struct sweep_grid **ret,
		     struct printbuf *err);
int sweep_grid_open(const char *path, struct sweep_grid **ret, struct printbuf *err);
struct sweep_grid *sweep_grid_free(struct sweep_grid *grid);
/* "FILE:LINE:COLUMN: sentence"; returns `error`. */
int sweep_grid_error(const struct sweep_grid *grid, const struct ini_value *at, int error,
		     struct printbuf *err, const char *format, ...) berth_printf(5, 6);

/* Room for one more of `size` bytes, zeroed, at the end of *items (grown by powers of two); NULL:
 * out of memory, and nothing is changed. */
void *sweep_append(void *items, size_t *nr, size_t size);

#endif
