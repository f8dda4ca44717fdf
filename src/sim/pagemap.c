/* SPDX-License-Identifier: MIT */
/* The page map; pagemap.h has the picture. */
#include "sim/pagemap.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN  64u
#define SLOTS_MAX  (1u << 30)
#define LEAVES_MIN 64u

static struct pagemap_slot *slots_new(uint32_t nr)
{
	struct pagemap_slot *slots = calloc(nr, sizeof(*slots));
	for (uint32_t i = 0; slots && i < nr; i++)
		slots[i].leaf = PAGEMAP_NONE;
	return slots;
}

int pagemap_init(struct pagemap *map)
{
	*map = (struct pagemap){ .mask = SLOTS_MIN - 1, .free_leaves = PAGEMAP_NONE };
	map->slots = slots_new(SLOTS_MIN);
	return map->slots ? 0 : -ENOMEM;
}

void pagemap_fini(struct pagemap *map)
{
	free(map->leaves);
	free(map->slots);
	*map = (struct pagemap){ 0 };
}

static uint32_t empty_slot(const struct pagemap *map, uint64_t block, uint32_t space)
{
	uint32_t at = pagemap_hash(block, space) & map->mask;
	while (map->slots[at].leaf != PAGEMAP_NONE)
		at = (at + 1) & map->mask;
	return at;
}

/* At most half full, so that probes stay short. */
static int grow_slots(struct pagemap *map)
{
	uint32_t old_nr = map->mask + 1;
	struct pagemap_slot *old = map->slots;
	if (map->nr_slots_used < old_nr / 2)
		return 0;
	if (old_nr >= SLOTS_MAX)
		return -ENOMEM;
	struct pagemap_slot *slots = slots_new(old_nr * 2);
	if (!slots)
		return -ENOMEM;
	map->slots = slots;
	map->mask = old_nr * 2 - 1;
	for (uint32_t i = 0; i < old_nr; i++)
		if (old[i].leaf != PAGEMAP_NONE)
			slots[empty_slot(map, old[i].block, old[i].space)] = old[i];
	free(old);
	return 0;
}

/* By a quarter: doubling would waste more than a page's other bytes take. */
static int grow_leaves(struct pagemap *map)
{
	uint64_t max = MAX(LEAVES_MIN, (uint64_t)map->nr_leaves + map->nr_leaves / 4);
	if (max >= PAGEMAP_NONE)
		return -ENOMEM;
	struct pagemap_leaf *leaves = realloc(map->leaves, max * sizeof(*leaves));
	if (!leaves)
		return -ENOMEM;
	for (uint32_t i = (uint32_t)max; i-- > map->nr_leaves;) {
		leaves[i].next_free = map->free_leaves;
		map->free_leaves = i;
	}
	map->leaves = leaves;
	map->nr_leaves = (uint32_t)max;
	return 0;
}

static int add_leaf(struct pagemap *map, uint32_t space, uint64_t block, uint32_t *ret)
{
	int error = grow_slots(map);
	if (!error && map->free_leaves == PAGEMAP_NONE)
		error = grow_leaves(map);
	if (error)
		return error;
	uint32_t leaf = map->free_leaves;
	struct pagemap_leaf *made = pagemap_leaf(map, leaf);
	map->free_leaves = made->next_free;
	memset(made->numbers, 0xff, sizeof(made->numbers));
	made->nr_live = 0;
	map->slots[empty_slot(map, block, space)] = (struct pagemap_slot){ block, space, leaf };
	map->nr_slots_used++;
	*ret = leaf;
	return 0;
}

int pagemap_set(struct pagemap *map, uint32_t space, uint64_t page, uint32_t number)
{
	uint64_t block = page >> PAGEMAP_LEAF_SHIFT;
	uint32_t leaf = pagemap_find_leaf(map, space, block);
	if (leaf == PAGEMAP_NONE) {
		int error = add_leaf(map, space, block, &leaf);
		if (error)
			return error;
	}
	struct pagemap_leaf *into = pagemap_leaf(map, leaf);
	into->numbers[page & PAGEMAP_LEAF_MASK] = number;
	into->nr_live++;
	return 0;
}

/* Backward shift: whoever was pushed past the hole by it moves back into it. */
static void del_slot(struct pagemap *map, uint32_t hole)
{
	uint32_t at = hole;
	for (;;) {
		at = (at + 1) & map->mask;
		const struct pagemap_slot *slot = &map->slots[at];
		if (slot->leaf == PAGEMAP_NONE)
			break;
		uint32_t home = pagemap_hash(slot->block, slot->space) & map->mask;
		if (((at - home) & map->mask) >= ((at - hole) & map->mask)) {
			map->slots[hole] = *slot;
			hole = at;
		}
	}
	map->slots[hole].leaf = PAGEMAP_NONE;
	map->nr_slots_used--;
}

static void free_leaf(struct pagemap *map, uint32_t leaf)
{
	pagemap_leaf(map, leaf)->next_free = map->free_leaves;
	map->free_leaves = leaf;
}

static void del_leaf(struct pagemap *map, uint32_t space, uint64_t block)
{
	uint32_t at = pagemap_hash(block, space) & map->mask;
	while (map->slots[at].block != block || map->slots[at].space != space)
		at = (at + 1) & map->mask;
	free_leaf(map, map->slots[at].leaf);
	del_slot(map, at);
}

uint32_t pagemap_take(struct pagemap *map, uint32_t space, uint64_t page)
{
	uint64_t block = page >> PAGEMAP_LEAF_SHIFT;
	uint32_t leaf = pagemap_find_leaf(map, space, block);
	if (leaf == PAGEMAP_NONE)
		return PAGEMAP_NONE;
	struct pagemap_leaf *from = pagemap_leaf(map, leaf);
	uint32_t number = from->numbers[page & PAGEMAP_LEAF_MASK];
	if (number == PAGEMAP_NONE)
		return PAGEMAP_NONE;
	from->numbers[page & PAGEMAP_LEAF_MASK] = PAGEMAP_NONE;
	if (--from->nr_live == 0)
		del_leaf(map, space, block);
	return number;
}

/* The part of one leaf that lies in [first, last]. */
static int take_from_leaf(struct pagemap_leaf *leaf, uint64_t block, uint64_t first, uint64_t last,
			  pagemap_fn taken, void *context)
{
	uint64_t base = block << PAGEMAP_LEAF_SHIFT;
	for (uint32_t i = 0; i < PAGEMAP_LEAF_PAGES && leaf->nr_live > 0; i++) {
		uint32_t number = leaf->numbers[i];
		if (number == PAGEMAP_NONE || base + i < first || base + i > last)
			continue;
		leaf->numbers[i] = PAGEMAP_NONE;
		leaf->nr_live--;
		int error = taken(context, base + i, number);
		if (error)
			return error;
	}
	return 0;
}

/* Empty leaves stay in the table during the walk over it, then the table is made anew in place. */
static int take_by_table(struct pagemap *map, uint32_t space, uint64_t first, uint64_t last,
			 pagemap_fn taken, void *context)
{
	int error = 0;
	uint32_t nr_slots = map->mask + 1;
	struct pagemap_slot *slots = slots_new(nr_slots);
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr_slots && !error; i++) {
		const struct pagemap_slot *slot = &map->slots[i];
		if (slot->leaf == PAGEMAP_NONE || slot->space != space ||
		    slot->block < first >> PAGEMAP_LEAF_SHIFT ||
		    slot->block > last >> PAGEMAP_LEAF_SHIFT)
			continue;
		error = take_from_leaf(pagemap_leaf(map, slot->leaf), slot->block, first, last,
				       taken, context);
	}
	struct pagemap_slot *old = map->slots;
	map->slots = slots;
	map->nr_slots_used = 0;
	for (uint32_t i = 0; i < nr_slots; i++) {
		if (old[i].leaf == PAGEMAP_NONE)
			continue;
		if (pagemap_leaf(map, old[i].leaf)->nr_live == 0) {
			free_leaf(map, old[i].leaf);
			continue;
		}
		slots[empty_slot(map, old[i].block, old[i].space)] = old[i];
		map->nr_slots_used++;
	}
	free(old);
	return error;
}

int pagemap_take_range(struct pagemap *map, uint32_t space, uint64_t page, uint64_t nr_pages,
		       pagemap_fn taken, void *context)
{
	if (nr_pages == 0)
		return 0;
	uint64_t last = nr_pages - 1 > UINT64_MAX - page ? UINT64_MAX : page + nr_pages - 1;
	uint64_t first_block = page >> PAGEMAP_LEAF_SHIFT, last_block = last >> PAGEMAP_LEAF_SHIFT;
	if (last_block - first_block >= map->mask)
		return take_by_table(map, space, page, last, taken, context);
	for (uint64_t block = first_block; block <= last_block; block++) {
		uint32_t leaf = pagemap_find_leaf(map, space, block);
		if (leaf == PAGEMAP_NONE)
			continue;
		int error = take_from_leaf(pagemap_leaf(map, leaf), block, page, last, taken,
					   context);
		if (pagemap_leaf(map, leaf)->nr_live == 0)
			del_leaf(map, space, block);
		if (error)
			return error;
	}
	return 0;
}

int pagemap_walk(const struct pagemap *map, pagemap_block_fn block, void *context)
{
	int error = 0;
	for (uint32_t i = 0; i <= map->mask && !error; i++) {
		const struct pagemap_slot *slot = &map->slots[i];
		uint64_t base = slot->block << PAGEMAP_LEAF_SHIFT;
		uint32_t first = 0, last = PAGEMAP_LEAF_MASK;
		if (slot->leaf == PAGEMAP_NONE)
			continue;
		const struct pagemap_leaf *leaf = pagemap_leaf(map, slot->leaf);
		while (first < last && leaf->numbers[first] == PAGEMAP_NONE)
			first++;
		while (last > first && leaf->numbers[last] == PAGEMAP_NONE)
			last--;
		error = block(context, slot->space, base + first, base + last, leaf->nr_live);
	}
	return error;
}

uint64_t pagemap_bytes(const struct pagemap *map)
{
	return ((uint64_t)map->mask + 1) * sizeof(*map->slots) +
	       (uint64_t)map->nr_leaves * sizeof(struct pagemap_leaf);
}

bool pagemap_is_valid(const struct pagemap *map)
{
	uint32_t nr_used = 0;
	for (uint32_t i = 0; i <= map->mask; i++) {
		const struct pagemap_slot *slot = &map->slots[i];
		if (slot->leaf == PAGEMAP_NONE)
			continue;
		uint32_t nr_live = 0;
		const struct pagemap_leaf *leaf = pagemap_leaf(map, slot->leaf);
		for (uint32_t j = 0; j < PAGEMAP_LEAF_PAGES; j++)
			nr_live += leaf->numbers[j] != PAGEMAP_NONE;
		nr_used++;
		if (nr_live != leaf->nr_live || nr_live == 0 ||
		    pagemap_find_leaf(map, slot->space, slot->block) != slot->leaf)
			return false;
	}
	return nr_used == map->nr_slots_used;
}
