/* SPDX-License-Identifier: MIT */
/*
 * The latency model without QEMU: what an access of the guest does to it.
 *
 *     access --> filter (virtual lines, 1,024, direct-mapped) --> cache (physical lines, LRU)
 *                   hit: nothing more                                hit: nothing more
 *                                                         miss --> node --> streams --> count, wait
 *
 * The filter is the first-level cache: it answers most accesses with one load and one compare, and
 * it alone is keyed by virtual address, because the physical one costs a look-up in QEMU's TLB. It
 * forgets everything when mappings may change (mov to cr3 or cr4, invlpg, invpcid), so a page that
 * was moved to another node is looked up anew. Its generation is part of the key; forgetting is one
 * addition.
 *
 *     key = (virtual address << 16 >> 22) | generation << 42      line of 48 bits, 22 bits
 *
 * What is left out: instruction fetches, the page tables' own lines, writing back of dirty lines,
 * coherence between vCPUs (each cache stands alone), the second half of an access that crosses
 * lines.
 *
 * Cost: about 2 ns an access that the filter answers, 10 to 20 ns one that the cache does.
 */
#ifndef BERTH_LAB_LATENCY_MODEL_H
#define BERTH_LAB_LATENCY_MODEL_H

#include "lab/counters.h"
#include "lab/latency/cache.h"
#include "lab/latency/marks.h"
#include "lab/latency/streams.h"

#define FILTER_LINES	  1024
#define FILTER_LINE_SHIFT 6
#define FILTER_GENERATION ((uint64_t)1 << 42)
#define MODEL_NO_NODE	  UINT32_MAX
#define MODEL_LINE_BURST  4 /* lines that a node lets pass at once after a rest */
#define MODEL_MAX_WAIT_NS ((uint64_t)1000000)

struct cpu { /* one vCPU; touched by its own thread only */
	uint64_t generation;
	uint64_t nr_accesses;
	struct lab_count *counts; /* of the phase, per node */
	uint64_t filter[FILTER_LINES];
	struct cache cache;
	struct streams streams;
	uint64_t answered; /* waits.h */
	uint64_t latency_ticks[LAB_MAX_NODES], line_ticks[LAB_MAX_NODES];
	struct lab_vcpu *shared;
	struct speech speech;
	uint32_t range; /* a hint: the one that was found last */
	uint32_t vcpu;
	uint64_t store_filter[FILTER_LINES]; /* only while recording */
} __attribute__((aligned(64)));

struct node_clock {
	uint64_t sent; /* waits.h */
} __attribute__((aligned(64)));

struct model {
	struct lab_shared *shared;
	uint32_t nr_vcpus;
	uint64_t slack_ticks, max_wait_ticks;
	uint64_t ticks_per_1024_ns;
	struct cpu *cpus;
	struct node_clock *clocks;
};

extern struct model model;

/* -EINVAL: what the launcher wrote makes no sense; -ENOMEM. */
int model_init(struct lab_shared *shared);
void model_fini(void);
/* All caches empty, waits computed; ticks_per_1024_ns: 0 when nothing waits. */
void model_start(uint64_t ticks_per_1024_ns);
/* The node of a physical address, or MODEL_NO_NODE. */
uint32_t model_node(struct cpu *cpu, uint64_t physical);
void model_phase(uint32_t phase);
void model_snapshot(uint32_t name);
/* Fills in what is not kept up to date at every access. */
void model_settle(void);

enum model_answer { MODEL_HIT, MODEL_MISS, MODEL_MISS_SEQUENTIAL, MODEL_MISS_UNKNOWN };

/* An access that the filter did not answer. Counts; does not wait. */
enum model_answer model_access(struct cpu *cpu, uint64_t address, uint64_t physical, bool is_store,
			       uint32_t *ret_node);
/* When the miss is answered, given that it is `now`. */
uint64_t model_answered_at(struct cpu *cpu, uint32_t node, bool is_sequential, uint64_t now);

static inline uint64_t filter_key(const struct cpu *cpu, uint64_t address)
{
	return (address << 16 >> (16 + FILTER_LINE_SHIFT)) | cpu->generation;
}

static inline uint32_t filter_slot(uint64_t address)
{
	return address >> FILTER_LINE_SHIFT & (FILTER_LINES - 1);
}

void model_forget_all(struct cpu *cpu);

static inline void model_forget(struct cpu *cpu)
{
	cpu->generation += FILTER_GENERATION;
	if (unlikely(cpu->generation == 0))
		model_forget_all(cpu);
}

#endif
