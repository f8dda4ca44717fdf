/* SPDX-License-Identifier: MIT */
/*
 * damon-physical: the kernel's own monitor on the physical addresses of the whole machine, and
 * whose the pages are that it found in use.
 *
 *     kdamond (kernel)  | check | check | ... an aggregation --> a record per region of frames
 *     here              the newest snapshot, sorted by frame:   [0 hits) [17 hits ) [0 hits    )
 *                                                                          ^   ^
 *                       each page of the watched processes, by pagemap: its frame's region
 *                       -> runs of pages with the same hits on the same node         --> samples
 *                       frames of regions with hits that nobody watched maps: counted
 *
 * What it is for: the kernel's part costs the same however many processes there are and however
 * much they have, where virtual addresses take ten regions for each process and 256 processes at
 * most; and it is told of memory that no process maps, as the page cache. What it is bad at:
 * neighbours in physical memory are seldom used alike, so that in memory that was given out page by
 * page a region says little.
 *
 * The way from frames to owners is gone backwards, from the pages of processes to regions, since no
 * interface tells whose a frame is: it needs no memory, and a table of all frames would take 16
 * bytes for each. It is our half of the share of a CPU (live.h) that says how often, at most every
 * 200 ms; the kdamond's thread may take the other half.
 *
 * Cost: 50 to 1,000 regions in the kernel; here one read(2) per 512 pages of the processes and a
 * look into the regions for each, of which the last answer is tried first.
 * Follows mm/damon/paddr.c (6.12, 7.3).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/damon_event.h"
#include "linux/damon_pace.h"
#include "linux/kdamond.h"
#include "linux/pagemap.h"
#include "linux/physical.h"
#include "linux/samplers.h"
#include "linux/translations.h"

#define RING_ORDER   7 /* 512 KiB: seven aggregations of a thousand regions */
#define READ_MIN_NS  (200 * NS_PER_MS)
#define RESTART_NS   (2 * NS_PER_S)
#define SHARE_MAX_BP 10000
#define REGIONS_PART 4 /* a region is at most so many times as large as if all were equal */

struct physical {
	struct live *live;
	struct kdamond kdamond;
	struct damon_events events;
	struct ring ring;
	struct translations translations;
	struct damon_pace pace;
	struct kdamond_range ranges[PHYSICAL_RANGES_MAX];
	uint32_t nr_ranges;
	uint64_t started_ns, flushed_ns, kernel_ns, nr_read;
	/* handing out */
	bool is_handing;
	uint64_t due_ns, cost_ns;
	struct physical_look look;
	struct pagemap_walk walk;
};

static int probe_physical(void *world, struct printbuf *err)
{
	struct live *live = world;
	struct kdamond_range ranges[PHYSICAL_RANGES_MAX];
	struct damon_events events;
	int error = kdamond_probe(live->root, &live->kdamonds, err);
	if (error)
		return error;
	error = damon_events_find(live->root, live->machine->page_bytes, &events);
	if (error)
		return error_set(err, error == -EACCES ? -EPERM : -EOPNOTSUPP,
				 "the tracepoint " DAMON_EVENT " cannot be found: %s; mount "
				 "tracefs, or use a kernel with CONFIG_FTRACE",
				 error_text(error));
	if (physical_ranges(&live->frames, live->machine->page_bytes, ranges) == 0)
		return error_set(
			err, -EOPNOTSUPP,
			"/proc/zoneinfo names no memory, or more than %u pieces of it; use "
			"damon",
			PHYSICAL_RANGES_MAX);
	return 0;
}

static void close_physical(void *sampler)
{
	struct physical *physical = sampler;
	if (!physical)
		return;
	translations_fini(&physical->translations);
	ring_close(&physical->ring);
	kdamond_remove(&physical->kdamond);
	damon_events_fini(&physical->events);
	pagemap_walk_fini(&physical->walk);
	free(physical);
}

static int open_physical(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct physical *physical = calloc(1, sizeof(*physical));
	if (!physical)
		return error_set(err, -ENOMEM, "damon-physical: out of memory");
	physical->live = live;
	physical->ring.fd = -1;
	pagemap_walk_init(&physical->walk, live);
	damon_pace_init(&physical->pace);
	physical->nr_ranges = physical_ranges(&live->frames, live->machine->page_bytes,
					      physical->ranges);
	int error = damon_events_find(live->root, live->machine->page_bytes, &physical->events);
	if (error)
		error_set(err, error, "the tracepoint " DAMON_EVENT " cannot be found: %s",
			  error_text(error));
	if (!error)
		error = translations_init(&physical->translations, live->root);
	if (!error)
		error = kdamond_make(&live->kdamonds, live->root, live->journal, &physical->kdamond,
				     err);
	if (error) {
		close_physical(physical);
		return error;
	}
	*ret_sampler = physical;
	return 0;
}

/* What its thread took since last asked. */
static void account(struct physical *physical)
{
	uint64_t all_ns = kdamond_cpu_ns(&physical->kdamond);
	uint64_t flushed_ns = translations_cpu_ns(&physical->translations);
	struct live_cost cost = { .own_ns = flushed_ns - physical->flushed_ns };
	if (all_ns > physical->kernel_ns) {
		cost.kernel_ns = all_ns - physical->kernel_ns;
		physical->kernel_ns = all_ns;
	}
	physical->flushed_ns = flushed_ns;
	live_charge(physical->live, live_sampler_damon_physical.name, &cost);
}

static uint64_t half_share_bp(const struct physical *physical)
{
	return MAX(MIN(physical->live->sampling_share_bp, SHARE_MAX_BP) / 2, 1);
}

static int listen_to_it(struct physical *physical)
{
	struct perf_event_attr attr;
	damon_events_attr(&physical->events, &attr);
	return ring_open(&attr, physical->kdamond.pid, -1, -1, RING_ORDER, &physical->ring);
}

static int start(struct physical *physical, uint64_t now_ns)
{
	const struct damon_pace *pace = &physical->pace;
	struct kdamond_settings settings = {
		.sample_us = pace->sample_us,
		.aggregation_us = pace->sample_us * DAMON_CHECKS,
		.min_regions = MAX(pace->max_regions / REGIONS_PART, 3),
		.max_regions = pace->max_regions,
		.is_physical = true,
		.ranges = physical->ranges,
		.nr_ranges = physical->nr_ranges,
	};
	account(physical);
	ring_close(&physical->ring);
	damon_events_clear(&physical->events);
	physical->started_ns = now_ns;
	physical->kernel_ns = 0;
	int error = kdamond_start(&physical->kdamond, &settings, NULL);
	if (!error)
		error = listen_to_it(physical);
	physical->kernel_ns = kdamond_cpu_ns(&physical->kdamond);
	damon_pace_begin(&physical->pace, now_ns, physical->kernel_ns);
	return error;
}

static int keep_on(struct physical *physical, uint64_t now_ns)
{
	account(physical);
	translations_begin(&physical->translations, physical->pace.sample_us * NS_PER_US,
			   half_share_bp(physical));
	if (physical->started_ns == 0)
		return start(physical, now_ns);
	if (now_ns - physical->started_ns < RESTART_NS || physical->nr_read == 0)
		return 0;
	bool is_other = damon_pace_adapt(&physical->pace, &physical->events.ready, now_ns,
					 physical->kernel_ns, half_share_bp(physical));
	return is_other ? start(physical, now_ns) : 0;
}

/* All pages of all processes; 1: the batch is full and there is more. */
static int hand_out(struct physical *physical, struct sample_batch *batch)
{
	struct pagemap_walk *walk = &physical->walk;
	uint64_t first, nr;
	while (batch->max - batch->nr >= PAGEMAP_CHUNK) {
		if (pagemap_walk_next(walk, &first, &nr) != 1) {
			physical->is_handing = false;
			physical->live->nr_foreign_pages = physical_foreign_pages(&physical->look);
			return 0;
		}
		struct physical_run run = { .page = first, .space = walk->pagemap.space };
		physical_tell(&physical->look, &run, walk->pagemap.entries, nr, batch);
	}
	return 1;
}

/* The newest one; false: none since the last. */
static bool take_snapshot(struct physical *physical, uint64_t now_ns)
{
	struct live *live = physical->live;
	ring_read(&physical->ring, damon_events_take, &physical->events);
	live->nr_lost += physical->ring.nr_lost;
	physical->ring.nr_lost = 0;
	damon_events_settle(&physical->events, now_ns, DAMON_SAMPLE_MIN_US * NS_PER_US);
	if (physical->nr_read == physical->events.nr_snapshots)
		return false;
	physical->nr_read = physical->events.nr_snapshots;
	physical->look = (struct physical_look){
		.snapshot = &physical->events.ready,
		.frames = &live->frames,
		.window_ns = physical->pace.sample_us * NS_PER_US,
	};
	pagemap_walk_restart(&physical->walk);
	physical->is_handing = true;
	return true;
}

/* While a snapshot is handed out the next one stays in the ring. */
static int go_on(struct physical *physical, uint64_t now_ns, struct sample_batch *batch)
{
	if (!physical->is_handing) {
		int error = keep_on(physical, now_ns);
		if (error)
			return error;
		if (now_ns < physical->due_ns || !take_snapshot(physical, now_ns))
			return 0;
		physical->cost_ns = 0;
	}
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = hand_out(physical, batch);
	physical->cost_ns += clock_thread_cpu_ns() - begin_ns;
	if (more == 0)
		physical->due_ns = now_ns + MAX(READ_MIN_NS, physical->cost_ns * SHARE_MAX_BP /
								     half_share_bp(physical));
	return more;
}

static int poll_physical(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct physical *physical = sampler;
	struct live *live = physical->live;
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = go_on(physical, now_ns, batch);
	uint64_t cost_ns = clock_thread_cpu_ns() - begin_ns;
	live_charge(live, live_sampler_damon_physical.name,
		    &(struct live_cost){ .own_ns = cost_ns });
	live->wake_ns = MIN(live->wake_ns, MAX(physical->due_ns, now_ns + READ_MIN_NS));
	return more;
}

const struct sampler_ops live_sampler_damon_physical = {
	.name = "damon-physical",
	.summary = "frames of the whole machine, by the kernel's monitor, and whose they are",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, false },
	.probe = probe_physical,
	.open = open_physical,
	.poll = poll_physical,
	.close = close_physical,
};
