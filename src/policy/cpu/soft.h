/* SPDX-License-Identifier: MIT */
/*
 * Soft affinity: preferred CPUs first, others when the preferred are busy and the others idle, and
 * home again when home has room. The rule alone, as pure functions over whole numbers, so that the
 * simulator, the engine in user space and the scheduler in bpf/ compile the same source: no
 * library, no floats, no pointers to functions, no loops.
 *
 * With a threshold (spill_at):
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
 * Without one (SOFT_AUTO) two questions take its place. Do the others leave the rest of the
 * allowed CPUs to the job: is what they use there, `others`, clearly less than what home is used?
 * Then the rest is the job's as much as home is, and it is spread over both. If not, it stays home
 * as if the mask were hard, for everybody is better off at home. A fixed utilisation cannot tell
 * the two cases apart: one job whose home is 70 % busy beside idle cores should spread, two jobs
 * each 70 % busy at home should not. And is the idle CPU at home a whole core, or a thread beside a
 * busy one? The latter is worth half a core, and does not keep a task from a whole one elsewhere.
 *
 *   at home:  a whole core is idle there?             --yes--> PREFERRED
 *             others leave the rest (others <= 3/4 home)? -no-> nothing idle at home, something to
 *                  | yes                                       borrow: HELD, after `patience` SPILL
 *             woken from the rest?                    --yes--> ANYWHERE (it may follow its waker)
 *             a CPU to borrow, as good as what is idle at home, and the rest, with what the job
 *             itself runs there, still lighter?       --yes--> SPILL    --no--> ANYWHERE
 *   away:     others leave the rest, and the rest is no busier than home? --yes--> ANYWHERE
 *                  | no
 *             PREFERRED
 *
 * ANYWHERE rather than a CPU, because two tasks that talk are best side by side, on whichever side:
 * to send each one to the idlest CPU costs more than it brings (docs/affinity.md).
 *
 * Home: a wake-up goes home as soon as a preferred CPU is idle (rule one). A task that never sleeps
 * is called home when a preferred CPU has been idle and the set's utilisation is below `home_at`,
 * which lies below spill_at by what the task itself will add, so that it does not bounce.
 *
 * Owner before borrower: nobody borrows a CPU whose owner has work waiting there, and a borrower
 * yields at the next tick when the owner's work waits behind it. Nor does anybody borrow in the
 * pauses of an owner who works there again and again: each of them would end with the owner waiting
 * for the borrower to leave.
 *
 * Sources: RFC of 26 June 2019 "Scheduler Soft Affinity" (the two masks, and Zijlstra's reply: be
 * work-conserving); openEuler's dynamic_affinity.c (threshold of 85 %, held-back counter);
 * numad (another thread of a busy core counts for a fraction of one);
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
#define SOFT_AUTO	    0xfffffffeu /* spill_at_bp: by what the others leave, see above */
#define SOFT_NO_DISTANCE    0xffffffffu /* max_distance: any */
#define SOFT_PATIENCE_NS    4000000u	/* one tick at HZ=250 */
#define SOFT_HALF_STOLEN_BP 5000	/* a CPU stolen for more than that is not really idle */
#define SOFT_LENT_BP	    1500	/* a CPU that others use for more than that is not lent */

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
	/* Only SOFT_AUTO asks for these; zero where not known: the rest is taken for idle, and what
	 * is idle for whole cores. */
	uint32_t nr_shared; /* of nr_idle, beside a busy thread of the same core */
	uint32_t nr_whole;  /* whole idle cores among the CPUs outside that may be borrowed */
	uint32_t rest_bp;   /* utilisation of the allowed CPUs outside, on average */
	uint32_t others_bp; /* of that, by others than this job */
	bool is_away;	    /* the task ran on one of these last */
	bool is_waker_away; /* who wakes it runs on one of these */
};

struct soft_cpu {	   /* a CPU outside the preferred set */
	uint32_t distance; /* of its node from the nearest preferred one */
	uint32_t stolen_bp;
	uint32_t others_bp;	   /* of its time lately, by tasks of others; 0 where not known */
	uint32_t nr_owner_waiting; /* tasks of its owner that wait in its queue */
	bool is_idle;
};

enum soft_verdict { SOFT_PREFERRED, SOFT_HELD, SOFT_SPILL, SOFT_ANYWHERE };

/* Where a task that wakes up shall look: on preferred (PREFERRED, HELD) or among CPUs that it may
 * borrow (SPILL), or on all that are allowed (ANYWHERE: only with SOFT_AUTO). nr_borrowable: idle
 * CPUs for which soft_may_borrow() holds; a caller that finds them later may pass 1 and fall back
 * to preferred. */
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
