/* SPDX-License-Identifier: MIT */
/*
 * The contract of a CPU placement policy: where a task that wakes up runs.
 *
 * Pure functions from (job, preferred, allowed, the state of CPUs) to where to look: no I/O, no
 * clock, no random number, no allocation. The simulator and sched_ext call them at wake-up, a
 * daemon in user space on a timer. What a policy remembers of a job is the caller's: a struct
 * cpu_memory, zero at the job's start, that goes in and comes out, so a replay is exact.
 *
 *   wake-up:  choose() -> ANYWHERE | PREFERRED: the kernel searches that mask in its own way
 *                         EXACTLY: this CPU
 *   balance:  may_take() -> may the kernel's balancer bring a task of the job to this CPU?
 *   tick:     tick() -> the task that runs stays, yields to who owns the CPU, or goes home
 *
 * The two masks rather than a CPU are the usual answer because the kernel's own search (previous
 * CPU, idle core, idle thread, within the cache) is better than any repetition of it here.
 */
#ifndef BERTH_POLICY_CPU_POLICY_H
#define BERTH_POLICY_CPU_POLICY_H

#include "base/set.h"
#include "policy/tunable.h"

#define CPU_POLICY_NONE UINT32_MAX

struct cpu_state {		   /* one per CPU number, 0 to nr_cpus - 1 */
	uint32_t node;		   /* index into machine.nodes */
	uint32_t core;		   /* CPUs with the same number are threads of one core */
	uint32_t cache;		   /* CPUs with the same number share the last-level cache */
	uint32_t owner;		   /* job for which it is preferred; CPU_POLICY_NONE: nobody */
	uint32_t nr_running;	   /* the task that runs and those that wait; 0: idle */
	uint32_t nr_owner_waiting; /* of these, tasks of `owner` that wait */
	uint32_t load_bp;	   /* utilisation as last sampled, corrected for what was stolen */
	uint32_t stolen_bp;	   /* by the hypervisor and interrupts, in the same window */
	uint64_t idle_ns;	   /* how long it has been idle; 0 when it is not */
	bool is_online;
	bool is_core_idle; /* every thread of its core is */
};

struct cpu_view {
	const struct cpu_state *cpus;
	uint32_t nr_cpus;
	/* [from * nr_nodes + to] as the kernel's distances; NULL: 10 within a node, 20 beyond. */
	const uint32_t *distances;
	uint32_t nr_nodes;
	uint64_t now_ns;
};

struct cpu_memory {		/* of one job, or of one task where the caller has a place for it */
	uint64_t held_since_ns; /* 0: not held */
	bool is_spilling;
};

struct cpu_request {
	uint32_t job;
	uint32_t previous_cpu;	     /* where the task runs or ran last; NONE at its start */
	uint32_t waker_cpu;	     /* who wakes it; CPU_POLICY_NONE by a timer */
	const struct set *preferred; /* part of allowed; outside of it the task spills */
	const struct set *allowed;
	const uint32_t *job_load_bp; /* per CPU, the job's own utilisation; NULL: not known */
	struct cpu_memory *memory;   /* written by choose() only; never NULL */
};

enum cpu_where { CPU_ANYWHERE, CPU_PREFERRED, CPU_EXACTLY };

struct cpu_choice {
	enum cpu_where where;
	uint32_t cpu; /* CPU_EXACTLY: which, online and allowed; else CPU_POLICY_NONE */
	/* Once the search has settled on a cache: does it look there at idle CPUs outside of the
	 * mask too, after those within? */
	bool is_rest_searched;
	bool is_held;	 /* it would have spilled but for hysteresis */
	const char *why; /* static text */
};

enum cpu_tick { CPU_STAYS, CPU_YIELDS, CPU_GOES_HOME };

struct cpu_policy_ops {
	const char *name;
	const char *summary;
	const struct tunable *tunables;
	size_t nr_tunables;
	/* WHEN: at each wake-up and at the start of a task. Never fails. CPU_PREFERRED is answered
	 * only where a preferred CPU is online and allowed. */
	struct cpu_choice (*choose)(const struct cpu_request *request, const struct cpu_view *view,
				    const uint64_t *values);
	/* WHEN: the balancer wants to bring a waiting task to `cpu`, online and allowed.
	 * NULL: it may always. */
	bool (*may_take)(const struct cpu_request *request, const struct cpu_view *view,
			 uint32_t cpu, const uint64_t *values);
	/* WHEN: at every tick of a CPU that runs a task, which is on previous_cpu; on a timer in
	 * user space. NULL: it always stays. */
	enum cpu_tick (*tick)(const struct cpu_request *request, const struct cpu_view *view,
			      const uint64_t *values);
};

extern const struct cpu_policy_ops *const cpu_policies[];	/* NULL-terminated */
const struct cpu_policy_ops *cpu_policy_find(const char *name); /* NULL: no such policy */

/* What several policies ask. */
bool cpu_is_usable(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu);
/* Preferred, allowed and online. */
bool cpu_is_home(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu);
bool cpu_has_home(const struct cpu_request *request, const struct cpu_view *view);

#endif
