/* SPDX-License-Identifier: MIT */
/* The CPU placement policies. A new one is one file below cpu/, and two lines here. */
#include <string.h>

#include "policy/cpu_policy.h"

extern const struct cpu_policy_ops cpu_policy_dynamic_affinity, cpu_policy_hard, cpu_policy_none,
	cpu_policy_rfc2019, cpu_policy_soft, cpu_policy_soft_at;

const struct cpu_policy_ops *const cpu_policies[] = {
	&cpu_policy_soft,
	&cpu_policy_soft_at,
	&cpu_policy_hard,
	&cpu_policy_none,
	&cpu_policy_rfc2019,
	&cpu_policy_dynamic_affinity,
	NULL,
};

const struct cpu_policy_ops *cpu_policy_find(const char *name)
{
	for (size_t i = 0; cpu_policies[i]; i++)
		if (strcmp(cpu_policies[i]->name, name) == 0)
			return cpu_policies[i];
	return NULL;
}

bool cpu_is_usable(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu)
{
	return cpu < view->nr_cpus && view->cpus[cpu].is_online && set_has(request->allowed, cpu);
}

bool cpu_is_home(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu)
{
	return set_has(request->preferred, cpu) && cpu_is_usable(request, view, cpu);
}

bool cpu_has_home(const struct cpu_request *request, const struct cpu_view *view)
{
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++)
		if (cpu_is_home(request, view, cpu))
			return true;
	return false;
}
