/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a task of a job goes: an idle preferred CPU, else what the rule says (policy/cpu/soft.c).
 * An idle CPU that is found is claimed: nobody else is given it until it has been idle again. */
#ifndef BERTH_BPF_PLACE_H
#define BERTH_BPF_PLACE_H

#include "load.h"

#define MAX_TRIES 4 /* CPUs of a level that turn out not to be there to borrow */

enum count { COUNT_PREFERRED, COUNT_SPILLED, COUNT_HELD, COUNT_CALLED_HOME, COUNT_EVICTED };

static inline void count_add(uint32_t slot, enum count which)
{
	struct scx_counts *counts = counts_find(slot);
	if (!counts)
		return;
	counts->nr_preferred += which == COUNT_PREFERRED;
	counts->nr_spilled += which == COUNT_SPILLED;
	counts->nr_held += which == COUNT_HELD;
	counts->nr_called_home += which == COUNT_CALLED_HOME;
	counts->nr_evicted += which == COUNT_EVICTED;
}

/* The job of a task, or NULL: it has none, none any more, or may not run on a preferred CPU. */
static inline struct job_state *job_of(struct task_struct *task, struct scx_task *own)
{
	uint32_t slot = own->slot;
	struct job_state *job = bpf_map_lookup_elem(&berth_jobs, &slot);
	if (!job || job->generation != own->generation || job->nr_cpus == 0)
		return NULL;
	struct bpf_cpumask *preferred = mask_find(slot, 0);
	if (!preferred || !bpf_cpumask_intersects(&preferred->cpumask, task->cpus_ptr))
		return NULL;
	return job;
}

/* The previous CPU when it is idle, else an idle one, whole idle cores first; -EBUSY: none. */
static inline int32_t pick_home(struct task_struct *task, uint32_t slot, int32_t previous)
{
	struct bpf_cpumask *scratch = scratch_find(), *preferred = mask_find(slot, 0);
	if (!scratch || !preferred)
		return -EBUSY;
	bpf_cpumask_and(scratch, &preferred->cpumask, task->cpus_ptr);
	if (previous >= 0 && bpf_cpumask_test_cpu((uint32_t)previous, &scratch->cpumask) &&
	    scx_bpf_test_and_clear_cpu_idle(previous))
		return previous;
	return scx_bpf_pick_idle_cpu(&scratch->cpumask, 0);
}

static __always_inline struct soft_cpu borrowed_cpu(const struct job_state *job, uint32_t slot,
						    uint32_t level, const struct scx_cpu *cpu,
						    uint64_t now_ns)
{
	return (struct soft_cpu){ .distance = job->distance[level & (SCX_MAX_LEVELS - 1)],
				  .stolen_bp = cpu->stolen_bp,
				  .others_bp = cpu_others_bp(cpu, now_ns),
				  .nr_owner_waiting = owners_waiting(cpu, slot),
				  .is_idle = true };
}

static inline int32_t pick_in_level(struct task_struct *task, struct job_state *job, uint32_t slot,
				    uint32_t level, uint64_t now_ns)
{
	struct bpf_cpumask *scratch = scratch_find(), *among = mask_find(slot, 1 + level);
	struct bpf_cpumask *lendable = lendable_find();
	int i;
	if (!scratch || !among || !lendable ||
	    !bpf_cpumask_and(scratch, &among->cpumask, &lendable->cpumask) ||
	    !bpf_cpumask_and(scratch, &scratch->cpumask, task->cpus_ptr))
		return -EBUSY;
	bpf_for(i, 0, MAX_TRIES)
	{
		int32_t number = scx_bpf_pick_idle_cpu(&scratch->cpumask, 0);
		if (number < 0)
			return number;
		struct scx_cpu *cpu = cpu_find((uint32_t)number);
		if (!cpu)
			return -EBUSY;
		struct soft_cpu candidate = borrowed_cpu(job, slot, level, cpu, now_ns);
		if (soft_may_borrow(&job->soft, &candidate))
			return number;
		bpf_cpumask_clear_cpu((uint32_t)number, scratch);
		scx_bpf_kick_cpu(number, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
	}
	return -EBUSY;
}

static inline int32_t pick_borrowed(struct task_struct *task, struct job_state *job, uint32_t slot,
				    uint64_t now_ns)
{
	int level;
	bpf_for(level, 0, job->nr_levels)
	{
		int32_t cpu = pick_in_level(task, job, slot, (uint32_t)level, now_ns);
		if (cpu >= 0)
			return cpu;
	}
	return -EBUSY;
}

/* The CPU for a task that becomes runnable, or -EBUSY: it waits in its job's queue. */
static inline int32_t place(struct task_struct *task, struct scx_task *own, struct job_state *job,
			    int32_t previous, uint64_t now_ns)
{
	uint32_t slot = own->slot;
	int32_t cpu = pick_home(task, slot, previous);
	struct soft_preferred home = preferred_now(job, cpu >= 0, now_ns);
	struct soft_memory before = own->memory;
	enum soft_verdict verdict = soft_decide(&job->soft, &own->memory, &home, 1, now_ns);
	if (cpu >= 0) {
		count_add(slot, COUNT_PREFERRED);
		return cpu;
	}
	if (verdict == SOFT_SPILL) {
		cpu = pick_borrowed(task, job, slot, now_ns);
		if (cpu >= 0) {
			count_add(slot, COUNT_SPILLED);
			return cpu;
		}
		own->memory = before; /* nothing to borrow after all: asked again, knowing that */
		soft_decide(&job->soft, &own->memory, &home, 0, now_ns);
	}
	count_add(slot, verdict == SOFT_HELD ? COUNT_HELD : COUNT_PREFERRED);
	return -EBUSY;
}

#endif
