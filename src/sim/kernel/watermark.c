/* SPDX-License-Identifier: MIT */
/* Watermarks; watermark.h has the picture and the sources. */
#include "sim/kernel/watermark.h"

#include "sim/cost.h"

#define MIN_FREE_KBYTES_FLOOR	128
#define MIN_FREE_KBYTES_CEILING 262144
#define MOVABLE_MIN_FLOOR	32 /* pages: SWAP_CLUSTER_MAX */
#define MOVABLE_MIN_CEILING	128
#define MIGRATE_PCPTYPES	3 /* unmovable, movable, reclaimable */
#define BYPASS_BYTES		((uint64_t)1 << 30)

/* floor(sqrt(value)), bit by bit: 32 steps. */
static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;
	for (uint64_t bit = (uint64_t)1 << 62; bit > 0; bit >>= 2) {
		if (value >= root + bit) {
			value -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

uint64_t watermark_min_free_kbytes(uint64_t lowmem_kbytes)
{
	uint64_t kbytes = square_root(cost_multiply(lowmem_kbytes, 16));
	return MIN(MAX(kbytes, MIN_FREE_KBYTES_FLOOR), MIN_FREE_KBYTES_CEILING);
}

uint64_t watermark_min_free_kbytes_huge(uint64_t lowmem_kbytes, uint32_t nr_zones,
					uint64_t pageblock_pages, uint32_t page_bytes)
{
	/* Two free blocks per zone, and room for each type to fall back into each other's. */
	uint64_t blocks = (uint64_t)nr_zones * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES);
	uint64_t pages = cost_multiply(blocks, pageblock_pages);
	uint64_t lowmem_pages = cost_multiply(lowmem_kbytes, 1024) / page_bytes;
	pages = MIN(pages, lowmem_pages / 20);
	return MAX(cost_multiply(pages, page_bytes) / 1024,
		   watermark_min_free_kbytes(lowmem_kbytes));
}

void watermarks_compute(const struct watermark_config *config, uint64_t managed_pages,
			bool is_movable, struct watermarks *ret)
{
	uint64_t min_free_pages = config->min_free_kbytes * 1024 / config->page_bytes;
	uint64_t share = cost_scale(min_free_pages, managed_pages, config->lowmem_pages);
	uint64_t gap = MAX(share / 4, cost_scale(managed_pages, config->scale, 10000));
	uint64_t movable = MAX(managed_pages / 1024, MOVABLE_MIN_FLOOR);
	ret->min = is_movable ? MIN(movable, MOVABLE_MIN_CEILING) : share;
	ret->low = ret->min + gap;
	ret->high = ret->low + gap;
	ret->promo = ret->high + gap;
}

uint64_t watermark_bypass_pages(const struct watermarks *marks, uint64_t present_pages,
				uint32_t page_bytes)
{
	return marks->promo + MAX(BYPASS_BYTES / page_bytes, present_pages / 16);
}
