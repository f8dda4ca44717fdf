/* SPDX-License-Identifier: MIT */
/* The LRU of two lists; twolist.h has the picture and the sources. */
#include "sim/kernel/twolist.h"

#define GIB_SHIFT 30

void twolist_init(struct twolist *lru, uint32_t page_bytes)
{
	*lru = (struct twolist){ .page_bytes = page_bytes };
	lru_list_init(&lru->inactive);
	lru_list_init(&lru->active);
}

void twolist_add(struct twolist *lru, struct lru_pages *pages, uint32_t entry, bool is_active)
{
	if (is_active)
		lru_list_add_newest(&lru->active, pages, entry, TWOLIST_ACTIVE);
	else
		lru_list_add_newest(&lru->inactive, pages, entry, TWOLIST_INACTIVE);
}

void twolist_del(struct twolist *lru, struct lru_pages *pages, uint32_t entry)
{
	bool is_active = twolist_is_active(pages, entry);
	lru_list_del(is_active ? &lru->active : &lru->inactive, pages, entry);
}

bool twolist_is_active(const struct lru_pages *pages, uint32_t entry)
{
	return (*lru_place_of(pages, entry) & TWOLIST_PLACE_MASK) == TWOLIST_ACTIVE;
}

bool twolist_is_marked(const struct lru_pages *pages, uint32_t entry)
{
	return *lru_place_of(pages, entry) & TWOLIST_MARKED;
}

void twolist_mark(struct lru_pages *pages, uint32_t entry)
{
	*lru_place_of(pages, entry) |= TWOLIST_MARKED;
}

/* floor(sqrt(10 x GiB)): at most some thousands of steps for any memory that fits an address. */
static uint64_t ratio_of(uint64_t bytes)
{
	uint64_t square = 10 * (bytes >> GIB_SHIFT), root = 1;
	while ((root + 1) * (root + 1) <= square)
		root++;
	return root;
}

bool twolist_inactive_is_low(const struct twolist *lru)
{
	uint64_t pages = lru->inactive.nr_pages + lru->active.nr_pages;
	return lru->inactive.nr_pages * ratio_of(pages * lru->page_bytes) < lru->active.nr_pages;
}

/* To the other list, or to the young end of its own; the mark as given. */
static void move_to(struct twolist *lru, struct lru_pages *pages, uint32_t entry, bool is_active,
		    bool is_marked)
{
	twolist_del(lru, pages, entry);
	twolist_add(lru, pages, entry, is_active);
	if (is_marked)
		twolist_mark(pages, entry);
}

static void shrink_active(struct twolist *lru, struct lru_pages *pages, uint64_t nr_to_scan,
			  const struct lru_ops *ops, void *context)
{
	for (uint64_t scanned = 0; scanned < nr_to_scan && lru->active.oldest != LRU_NONE;) {
		uint32_t entry = lru->active.oldest;
		uint64_t weight = lru_weight(pages, entry);
		ops->clear_young(context, entry);
		move_to(lru, pages, entry, false, twolist_is_marked(pages, entry));
		scanned += weight;
		lru->nr_refill += weight;
		lru->nr_deactivate += weight;
	}
}

/* Is it used: once, so that it is marked and goes round again; or twice, so that it is activated?
 * False: it may go. */
static bool spares(struct twolist *lru, struct lru_pages *pages, uint32_t entry,
		   const struct lru_ops *ops, void *context)
{
	bool was_marked = twolist_is_marked(pages, entry);
	if (!ops->clear_young(context, entry))
		return false;
	lru->nr_activate += was_marked ? lru_weight(pages, entry) : 0;
	move_to(lru, pages, entry, was_marked, true);
	return true;
}

/* Returns the pages won. */
static uint64_t try_evict(struct twolist *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			  uint32_t entry, const struct lru_ops *ops, void *context)
{
	uint64_t weight = lru_weight(pages, entry);
	twolist_del(lru, pages, entry);
	int64_t won = ops->evict(context, shrink->node, entry);
	if (won >= 0)
		return (uint64_t)won;
	twolist_add(lru, pages, entry, true);
	lru->nr_activate += weight;
	return 0;
}

/* Looks at the old end of the inactive list as it is now: what goes round is not met again. */
static uint64_t shrink_inactive(struct twolist *lru, struct lru_pages *pages,
				struct lru_shrink *shrink, uint64_t nr_to_scan,
				const struct lru_ops *ops, void *context)
{
	uint64_t scanned = 0, won = 0;
	nr_to_scan = MIN(nr_to_scan, lru->inactive.nr_pages);
	while (scanned < nr_to_scan && lru->inactive.oldest != LRU_NONE) {
		uint32_t entry = lru->inactive.oldest;
		scanned += lru_weight(pages, entry);
		if (!spares(lru, pages, entry, ops, context))
			won += try_evict(lru, pages, shrink, entry, ops, context);
	}
	lru->nr_scanned += scanned;
	shrink->nr_scanned += scanned;
	shrink->nr_reclaimed += won;
	return won;
}

static void rebalance(struct twolist *lru, struct lru_pages *pages, const struct lru_ops *ops,
		      void *context)
{
	if (twolist_inactive_is_low(lru))
		shrink_active(lru, pages, LRU_CLUSTER, ops, context);
}

/* get_scan_count: of a list of so many pages. */
static uint64_t scan_count(uint64_t pages, uint32_t priority, bool is_all)
{
	uint64_t scan = pages >> priority;
	return is_all ? scan : scan * TWOLIST_SWAPPINESS / TWOLIST_MAX_SWAPPINESS;
}

void twolist_shrink(struct twolist *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		    const struct lru_ops *ops, void *context)
{
	if (!shrink->is_direct)
		rebalance(lru, pages, ops, context);
	bool is_low = twolist_inactive_is_low(lru);
	bool is_all = shrink->is_below_high && !is_low &&
		      lru->inactive.nr_pages >> shrink->priority > 0;
	uint64_t inactive = scan_count(lru->inactive.nr_pages, shrink->priority, is_all);
	uint64_t active = scan_count(lru->active.nr_pages, shrink->priority, is_all);
	/* Direct reclaim at the first priority does a whole batch whatever it wins. */
	bool is_whole = shrink->is_direct && shrink->priority == LRU_DEF_PRIORITY;
	uint64_t won = 0;
	while (inactive > 0 && (is_whole || won < shrink->budget_pages)) {
		uint64_t nr = MIN(inactive, LRU_CLUSTER);
		inactive -= nr;
		won += shrink_inactive(lru, pages, shrink, nr, ops, context);
		nr = MIN(active, LRU_CLUSTER);
		active -= nr;
		if (is_low && nr > 0)
			shrink_active(lru, pages, nr, ops, context);
	}
	rebalance(lru, pages, ops, context);
}

bool twolist_is_valid(const struct twolist *lru, const struct lru_pages *pages)
{
	return lru_list_is_valid(&lru->inactive, pages, TWOLIST_INACTIVE, TWOLIST_PLACE_MASK) &&
	       lru_list_is_valid(&lru->active, pages, TWOLIST_ACTIVE, TWOLIST_PLACE_MASK);
}
