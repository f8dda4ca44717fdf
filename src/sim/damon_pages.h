/* SPDX-License-Identifier: MIT */
/*
 * What berth's own use of DAMON makes of its regions: pages, where each is, and those of which
 * nothing was found.
 *
 *     region, 3 hits of 20   |........nnnnnnnn....ffff|   pages that are there, by their node
 *                                 -> 3 of 20, slow   -> 3 of 20, fast
 *     census, every update    pages that were never told of, once:  1 of 1, with their node
 *
 * A region holds pages of both tiers soon, and one that nobody uses has no hits: who knows DAMON's
 * ranges only does not learn what fast memory is full of. In life pagemap tells both
 * (src/linux/sampler_damon.c, pagemap.h), and so it is here. What DAMON's own schemes work on (the
 * agent `damon`) are the ranges as they are.
 *
 * Cost: O(pages) per update, O(pages of regions with hits) per aggregation, each counted as a
 * check; 8 bytes per page.
 */
#ifndef BERTH_SIM_DAMON_PAGES_H
#define BERTH_SIM_DAMON_PAGES_H

#include "sim/layout.h"
#include "sim/simulation.h"

struct damon_pages {
	const struct simulation *simulation;
	const struct layout *layout;
	uint64_t *told; /* [page number]: the page that was told of */
	uint32_t nr_told;
	struct sample *samples; /* to hand over */
	size_t nr, max;
	uint64_t nr_checks; /* pages looked at */
};

void damon_pages_fini(struct damon_pages *pages);
/* 0 or -ENOMEM. */
int damon_pages_add(struct damon_pages *pages, const struct sample *sample);
/* Of a region: its pages that are there, as runs of one node. `from`: the first extent that may
 * reach into it; moves on. */
int damon_pages_add_region(struct damon_pages *pages, const struct sample *region, size_t *from);
/* All pages that were never told of. */
int damon_pages_census(struct damon_pages *pages, uint64_t now_ns);

/* The node that serves this page, SAMPLE_NONE: it is not there. Moves *page on to the last that the
 * same folio holds. */
uint32_t damon_page_node(const struct simulation *simulation, uint32_t space, uint64_t *page);

#endif
