/* SPDX-License-Identifier: MIT */
/*
 * What a worker does with one job, and how it tells.
 *
 *     worker --> pipe: head | payload | head | payload ... --> parent
 *
 * A worker is the same program, forked: messages are structs as they lie in memory.
 */
#ifndef BERTH_CLI_SWEEP_WORK_H
#define BERTH_CLI_SWEEP_WORK_H

#include "cli/sweep_plan.h"

#define SWEEP_MESSAGE_MAX ((size_t)16 << 20)

enum sweep_message_kind {
	SWEEP_MESSAGE_PROGRESS, /* uint64_t: events fed so far; UINT64_MAX: all of them, and now
				   the bounds are solved */
	SWEEP_MESSAGE_EXTENT,	/* struct sim_extent */
	SWEEP_MESSAGE_ROW,	/* struct sweep_outcome and what follows it */
	SWEEP_MESSAGE_REMARK,	/* text: what a user should read */
	SWEEP_MESSAGE_FAILED,	/* text: the job has no results */
	SWEEP_MESSAGE_END,	/* uint64_t: processor time of the worker, in ns; all is told */
};

struct sweep_message {
	uint32_t kind, nr_bytes; /* of the payload behind */
};

struct sweep_counter {
	uint64_t value;
	char name[56];
};

/* Behind it: nr_counters counters, then the texts: error, method, note, each ended by NUL. */
struct sweep_outcome {
	uint32_t row;
	int32_t error;
	uint64_t figures[SIM_NR_FIELDS]; /* as in sim_fields */
	uint64_t memory_bytes, fast_bytes;
	bool is_known[SIM_NR_FIELDS];
	bool has_bound, is_exact;
	uint32_t nr_counters;
};

/* An outcome as the parent reads it; all point into the message. */
struct sweep_result {
	struct sweep_outcome outcome;
	const struct sweep_counter *counters;
	const char *error_text, *method, *note; /* "" */
};

/* WHEN: in the worker; never returns but with its exit status. */
int sweep_work(const struct sweep_plan *plan, const struct sweep_job *job, int fd);
/* -EBADMSG: a worker in its last breath may write nonsense. */
int sweep_result_read(const void *payload, size_t nr_bytes, struct sweep_result *ret);

#endif
