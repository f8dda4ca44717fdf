/* SPDX-License-Identifier: MIT */
/*
 * Soft affinity: preferred CPUs first, others when the preferred are busy and the others idle, and
 * home again when home has room. The rule alone, as pure functions over whole numbers, so that the
 * simulator, the engine in user space and the scheduler in bpf/ compile the same source: no
 * library, no floats, no pointers to functions, no loops.
 *
 *                       a preferred CPU is idle? --yes--> PREFERRED
 *                              | no
 *          hard, or nothing idle that may be borrowed? --yes--> PREFERRED (it queues there)
 *                              | no
 *     utilisation of the preferred set >= spill_at, or held for `patience`? --yes--> SPILL
 *                              | no
 *                            HELD (on preferred, and the clock of patience runs)
 *
 * Why a threshold and patience: the threshold alone (85 %, as Huawei's kernels have shipped it)
 * leaves a task waiting beside idle CPUs whenever the average is low but this instant is not;
 * spilling at once gives locality away for every short burst. So a burst is waited out, but never
 * longer than `patience`: the rule is work-conserving but for that long.
 *
 * Home: a wake-up goes home as soon as a preferred CPU is idle (rule one). A task that never sleeps
 * is called home when a preferred CPU has been idle and the set's utilisation is below `home_at`,
 * which lies below spill_at by what the task itself will add, so that it does not bounce.
 *
 * Owner before borrower: nobody borrows a CPU whose owner has work waiting there, and a borrower
 * yields at the next tick when the owner's work waits behind it.
 *
 * Sources: RFC of 26 June 2019 "Scheduler Soft Affinity" (the two masks, and Zijlstra's reply: be
 * work-conserving); openEuler's dynamic_affinity.c (threshold of 85 %, held-back counter);
 * scx_mitosis and scx_layered (what goes wrong with borrowing: facts/affinity.md 2.8).
 */
#ifndef BERTH_POLICY_CPU_SOFT_H
#define BERTH_POLICY_CPU_SOFT_H

#ifndef __bpf__ /* there vmlinux.h has these types */
#include "base/types.h"
#endif

#define SOFT_ALL_BP	    10000 /* all of a CPU's time, per ten thousand */
#define SOFT_SPILL_AT_BP    8500
#define SOFT_HARD	    0xffffffffu /* spill_at_bp: never spill */
#define SOFT_NO_DISTANCE    0xffffffffu /* max_distance: any */
#define SOFT_PATIENCE_NS    4000000u	/* one tick at HZ=250 */
#define SOFT_HALF_STOLEN_BP 5000	/* a CPU stolen for more than that is not really idle */

struct soft_job {	       /* what the user wants; the same for all tasks of the job */
	uint32_t spill_at_bp;  /* of the preferred set; 0: as soon as all of it is busy */
	uint32_t max_distance; /* of a borrowed CPU's node, as the kernel's distances (10: local) */
	uint64_t patience_ns;
};

struct soft_memory {		/* of a job, or of a task; zero at its start */
	uint64_t held_since_ns; /* 0: not held */
	bool is_spilling;
};

struct soft_preferred {		 /* the preferred CPUs that are online and allowed now */
	uint32_t nr_cpus;	 /* 0: none is left: the job runs wherever it is allowed */
	uint32_t nr_idle;	 /* of these, idle and not stolen */
	uint32_t utilisation_bp; /* average over them, corrected (soft_utilisation_bp) */
};

struct soft_cpu {	   /* a CPU outside the preferred set */
	uint32_t distance; /* of its node from the nearest preferred one */
	uint32_t stolen_bp;
	uint32_t nr_owner_waiting; /* tasks of its owner that wait in its queue */
	bool is_idle;
};

enum soft_verdict { SOFT_PREFERRED, SOFT_HELD, SOFT_SPILL };

/* Where a task that wakes up shall look: on preferred (PREFERRED, HELD) or among CPUs that it may
 * borrow (SPILL). nr_borrowable: idle CPUs for which soft_may_borrow() holds; a caller that finds
 * them later may pass 1 and fall back to preferred. */
enum soft_verdict soft_decide(const struct soft_job *job, struct soft_memory *memory,
			      const struct soft_preferred *preferred, uint32_t nr_borrowable,
			      uint64_t now_ns);
bool soft_may_borrow(const struct soft_job *job, const struct soft_cpu *cpu);
/* True when `a` is the better one to borrow: nearer, then less stolen. */
bool soft_is_better(const struct soft_cpu *a, const struct soft_cpu *b);
/* A running borrower leaves the CPU now. WHEN: at every tick. */
bool soft_must_yield(const struct soft_cpu *cpu);
/* A running borrower is called home. WHEN: at every tick, or on a timer in user space. */
bool soft_comes_home(const struct soft_job *job, const struct soft_preferred *preferred);
/* Share of the time that a CPU could give: busy for other reasons than interrupts, stolen by the
 * hypervisor and interrupts. A CPU that is stolen whole counts as full. */
uint32_t soft_utilisation_bp(uint64_t busy_ns, uint64_t stolen_ns, uint64_t elapsed_ns);

#endif
