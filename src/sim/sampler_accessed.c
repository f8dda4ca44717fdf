/* SPDX-License-Identifier: MIT */
/*
 * accessed-bits: what a scan of page-table accessed bits finds, as page idle tracking and the
 * ageing of the multi-generational LRU do it: each page used since the last scan gives one hit of
 * one check; all others had none, which need not be said (is_complete).
 *
 *     |-------- period --------|-------- period --------|
 *       uses set bits           ^ scan: report, clear
 *
 * Scanned at the first tick at or after each period; an agent that needs hits and names no sampler
 * gets a scan at every tick. The model keeps the list of pages whose bit was set, so a scan costs
 * us O(pages used); the real one looks at every page that is there, and that is what is counted
 * (those of a large folio one by one, though it has one bit). A large folio is told once, whole.
 *
 * Follows mm/page_idle.c (set idle, look whether still idle later) and /proc/PID/pagemap for the
 * addresses.
 */
#include "sim/simulation.h"

static int open_accessed(void *world, void **ret_sampler, struct printbuf *err)
{
	struct simulation *simulation = world;
	(void)err;
	simulation->kernel->keeps_bits = true;
	simulation->lists_touched = true;
	*ret_sampler = world;
	return 0;
}

/* True while a scan is under way or one begins now. */
static bool is_scanning(struct simulation *simulation, uint64_t now_ns)
{
	struct sampling *sampling = &simulation->sampling;
	if (simulation->touched_at > 0)
		return true;
	if (now_ns < sampling->next_ns)
		return false;
	sampling->next_ns = sampling_next_ns(sampling->period_ns, now_ns);
	sampling->nr_checks += simulation->kernel->stats.nr_allocated -
			       simulation->kernel->stats.nr_freed;
	return true;
}

/* Of a large folio all of it is told at once, since one bit serves it all. */
static struct sample sample_of(struct simulation *simulation, uint32_t page, uint64_t now_ns)
{
	struct kernel *kernel = simulation->kernel;
	struct stage_page address = stage_page(simulation->stage, page);
	struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, address.space, address.page);
	struct kernel_folio folio;
	sample.hits = sample.checks = 1;
	sample.node = kernel->pages[page].node;
	sample.order = kernel->pages[page].order;
	if (kernel_folio_of(kernel, page, &folio)) {
		sample.page = folio.page;
		sample.nr_pages = folio.nr_pages;
		sampler_change_bits(kernel, &folio, KERNEL_ACCESSED, 0);
	}
	return sample;
}

/* A page freed since its touch has no bit any more; one touched again after that is listed twice
 * and its bit is cleared by the first. */
static int poll_accessed(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct simulation *simulation = sampler;
	struct kernel_page *pages = simulation->kernel->pages;
	if (!is_scanning(simulation, now_ns))
		return 0;
	while (simulation->touched_at < simulation->nr_touched) {
		if (batch->nr == batch->max)
			return 1;
		uint32_t page = simulation->touched[simulation->touched_at++];
		if (!(pages[page].bits & KERNEL_ACCESSED))
			continue;
		pages[page].bits &= (uint8_t)~KERNEL_ACCESSED;
		batch->samples[batch->nr++] = sample_of(simulation, page, now_ns);
	}
	simulation->nr_touched = simulation->touched_at = 0;
	return 0;
}

const struct sampler_ops sampler_accessed_bits = {
	.name = "accessed-bits",
	.summary = "the accessed bit of every page, read and cleared once per period",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
	.probe = sampler_probe_always,
	.open = open_accessed,
	.poll = poll_accessed,
	.close = sampler_close_nothing,
};
