/* SPDX-License-Identifier: MIT */
/* One of two kinds of LRU; lru.h says more. */
#include "sim/kernel/lru.h"

void lru_init(struct lru *lru, enum lru_kind kind, uint32_t page_bytes)
{
	lru->is_gen = kind != LRU_TWO_LISTS;
	mglru_init(&lru->gen);
	lru->gen.is_7_3 = kind == LRU_GEN_7_3;
	twolist_init(&lru->two, page_bytes);
}

void lru_forget(struct lru_pages *pages, uint32_t entry)
{
	mglru_forget(pages, entry);
}

bool lru_is_out(const struct lru *lru, const struct lru_pages *pages, uint32_t entry)
{
	return lru->is_gen && mglru_is_out(&lru->gen, pages, entry);
}

void lru_add(struct lru *lru, struct lru_pages *pages, uint32_t entry, bool is_active)
{
	if (lru->is_gen)
		mglru_add(&lru->gen, pages, entry, is_active);
	else
		twolist_add(&lru->two, pages, entry, is_active);
}

bool lru_is_listed(const struct lru_pages *pages, uint32_t entry)
{
	return *lru_place_of(pages, entry) != 0;
}

void lru_del(struct lru *lru, struct lru_pages *pages, uint32_t entry)
{
	if (lru->is_gen)
		mglru_del(&lru->gen, pages, entry);
	else
		twolist_del(&lru->two, pages, entry);
}

bool lru_is_active(const struct lru *lru, const struct lru_pages *pages, uint32_t entry)
{
	return lru->is_gen ? mglru_is_active(&lru->gen, pages, entry)
			   : twolist_is_active(pages, entry);
}

void lru_move(struct lru *from, struct lru *to, struct lru_pages *pages, uint32_t entry)
{
	bool is_active = lru_is_active(from, pages, entry);
	bool is_marked = !from->is_gen && twolist_is_marked(pages, entry);
	lru_del(from, pages, entry);
	lru_add(to, pages, entry, is_active);
	if (is_marked)
		twolist_mark(pages, entry);
}

void lru_add_piece(struct lru *lru, struct lru_pages *pages, uint32_t page, uint32_t folio)
{
	uint8_t place = *lru_place_of(pages, folio);
	struct lru_list *list = twolist_is_active(pages, folio) ? &lru->two.active
								: &lru->two.inactive;
	if (lru->is_gen)
		mglru_add_piece(&lru->gen, pages, page, folio);
	else
		lru_list_add_beside(list, pages, page, folio, place);
}

void lru_activate(struct lru *lru, struct lru_pages *pages, uint32_t entry)
{
	if (lru->is_gen)
		mglru_activate(&lru->gen, pages, entry);
}

void lru_fault(struct lru *lru, struct lru_pages *pages, uint32_t entry)
{
	if (lru->is_gen)
		mglru_fault(&lru->gen, pages, entry);
}

uint64_t lru_nr_inactive(const struct lru *lru)
{
	return lru->is_gen ? mglru_nr_inactive(&lru->gen) : lru->two.inactive.nr_pages;
}

uint64_t lru_nr_total(const struct lru *lru)
{
	return lru->is_gen ? mglru_nr_total(&lru->gen)
			   : lru->two.inactive.nr_pages + lru->two.active.nr_pages;
}

uint64_t lru_nr_scanned(const struct lru *lru)
{
	return lru->is_gen ? lru->gen.nr_scanned : lru->two.nr_scanned;
}

uint64_t lru_nr_moves(const struct lru *lru)
{
	return lru->is_gen ? lru->gen.nr_moves : 0;
}

void lru_shrink(struct lru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		const struct lru_ops *ops, void *context)
{
	if (lru->is_gen)
		mglru_shrink(&lru->gen, pages, shrink, ops, context);
	else
		twolist_shrink(&lru->two, pages, shrink, ops, context);
}

bool lru_is_valid(const struct lru *lru, const struct lru_pages *pages)
{
	return lru->is_gen ? mglru_is_valid(&lru->gen, pages) : twolist_is_valid(&lru->two, pages);
}
