/* SPDX-License-Identifier: MIT */
/*
 * Names of address ranges: which mapping does a page belong to?
 *
 * A recording says "[page, +nr) of space is now NAME" again and again. People think in fewer
 * things: the heap, the stack, each library, each big mapping. So mappings become regions:
 *
 *     libc text | libc rodata | libc data | libc bss      one region: same file, same space
 *     [anon] [anon] (touching)                            one region
 *     [anon]            [anon]                            two regions
 *
 * The map is of what was ever mapped: an unmapped range keeps its name until another takes its
 * place, so that a page can be named at the end of the pass. Spans are a sorted array; the last
 * one found is tried first, since events come in runs.
 *
 * Cost: 24 bytes a span, at most REGIONS_MAX_SPANS; a search is O(log spans), a mapping O(spans).
 * Beyond the limits new mappings share one region a space, or stay unnamed.
 */
#ifndef BERTH_MEM_REGIONS_H
#define BERTH_MEM_REGIONS_H

#include "trace/trace.h"

#define REGION_NONE	  UINT32_MAX
#define REGIONS_MAX	  2048
#define REGIONS_MAX_SPANS 16384

struct region {
	uint32_t space;
	bool is_file; /* named by a path */
	char *name;   /* as recorded: a path, "[heap]", "[anon]", ... */
};

struct region_span {
	uint64_t first, last; /* keys, inclusive */
	uint32_t region;
};

struct regions {
	struct region *list;
	uint32_t nr;
	struct region_span *spans; /* ascending, disjoint */
	uint32_t nr_spans;
	uint32_t hint; /* the span found last */
	bool is_full;  /* some mapping could not be kept */
};

void regions_fini(struct regions *regions);
/* What a mapping event says; -ENOMEM. Events that name nothing are passed over. */
int regions_add(struct regions *regions, const struct trace_mapping *mapping);
/* A new region without spans; its id in *ret. */
int regions_new(struct regions *regions, uint32_t space, const char *name, uint32_t *ret);
uint32_t regions_find(struct regions *regions, uint64_t key); /* REGION_NONE: unnamed */
bool regions_is_valid(const struct regions *regions);

#endif
