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
#include "linux/damon_monitor.h"
#include "linux/pagemap.h"
#include "linux/physical.h"
#include "linux/samplers.h"

#define REGIONS_PART 4 /* a region is at most so many times as large as if all were equal */

struct physical {
	struct live *live;
	struct damon_monitor monitor;
	struct kdamond_range ranges[PHYSICAL_RANGES_MAX];
	uint32_t nr_ranges;
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
	int error = damon_monitor_probe(live, err);
	if (error)
		return error;
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
	damon_monitor_fini(&physical->monitor);
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
	pagemap_walk_init(&physical->walk, live);
	physical->nr_ranges = physical_ranges(&live->frames, live->machine->page_bytes,
					      physical->ranges);
	int error = damon_monitor_init(&physical->monitor, live, live_sampler_damon_physical.name,
				       err);
	if (error) {
		close_physical(physical);
		return error;
	}
	*ret_sampler = physical;
	return 0;
}

static int start(struct physical *physical, uint64_t now_ns)
{
	uint32_t max = physical->monitor.pace.max_regions;
	struct kdamond_settings settings = {
		.min_regions = MAX(max / REGIONS_PART, 3),
		.max_regions = max,
		.is_physical = true,
		.ranges = physical->ranges,
		.nr_ranges = physical->nr_ranges,
	};
	return damon_monitor_start(&physical->monitor, &settings, now_ns);
}

static int keep_on(struct physical *physical, uint64_t now_ns)
{
	struct damon_monitor *monitor = &physical->monitor;
	if (!damon_monitor_keep(monitor, now_ns))
		return 0;
	bool is_wanted = monitor->started_ns == 0 || damon_monitor_adapt(monitor, now_ns);
	return is_wanted ? start(physical, now_ns) : 0;
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

static void begin_handing(struct physical *physical)
{
	physical->look = (struct physical_look){
		.snapshot = &physical->monitor.events.ready,
		.frames = &physical->live->frames,
		.window_ns = physical->monitor.pace.sample_us * NS_PER_US,
	};
	pagemap_walk_restart(&physical->walk);
	physical->is_handing = true;
	physical->cost_ns = 0;
}

/* While a snapshot is handed out the next one stays in the ring. */
static int go_on(struct physical *physical, uint64_t now_ns, struct sample_batch *batch)
{
	if (!physical->is_handing) {
		int error = keep_on(physical, now_ns);
		if (error)
			return error;
		if (now_ns < physical->due_ns || !damon_monitor_read(&physical->monitor, now_ns))
			return 0;
		begin_handing(physical);
	}
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = hand_out(physical, batch);
	physical->cost_ns += clock_thread_cpu_ns() - begin_ns;
	if (more == 0)
		physical->due_ns = now_ns +
				   MAX(DAMON_READ_MIN_NS, damon_monitor_rest_ns(&physical->monitor,
										physical->cost_ns));
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
	live->wake_ns = MIN(live->wake_ns, MAX(physical->due_ns, now_ns + DAMON_READ_MIN_NS));
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
