/* SPDX-License-Identifier: MIT */
/*
 * damon: ranges of virtual addresses with hits out of checks and their age, as DAMON's snapshots
 * tell them.
 *
 *     every sample_period (5 ms)  damon_check, then damon_prepare: one page of each region
 *     every aggr_period (100 ms)  damon_aggregate --> a snapshot, handed over in batches
 *     every update_period (1 s)   layout --> three ranges per space --> damon_set_space
 *
 * The regions are those of damon.c; what is tied to them here is the model's KERNEL_ACCESSED bit
 * (DAMON clears the page-table entry's and keeps its own note in the page, so the kernel's reclaim
 * is not disturbed: KERNEL_YOUNG is left alone). A page that is not there was not used; one of a
 * large folio was when any page of the folio was.
 *
 * `node` is that of the pages of the region, where it is the same for all, else unknown: in life
 * monitoring of physical addresses knows it, and monitoring of virtual ones is told by move_pages
 * without a target. Who takes any kind of sample (berth) is told of pages and their nodes instead,
 * as by berth's own use of DAMON (damon_pages.h). HMSDK's settings:
 * sample_period=100ms,aggr_period=2s,min_regions=100,max_regions=10000. A tick longer than the
 * sampling interval takes its place.
 *
 * Cost: one check per region and sample, counted; per aggregation O(pages) for their nodes.
 */
#include "sim/sampler_damon.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/damon.h"
#include "sim/damon_pages.h"
#include "sim/layout.h"
#include "sim/simulation.h"

struct damon_sampler {
	struct simulation *simulation;
	struct damon damon;
	struct layout layout;
	struct damon_range *extents; /* of one space, while they are joined */
	size_t max_extents;
	uint64_t sample_ns, next_ns;
	uint64_t nr_samples; /* sampling intervals passed */
	uint64_t per_aggregation, per_update;
	struct damon_pages pages;
	size_t at; /* in pages.samples[]; the next to hand over */
};

static int probe_damon(void *world, struct printbuf *err)
{
	const struct sampling *sampling = &((struct simulation *)world)->sampling;
	if (sampling->min_regions > sampling->max_regions)
		return error_set(err, -EINVAL,
				 "sampler damon: min_regions=%llu is more than max_regions=%llu",
				 (unsigned long long)sampling->min_regions,
				 (unsigned long long)sampling->max_regions);
	if (sampling->aggr_ns < sampling->period_ns)
		return error_set(err, -EINVAL,
				 "sampler damon: aggr_period is shorter than sample_period; "
				 "an aggregation is at least one sample");
	return 0;
}

static int open_damon(void *world, void **ret_sampler, struct printbuf *err)
{
	struct simulation *simulation = world;
	const struct sampling *sampling = &simulation->sampling;
	struct damon_sampler *sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		return error_set(err, -ENOMEM, "sampler damon: out of memory");
	uint64_t tick_ns = cost_multiply(simulation->cost->tick_ns, simulation->dilate);
	sampler->simulation = simulation;
	sampler->pages.simulation = simulation;
	sampler->pages.layout = &sampler->layout;
	sampler->sample_ns = MAX(MAX(sampling->period_ns, tick_ns), 1);
	sampler->per_aggregation = MAX(sampling->aggr_ns / sampler->sample_ns, 1);
	sampler->per_update = MAX(sampling->update_ns / sampler->sample_ns, 1);
	struct damon_attrs attrs = { .max_accesses = sampler->per_aggregation,
				     .samples_per_update = sampler->per_update,
				     .min_regions = (uint32_t)sampling->min_regions,
				     .max_regions = (uint32_t)sampling->max_regions };
	damon_init(&sampler->damon, &attrs, sampling->seed);
	simulation->kernel->keeps_bits = true;
	simulation->damon = sampler;
	*ret_sampler = sampler;
	return 0;
}

static void close_damon(void *handle)
{
	struct damon_sampler *sampler = handle;
	if (!sampler)
		return;
	sampler->simulation->damon = NULL;
	damon_fini(&sampler->damon);
	layout_fini(&sampler->layout);
	free(sampler->extents);
	damon_pages_fini(&sampler->pages);
	free(sampler);
}

static struct kernel_page *page_at(const struct damon_sampler *sampler, uint32_t space,
				   uint64_t page)
{
	struct kernel *kernel = sampler->simulation->kernel;
	uint32_t number = stage_find(sampler->simulation->stage, space, page);
	if (number >= kernel->nr_pages || kernel->pages[number].node == KERNEL_NOWHERE)
		return NULL;
	return &kernel->pages[number];
}

/* For who knows of pages only what samples say. */
static bool tells_pages(const struct damon_sampler *sampler)
{
	return sampler->simulation->sampling.tells_pages;
}

static void clear_bit(void *context, uint32_t space, uint64_t page)
{
	const struct damon_sampler *sampler = context;
	struct kernel *kernel = sampler->simulation->kernel;
	struct kernel_folio folio;
	if (kernel_folio_at(kernel, space, page, &folio)) {
		sampler_change_bits(kernel, &folio, KERNEL_ACCESSED, 0);
		return;
	}
	struct kernel_page *entry = page_at(context, space, page);
	if (entry)
		entry->bits &= (uint8_t)~KERNEL_ACCESSED;
}

static bool is_young(void *context, uint32_t space, uint64_t page)
{
	const struct damon_sampler *sampler = context;
	const struct kernel *kernel = sampler->simulation->kernel;
	struct kernel_folio folio;
	if (kernel_folio_at(kernel, space, page, &folio)) {
		bool is_set = false;
		for (uint64_t i = 0; i < folio.nr_pages && !is_set; i++)
			is_set = folio.numbers[i] < kernel->nr_pages &&
				 kernel->pages[folio.numbers[i]].bits & KERNEL_ACCESSED;
		return is_set;
	}
	const struct kernel_page *entry = page_at(context, space, page);
	return entry && entry->bits & KERNEL_ACCESSED;
}

static const struct damon_ops bit_ops = { .clear = clear_bit, .is_young = is_young };

/* One space: its extents as ranges. */
static int set_space(struct damon_sampler *sampler, const struct layout_extent *extents, size_t nr,
		     uint64_t total_pages)
{
	struct damon_range three[DAMON_RANGES];
	if (nr > sampler->max_extents) {
		struct damon_range *ranges = realloc(sampler->extents, nr * sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		sampler->extents = ranges;
		sampler->max_extents = nr;
	}
	for (size_t i = 0; i < nr; i++)
		sampler->extents[i] = (struct damon_range){ extents[i].start, extents[i].end };
	unsigned nr_ranges = damon_three_ranges(sampler->extents, nr, three);
	return damon_set_space(&sampler->damon, extents[0].space, three, nr_ranges, total_pages);
}

/* Spaces that have no page any more. */
static void drop_spaces(struct damon_sampler *sampler)
{
	const struct layout *layout = &sampler->layout;
	struct damon *damon = &sampler->damon;
	size_t at = layout->nr;
	for (size_t i = damon->nr_targets; i-- > 0;) {
		uint32_t space = damon->targets[i].space;
		while (at > 0 && layout->items[at - 1].space > space)
			at--;
		if (at == 0 || layout->items[at - 1].space != space)
			damon_set_space(damon, space, NULL, 0, 0);
	}
}

static int update(struct damon_sampler *sampler)
{
	const struct layout *layout = &sampler->layout;
	uint64_t total_pages = 0;
	int error = layout_read(&sampler->layout, sampler->simulation->stage);
	for (size_t i = 0; i < layout->nr; i++)
		total_pages += layout->items[i].end - layout->items[i].start;
	drop_spaces(sampler);
	for (size_t i = 0, end = 0; i < layout->nr && !error; i = end) {
		while (end < layout->nr && layout->items[end].space == layout->items[i].space)
			end++;
		error = set_space(sampler, &layout->items[i], end - i, total_pages);
	}
	damon_set_limit(&sampler->damon);
	return error;
}

/* The node of all pages that lived in the range at the last update and do so now; SAMPLE_NONE when
 * they differ or there is none. `from`: the first extent that may reach into it; moves on. */
static uint32_t node_of(const struct damon_sampler *sampler, uint32_t space,
			const struct damon_region *region, size_t *from)
{
	const struct layout_extent *items = sampler->layout.items;
	const size_t nr = sampler->layout.nr;
	uint32_t all = SAMPLE_NONE;
	while (*from < nr && (items[*from].space < space ||
			      (items[*from].space == space && items[*from].end <= region->start)))
		(*from)++;
	for (size_t i = *from; i < nr && items[i].space == space && items[i].start < region->end;
	     i++) {
		uint64_t end = MIN(items[i].end, region->end);
		for (uint64_t page = MAX(items[i].start, region->start); page < end; page++) {
			uint32_t node = damon_page_node(sampler->simulation, space, &page);
			if (node != SAMPLE_NONE && all != SAMPLE_NONE && node != all)
				return SAMPLE_NONE;
			all = node == SAMPLE_NONE ? all : node;
		}
	}
	return all;
}

static struct sample sample_of(const struct damon_sampler *sampler, uint32_t space,
			       const struct damon_region *region, uint64_t now_ns)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, space, region->start);
	sample.nr_pages = region->end - region->start;
	sample.hits = (uint32_t)region->nr_accesses;
	sample.checks = (uint32_t)sampler->per_aggregation;
	sample.age = (uint32_t)MIN(region->age, SAMPLE_NONE - 1);
	return sample;
}

static int take_snapshot(struct damon_sampler *sampler, uint64_t now_ns)
{
	const struct damon *damon = &sampler->damon;
	size_t from = 0;
	int error = 0;
	for (size_t i = 0; i < damon->nr_targets; i++) {
		const struct damon_target *target = &damon->targets[i];
		for (size_t j = 0; j < target->nr && !error; j++) {
			const struct damon_region *region = &target->regions[j];
			struct sample sample = sample_of(sampler, target->space, region, now_ns);
			if (tells_pages(sampler) && sample.hits > 0) {
				error = damon_pages_add_region(&sampler->pages, &sample, &from);
				continue;
			}
			sample.node = node_of(sampler, target->space, region, &from);
			error = damon_pages_add(&sampler->pages, &sample);
		}
	}
	return error;
}

/* Intervals count from when there is something to monitor. */
static int begin(struct damon_sampler *sampler)
{
	int error = update(sampler);
	if (!error)
		damon_prepare(&sampler->damon, &bit_ops, sampler);
	return error;
}

/* As kdamond's loop: what the last interval saw, then what is due, then the next interval. */
static int run_interval(struct damon_sampler *sampler, uint64_t now_ns)
{
	struct damon *damon = &sampler->damon;
	int error = 0;
	sampler->pages.nr = sampler->at = 0;
	if (damon->nr_targets == 0)
		return begin(sampler);
	sampler->simulation->sampling.nr_checks += damon_check(damon, &bit_ops, sampler);
	sampler->nr_samples++;
	if (sampler->nr_samples % sampler->per_aggregation == 0) {
		damon_aggregate(damon);
		error = take_snapshot(sampler, now_ns);
		if (!error)
			error = damon_reset(damon);
	}
	if (!error && sampler->nr_samples % sampler->per_update == 0)
		error = update(sampler);
	if (!error && tells_pages(sampler) && sampler->nr_samples % sampler->per_update == 0)
		error = damon_pages_census(&sampler->pages, now_ns);
	if (!error)
		damon_prepare(damon, &bit_ops, sampler);
	sampler->simulation->sampling.nr_checks += sampler->pages.nr_checks;
	sampler->pages.nr_checks = 0;
	return error;
}

static int poll_damon(void *handle, uint64_t now_ns, struct sample_batch *batch)
{
	struct damon_sampler *sampler = handle;
	if (now_ns >= sampler->next_ns) {
		sampler->next_ns = sampling_next_ns(sampler->sample_ns, now_ns);
		int error = run_interval(sampler, now_ns);
		if (error)
			return error;
	}
	const struct damon_pages *pages = &sampler->pages;
	size_t nr = MIN(pages->nr - sampler->at, (size_t)(batch->max - batch->nr));
	if (nr > 0)
		memcpy(batch->samples + batch->nr, pages->samples + sampler->at,
		       nr * sizeof(*pages->samples));
	batch->nr += (uint32_t)nr;
	sampler->at += nr;
	return sampler->at < pages->nr;
}

uint64_t damon_sampler_bytes(const struct damon_sampler *sampler)
{
	return sizeof(*sampler) + damon_bytes(&sampler->damon) +
	       sampler->pages.max * sizeof(*sampler->pages.samples) +
	       sampler->pages.nr_told * sizeof(*sampler->pages.told) +
	       sampler->max_extents * sizeof(*sampler->extents) +
	       sampler->layout.max * sizeof(*sampler->layout.items);
}

const struct sampler_ops sampler_damon = {
	.name = "damon",
	.summary = "ranges with hits of random checks and their age, as DAMON's regions",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE | SAMPLE_HAS_AGE, 1, false },
	.probe = probe_damon,
	.open = open_damon,
	.poll = poll_damon,
	.close = close_damon,
};
