/* SPDX-License-Identifier: MIT */
/*
 * What a system call changed in its process's mappings, for both recorders: the one in qemu-user
 * (recorder/calls.c) and that of the lab (lab/latency/record.c).
 *
 *     call, arguments, result  ->  0 to 4 changes, in order
 *
 * Only calls that succeeded. shmat is not here: its size stands in no argument.
 */
#ifndef BERTH_RECORDER_CHANGES_H
#define BERTH_RECORDER_CHANGES_H

#include "trace/trace.h"

#define MAPPING_CHANGES_MAX 4

struct mapping_change {
	enum trace_mapping_op op;
	uint64_t address, nr_bytes;
	uint64_t from; /* TRACE_REMAP: the address it was at */
	uint64_t detail;
	uint32_t protection;
	const char *name; /* TRACE_MAP; NULL: a file's, by argument 4 */
};

/* `heap_end`: of the process, 0 at first; kept up to date by brk. Returns how many. */
unsigned mapping_changes(int64_t call, const uint64_t arguments[6], uint64_t result,
			 uint64_t *heap_end, struct mapping_change ret[MAPPING_CHANGES_MAX]);

#endif
