/* SPDX-License-Identifier: MIT */
/*
 * berth: where the fast node is the slower one under load, its hottest pages are better off in slow
 * memory.
 *
 *     latency     fast, with its queue  400 ns  |  slow 250 ns
 *     used in this round, of fast memory --> most valued first --> out, a sixteenth of them, where
 *                                                                  that saves more than the move
 *
 * What a page saves is its misses times the difference of latencies, whichever side is faster: so
 * pages stop going either way before the two are equal, and nothing swings. The latencies are means
 * over 32 ticks; what was pushed out shows in them only after as many, and until then no more goes.
 *
 * Follows Colloid (Vuppalapati, Agarwal: SOSP'24): balance latencies under load, not the use of
 * tiers. It finds how much to move by bisection; here it is a sixteenth at a time.
 *
 * Cost: nothing but a note per used page of fast memory, unless that is slower; 16 KiB.
 */
#include "policy/memory/berth_state.h"

#define PUSH_PART 16

/* When there are too many, any of them: not always those of the lowest addresses. */
void berth_note_crowd(struct berth *berth, uint32_t id)
{
	uint64_t at = berth->nr_crowd++;
	if (at >= CROWD_MAX)
		at = (uint64_t)((id ^ berth->now << 16) * 0x9e3779b1u) * (at + 1) >> 32;
	if (at < CROWD_MAX)
		berth->crowd[at] = id;
}

/* The unit that gains most by leaving, of those that may leave and gain more than their move
 * costs. */
static bool find_hottest(struct berth *berth, const struct policy_view *view, struct unit *ret)
{
	uint32_t nr = (uint32_t)MIN(berth->nr_crowd, CROWD_MAX);
	uint64_t most = 0;
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t id = berth->crowd[i];
		if (!folio_is_used(berth->table, id) || berth_is_held(berth, id))
			continue;
		const struct folio *folio = folio_get(berth->table, id);
		uint32_t job = berth_job_of(view, folio);
		struct unit unit = berth_unit_of(berth, id);
		if (!room_is_fast(berth->machine, folio->node) || view->jobs[job].is_left_alone ||
		    berth->fast_of[job] < view->jobs[job].floor_pages + unit.nr_pages)
			continue;
		berth_value_unit(berth, &unit);
		uint64_t worth = unit.worth[LONG];
		if (worth > berth_cost_of_unit(berth, &unit, berth->demote_ps) &&
		    worth / unit.nr_pages > most) {
			most = worth / unit.nr_pages;
			*ret = unit;
		}
	}
	return most > 0;
}

void berth_push_out(struct berth *berth, const struct policy_view *view, struct plan *plan)
{
	uint64_t nr = MIN(berth->nr_crowd, CROWD_MAX), left = (nr + PUSH_PART - 1) / PUSH_PART;
	uint64_t free_pages = room_above(view->nodes[berth->slow].free_pages,
					 view->nodes[berth->slow].min_pages);
	left = MIN(MIN(left, PUSH_MAX), MIN(free_pages, view->budget_pages));
	if (berth->nr_ticks - berth->pushed_at < QUEUE_TICKS)
		return;
	struct unit unit;
	while (left > 0 && find_hottest(berth, view, &unit)) {
		uint32_t job = berth_job_of(view, folio_get(berth->table, unit.id));
		if (unit.nr_pages > MIN(free_pages, view->budget_pages) ||
		    !berth_plan_unit(berth, plan, &unit, berth->slow,
				     "fast memory is slower under load"))
			return;
		berth->pushed_at = berth->nr_ticks;
		berth->fast_of[job] -= unit.nr_pages;
		left -= MIN(left, unit.nr_pages);
	}
}
