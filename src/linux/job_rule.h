/* SPDX-License-Identifier: MIT */
/*
 * Soft affinity on a timer: from what the CPUs and the job did since the last look to the CPUs
 * that the job may run on until the next. The rule is policy/cpu/soft.c; here is what it is told.
 * A pure function, so that any machine and any load is a test.
 *
 * A mask moves nothing by itself when it widens, and the job's own work on a borrowed CPU cannot be
 * told from its owner's by /proc/stat. So:
 *
 *     at home: spill only when tasks of the job waited (run-queue delay): one task that fills its
 *              one preferred CPU gains nothing from another. As many CPUs are borrowed as tasks
 *              waited on average, nearest first.
 *     away:    what ran on the mask and was not the job's was others'. A quarter of a CPU of it,
 * and the job goes home and borrows nothing for OWNER_NS: the owner comes first. Home too when the
 * job's work fits below spill_at into its preferred CPUs.
 *
 * Cost: O(CPUs) per look.
 */
#ifndef BERTH_LINUX_JOB_RULE_H
#define BERTH_LINUX_JOB_RULE_H

#include "base/set.h"
#include "linux/cpustat.h"
#include "policy/cpu/soft.h"

#define JOB_OTHERS_BP  2500 /* of one CPU */
#define JOB_WAITING_BP 1000 /* of the time of one task: below it nobody waits worth a move */
#define JOB_IDLE_BP    1500 /* a CPU that did less may be borrowed */
#define JOB_HALF_BP    5000 /* a preferred CPU that did less has room */
#define JOB_OWNER_NS   (200 * NS_PER_MS)

struct job_counts { /* names as in `berth status` */
	uint64_t nr_looks, nr_held, nr_spilled, nr_called_home, nr_evicted;
};

struct job_rule {
	struct soft_job soft;
	struct soft_memory memory;
	struct set preferred, allowed; /* of what is online */
	const uint32_t *distances;     /* per CPU: of its node from the nearest preferred one */
	uint64_t owner_until_ns;       /* nothing is borrowed before */
	struct job_counts counts;
};

struct job_look {
	const struct cpustat_cpu *cpus;
	uint32_t nr_cpus;
	uint64_t now_ns, window_ns; /* since the last look */
	uint64_t ran_ns, waited_ns; /* the job's tasks, all together */
};

/* `mask` is where the job may run now, and afterwards where it shall run. 0 or -ENOMEM. */
int job_rule_decide(struct job_rule *rule, const struct job_look *look, struct set *mask);

#endif
