/* SPDX-License-Identifier: MIT */
/*
 * The contract of a memory placement policy, the part of berth that decides.
 *
 *     new -> { [place] observe* [completed*] decide } once per tick, ... -> free
 *
 * A policy does no I/O, reads no clock and draws no random number of its own: the time, the
 * samples and the state of the machine come in through this contract, so a run can be replayed to
 * the bit, and the policy that is simulated is the policy that runs. A new policy is one new file
 * below src/policy/ and one line in policies.c.
 *
 * All callbacks run on one thread per policy object; several objects of the same policy may live
 * at once (no globals). Pointers passed in are valid during the call only, but for
 * policy_config.machine, which outlives the policy.
 */
#ifndef BERTH_POLICY_POLICY_H
#define BERTH_POLICY_POLICY_H

#include "machine/machine.h"
#include "policy/mover.h"
#include "policy/plan.h"
#include "policy/sample.h"
#include "policy/tunable.h"

struct policy_config {
	const struct machine *machine;
	const uint64_t *values; /* of the tunables, in their order; copy them */
	uint64_t seed;		/* the only source of randomness allowed */
	uint32_t page_bytes;
};

/* One memory node as the policy may see it, in life from the kernel's counters. */
struct policy_node {
	uint64_t capacity_pages; /* 0 for a node without memory */
	uint64_t free_pages;
	uint64_t job_pages; /* of these, used by the jobs that this policy serves */
	/* POLICY_UNKNOWN where no counter tells (no PMU): misses that this node served since the
	 * last tick, and what one took on average, queueing included, in ps (also unknown when it
	 * served none). */
	uint64_t nr_misses, loaded_ps;
	/* Of the free pages: those that no move gets (MIN), and those below which new pages go to
	 * another node (LOW). 0 where nothing tells. */
	uint64_t min_pages, low_pages;
	/* In life, that many must be free for the kernel's reclaim to leave the node alone (HIGH)
	 * while pages are moved; 0 in a simulation. */
	uint64_t high_pages;
	/* On their way to it: submitted to the mover, which has told nothing of them yet. */
	uint64_t coming_pages;
};
#define POLICY_UNKNOWN UINT64_MAX
#define POLICY_ENDED   UINT32_MAX

/* Who shares the memory. A job's floor of fast memory is kept against the others, its cap is never
 * passed, and what it leaves of its floor others may borrow until it asks for it. */
struct policy_job {
	uint64_t floor_pages, cap_pages; /* of fast memory; UINT64_MAX: no cap */
	uint64_t fast_pages, slow_pages; /* what it has now */
	/* Moving gained it nothing: for a time the engine promotes none of its pages; others may
	 * still have what is above its floor. */
	bool is_left_alone;
	/* Where its threads are at home; NULL: nowhere. The engine sends its pages to the nearest
	 * node of the tier that the policy chose (home.h); borrowed for the turn. */
	const struct set *home_cpus;
};

struct policy_view { /* the state of the world at a tick */
	uint64_t now_ns;
	uint64_t tick_ns;		 /* time since the last decide; 0 at the first */
	uint64_t budget_pages;		 /* the engine will cut the plan to this many pages */
	const struct policy_node *nodes; /* machine.nr_nodes of them */
	uint32_t nr_nodes;
	/* At least one job. job_of[space] is a job's index; spaces from nr_spaces on belong to job
	 * 0. Jobs and spaces are added, never renumbered. POLICY_ENDED: that space is no more, and
	 * what is known of it can be forgotten. */
	const struct policy_job *jobs;
	uint32_t nr_jobs;
	const uint32_t *job_of;
	uint32_t nr_spaces;
};

struct place_request {
	uint64_t now_ns;
	uint64_t page, nr_pages;
	uint32_t space;
	uint32_t cpu_node; /* index of the node whose CPU asks */
};

/* What a policy asks of hardware samplers; 0: the world's default, and no limit. */
struct policy_hardware {
	uint64_t load_period, store_period; /* misses per sample */
	uint64_t share_bp;		    /* of a CPU; periods grow when sampling takes more */
	/* Samples of each event per second of the policy's clock, whatever that takes as periods
	 * (as perf_event_attr.freq); then the periods above only begin. 0: fixed periods. */
	uint64_t hz;
};

struct policy_ops {
	const char *name;
	const char *summary; /* one line for --list */
	uint32_t needs;	     /* bits that its samplers must provide together (sample.h) */
	bool needs_order;    /* refuses recordings that only count */
	struct policy_hardware hardware;
	const struct tunable *tunables;
	size_t nr_tunables;

	/* WHEN: once. -EINVAL with a sentence when the tunables contradict each other. */
	int (*new)(const struct policy_config *config, void **ret_policy, struct printbuf *err);

	/* First placement. NULL: the kernel places. WHEN: before a page is first used, where the
	 * world can ask (a simulation; a job that berth starts). 0 and a node index, or -ENOENT for
	 * "as the kernel would". The world falls through to other nodes when that one is full. */
	int (*place)(void *policy, const struct place_request *request, uint32_t *ret_node);

	/* WHEN: each tick, once per batch of samples, in order; not at all when nothing was seen.
	 */
	void (*observe)(void *policy, const struct sample_batch *batch);

	/* What became of earlier moves, read back. NULL: the policy does not care.
	 * WHEN: each tick before decide, and once more right after submit for what finished at
	 * once. */
	void (*completed)(void *policy, const struct move_result *results, uint32_t nr);

	/* Fills the plan, most wanted moves first. Must end in bounded time whatever it knows.
	 * WHEN: each tick, after observe and completed. 0 or negative errno (the tick is skipped).
	 */
	int (*decide)(void *policy, const struct policy_view *view, struct plan *plan);

	/* Bytes held, for the report. NULL: unknown. */
	uint64_t (*memory_bytes)(const void *policy);

	/* WHEN: once; NULL is allowed. */
	void (*free)(void *policy);
};

extern const struct policy_ops *const policies[];	/* NULL-terminated; policy/policies.c */
const struct policy_ops *policy_find(const char *name); /* NULL when there is none */

#endif
