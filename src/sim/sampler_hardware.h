/* SPDX-License-Identifier: MIT */
/*
 * The modelled PMU: precise samples of misses, as PEBS or IBS give them.
 *
 *     load misses  --- every load_period-th --+
 *                                             +--> buffer of 65536 --poll--> engine
 *     store misses --- every store_period-th -+        (full: lost)
 *
 * Two counters, as the two events that MEMTIS and HeMem open per CPU. With a share of a CPU given,
 * both periods grow while samples take more than it, and shrink again while they take less. A
 * recording holds the misses
 * of the modelled cache; where a PMU counts all retired stores, only those that miss count here.
 */
#ifndef BERTH_SIM_SAMPLER_HARDWARE_H
#define BERTH_SIM_SAMPLER_HARDWARE_H

#include "policy/sampler.h"

#define HARDWARE_PERIOD	 1009  /* misses per sample unless told otherwise; a prime */
#define HARDWARE_SLOWEST 100   /* a throttled period is at most this many times its own */
#define HARDWARE_MAX	 65536 /* samples kept between two polls */

struct hardware_config {
	uint64_t load_period, store_period; /* 0: HARDWARE_PERIOD */
	uint64_t cost_ns;		    /* CPU time of one sample */
	uint64_t share_bp;		    /* of a CPU at most; 0: no limit */
	uint64_t hz; /* samples of each event per second of the kernel's clock; 0: fixed periods */
	uint64_t dilate; /* now_ns / dilate is the program's time */
	bool has_pmu;	 /* else the sampler refuses to open */
};

struct hardware_sampler {
	uint64_t period[2]; /* now; [is a store] */
	uint64_t base[2];   /* the shortest */
	uint64_t until[2];  /* misses to the next sample; UINT64_MAX while closed */
	uint64_t first[2];  /* `until` at the start */
	struct sample *samples;
	uint32_t nr, at; /* in samples[]; the next to hand over */
	uint64_t nr_taken, nr_lost;
	uint64_t cost_ns, share_bp, dilate, hz;
	uint64_t counted[2]; /* events since the last poll, whole periods of them */
	uint64_t polled_ns;
	uint64_t checked_ns, checked_taken; /* at the last look at our share of a CPU */
	bool has_pmu;
};

extern const struct sampler_ops hardware_sampler_ops; /* its world: a struct hardware_sampler */

/* Closed until the engine opens it. The seed chooses where the counts begin. */
void hardware_init(struct hardware_sampler *sampler, const struct hardware_config *config,
		   uint64_t seed);
/* Counts one miss. True: it is to be sampled, through hardware_take(). */
static inline bool hardware_is_due(struct hardware_sampler *sampler, bool is_store)
{
	return unlikely(--sampler->until[is_store] == 0);
}
void hardware_take(struct hardware_sampler *sampler, const struct sample *sample);
uint64_t hardware_bytes(const struct hardware_sampler *sampler);

#endif
