/* SPDX-License-Identifier: MIT */
/*
 * (space, page) -> dense page number, the one lookup that every event pays.
 *
 *     hash table, 16 bytes a slot             leaves: 64 neighbouring pages, 264 bytes
 *     +-----------------------------+         +--------------------------------------+
 *     | page / 64 | space | leaf ---------->  | number, number, none, ... | nr live |
 *     +-----------------------------+         +--------------------------------------+
 *
 * Leaves, because programs use pages in runs: the table has one slot per 256 KiB, so it stays in
 * the cache, and neighbours cost no further probe. Linear probing with backward-shift deletion
 * (Knuth 6.4 R): no tombstones, so a long-lived map does not slow down.
 *
 * Bytes: about 4.7 per page where pages come in runs of 64, at worst 330 for lone pages.
 */
#ifndef BERTH_SIM_PAGEMAP_H
#define BERTH_SIM_PAGEMAP_H

#include "base/types.h"

#define PAGEMAP_NONE	   UINT32_MAX
#define PAGEMAP_LEAF_SHIFT 6
#define PAGEMAP_LEAF_PAGES (1u << PAGEMAP_LEAF_SHIFT)
#define PAGEMAP_LEAF_MASK  (PAGEMAP_LEAF_PAGES - 1)

struct pagemap_leaf {
	uint32_t numbers[PAGEMAP_LEAF_PAGES];
	uint32_t nr_live;
	uint32_t next_free;
};

struct pagemap_slot {
	uint64_t block; /* page / 64 */
	uint32_t space;
	uint32_t leaf; /* PAGEMAP_NONE: the slot is empty */
};

struct pagemap {
	struct pagemap_slot *slots;
	uint32_t mask; /* slots - 1 */
	uint32_t nr_slots_used;
	struct pagemap_leaf *leaves; /* one array: they move when it grows */
	uint32_t nr_leaves;
	uint32_t free_leaves;
};

int pagemap_init(struct pagemap *map);
void pagemap_fini(struct pagemap *map);
/* Maps a page that has no number yet. -ENOMEM. */
int pagemap_set(struct pagemap *map, uint32_t space, uint64_t page, uint32_t number);
/* Takes the number out and returns it; PAGEMAP_NONE when there was none. */
uint32_t pagemap_take(struct pagemap *map, uint32_t space, uint64_t page);
uint64_t pagemap_bytes(const struct pagemap *map);
bool pagemap_is_valid(const struct pagemap *map);

/* Calls back for each live page of [page, page + nr_pages) of `space`, taking it out of the map.
 * Time: the lesser of the range and the map. */
typedef int (*pagemap_fn)(void *context, uint64_t page, uint32_t number);
int pagemap_take_range(struct pagemap *map, uint32_t space, uint64_t page, uint64_t nr_pages,
		       pagemap_fn taken, void *context);

/* Calls back for each block that holds live pages, in no useful order but always the same. */
typedef int (*pagemap_block_fn)(void *context, uint32_t space, uint64_t first, uint64_t last,
				uint32_t nr_live);
int pagemap_walk(const struct pagemap *map, pagemap_block_fn block, void *context);

static inline uint32_t pagemap_hash(uint64_t block, uint32_t space)
{
	uint64_t key = (block + ((uint64_t)space << 40)) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(key >> 32);
}

static inline struct pagemap_leaf *pagemap_leaf(const struct pagemap *map, uint32_t leaf)
{
	return &map->leaves[leaf];
}

static inline uint32_t pagemap_find_leaf(const struct pagemap *map, uint32_t space, uint64_t block)
{
	uint32_t at = pagemap_hash(block, space) & map->mask;
	for (;; at = (at + 1) & map->mask) {
		const struct pagemap_slot *slot = &map->slots[at];
		if (slot->leaf == PAGEMAP_NONE || (slot->block == block && slot->space == space))
			return slot->leaf;
	}
}

static inline uint32_t pagemap_find(const struct pagemap *map, uint32_t space, uint64_t page)
{
	uint32_t leaf = pagemap_find_leaf(map, space, page >> PAGEMAP_LEAF_SHIFT);
	if (leaf == PAGEMAP_NONE)
		return PAGEMAP_NONE;
	return pagemap_leaf(map, leaf)->numbers[page & PAGEMAP_LEAF_MASK];
}

#endif
