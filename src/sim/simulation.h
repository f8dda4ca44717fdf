/* SPDX-License-Identifier: MIT */
/*
 * One simulation: a kernel, maybe an agent above it, and what the run has cost so far. A stage
 * consumer.
 *
 *     events --> page table (node, bits) --> misses per node --> account, at each tick
 *                    ^        |
 *            migrate |        | accessed bits, every Nth miss
 *                  mover    samplers
 *                    ^        v
 *                    +- engine (agent) <- tick
 *
 * Three loops over a chunk: the plain one (a kernel that does not look at accesses, no agent) costs
 * one table load and one counter per event; with a kernel that does, also one store of its bits;
 * with an agent the loop also keeps accessed bits and counts for hardware samples.
 */
#ifndef BERTH_SIM_SIMULATION_H
#define BERTH_SIM_SIMULATION_H

#include "engine/engine.h"
#include "sim/kernel.h"
#include "sim/sampler_hardware.h"
#include "sim/samplers.h"
#include "sim/sim.h"
#include "sim/stage.h"

#define SIMULATION_LANES 4
#define SIMULATION_FLAGS 8 /* counters per node: indexed by MISS and WRITE bits */

struct simulation;
struct job_account; /* sim/job_account.h */
/* Who explains one simulation (sim/story.h, sim/survey.h): told by the kernel and the engine, and
 * standing between the stage and the simulation. */
struct simulation_watch {
	struct kernel_watch kernel;
	struct engine_watch engine;
	/* The consumer to take instead of `inner`. */
	struct stage_consumer (*wrap)(void *context, struct simulation *simulation,
				      const struct stage_consumer *inner);
	void *context;
};

struct simulation_config {
	const struct kernel_ops *kernel;
	const uint64_t *kernel_values;	/* NULL: defaults */
	const struct policy_ops *agent; /* NULL: none */
	const uint64_t *agent_values;
	const uint64_t *sampler; /* of sim_sampler_tunables; NULL: defaults */
	struct engine_budget budget;
	const struct cost_model *cost;
	const uint64_t *capacity_pages;	   /* [node] */
	const struct kernel_start *starts; /* [node]; NULL: nobody used the machine before */
	const struct kernel_theft *thefts; /* in the order of time; outlives the simulation */
	size_t nr_thefts;
	const struct stage *stage; /* for addresses of pages; outlives the simulation */
	uint64_t dilate, seed;
	uint32_t max_epochs;
	struct simulation_watch *watch; /* NULL: nobody; outlives the simulation */
	struct job_account *jobs;	/* NULL: one job, with the budget's floor and cap */
};

struct simulation {
	const struct cost_model *cost;
	const struct stage *stage;
	struct kernel *kernel;
	struct job_account *jobs; /* NULL: one */
	struct engine *engine;	  /* NULL: no agent */
	struct cost_account account;
	/* [lane][node * SIMULATION_FLAGS + (flags & (MISS | WRITE))]: neighbours count in different
	 * lanes, so that one need not wait for the other's store. */
	uint64_t *counts;
	size_t nr_counts; /* in one lane */
	bool is_plain;
	uint32_t pinned; /* the node of all pages; KERNEL_NOWHERE: look at them */
	bool has_failed; /* the machine is too small: events are passed over from then on */
	char failure[256];
	uint64_t dilate;
	/* When the kernel's own work moves its clock (COST_CLOCK_SHARED): by how much so far, and
	 * when its next tick is due, which may be in the middle of one of the recording's. */
	bool is_shared;
	uint64_t worked_ns, kernel_tick_ns;
	struct sampling sampling;
	/* Accessed bits: pages whose bit was set since the last scan. */
	bool lists_touched;
	uint32_t *touched;
	size_t nr_touched, max_touched, touched_at;
	struct damon_sampler *damon; /* NULL: nobody samples ranges */
	struct hint_sampler *hints;  /* NULL: nobody samples by hint faults */
	struct hardware_sampler hardware;
	/* The mover's results, waiting to be collected. */
	struct move_result *results;
	size_t nr_results, max_results, results_at;
	/* Time series. */
	struct sim_series_epoch *series;
	uint32_t nr_series, max_series;
	uint64_t per_entry;
};

extern const struct mover_ops simulation_mover;

int simulation_new(const struct simulation_config *config, struct simulation **ret,
		   struct printbuf *err);
struct simulation *simulation_free(struct simulation *simulation);
struct stage_consumer simulation_consumer(struct simulation *simulation);
uint64_t simulation_bytes(const struct simulation *simulation);

#endif
