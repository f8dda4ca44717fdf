/* SPDX-License-Identifier: MIT */
/*
 * The modelled samplers, reading the model's page table as the real ones read the kernel's (those
 * of the hardware are in sampler_hardware.c).
 *
 * accessed-bit: what a scan of page-table accessed bits finds once per tick (page idle tracking,
 * MGLRU aging): each page used since the last scan gives one hit of one check; all others had
 * none. The scan itself costs the program nothing in this model.
 */
#include "sim/simulation.h"

static int probe_always(void *world, struct printbuf *err)
{
	(void)world;
	(void)err;
	return 0;
}

static int open_accessed(void *world, void **ret_sampler, struct printbuf *err)
{
	(void)err;
	*ret_sampler = world;
	return 0;
}

static void close_nothing(void *sampler)
{
	(void)sampler;
}

/* A page freed since its touch has no bit any more; one touched again after that is listed twice
 * and its bit is cleared by the first. */
static int poll_accessed(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct simulation *simulation = sampler;
	struct kernel_page *pages = simulation->kernel->pages;
	while (simulation->touched_at < simulation->nr_touched) {
		if (batch->nr == batch->max)
			return 1;
		uint32_t page = simulation->touched[simulation->touched_at++];
		if (!(pages[page].bits & KERNEL_ACCESSED))
			continue;
		pages[page].bits &= (uint8_t)~KERNEL_ACCESSED;
		struct stage_page address = stage_page(simulation->stage, page);
		struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, address.space,
						      address.page);
		sample.hits = sample.checks = 1;
		sample.node = pages[page].node;
		batch->samples[batch->nr++] = sample;
	}
	simulation->nr_touched = simulation->touched_at = 0;
	return 0;
}

const struct sampler_ops simulation_accessed_sampler = {
	.name = "accessed-bit",
	.summary = "the accessed bit of every page, read and cleared once per tick",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
	.probe = probe_always,
	.open = open_accessed,
	.poll = poll_accessed,
	.close = close_nothing,
};
