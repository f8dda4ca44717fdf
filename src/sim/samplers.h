/* SPDX-License-Identifier: MIT */
/*
 * The modelled samplers: what an agent can see of the simulated machine, and what looking costs.
 *
 *     sampler=          file                  what the world does for it
 *     accessed-bits     sampler_accessed.c   lists a page at its first use since the last scan
 *     hint-faults           sampler_hints.c      calls at the first use of an armed page
 *     hint-faults-no-latency
 *     damon                 sampler_damon.c      keeps accessed bits
 *     hardware          sampler_hardware.c   offers every miss
 *
 * A sampler belongs to one simulation, which is the `world` of the contract. Its work runs on
 * another CPU than the program's: it is counted here and reported beside the predicted time, never
 * added to it (docs/cost-model.md).
 */
#ifndef BERTH_SIM_SAMPLERS_H
#define BERTH_SIM_SAMPLERS_H

#include "engine/engine.h"
#include "sim/kernel.h"

struct simulation;

#define SAMPLERS_HINT_TICK_NS (10 * NS_PER_MS) /* latencies of hint faults are exact to a tick */

struct sampling {
	uint64_t period_ns; /* of the kernel's clock; 0: at every tick */
	uint64_t next_ns;   /* when the next scan is due */
	uint64_t nr_checks; /* accessed bits looked at */
	uint64_t cpu_ns;    /* of the sampler, beside the checks */
	bool arms_all;	    /* hint faults: fast pages too */
	bool tells_pages;   /* DAMON: pages and their nodes, not ranges alone (damon_pages.h) */
	uint64_t aggr_ns, update_ns, min_regions, max_regions; /* DAMON */
	uint64_t seed;
};

/* Fills `ret` (room for ENGINE_SAMPLERS_MAX) with what the keys ask for, or with what serves these
 * needs, and returns how many. values: of sim_sampler_tunables, NULL for the defaults. Whether they
 * suffice is the engine's to check. */
uint32_t samplers_choose(struct simulation *simulation, const uint64_t *values, uint32_t needs,
			 uint64_t seed, struct engine_sampler *ret);

/* The longest tick, in the kernel's time, that this sampler works with as it should; 0: any. */
uint64_t samplers_tick_ns(const uint64_t *values, uint32_t needs);

extern const struct sampler_ops sampler_accessed_bits;

/* The next multiple of the period after now; now when it has none. */
static inline uint64_t sampling_next_ns(uint64_t period_ns, uint64_t now_ns)
{
	return period_ns ? now_ns - now_ns % period_ns + period_ns : now_ns;
}

/* One page-table entry serves all pages of a large folio: clears and sets bits of those of them
 * that were touched. */
void sampler_change_bits(struct kernel *kernel, const struct kernel_folio *folio, uint8_t cleared,
			 uint8_t set);

/* Of samplers that can always work. */
int sampler_probe_always(void *world, struct printbuf *err);
void sampler_close_nothing(void *sampler);

#endif
