/* SPDX-License-Identifier: MIT */
/* Which modelled samplers an agent gets; samplers.h has the table. */
#include "sim/samplers.h"

#include "sim/sampler_hints.h"
#include "sim/simulation.h"

static const char *const kind_names[SIM_NR_SAMPLER_KINDS] = {
	[SIM_SAMPLER_AUTO] = "auto",
	[SIM_SAMPLER_ACCESSED_BITS] = "accessed-bits",
	[SIM_SAMPLER_HINT_FAULTS] = "hint-faults",
	[SIM_SAMPLER_HINT_FAULTS_NO_LATENCY] = "hint-faults-no-latency",
	[SIM_SAMPLER_HARDWARE] = "hardware",
};

static const char *const hint_nodes[] = { "slow", "all" };

const struct tunable sim_sampler_tunables[SIM_NR_SAMPLER_KEYS] = {
	[SIM_SAMPLER] = { "sampler", TUNABLE_CHOICE, SIM_SAMPLER_AUTO, 0, SIM_NR_SAMPLER_KINDS - 1,
			  "what tells it which pages are used; auto: what it needs", kind_names },
	[SIM_SAMPLE_PERIOD] = { "sample_period", TUNABLE_NS, 0, 0, 3600 * NS_PER_S,
				"of the sampler, in the kernel's time; 0: the sampler's own" },
	[SIM_HINT_NODES] = { "hint_nodes", TUNABLE_CHOICE, 0, 0, ARRAY_SIZE(hint_nodes) - 1,
			     "whose pages take hint faults for the sampler", hint_nodes },
	[SIM_LOAD_PERIOD] = { "load_period", TUNABLE_COUNT, 0, 0, TUNABLE_NO_MAX,
			      "load misses per hardware sample; 0: the agent's own" },
	[SIM_STORE_PERIOD] = { "store_period", TUNABLE_COUNT, 0, 0, TUNABLE_NO_MAX,
			       "store misses per hardware sample; 0: the agent's own" },
	[SIM_SAMPLE_COST] = { "sample_cost", TUNABLE_NS, 1000, 0, NS_PER_S,
			      "CPU time of one hardware sample, in the program's time" },
	[SIM_SAMPLE_SHARE] = { "sample_share", TUNABLE_BP, 0, 0, 10000,
			       "of a CPU that hardware samples may take, else the periods grow; "
			       "0: the agent's own" },
	[SIM_PMU] = { "pmu", TUNABLE_FLAG, 1, 0, 1,
		      "there is a PMU: hardware samples, misses and loaded latency per node" },
};

static const struct {
	const struct sampler_ops *ops;
	uint64_t period_ns; /* unless the keys say another */
} samplers[SIM_NR_SAMPLER_KINDS] = {
	[SIM_SAMPLER_ACCESSED_BITS] = { &sampler_accessed_bits, NS_PER_S },
	[SIM_SAMPLER_HINT_FAULTS] = { &sampler_hint_faults, HINTS_PERIOD_NS },
	[SIM_SAMPLER_HINT_FAULTS_NO_LATENCY] = { &sampler_hint_faults_no_latency, HINTS_PERIOD_NS },
	[SIM_SAMPLER_HARDWARE] = { &hardware_sampler_ops, 0 },
};

int sampler_probe_always(void *world, struct printbuf *err)
{
	(void)world;
	(void)err;
	return 0;
}

void sampler_close_nothing(void *sampler)
{
	(void)sampler;
}

/* An agent that needs hits of each check (recency) gets them at every tick; one that names no kind
 * takes whatever there is, so it gets the sampler that works everywhere, at that sampler's pace. */
static uint32_t choose_for_needs(struct simulation *simulation, uint32_t needs,
				 enum sim_sampler_kind kinds[ENGINE_SAMPLERS_MAX])
{
	uint32_t nr = 0;
	if (needs & SAMPLE_BIT(SAMPLE_HITS))
		kinds[nr++] = SIM_SAMPLER_ACCESSED_BITS;
	if (needs & SAMPLE_BIT(SAMPLE_HINT_FAULT))
		kinds[nr++] = SIM_SAMPLER_HINT_FAULTS;
	if (needs & SAMPLE_BIT(SAMPLE_HARDWARE))
		kinds[nr++] = SIM_SAMPLER_HARDWARE;
	if (nr == 0) {
		kinds[nr++] = SIM_SAMPLER_ACCESSED_BITS;
		simulation->sampling.period_ns = samplers[SIM_SAMPLER_ACCESSED_BITS].period_ns;
	}
	return nr;
}

uint64_t samplers_tick_ns(const uint64_t *values, uint32_t needs)
{
	uint64_t asked = values[SIM_SAMPLER], period_ns = values[SIM_SAMPLE_PERIOD];
	bool has_hints = asked == SIM_SAMPLER_HINT_FAULTS ||
			 asked == SIM_SAMPLER_HINT_FAULTS_NO_LATENCY ||
			 (asked == SIM_SAMPLER_AUTO && needs & SAMPLE_BIT(SAMPLE_HINT_FAULT));
	if (has_hints)
		return SAMPLERS_HINT_TICK_NS;
	return period_ns > 0 ? period_ns : samplers[asked].period_ns;
}

uint32_t samplers_choose(struct simulation *simulation, const uint64_t *values, uint32_t needs,
			 struct engine_sampler *ret)
{
	enum sim_sampler_kind kinds[ENGINE_SAMPLERS_MAX];
	uint64_t asked = values ? values[SIM_SAMPLER] : SIM_SAMPLER_AUTO;
	uint64_t period_ns = values ? values[SIM_SAMPLE_PERIOD] : 0;
	uint32_t nr = 1;
	simulation->sampling.arms_all = values && values[SIM_HINT_NODES] != 0;
	if (asked == SIM_SAMPLER_AUTO) {
		nr = choose_for_needs(simulation, needs, kinds);
	} else {
		kinds[0] = (enum sim_sampler_kind)asked;
		simulation->sampling.period_ns = samplers[asked].period_ns;
	}
	if (period_ns > 0)
		simulation->sampling.period_ns = period_ns;
	simulation->sampling.next_ns = simulation->sampling.period_ns;
	for (uint32_t i = 0; i < nr; i++)
		ret[i] = (struct engine_sampler){ samplers[kinds[i]].ops,
						  kinds[i] == SIM_SAMPLER_HARDWARE
							  ? (void *)&simulation->hardware
							  : simulation };
	return nr;
}
