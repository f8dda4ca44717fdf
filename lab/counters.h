/* SPDX-License-Identifier: MIT */
/*
 * The shared memory between the latency model (a QEMU plugin) and the launcher: what to model,
 * and what was counted. The launcher fills `struct lab_model` before QEMU starts; the plugin only
 * adds to counters. One writer per counter (a vCPU's own thread), so plain stores do.
 *
 *     struct lab_model | struct lab_vcpu [nr_vcpus] | struct lab_snapshot ring [LAB_MAX_SNAPSHOTS]
 */
#ifndef BERTH_LAB_COUNTERS_H
#define BERTH_LAB_COUNTERS_H

#include <stdint.h>

#define LAB_MODEL_VERSION 1
#define LAB_MAX_NODES	  32 /* nodes of a lab machine: QEMU takes 128, HMAT tables grow square */
#define LAB_MAX_VCPUS	  64
#define LAB_MAX_RANGES	  64
#define LAB_MAX_PHASES	  16
#define LAB_MAX_SNAPSHOTS 4096

enum lab_time { LAB_TIME_DELAY, LAB_TIME_ICOUNT };

struct lab_range { /* guest-physical [start, end) belongs to node (an index of the machine) */
	uint64_t start, end;
	uint32_t node, unused;
};

/* All latencies and bandwidths are those of the machine's line, unscaled. */
struct lab_model {
	uint32_t version;
	uint32_t time; /* enum lab_time */
	uint32_t nr_nodes, nr_vcpus, nr_ranges;
	uint32_t cache_bytes, cache_ways, line_bytes; /* per vCPU */
	struct lab_range ranges[LAB_MAX_RANGES];
	uint32_t node_of_vcpu[LAB_MAX_VCPUS];
	uint32_t latency_ns[LAB_MAX_NODES][LAB_MAX_NODES]; /* [CPU's node][memory's node] */
	uint64_t bandwidth_bytes_per_s[LAB_MAX_NODES][LAB_MAX_NODES];
	uint32_t scale_bp;	 /* delay: felt time per modelled time, per ten thousand */
	uint32_t is_running;	 /* set by the plugin between START and STOP */
	uint32_t nr_snapshots;	 /* ever taken; the ring keeps the last LAB_MAX_SNAPSHOTS */
	uint32_t plugin_version; /* QEMU plugin API the plugin runs under; 0: it never came up */
	uint64_t nr_unknown;	 /* misses outside all ranges (firmware) */
	uint32_t line_scale_bp;	 /* delay: felt per modelled time of a line's transfer */
	uint32_t slack_ns;	 /* delay: of the time before a miss, taken for part of its wait */
};

struct lab_count {
	uint64_t nr_load_misses, nr_store_misses; /* random ones */
	uint64_t nr_sequential; /* misses that a prefetcher hides, not in the above */
	uint64_t wait_ns;	/* delay: felt; icount: modelled only */
};

struct lab_vcpu {
	uint32_t phase;
	uint32_t unused;
	uint64_t nr_instructions; /* since START */
	uint64_t nr_accesses;
	uint64_t nr_phase_instructions[LAB_MAX_PHASES];		/* add up to nr_instructions */
	struct lab_count counts[LAB_MAX_PHASES][LAB_MAX_NODES]; /* [phase][memory's node] */
};

struct lab_snapshot { /* sums over vCPUs and phases */
	uint32_t name, phase;
	uint64_t nr_instructions;
	struct lab_count counts[LAB_MAX_NODES];
};

struct lab_shared {
	struct lab_model model;
	struct lab_vcpu vcpus[LAB_MAX_VCPUS];
	struct lab_snapshot snapshots[LAB_MAX_SNAPSHOTS];
};

#endif
