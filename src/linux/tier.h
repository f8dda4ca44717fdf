/* SPDX-License-Identifier: MIT */
/*
 * A program whose memory berth places: started held, watched with all its children, its pages moved
 * between the tiers until it ends.
 *
 *     job_start      journal; the program is born, held, on its CPUs if it prefers some
 *       start        kernel.numa_balancing=0: the kernel's own moves are held back; live_watch
 *     job_wait       its CPUs are looked at                          (job.h)
 *       turn         placer_tick, until the program ends             (placer.h)
 *     job_end        journal undone
 *
 * Its CPUs and its memory are one job: one journal, one loop, one line of `berth status`. The
 * memory is the job's companion (job.h).
 *
 * The engine and the policy are those of the simulation. A failure of either ends the placing, not
 * the program, which goes on as it is.
 *
 * Cost: what sampler and mover take (both are measured and told), and a wake-up a second.
 */
#ifndef BERTH_LINUX_TIER_H
#define BERTH_LINUX_TIER_H

#include "base/json.h"
#include "engine/engine.h"
#include "linux/advice.h"
#include "linux/job.h"
#include "linux/live.h"
#include "linux/movers.h"
#include "linux/series.h"
#include "machine/root.h"

struct tier_wish {
	const struct job_wish *cpus; /* prefer empty: the kernel says where it runs */
	const struct policy_ops *policy;
	const uint64_t *values;	     /* of its tunables; NULL: defaults */
	const char *sampler, *mover; /* as placer_wish */
	uint32_t advice;	     /* as placer_wish */
	const char *machine;	     /* as -M; NULL: what this one tells of itself */
	struct engine_budget budget;
	uint64_t sampling_share_bp; /* of a CPU; 0: the default */
	/* What the user is to know meanwhile, and of what failed beside the memory. */
	void (*tell)(const char *text);
};

struct tier_report {
	struct engine_stats stats;
	const char *mover, *policy;
	struct live_cost costs[LIVE_COSTS_MAX]; /* of each sampler that was open */
	uint32_t nr_costs;
	uint64_t sampling_ns, moving_ns; /* CPU time of them */
	uint64_t ticking_ns, all_ns;	 /* of all ticks; of all berth, its start included */
	uint64_t passed_ns, policy_bytes;
	uint64_t max_rss_bytes; /* of berth itself: resident at most */
	uint64_t nr_sleeps;	/* times that berth slept since placing began: wake-ups */
	struct series series;	/* second by second */
	uint32_t nr_processes;
	struct mover_figures moving;
	struct advice_figures advice;
	uint64_t nr_foreign_pages; /* live.h */
	bool has_failed;	   /* placing ended before the program; the reason is in err */
};

/* Runs the program to its end. 0: *ret_status is its exit status; else it was never started, but
 * for *ret_exec_error, which is set when it could not be executed. */
int tier_run(const struct root *root, const struct tier_wish *wish, char *const arguments[],
	     int *ret_status, int *ret_exec_error, struct tier_report *ret_report,
	     struct printbuf *err);
/* CPU time of ticks that was not the samplers'; movers have their own thread. */
uint64_t tier_report_deciding_ns(const struct tier_report *report);
void tier_report_to_text(struct printbuf *out, const struct tier_report *report);
/* An object with a member for each figure (docs/live.md). */
void tier_report_to_json(struct json_writer *json, const char *key,
			 const struct tier_report *report);

#endif
