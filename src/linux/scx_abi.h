/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler in the kernel (bpf/soft_affinity.bpf.c) and its loader (linux/scx.c) say to
 * each other: the values of its maps. All plain numbers of fixed size, the same for both compilers.
 *
 *     map             key    value              written by    read by
 *     berth_share     0      struct scx_share   loader        who joins
 *     berth_request   0      struct scx_request who adds      the program berth_set
 *     berth_cpus      cpu    struct scx_cpu     both          scheduler
 *     berth_tasks     task   struct scx_task    both          scheduler (task storage)
 *     berth_counts    slot   struct scx_counts  scheduler     who added (a value per CPU)
 *     berth_exit      0      struct scx_exit    scheduler     all
 *     berth_holders   slot   struct scx_holder  loader        who adds
 *
 * A job is a slot and a generation: a slot that is used again is another job, and tasks that bear
 * the old generation belong to none.
 */
#ifndef BERTH_LINUX_SCX_ABI_H
#define BERTH_LINUX_SCX_ABI_H

#include "policy/cpu/soft.h"

#define SCX_ABI_VERSION 2
#define SCX_MAX_JOBS	128
#define SCX_JOB_WORDS	(SCX_MAX_JOBS / 64)
#define SCX_MAX_CPUS	1024
#define SCX_CPU_WORDS	(SCX_MAX_CPUS / 64)
#define SCX_MAX_LEVELS	4 /* distances of borrowed CPUs; further ones count as the last */
#define SCX_MAX_CACHES	256
#define SCX_TEXT	128
#define SCX_NAME	"berth_soft" /* of the scheduler, and _INSTANCE after it */

struct scx_share {
	uint32_t version, set_program_id;
	uint64_t instance; /* random: which scheduler these maps are of */
	uint32_t link_id, request_id, tasks_id, counts_id, exit_id, holders_id;
};

struct scx_settings { /* constants of a loaded scheduler */
	uint32_t nr_cpus, nr_caches;
};

struct scx_holder { /* the berth whose job it is; pid 0: nobody's */
	uint64_t pid, start_ticks, freed_ns;
	uint32_t generation; /* of the last job in this slot */
	uint32_t unused;
};

struct scx_mask {
	uint64_t words[SCX_CPU_WORDS];
};

struct scx_request { /* generation 0: the slot becomes free */
	uint32_t slot, generation, nr_cpus, nr_levels;
	struct soft_job soft;
	uint32_t distance[SCX_MAX_LEVELS];
	struct scx_mask preferred, level[SCX_MAX_LEVELS];
};

struct scx_cpu {
	uint64_t owners[SCX_JOB_WORDS]; /* slots of the jobs that prefer it */
	uint64_t window_ns, idle_ns, idle_since_ns, stolen_ns; /* since the window began */
	uint64_t owned_ns;		/* what others than borrowers ran since the window began */
	uint64_t began_ns, began_vtime; /* the task that runs */
	uint64_t gave_way_to;		/* virtual time of the one that was let pass last */
	uint32_t cache;			/* last-level cache, from 0 */
	uint32_t utilisation_bp, stolen_bp; /* of the last whole window */
	uint32_t owned_bp; /* by others than borrowers, of the windows before, fading */
	uint32_t borrower; /* slot + 1 of the borrower that runs here; 0: none */
	uint32_t is_idle;
	uint32_t is_borrowed; /* what runs here does, also when it has been told to go */
	uint32_t weight;      /* of the task that runs; 0: none of ours does */
	uint32_t job;	      /* slot + 1 of its job; 0: none */
	uint32_t unused[1];
};

struct scx_task {
	uint32_t slot, generation;
	struct soft_memory memory;
	uint64_t slept_ns;   /* when it last went to sleep; 0: not yet */
	uint32_t is_decided; /* select_cpu has asked the rule for this wake-up */
	uint32_t unused;
};

struct scx_counts { /* placements, but for the last two */
	uint64_t nr_preferred, nr_spilled, nr_held, nr_called_home, nr_evicted;
};

struct scx_exit {
	int64_t code;
	int32_t kind; /* 0: it runs */
	uint32_t unused;
	char reason[SCX_TEXT], message[SCX_TEXT];
};

#endif
