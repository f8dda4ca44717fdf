/* SPDX-License-Identifier: MIT */
/*
 * Which page tables an ageing walk of the multi-generational LRU is worth: those that were found
 * with an accessed entry in eight by the walk before, or by eviction's look around a page since.
 * The others are passed over, so their pages' accessed bits stay set however old the access is, and
 * eviction then finds "young" what nobody has used for long: that keeps it busy, as in life.
 *
 *     walk of generation n:  filter[n % 2] asked, filter[(n + 1) % 2] cleared and filled
 *     look around in n:      filter[n % 2] added to
 *
 * Follows mm/vmscan.c (6.12): test_bloom_filter, update_bloom_filter, reset_bloom_filter,
 * suitable_to_scan, walk_pmd_range, lru_gen_look_around. The first walk finds no filter and looks
 * at all. A Bloom filter as the kernel's, two keys of 15 bits, with a hash of our own.
 *
 * Cost: 8 KiB per node; a walk also takes 12 bytes for each page table with a young page, for its
 * own time.
 */
#ifndef BERTH_SIM_KERNEL_WALK_FILTER_H
#define BERTH_SIM_KERNEL_WALK_FILTER_H

#include "base/types.h"

#define WALK_FILTER_BITS   15  /* BLOOM_FILTER_SHIFT */
#define WALK_TABLE_PAGES   512 /* entries of a page table */
#define WALK_SUITABLE_FROM 8   /* one young entry in a cache line of them */

struct walk_filter {
	uint64_t bits[2][(1 << WALK_FILTER_BITS) / 64];
	bool is_known[2]; /* cleared by a walk once; unknown filters hold everything */
};

/* A page table: 512 pages of a space. */
static inline uint64_t walk_table_of(uint32_t space, uint64_t page)
{
	return (uint64_t)space << 44 ^ page / WALK_TABLE_PAGES;
}

bool walk_filter_has(const struct walk_filter *filter, uint64_t seq, uint64_t table);
/* No effect on an unknown one. */
void walk_filter_add(struct walk_filter *filter, uint64_t seq, uint64_t table);
void walk_filter_reset(struct walk_filter *filter, uint64_t seq);

/* Young entries found per page table, during one walk. */
struct walk_counts {
	uint64_t *tables;
	uint32_t *nr_young; /* 0: the slot is free */
	uint32_t nr, room;  /* a power of two */
};
void walk_counts_fini(struct walk_counts *counts);
/* -ENOMEM. */
int walk_counts_add(struct walk_counts *counts, uint64_t table);
/* What is suitable goes into the filter; the counts are freed. */
void walk_counts_finish(struct walk_counts *counts, struct walk_filter *filter, uint64_t seq);

#endif
