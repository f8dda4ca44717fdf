/* SPDX-License-Identifier: MIT */
/*
 * hint-faults: pages lose their access one window at a time, and the next use of each is a fault
 * that tells which page it was and how soon it was used again.
 *
 *     poll: every 4 ms of the kernel's clock, for each space whose period is over
 *           layout --> areas --> scan.c --> arm: KERNEL_HINT, and the time
 *     use of an armed page --> fault: a sample with its latency; the program pays (cost model)
 *
 * In life this is NUMA balancing in tiering mode (2) with its own promotion switched off, its
 * faults read through the page-fault software event of perf. Hence the arming is the kernel's own,
 * scan.c, with the constants of 6.12: windows of 256 MiB, a whole pass in `sample_period` (1 s,
 * scan_period_min_ms) and never faster than 2.56 GB/s. Where nothing is promoted the kernel never
 * adapts the period, so neither do we. That event has no latency (the tracepoint of the fault and
 * the page's arming time have), hence hint-faults-no-latency.
 *
 * Only pages of slow tiers are armed, as in mode 2; hint_nodes=all arms all (mode 3), and so does
 * auto for a policy that takes any kind of sample. The bits (KERNEL_HINT) belong to one owner:
 * above a kernel whose own NUMA balancing is on, the sampler refuses. A large folio is armed as one
 * and faults once, naming the page used (one that is used for the first time in an armed folio goes
 * by unseen). Moving a page disarms it, as a page-table entry made anew does. Times are exact to a
 * tick. Arming runs in the program's own task; as for the kernel's own scanner it is counted
 * (sampler_ns) and holds back the next scan, but is not charged: a tenth of the fault that follows.
 *
 * Cost: 8 bytes per page number, 104 per area, 4.5 MiB of samples; O(pages of the window) per run.
 * Follows kernel/sched/fair.c task_numa_work and mm/mprotect.c change_pte_range (6.12).
 */
#include "sim/sampler_hints.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/kernel/scan.h"
#include "sim/layout.h"
#include "sim/simulation.h"

#define STEPS_MAX 4096 /* scheduler ticks looked at in one poll */

struct hint_space {
	uint32_t space;
	struct scan_task task;
	struct scan_area *areas;
	size_t nr_areas;
	uint64_t nr_resident;
};

struct hint_sampler {
	struct simulation *simulation;
	struct scan_config config;
	bool knows_latency, arms_all;
	uint64_t *armed_ns; /* [page] */
	uint32_t nr_pages;
	struct layout layout;
	struct hint_space *spaces; /* ascending */
	size_t nr_spaces;
	uint32_t scanned_space;	     /* being scanned, for arm() */
	uint64_t scan_ns;	     /* that this run took */
	uint64_t period_ns, next_ns; /* of looking for new spaces */
	uint64_t stepped_ms;	     /* the last scheduler tick that was looked at */
	struct sample *samples;
	uint32_t nr, at; /* in samples[]; the next to hand over */
	uint64_t nr_lost;
};

/* A kernel preset with NUMA balancing has a tunable of that name. */
static uint64_t numa_balancing_of(const struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->ops->nr_tunables; i++)
		if (strcmp(kernel->ops->tunables[i].name, "numa_balancing") == 0)
			return kernel->values[i];
	return 0;
}

static int probe_hints(void *world, struct printbuf *err)
{
	const struct simulation *simulation = world;
	const char *name = simulation->kernel->ops->name;
	uint64_t mode = numa_balancing_of(simulation->kernel);
	if (mode == 0)
		return 0;
	return error_set(err, -EOPNOTSUPP,
			 "sampler hint-faults: the kernel %s takes hint faults itself "
			 "(numa_balancing=%llu) and pages can be armed for one owner only; write "
			 "-K %s:numa_balancing=0, or choose another sampler",
			 name, (unsigned long long)mode, name);
}

int hint_sampler_grow(struct hint_sampler *hints, uint32_t nr_pages)
{
	uint64_t *armed_ns = realloc(hints->armed_ns, nr_pages * sizeof(*armed_ns));
	if (!armed_ns)
		return -ENOMEM;
	hints->armed_ns = armed_ns;
	hints->nr_pages = nr_pages;
	return 0;
}

uint64_t hint_sampler_bytes(const struct hint_sampler *hints)
{
	uint64_t bytes = sizeof(*hints) + HINTS_MAX * sizeof(*hints->samples) +
			 hints->nr_pages * sizeof(*hints->armed_ns) +
			 hints->layout.max * sizeof(*hints->layout.items);
	for (size_t i = 0; i < hints->nr_spaces; i++)
		bytes += hints->spaces[i].nr_areas * sizeof(struct scan_area);
	return bytes;
}

static int open_hints(struct simulation *simulation, bool knows_latency, void **ret_sampler,
		      struct printbuf *err)
{
	const struct sampling *sampling = &simulation->sampling;
	struct hint_sampler *hints = calloc(1, sizeof(*hints));
	struct sample *samples = calloc(HINTS_MAX, sizeof(*samples));
	if (!hints || !samples) {
		free(hints);
		free(samples);
		return error_set(err, -ENOMEM, "sampler hint-faults: out of memory");
	}
	uint64_t period_ns = sampling->period_ns ? sampling->period_ns : HINTS_PERIOD_NS;
	uint64_t period_ms = MAX(period_ns / NS_PER_MS, 1);
	*hints = (struct hint_sampler){
		.simulation = simulation,
		.config = { .delay_ms = MIN(period_ms, SCAN_DELAY_MS),
			    .period_min_ms = period_ms,
			    .period_max_ms = MAX(period_ms, SCAN_PERIOD_MAX_MS),
			    .size_mb = SCAN_SIZE_MB,
			    .page_bytes = simulation->cost->page_bytes,
			    .huge_pages = LAYOUT_GAP },
		.knows_latency = knows_latency,
		.arms_all = sampling->arms_all,
		.period_ns = period_ns,
		.next_ns = period_ns,
		.samples = samples,
	};
	simulation->hints = hints;
	*ret_sampler = hints;
	return 0;
}

static int open_with_latency(void *world, void **ret_sampler, struct printbuf *err)
{
	return open_hints(world, true, ret_sampler, err);
}

static int open_without_latency(void *world, void **ret_sampler, struct printbuf *err)
{
	return open_hints(world, false, ret_sampler, err);
}

static void close_hints(void *sampler)
{
	struct hint_sampler *hints = sampler;
	if (!hints)
		return;
	hints->simulation->hints = NULL;
	for (size_t i = 0; i < hints->nr_spaces; i++)
		free(hints->spaces[i].areas);
	layout_fini(&hints->layout);
	free(hints->spaces);
	free(hints->armed_ns);
	free(hints->samples);
	free(hints);
}

/* The space, or the place where it belongs. */
static size_t space_at(const struct hint_sampler *hints, uint32_t space)
{
	size_t low = 0, high = hints->nr_spaces;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (hints->spaces[middle].space < space)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct hint_space *space_of(struct hint_sampler *hints, uint32_t space)
{
	size_t at = space_at(hints, space);
	if (at < hints->nr_spaces && hints->spaces[at].space == space)
		return &hints->spaces[at];
	struct hint_space *spaces = realloc(hints->spaces,
					    (hints->nr_spaces + 1) * sizeof(*spaces));
	if (!spaces)
		return NULL;
	hints->spaces = spaces;
	memmove(&spaces[at + 1], &spaces[at], (hints->nr_spaces - at) * sizeof(*spaces));
	hints->nr_spaces++;
	spaces[at] = (struct hint_space){ .space = space };
	scan_task_init(&spaces[at].task, &hints->config);
	return &spaces[at];
}

/* New areas for a space; what the scanner noted stays with the area that holds the start now. */
static int set_areas(struct hint_space *space, const struct layout_extent *extents, size_t nr)
{
	struct scan_area *areas = calloc(MAX(nr, (size_t)1), sizeof(*areas));
	size_t old = 0;
	if (!areas)
		return -ENOMEM;
	space->nr_resident = 0;
	for (size_t i = 0; i < nr; i++) {
		while (old < space->nr_areas && space->areas[old].end <= extents[i].start)
			old++;
		if (old < space->nr_areas && space->areas[old].start < extents[i].end)
			areas[i] = space->areas[old];
		areas[i].start = extents[i].start;
		areas[i].end = extents[i].end;
		space->nr_resident += extents[i].nr_live;
	}
	free(space->areas);
	space->areas = areas;
	space->nr_areas = nr;
	return 0;
}

static int refresh(struct hint_sampler *hints)
{
	int error = layout_read(&hints->layout, hints->simulation->stage);
	for (size_t i = 0; i < hints->nr_spaces; i++)
		hints->spaces[i].nr_resident = 0;
	for (size_t i = 0, end = 0; i < hints->layout.nr && !error; i = end) {
		const struct layout_extent *first = &hints->layout.items[i];
		while (end < hints->layout.nr && hints->layout.items[end].space == first->space)
			end++;
		struct hint_space *space = space_of(hints, first->space);
		error = space ? set_areas(space, first, end - i) : -ENOMEM;
	}
	return error;
}

static bool may_arm_node(const struct hint_sampler *hints, uint32_t node)
{
	return hints->arms_all || hints->simulation->cost->machine->nodes[node].tier > 0;
}

static bool may_arm(const struct hint_sampler *hints, const struct kernel_page *page)
{
	return !(page->bits & KERNEL_HINT) && may_arm_node(hints, page->node);
}

/* One entry for all of it: armed when any page of it is. Returns how many entries changed. */
static uint64_t arm_folio(struct hint_sampler *hints, const struct kernel_folio *folio)
{
	struct kernel *kernel = hints->simulation->kernel;
	bool is_armed = !may_arm_node(hints, folio->node), is_touched = false;
	for (uint64_t i = 0; i < folio->nr_pages; i++) {
		uint32_t number = folio->numbers[i];
		if (number >= hints->nr_pages)
			continue;
		is_touched = true;
		is_armed |= (kernel->pages[number].bits & KERNEL_HINT) != 0;
		hints->armed_ns[number] = is_armed ? hints->armed_ns[number] : kernel->now_ns;
	}
	if (is_armed || !is_touched)
		return 0;
	sampler_change_bits(kernel, folio, 0, KERNEL_HINT);
	return 1;
}

static uint64_t arm(void *context, uint64_t start, uint64_t end)
{
	struct hint_sampler *hints = context;
	struct kernel *kernel = hints->simulation->kernel;
	struct kernel_folio folio;
	const uint64_t *costs = hints->simulation->cost->values;
	uint64_t nr = 0, nr_walked = 0;
	for (uint64_t page = start; page < end; page++) {
		if (kernel_folio_at(kernel, hints->scanned_space, page, &folio)) {
			nr_walked++;
			nr += arm_folio(hints, &folio);
			page = folio.page + folio.nr_pages - 1;
			continue;
		}
		uint32_t number = stage_find(hints->simulation->stage, hints->scanned_space, page);
		if (number >= hints->nr_pages || kernel->pages[number].node == KERNEL_NOWHERE)
			continue;
		nr_walked++;
		if (!may_arm(hints, &kernel->pages[number]))
			continue;
		kernel->pages[number].bits |= KERNEL_HINT;
		hints->armed_ns[number] = kernel->now_ns;
		nr++;
	}
	hints->scan_ns += nr_walked * costs[COST_WALK] + nr * costs[COST_ARM];
	return nr;
}

static const struct scan_ops arm_ops = { .arm = arm };

static void scan_space(struct hint_sampler *hints, struct hint_space *space, uint64_t now_ms)
{
	hints->scanned_space = space->space;
	hints->scan_ns = 0;
	scan_run(&space->task, &hints->config, now_ms, space->nr_resident, space->areas,
		 space->nr_areas, &arm_ops, hints);
	scan_charge(&space->task, hints->scan_ns);
	hints->simulation->sampling.cpu_ns += hints->scan_ns;
}

/* One scheduler tick: the spaces whose period is over. */
static int step(struct hint_sampler *hints, uint64_t now_ms, bool *is_fresh)
{
	for (size_t i = 0; i < hints->nr_spaces; i++) {
		struct hint_space *space = &hints->spaces[i];
		if (space->nr_resident == 0 || !scan_is_due(&space->task, &hints->config, now_ms,
							    now_ms * NS_PER_MS, space->nr_resident))
			continue;
		uint32_t number = space->space;
		int error = *is_fresh ? 0 : refresh(hints);
		if (error)
			return error;
		*is_fresh = true;
		scan_space(hints, space_of(hints, number), now_ms);
	}
	return 0;
}

static int arm_what_is_due(struct hint_sampler *hints, uint64_t now_ns)
{
	uint64_t step_ms = SCAN_TICK_NS / NS_PER_MS, now_ms = now_ns / NS_PER_MS;
	bool is_fresh = now_ns >= hints->next_ns;
	int error = is_fresh ? refresh(hints) : 0;
	if (is_fresh)
		hints->next_ns = sampling_next_ns(hints->period_ns, now_ns);
	if (now_ms - hints->stepped_ms > step_ms * STEPS_MAX)
		hints->stepped_ms = now_ms - step_ms * STEPS_MAX;
	for (; hints->stepped_ms + step_ms <= now_ms && !error; hints->stepped_ms += step_ms)
		error = step(hints, hints->stepped_ms + step_ms, &is_fresh);
	return error;
}

static struct scan_area *area_of(const struct hint_sampler *hints, struct stage_page address)
{
	size_t at = space_at(hints, address.space);
	if (at == hints->nr_spaces || hints->spaces[at].space != address.space)
		return NULL;
	struct scan_area *areas = hints->spaces[at].areas;
	size_t low = 0, high = hints->spaces[at].nr_areas;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (areas[middle].end <= address.page)
			low = middle + 1;
		else
			high = middle;
	}
	bool is_inside = low < hints->spaces[at].nr_areas && address.page >= areas[low].start;
	return is_inside ? &areas[low] : NULL;
}

void hint_sampler_fault(struct hint_sampler *hints, uint32_t page)
{
	struct simulation *simulation = hints->simulation;
	struct kernel_page *entry = &simulation->kernel->pages[page];
	struct stage_page address = stage_page(simulation->stage, page);
	uint64_t now_ns = simulation->kernel->now_ns;
	struct kernel_folio folio;
	entry->bits &= (uint8_t)~KERNEL_HINT;
	if (kernel_folio_of(simulation->kernel, page, &folio))
		sampler_change_bits(simulation->kernel, &folio, KERNEL_HINT, 0);
	struct scan_area *area = area_of(hints, address);
	if (area)
		scan_area_faulted(area);
	if (hints->nr == HINTS_MAX) {
		hints->nr_lost++;
		return;
	}
	struct sample sample = sample_of_page(SAMPLE_HINT_FAULT, now_ns, address.space,
					      address.page);
	sample.node = entry->node;
	sample.order = entry->order;
	if (hints->knows_latency)
		sample.latency_ns = now_ns - hints->armed_ns[page];
	hints->samples[hints->nr++] = sample;
}

static int poll_hints(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct hint_sampler *hints = sampler;
	uint32_t nr = MIN(hints->nr - hints->at, batch->max - batch->nr);
	if (nr > 0)
		memcpy(batch->samples + batch->nr, hints->samples + hints->at,
		       nr * sizeof(*hints->samples));
	batch->nr += nr;
	hints->at += nr;
	if (hints->at < hints->nr)
		return 1;
	hints->nr = hints->at = 0;
	return arm_what_is_due(hints, now_ns);
}

#define HINT_OPS                                                                                   \
	.probe = probe_hints, .poll = poll_hints, .close = close_hints,                            \
	.provides = { SAMPLE_BIT(SAMPLE_HINT_FAULT) | SAMPLE_HAS_NODE, 1, false }

const struct sampler_ops sampler_hint_faults = {
	.name = "hint-faults",
	.summary = "faults on pages whose access was taken away, with the time since then",
	.open = open_with_latency,
	HINT_OPS,
};

const struct sampler_ops sampler_hint_faults_no_latency = {
	.name = "hint-faults-no-latency",
	.summary = "faults on pages whose access was taken away",
	.open = open_without_latency,
	HINT_OPS,
};
