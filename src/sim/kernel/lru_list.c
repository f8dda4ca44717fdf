/* SPDX-License-Identifier: MIT */
/* Lists of folios; lru_list.h has the picture. */
#include "sim/kernel/lru_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct lru_entries *entries, uint32_t nr)
{
	if (nr <= entries->nr)
		return 0;
	if (nr >= LRU_LARGE)
		return -ENOMEM;
	struct lru_link *links = realloc(entries->links, (size_t)nr * sizeof(*links));
	if (!links)
		return -ENOMEM;
	entries->links = links;
	uint8_t *places = realloc(entries->places, nr);
	if (!places)
		return -ENOMEM;
	entries->places = places;
	uint8_t *homes = realloc(entries->homes, nr);
	if (!homes)
		return -ENOMEM;
	entries->homes = homes;
	memset(homes + entries->nr, 0, nr - entries->nr);
	memset(places + entries->nr, 0, nr - entries->nr);
	entries->nr = nr;
	return 0;
}

int lru_pages_grow(struct lru_pages *pages, uint32_t nr)
{
	return grow(&pages->small, nr);
}

int lru_pages_grow_large(struct lru_pages *pages, uint32_t nr)
{
	return grow(&pages->large, nr);
}

void lru_pages_fini(struct lru_pages *pages)
{
	free(pages->small.links);
	free(pages->small.places);
	free(pages->small.homes);
	free(pages->large.links);
	free(pages->large.places);
	free(pages->large.homes);
	*pages = (struct lru_pages){ 0 };
}

void lru_list_init(struct lru_list *list)
{
	*list = (struct lru_list){ LRU_NONE, LRU_NONE, 0 };
}

static void count_in(struct lru_list *list, struct lru_pages *pages, uint32_t entry, uint8_t place)
{
	list->nr_pages += lru_weight(pages, entry);
	*lru_place_of(pages, entry) = place;
	pages->nr_entries++;
	pages->peak_entries = MAX(pages->peak_entries, pages->nr_entries);
}

void lru_list_add_newest(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint8_t place)
{
	*lru_link_of(pages, entry) = (struct lru_link){ LRU_NONE, list->newest };
	if (list->newest != LRU_NONE)
		lru_link_of(pages, list->newest)->newer = entry;
	else
		list->oldest = entry;
	list->newest = entry;
	count_in(list, pages, entry, place);
}

void lru_list_add_oldest(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint8_t place)
{
	*lru_link_of(pages, entry) = (struct lru_link){ list->oldest, LRU_NONE };
	if (list->oldest != LRU_NONE)
		lru_link_of(pages, list->oldest)->older = entry;
	else
		list->newest = entry;
	list->oldest = entry;
	count_in(list, pages, entry, place);
}

void lru_list_add_beside(struct lru_list *list, struct lru_pages *pages, uint32_t entry,
			 uint32_t beside, uint8_t place)
{
	struct lru_link *old = lru_link_of(pages, beside);
	if (old->newer == LRU_NONE) {
		lru_list_add_newest(list, pages, entry, place);
		return;
	}
	*lru_link_of(pages, entry) = (struct lru_link){ old->newer, beside };
	lru_link_of(pages, old->newer)->older = entry;
	old->newer = entry;
	count_in(list, pages, entry, place);
}

void lru_list_del(struct lru_list *list, struct lru_pages *pages, uint32_t entry)
{
	const struct lru_link *link = lru_link_of(pages, entry);
	if (link->newer != LRU_NONE)
		lru_link_of(pages, link->newer)->older = link->older;
	else
		list->newest = link->older;
	if (link->older != LRU_NONE)
		lru_link_of(pages, link->older)->newer = link->newer;
	else
		list->oldest = link->newer;
	list->nr_pages -= lru_weight(pages, entry);
	*lru_place_of(pages, entry) = 0;
	pages->nr_entries--;
}

static bool is_entry(const struct lru_pages *pages, uint32_t entry)
{
	return (entry & LRU_LARGE) ? (entry & ~LRU_LARGE) < pages->large.nr
				   : entry < pages->small.nr;
}

bool lru_list_is_valid(const struct lru_list *list, const struct lru_pages *pages, uint8_t place,
		       uint8_t mask)
{
	uint64_t nr = 0, weight = 0;
	uint32_t newer = LRU_NONE;
	for (uint32_t entry = list->newest; entry != LRU_NONE; nr++) {
		if (nr > pages->nr_entries || !is_entry(pages, entry) ||
		    (*lru_place_of(pages, entry) & mask) != place ||
		    lru_link_of(pages, entry)->newer != newer)
			return false;
		weight += lru_weight(pages, entry);
		newer = entry;
		entry = lru_link_of(pages, entry)->older;
	}
	return list->oldest == newer && weight == list->nr_pages;
}
