/* SPDX-License-Identifier: MIT */
/*
 * Reading the ring that perf events write: records of 8 to 65,528 bytes, one after the other, which
 * go round the end of a buffer whose size is a power of two.
 *
 *     data   [ ...4 bytes | header 8 | body | header | body | free ... | header ... ]
 *                          ^ tail: read until                          ^ head wraps
 *
 * Two kinds of events write records, each into rings of its own; the layouts are those of
 * perf_open.c:
 *
 *     a page fault:  pid tid | time | address | cpu 0 | physical | page size
 *     an arming:     pid tid | time | abi | end | start         (registers dx, si at the probe)
 *
 * Whatever the bytes are, a record is taken as a whole or not at all: a size that cannot be ends
 * the reading up to the head, and is counted.
 *
 * Cost: a copy of a record and a few comparisons, about 20 ns.
 * Follows include/uapi/linux/perf_event.h and kernel/events/ring_buffer.c (6.12).
 */
#ifndef BERTH_LINUX_PERF_RING_H
#define BERTH_LINUX_PERF_RING_H

#include "base/types.h"

enum perf_ring_kind { PERF_RING_FAULTS, PERF_RING_ARMINGS };

struct perf_ring {
	enum perf_ring_kind kind;
	const uint8_t *data;
	uint64_t nr_bytes;   /* of data, a power of two */
	uint64_t tail, head; /* count bytes since ever; head - tail is what is there to read */
	uint64_t nr_lost;    /* records that the kernel had no room for */
	uint64_t nr_broken;  /* times that the rest was given up */
};

struct perf_fault {
	uint64_t time_ns;
	uint64_t address;
	uint64_t
		page_bytes; /* of the entry in the page table before the fault; 0: none was there */
	bool was_accessible; /* that entry let the page be read */
	uint32_t pid, tid, cpu;
};

struct perf_arming { /* the kernel takes access away from [start, end) */
	uint64_t time_ns;
	uint64_t start, end;
	uint32_t pid;
};

struct perf_record {
	enum perf_ring_kind kind;
	union {
		struct perf_fault fault;
		struct perf_arming arming;
	};
};

/* The next fault or arming; false: there is none. Everything else is passed over. */
bool perf_ring_next(struct perf_ring *ring, struct perf_record *ret);
/* A hint fault: the entry was there, and nobody could read it. */
bool perf_fault_is_hint(const struct perf_fault *fault);

#endif
