/* SPDX-License-Identifier: MIT */
/*
 * Watermarks of a node, as the kernel computes them at boot: below LOW an allocation looks
 * elsewhere, kswapd works until HIGH (PROMO when hint faults promote), MIN is for emergencies.
 *
 *     0      min  low  high  promo                                   managed
 *     |-------|----|----|-----|---------------------------------------|  free pages
 *              gap  gap   gap = max(min / 4, managed x scale / 10000)
 *
 * Follows mm/page_alloc.c __setup_per_zone_wmarks and calculate_min_free_kbytes (6.12), and
 * mm/khugepaged.c set_recommended_min_free_kbytes for the raise that huge pages bring. One zone
 * per node: the DMA zones of a first node are counted as part of it.
 */
#ifndef BERTH_SIM_KERNEL_WATERMARK_H
#define BERTH_SIM_KERNEL_WATERMARK_H

#include "base/types.h"

#define WATERMARK_SCALE_DEFAULT 10   /* vm.watermark_scale_factor, per ten thousand */
#define WATERMARK_SCALE_MAX	3000 /* its upper limit */

struct watermarks { /* pages */
	uint64_t min, low, high, promo;
};

/* vm.min_free_kbytes for so much memory outside ZONE_MOVABLE. */
uint64_t watermark_min_free_kbytes(uint64_t lowmem_kbytes);
/* What khugepaged raises it to when huge pages are on: nr_zones populated zones, blocks of
 * pageblock_pages. At most 5 % of lowmem. */
uint64_t watermark_min_free_kbytes_huge(uint64_t lowmem_kbytes, uint32_t nr_zones,
					uint64_t pageblock_pages, uint32_t page_bytes);

struct watermark_config {
	uint64_t min_free_kbytes;
	uint64_t lowmem_pages; /* of all nodes, ZONE_MOVABLE left out; > 0 */
	uint64_t scale;	       /* vm.watermark_scale_factor */
	uint32_t page_bytes;
};
void watermarks_compute(const struct watermark_config *config, uint64_t managed_pages,
			bool is_movable, struct watermarks *ret);

/* Free pages above which hint faults promote without looking at latency (fair.c
 * pgdat_free_space_enough): promo + max(1 GiB, present / 16). */
uint64_t watermark_bypass_pages(const struct watermarks *marks, uint64_t present_pages,
				uint32_t page_bytes);

#endif
