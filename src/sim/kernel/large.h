/* SPDX-License-Identifier: MIT */
/*
 * Large folios: the book of them. Which 2 MiB blocks of address space are mapped by one, which of
 * its pages are mapped still, and which have page numbers because they were touched.
 *
 *     blocks: (space, page / 512) --> none | LARGE_SMALL: a page table maps it | number of a folio
 *
 *     folio   pages[512]   number of each page that was touched, or LARGE_NONE
 *             mapped       a bit per page; all of them until a part is unmapped
 *             queue        links of the deferred split queue, when a part was
 *
 *     of[page number] = folio x 512 + place in it
 *
 * A folio without its block is on its way out: unmapped, but with pages that are still to be freed.
 * Bookkeeping only: what the kernel does with it is linux_large.c. The rest of the model never sees
 * this when huge pages are off, and then it takes no memory.
 *
 * Cost: O(1) to find, enter and leave; O(512) to split or to end. 2.2 KiB per folio (4.3 bytes per
 * page of it) and 4 bytes per page number.
 */
#ifndef BERTH_SIM_KERNEL_LARGE_H
#define BERTH_SIM_KERNEL_LARGE_H

#include "sim/pagemap.h"

#define LARGE_ORDER 9
#define LARGE_PAGES (1u << LARGE_ORDER)
#define LARGE_NONE  UINT32_MAX
#define LARGE_SMALL (UINT32_MAX - 1)
#define LARGE_MAX   (1u << 22) /* folios: 8 TiB */

struct large_folio {
	uint64_t block;
	uint32_t space;
	uint32_t next, previous; /* in the queue; `next` also links free numbers */
	uint16_t node;
	uint16_t nr_touched, nr_mapped;
	uint32_t armed_ms;
	bool is_used;
	bool has_block; /* blocks[] leads here */
	bool is_pmd;	/* mapped by one entry; else by a page table */
	bool is_queued; /* partly unmapped */
	bool is_armed;	/* for a hint fault */
	bool was_dirty; /* a page that left was */
	uint32_t pages[LARGE_PAGES];
	uint64_t mapped[LARGE_PAGES / 64];
};

struct large_queue { /* oldest first */
	uint32_t oldest, newest;
	uint64_t nr;
};

struct large_table {
	struct large_folio **folios;
	uint32_t nr, max, free;
	uint64_t nr_used, nr_touched;
	struct pagemap blocks;
	uint32_t *of; /* [page number]; only of pages with an order */
	uint32_t nr_pages;
};

int large_init(struct large_table *table);
void large_fini(struct large_table *table);
int large_grow(struct large_table *table, uint32_t nr_pages);

/* The number of a folio, LARGE_SMALL or LARGE_NONE. */
uint32_t large_at(const struct large_table *table, uint32_t space, uint64_t page);
struct large_folio *large_folio(const struct large_table *table, uint32_t id);
static inline uint32_t large_of(const struct large_table *table, uint32_t page)
{
	return table->of[page] / LARGE_PAGES;
}

/* The block is mapped page by page from now on. -ENOMEM. */
int large_mark_small(struct large_table *table, uint32_t space, uint64_t page);
/* Forgets marks of the blocks that lie wholly in [page, page + nr_pages). -ENOMEM. */
int large_forget_small(struct large_table *table, uint32_t space, uint64_t page, uint64_t nr_pages);
/* A folio for the block of `page`, which must have none and no mark; all mapped, none touched. */
int large_new(struct large_table *table, uint32_t space, uint64_t page, uint32_t node,
	      uint32_t *ret);
/* It has no pages that were touched, and is in no queue. */
void large_free(struct large_table *table, uint32_t id);
/* Takes the block from the folio; `is_small`: it is mapped page by page then. -ENOMEM. */
int large_drop_block(struct large_table *table, uint32_t id, bool is_small);
/* mremap of the whole: -ENOMEM. The new block must have neither folio nor mark. */
int large_set_block(struct large_table *table, uint32_t id, uint64_t page);

bool large_is_mapped(const struct large_folio *folio, uint64_t page);
/* Pages [from, to) of the folio are mapped no more. Returns how many were. */
uint32_t large_unmap(struct large_folio *folio, uint32_t from, uint32_t to);
/* A page of it gets, or loses, its number. */
void large_enter(struct large_table *table, uint32_t id, uint64_t page, uint32_t number);
void large_leave(struct large_table *table, uint32_t number);

void large_queue_init(struct large_queue *queue);
void large_queue_add(struct large_queue *queue, struct large_table *table, uint32_t id);
void large_queue_del(struct large_queue *queue, struct large_table *table, uint32_t id);

/* Walks everything. */
bool large_is_valid(const struct large_table *table);

#endif
