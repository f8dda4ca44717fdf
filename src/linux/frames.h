/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of its zones: which node each frame of memory is on, and below how many free
 * pages a node refuses. Read from /proc/zoneinfo once: zones do not move.
 *
 *     Node 1, zone   Normal     start_pfn 131072, spanned 262144: frames [131072, 393216) on node 1
 *                               min, low: summed per node, and with them
 *                               protection: what a zone keeps from those who can use a higher one
 *                               (lowmem_reserve). Most machines have 16 MiB of zone DMA that are
 *                               free, and as good as not there
 *                               pagesets, high: what a CPU keeps for itself of what it freed, which
 *                               does not count as free: a huge folio that it moved away is no room
 *                               for the single pages that come
 *
 * Zones may overlap where firmware interleaves nodes: then the smaller range counts.
 * Cost: 24 bytes per zone; a look-up is O(zones), and the last answer is tried first.
 */
#ifndef BERTH_LINUX_FRAMES_H
#define BERTH_LINUX_FRAMES_H

#include "machine/machine.h"
#include "machine/root.h"

#define FRAMES_MAX_ZONES 4096
#define FRAMES_NO_NODE	 UINT32_MAX

struct frame_range {
	uint64_t first, nr_frames;
	uint32_t node; /* index into machine.nodes */
};

struct frames {
	struct frame_range *ranges; /* smallest first */
	uint32_t nr_ranges;
	uint32_t last;			 /* range of the last answer */
	uint64_t *min_pages, *low_pages; /* [node index] */
	uint64_t *cached_pages; /* [node index]: that one CPU may have freed and still keep */
};

int frames_open(const struct root *root, const struct machine *machine, struct frames *ret,
		struct printbuf *err);
/* The same from zoneinfo's text, which is cut up in doing so. */
int frames_parse(char *text, const struct machine *machine, struct frames *ret);
uint32_t frames_search(struct frames *frames, uint64_t frame);
/* FRAMES_NO_NODE: no memory that we know. Most frames are of the range of the one before. */
static inline uint32_t frames_node(struct frames *frames, uint64_t frame)
{
	const struct frame_range *last = &frames->ranges[frames->last];
	return frame - last->first < last->nr_frames ? last->node : frames_search(frames, frame);
}
void frames_fini(struct frames *frames);

#endif
