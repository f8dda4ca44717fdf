/* SPDX-License-Identifier: GPL-2.0-only */
/* The scheduler's maps; linux/scx_abi.h says who writes and who reads those it shares. */
#ifndef BERTH_BPF_MAPS_H
#define BERTH_BPF_MAPS_H

#include "kernel.h"
#include "linux/scx_abi.h"

#define MASKS_PER_JOB (1 + SCX_MAX_LEVELS)

struct job_state {
	uint32_t generation; /* 0: the slot is free */
	uint32_t nr_cpus, nr_levels;
	uint32_t utilisation_bp; /* of the preferred CPUs, as summed last */
	uint64_t summed_ns;
	struct soft_job soft;
	uint32_t distance[SCX_MAX_LEVELS];
	struct scx_mask preferred;
};

struct mask_slot { /* the kernel's masks can only be asked for as such */
	struct bpf_cpumask __kptr *mask;
};

#define ARRAY_MAP(kind, nr, value_type)                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, nr);                                                           \
		__type(key, uint32_t);                                                             \
		__type(value, value_type);                                                         \
	}

ARRAY_MAP(ARRAY, 1, struct scx_share) berth_share SEC(".maps");
ARRAY_MAP(ARRAY, 1, struct scx_request) berth_request SEC(".maps");
ARRAY_MAP(ARRAY, 1, struct scx_exit) berth_exit SEC(".maps");
ARRAY_MAP(ARRAY, SCX_MAX_JOBS, struct scx_holder) berth_holders SEC(".maps");
ARRAY_MAP(ARRAY, SCX_MAX_CPUS, struct scx_cpu) berth_cpus SEC(".maps");
ARRAY_MAP(PERCPU_ARRAY, SCX_MAX_JOBS, struct scx_counts) berth_counts SEC(".maps");
ARRAY_MAP(ARRAY, SCX_MAX_JOBS, struct job_state) berth_jobs SEC(".maps");
ARRAY_MAP(ARRAY, SCX_MAX_JOBS *MASKS_PER_JOB, struct mask_slot) berth_masks SEC(".maps");
/* Room for one intersection of masks per CPU. */
ARRAY_MAP(PERCPU_ARRAY, 1, struct mask_slot) berth_scratch SEC(".maps");
/* CPUs that others leave alone enough to be borrowed when idle (load.h). */
ARRAY_MAP(ARRAY, 1, struct mask_slot) berth_lendable SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scx_task);
} berth_tasks SEC(".maps");

static inline struct scx_cpu *cpu_find(uint32_t cpu)
{
	return bpf_map_lookup_elem(&berth_cpus, &cpu);
}

static inline struct scx_counts *counts_find(uint32_t slot)
{
	return bpf_map_lookup_elem(&berth_counts, &slot);
}

/* k = 0: preferred; k = 1 and up: what may be borrowed, by distance. */
static inline struct bpf_cpumask *mask_find(uint32_t slot, uint32_t k)
{
	uint32_t key = slot * MASKS_PER_JOB + k;
	struct mask_slot *found = bpf_map_lookup_elem(&berth_masks, &key);
	return found ? found->mask : NULL;
}

static inline struct bpf_cpumask *scratch_find(void)
{
	uint32_t key = 0;
	struct mask_slot *found = bpf_map_lookup_elem(&berth_scratch, &key);
	return found ? found->mask : NULL;
}

static inline struct bpf_cpumask *lendable_find(void)
{
	uint32_t key = 0;
	struct mask_slot *found = bpf_map_lookup_elem(&berth_lendable, &key);
	return found ? found->mask : NULL;
}

static inline bool mask_has(const struct scx_mask *mask, uint32_t cpu)
{
	uint32_t word = cpu / 64;
	/* What the compiler knows of `cpu` the verifier may not, when it was spilled in between. */
	__asm__ volatile("" : "+r"(word));
	if (word >= SCX_CPU_WORDS)
		return false;
	return mask->words[word] >> (cpu & 63) & 1;
}

#endif
