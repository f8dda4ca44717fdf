/* SPDX-License-Identifier: MIT */
/*
 * berth: the most valued of slow memory in order.
 *
 *     found by the sweep, or used in this round --> heap --> ahead --> tried, one by one
 *                                                            (peeked at where a large folio makes
 *                                                             room for many)
 *
 * Candidates are a heap and not sorted: after a few that do not pay nobody asks for the rest, which
 * is most of them. What looking for victims finds meanwhile is behind the heap, for nobody.
 *
 * Cost: two comparisons per candidate, at most 65,536 of them, and 32 per candidate that is tried.
 */
#include <string.h>

#include "policy/memory/berth_state.h"

/* What is moved for it must be earned, by each page its share. */
void berth_add_candidate(struct berth *berth, const struct unit *unit)
{
	bool is_page = unit->nr_pages == 1 && !unit->is_split;
	uint64_t worth = unit->worth[LONG] / unit->nr_pages;
	uint64_t extra = berth_surcharge(berth, unit->id);
	uint64_t least = is_page ? berth->promote_ps
				 : berth_cost_of_unit(berth, unit, berth->promote_ps) /
					   unit->nr_pages;
	if (berth->nr_candidates == CANDIDATES_MAX || worth <= extra + least)
		return;
	berth->candidates[berth->nr_candidates++] = (struct candidate){ worth - extra, unit->id,
									unit->is_split };
	berth->nr_waiting += unit->nr_pages;
}

static bool is_before(const struct candidate *left, const struct candidate *right)
{
	return left->worth != right->worth ? left->worth > right->worth : left->id < right->id;
}

/* Of a heap, the most valued on top: that at `at` sinks to where it belongs. */
static void sink(struct candidate *heap, uint32_t nr, uint32_t at)
{
	struct candidate sinking = heap[at];
	for (uint32_t child = 2 * at + 1; child < nr; child = 2 * at + 1) {
		if (child + 1 < nr && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &sinking))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = sinking;
}

static struct candidate pop(struct candidate *heap, uint32_t *nr)
{
	struct candidate top = heap[0];
	heap[0] = heap[--*nr];
	if (*nr > 0)
		sink(heap, *nr, 0);
	return top;
}

void berth_gather(struct berth *berth)
{
	for (uint32_t i = 0; i < berth->nr_touched; i++) {
		uint32_t id = berth->touched[i];
		if (!folio_is_used(berth->table, id) || berth_is_held(berth, id))
			continue;
		struct unit unit = berth_unit_of(berth, id);
		if (!berth_is_first_look(berth, &unit) || !berth_is_above_chance(berth, &unit))
			continue;
		berth_choose_part(berth, &unit);
		berth_add_candidate(berth, &unit);
	}
	berth->nr_heap = berth->nr_candidates;
	berth->nr_ahead = berth->ahead_at = 0;
	for (uint32_t at = berth->nr_heap / 2; at-- > 0;)
		sink(berth->candidates, berth->nr_heap, at);
}

bool berth_next_candidate(struct berth *berth, struct candidate *ret)
{
	if (berth->ahead_at < berth->nr_ahead) {
		*ret = berth->ahead[berth->ahead_at++];
		return true;
	}
	if (berth->nr_heap == 0)
		return false;
	*ret = pop(berth->candidates, &berth->nr_heap);
	return true;
}

const struct candidate *berth_look_ahead(struct berth *berth, uint32_t i)
{
	if (i >= AHEAD_MAX)
		return NULL;
	if (berth->ahead_at > 0) {
		berth->nr_ahead -= berth->ahead_at;
		memmove(berth->ahead, berth->ahead + berth->ahead_at,
			berth->nr_ahead * sizeof(*berth->ahead));
		berth->ahead_at = 0;
	}
	while (berth->nr_ahead <= i && berth->nr_heap > 0)
		berth->ahead[berth->nr_ahead++] = pop(berth->candidates, &berth->nr_heap);
	return i < berth->nr_ahead ? &berth->ahead[i] : NULL;
}
