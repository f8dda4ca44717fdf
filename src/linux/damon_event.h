/* SPDX-License-Identifier: MIT */
/*
 * What a kdamond found, as the kernel tells it by the tracepoint damon:damon_aggregated: one record
 * for each region at the end of each aggregation, in the order of targets and of addresses.
 *
 *     target 0: r r r r   target 1: r r r   |  target 0: r r r r r ...
 *     --------------- one snapshot ---------+---- the next: address or target went back
 *
 * Parsing needs no kernel, so that any bytes can be tried.
 *
 * Why the tracepoint: the other way, a scheme of action `stat` and its tried_regions, has the
 * kernel make a directory of five files for each region each time, and the reader wait for it in
 * steps of 100 ms. A record is 72 bytes, and its thread being ours alone,
 * other users of DAMON are not heard.
 *
 * Cost: 40 bytes per region, two snapshots.
 * Follows include/trace/events/damon.h and kdamond_reset_aggregated in mm/damon/core.c (6.12).
 */
#ifndef BERTH_LINUX_DAMON_EVENT_H
#define BERTH_LINUX_DAMON_EVENT_H

#include "linux/ring.h"
#include "linux/tracepoint.h"

#define DAMON_EVENT	  "damon/damon_aggregated"
#define DAMON_REGIONS_MAX 16384 /* in a snapshot; the rest is dropped and counted */

struct damon_region {
	uint64_t first, end; /* pages */
	uint64_t time_ns;
	uint32_t target; /* in the order in which they were given */
	uint32_t hits, age;
};

struct damon_snapshot {
	struct damon_region *items;
	uint32_t nr, max;
};

enum damon_field { DAMON_TARGET, DAMON_START, DAMON_END, DAMON_HITS, DAMON_AGE, DAMON_NR_FIELDS };

struct damon_events {
	struct tracepoint_field fields[DAMON_NR_FIELDS];
	uint64_t number; /* of the tracepoint */
	uint32_t page_bytes;
	struct damon_snapshot ready, growing; /* ready: whole */
	uint64_t nr_snapshots, nr_dropped;
};

/* Finds the tracepoint. -ENOENT, -EBADMSG, -EACCES as tracepoint_find. */
int damon_events_find(const struct root *root, uint32_t page_bytes, struct damon_events *ret);
/* The event's attributes but for its ring. */
void damon_events_attr(const struct damon_events *events, struct perf_event_attr *ret);
/* A ring_take_fn; context is the struct damon_events. */
bool damon_events_take(void *context, const struct perf_event_header *record);
/* Nothing came for a while: what is there is whole. */
void damon_events_settle(struct damon_events *events, uint64_t now_ns, uint64_t quiet_ns);
void damon_events_clear(struct damon_events *events); /* of what was gathered */
void damon_events_fini(struct damon_events *events);

#endif
