/* SPDX-License-Identifier: MIT */
/*
 * A set of simulations over one recording: the public face of this room.
 *
 *     sim_set_new(machine, recording, policies x fast sizes) -> sim_set_run(reader) -> results
 *
 * The recording is decoded once; every policy at every fast size runs on the same pass (bounds
 * that need the future are solved at its end and replayed from what the pass gathered).
 *
 * "recording" as the name of a kernel is the one that the recording was made under (recorded.h).
 *
 * -P takes the name of a kernel preset, of an agent that runs above the kernel of -K, or of a
 * bound; the three share one name space. Same input and seed, same bytes out.
 */
#ifndef BERTH_SIM_SIM_H
#define BERTH_SIM_SIM_H

#include "machine/machine.h"
#include "sim/cost.h"
#include "trace/trace.h"

#define SIM_KERNEL_DEFAULT "linux-none"
#define SIM_SET_MAX	   4096 /* simulations in one set */
#define SIM_DILATE_MAX	   1000000

struct simulation_watch; /* sim/simulation.h */

/* One of several recordings that share the machine (sim/job_account.h). */
#define SIM_JOBS_MAX	   64
#define SIM_JOB_SPACES_MAX 4096 /* processes of one */
struct sim_job_config {
	const char *name;
	uint64_t floor_bytes, cap_bytes; /* of fast memory; UINT64_MAX: no cap */
};

struct sim_config {
	const struct machine *machine; /* outlives the set */
	bool is_as_found;	     /* memory in use, and watermarks, are those of the recording */
	const char *const *policies; /* "NAME" or "NAME:key=value,..."; at least one */
	size_t nr_policies;
	const char *kernel;	    /* for agents; NULL: SIM_KERNEL_DEFAULT */
	const uint64_t *fast_bytes; /* sizes of the fast tier to try; none: the machine's own */
	size_t nr_fast;
	const char *cost; /* "key=value,..." of cost_tunables; NULL: defaults */
	uint64_t dilate;  /* 0 and 1: none */
	uint64_t seed;
	unsigned effort;		   /* of bounds, 0..2 */
	uint32_t max_epochs;		   /* of the series in the results; 0: none kept */
	struct simulation_watch *watch;	   /* of the first policy at the first size; NULL: nobody */
	const struct sim_job_config *jobs; /* outlive the set; none: one recording, one job */
	uint32_t nr_jobs;		   /* not with is_as_found or watch */
};

/* Budgets of the engine, given among an agent's own keys: recency:idle=20,rate=1GBps. */
enum sim_budget { SIM_RATE, SIM_FLOOR, SIM_CAP, SIM_NR_BUDGETS };
extern const struct tunable sim_budget_tunables[SIM_NR_BUDGETS];

/* How an agent sees the simulated machine, given among its keys too: berth:sampler=hint-faults. */
enum sim_sampler_kind { /* values of SIM_SAMPLER */
			SIM_SAMPLER_AUTO,
			SIM_SAMPLER_ACCESSED_BITS,
			SIM_SAMPLER_HINT_FAULTS,
			SIM_SAMPLER_HINT_FAULTS_NO_LATENCY,
			SIM_SAMPLER_DAMON,
			SIM_SAMPLER_HARDWARE,
			SIM_NR_SAMPLER_KINDS,
};
enum sim_sampler_key {
	SIM_SAMPLER,
	SIM_SAMPLE_PERIOD,
	SIM_HINT_NODES, /* 0: as the policy needs, 1: all, 2: slow */
	SIM_AGGR_PERIOD,
	SIM_UPDATE_PERIOD,
	SIM_MIN_REGIONS,
	SIM_MAX_REGIONS,
	SIM_LOAD_PERIOD, /* of the hardware sampler, like those below */
	SIM_STORE_PERIOD,
	SIM_SAMPLE_HZ,
	SIM_SAMPLE_COST,
	SIM_SAMPLE_SHARE,
	SIM_PMU,
	SIM_NR_SAMPLER_KEYS,
};
extern const struct tunable sim_sampler_tunables[SIM_NR_SAMPLER_KEYS];

enum sim_policy_kind { SIM_KERNEL, SIM_AGENT, SIM_BOUND };

struct sim_series_epoch {	   /* neighbours are merged when there are more than max_epochs */
	uint64_t start_ns, end_ns; /* of the recording's clock */
	uint64_t time_ns;	   /* predicted */
	uint64_t misses, fast_misses;
};

struct sim_result {
	const char *policy; /* as given */
	const char *kernel; /* below an agent; NULL otherwise */
	enum sim_policy_kind kind;
	int error; /* 0, or why there are no figures (-ENOSPC: the machine is too small) */
	const char *error_text;
	uint64_t fast_bytes;  /* of the fast tier; UINT64_MAX when it never fills up */
	uint64_t time_ns;     /* predicted */
	uint64_t all_fast_ns; /* the same recording with everything on the fastest node */
	/* Stall per cause; they add up to time_ns but for rounding to whole ns. */
	uint64_t compute_ns, latency_ns, bandwidth_ns, migration_ns, faults_ns, blocked_ns;
	uint64_t nr_faults; /* hint faults that the program took */
	/* An agent's samplers, not in time_ns: accessed bits they looked at, and CPU time of all
	 * that seeing took. */
	uint64_t nr_checks, sampler_ns;
	uint64_t linear_ps; /* latency + migration, exact: comparable with bounds */
	uint64_t misses, fast_misses;
	const struct cost_node *nodes; /* [machine node index] */
	uint64_t nr_promoted, nr_demoted, nr_sideways, nr_refused, nr_cut; /* pages */
	uint64_t nr_round_trips; /* pages that went back soon (kernel/trips.h); 0 for bounds */
	uint64_t moved_bytes;
	uint64_t memory_bytes; /* this simulation's own: kernel pages, policy, engine */
	/* Bounds with a schedule only: certified figures of the linear part, and how. */
	bool has_bound, is_exact;
	uint64_t lower_ps, upper_ps;
	uint64_t lower_time_ns; /* compute + blocked + lower_ps: no policy can be faster */
	const char *method;
	const struct sim_series_epoch *series;
	uint32_t nr_series;
};

struct sim_job_figures { /* of one result: what a job had and has */
	uint64_t misses, fast_misses;
	uint64_t nr_promoted, nr_demoted; /* pages */
	/* At the end, and at most; pages that were touched. Unknown where pages have no place of
	 * their own (all-fast, all-slow): has_pages is false then. */
	bool has_pages;
	uint64_t fast_pages, slow_pages, peak_fast_pages;
};

struct sim_set;
/* Parses and checks everything before the recording is read. -EINVAL: a name, key or size that
 * does not exist (says which do); -EOPNOTSUPP: the recording lacks what a policy needs. `info`:
 * of the recording; used here only. */
int sim_set_new(const struct sim_config *config, const struct trace_info *info,
		struct sim_set **ret, struct printbuf *err);
/* Batch by batch, and then the end; or sim_set_run does both. */
int sim_set_feed(struct sim_set *set, const struct trace_batch *batch, struct printbuf *err);
int sim_set_finish(struct sim_set *set, uint64_t duration_ns, struct printbuf *err);
/* Feeds the reader to its end and finishes. 0; 1: the reader failed on the way (err says where)
 * and the results cover what came before; negative: no results. */
int sim_set_run(struct sim_set *set, struct trace_reader *reader, struct printbuf *err);
/* The recordings of the jobs, in the jobs' order; as sim_set_run. */
int sim_set_run_jobs(struct sim_set *set, struct trace_reader *const *readers,
		     struct printbuf *err);
/* Can these be jobs of one set? Their names are for the sentence. 0, -EINVAL or -EOPNOTSUPP. */
int sim_check_jobs(const struct trace_info *const *infos, const struct sim_job_config *jobs,
		   uint32_t nr, struct printbuf *err);
struct sim_set *sim_set_free(struct sim_set *set);

/* Policies in the order given, sizes inner: result[policy * nr_fast + size]. */
size_t sim_set_nr_results(const struct sim_set *set);
const struct sim_result *sim_set_result(const struct sim_set *set, size_t index);
/* A job's figures of a result; NULL: a bound that was solved at the end, or there are no jobs.
 * WHEN: after the end. */
const struct sim_job_figures *sim_set_job(const struct sim_set *set, size_t index, uint32_t job);
/* The /proc/vmstat counters that the kernel of a result kept, under Linux's names; nothing for
 * bounds and for kernels that keep none. WHEN: after the end. */
void sim_set_counters(const struct sim_set *set, size_t index,
		      void (*emit)(void *context, const char *name, uint64_t value), void *context);
/* What the recording's own kernel did, where the recording tells the node of pages and is_as_found;
 * false otherwise. WHEN: after the end. */
struct sim_found {
	uint64_t misses, fast_misses;
	uint64_t nr_unknown; /* misses of pages whose node is not told; in neither */
};
bool sim_set_found(const struct sim_set *set, struct sim_found *ret);
/* Misses of the recording, whatever the policy. */
uint64_t sim_set_nr_misses(const struct sim_set *set);
/* Memory that all simulations share: the map of pages. */
uint64_t sim_set_stage_bytes(const struct sim_set *set);
const struct cost_model *sim_set_cost(const struct sim_set *set);
/* Sentences a reader of the figures must see (no cache model, ...). NULL after the last. */
const char *sim_set_note(const struct sim_set *set, size_t index);

struct sim_extent {	     /* what a recording needs, for sizing a machine */
	uint64_t peak_pages; /* alive together, at most */
	uint64_t nr_events, nr_misses;
	uint64_t set_bytes; /* memory the pass held, in bytes */
};
/* One pass over the reader without any policy. Returns as sim_set_run. */
int sim_measure(struct trace_reader *reader, struct sim_extent *ret, struct printbuf *err);
/* The two-tier machine used when none is named: DRAM of `fast_share_bp` of the peak and CXL memory
 * for all of it. */
int sim_default_machine(uint64_t peak_pages, uint32_t page_bytes, uint32_t fast_share_bp,
			struct machine **ret, struct printbuf *err);

/* Which kind of recording can be simulated at all: 0, or -EOPNOTSUPP with a sentence. */
int sim_check_recording(const struct trace_info *info, struct printbuf *err);
/* Everything -P and -K take: names, summaries, tunables. */
void sim_list_to_text(struct printbuf *out);

#endif
