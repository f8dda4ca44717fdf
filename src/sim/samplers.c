/* SPDX-License-Identifier: MIT */
/* Which modelled samplers an agent gets; samplers.h has the table. */
#include "sim/samplers.h"

#include "sim/sampler_damon.h"
#include "sim/sampler_hints.h"
#include "sim/simulation.h"

/* What any kind of sample serves gets accessed bits this often (in the kernel's time), and hardware
 * samples where there is a PMU: 64 MiB of pages, 20 ns each, are 0.3 % of a CPU. */
#define ANY_PERIOD_NS (100 * NS_PER_MS)

static const char *const kind_names[SIM_NR_SAMPLER_KINDS] = {
	[SIM_SAMPLER_AUTO] = "auto",
	[SIM_SAMPLER_ACCESSED_BITS] = "accessed-bits",
	[SIM_SAMPLER_HINT_FAULTS] = "hint-faults",
	[SIM_SAMPLER_HINT_FAULTS_NO_LATENCY] = "hint-faults-no-latency",
	[SIM_SAMPLER_DAMON] = "damon",
	[SIM_SAMPLER_HARDWARE] = "hardware",
};

static const char *const hint_nodes[] = { "auto", "all", "slow" };
enum { HINT_NODES_AUTO, HINT_NODES_ALL };

const struct tunable sim_sampler_tunables[SIM_NR_SAMPLER_KEYS] = {
	[SIM_SAMPLER] = { "sampler", TUNABLE_CHOICE, SIM_SAMPLER_AUTO, 0, SIM_NR_SAMPLER_KINDS - 1,
			  "what tells it which pages are used; auto: what it needs", kind_names },
	[SIM_SAMPLE_PERIOD] = { "sample_period", TUNABLE_NS, 0, 0, 3600 * NS_PER_S,
				"of the sampler, in the kernel's time; 0: the sampler's own" },
	[SIM_HINT_NODES] = { "hint_nodes", TUNABLE_CHOICE, 0, 0, ARRAY_SIZE(hint_nodes) - 1,
			     "whose pages take hint faults; auto: slow, but all for who has no "
			     "other way to see pages of fast nodes",
			     hint_nodes },
	[SIM_AGGR_PERIOD] = { "aggr_period", TUNABLE_NS, DAMON_AGGR_NS, 1, 3600 * NS_PER_S,
			      "of DAMON's snapshots, in the kernel's time" },
	[SIM_UPDATE_PERIOD] = { "update_period", TUNABLE_NS, DAMON_UPDATE_NS, 1, 3600 * NS_PER_S,
				"of fitting DAMON's regions to the mappings" },
	[SIM_MIN_REGIONS] = { "min_regions", TUNABLE_COUNT, DAMON_MIN_REGIONS, 3, 1000000,
			      "of DAMON, at least so many" },
	[SIM_MAX_REGIONS] = { "max_regions", TUNABLE_COUNT, DAMON_MAX_REGIONS, 3, 1000000,
			      "of DAMON, about so many at most" },
	[SIM_LOAD_PERIOD] = { "load_period", TUNABLE_COUNT, 0, 0, TUNABLE_NO_MAX,
			      "load misses per hardware sample; 0: the agent's own" },
	[SIM_STORE_PERIOD] = { "store_period", TUNABLE_COUNT, 0, 0, TUNABLE_NO_MAX,
			       "store misses per hardware sample; 0: the agent's own" },
	[SIM_SAMPLE_HZ] = { "sample_hz", TUNABLE_COUNT, 0, 0, 1000000,
			    "hardware samples of loads and of stores per second of the kernel's "
			    "time, by changing periods; 0: the agent's own" },
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
	[SIM_SAMPLER_DAMON] = { &sampler_damon, DAMON_SAMPLE_NS },
	[SIM_SAMPLER_HARDWARE] = { &hardware_sampler_ops, 0 },
};

void sampler_change_bits(struct kernel *kernel, const struct kernel_folio *folio, uint8_t cleared,
			 uint8_t set)
{
	for (uint64_t i = 0; i < folio->nr_pages; i++) {
		uint32_t number = folio->numbers[i];
		if (number >= kernel->nr_pages)
			continue;
		uint8_t *bits = &kernel->pages[number].bits;
		*bits = (uint8_t)((*bits & ~cleared) | set);
	}
}

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

struct choice {
	enum sim_sampler_kind kinds[ENGINE_SAMPLERS_MAX];
	uint32_t nr;
	uint64_t period_ns; /* 0: at every tick */
};

/* An agent that needs hits of each check (recency) gets them at every tick; one that names no kind
 * takes whatever there is, so it gets the sampler that works everywhere, at that sampler's pace. */
static struct choice choose_for_needs(uint32_t needs, bool has_pmu)
{
	struct choice choice = { .nr = 0 };
	if (needs & SAMPLE_HAS_AGE)
		choice.kinds[choice.nr++] = SIM_SAMPLER_DAMON;
	else if (needs & SAMPLE_BIT(SAMPLE_HITS))
		choice.kinds[choice.nr++] = SIM_SAMPLER_ACCESSED_BITS;
	if (needs & SAMPLE_BIT(SAMPLE_HINT_FAULT))
		choice.kinds[choice.nr++] = SIM_SAMPLER_HINT_FAULTS;
	if (needs & SAMPLE_ANY)
		choice.kinds[choice.nr++] = SIM_SAMPLER_ACCESSED_BITS;
	if (needs & SAMPLE_BIT(SAMPLE_HARDWARE) || (needs & SAMPLE_ANY && has_pmu))
		choice.kinds[choice.nr++] = SIM_SAMPLER_HARDWARE;
	if (choice.nr == 0)
		choice.kinds[choice.nr++] = SIM_SAMPLER_ACCESSED_BITS;
	if (choice.kinds[0] != SIM_SAMPLER_ACCESSED_BITS || !(needs & SAMPLE_BIT(SAMPLE_HITS)))
		choice.period_ns = samplers[choice.kinds[0]].period_ns;
	if (needs & SAMPLE_ANY)
		choice.period_ns = ANY_PERIOD_NS;
	return choice;
}

static struct choice choose(const uint64_t *values, uint32_t needs)
{
	struct choice choice = { .nr = 1 };
	choice.kinds[0] = (enum sim_sampler_kind)values[SIM_SAMPLER];
	choice.period_ns = samplers[choice.kinds[0]].period_ns;
	if (choice.kinds[0] == SIM_SAMPLER_AUTO)
		choice = choose_for_needs(needs, values[SIM_PMU] != 0);
	if (values[SIM_SAMPLE_PERIOD] > 0)
		choice.period_ns = values[SIM_SAMPLE_PERIOD];
	return choice;
}

uint64_t samplers_tick_ns(const uint64_t *values, uint32_t needs)
{
	struct choice choice = choose(values, needs);
	uint64_t tick_ns = choice.period_ns;
	for (uint32_t i = 0; i < choice.nr; i++)
		if (choice.kinds[i] == SIM_SAMPLER_HINT_FAULTS ||
		    choice.kinds[i] == SIM_SAMPLER_HINT_FAULTS_NO_LATENCY)
			tick_ns = SAMPLERS_HINT_TICK_NS;
	return tick_ns;
}

/* Who takes any kind of sample must learn from this one what fast memory holds, too. */
static bool arms_all(const uint64_t *values, uint32_t needs)
{
	return values[SIM_HINT_NODES] == HINT_NODES_ALL ||
	       (values[SIM_HINT_NODES] == HINT_NODES_AUTO && needs & SAMPLE_ANY);
}

uint32_t samplers_choose(struct simulation *simulation, const uint64_t *values, uint32_t needs,
			 uint64_t seed, struct engine_sampler *ret)
{
	uint64_t defaults[SIM_NR_SAMPLER_KEYS];
	tunables_defaults(sim_sampler_tunables, SIM_NR_SAMPLER_KEYS, defaults);
	if (!values)
		values = defaults;
	struct choice choice = choose(values, needs);
	simulation->sampling = (struct sampling){ .period_ns = choice.period_ns,
						  .next_ns = choice.period_ns,
						  .arms_all = arms_all(values, needs),
						  .tells_pages = needs & SAMPLE_ANY,
						  .aggr_ns = values[SIM_AGGR_PERIOD],
						  .update_ns = values[SIM_UPDATE_PERIOD],
						  .min_regions = values[SIM_MIN_REGIONS],
						  .max_regions = values[SIM_MAX_REGIONS],
						  .seed = seed };
	for (uint32_t i = 0; i < choice.nr; i++)
		ret[i] = (struct engine_sampler){ samplers[choice.kinds[i]].ops,
						  choice.kinds[i] == SIM_SAMPLER_HARDWARE
							  ? (void *)&simulation->hardware
							  : simulation };
	return choice.nr;
}
