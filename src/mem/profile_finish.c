/* SPDX-License-Identifier: MIT */
/*
 * From the pass to the result: which region each block and page belongs to, how hot each region
 * is, and which pages take most of the traffic.
 *
 * Pages that no mapping names (imports have no mappings) form regions too: blocks that lie near
 * each other. "Near" starts at 2 MiB or 8 blocks and doubles until there are at most 64 of them.
 */
#include <stdlib.h>
#include <string.h>

#include "mem/key.h"
#include "mem/profile.h"

#define MAX_UNNAMED 64
#define NEAR_BYTES  (2 * MIB)
#define NEAR_BLOCKS 8
#define BUSY_SHARE  0.9

/* Pages to be ordered by how much they are used. */
struct busy {
	double count, pages;
	uint32_t region;
};

static uint32_t drawn_space(uint64_t key)
{
	return MIN(mem_key_space(key), (uint32_t)PROFILE_MAX_SPACES - 1);
}

static struct grid_block *block_of(struct profile *profile, const struct tally_unit *unit)
{
	uint64_t key = mem_key(drawn_space(unit->key), unit->key & MEM_PAGE_MASK);
	int error = 0;
	return grid_block_get(&profile->grid, key, true, &error);
}

/* Pages and counts of the units go to their blocks; a block is named after its busiest unit. */
static int units_to_blocks(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->tally.nr; i++) {
		const struct tally_unit *unit = &profile->tally.units[i];
		struct grid_block *block = block_of(profile, unit);
		if (!block)
			return -ENOMEM;
		block->nr_pages += (uint64_t)1 << profile->tally.shift;
		block->count += unit->count;
		double weight = 1.0 + unit->count;
		if (unit->region != REGION_NONE && weight > block->best_count) {
			block->best_count = weight;
			block->region = unit->region;
		}
	}
	return 0;
}

/* What samples say of each block: the pages watched, and hit page-milliseconds as the count. */
static void weigh_sampled_blocks(struct profile *profile)
{
	uint64_t most = (uint64_t)1 << profile->grid.page_shift;
	for (uint32_t i = 0; i < profile->grid.nr; i++) {
		struct grid_block *block = &profile->grid.blocks[i];
		block->nr_pages = MIN(block->max_pages, most);
		for (unsigned bin = 0; bin < GRID_BINS; bin++)
			block->count += block->cells[bin].heat / 1e6;
		block->region = regions_find(&profile->names, block->key);
	}
}

static uint32_t count_unnamed(const struct grid *grid, uint64_t near)
{
	uint32_t nr = 0;
	const struct grid_block *before = NULL;
	for (uint32_t i = 0; i < grid->nr; i++) {
		const struct grid_block *block = &grid->blocks[i];
		if (block->region != REGION_NONE) {
			before = NULL;
			continue;
		}
		if (!before || block->key - before->key > near)
			nr++;
		before = block;
	}
	return nr;
}

static int name_the_unnamed(struct profile *profile)
{
	struct grid *grid = &profile->grid;
	uint64_t near = MAX(NEAR_BYTES / profile->page_bytes,
			    (uint64_t)NEAR_BLOCKS << MIN(grid->page_shift, 40U));
	while (near < MEM_PAGE_MASK && count_unnamed(grid, near) > MAX_UNNAMED)
		near *= 2;
	struct grid_block *before = NULL;
	for (uint32_t i = 0; i < grid->nr; i++) {
		struct grid_block *block = &grid->blocks[i];
		if (block->region != REGION_NONE) {
			before = NULL;
			continue;
		}
		bool goes_on = before && block->key - before->key <= near &&
			       drawn_space(block->key) == drawn_space(before->key);
		if (goes_on)
			block->region = before->region;
		else if (regions_new(&profile->names, drawn_space(block->key), "", &block->region))
			return -ENOMEM;
		before = block;
	}
	return 0;
}

static void extend(struct profile_region *region, uint64_t key, uint64_t nr_pages)
{
	uint64_t page = mem_key_page(key);
	if (!region->touched_pages || page < region->first_page)
		region->first_page = page;
	if (!region->touched_pages || page + nr_pages - 1 > region->last_page)
		region->last_page = page + nr_pages - 1;
}

/* `rate` is of intervals in which the pages were touched. */
static void add_to_region(struct profile_region *region, uint64_t key, uint64_t span,
			  uint64_t nr_pages, double rate, double count)
{
	extend(region, key, span);
	region->touched_pages += nr_pages;
	region->count += count;
	region->mean_rate += rate * (double)nr_pages;
	if (rate * 10000 >= PROFILE_HOT_BP)
		region->hot_pages += nr_pages;
	else if (rate * 10000 >= PROFILE_WARM_BP)
		region->warm_pages += nr_pages;
	else
		region->cold_pages += nr_pages;
}

static void sum_units(struct profile *profile)
{
	uint64_t pages = (uint64_t)1 << profile->tally.shift;
	for (uint32_t i = 0; i < profile->tally.nr; i++) {
		struct tally_unit *unit = &profile->tally.units[i];
		if (unit->region == REGION_NONE)
			unit->region = block_of(profile, unit)->region;
		double rate = (double)unit->nr_touched / (double)profile->nr_intervals;
		add_to_region(&profile->regions[unit->region], unit->key, pages, pages, rate,
			      unit->count);
	}
}

/* Of all the time: before its first hit a block is not there, and was not accessed either. */
static double block_rate(const struct profile *profile, const struct grid_block *block)
{
	double heat = 0;
	for (unsigned bin = 0; bin < GRID_BINS; bin++)
		heat += block->cells[bin].heat;
	double all = (double)block->nr_pages * (double)profile->duration_ns;
	return all > 0 ? MIN(heat / all, 1.0) : 0;
}

static void sum_blocks(struct profile *profile)
{
	uint64_t size = (uint64_t)1 << profile->grid.page_shift;
	for (uint32_t i = 0; i < profile->grid.nr; i++) {
		const struct grid_block *block = &profile->grid.blocks[i];
		add_to_region(&profile->regions[block->region], block->key, size, block->nr_pages,
			      block_rate(profile, block), block->count);
	}
}

static int compare_busy(const void *a, const void *b)
{
	const struct busy *x = a, *y = b;
	double x_density = x->count / x->pages, y_density = y->count / y->pages;
	if (x_density != y_density)
		return x_density > y_density ? -1 : 1;
	return x->region < y->region ? -1 : x->region > y->region;
}

/* Walks the pages from the busiest on: who takes 90 % of the count, and the coverage curve. */
static void cover(struct profile *profile, const struct busy *list, uint32_t nr)
{
	double seen = 0, pages = 0;
	unsigned percent = 0;
	for (uint32_t i = 0; i < nr; i++) {
		if (seen < BUSY_SHARE * profile->count) {
			profile->busy_pages += (uint64_t)list[i].pages;
			profile->regions[list[i].region].busy_pages += (uint64_t)list[i].pages;
		}
		while (percent < PROFILE_COVERAGE) {
			double wanted = (double)profile->touched_pages * percent / 100;
			if (wanted > pages + list[i].pages)
				break;
			double part = (wanted - pages) / list[i].pages * list[i].count;
			profile->coverage[percent++] = profile->count > 0
							       ? (seen + part) / profile->count
							       : 0;
		}
		seen += list[i].count;
		pages += list[i].pages;
	}
	while (percent < PROFILE_COVERAGE)
		profile->coverage[percent++] = profile->count > 0 ? 1.0 : 0;
}

static int find_busy(struct profile *profile)
{
	uint32_t nr = profile->is_samples ? profile->grid.nr : profile->tally.nr;
	struct busy *list = calloc((size_t)nr + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	uint32_t used = 0;
	for (uint32_t i = 0; i < nr; i++) {
		const struct grid_block *block = &profile->grid.blocks[i];
		const struct tally_unit *unit = &profile->tally.units[i];
		struct busy *busy = &list[used];
		if (profile->is_samples)
			*busy = (struct busy){ block->count, (double)block->nr_pages,
					       block->region };
		else
			*busy = (struct busy){ unit->count,
					       (double)((uint64_t)1 << profile->tally.shift),
					       unit->region };
		used += busy->pages > 0;
	}
	qsort(list, used, sizeof(*list), compare_busy);
	cover(profile, list, used);
	free(list);
	return 0;
}

static int compare_regions(const void *a, const void *b)
{
	const struct profile_region *x = a, *y = b;
	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->first_page != y->first_page)
		return x->first_page < y->first_page ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Drops regions that nothing touched, sorts the others, and points the blocks at their places. */
static int arrange_regions(struct profile *profile)
{
	uint32_t nr = profile->nr_regions, kept = 0;
	uint32_t *places = calloc((size_t)nr + 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		struct profile_region region = profile->regions[i];
		profile->regions[i].name = NULL;
		if (region.touched_pages)
			profile->regions[kept++] = region;
		else
			free(region.name);
	}
	for (uint32_t i = kept; i < nr; i++)
		profile->regions[i].name = NULL;
	profile->nr_regions = kept;
	qsort(profile->regions, kept, sizeof(*profile->regions), compare_regions);
	for (uint32_t i = 0; i < kept; i++) {
		profile->regions[i].mean_rate /= (double)profile->regions[i].touched_pages;
		places[profile->regions[i].id] = i;
	}
	for (uint32_t i = 0; i < profile->grid.nr; i++)
		profile->grid.blocks[i].region = places[profile->grid.blocks[i].region];
	free(places);
	return 0;
}

static int make_regions(struct profile *profile)
{
	uint32_t nr = profile->names.nr;
	profile->regions = calloc((size_t)nr + 1, sizeof(*profile->regions));
	if (!profile->regions)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		struct profile_region *region = &profile->regions[profile->nr_regions];
		region->space = MIN(profile->names.list[i].space, (uint32_t)PROFILE_MAX_SPACES - 1);
		region->id = i;
		region->name = strdup(profile->names.list[i].name);
		if (!region->name)
			return -ENOMEM;
		profile->nr_regions++;
	}
	return 0;
}

int profile_finish(struct profile *profile, const struct trace_info *info)
{
	if (profile->is_samples) {
		profile_close_snapshot(profile);
		profile->nr_intervals = profile->workingset.nr;
		weigh_sampled_blocks(profile);
	} else {
		profile->duration_ns = MAX(info->duration_ns, profile->end_ns);
		profile_close_time(profile, profile->duration_ns);
		if (units_to_blocks(profile))
			return -ENOMEM;
	}
	grid_sort(&profile->grid);
	if (name_the_unnamed(profile) || make_regions(profile))
		return -ENOMEM;
	if (profile->is_samples)
		sum_blocks(profile);
	else
		sum_units(profile);
	for (uint32_t i = 0; i < profile->nr_regions; i++) {
		profile->touched_pages += profile->regions[i].touched_pages;
		profile->count += profile->regions[i].count;
	}
	int error = find_busy(profile);
	return error ? error : arrange_regions(profile);
}

unsigned profile_nr_bins(const struct profile *profile)
{
	unsigned last = 0;
	for (unsigned i = 0; i < GRID_BINS; i++)
		if (profile->workingset.bins[i].nr)
			last = i;
	return last + 1;
}

uint64_t profile_bin_ns(const struct profile *profile)
{
	return profile->interval_ns << profile->grid.bin_shift;
}

double profile_heat(const struct profile *profile, const uint32_t *blocks, uint32_t nr_blocks,
		    unsigned first_bin, unsigned nr_bins)
{
	double heat = 0, weight = 0;
	double intervals = 0;
	for (unsigned bin = first_bin; bin < first_bin + nr_bins && bin < GRID_BINS; bin++)
		intervals += (double)profile->workingset.bins[bin].nr;
	for (uint32_t i = 0; i < nr_blocks; i++) {
		const struct grid_block *block = &profile->grid.blocks[blocks[i]];
		for (unsigned bin = first_bin; bin < first_bin + nr_bins && bin < GRID_BINS;
		     bin++) {
			heat += block->cells[bin].heat;
			weight += block->cells[bin].weight;
		}
		if (!profile->is_samples)
			weight += (double)block->nr_pages * intervals;
	}
	return weight > 0 ? heat / weight : 0;
}
