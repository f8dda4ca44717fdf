/* SPDX-License-Identifier: MIT */
/*
 * Accesses made of samples, so that recordings of running programs can be simulated.
 *
 *     look: ranges found used, at time t, window w          accesses, one per page
 *     [ 100..103 ] [ 200..201 ]                      -->    t-w ... 201 102 200 ... t
 *
 * A page that a look found used is one access somewhere in the window of that look; of a range with
 * hits in some of its checks so large a share of its pages, others in the next look. The accesses
 * lie evenly in the window, not in the order of addresses, since what the order was is not known: a
 * stride that is prime to how many there are goes through all of them.
 *
 * How often a page was really used the samples do not say; the caller charges what it thinks right
 * (sim.c: as reading the page once) and says so.
 *
 * Cost: 40 bytes per range of the look under way, O(log ranges) per access.
 */
#ifndef BERTH_SIM_SAMPLED_H
#define BERTH_SIM_SAMPLED_H

#include "trace/trace.h"

#define SAMPLED_RANGES_MAX ((uint32_t)1 << 20) /* of one look; more are a look of their own */
#define SAMPLED_SPAN_MAX   ((uint64_t)1 << 26) /* pages of one range that are looked at */

struct sampled_range {
	uint64_t page, span; /* pages [page, page + span) */
	uint64_t begin;	     /* within the span: the first that is accessed; it goes on round it */
	uint64_t nr_pages;   /* that are accessed */
	uint64_t first;	     /* pages of the ranges before */
};

typedef int sampled_take_fn(void *context, const struct trace_batch *accesses);

struct sampled {
	sampled_take_fn *take;
	void *context;
	struct sampled_range *ranges;
	uint32_t nr, max;
	uint64_t nr_pages, time_ns, window_ns;
	uint64_t turn; /* looks so far */
	uint32_t space;
	/* The batch that is being filled. */
	uint32_t nr_out;
	uint64_t times_ns[TRACE_BATCH_EVENTS], pages[TRACE_BATCH_EVENTS];
	uint8_t flags[TRACE_BATCH_EVENTS];
};

struct sampled *sampled_new(sampled_take_fn *take, void *context); /* NULL: no memory */
/* A batch of samples. What it makes is given when the look is over: by the next call that begins
 * another, or by sampled_flush(), before anything else that happens at that time. */
int sampled_feed(struct sampled *sampled, const struct trace_batch *samples);
int sampled_flush(struct sampled *sampled);
struct sampled *sampled_free(struct sampled *sampled); /* NULL allowed */

#endif
