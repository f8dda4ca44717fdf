/* SPDX-License-Identifier: MIT */
/* What -P and -K name: a kernel preset, an agent or a bound, with its keys. */
#ifndef BERTH_SIM_SPEC_H
#define BERTH_SIM_SPEC_H

#include "policy/policy.h"
#include "sim/bound.h"
#include "sim/kernel.h"
#include "sim/sim.h"

struct sim_spec {
	char *text; /* as given */
	enum sim_policy_kind kind;
	const struct kernel_ops *kernel; /* kind SIM_KERNEL, or a bound that is simulated as one */
	const struct policy_ops *agent;
	const struct bound_ops *bound;
	uint64_t values[TUNABLES_MAX];	 /* of kernel or agent */
	uint64_t budget[SIM_NR_BUDGETS]; /* of an agent */
	uint64_t sampler[SIM_NR_SAMPLER_KEYS];
};

/* -P. -EINVAL with a sentence that says which names, or which keys, there are. */
int sim_spec_parse(const char *text, struct sim_spec *ret, struct printbuf *err);
/* -K: a kernel preset only. */
int sim_spec_parse_kernel(const char *text, struct sim_spec *ret, struct printbuf *err);
void sim_spec_fini(struct sim_spec *spec);
/* True when it cannot run on a recording that only counts. */
bool sim_spec_needs_order(const struct sim_spec *spec);
/* The longest tick, in the kernel's time, that it works with as it should; UINT64_MAX: any. */
uint64_t sim_spec_tick_ns(const struct sim_spec *spec);

#endif
