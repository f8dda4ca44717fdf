/* SPDX-License-Identifier: MIT */
/*
 * damon: the kernel's own monitor, which checks one page of each region and adapts the regions to
 * what it finds, on the virtual addresses of the watched processes.
 *
 *     kdamond (kernel)   | check | check | ... 20 of them: an aggregation --> a record per region
 *                            one page of each region per check                   (damon_event.h)
 *     here               poll: the newest snapshot; of regions with hits the pages that are there,
 *                        and now and then their nodes, by /proc/PID/pagemap      --> samples
 *
 * Pages that DAMON finds nothing of are told of once, by a census (pagemap.h).
 *
 * What it costs does not grow with the memory: 50 to 1000 regions, two page-table look-ups a check
 * for each. What it tells is coarser: all pages of a region have the hits of the one that was
 * looked at, and within a region of mixed pages nothing is told apart.
 *
 * The kdamond's thread may take half of the samplers' share of a CPU (live.h), our own reading the
 * other half: nodes are asked for as often as that allows, and for the rest it is remembered which
 * pages there are. Checks come 5 ms apart, as in the kernel's own settings, or as rarely as the
 * share demands, up to 100 ms; our readings every 200 ms or more. 7.3 can choose intervals by
 * itself (intervals_goal), by how many accesses it finds; it knows of no limit of CPU time, so that
 * is left off.
 *
 * Targets are given when it is turned on. When processes were born since, it is turned off and on
 * with them, at most every two seconds: the kernel's `commit` waits for the end of an aggregation
 * in steps of 100 ms with our loop standing still, ends the kdamond when one of the processes has
 * just ended, and takes the regions of one target for those of another when there are fewer.
 * Processes that end cost nothing and stay targets. Beyond 256 the younger ones are not watched.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/damon_monitor.h"
#include "linux/pagemap.h"
#include "linux/samplers.h"

#define REGIONS_MIN_EACH 10 /* with many processes */
#define OWN_PARTS	 3  /* census, nodes and the rest of what is handed out */
#define NODE_NOT_ASKED	 (FRAMES_NO_NODE - 1)
#define CENSUS_NS	 (2 * NS_PER_S)
#define CENSUS_PAGES	 65536 /* each time */

struct damon {
	struct live *live;
	struct damon_monitor monitor;
	uint32_t targets[KDAMOND_TARGETS_MAX]; /* spaces, in the order given */
	uint32_t nr_targets;
	uint64_t turn; /* live's, when it was last looked for newcomers */
	/* handing out */
	uint64_t due_ns, cost_ns;
	uint32_t region;
	uint64_t page;	   /* in it; 0: at its beginning */
	uint64_t nodes_ns; /* when they may be asked for again */
	bool is_handing, asks_nodes;
	struct pagemap pagemap;
	struct census census;
	uint64_t census_ns; /* when it may go on */
};

static int probe_damon(void *world, struct printbuf *err)
{
	return damon_monitor_probe(world, err);
}

static void close_damon(void *sampler)
{
	struct damon *damon = sampler;
	if (!damon)
		return;
	damon_monitor_fini(&damon->monitor);
	pagemap_close(&damon->pagemap);
	census_fini(&damon->census);
	free(damon);
}

static int open_damon(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct damon *damon = calloc(1, sizeof(*damon));
	if (!damon)
		return error_set(err, -ENOMEM, "damon: out of memory");
	damon->live = live;
	damon->pagemap = PAGEMAP_NONE;
	census_init(&damon->census, live);
	int error = damon_monitor_init(&damon->monitor, live, live_sampler_damon.name, err);
	if (error) {
		close_damon(damon);
		return error;
	}
	*ret_sampler = damon;
	return 0;
}

static bool is_target(const struct damon *damon, uint32_t space)
{
	for (uint32_t i = 0; i < damon->nr_targets; i++)
		if (damon->targets[i] == space)
			return true;
	return false;
}

/* A living process that is not watched yet, if there is room for it. */
static bool has_newcomers(struct damon *damon)
{
	uint32_t nr_alive = 0;
	bool has_new = false;
	for (uint32_t i = 0; i < damon->live->nr_spaces && nr_alive < KDAMOND_TARGETS_MAX; i++) {
		if (!live_space(damon->live, i))
			continue;
		nr_alive++;
		has_new |= !is_target(damon, i);
	}
	return has_new;
}

static uint32_t gather_targets(struct damon *damon, pid_t *ret_pids)
{
	damon->nr_targets = 0;
	for (uint32_t i = 0; i < damon->live->nr_spaces && damon->nr_targets < KDAMOND_TARGETS_MAX;
	     i++) {
		const struct live_space *space = live_space(damon->live, i);
		if (!space)
			continue;
		ret_pids[damon->nr_targets] = space->pid;
		damon->targets[damon->nr_targets++] = i;
	}
	return damon->nr_targets;
}

/* 0 also where all processes have just ended: there is nothing to tell. */
static int start(struct damon *damon, uint64_t now_ns)
{
	pid_t pids[KDAMOND_TARGETS_MAX];
	uint32_t nr = gather_targets(damon, pids), max = damon->monitor.pace.max_regions;
	struct kdamond_settings settings = {
		.min_regions = MAX(max / 4 / MAX(nr, 1), REGIONS_MIN_EACH),
		.max_regions = MAX(max, nr * 2 * REGIONS_MIN_EACH),
		.targets = pids,
		.nr_targets = nr,
	};
	if (nr == 0) {
		damon_monitor_pause(&damon->monitor, now_ns);
		return 0;
	}
	int error = damon_monitor_start(&damon->monitor, &settings, now_ns);
	return error == -ESRCH ? 0 : error;
}

/* On, with the processes that there are. */
static int keep_on(struct damon *damon, uint64_t now_ns)
{
	if (!damon_monitor_keep(&damon->monitor, now_ns))
		return 0;
	bool is_wanted = damon_monitor_adapt(&damon->monitor, now_ns);
	if (damon->turn != damon->live->turn)
		is_wanted |= has_newcomers(damon);
	damon->turn = damon->live->turn;
	return is_wanted ? start(damon, now_ns) : 0;
}

/* Where a page is, NONE where that was not asked for; FRAMES_NO_NODE: it is not there. */
static uint32_t node_of(struct damon *damon, uint32_t space, uint64_t page, uint64_t i)
{
	if (damon->asks_nodes)
		return pagemap_node(&damon->pagemap, &damon->live->frames, i);
	return seen_has(&damon->census.seen, space, page) ? NODE_NOT_ASKED : FRAMES_NO_NODE;
}

/* What of [first, first + nr) is there, as runs of one node. There is room for it in the batch. */
static void tell_chunk(struct damon *damon, const struct sample *of_region, uint64_t first,
		       uint64_t nr, struct sample_batch *batch)
{
	struct sample *run = NULL;
	uint32_t run_node = FRAMES_NO_NODE;
	if (damon->asks_nodes)
		nr = pagemap_read(&damon->pagemap, first, nr);
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t node = node_of(damon, of_region->space, first + i, i);
		if (node != FRAMES_NO_NODE && node != run_node) {
			run = &batch->samples[batch->nr++];
			*run = *of_region;
			run->page = first + i;
			run->nr_pages = 0;
			run->node = node == NODE_NOT_ASKED ? SAMPLE_NONE : node;
		}
		run_node = node;
		if (node != FRAMES_NO_NODE)
			run->nr_pages++;
	}
}

/* False: the batch has no room for it. */
static bool tell_region(struct damon *damon, const struct damon_region *region,
			struct sample_batch *batch)
{
	uint32_t space = damon->targets[MIN(region->target, KDAMOND_TARGETS_MAX - 1)];
	if (region->target >= damon->nr_targets)
		return true;
	struct sample sample = sample_of_page(SAMPLE_HITS, region->time_ns, space, region->first);
	sample.nr_pages = region->end - region->first;
	sample.hits = MIN(region->hits, DAMON_CHECKS);
	sample.checks = DAMON_CHECKS;
	sample.age = region->age;
	sample.window_ns = damon->monitor.pace.sample_us * NS_PER_US;
	if (sample.hits == 0) {
		if (batch->nr == batch->max)
			return false;
		batch->samples[batch->nr++] = sample;
		return true;
	}
	if (damon->asks_nodes && !pagemap_open(&damon->pagemap, damon->live, space))
		return true; /* it has ended */
	for (uint64_t page = MAX(damon->page, region->first); page < region->end;) {
		uint64_t nr = MIN(region->end - page, PAGEMAP_CHUNK);
		damon->page = page;
		if (batch->max - batch->nr < nr)
			return false;
		tell_chunk(damon, &sample, page, nr, batch);
		page += nr;
	}
	damon->page = 0;
	return true;
}

/* 1: the batch is full and there is more. */
static int hand_out(struct damon *damon, struct sample_batch *batch)
{
	const struct damon_snapshot *ready = &damon->monitor.events.ready;
	for (; damon->region < ready->nr; damon->region++)
		if (!tell_region(damon, &ready->items[damon->region], batch))
			return 1;
	damon->is_handing = false;
	pagemap_close(&damon->pagemap);
	return 0;
}

/* When a thing that took so long may be done again, as a part of the share. */
static uint64_t next_ns(const struct damon *damon, uint64_t now_ns, uint64_t cost_ns)
{
	return now_ns + damon_monitor_rest_ns(&damon->monitor, cost_ns * OWN_PARTS);
}

/* Some pages at a time; when a round is over none is begun for a while. */
static void take_census(struct damon *damon, uint64_t now_ns, struct sample_batch *batch)
{
	uint64_t begin_ns = clock_thread_cpu_ns();
	if (now_ns < damon->census_ns)
		return;
	bool is_over = census_go_on(&damon->census, now_ns, CENSUS_PAGES, batch);
	damon->census_ns = next_ns(damon, now_ns, clock_thread_cpu_ns() - begin_ns);
	if (is_over)
		damon->census_ns = MAX(damon->census_ns, now_ns + CENSUS_NS);
}

static void begin_handing(struct damon *damon, uint64_t now_ns)
{
	damon->region = 0;
	damon->page = 0;
	damon->asks_nodes = now_ns >= damon->nodes_ns;
	damon->is_handing = true;
	damon->cost_ns = 0;
}

/* While a snapshot is handed out the next one stays in the ring. */
static int go_on(struct damon *damon, uint64_t now_ns, struct sample_batch *batch)
{
	if (!damon->is_handing) {
		int error = keep_on(damon, now_ns);
		if (error)
			return error;
		take_census(damon, now_ns, batch);
		if (now_ns < damon->due_ns || !damon_monitor_read(&damon->monitor, now_ns))
			return 0;
		begin_handing(damon, now_ns);
	}
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = hand_out(damon, batch);
	damon->cost_ns += clock_thread_cpu_ns() - begin_ns;
	if (more == 1)
		return more;
	uint64_t wait_ns = MAX(DAMON_READ_MIN_NS,
			       damon->monitor.pace.sample_us * NS_PER_US * DAMON_CHECKS);
	damon->due_ns = now_ns + wait_ns;
	if (damon->asks_nodes)
		damon->nodes_ns = next_ns(damon, now_ns, damon->cost_ns);
	else
		damon->due_ns = MAX(damon->due_ns, next_ns(damon, now_ns, damon->cost_ns));
	return 0;
}

static int poll_damon(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct damon *damon = sampler;
	struct live *live = damon->live;
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = go_on(damon, now_ns, batch);
	uint64_t cost_ns = clock_thread_cpu_ns() - begin_ns;
	live_charge(live, live_sampler_damon.name, &(struct live_cost){ .own_ns = cost_ns });
	uint64_t due_ns = MAX(damon->due_ns, now_ns + DAMON_READ_MIN_NS);
	live->wake_ns = MIN(live->wake_ns,
			    MIN(due_ns, MAX(damon->census_ns, now_ns + DAMON_READ_MIN_NS)));
	return more;
}

const struct sampler_ops live_sampler_damon = {
	.name = "damon",
	.summary = "ranges of pages with hits out of checks, by the kernel's own monitor",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE | SAMPLE_HAS_AGE, 1, false },
	.probe = probe_damon,
	.open = open_damon,
	.poll = poll_damon,
	.close = close_damon,
};
