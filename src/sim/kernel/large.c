/* SPDX-License-Identifier: MIT */
/* The book of large folios; large.h has the picture. */
#include "sim/kernel/large.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int large_init(struct large_table *table)
{
	*table = (struct large_table){ .free = LARGE_NONE };
	return pagemap_init(&table->blocks);
}

void large_fini(struct large_table *table)
{
	for (uint32_t i = 0; i < table->nr; i++)
		free(table->folios[i]);
	free(table->folios);
	free(table->of);
	pagemap_fini(&table->blocks);
	*table = (struct large_table){ .free = LARGE_NONE };
}

int large_grow(struct large_table *table, uint32_t nr_pages)
{
	uint32_t *of = realloc(table->of, (size_t)nr_pages * sizeof(*of));
	if (!of)
		return -ENOMEM;
	table->of = of;
	table->nr_pages = nr_pages;
	return 0;
}

uint32_t large_at(const struct large_table *table, uint32_t space, uint64_t page)
{
	return pagemap_find(&table->blocks, space, page / LARGE_PAGES);
}

struct large_folio *large_folio(const struct large_table *table, uint32_t id)
{
	return table->folios[id];
}

int large_mark_small(struct large_table *table, uint32_t space, uint64_t page)
{
	return pagemap_set(&table->blocks, space, page / LARGE_PAGES, LARGE_SMALL);
}

static int forget(void *context, uint64_t block, uint32_t number)
{
	(void)context;
	(void)block;
	(void)number;
	return 0;
}

int large_forget_small(struct large_table *table, uint32_t space, uint64_t page, uint64_t nr_pages)
{
	uint64_t end = page + MIN(nr_pages, UINT64_MAX - page);
	uint64_t first = page / LARGE_PAGES + (page % LARGE_PAGES != 0);
	uint64_t last = end / LARGE_PAGES;
	return last <= first ? 0
			     : pagemap_take_range(&table->blocks, space, first, last - first,
						  forget, NULL);
}

static int make_room(struct large_table *table)
{
	if (table->free != LARGE_NONE)
		return 0;
	if (table->nr == table->max) {
		uint32_t max = table->max ? table->max * 2 : 16;
		struct large_folio **folios = realloc(table->folios, max * sizeof(*folios));
		if (!folios)
			return -ENOMEM;
		table->folios = folios;
		table->max = max;
	}
	if (table->nr == LARGE_MAX)
		return -ENOMEM;
	struct large_folio *folio = malloc(sizeof(*folio));
	if (!folio)
		return -ENOMEM;
	folio->is_used = false;
	folio->next = LARGE_NONE;
	table->folios[table->nr] = folio;
	table->free = table->nr++;
	return 0;
}

int large_new(struct large_table *table, uint32_t space, uint64_t page, uint32_t node,
	      uint32_t *ret)
{
	if (make_room(table) || pagemap_set(&table->blocks, space, page / LARGE_PAGES, table->free))
		return -ENOMEM;
	uint32_t id = table->free;
	struct large_folio *folio = table->folios[id];
	table->free = folio->next;
	*folio = (struct large_folio){ .block = page / LARGE_PAGES,
				       .space = space,
				       .next = LARGE_NONE,
				       .previous = LARGE_NONE,
				       .node = (uint16_t)node,
				       .nr_mapped = LARGE_PAGES,
				       .is_used = true,
				       .has_block = true,
				       .is_pmd = true };
	memset(folio->pages, 0xff, sizeof(folio->pages));
	memset(folio->mapped, 0xff, sizeof(folio->mapped));
	table->nr_used++;
	*ret = id;
	return 0;
}

void large_free(struct large_table *table, uint32_t id)
{
	struct large_folio *folio = table->folios[id];
	if (folio->has_block)
		pagemap_take(&table->blocks, folio->space, folio->block);
	folio->is_used = folio->has_block = false;
	folio->next = table->free;
	table->free = id;
	table->nr_used--;
}

int large_drop_block(struct large_table *table, uint32_t id, bool is_small)
{
	struct large_folio *folio = table->folios[id];
	if (!folio->has_block)
		return 0;
	pagemap_take(&table->blocks, folio->space, folio->block);
	folio->has_block = false;
	return is_small ? pagemap_set(&table->blocks, folio->space, folio->block, LARGE_SMALL) : 0;
}

int large_set_block(struct large_table *table, uint32_t id, uint64_t page)
{
	struct large_folio *folio = table->folios[id];
	if (pagemap_set(&table->blocks, folio->space, page / LARGE_PAGES, id))
		return -ENOMEM;
	folio->block = page / LARGE_PAGES;
	folio->has_block = true;
	return 0;
}

bool large_is_mapped(const struct large_folio *folio, uint64_t page)
{
	uint32_t at = page % LARGE_PAGES;
	return folio->mapped[at / 64] >> (at % 64) & 1;
}

uint32_t large_unmap(struct large_folio *folio, uint32_t from, uint32_t to)
{
	uint32_t nr = 0;
	for (uint32_t at = from; at < to; at++) {
		nr += large_is_mapped(folio, at);
		folio->mapped[at / 64] &= ~((uint64_t)1 << (at % 64));
	}
	folio->nr_mapped -= (uint16_t)nr;
	return nr;
}

void large_enter(struct large_table *table, uint32_t id, uint64_t page, uint32_t number)
{
	struct large_folio *folio = table->folios[id];
	uint32_t at = page % LARGE_PAGES;
	folio->pages[at] = number;
	folio->nr_touched++;
	table->nr_touched++;
	table->of[number] = id * LARGE_PAGES + at;
}

void large_leave(struct large_table *table, uint32_t number)
{
	struct large_folio *folio = table->folios[large_of(table, number)];
	folio->pages[table->of[number] % LARGE_PAGES] = LARGE_NONE;
	folio->nr_touched--;
	table->nr_touched--;
}

void large_queue_init(struct large_queue *queue)
{
	*queue = (struct large_queue){ LARGE_NONE, LARGE_NONE, 0 };
}

void large_queue_add(struct large_queue *queue, struct large_table *table, uint32_t id)
{
	struct large_folio *folio = table->folios[id];
	folio->previous = queue->newest;
	folio->next = LARGE_NONE;
	if (queue->newest != LARGE_NONE)
		table->folios[queue->newest]->next = id;
	else
		queue->oldest = id;
	queue->newest = id;
	queue->nr++;
	folio->is_queued = true;
}

void large_queue_del(struct large_queue *queue, struct large_table *table, uint32_t id)
{
	struct large_folio *folio = table->folios[id];
	if (folio->previous != LARGE_NONE)
		table->folios[folio->previous]->next = folio->next;
	else
		queue->oldest = folio->next;
	if (folio->next != LARGE_NONE)
		table->folios[folio->next]->previous = folio->previous;
	else
		queue->newest = folio->previous;
	queue->nr--;
	folio->is_queued = false;
}

static bool folio_is_valid(const struct large_table *table, uint32_t id)
{
	const struct large_folio *folio = table->folios[id];
	uint32_t nr_touched = 0, nr_mapped = 0;
	for (uint32_t at = 0; at < LARGE_PAGES; at++) {
		uint32_t number = folio->pages[at];
		nr_mapped += large_is_mapped(folio, at);
		if (number == LARGE_NONE)
			continue;
		nr_touched++;
		if (number >= table->nr_pages || table->of[number] != id * LARGE_PAGES + at)
			return false;
	}
	uint32_t found = pagemap_find(&table->blocks, folio->space, folio->block);
	return nr_touched == folio->nr_touched && nr_mapped == folio->nr_mapped &&
	       (found == id) == folio->has_block && (nr_mapped || nr_touched) &&
	       (!folio->is_pmd || nr_mapped == LARGE_PAGES);
}

bool large_is_valid(const struct large_table *table)
{
	uint64_t nr_used = 0, nr_touched = 0;
	for (uint32_t i = 0; i < table->nr; i++) {
		if (!table->folios[i]->is_used)
			continue;
		nr_used++;
		nr_touched += table->folios[i]->nr_touched;
		if (!folio_is_valid(table, i))
			return false;
	}
	return nr_used == table->nr_used && nr_touched == table->nr_touched &&
	       pagemap_is_valid(&table->blocks);
}
