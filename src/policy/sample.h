/* SPDX-License-Identifier: MIT */
/*
 * What a sampler saw: one sample, or a batch of them.
 *
 * The same record whether it comes from DAMON, hint faults, page idle bits, MGLRU, PEBS or IBS in
 * life, or from a model of one of these in a simulation. What is not known is marked unknown, never
 * zero: zero hits out of five checks says "idle", SAMPLE_UNKNOWN says "nobody looked".
 *
 * Times are nanoseconds of the policy's clock (the kernel's time in life; program time x dilation
 * in a simulation). Nodes are indexes into machine.nodes, not kernel ids. Pages count in
 * machine.page_bytes.
 *
 * A batch belongs to the engine; samplers fill it during poll(), policies read it during
 * observe(), and nobody keeps a pointer into it afterwards.
 */
#ifndef BERTH_POLICY_SAMPLE_H
#define BERTH_POLICY_SAMPLE_H

#include "base/types.h"

#define SAMPLE_UNKNOWN	 UINT64_MAX /* for latency_ns and window_ns */
#define SAMPLE_NONE	 UINT32_MAX /* for hits, checks, age, node and cpu */
#define SAMPLE_NO_ORDER	 UINT8_MAX  /* for order */
#define SAMPLE_BATCH_MAX 4096	    /* samples in one batch */

enum sample_kind {		/* which of the three groups of fields is filled */
		   SAMPLE_HITS, /* hits out of checks: accessed bits, DAMON, page idle, MGLRU */
		   SAMPLE_HINT_FAULT, /* one page; latency from arming to the fault */
		   SAMPLE_HARDWARE,   /* one page; a load or store that the hardware picked */
};

/* Bits of what a sampler provides and a policy needs. */
#define SAMPLE_BIT(kind)  (1u << (kind))
#define SAMPLE_HAS_WRITES (1u << 8) /* access is known */
#define SAMPLE_HAS_NODE	  (1u << 9)
#define SAMPLE_HAS_CPU	  (1u << 10)
#define SAMPLE_HAS_AGE	  (1u << 11)
/* A policy only: it takes whichever kinds of samples there are, and needs one. */
#define SAMPLE_ANY (1u << 15)
#define SAMPLE_KINDS                                                                               \
	(SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_BIT(SAMPLE_HINT_FAULT) | SAMPLE_BIT(SAMPLE_HARDWARE))

enum sample_access { SAMPLE_ACCESS_UNKNOWN, SAMPLE_READ, SAMPLE_WRITE };

enum sample_space_kind { SAMPLE_MM, SAMPLE_FILE, SAMPLE_PHYSICAL };

struct sample {
	uint64_t time_ns; /* when it was seen; HITS: end of the window of the checks */
	uint64_t page, nr_pages;
	uint64_t latency_ns;   /* HINT_FAULT, and HARDWARE where the hardware tells; else UNKNOWN */
	uint64_t window_ns;    /* HITS: how long one check watched; UNKNOWN: all the time since the
				* one before. What is watched for a part of the time was used more
				* often than it was seen. */
	uint32_t space;	       /* one mm, one file, or physical memory; numbered by the world */
	uint32_t hits, checks; /* HITS; else SAMPLE_NONE */
	uint32_t age;	       /* HITS: windows of checks since when hits are about as many; DAMON's
				* age; SAMPLE_NONE when not known */
	uint32_t node;	       /* where the memory was; SAMPLE_NONE when not known or mixed */
	uint32_t cpu;	       /* who accessed; SAMPLE_NONE when not known */
	uint32_t period;       /* HARDWARE: events that this one stands for; SAMPLE_NONE */
	uint8_t kind;	       /* enum sample_kind */
	uint8_t access;	       /* enum sample_access */
	uint8_t space_kind;    /* enum sample_space_kind */
	uint8_t order;	       /* of the folio it lies in (9: 2 MiB), or SAMPLE_NO_ORDER. One
				* accessed bit serves a whole folio; faults and hardware name the
				* page within it. */
};

struct sample_batch {
	struct sample *samples; /* room for max */
	uint32_t nr, max;
};

/* A sample of one page with everything unknown but what is given. */
static inline struct sample sample_of_page(enum sample_kind kind, uint64_t time_ns, uint32_t space,
					   uint64_t page)
{
	return (struct sample){
		.time_ns = time_ns,
		.page = page,
		.nr_pages = 1,
		.latency_ns = SAMPLE_UNKNOWN,
		.window_ns = SAMPLE_UNKNOWN,
		.space = space,
		.hits = SAMPLE_NONE,
		.checks = SAMPLE_NONE,
		.age = SAMPLE_NONE,
		.node = SAMPLE_NONE,
		.cpu = SAMPLE_NONE,
		.period = SAMPLE_NONE,
		.kind = (uint8_t)kind,
		.access = SAMPLE_ACCESS_UNKNOWN,
		.space_kind = SAMPLE_MM,
		.order = SAMPLE_NO_ORDER,
	};
}

#endif
