/* SPDX-License-Identifier: MIT */
/* One batch by a scheme (damos_batch.h). */
#include "linux/damos_batch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/pagemap.h"
#include "linux/process.h"

#define INTERVAL_US 10000
#define LOOK_NS	    NS_PER_MS
#define LOOKS_MAX   500 /* half a second */
#define STATS_TRIES 8
#define REGIONS_MIN 3 /* the kernel's least */

static int by_place(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;
	return *left < *right ? -1 : *left > *right;
}

uint32_t damos_ranges(uint64_t *places, uint32_t nr, uint32_t page_bytes, struct kdamond_range *ret,
		      uint32_t max, uint32_t *ret_nr_places)
{
	uint32_t nr_ranges = 0, i = 0;
	qsort(places, nr, sizeof(*places), by_place);
	for (; i < nr; i++) {
		uint64_t start = places[i] * page_bytes;
		if (nr_ranges > 0 && start <= ret[nr_ranges - 1].end) {
			ret[nr_ranges - 1].end = start + page_bytes;
			continue;
		}
		if (nr_ranges == max)
			break;
		ret[nr_ranges++] = (struct kdamond_range){ start, start + page_bytes };
	}
	*ret_nr_places = i;
	return nr_ranges;
}

/* Where each page is, into before or after, a part at a time. */
static void ask_where(struct damos_batch *batch, bool is_before)
{
	void *addresses[MOVE_BATCH_PAGES];
	int nodes[MOVE_BATCH_PAGES];
	bool is_over = move_target_has_ended(&batch->target);
	for (uint32_t first = 0; first < batch->nr; first += MOVE_BATCH_PAGES) {
		uint32_t nr = MIN(batch->nr - first, MOVE_BATCH_PAGES);
		for (uint32_t i = 0; i < nr; i++)
			addresses[i] = (void *)(uintptr_t)(batch->items[first + i].page *
							   batch->machine->page_bytes);
		if (!is_over)
			move_target_where(&batch->target, nr, addresses, nodes);
		for (uint32_t i = 0; i < nr; i++) {
			struct damos_item *item = &batch->items[first + i];
			*(is_before ? &item->before : &item->after) = is_over ? -ESRCH : nodes[i];
		}
	}
}

static void find_frames(struct damos_batch *batch)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/pagemap", batch->target.pid);
	int fd = rootfile_open(batch->root, path, O_RDONLY);
	for (uint32_t i = 0; i < batch->nr && fd >= 0; i++) {
		struct damos_item *item = &batch->items[i];
		uint64_t entry;
		if (pread(fd, &entry, sizeof(entry), (off_t)(item->page * sizeof(entry))) ==
		    (ssize_t)sizeof(entry))
			item->frame = pagemap_frame(entry);
	}
	if (fd >= 0)
		close(fd);
}

/* Until its thread sleeps again after migrating. */
static void wait_for_kdamond(struct damos_batch *batch, const struct kdamond *kdamond)
{
	uint64_t last_ns = 0, now_ns = 0;
	clock_sleep_ns(INTERVAL_US * NS_PER_US + LOOK_NS);
	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		now_ns = kdamond_cpu_ns(kdamond);
		if (now_ns == 0 || now_ns == last_ns)
			break;
		last_ns = now_ns;
		clock_sleep_ns(LOOK_NS);
	}
	batch->stats.kernel_ns += MAX(last_ns, now_ns);
}

static void take_stats(struct damos_batch *batch, const struct kdamond *kdamond)
{
	struct kdamond_stats stats = { 0 };
	for (unsigned i = 0; i < STATS_TRIES && stats.nr_tried == 0; i++)
		if (kdamond_read_stats(kdamond, &stats) < 0)
			return;
	batch->stats.tried_bytes += stats.tried_bytes;
	batch->stats.applied_bytes += stats.applied_bytes;
}

static int apply(struct damos_batch *batch, struct kdamond *kdamond, uint32_t to,
		 uint32_t nr_ranges)
{
	const struct machine_node *node = &batch->machine->nodes[to];
	struct kdamond_settings settings = {
		.sample_us = INTERVAL_US,
		.aggregation_us = INTERVAL_US,
		.min_regions = REGIONS_MIN,
		.max_regions = KDAMOND_RANGES_MAX * 2,
		.is_physical = !batch->is_virtual,
		.targets = &batch->target.pid,
		.nr_targets = 1,
		.ranges = batch->ranges,
		.nr_ranges = nr_ranges,
		.scheme = { node->tier == 0 ? "migrate_hot" : "migrate_cold", node->id },
	};
	int error = kdamond_start(kdamond, &settings, NULL);
	if (error)
		return error == -ESRCH ? 0 : error; /* the process ended */
	wait_for_kdamond(batch, kdamond);
	if (batch->is_virtual)
		take_stats(batch, kdamond);
	return kdamond_stop(kdamond);
}

static int move_to(struct damos_batch *batch, struct kdamond *kdamond, uint32_t to)
{
	uint32_t nr = 0, nr_done = 0, nr_part;
	int id = (int)batch->machine->nodes[to].id, error = 0;
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct damos_item *item = &batch->items[i];
		uint64_t place = batch->is_virtual ? item->page : item->frame;
		if (item->to == to && item->before >= 0 && item->before != id && place)
			batch->places[nr++] = place;
	}
	for (; nr_done < nr && !error; nr_done += nr_part) {
		uint32_t nr_ranges = damos_ranges(batch->places + nr_done, nr - nr_done,
						  batch->machine->page_bytes, batch->ranges,
						  KDAMOND_RANGES_MAX, &nr_part);
		error = apply(batch, kdamond, to, nr_ranges);
	}
	return error;
}

static void push_result(struct damos_batch *batch, const struct damos_item *item)
{
	struct move_attempt attempt = {
		.before = item->before,
		.status = MOVE_STATUS_UNTOUCHED,
		.after = item->after,
		.to = (int)batch->machine->nodes[item->to].id,
	};
	struct move_result result = {
		.page = item->page,
		.nr_pages = 1,
		.space = batch->target.space,
		.from = move_node_index(batch->machine, item->before),
		.to = item->to,
		.node = move_node_index(batch->machine, item->after),
		.outcome = (uint8_t)move_outcome_of(&attempt),
	};
	batch->nr_results = move_result_append(batch->results, batch->nr_results, &result);
}

int damos_batch_run(struct damos_batch *batch, struct kdamond *kdamond)
{
	const struct machine *machine = batch->machine;
	int error = 0;
	batch->nr_results = 0;
	ask_where(batch, true);
	if (!batch->is_virtual)
		find_frames(batch);
	for (uint32_t tier = machine->nr_tiers; tier-- > 0;)
		for (uint32_t to = 0; to < machine->nr_nodes && !error; to++)
			if (machine->nodes[to].tier == tier)
				error = move_to(batch, kdamond, to);
	ask_where(batch, false);
	for (uint32_t i = 0; i < batch->nr; i++)
		push_result(batch, &batch->items[i]);
	return error;
}
