/* SPDX-License-Identifier: MIT */
/*
 * The soft affinity of the RFC of 26 June 2019 ("Scheduler Soft Affinity", Subhra Mazumdar): at
 * each wake-up one CPU of the preferred set and one of the rest are sampled, the first of each, and
 *
 *   preferred knob x utilisation(preferred CPU) > allowed knob x utilisation(other CPU)
 *
 * makes the kernel search all allowed CPUs, else the preferred ones. Once a cache is chosen, idle
 * CPUs of it are looked for in preferred first, then in the rest. Balancing is untouched, ticks
 * too. Defaults 1 and 100 ("soft 100:1" of its tables); 5 and 4 is the other setting published.
 *
 * Kept as it was, with its faults: one CPU speaks for a whole set, and always the same one.
 * Cost: O(CPUs) to find the two. Follows patches 2/3 and 3/3 as told in the posting.
 */
#include "policy/cpu_policy.h"

enum { PREFERRED_KNOB, ALLOWED_KNOB };

#define KNOB_MAX 1000000

static const struct tunable tunables[] = {
	{ "preferred", TUNABLE_COUNT, 1, 0, KNOB_MAX,
	  "weight of the sampled preferred CPU's utilisation", NULL },
	{ "allowed", TUNABLE_COUNT, 100, 0, KNOB_MAX,
	  "weight of the sampled other CPU's utilisation", NULL },
};

/* The first CPU within, or outside of, the preferred ones; CPU_POLICY_NONE: there is none. */
static uint32_t sample(const struct cpu_request *request, const struct cpu_view *view, bool is_home)
{
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++)
		if (cpu_is_usable(request, view, cpu) &&
		    set_has(request->preferred, cpu) == is_home)
			return cpu;
	return CPU_POLICY_NONE;
}

static struct cpu_choice choose(const struct cpu_request *request, const struct cpu_view *view,
				const uint64_t *values)
{
	struct cpu_choice anywhere = { CPU_ANYWHERE, CPU_POLICY_NONE, true, false, "" };
	struct cpu_choice preferred = { CPU_PREFERRED, CPU_POLICY_NONE, true, false, "" };
	uint32_t home = sample(request, view, true), other = sample(request, view, false);
	anywhere.why = "no preferred CPU is left";
	if (home == CPU_POLICY_NONE)
		return anywhere;
	preferred.why = "preferred is all that is allowed";
	if (other == CPU_POLICY_NONE)
		return preferred;
	anywhere.why = "the sampled preferred CPU is the busier by the ratio";
	if (values[PREFERRED_KNOB] * view->cpus[home].load_bp >
	    values[ALLOWED_KNOB] * view->cpus[other].load_bp)
		return anywhere;
	preferred.why = "the sampled preferred CPU is within the ratio";
	return preferred;
}

const struct cpu_policy_ops cpu_policy_rfc2019 = {
	.name = "rfc2019",
	.summary = "soft affinity as posted in 2019: the ratio of two sampled CPUs",
	.tunables = tunables,
	.nr_tunables = sizeof(tunables) / sizeof(tunables[0]),
	.choose = choose,
};
