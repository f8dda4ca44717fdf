/* SPDX-License-Identifier: MIT */
/* The policies. A new one is one file below memory/, and two lines here. */
#include <string.h>

#include "policy/policy.h"

extern const struct policy_ops policy_berth, policy_colloid, policy_damos, policy_hemem,
	policy_memtis, policy_recency;

const struct policy_ops *const policies[] = {
	&policy_berth,	 &policy_recency, &policy_memtis, &policy_hemem,
	&policy_colloid, &policy_damos,	  NULL,
};

const struct policy_ops *policy_find(const char *name)
{
	for (size_t i = 0; policies[i]; i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
