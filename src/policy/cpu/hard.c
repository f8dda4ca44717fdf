/* SPDX-License-Identifier: MIT */
/*
 * Hard affinity, as sched_setaffinity and cpuset give it: the preferred CPUs and no others, at
 * wake-ups and in balancing. Only when no preferred CPU is left online does the job run anywhere it
 * is allowed, which is what the kernel does when a mask runs empty. Cost: O(CPUs) until the first
 * preferred CPU.
 */
#include "policy/cpu_policy.h"

static struct cpu_choice choose(const struct cpu_request *request, const struct cpu_view *view,
				const uint64_t *values)
{
	(void)values;
	if (!cpu_has_home(request, view))
		return (struct cpu_choice){ CPU_ANYWHERE, CPU_POLICY_NONE, false, false,
					    "no preferred CPU is left" };
	return (struct cpu_choice){ CPU_PREFERRED, CPU_POLICY_NONE, false, false, "hard" };
}

static bool may_take(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu,
		     const uint64_t *values)
{
	(void)values;
	return cpu_is_home(request, view, cpu) || !cpu_has_home(request, view);
}

/* A task that was placed before a preferred CPU came back online. */
static enum cpu_tick tick(const struct cpu_request *request, const struct cpu_view *view,
			  const uint64_t *values)
{
	return may_take(request, view, request->previous_cpu, values) ? CPU_STAYS : CPU_GOES_HOME;
}

const struct cpu_policy_ops cpu_policy_hard = {
	.name = "hard",
	.summary = "hard affinity: the preferred CPUs only",
	.choose = choose,
	.may_take = may_take,
	.tick = tick,
};
