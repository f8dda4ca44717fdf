/* SPDX-License-Identifier: MIT */
/*
 * Placing the memory of processes: one live world, one set of samplers, one mover, one engine and
 * one policy for all jobs that berth serves at a time. Who those processes are, and for how long
 * they are served, is its caller's: `berth run --tier` (tier.h) has one job, a daemon many.
 *
 *     placer_new      machine, live world, sampler and mover chosen    changes nothing
 *     placer_start    kernel.numa_balancing=0 held; the engine         journalled first
 *     placer_tick     refresh (once a second), engine_tick; tells when to come again, at the
 *                     latest after a second, or two while none of the processes runs
 *     placer_finish   what was on its way is counted: before a report
 *     placer_free     engine and world gone; what the journal holds is its caller's to undo
 *
 *     jobs    [0] floor, cap, pages, counts      <- live.job_of[space]
 *             [1] ...                            numbered as they came, a number is used again
 *                                                when no process is left in it
 *
 * Fast and slow pages of a job are counted from numa_maps when there are several (at most 1/200 of
 * a CPU while they become more or fewer, else 1/1000), and corrected by each move that is read back
 * in between.
 *
 * Cost: what sampler and mover take (both are measured), and a wake-up a second. About 150 KiB.
 */
#ifndef BERTH_LINUX_PLACER_H
#define BERTH_LINUX_PLACER_H

#include "engine/engine.h"
#include "linux/advice.h"
#include "linux/ledger.h"
#include "linux/live.h"
#include "linux/movers.h"
#include "linux/patience.h"
#include "linux/samplers.h"
#include "linux/series.h"

struct placer_wish {
	const struct policy_ops *policy;
	const uint64_t *values; /* of its tunables; NULL: defaults */
	const char *sampler; /* names, "a,b"; NULL or "auto": what works here, by what it costs */
	const char *mover;   /* a name; NULL or "auto": the first */
	uint32_t advice;     /* ADVICE_BIT of kinds; 0: none */
	struct engine_budget budget;
	uint64_t sampling_share_bp;	  /* of a CPU; 0: the default */
	bool is_share_fixed;		  /* not more of it while pages move */
	bool keeps_ledger;		  /* for explain and round trips; and has patience */
	bool is_dry;			  /* plans are told, nothing is moved or held */
	const struct engine_watch *watch; /* sees what the engine does; NULL: nobody */
};

struct placer_counts { /* of a job, in pages */
	uint64_t nr_planned, nr_promoted, nr_demoted;
	/* With a ledger: wished for anew (a page once a minute), to a faster tier and to a slower
	 * one; brought back to where they came from. */
	uint64_t nr_wanted_up, nr_wanted_down, nr_trips;
	uint64_t nr_outcome[MOVE_NR_OUTCOMES];
};

struct placer {
	const struct root *root;       /* borrowed */
	const struct machine *machine; /* borrowed */
	struct placer_wish wish;
	struct live live;
	const struct sampler_ops *samplers[LIVE_SAMPLERS_MAX];
	uint32_t nr_samplers;
	const struct live_mover *mover;
	void *mover_state;
	struct advice *advice; /* NULL: none is wanted */
	struct engine *engine;
	struct engine_watch watch;
	struct policy_job jobs[ENGINE_JOBS_MAX];
	struct placer_counts counts[ENGINE_JOBS_MAX];
	struct patience patience[ENGINE_JOBS_MAX];
	uint32_t nr_jobs;
	struct ledger ledger;	  /* if it is kept */
	void *dry;		  /* instead of the mover's state */
	uint64_t now_ns;	  /* of this turn */
	uint64_t fast_free_pages; /* at the last look, above the low watermarks */
	uint64_t begun_ns, refreshed_ns, refresh_rest_ns;
	uint64_t moved_ns, nr_moved; /* when pages moved last, and how many by then */
	uint64_t ticking_ns;	     /* CPU time of ticks */
	uint64_t nr_seen;	     /* pages that samples told of */
	struct series series;
};

int placer_new(const struct root *root, const struct machine *machine,
	       const struct placer_wish *wish, struct placer **ret, struct printbuf *err);
/* What it changes on the machine goes to the journal first; it is borrowed for the placer's life.
 * NULL: nothing is changed. */
int placer_start(struct placer *placer, struct journal *journal, struct printbuf *err);
/* Tables in huge pages would take 2 MiB for what is not written yet. For the whole process, and
 * children would inherit it: for who has none that is not born yet. */
void placer_forgo_huge_pages(void);
/* Floor and cap of a job, from the next tick on; jobs up to its number are made. -E2BIG. */
int placer_set_job(struct placer *placer, uint32_t job, uint64_t floor_bytes, uint64_t cap_bytes);
/* Where its threads are at home; NULL: nowhere. Borrowed until it is said anew. */
void placer_set_home(struct placer *placer, uint32_t job, const struct set *cpus);
/* One turn. *ret_wait_ms: come again then. Negative: as engine_tick(). */
int placer_tick(struct placer *placer, int *ret_wait_ms, struct printbuf *err);
/* Readable when moves have finished: worth a turn before it is time. -1: none. */
int placer_fd(const struct placer *placer);
/* What is on its way is counted, as far as the mover can tell; no move begins any more. */
void placer_finish(struct placer *placer);
/* Up to now; borrowed. */
const struct series *placer_series(struct placer *placer);
struct placer *placer_free(struct placer *placer); /* NULL allowed; returns NULL */

/* placer_dry.c: moves nothing, and says of every page that it was not to be moved. */
extern const struct mover_ops mover_dry;
int mover_dry_new(void **ret);
void mover_dry_free(void *mover); /* NULL allowed */

#endif
