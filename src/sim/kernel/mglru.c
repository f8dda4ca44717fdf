/* SPDX-License-Identifier: MIT */
/* The multi-generational LRU; mglru.h has the picture and the sources. */
#include "sim/kernel/mglru.h"

#include <errno.h>
#include <stdlib.h>

int mglru_pages_grow(struct mglru_pages *pages, uint32_t nr)
{
	if (nr <= pages->nr)
		return 0;
	struct mglru_link *links = realloc(pages->links, (size_t)nr * sizeof(*links));
	if (!links)
		return -ENOMEM;
	pages->links = links;
	uint8_t *gens = realloc(pages->gens, nr);
	if (!gens)
		return -ENOMEM;
	pages->gens = gens;
	for (uint32_t i = pages->nr; i < nr; i++)
		gens[i] = 0;
	pages->nr = nr;
	return 0;
}

void mglru_pages_fini(struct mglru_pages *pages)
{
	free(pages->links);
	free(pages->gens);
	*pages = (struct mglru_pages){ 0 };
}

static unsigned slot_of(uint64_t seq)
{
	return (unsigned)(seq % MGLRU_MAX_GENS);
}

void mglru_init(struct mglru *lru)
{
	*lru = (struct mglru){ .min_seq = 0, .max_seq = MGLRU_MIN_GENS + 1 };
	for (unsigned i = 0; i < MGLRU_MAX_GENS; i++)
		lru->newest[i] = lru->oldest[i] = MGLRU_NONE;
}

static void push(struct mglru *lru, struct mglru_pages *pages, uint32_t page, unsigned slot)
{
	struct mglru_link *link = &pages->links[page];
	link->newer = MGLRU_NONE;
	link->older = lru->newest[slot];
	if (lru->newest[slot] != MGLRU_NONE)
		pages->links[lru->newest[slot]].newer = page;
	else
		lru->oldest[slot] = page;
	lru->newest[slot] = page;
	lru->nr_pages[slot]++;
	pages->gens[page] = (uint8_t)(slot + 1);
}

void mglru_add(struct mglru *lru, struct mglru_pages *pages, uint32_t page, bool is_active)
{
	push(lru, pages, page, slot_of(is_active ? lru->max_seq : lru->max_seq - 1));
}

void mglru_del(struct mglru *lru, struct mglru_pages *pages, uint32_t page)
{
	const struct mglru_link *link = &pages->links[page];
	unsigned slot = pages->gens[page] - 1u;
	if (link->newer != MGLRU_NONE)
		pages->links[link->newer].older = link->older;
	else
		lru->newest[slot] = link->older;
	if (link->older != MGLRU_NONE)
		pages->links[link->older].newer = link->newer;
	else
		lru->oldest[slot] = link->newer;
	lru->nr_pages[slot]--;
	pages->gens[page] = 0;
}

void mglru_activate(struct mglru *lru, struct mglru_pages *pages, uint32_t page)
{
	unsigned slot = slot_of(lru->max_seq);
	if (pages->gens[page] == slot + 1 || pages->gens[page] == 0)
		return;
	mglru_del(lru, pages, page);
	push(lru, pages, page, slot);
}

bool mglru_is_active(const struct mglru *lru, const struct mglru_pages *pages, uint32_t page)
{
	unsigned gen = pages->gens[page];
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
	while (nr_gens(lru) > MGLRU_MIN_GENS && lru->nr_pages[slot_of(lru->min_seq)] == 0)
		lru->min_seq++;
	return lru->min_seq != before;
}

/* Four generations are there and a fifth is due: the oldest joins the next. */
static void merge_oldest(struct mglru *lru, struct mglru_pages *pages)
{
	unsigned slot = slot_of(lru->min_seq), next = slot_of(lru->min_seq + 1);
	while (lru->newest[slot] != MGLRU_NONE) {
		uint32_t page = lru->newest[slot];
		mglru_del(lru, pages, page);
		/* Behind all that are there: they are older. */
		struct mglru_link *link = &pages->links[page];
		link->older = MGLRU_NONE;
		link->newer = lru->oldest[next];
		if (lru->oldest[next] != MGLRU_NONE)
			pages->links[lru->oldest[next]].older = page;
		else
			lru->newest[next] = page;
		lru->oldest[next] = page;
		lru->nr_pages[next]++;
		pages->gens[page] = (uint8_t)(next + 1);
	}
	lru->min_seq++;
}

void mglru_age(struct mglru *lru, struct mglru_pages *pages, uint32_t node,
	       const struct mglru_ops *ops, void *context)
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
	uint64_t young = lru->nr_pages[slot_of(lru->max_seq)];
	uint64_t old = lru->nr_pages[slot_of(lru->max_seq - MGLRU_MIN_GENS)];
	return young * MGLRU_MIN_GENS > total || old * (MGLRU_MIN_GENS + 2) < total;
}

/* How many pages this visit may scan; negative after ageing: enough for now. */
static int64_t nr_to_scan(struct mglru *lru, struct mglru_pages *pages,
			  const struct mglru_shrink *shrink, const struct mglru_ops *ops,
			  void *context)
{
	bool is_out_of_cold = lru->min_seq + MGLRU_MIN_GENS > lru->max_seq;
	uint64_t total = is_out_of_cold ? 0 : mglru_nr_total(lru);
	if (!wants_ageing(lru, total) || shrink->priority == MGLRU_DEF_PRIORITY)
		return (int64_t)(total >> shrink->priority);
	mglru_age(lru, pages, shrink->node, ops, context);
	return -1;
}

static void evict_page(struct mglru *lru, struct mglru_pages *pages, struct mglru_shrink *shrink,
		       uint32_t page, const struct mglru_ops *ops, void *context)
{
	mglru_del(lru, pages, page);
	lru->nr_scanned++;
	if (ops->clear_young(context, page)) {
		mglru_add(lru, pages, page, true);
		ops->look_around(context, shrink->node, page);
	} else if (ops->evict(context, shrink->node, page)) {
		shrink->nr_reclaimed++;
	} else {
		mglru_add(lru, pages, page, true);
	}
}

/* One batch from the oldest generation; returns how many were looked at. */
static uint64_t evict_batch(struct mglru *lru, struct mglru_pages *pages,
			    struct mglru_shrink *shrink, const struct mglru_ops *ops, void *context)
{
	uint64_t scanned = 0;
	if (nr_gens(lru) > MGLRU_MIN_GENS) {
		unsigned slot = slot_of(lru->min_seq);
		for (; scanned < MGLRU_BATCH && lru->oldest[slot] != MGLRU_NONE; scanned++)
			evict_page(lru, pages, shrink, lru->oldest[slot], ops, context);
	}
	scanned += drop_empty(lru);
	return nr_gens(lru) == MGLRU_MIN_GENS ? 0 : scanned;
}

void mglru_shrink(struct mglru *lru, struct mglru_pages *pages, struct mglru_shrink *shrink,
		  const struct mglru_ops *ops, void *context)
{
	uint64_t scanned = 0;
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
	shrink->nr_scanned += scanned;
}

bool mglru_is_valid(const struct mglru *lru, const struct mglru_pages *pages)
{
	if (nr_gens(lru) < MGLRU_MIN_GENS || nr_gens(lru) > MGLRU_MAX_GENS)
		return false;
	for (unsigned slot = 0; slot < MGLRU_MAX_GENS; slot++) {
		uint64_t nr = 0;
		uint32_t newer = MGLRU_NONE;
		for (uint32_t page = lru->newest[slot]; page != MGLRU_NONE;
		     page = pages->links[page].older, nr++) {
			if (nr > pages->nr || page >= pages->nr || pages->gens[page] != slot + 1 ||
			    pages->links[page].newer != newer)
				return false;
			newer = page;
		}
		if (lru->oldest[slot] != newer || nr != lru->nr_pages[slot])
			return false;
	}
	return true;
}
