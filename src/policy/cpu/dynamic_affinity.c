/* SPDX-License-Identifier: MIT */
/*
 * Huawei's dynamic affinity ("CPU soft binding", openEuler's dynamic_affinity.c): at each wake-up,
 *
 *   a preferred CPU is idle                                  -> preferred
 *   utilisation of the preferred <= 85 % of their capacity   -> preferred
 *   otherwise                                                -> all allowed
 *
 * where the utilisation is that of the task's own group on these CPUs, or everybody's (of=all; one
 * of its scheduler feature bits). Valid only while preferred is a real part of allowed; otherwise
 * it is off. Balancing is left to the kernel, and so is the way home: the next wake-up.
 * Cost: O(CPUs). The threshold is its sysctl sched_util_low_pct.
 */
#include "policy/cpu_policy.h"

#define ALL_BP 10000

enum { LOW, OF };
enum { OF_GROUP, OF_ALL };

static const char *const of_words[] = { "group", "all", NULL };

static const struct tunable tunables[] = {
	{ "util_low", TUNABLE_BP, 8500, 0, ALL_BP,
	  "utilisation of the preferred CPUs up to which the job stays on them", NULL },
	{ "of", TUNABLE_CHOICE, OF_GROUP, 0, OF_ALL, "whose utilisation: the job's or all",
	  of_words },
};

struct survey {
	uint32_t nr_home, nr_idle, nr_others;
	uint64_t load_bp;
};

static struct survey survey(const struct cpu_request *request, const struct cpu_view *view,
			    bool of_all)
{
	struct survey survey = { 0 };
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++) {
		if (!cpu_is_usable(request, view, cpu))
			continue;
		if (!set_has(request->preferred, cpu)) {
			survey.nr_others++;
			continue;
		}
		survey.nr_home++;
		survey.nr_idle += view->cpus[cpu].nr_running == 0;
		survey.load_bp += request->job_load_bp && !of_all ? request->job_load_bp[cpu]
								  : view->cpus[cpu].load_bp;
	}
	return survey;
}

static struct cpu_choice choose(const struct cpu_request *request, const struct cpu_view *view,
				const uint64_t *values)
{
	struct cpu_choice anywhere = { CPU_ANYWHERE, CPU_POLICY_NONE, false, false, "" };
	struct cpu_choice preferred = { CPU_PREFERRED, CPU_POLICY_NONE, false, false, "" };
	struct survey seen = survey(request, view, values[OF] == OF_ALL);
	anywhere.why = "preferred is empty, or all that is allowed";
	if (seen.nr_home == 0 || seen.nr_others == 0)
		return anywhere;
	preferred.why = "a preferred CPU is idle";
	if (seen.nr_idle > 0)
		return preferred;
	preferred.why = "the preferred CPUs are below the threshold";
	if (seen.load_bp <= values[LOW] * seen.nr_home)
		return preferred;
	anywhere.why = "the preferred CPUs are above the threshold";
	return anywhere;
}

const struct cpu_policy_ops cpu_policy_dynamic_affinity = {
	.name = "dynamic-affinity",
	.summary = "Huawei's rule: preferred until 85 % of them is used",
	.tunables = tunables,
	.nr_tunables = sizeof(tunables) / sizeof(tunables[0]),
	.choose = choose,
};
