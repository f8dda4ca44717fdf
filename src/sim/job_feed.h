/* SPDX-License-Identifier: MIT */
/*
 * Several recordings as one: each is a job, all begin at the same moment.
 *
 *     reader 0: ----[batch]--[batch]--\   slices of 100 us of the recordings' clock:
 *     reader 1: --[batch]----[batch]---+--> job 0's, job 1's, ..., then the next slice
 *
 * Within a slice jobs come one after the other: programs on CPUs of their own are not ordered more
 * finely than that by anything. A chunk of the stage is of one job, so that job_account.h can tell
 * whose misses it has.
 *
 * Cost: O(jobs) per slice with events; nothing is copied but mappings.
 */
#ifndef BERTH_SIM_JOB_FEED_H
#define BERTH_SIM_JOB_FEED_H

#include "sim/stage.h"

#define JOB_FEED_SLICE_NS (100 * NS_PER_US)

/* Feeds the stage to the end of all readers; not the end itself. 0; 1: a reader failed on the way
 * (err says where), the others went on; negative: nothing is good. */
int job_feed_run(struct stage *stage, struct trace_reader *const *readers, uint32_t nr,
		 struct printbuf *err);

#endif
