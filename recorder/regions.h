/* SPDX-License-Identifier: MIT */
/*
 * What a process has mapped, so that a forked child's recording can begin with it: an array of
 * disjoint ranges in the order of addresses. Cost: a move of the array per change; 32 bytes each.
 */
#ifndef BERTH_RECORDER_REGIONS_H
#define BERTH_RECORDER_REGIONS_H

#include "base/types.h"

#define REGIONS_MAX 65536 /* as many as the kernel lets a process have; more are not kept */

struct region {
	uint64_t first, nr; /* pages */
	uint32_t protection;
	const char *name; /* lives as long as the process */
};

struct regions {
	struct region *items;
	uint32_t nr, room;
};

void regions_map(struct regions *regions, uint64_t first, uint64_t nr, uint32_t protection,
		 const char *name);
void regions_unmap(struct regions *regions, uint64_t first, uint64_t nr);
void regions_move(struct regions *regions, uint64_t from, uint64_t to, uint64_t nr);
void regions_protect(struct regions *regions, uint64_t first, uint64_t nr, uint32_t protection);
bool regions_is_valid(const struct regions *regions);
void regions_fini(struct regions *regions);

#endif
