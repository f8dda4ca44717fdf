/* SPDX-License-Identifier: MIT */
/*
 * No affinity: the kernel's own placement over all allowed CPUs; preferred is not looked at. What
 * the others are compared with. Cost: none.
 */
#include "policy/cpu_policy.h"

static struct cpu_choice choose(const struct cpu_request *request, const struct cpu_view *view,
				const uint64_t *values)
{
	(void)request;
	(void)view;
	(void)values;
	return (struct cpu_choice){ CPU_ANYWHERE, CPU_POLICY_NONE, false, false, "no affinity" };
}

const struct cpu_policy_ops cpu_policy_none = {
	.name = "none",
	.summary = "no affinity: the kernel places over all allowed CPUs",
	.choose = choose,
};
