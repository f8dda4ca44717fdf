/* SPDX-License-Identifier: MIT */
/*
 * The watermarks of a machine's nodes, and what is kept free for promotion.
 *
 *                 HIGH          PROMO
 *     wmark=promo   |-------------|        upstream (5.18): one more gap
 *     fixed10mb     |--- 10 MiB --|        v10 of the tiering series (Nov 2021): "a little more
 *                                          (about 10MB) than the high watermark"
 *     boost         |~~ boost ~~|          raised when a promotion finds no room, gone when kswapd
 *                                          is done
 *
 * boost is berth's reading of an alternative that was only argued about: the allocator's own means
 * against fragmentation (mm/page_alloc.c boost_watermark, 6.12) used for promotion. Each failed
 * promotion adds a block of 2 MiB, up to 1.5 x HIGH and at least one block; nodes smaller than four
 * blocks are never boosted. While it lasts all marks are higher by it, so promotion waits until
 * kswapd has freed that much; then it ends, and promotion has this room.
 *
 * What fragmentation does to the marks is not modelled but told, where a recording tells it: each
 * block that the kernel took for another kind of allocation raises them so, whatever wmark is, and
 * wakes kswapd, which then works until PROMO (or HIGH) with that is free.
 *
 * Follows mm/page_alloc.c __setup_per_zone_wmarks and mm/vmscan.c pgdat_balanced, balance_pgdat.
 * One zone per node. Memory that is plugged in later (CXL, persistent memory) is ZONE_MOVABLE: it
 * is no lowmem and keeps at most 128 pages.
 */
#include "sim/kernel/linux.h"

#define BLOCK_PAGES	 512		  /* pageblock_nr_pages */
#define BOOST_FACTOR_BP	 15000		  /* watermark_boost_factor */
#define BOOST_MIN_BLOCKS 4		  /* smaller nodes are not boosted */
#define THEFT_SLACK_NS	 (2 * NS_PER_S)	  /* by which the model's scans may be early */
#define THEFT_BURST_NS	 (20 * NS_PER_MS) /* within which thefts belong together */
#define FIXED_BYTES	 ((uint64_t)10 << 20)
#define DMA_BYTES	 ((uint64_t)16 << 20)
#define DMA32_BYTES	 ((uint64_t)4 << 30)
#define TOY_SHARE	 8 /* of a node smaller than any real one: MIN at most an eighth */

bool linux_node_has_memory(const struct kernel *kernel, uint32_t node)
{
	return kernel->nodes[node].capacity_pages > 0 &&
	       kernel->cost->machine->nodes[node].kind != NODE_NONE;
}

bool linux_node_is_movable(const struct machine_node *node)
{
	return node->kind == NODE_CXL || node->kind == NODE_PMEM;
}

static uint64_t lowmem_pages(const struct kernel *kernel)
{
	uint64_t pages = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		if (linux_node_has_memory(kernel, i) &&
		    !linux_node_is_movable(&kernel->cost->machine->nodes[i]))
			pages = cost_add(pages, kernel->nodes[i].capacity_pages);
	return MAX(pages, 1);
}

/* Nodes below 1 MiB, as tests and toy machines have, would be all reserve: no kernel runs there. */
static void fit_toy(struct watermarks *marks, uint64_t managed_pages)
{
	uint64_t most = managed_pages / TOY_SHARE;
	uint64_t gap = MIN(marks->low - marks->min, most / 4);
	if (marks->min <= most)
		return;
	*marks = (struct watermarks){ most, most + gap, most + 2 * gap, most + 3 * gap };
}

/* x86-64: the first node has the zones DMA (16 MiB) and DMA32 (4 GiB) beside Normal. */
static uint32_t nr_low_zones(const struct kernel *kernel, uint64_t lowmem_bytes)
{
	uint32_t nr = (lowmem_bytes > DMA_BYTES) + (lowmem_bytes > DMA32_BYTES);
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		nr += linux_node_has_memory(kernel, i) &&
		      !linux_node_is_movable(&kernel->cost->machine->nodes[i]);
	return nr;
}

static uint64_t min_free_kbytes(const struct kernel *kernel, uint64_t pages, bool has_huge)
{
	uint32_t page_bytes = kernel->cost->page_bytes;
	uint64_t kbytes = cost_scale(pages, page_bytes, 1024);
	if (!has_huge)
		return watermark_min_free_kbytes(kbytes);
	uint32_t zones = nr_low_zones(kernel, cost_multiply(pages, page_bytes));
	return watermark_min_free_kbytes_huge(kbytes, zones, BLOCK_PAGES, page_bytes);
}

/* As the kernel that the recording was made under had them. */
static bool marks_known(const struct kernel_start *start, struct watermarks *ret)
{
	if (start->min_pages == KERNEL_UNKNOWN || start->low_pages == KERNEL_UNKNOWN ||
	    start->high_pages == KERNEL_UNKNOWN)
		return false;
	*ret = (struct watermarks){ start->min_pages, start->low_pages, start->high_pages,
				    start->promo_pages };
	if (start->promo_pages == KERNEL_UNKNOWN) /* not shown by kernels before 5.18 */
		ret->promo = 2 * start->high_pages - start->low_pages;
	return true;
}

void linux_marks_of(const struct kernel *kernel, const struct linux_marks_config *config,
		    uint32_t node, struct watermarks *ret)
{
	uint64_t managed = kernel->nodes[node].capacity_pages;
	struct watermark_config given = { .min_free_kbytes = config->min_free_kbytes,
					  .lowmem_pages = lowmem_pages(kernel),
					  .scale = config->scale,
					  .page_bytes = kernel->cost->page_bytes };
	*ret = (struct watermarks){ 0 };
	if (!linux_node_has_memory(kernel, node) || managed == KERNEL_UNLIMITED)
		return;
	if (marks_known(&kernel->starts[node], ret))
		return;
	if (given.min_free_kbytes == 0)
		given.min_free_kbytes = min_free_kbytes(kernel, given.lowmem_pages,
							config->has_huge);
	watermarks_compute(&given, managed,
			   linux_node_is_movable(&kernel->cost->machine->nodes[node]), ret);
	if (config->min_free_kbytes == 0 ||
	    linux_node_is_movable(&kernel->cost->machine->nodes[node]))
		fit_toy(ret, managed);
}

struct watermarks linux_marks_now(const struct linux_kernel *state, uint32_t node)
{
	struct watermarks marks = state->nodes[node].marks;
	uint64_t boost = state->nodes[node].boost_pages;
	marks.min += boost;
	marks.low += boost;
	marks.high += boost;
	marks.promo += boost;
	return marks;
}

uint64_t linux_kswapd_aim(const struct linux_kernel *state, uint32_t node)
{
	const struct kernel *kernel = state->kernel;
	struct watermarks marks = linux_marks_now(state, node);
	if (!(kernel->values[LINUX_NUMA_BALANCING] & 2) ||
	    kernel->values[LINUX_WMARK] == LINUX_WMARK_BOOST)
		return marks.high;
	if (kernel->values[LINUX_WMARK] == LINUX_WMARK_FIXED_10MB)
		return marks.high + FIXED_BYTES / kernel->cost->page_bytes;
	return marks.promo;
}

/* high: of the zone that is boosted. */
static void boost(struct linux_kernel *state, uint32_t node, uint64_t high)
{
	struct linux_node *boosted = &state->nodes[node];
	uint64_t most = MAX(cost_scale(high, BOOST_FACTOR_BP, 10000), BLOCK_PAGES);
	if (state->kernel->nodes[node].capacity_pages >= BOOST_MIN_BLOCKS * BLOCK_PAGES)
		boosted->boost_pages = MIN(boosted->boost_pages + BLOCK_PAGES, most);
}

void linux_boost(struct linux_kernel *state, uint32_t node)
{
	if (state->kernel->values[LINUX_WMARK] == LINUX_WMARK_BOOST)
		boost(state, node, state->nodes[node].marks.high);
}

/* Of the zone that programs have their memory from: not the DMA zone. */
static uint64_t zone_high(const struct linux_kernel *state, uint32_t node)
{
	const struct kernel_start *start = &state->kernel->starts[node];
	uint64_t managed = state->kernel->nodes[node].capacity_pages;
	uint64_t high = state->nodes[node].marks.high;
	if (!state->nodes[node].has_dma_zone ||
	    managed <= DMA_BYTES / state->kernel->cost->page_bytes)
		return high;
	return cost_scale(high - MIN(start->reserve_pages, high),
			  managed - DMA_BYTES / state->kernel->cost->page_bytes, managed);
}

static void take_theft(struct linux_kernel *state, uint32_t node)
{
	boost(state, node, zone_high(state, node));
	linux_wake_kswapd(state, node, 0);
	state->kernel->thefts++;
	state->kernel->nr_thefts--;
}

void linux_thefts(struct linux_kernel *state, uint32_t node, bool is_promotion)
{
	struct kernel *kernel = state->kernel;
	uint64_t until_ns = kernel->recorded_ns + (is_promotion ? THEFT_SLACK_NS : 0);
	if (likely(kernel->nr_thefts == 0) || kernel->thefts->at_ns > until_ns ||
	    kernel->thefts->node != node || state->nodes[node].boost_pages > 0)
		return;
	until_ns = kernel->thefts->at_ns + THEFT_BURST_NS;
	while (kernel->nr_thefts > 0 && kernel->thefts->at_ns <= until_ns &&
	       kernel->thefts->node == node)
		take_theft(state, node);
}

void linux_marks_seen(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		      uint64_t *ret_low)
{
	struct watermarks marks = linux_marks_now(kernel->state, node);
	*ret_min = marks.min;
	*ret_low = marks.low;
}
