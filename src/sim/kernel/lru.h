/* SPDX-License-Identifier: MIT */
/*
 * The LRU of one node: whichever of the two the kernel was told to use (lru_gen). The rest of the
 * model sees only this.
 */
#ifndef BERTH_SIM_KERNEL_LRU_H
#define BERTH_SIM_KERNEL_LRU_H

#include "sim/kernel/mglru.h"
#include "sim/kernel/twolist.h"

enum lru_kind { LRU_TWO_LISTS, LRU_GEN, LRU_GEN_7_3 };

struct lru {
	bool is_gen;
	struct mglru gen;
	struct twolist two;
};

void lru_init(struct lru *lru, enum lru_kind kind, uint32_t page_bytes);
void lru_add(struct lru *lru, struct lru_pages *pages, uint32_t entry, bool is_active);
/* A new page or folio has this number. */
void lru_forget(struct lru_pages *pages, uint32_t entry);
/* Reclaim has it in hand and nobody else may clear its young bit. */
bool lru_is_out(const struct lru *lru, const struct lru_pages *pages, uint32_t entry);
/* On a list of some node? */
bool lru_is_listed(const struct lru_pages *pages, uint32_t entry);
void lru_del(struct lru *lru, struct lru_pages *pages, uint32_t entry);
bool lru_is_active(const struct lru *lru, const struct lru_pages *pages, uint32_t entry);
/* From the lists of one node to those of another: active or not as before, and marked or not. */
void lru_move(struct lru *from, struct lru *to, struct lru_pages *pages, uint32_t entry);
/* A page of a large folio that is split: on the list and at the place where the folio is. */
void lru_add_piece(struct lru *lru, struct lru_pages *pages, uint32_t page, uint32_t folio);
/* A walk of page tables found it young: the generations' business. */
void lru_activate(struct lru *lru, struct lru_pages *pages, uint32_t entry);
/* A fault brought it in or back; it is on the lists. */
void lru_fault(struct lru *lru, struct lru_pages *pages, uint32_t entry);
/* For kswapd's first priority; only the generations choose one. */
uint64_t lru_nr_inactive(const struct lru *lru);
uint64_t lru_nr_total(const struct lru *lru);
uint64_t lru_nr_scanned(const struct lru *lru);
/* Entries that it put from one list on another as it came across them. */
uint64_t lru_nr_moves(const struct lru *lru);
void lru_shrink(struct lru *lru, struct lru_pages *pages, struct lru_shrink *shrink,
		const struct lru_ops *ops, void *context);
bool lru_is_valid(const struct lru *lru, const struct lru_pages *pages);

#endif
