/* SPDX-License-Identifier: MIT */
/* Rows and cells of the picture; see heatmap.h. */
#include "mem/heatmap.h"

#include <stdlib.h>
#include <string.h>

#include "mem/key.h"

const double heatmap_level_starts[HEATMAP_NR_LEVELS] = { 0, 0, 0.01, 0.05, 0.20, 0.50 };

unsigned heatmap_level(double rate)
{
	unsigned level = rate > 0;
	while (level && level + 1 < HEATMAP_NR_LEVELS && rate >= heatmap_level_starts[level + 1])
		level++;
	return level;
}

const char *region_short_name(const struct profile_region *region)
{
	const char *name = region->name;
	if (strcmp(name, "[heap]") == 0)
		return "heap";
	if (strcmp(name, "[stack]") == 0)
		return "stack";
	if (strcmp(name, "[anon]") == 0)
		return "anonymous";
	const char *slash = strrchr(name, '/');
	return slash && slash[1] ? slash + 1 : name;
}

#define LEAST_IMPORTANCE 0.005 /* a region of less shares the last row */

struct share { /* of the rows, for one region */
	uint32_t region;
	uint32_t nr_blocks, nr_rows;
	double importance;
};

static int compare_importance(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	if (x->importance != y->importance)
		return x->importance > y->importance ? -1 : 1;
	return x->region < y->region ? -1 : x->region > y->region;
}

static int compare_region(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	return x->region < y->region ? -1 : x->region > y->region;
}

/* What is large or busy is important; heap and stack are what people look for first. */
static double importance(const struct profile *profile, const struct profile_region *region)
{
	const char *name = region->name;
	double size = (double)region->touched_pages / (double)profile->touched_pages;
	double use = profile->count > 0 ? region->count / profile->count : 0;
	bool is_known = strcmp(name, "[heap]") == 0 || strcmp(name, "[stack]") == 0;
	return MAX(size, use) + (is_known ? 1 : 0);
}

static void count_blocks(const struct profile *profile, struct share *shares)
{
	for (uint32_t i = 0; i < profile->nr_regions; i++)
		shares[i] = (struct share){
			.region = i,
			.importance = importance(profile, &profile->regions[i]),
		};
	for (uint32_t i = 0; i < profile->grid.nr; i++)
		shares[profile->grid.blocks[i].region].nr_blocks++;
}

/* Rows beyond one each go where the most blocks wait per row. Bounded by nr_rows x nr. */
static void share_rows(struct share *shares, uint32_t nr, uint32_t nr_rows)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < nr; i++)
		used += shares[i].nr_rows = shares[i].nr_blocks > 0;
	while (used < nr_rows) {
		struct share *most = NULL;
		double most_wait = 1;
		for (uint32_t i = 0; i < nr; i++) {
			double wait = shares[i].nr_rows ? (double)shares[i].nr_blocks /
								  (double)shares[i].nr_rows
							: 0;
			if (wait > most_wait) {
				most = &shares[i];
				most_wait = wait;
			}
		}
		if (!most)
			return;
		most->nr_rows++;
		used++;
	}
}

static void add_row(const struct profile *profile, struct heatmap *heatmap, uint32_t region,
		    bool is_first, uint32_t first, uint32_t nr)
{
	struct heatmap_row *row = &heatmap->rows[heatmap->nr_rows];
	*row = (struct heatmap_row){
		.region = region, .is_first = is_first, .first = first, .nr = nr
	};
	const struct grid_block *blocks = profile->grid.blocks;
	for (uint32_t i = first; i < first + nr; i++) {
		row->nr_pages += blocks[heatmap->order[i]].nr_pages;
		row->count += blocks[heatmap->order[i]].count;
	}
	if (region != HEATMAP_OTHERS) {
		uint64_t key = blocks[heatmap->order[first]].key;
		row->first_page = mem_key_page(key);
		if (first) {
			uint64_t before = blocks[heatmap->order[first - 1]].key +
					  ((uint64_t)1 << profile->grid.page_shift);
			if (mem_key_space(before) == mem_key_space(key) && before < key)
				row->gap_pages = key - before;
		}
	}
	heatmap->nr_rows++;
}

/* Blocks of the kept regions in order, then those of all others. */
static uint32_t order_blocks(const struct profile *profile, const struct share *shares,
			     uint32_t nr_shares, uint32_t *order)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < nr_shares; i++)
		for (uint32_t b = 0; b < profile->grid.nr; b++)
			if (profile->grid.blocks[b].region == shares[i].region)
				order[used++] = b;
	return used;
}

static int fill_rows(const struct profile *profile, struct share *shares, uint32_t nr_kept,
		     struct heatmap *heatmap)
{
	uint32_t nr_all = profile->nr_regions;
	uint32_t kept_blocks = order_blocks(profile, shares, nr_kept, heatmap->order);
	uint32_t all_blocks = kept_blocks + order_blocks(profile, shares + nr_kept,
							 nr_all - nr_kept,
							 heatmap->order + kept_blocks);
	uint32_t at = 0;
	for (uint32_t i = 0; i < nr_kept; i++) {
		const struct share *share = &shares[i];
		for (uint32_t r = 0; r < share->nr_rows; r++) {
			uint32_t from = (uint32_t)((uint64_t)share->nr_blocks * r / share->nr_rows);
			uint32_t to = (uint32_t)((uint64_t)share->nr_blocks * (r + 1) /
						 share->nr_rows);
			add_row(profile, heatmap, share->region, r == 0, at + from, to - from);
		}
		at += share->nr_blocks;
	}
	if (all_blocks > kept_blocks) {
		heatmap->nr_others = nr_all - nr_kept;
		add_row(profile, heatmap, HEATMAP_OTHERS, true, kept_blocks,
			all_blocks - kept_blocks);
	}
	return 0;
}

static int arrange(const struct profile *profile, uint32_t nr_rows, struct heatmap *heatmap)
{
	uint32_t nr = profile->nr_regions;
	struct share *shares = calloc((size_t)nr + 1, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	count_blocks(profile, shares);
	/* At most two thirds of the rows are first rows: some must be left to show inside. */
	uint32_t most = MAX(1U, nr_rows * 2 / 3), nr_kept = 0;
	qsort(shares, nr, sizeof(*shares), compare_importance);
	while (nr_kept < nr && nr_kept < most && shares[nr_kept].importance >= LEAST_IMPORTANCE)
		nr_kept++;
	if (nr - nr_kept == 1 && nr_kept < most)
		nr_kept++; /* a row of "1 others" would say less than its name */
	if (nr > nr_kept) {
		nr_kept -= nr_kept == most && most > 1;
		nr_rows--;
	}
	qsort(shares, nr_kept, sizeof(*shares), compare_region);
	share_rows(shares, nr_kept, nr_rows);
	fill_rows(profile, shares, nr_kept, heatmap);
	free(shares);
	return 0;
}

static void fill_cells(const struct profile *profile, struct heatmap *heatmap)
{
	double bin_ns = (double)profile_bin_ns(profile);
	double duration = (double)MAX(profile->duration_ns, UINT64_C(1));
	unsigned nr_bins = profile_nr_bins(profile);
	for (uint32_t r = 0; r < heatmap->nr_rows; r++) {
		const struct heatmap_row *row = &heatmap->rows[r];
		for (uint32_t c = 0; c < heatmap->nr_columns; c++) {
			double from = duration * c / heatmap->nr_columns / bin_ns;
			double to = duration * (c + 1) / heatmap->nr_columns / bin_ns;
			unsigned first = MIN((unsigned)from, nr_bins - 1);
			unsigned end = MIN((unsigned)(to + 0.999999), nr_bins);
			heatmap->heat[(size_t)r * heatmap->nr_columns + c] = profile_heat(
				profile, &heatmap->order[row->first], row->nr, first,
				end > first ? end - first : 1);
		}
	}
}

int heatmap_make(const struct profile *profile, uint32_t nr_rows, uint32_t nr_columns,
		 struct heatmap *ret)
{
	struct heatmap heatmap = { .nr_columns = nr_columns };
	nr_rows = MAX(nr_rows, 2U);
	heatmap.rows = calloc((size_t)nr_rows + 2, sizeof(*heatmap.rows));
	heatmap.order = calloc((size_t)profile->grid.nr + 1, sizeof(*heatmap.order));
	heatmap.heat = calloc(((size_t)nr_rows + 2) * nr_columns, sizeof(*heatmap.heat));
	if (!heatmap.rows || !heatmap.order || !heatmap.heat ||
	    arrange(profile, nr_rows, &heatmap)) {
		heatmap_fini(&heatmap);
		return -ENOMEM;
	}
	fill_cells(profile, &heatmap);
	*ret = heatmap;
	return 0;
}

void heatmap_fini(struct heatmap *heatmap)
{
	free(heatmap->rows);
	free(heatmap->order);
	free(heatmap->heat);
	*heatmap = (struct heatmap){ 0 };
}
