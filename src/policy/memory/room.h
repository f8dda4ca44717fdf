/* SPDX-License-Identifier: MIT */
/* What policies that know two kinds of memory, fast and slow, ask of a view. Fast is the machine's
 * first tier; slow is all the rest. */
#ifndef BERTH_POLICY_MEMORY_ROOM_H
#define BERTH_POLICY_MEMORY_ROOM_H

#include "policy/policy.h"

static inline bool room_is_fast(const struct machine *machine, uint32_t node)
{
	return node < machine->nr_nodes && machine->nodes[node].tier == 0;
}

/* Free pages of a fast node when what is on its way has come: what leaves it comes to slow ones. */
static inline uint64_t room_free_soon(const struct machine *machine, const struct policy_view *view,
				      uint32_t fast)
{
	uint64_t free_pages = view->nodes[fast].free_pages;
	for (uint32_t i = 0; i < view->nr_nodes; i++)
		if (!room_is_fast(machine, i))
			free_pages += view->nodes[i].coming_pages;
	return free_pages - MIN(free_pages, view->nodes[fast].coming_pages);
}

/* The node of that kind with most free pages; view->nr_nodes when none has memory. */
static inline uint32_t room_roomiest(const struct machine *machine, const struct policy_view *view,
				     bool fast)
{
	uint32_t best = view->nr_nodes;
	for (uint32_t i = 0; i < view->nr_nodes; i++) {
		if (view->nodes[i].capacity_pages == 0 || room_is_fast(machine, i) != fast)
			continue;
		if (best == view->nr_nodes ||
		    view->nodes[i].free_pages > view->nodes[best].free_pages)
			best = i;
	}
	return best;
}

struct room {
	uint32_t fast, slow;	       /* the node of each kind with most free pages */
	uint64_t fast_pages;	       /* capacity of all fast nodes together */
	uint64_t fast_free, slow_free; /* of these two nodes, as moves may use it */
	uint64_t births;	       /* new pages that `fast` takes before they go elsewhere */
};

static inline uint64_t room_above(uint64_t free_pages, uint64_t mark)
{
	return free_pages > mark ? free_pages - mark : 0;
}

/* False when the machine has memory of one kind only, so that there is nothing to decide. */
static inline bool room_look(const struct machine *machine, const struct policy_view *view,
			     struct room *ret)
{
	struct room room = { .fast = room_roomiest(machine, view, true),
			     .slow = room_roomiest(machine, view, false) };
	for (uint32_t i = 0; i < view->nr_nodes; i++)
		room.fast_pages += room_is_fast(machine, i) ? view->nodes[i].capacity_pages : 0;
	if (room.fast >= view->nr_nodes || room.slow >= view->nr_nodes)
		return false;
	const struct policy_node *fast = &view->nodes[room.fast], *slow = &view->nodes[room.slow];
	room.fast_free = room_above(fast->free_pages, fast->min_pages);
	room.slow_free = room_above(slow->free_pages, slow->min_pages);
	room.births = room_above(fast->free_pages, fast->low_pages);
	*ret = room;
	return true;
}

#endif
