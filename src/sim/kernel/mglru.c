/* SPDX-License-Identifier: MIT */
/* The multi-generational LRU; mglru.h has the picture and the sources. */
#include "sim/kernel/mglru.h"

#define MGLRU_MOST_MET 4096 /* MAX_LRU_BATCH */

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

static void set_home(struct lru_pages *pages, uint32_t entry, unsigned slot)
{
	uint8_t *home = lru_home_of(pages, entry);
	*home = (uint8_t)((*home & MGLRU_FLAGS) | slot);
}

static unsigned home_of(const struct lru_pages *pages, uint32_t entry)
{
	return *lru_home_of(pages, entry) & (MGLRU_MAX_GENS - 1);
}

static bool has_flags(const struct lru_pages *pages, uint32_t entry, uint8_t flags)
{
	return *lru_home_of(pages, entry) & flags;
}

static void set_flags(struct lru_pages *pages, uint32_t entry, uint8_t flags)
{
	uint8_t *home = lru_home_of(pages, entry);
	*home = (uint8_t)((*home & ~MGLRU_FLAGS) | flags);
}

void mglru_forget(struct lru_pages *pages, uint32_t entry)
{
	set_flags(pages, entry, 0);
}

/* Held by the list of that generation, on its newest or oldest end. */
static void put(struct mglru *lru, struct lru_pages *pages, uint32_t entry, unsigned slot,
		bool is_newest)
{
	uint8_t place = (uint8_t)(slot + 1);
	if (is_newest)
		lru_list_add_newest(&lru->gens[slot], pages, entry, place);
	else
		lru_list_add_oldest(&lru->gens[slot], pages, entry, place);
	set_home(pages, entry, slot);
	lru->nr_pages[slot] += lru_weight(pages, entry);
}

void mglru_add(struct mglru *lru, struct lru_pages *pages, uint32_t entry, bool is_active)
{
	bool is_youngest = is_active && (!lru->is_7_3 || has_flags(pages, entry, MGLRU_WORKINGSET));
	put(lru, pages, entry, slot_of(is_youngest ? lru->max_seq : lru->max_seq - 1), true);
}

void mglru_add_piece(struct mglru *lru, struct lru_pages *pages, uint32_t page, uint32_t folio)
{
	uint8_t place = *lru_place_of(pages, folio);
	lru_list_add_beside(&lru->gens[home_of(pages, folio)], pages, page, folio, place);
	*lru_home_of(pages, page) = *lru_home_of(pages, folio);
	lru->nr_pages[place - 1] += lru_weight(pages, page);
}

void mglru_del(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	lru->nr_pages[*lru_place_of(pages, entry) - 1] -= lru_weight(pages, entry);
	lru_list_del(&lru->gens[home_of(pages, entry)], pages, entry);
}

/* 7.3: the first time only makes a note of it, the second moves it. */
static bool is_noted_only(struct lru_pages *pages, uint32_t entry)
{
	if (has_flags(pages, entry, MGLRU_FLAGS)) {
		set_flags(pages, entry, MGLRU_WORKINGSET);
		return false;
	}
	set_flags(pages, entry, MGLRU_REFERENCED);
	return true;
}

bool mglru_is_out(const struct mglru *lru, const struct lru_pages *pages, uint32_t entry)
{
	return lru->is_7_3 && *lru_place_of(pages, entry) == MGLRU_ISOLATED;
}

/* To the youngest generation; where it is held does not change. */
static void make_youngest(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	unsigned slot = slot_of(lru->max_seq);
	uint8_t *place = lru_place_of(pages, entry);
	if (*place == MGLRU_ISOLATED)
		*place = MGLRU_FOUND;
	if (*place == slot + 1 || *place == 0 || *place > MGLRU_MAX_GENS)
		return;
	lru->nr_pages[*place - 1] -= lru_weight(pages, entry);
	lru->nr_pages[slot] += lru_weight(pages, entry);
	*place = (uint8_t)(slot + 1);
}

void mglru_activate(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	if (!lru->is_7_3 || !is_noted_only(pages, entry))
		make_youngest(lru, pages, entry);
}

void mglru_fault(struct mglru *lru, struct lru_pages *pages, uint32_t entry)
{
	if (!lru->is_7_3 || has_flags(pages, entry, MGLRU_WORKINGSET))
		make_youngest(lru, pages, entry);
	else if (!has_flags(pages, entry, MGLRU_REFERENCED))
		set_flags(pages, entry, MGLRU_REFERENCED);
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
		total += lru->nr_pages[slot_of(seq)];
	return total;
}

uint64_t mglru_nr_inactive(const struct mglru *lru)
{
	return mglru_nr_total(lru) - lru->nr_pages[slot_of(lru->max_seq)] -
	       lru->nr_pages[slot_of(lru->max_seq - 1)];
}

static uint64_t nr_gens(const struct mglru *lru)
{
	return lru->max_seq - lru->min_seq + 1;
}

/* Empty old generations are let go while more than two remain. */
static bool drop_empty(struct mglru *lru)
{
	uint64_t before = lru->min_seq;
	while (nr_gens(lru) > MGLRU_MIN_GENS && lru->gens[slot_of(lru->min_seq)].oldest == LRU_NONE)
		lru->min_seq++;
	return lru->min_seq != before;
}

/* Off the list of a generation that it has left, to the other's. */
static void sort(struct mglru *lru, struct lru_pages *pages, uint32_t entry, bool is_newest)
{
	unsigned slot = *lru_place_of(pages, entry) - 1u;
	mglru_del(lru, pages, entry);
	put(lru, pages, entry, slot, is_newest);
}

/* Four generations are there and a fifth is due: the oldest joins the next, behind all that are
 * there: they are younger. One by one from its oldest end, so that its order is turned around. */
static void merge_oldest(struct mglru *lru, struct lru_pages *pages)
{
	unsigned slot = slot_of(lru->min_seq), next = slot_of(lru->min_seq + 1);
	const struct lru_list *list = &lru->gens[slot];
	while (list->oldest != LRU_NONE) {
		uint32_t entry = list->oldest;
		if (*lru_place_of(pages, entry) == slot + 1) {
			mglru_del(lru, pages, entry);
			put(lru, pages, entry, next, false);
		} else {
			sort(lru, pages, entry, false);
		}
	}
	lru->min_seq++;
}

void mglru_age(struct mglru *lru, struct lru_pages *pages, uint32_t node, const struct lru_ops *ops,
	       void *context)
{
	ops->walk(context, node);
	lru->file_seq = lru->has_young_files ? lru->max_seq : lru->file_seq;
	lru->has_young_files = false;
	if (nr_gens(lru) == MGLRU_MAX_GENS)
		merge_oldest(lru, pages);
	lru->max_seq++;
	lru->file_seq = MAX(lru->file_seq, lru->max_seq + 1 - MGLRU_MAX_GENS);
	lru->nr_walks++;
}

/* The oldest generation of which anything can be evicted. */
static uint64_t evictable_seq(const struct mglru *lru)
{
	return lru->nr_files > 0 ? MIN(lru->min_seq, lru->file_seq) : lru->min_seq;
}

/* Are there too few cold pages to go on without a walk? */
static bool wants_ageing(const struct mglru *lru, uint64_t total)
{
	uint64_t ready = evictable_seq(lru) + MGLRU_MIN_GENS;
	if (ready != lru->max_seq)
		return ready > lru->max_seq;
	uint64_t young = lru->nr_pages[slot_of(lru->max_seq)];
	uint64_t old = lru->nr_pages[slot_of(lru->max_seq - MGLRU_MIN_GENS)];
	return young * MGLRU_MIN_GENS > total || old * (MGLRU_MIN_GENS + 2) < total;
}

/* How many pages this visit may scan; negative after ageing: enough for now. */
static int64_t nr_to_scan(struct mglru *lru, struct lru_pages *pages,
			  const struct lru_shrink *shrink, const struct lru_ops *ops, void *context)
{
	bool is_out_of_cold = evictable_seq(lru) + MGLRU_MIN_GENS > lru->max_seq;
	uint64_t total = is_out_of_cold ? 0 : mglru_nr_total(lru) + lru->nr_files;
	if (!wants_ageing(lru, total) || shrink->priority == LRU_DEF_PRIORITY)
		return (int64_t)(total >> shrink->priority);
	mglru_age(lru, pages, shrink->node, ops, context);
	return -1;
}

/* Up to 64 pages are taken off the oldest generation, to be looked at one by one; of `limit` at
 * most that are met on its list. Returns how many those were; 6.12 none, when all left that list
 * for a younger one. */
static uint64_t isolate(struct mglru *lru, struct lru_pages *pages, uint64_t limit,
			uint32_t entries[MGLRU_BATCH], unsigned *ret_nr, uint64_t *ret_pages)
{
	unsigned slot = slot_of(lru->min_seq);
	const struct lru_list *list = &lru->gens[slot];
	uint64_t nr_pages = 0, nr_met = 0, nr_sorted = 0;
	for (; nr_pages < MGLRU_BATCH && limit > 0 && list->oldest != LRU_NONE; limit--) {
		uint32_t entry = list->oldest;
		uint64_t weight = lru_weight(pages, entry);
		nr_met += weight;
		if (*lru_place_of(pages, entry) != slot + 1) {
			sort(lru, pages, entry, true);
			nr_sorted += weight;
			lru->nr_moves++;
			continue;
		}
		mglru_del(lru, pages, entry);
		*lru_place_of(pages, entry) = MGLRU_ISOLATED;
		nr_pages += weight;
		entries[(*ret_nr)++] = entry;
	}
	lru->nr_scanned += nr_pages;
	lru->nr_sorted += nr_sorted;
	*ret_pages = nr_pages;
	return lru->is_7_3 || nr_pages > 0 || limit == 0 ? nr_met : 0;
}

/* 7.3: who was found young at its turn is noted the first time, and stays; then it is counted and
 * activated, and from the third time on it is of the working set. */
static void note_use(struct lru_pages *pages, uint32_t entry)
{
	uint8_t flags = *lru_home_of(pages, entry) & MGLRU_FLAGS;
	if (flags & MGLRU_REFERENCED && flags & MGLRU_USED)
		flags = MGLRU_WORKINGSET;
	else if (flags & MGLRU_REFERENCED)
		flags |= MGLRU_USED;
	else
		flags |= MGLRU_REFERENCED;
	set_flags(pages, entry, flags);
}

/* A neighbour's look may have found it young already: its bit is clear then, and it stays. */
static void evict_entry(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			uint32_t entry, const struct lru_ops *ops, void *context)
{
	bool is_young = ops->clear_young(context, entry);
	bool is_referenced = *lru_place_of(pages, entry) == MGLRU_FOUND;
	*lru_place_of(pages, entry) = 0;
	if (is_young || is_referenced) {
		if (lru->is_7_3)
			note_use(pages, entry);
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

void mglru_add_files(struct mglru *lru, uint64_t nr_pages)
{
	if (lru->nr_files == 0)
		lru->file_seq = lru->is_7_3 ? lru->max_seq - MGLRU_MIN_GENS : lru->max_seq;
	lru->has_young_files |= lru->is_7_3;
	lru->nr_files += nr_pages;
}

static bool can_evict_files(const struct mglru *lru)
{
	return lru->nr_files > 0 && lru->file_seq + MGLRU_MIN_GENS <= lru->max_seq &&
	       (lru->is_7_3 || lru->file_seq <= lru->min_seq);
}

/* Returns how many pages of files were looked at. One that cannot go is not tried again. */
static uint64_t evict_files(struct mglru *lru, struct lru_shrink *shrink, uint64_t limit,
			    const struct lru_ops *ops, void *context)
{
	uint64_t nr = MIN(MIN(limit, MGLRU_BATCH), lru->nr_files);
	lru->nr_scanned += nr;
	shrink->nr_scanned += nr;
	if (lru->has_young_files) {
		lru->has_young_files = false;
		lru->file_seq = lru->max_seq;
		return nr;
	}
	lru->nr_files -= nr;
	for (uint64_t i = 0; i < nr; i++)
		shrink->nr_reclaimed += ops->evict(context, shrink->node, LRU_FILE) > 0;
	return nr;
}

/* One batch from the oldest generation; returns how many pages were looked at. */
static uint64_t evict_batch(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			    uint64_t limit, const struct lru_ops *ops, void *context)
{
	uint32_t entries[MGLRU_BATCH];
	uint64_t met = 0, nr_pages = 0;
	unsigned nr = 0;
	if (can_evict_files(lru))
		return evict_files(lru, shrink, limit, ops, context);
	if (lru->is_7_3)
		drop_empty(lru);
	if (nr_gens(lru) > MGLRU_MIN_GENS)
		met = isolate(lru, pages, limit, entries, &nr, &nr_pages);
	shrink->nr_scanned += nr_pages;
	for (unsigned i = 0; i < nr; i++)
		evict_entry(lru, pages, shrink, entries[i], ops, context);
	bool has_dropped = drop_empty(lru);
	if (lru->is_7_3)
		return met;
	return nr_gens(lru) == MGLRU_MIN_GENS ? 0 : met + has_dropped;
}

static void shrink_6_12(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
			const struct lru_ops *ops, void *context)
{
	uint64_t met = shrink->nr_met;
	while (shrink->nr_reclaimed < shrink->budget_pages) {
		int64_t wanted = nr_to_scan(lru, pages, shrink, ops, context);
		if (wanted <= 0)
			break;
		uint64_t delta = evict_batch(lru, pages, shrink, MGLRU_MOST_MET, ops, context);
		met += delta;
		if (delta == 0 || met >= (uint64_t)wanted ||
		    shrink->is_enough(context, shrink->node, shrink->nr_reclaimed))
			break;
	}
	shrink->nr_met = met;
}

static bool wants_ageing_early(const struct mglru *lru, uint32_t priority)
{
	uint64_t ready = evictable_seq(lru) + MGLRU_MIN_GENS;
	return ready > lru->max_seq || (priority < LRU_DEF_PRIORITY && ready == lru->max_seq);
}

/* How much there is to scan is found once, at the beginning. */
static void shrink_7_3(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		       const struct lru_ops *ops, void *context)
{
	uint64_t wanted = (mglru_nr_total(lru) + lru->nr_files) >> shrink->priority;
	uint64_t met = shrink->nr_met;
	while (met < wanted) {
		if (wants_ageing_early(lru, shrink->priority)) {
			mglru_age(lru, pages, shrink->node, ops, context);
			shrink->has_aged = true;
			if (shrink->has_time && !shrink->has_time(context, shrink->node))
				break;
		}
		uint64_t limit = MIN(wanted - met, MGLRU_BATCH);
		uint64_t delta = evict_batch(lru, pages, shrink, limit, ops, context);
		met += delta;
		if (delta == 0 || shrink->has_aged ||
		    shrink->nr_reclaimed >= shrink->budget_pages ||
		    shrink->is_enough(context, shrink->node, shrink->nr_reclaimed))
			break;
	}
	shrink->nr_met = met;
}

void mglru_shrink(struct mglru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		  const struct lru_ops *ops, void *context)
{
	if (lru->is_7_3)
		shrink_7_3(lru, pages, shrink, ops, context);
	else
		shrink_6_12(lru, pages, shrink, ops, context);
}

/* Links join, lengths add up, and each entry's home is the list that holds it. */
static bool list_is_valid(const struct lru_list *list, const struct lru_pages *pages, unsigned home,
			  uint64_t *sums)
{
	uint64_t nr_pages = 0;
	uint32_t newer = LRU_NONE, entry = list->newest;
	for (; entry != LRU_NONE; newer = entry, entry = lru_link_of(pages, entry)->older) {
		uint8_t place = *lru_place_of(pages, entry);
		if (lru_link_of(pages, entry)->newer != newer || place == 0 ||
		    place > MGLRU_MAX_GENS || home_of(pages, entry) != home)
			return false;
		nr_pages += lru_weight(pages, entry);
		sums[place - 1] += lru_weight(pages, entry);
	}
	return list->oldest == newer && list->nr_pages == nr_pages;
}

bool mglru_is_valid(const struct mglru *lru, const struct lru_pages *pages)
{
	uint64_t sums[MGLRU_MAX_GENS] = { 0 };
	if (nr_gens(lru) < MGLRU_MIN_GENS || nr_gens(lru) > MGLRU_MAX_GENS)
		return false;
	for (unsigned slot = 0; slot < MGLRU_MAX_GENS; slot++)
		if (!list_is_valid(&lru->gens[slot], pages, slot, sums))
			return false;
	for (unsigned slot = 0; slot < MGLRU_MAX_GENS; slot++)
		if (sums[slot] != lru->nr_pages[slot])
			return false;
	return true;
}
