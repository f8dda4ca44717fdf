/* SPDX-License-Identifier: MIT */
/* The grid of time and addresses; see grid.h. */
#include "mem/grid.h"

#include <stdlib.h>
#include <string.h>

#include "mem/key.h"

int grid_init(struct grid *grid, uint32_t max_blocks)
{
	*grid = (struct grid){ .max = max_blocks, .index_bits = 1 };
	while ((UINT32_C(1) << grid->index_bits) < 2 * max_blocks)
		grid->index_bits++;
	grid->blocks = calloc(max_blocks, sizeof(*grid->blocks));
	grid->index = calloc((size_t)1 << grid->index_bits, sizeof(*grid->index));
	if (grid->blocks && grid->index)
		return 0;
	grid_fini(grid);
	return -ENOMEM;
}

void grid_fini(struct grid *grid)
{
	for (uint32_t i = 0; i < grid->nr; i++)
		free(grid->blocks[i].cells);
	free(grid->blocks);
	free(grid->index);
	*grid = (struct grid){ 0 };
}

static uint16_t *find_slot(const struct grid *grid, uint64_t key)
{
	uint32_t mask = (UINT32_C(1) << grid->index_bits) - 1;
	uint32_t at = mem_hash(key, grid->index_bits);
	while (grid->index[at] && grid->blocks[grid->index[at] - 1].key != key)
		at = (at + 1) & mask;
	return &grid->index[at];
}

static void merge(const struct grid *grid, struct grid_block *into, struct grid_block *from)
{
	for (unsigned i = 0; i < grid->nr_bins; i++) {
		into->cells[i].heat += from->cells[i].heat;
		into->cells[i].weight += from->cells[i].weight;
	}
	if (from->snapshot > into->snapshot) {
		into->snapshot = from->snapshot;
		into->snapshot_pages = from->snapshot_pages;
	} else if (from->snapshot == into->snapshot) {
		into->snapshot_pages += from->snapshot_pages;
	}
	into->max_pages += from->max_pages;
	free(from->cells);
}

static void coarsen(struct grid *grid)
{
	grid->page_shift++;
	memset(grid->index, 0, sizeof(*grid->index) << grid->index_bits);
	uint32_t nr = grid->nr;
	grid->nr = 0;
	for (uint32_t i = 0; i < nr; i++) {
		struct grid_block block = grid->blocks[i];
		block.key = grid_block_key(grid, block.key);
		uint16_t *slot = find_slot(grid, block.key);
		if (*slot) {
			merge(grid, &grid->blocks[*slot - 1], &block);
		} else {
			grid->blocks[grid->nr++] = block;
			*slot = (uint16_t)grid->nr;
		}
	}
}

void grid_coarsen_for(struct grid *grid, uint64_t nr_pages, uint32_t nr)
{
	while (grid->page_shift < MEM_PAGE_BITS && nr_pages >> grid->page_shift > nr)
		coarsen(grid);
}

struct grid_block *grid_block_get(struct grid *grid, uint64_t key, bool make, int *ret_error)
{
	uint16_t *slot = find_slot(grid, grid_block_key(grid, key));
	if (*slot)
		return &grid->blocks[*slot - 1];
	if (!make)
		return NULL;
	while (grid->nr == grid->max) {
		coarsen(grid);
		slot = find_slot(grid, grid_block_key(grid, key));
		if (*slot)
			return &grid->blocks[*slot - 1];
	}
	struct grid_cell *cells = calloc(GRID_BINS, sizeof(*cells));
	if (!cells) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	grid->blocks[grid->nr++] = (struct grid_block){
		.key = grid_block_key(grid, key),
		.cells = cells,
		.region = UINT32_MAX,
	};
	*slot = (uint16_t)grid->nr;
	return &grid->blocks[grid->nr - 1];
}

void grid_halve_time(struct grid *grid)
{
	grid->bin_shift++;
	grid->nr_bins = (grid->nr_bins + 1) / 2;
	for (uint32_t b = 0; b < grid->nr; b++) {
		struct grid_cell *cells = grid->blocks[b].cells;
		for (unsigned i = 0; i < GRID_BINS / 2; i++) {
			cells[i].heat = cells[2 * i].heat + cells[2 * i + 1].heat;
			cells[i].weight = cells[2 * i].weight + cells[2 * i + 1].weight;
		}
		memset(&cells[GRID_BINS / 2], 0, GRID_BINS / 2 * sizeof(*cells));
	}
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = ((const struct grid_block *)a)->key, y = ((const struct grid_block *)b)->key;
	/* Sign bit of the page flipped: the kernel's half comes after the user's. */
	x ^= (uint64_t)1 << (MEM_PAGE_BITS - 1);
	y ^= (uint64_t)1 << (MEM_PAGE_BITS - 1);
	return x < y ? -1 : x > y;
}

void grid_sort(struct grid *grid)
{
	qsort(grid->blocks, grid->nr, sizeof(*grid->blocks), compare_keys);
	memset(grid->index, 0, sizeof(*grid->index) << grid->index_bits);
	for (uint32_t i = 0; i < grid->nr; i++)
		*find_slot(grid, grid->blocks[i].key) = (uint16_t)(i + 1);
}

bool grid_is_valid(const struct grid *grid)
{
	for (uint32_t i = 0; i < grid->nr; i++)
		if (grid->blocks[i].key != grid_block_key(grid, grid->blocks[i].key) ||
		    *find_slot(grid, grid->blocks[i].key) != i + 1)
			return false;
	return grid->nr <= grid->max;
}
