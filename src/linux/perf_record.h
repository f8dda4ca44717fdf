/* SPDX-License-Identifier: MIT */
/*
 * What the records say that perf events of page faults and armings write (perf_open.h has their
 * layouts made, ring.h reads the rings):
 *
 *     a page fault:  pid tid | time | address | cpu 0 | physical | page size
 *     an arming:     pid tid | time | abi | end | start         (registers dx, si at the probe)
 *
 * Whatever the bytes are, a record is understood as a whole or not at all.
 *
 * Cost: a few comparisons. Follows include/uapi/linux/perf_event.h (6.12).
 */
#ifndef BERTH_LINUX_PERF_RECORD_H
#define BERTH_LINUX_PERF_RECORD_H

#include <linux/perf_event.h>

#include "base/types.h"

enum perf_kind { PERF_FAULTS, PERF_ARMINGS };

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

/* False: it is no fault, or no arming. */
bool perf_fault_read(const struct perf_event_header *record, struct perf_fault *ret);
bool perf_arming_read(const struct perf_event_header *record, struct perf_arming *ret);
/* A hint fault: the entry was there, and nobody could read it. */
bool perf_fault_is_hint(const struct perf_fault *fault);

#endif
