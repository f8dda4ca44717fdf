/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists of small numbers (folio ids), so that a record is taken out of the middle in
 * constant time.
 *
 *     list.first --> id 7 <--> id 2 <--> id 9 <-- list.last      links[id]: prev and next, 8 bytes
 *
 * The links are an array of the caller's, indexed by id; a number is in one list at most, and the
 * caller knows in which.
 */
#ifndef BERTH_MEM_IDLIST_H
#define BERTH_MEM_IDLIST_H

#include "base/types.h"

#define IDLIST_END UINT32_MAX

struct idlist_link {
	uint32_t prev, next;
};

struct idlist {
	uint32_t first, last;
};

#define IDLIST_EMPTY ((struct idlist){ IDLIST_END, IDLIST_END })

static inline void idlist_add_tail(struct idlist *list, struct idlist_link *links, uint32_t id)
{
	links[id] = (struct idlist_link){ list->last, IDLIST_END };
	*(list->last == IDLIST_END ? &list->first : &links[list->last].next) = id;
	list->last = id;
}

static inline void idlist_add_head(struct idlist *list, struct idlist_link *links, uint32_t id)
{
	links[id] = (struct idlist_link){ IDLIST_END, list->first };
	*(list->first == IDLIST_END ? &list->last : &links[list->first].prev) = id;
	list->first = id;
}

static inline void idlist_del(struct idlist *list, struct idlist_link *links, uint32_t id)
{
	struct idlist_link link = links[id];
	*(link.prev == IDLIST_END ? &list->first : &links[link.prev].next) = link.next;
	*(link.next == IDLIST_END ? &list->last : &links[link.next].prev) = link.prev;
}

/* Appends all of `from`, which is empty afterwards. */
static inline void idlist_join(struct idlist *list, struct idlist *from, struct idlist_link *links)
{
	if (from->first == IDLIST_END)
		return;
	links[from->first].prev = list->last;
	*(list->last == IDLIST_END ? &list->first : &links[list->last].next) = from->first;
	list->last = from->last;
	*from = IDLIST_EMPTY;
}

#endif
