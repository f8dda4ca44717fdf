/* SPDX-License-Identifier: MIT */
/*
 * The cost model: from counts of misses and moves to predicted time. docs/cost-model.md explains
 * it to users; this is the same in code.
 *
 *     time = compute + latency + bandwidth + migration + faults + blocked
 *
 *     compute    the recording's clock: instructions x cost, as if everything were in the cache
 *     latency    misses x latency of the node that serves them / memory-level parallelism
 *     bandwidth  per epoch: what is missing when a node's traffic takes longer than the epoch took
 *     migration  per folio moved: a fixed cost; per page of it: the copy
 *     faults     hint faults taken x what one costs the program; bounds take none
 *     blocked    time the program slept, beside the clock
 *
 * Latency and migration are the LINEAR part: they add up page by page and miss by miss in whole
 * picoseconds, so a bound can be exact against them. Bandwidth is not separable: a schedule pays
 * it, a bound leaves it out (and is a lower bound for that reason).
 *
 * All figures are integers; the same recording and machine give the same bytes everywhere.
 * Nodes are indexes into machine.nodes. The program runs on the CPUs of one node, `home`.
 */
#ifndef BERTH_SIM_COST_H
#define BERTH_SIM_COST_H

#include "machine/machine.h"
#include "policy/tunable.h"

#define COST_PS_PER_NS 1000

/* Order of cost_tunables[] and of the values passed to cost_model_new. */
enum cost_tunable {
	COST_PARALLELISM, /* memory-level parallelism, per ten thousand */
	COST_STORE_SHARE, /* of a load's stall that a store causes, per ten thousand */
	COST_MOVE_FIXED,  /* ns per page moved, beside the copy */
	COST_FAULT,	  /* ns per hint fault, beside what it moves */
	COST_CHECK,	  /* ns of another CPU per accessed bit that a sampler looks at */
	COST_WALK,	  /* ns of the kernel's per page-table entry it walks over */
	COST_COPY,	  /* ns per page copied, beside its bytes at the nodes' bandwidth */
	COST_AGE,     /* ns of the kernel's per entry that ageing finds young, beside the walk */
	COST_SCAN,    /* ns of the kernel's per entry that the scan looks at, beside the walk */
	COST_SORT,    /* ns of the kernel's per page put from one generation's list on another's */
	COST_ARM,     /* ns of the kernel's per entry armed for a hint fault, beside the walk */
	COST_RECLAIM, /* ns of the kernel's per page that reclaim looks at */
	COST_KSWAPD,  /* share of a CPU that kswapd has while it works, per ten thousand */
	COST_CLOCK,   /* enum cost_clock: what the kernel's clock is */
	COST_TICK,    /* ns of recording time between two decisions; also the epoch */
	COST_NR_TUNABLES,
};
enum cost_clock {
	COST_CLOCK_RECORDING, /* the recording's: the kernel's own work takes no time of it */
	COST_CLOCK_SHARED,    /* that and the kernel's own work: one CPU for both */
};
extern const struct tunable cost_tunables[COST_NR_TUNABLES];

struct cost_model {
	const struct machine *machine; /* outlives the model */
	uint32_t nr_nodes;	       /* machine.nr_nodes */
	uint32_t home;		       /* node whose CPUs run the program */
	uint32_t page_bytes, line_bytes;
	uint32_t *order;       /* nodes with memory, fastest for home first */
	uint32_t nr_order;     /* how many those are, >= 1 */
	uint8_t *is_fast;      /* [node]: in the same tier as the fastest */
	uint64_t *load_ps;     /* [node]: stall of one load that misses */
	uint64_t *store_ps;    /* [node] */
	uint64_t *move_ps;     /* [from * nr_nodes + to] per page; 0 on the diagonal */
	uint64_t *bytes_per_s; /* [node]: bandwidth seen from home */
	uint64_t *idle_ps;     /* [node]: latency seen from home when nobody else asks */
	uint64_t tick_ns;
	uint64_t values[COST_NR_TUNABLES];
};

/* values: COST_NR_TUNABLES of them, or NULL for the defaults. line_bytes 0: 64.
 * -EINVAL when the machine has no memory or no CPUs, with a sentence. */
int cost_model_new(const struct machine *machine, uint32_t page_bytes, uint32_t line_bytes,
		   const uint64_t *values, struct cost_model **ret, struct printbuf *err);
struct cost_model *cost_model_free(struct cost_model *model);

/* Pages of node `node` (index) of the model's machine: floor(size / page). */
uint64_t cost_capacity_pages(const struct cost_model *model, uint32_t node);

struct cost_node {		/* what one node served, in one epoch or in all */
	uint64_t loads, stores; /* misses */
	uint64_t moved_in_pages, moved_out_pages;
};

struct cost_load { /* what a PMU would tell of one node for one epoch */
	uint64_t nr_misses;
	uint64_t loaded_ps; /* latency of one, queueing included; UINT64_MAX when it served none */
};

/* Adds up one simulation or one replay. */
struct cost_account {
	const struct cost_model *model;
	struct cost_node *epoch; /* [node] of the open epoch */
	struct cost_node *total; /* [node] of the closed ones */
	struct cost_load *load;	 /* [node] of the epoch closed last */
	uint64_t epoch_move_ps;
	uint64_t compute_ns, blocked_ns;
	uint64_t latency_ps, bandwidth_ps, migration_ps, faults_ps;
	uint64_t epoch_faults, nr_faults; /* in the open epoch; in the closed ones */
	uint64_t dilate; /* the kernel's clock runs so many times faster; 0 and 1: as fast */
	uint64_t nr_epochs;
	uint64_t nr_bound_epochs; /* that bandwidth made longer */
};
int cost_account_init(struct cost_account *account, const struct cost_model *model);
void cost_account_fini(struct cost_account *account);
/* Misses go straight to account->epoch[node].loads and .stores; moves through this. */
void cost_account_move(struct cost_account *account, uint32_t from, uint32_t to, uint64_t nr_pages);
/* So many pages that are one folio: the fixed cost once, the copy for each. */
uint64_t cost_folio_ps(const struct cost_model *model, uint32_t from, uint32_t to,
		       uint64_t nr_pages);
void cost_account_move_folio(struct cost_account *account, uint32_t from, uint32_t to,
			     uint64_t nr_pages);
/* The program took so many hint faults. */
static inline void cost_account_fault(struct cost_account *account, uint64_t nr_faults)
{
	account->epoch_faults += nr_faults;
}
struct cost_epoch { /* what closing an epoch found */
	uint64_t compute_ns, latency_ps, bandwidth_ps, migration_ps, faults_ps;
	uint64_t misses, fast_misses;
};
/* Closes the epoch, which took compute_ns of the recording's clock. ret may be NULL. */
void cost_account_close(struct cost_account *account, uint64_t compute_ns, struct cost_epoch *ret);
/* Predicted time of the closed epochs, blocked time included; saturates. */
uint64_t cost_account_time_ns(const struct cost_account *account);
/* latency + migration: what bounds are exact against. */
uint64_t cost_account_linear_ps(const struct cost_account *account);

uint64_t cost_add(uint64_t a, uint64_t b);	/* saturating */
uint64_t cost_multiply(uint64_t a, uint64_t b); /* saturating */
/* a * b / c without overflow on the way, rounded down, saturating; c > 0. */
uint64_t cost_scale(uint64_t a, uint64_t b, uint64_t c);

#endif
