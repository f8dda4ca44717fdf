/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How busy CPUs are, and who waits for them: what soft.c asks of the world.
 *
 * A CPU's window is closed by its own tick or its change from or to idle, whichever comes after
 * WINDOW_NS; a CPU that has slept through a whole window counts as idle without being woken for it.
 */
#ifndef BERTH_BPF_LOAD_H
#define BERTH_BPF_LOAD_H

#include "maps.h"

#define WINDOW_NS    16000000ULL
#define SUM_NS	     1000000ULL
#define FADING_NS    64000000ULL
#define QUEUE_OF_JOB 0x2000ULL /* + slot */

/* Written by the loader before it is loaded. */
const volatile struct scx_settings settings SEC(".rodata.settings") = { 1, 1 };

static inline uint64_t stolen_ns(uint32_t cpu)
{
	const struct kernel_cpustat *stat = bpf_per_cpu_ptr(&kernel_cpustat, cpu);
	if (!stat)
		return 0;
	return stat->cpustat[CPUTIME_SOFTIRQ] + stat->cpustat[CPUTIME_IRQ] +
	       stat->cpustat[CPUTIME_STEAL];
}

static inline uint64_t idle_until(const struct scx_cpu *cpu, uint64_t now_ns)
{
	uint64_t since_ns = cpu->idle_since_ns;
	if (!cpu->is_idle)
		return 0;
	if (is_before(since_ns, cpu->window_ns))
		since_ns = cpu->window_ns;
	return is_before(since_ns, now_ns) ? now_ns - since_ns : 0;
}

/* Average with the past, which counts as FADING_NS: a pause of four times that makes 60 % 15 %. */
static inline uint32_t faded_bp(const struct scx_cpu *cpu, uint64_t ran_ns, uint64_t elapsed_ns)
{
	uint64_t sum = cpu->owned_bp * FADING_NS + ran_ns * SOFT_ALL_BP;
	uint64_t share_bp = sum / (FADING_NS + elapsed_ns);
	return share_bp < SOFT_ALL_BP ? (uint32_t)share_bp : SOFT_ALL_BP;
}

/* What others than borrowers used of this CPU lately. */
static inline uint32_t cpu_others_bp(const struct scx_cpu *cpu, uint64_t now_ns)
{
	uint64_t elapsed_ns = is_before(cpu->window_ns, now_ns) ? now_ns - cpu->window_ns : 0;
	return faded_bp(cpu, cpu->owned_ns, elapsed_ns);
}

/* WHEN: on the CPU itself, at its tick and before it changes from or to idle. */
static inline void window_close(struct scx_cpu *cpu, uint32_t number, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - cpu->window_ns;
	if (elapsed_ns < WINDOW_NS)
		return;
	uint64_t idle_ns = cpu->idle_ns + idle_until(cpu, now_ns);
	uint64_t all_stolen_ns = stolen_ns(number), gone_ns = all_stolen_ns - cpu->stolen_ns;
	if (gone_ns > elapsed_ns)
		gone_ns = elapsed_ns;
	uint64_t given_ns = idle_ns + gone_ns;
	uint64_t busy_ns = given_ns < elapsed_ns ? elapsed_ns - given_ns : 0;
	cpu->utilisation_bp = soft_utilisation_bp(busy_ns, gone_ns, elapsed_ns);
	cpu->stolen_bp = (uint32_t)(gone_ns * SOFT_ALL_BP / elapsed_ns);
	cpu->owned_bp = faded_bp(cpu, cpu->owned_ns, elapsed_ns);
	cpu->owned_ns = 0;
	cpu->window_ns = now_ns;
	cpu->idle_ns = 0;
	cpu->stolen_ns = all_stolen_ns;
}

/* Whether it is lent is known before it is looked for: a CPU that is picked from the idle ones and
 * found to be its owner's would have to be woken to be idle again, in the owner's pause.
 * WHEN: on the CPU itself as it goes idle, and by offer() while it is. */
static inline bool lendable_note(const struct scx_cpu *cpu, uint32_t number, uint64_t now_ns)
{
	struct bpf_cpumask *lendable = lendable_find();
	bool is = cpu->stolen_bp < SOFT_HALF_STOLEN_BP &&
		  cpu_others_bp(cpu, now_ns) <= SOFT_LENT_BP;
	if (!lendable || bpf_cpumask_test_cpu(number, &lendable->cpumask) == is)
		return is;
	if (is)
		bpf_cpumask_set_cpu(number, lendable);
	else
		bpf_cpumask_clear_cpu(number, lendable);
	return is;
}

static inline uint32_t cpu_utilisation_bp(const struct scx_cpu *cpu, uint64_t now_ns)
{
	if (cpu->is_idle && now_ns - cpu->idle_since_ns >= WINDOW_NS)
		return 0;
	return cpu->utilisation_bp;
}

static __always_inline struct soft_preferred preferred_now(struct job_state *job, uint32_t nr_idle,
							   uint64_t now_ns)
{
	uint64_t sum_bp = 0;
	int i;
	if (now_ns - job->summed_ns >= SUM_NS) {
		job->summed_ns = now_ns;
		bpf_for(i, 0, settings.nr_cpus)
		{
			struct scx_cpu *cpu = mask_has(&job->preferred, i) ? cpu_find(i) : NULL;
			if (cpu)
				sum_bp += cpu_utilisation_bp(cpu, now_ns);
		}
		/* By the number that is known: one counted here would keep the verifier from
		 * seeing that all turns of the loop are alike. */
		job->utilisation_bp = job->nr_cpus ? (uint32_t)(sum_bp / job->nr_cpus) : 0;
	}
	return (struct soft_preferred){ .nr_cpus = job->nr_cpus,
					.nr_idle = nr_idle,
					.utilisation_bp = job->utilisation_bp };
}

/* Tasks of the jobs that prefer this CPU, but for those of `slot`, that wait in their queues. */
static inline uint32_t owners_waiting(const struct scx_cpu *cpu, uint32_t slot)
{
	uint32_t nr_waiting = 0;
	int i, bit;
	bpf_for(i, 0, SCX_JOB_WORDS)
	{
		uint64_t owners = cpu->owners[i & (SCX_JOB_WORDS - 1)];
		bpf_for(bit, 0, 64)
		{
			if (!(owners >> bit))
				break;
			uint32_t owner = (uint32_t)i * 64 + (uint32_t)bit;
			if (!(owners >> bit & 1) || owner == slot)
				continue;
			int32_t nr = scx_bpf_dsq_nr_queued(QUEUE_OF_JOB + owner);
			nr_waiting += nr > 0 ? (uint32_t)nr : 0;
		}
	}
	return nr_waiting;
}

#endif
