/* SPDX-License-Identifier: MIT */
/*
 * The contract of a CPU placement policy: where a task that wakes up runs.
 *
 * A pure function from (job, preferred, allowed, the state of CPUs) to a CPU: no state, no I/O, no
 * clock, no random number, no allocation. The simulator and sched_ext call it at wake-up, a daemon
 * in user space calls it on a timer. Policies that use it come with a later issue; the contract is
 * fixed here so that both worlds are built against the same one.
 */
#ifndef BERTH_POLICY_CPU_POLICY_H
#define BERTH_POLICY_CPU_POLICY_H

#include "base/set.h"
#include "machine/machine.h"
#include "policy/tunable.h"

#define CPU_POLICY_NONE UINT32_MAX

struct cpu_state {	/* one per CPU number, 0 to nr_cpus - 1 */
	uint32_t node;	/* index into machine.nodes */
	uint32_t core;	/* CPUs with the same number are threads of one core */
	uint32_t cache; /* CPUs with the same number share the last-level cache */
	uint32_t owner; /* job for which it is preferred; CPU_POLICY_NONE: nobody */
	uint32_t nr_running;
	uint32_t load_bp; /* utilisation over the kernel's usual window */
	uint64_t idle_ns; /* how long it has been idle; 0 when it is not */
	bool is_online;
};

struct cpu_request {
	uint32_t job;
	uint32_t previous_cpu;	     /* where the task ran last; CPU_POLICY_NONE at its start */
	uint32_t waker_cpu;	     /* who wakes it; CPU_POLICY_NONE by a timer */
	const struct set *preferred; /* part of allowed; outside of it the task spills */
	const struct set *allowed;
	uint64_t now_ns;
};

struct cpu_choice {
	uint32_t cpu;	 /* CPU_POLICY_NONE: leave the task as it is */
	bool is_spill;	 /* outside preferred */
	const char *why; /* static text */
};

struct cpu_policy_ops {
	const char *name;
	const char *summary;
	const struct tunable *tunables;
	size_t nr_tunables;
	/* Never fails; a request whose allowed CPUs are all offline gets CPU_POLICY_NONE. */
	struct cpu_choice (*choose)(const struct cpu_request *request, const struct cpu_state *cpus,
				    uint32_t nr_cpus, const uint64_t *values);
};

#endif
