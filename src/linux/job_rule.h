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
 *     away:    a task of the job waited, and the CPUs of the mask were neither idle nor the job's
 *              for a quarter of a CPU, at two looks one after the other: that was others' work, and
 *              the job goes home and borrows nothing for OWNER_NS: the owner comes first.
 * Home too when the job's work fits below spill_at into its preferred CPUs, at NR_FITS looks.
 *
 * Others' work is what the CPUs could give, less what was idle or stolen, less what the job ran
 * and what berth's own looks there took: the kernel tells what was idle precisely, but who ran only
 * by ticks. Two looks, because the last tick of idling may not have been told yet.
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
#define JOB_HALF_BP    5000 /* a preferred CPU that did less has room */
#define JOB_OWNER_NS   (200 * NS_PER_MS)
#define JOB_NR_LOOKS   2 /* at which others worked on the job's CPUs */
#define JOB_NR_FITS    4 /* at which its work would have fitted at home */

struct job_counts { /* names as in `berth status` */
	uint64_t nr_looks, nr_held, nr_spilled, nr_called_home, nr_evicted;
};

struct job_rule {
	struct soft_job soft;
	struct soft_memory memory;
	struct set preferred, allowed; /* of what is online */
	const uint32_t *distances;     /* per CPU: of its node from the nearest preferred one */
	uint64_t owner_until_ns;       /* nothing is borrowed before */
	uint32_t nr_others, nr_fits;   /* looks in a row */
	struct job_counts counts;
};

struct job_look {
	const struct cpustat_cpu *cpus;
	uint32_t nr_cpus;
	uint64_t now_ns, window_ns; /* since the last look */
	uint64_t ran_ns, waited_ns; /* the job's tasks, all together */
	uint64_t own_ns;	    /* that berth itself took of the job's CPUs */
	bool is_waited_old;	    /* what they waited is what they did at an earlier look */
};

/* Does what the job's tasks waited matter to what is decided? Of `look` it is not known yet.
 * At home: is there a CPU to borrow? Away: may others have worked on the job's CPUs? */
bool job_rule_asks_waiting(const struct job_rule *rule, const struct job_look *look,
			   const struct set *mask);
/* Away: could it need one CPU more, or fit at home, by all but what waited? */
bool job_rule_may_move(const struct job_rule *rule, const struct job_look *look,
		       const struct set *mask);

/* Did tasks wait for so long that another CPU would have helped? */
bool job_look_is_waiting(const struct job_look *look);
/* `mask` is where the job may run now, and afterwards where it shall run. 0 or -ENOMEM. */
int job_rule_decide(struct job_rule *rule, const struct job_look *look, struct set *mask);

#endif
