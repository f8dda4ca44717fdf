/* SPDX-License-Identifier: MIT */
/* The multi-generational LRU; mglru.h has the picture and the sources. */
#include "sim/kernel/mglru.h"

static unsigned slot_of(uint64_t seq)
{
	return (unsigned)(seq % MGLRU_MAX_GENS);
}

void mglru_init(struct mglru *lru)
{
	*lru = (struct mglru){ .min_seq = 0, .max_seq = MGLRU_MIN_GENS + 1 };
	for (unsigned i = 0; i < MGLRU_MAX_GENS; i++)
		lru_list_init(&lru->gens[i]);
}

static void push(struct mglru *lru, struct lru_pages *pages, uint32_t entry, unsigned slot)
{
	lru_list_add_newest(&lru->gens[slot], pages, entry, (uint8_t)(slot + 1));
}

void mglru_add(struct mglru *lru, struct lru_pages *pages, uint32_t entry, bool is_active)
{
	push(lru, pages, entry, slot_of(is_active ? lru->max_seq : lru->max_seq - 1));
}

void mglru_del(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	lru_list_del(&lru->gens[*lru_place_of(pages, entry) - 1], pages, entry);
}

void mglru_activate(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	unsigned slot = slot_of(lru->max_seq), place = *lru_place_of(pages, entry);
	if (place == MGLRU_ISOLATED)
		*lru_place_of(pages, entry) = MGLRU_REFERENCED;
	if (place == slot + 1 || place == 0 || place > MGLRU_MAX_GENS)
		return;
	mglru_del(lru, pages, entry);
	push(lru, pages, entry, slot);
}

bool mglru_is_active(const struct mglru *lru, const struct lru_pages *pages, uint32_t entry)
{
	unsigned gen = *lru_place_of(pages, entry);
	return gen == slot_of(lru->max_seq) + 1 || gen == slot_of(lru->max_seq - 1) + 1;
}

uint64_t mglru_nr_total(const struct mglru *lru)
{
	uint64_t total = 0;
	for (uint64_t seq = lru->min_seq; seq <= lru->max_seq; seq++)
		total += lru->gens[slot_of(seq)].nr_pages;
	return total;
}

uint64_t mglru_nr_inactive(const struct mglru *lru)
{
	return mglru_nr_total(lru) - lru->gens[slot_of(lru->max_seq)].nr_pages -
	       lru->gens[slot_of(lru->max_seq - 1)].nr_pages;
}

static uint64_t nr_gens(const struct mglru *lru)
{
	return lru->max_seq - lru->min_seq + 1;
}

/* Empty old generations are let go while more than two remain. */
static bool drop_empty(struct mglru *lru)
{
	uint64_t before = lru->min_seq;
	while (nr_gens(lru) > MGLRU_MIN_GENS && lru->gens[slot_of(lru->min_seq)].nr_pages == 0)
		lru->min_seq++;
	return lru->min_seq != before;
}

/* Four generations are there and a fifth is due: the oldest joins the next, behind all that are
 * there: they are younger. */
static void merge_oldest(struct mglru *lru, struct lru_pages *pages)
{
	struct lru_list *list = &lru->gens[slot_of(lru->min_seq)];
	unsigned next = slot_of(lru->min_seq + 1);
	while (list->newest != LRU_NONE) {
		uint32_t entry = list->newest;
		lru_list_del(list, pages, entry);
		lru_list_add_oldest(&lru->gens[next], pages, entry, (uint8_t)(next + 1));
	}
	lru->min_seq++;
}

void mglru_age(struct mglru *lru, struct lru_pages *pages, uint32_t node, const struct lru_ops *ops,
	       void *context)
{
	ops->walk(context, node);
	if (nr_gens(lru) == MGLRU_MAX_GENS)
		merge_oldest(lru, pages);
	lru->max_seq++;
	lru->nr_walks++;
}

/* Are there too few cold pages to go on without a walk? */
static bool wants_ageing(const struct mglru *lru, uint64_t total)
{
	if (lru->min_seq + MGLRU_MIN_GENS > lru->max_seq)
		return true;
	if (lru->min_seq + MGLRU_MIN_GENS < lru->max_seq)
		return false;
	uint64_t young = lru->gens[slot_of(lru->max_seq)].nr_pages;
	uint64_t old = lru->gens[slot_of(lru->max_seq - MGLRU_MIN_GENS)].nr_pages;
	return young * MGLRU_MIN_GENS > total || old * (MGLRU_MIN_GENS + 2) < total;
}

/* How many pages this visit may scan; negative after ageing: enough for now. */
static int64_t nr_to_scan(struct mglru *lru, struct lru_pages *pages,
			  const struct lru_shrink *shrink, const struct lru_ops *ops, void *context)
{
	bool is_out_of_cold = lru->min_seq + MGLRU_MIN_GENS > lru->max_seq;
	uint64_t total = is_out_of_cold ? 0 : mglru_nr_total(lru);
	if (!wants_ageing(lru, total) || shrink->priority == LRU_DEF_PRIORITY)
		return (int64_t)(total >> shrink->priority);
	mglru_age(lru, pages, shrink->node, ops, context);
	return -1;
}

/* Taken off the oldest generation, to be looked at one by one. */
static unsigned isolate(struct mglru *lru, struct lru_pages *pages, uint32_t entries[MGLRU_BATCH])
{
	struct lru_list *list = &lru->gens[slot_of(lru->min_seq)];
	uint64_t nr_pages = 0;
	unsigned nr = 0;
	while (nr_pages < MGLRU_BATCH && list->oldest != LRU_NONE) {
		uint32_t entry = list->oldest;
		lru_list_del(list, pages, entry);
		*lru_place_of(pages, entry) = MGLRU_ISOLATED;
		nr_pages += lru_weight(pages, entry);
		entries[nr++] = entry;
	}
	return nr;
}

/* A neighbour's look may have found it young already: its bit is clear then, and it stays. */
static void evict_entry(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			uint32_t entry, const struct lru_ops *ops, void *context)
{
	bool is_young = ops->clear_young(context, entry);
	bool is_referenced = *lru_place_of(pages, entry) == MGLRU_REFERENCED;
	*lru_place_of(pages, entry) = 0;
	if (is_young || is_referenced) {
		mglru_add(lru, pages, entry, true);
		if (is_young)
			ops->look_around(context, shrink->node, entry);
		return;
	}
	int64_t won = ops->evict(context, shrink->node, entry);
	if (won < 0)
		mglru_add(lru, pages, entry, true);
	else
		shrink->nr_reclaimed += (uint64_t)won;
}

/* One batch from the oldest generation; returns how many pages were looked at. */
static uint64_t evict_batch(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			    const struct lru_ops *ops, void *context)
{
	uint32_t entries[MGLRU_BATCH];
	uint64_t scanned = 0;
	unsigned nr = nr_gens(lru) > MGLRU_MIN_GENS ? isolate(lru, pages, entries) : 0;
	for (unsigned i = 0; i < nr; i++)
		scanned += lru_weight(pages, entries[i]);
	for (unsigned i = 0; i < nr; i++)
		evict_entry(lru, pages, shrink, entries[i], ops, context);
	lru->nr_scanned += scanned;
	scanned += drop_empty(lru);
	return nr_gens(lru) == MGLRU_MIN_GENS ? 0 : scanned;
}

void mglru_shrink(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		  const struct lru_ops *ops, void *context)
{
	uint64_t scanned = shrink->nr_done;
	while (shrink->nr_reclaimed < shrink->budget_pages) {
		int64_t wanted = nr_to_scan(lru, pages, shrink, ops, context);
		if (wanted <= 0)
			break;
		uint64_t delta = evict_batch(lru, pages, shrink, ops, context);
		scanned += delta;
		if (delta == 0 || scanned >= (uint64_t)wanted ||
		    shrink->is_enough(context, shrink->node, shrink->nr_reclaimed))
			break;
	}
	shrink->nr_scanned += scanned - shrink->nr_done;
}

bool mglru_is_valid(const struct mglru *lru, const struct lru_pages *pages)
{
	if (nr_gens(lru) < MGLRU_MIN_GENS || nr_gens(lru) > MGLRU_MAX_GENS)
		return false;
	for (unsigned slot = 0; slot < MGLRU_MAX_GENS; slot++)
		if (!lru_list_is_valid(&lru->gens[slot], pages, (uint8_t)(slot + 1), UINT8_MAX))
			return false;
	return true;
}
