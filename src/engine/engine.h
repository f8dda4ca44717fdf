/* SPDX-License-Identifier: MIT */
/*
 * The loop, the same code in life and in a simulation:
 *
 *     samplers --poll--> batch --observe--> policy --decide--> plan --cut--> mover
 *                                            ^                                 |
 *                                            +----------- completed -----------+
 *
 * One engine_tick() is one turn. The engine owns the batch, the plan and the result buffer; it
 * reads no clock (the caller passes the time) and owns no thread.
 *
 * Budgets, applied in the plan's order, so that what the policy wants most is kept:
 *   - bytes per second of moving, as a token bucket of at most `burst_ns` of saving up, or 2 MiB;
 *     what the mover did not move is given back;
 *   - at most `max_moves` moves per tick;
 *   - each job's cap of fast memory: promotions beyond it are cut;
 *   - each job's floor of fast memory: demotions below it are cut;
 *   - promotions of a job that is left alone are cut.
 * "Fast" is every node of the machine's first tier (machine.tiers[0]).
 *
 * Cost: per tick O(samples + moves); about 700 KiB of buffers.
 */
#ifndef BERTH_ENGINE_ENGINE_H
#define BERTH_ENGINE_ENGINE_H

#include "policy/policy.h"
#include "policy/sampler.h"

#define ENGINE_SAMPLERS_MAX 5
#define ENGINE_JOBS_MAX	    512
#define ENGINE_BATCHES_MAX  65536 /* per sampler and tick; the rest waits for the next tick */

struct engine_budget {
	uint64_t bytes_per_s; /* UINT64_MAX: no limit */
	uint64_t burst_ns;    /* 0: one second */
	uint32_t max_moves;   /* per tick; 0: PLAN_MOVES_MAX */
	/* Of the only job, where the world does not tell of jobs: */
	uint64_t floor_fast_bytes; /* never demote the job below this */
	uint64_t cap_fast_bytes;   /* never promote the job above this; UINT64_MAX: no cap */
};
#define ENGINE_BUDGET_NONE                                                                         \
	((struct engine_budget){ .bytes_per_s = UINT64_MAX, .cap_fast_bytes = UINT64_MAX })

struct engine_sampler {
	const struct sampler_ops *ops;
	void *world; /* passed to probe and open */
};

/* Who shares the memory: arrays of the world's, good until it is asked again (policy_view). */
struct engine_jobs {
	const struct policy_job *jobs;
	uint32_t nr_jobs; /* 1 to ENGINE_JOBS_MAX */
	const uint32_t *job_of;
	uint32_t nr_spaces;
};

/* Who explains what the engine does; sees everything, changes nothing. All may be NULL. */
struct engine_watch {
	void *context;
	void (*observed)(void *context, const struct sample_batch *batch);
	void (*planned)(void *context, const struct plan *plan); /* before it is cut */
	void (*completed)(void *context, const struct move_result *results, uint32_t nr);
};

struct engine_config {
	const struct machine *machine; /* outlives the engine */
	uint32_t page_bytes;
	const struct policy_ops *policy;
	const uint64_t *values; /* of the policy's tunables; NULL: defaults */
	uint64_t seed;
	struct engine_sampler samplers[ENGINE_SAMPLERS_MAX];
	uint32_t nr_samplers;
	const struct mover_ops *mover;
	void *mover_state;
	/* Fills capacity, free and job pages of every node of the machine, read back from the
	 * world. WHEN: each tick before decide. */
	int (*look)(void *world, struct policy_node *nodes, uint32_t nr_nodes);
	/* Several jobs; NULL: one, with the budget's floor and cap. WHEN: each tick after look. */
	int (*look_jobs)(void *world, struct engine_jobs *ret);
	void *look_world;
	struct engine_budget budget;
	const struct engine_watch *watch; /* NULL: nobody */
};

struct engine_stats {
	uint64_t nr_ticks;
	uint64_t nr_samples;
	uint64_t nr_planned_pages; /* asked for by the policy */
	uint64_t nr_cut_pages;	   /* dropped by a budget */
	uint64_t nr_submitted_pages;
	uint64_t nr_promoted_pages; /* read back: to a faster tier */
	uint64_t nr_demoted_pages;
	uint64_t nr_sideways_pages; /* moved within a tier */
	uint64_t nr_outcome_pages[MOVE_NR_OUTCOMES];
};

struct engine;
/* Probes and opens every sampler; -EOPNOTSUPP when together they do not provide what the policy
 * needs. On failure nothing stays open. */
int engine_new(const struct engine_config *config, struct engine **ret, struct printbuf *err);
/* One turn at now_ns (never before the last one). Negative: a sampler, the mover or the policy
 * failed; the engine stays usable. */
int engine_tick(struct engine *engine, uint64_t now_ns, struct printbuf *err);
/* What the mover has done since, without deciding anew: once it has come to its end. */
int engine_collect(struct engine *engine, uint64_t now_ns);
/* Asks the policy where a first use goes; -ENOENT when the kernel shall decide. */
int engine_place(struct engine *engine, const struct place_request *request, uint32_t *ret_node);
const struct engine_stats *engine_stats(const struct engine *engine);
uint64_t engine_policy_bytes(const struct engine *engine); /* 0 when unknown */
struct engine *engine_free(struct engine *engine);	   /* closes the samplers; NULL allowed */

/* True when `to` is in a faster tier than `from` (node indexes). */
bool engine_is_promotion(const struct machine *machine, uint32_t from, uint32_t to);

#endif
