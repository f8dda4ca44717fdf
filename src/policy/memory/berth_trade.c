/* SPDX-License-Identifier: MIT */
/*
 * berth: which moves pay.
 *
 *     candidates (slow), most valued first --> free memory, above the headroom
 *                                        \--> the place of the least valued victim that its job
 *                                             may take (floors and caps)
 *     classes of new pages                --> headroom: victims leave ahead of them
 *
 * Candidates are a heap and not sorted: after a few that do not pay nobody asks for the rest, which
 * is most of them.
 *
 * Cost: two comparisons per candidate, at most 65,536 of them, and 32 per candidate that is tried;
 * each move looks at one victim or a few.
 */
#include <stdlib.h>

#include "policy/memory/berth_state.h"

void berth_add_candidate(struct berth *berth, uint32_t id, uint64_t worth)
{
	uint64_t extra = berth_surcharge(berth, id);
	if (berth->nr_candidates < CANDIDATES_MAX && worth > extra + berth->promote_ps)
		berth->candidates[berth->nr_candidates++] = (struct candidate){ worth - extra, id };
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

static uint32_t pop_candidate(struct candidate *heap, uint32_t *nr)
{
	uint32_t id = heap[0].id;
	heap[0] = heap[--*nr];
	if (*nr > 0)
		sink(heap, *nr, 0);
	return id;
}

bool berth_plan_folio(struct berth *berth, struct plan *plan, uint32_t id, uint32_t to,
		      const char *why)
{
	struct folio *folio = folio_get(berth->table, id);
	struct plan_move move = {
		.page = folio->page,
		.nr_pages = 1,
		.space = folio->space,
		.from = folio->node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : folio->node,
		.to = to,
		.why = why,
	};
	if (plan_add(plan, &move))
		return false;
	folio->bits |= FOLIO_MOVING;
	berth->nr_trips_planned += berth_would_be_trip(berth, id);
	return true;
}

/* Jobs: what each has of fast memory while the plan grows. */
bool berth_note_jobs(struct berth *berth, const struct policy_view *view)
{
	if (view->nr_jobs > berth->max_jobs) {
		uint64_t *fast_of = realloc(berth->fast_of, view->nr_jobs * sizeof(*fast_of));
		if (!fast_of)
			return false;
		berth->fast_of = fast_of;
		berth->max_jobs = view->nr_jobs;
	}
	for (uint32_t i = 0; i < view->nr_jobs; i++)
		berth->fast_of[i] = view->jobs[i].fast_pages;
	return view->nr_jobs > 0;
}

static bool has_reached_cap(const struct berth *berth, const struct policy_view *view, uint32_t job)
{
	return berth->fast_of[job] >= view->jobs[job].cap_pages;
}

/* May `taker` have a page of `giver`? What lies within a giver's floor is for itself only, and a
 * taker at its cap changes pages with itself. */
static bool may_take(const struct berth *berth, const struct policy_view *view, uint32_t taker,
		     uint32_t giver)
{
	if (taker == giver)
		return true;
	return berth->fast_of[giver] > view->jobs[giver].floor_pages &&
	       !has_reached_cap(berth, view, taker);
}

/* The least valued fast folio that `taker` may displace, NOBODY: that may make room. */
static uint32_t pop_victim_for(struct berth *berth, const struct policy_view *view, uint32_t taker,
			       uint64_t worth[NR_HORIZONS])
{
	struct candidate passed[VICTIMS_PASSED];
	uint32_t nr = 0, found = FOLIO_NONE;
	while (found == FOLIO_NONE && nr < VICTIMS_PASSED) {
		uint32_t id = berth_pop_victim(berth, worth);
		if (id == FOLIO_NONE)
			break;
		uint32_t giver = berth_job_of(view, folio_get(berth->table, id));
		bool fits = taker == NOBODY ? berth->fast_of[giver] > view->jobs[giver].floor_pages
					    : may_take(berth, view, taker, giver);
		if (fits)
			found = id;
		else
			passed[nr++] = (struct candidate){ worth[LONG], id };
	}
	while (nr > 0) {
		nr--;
		berth_push_victim(berth, passed[nr].id, passed[nr].worth);
	}
	return found;
}

/* One candidate. 0: planned; 1: does not pay; negative: no more room in plan or memory. */
static int promote_into_room(struct berth *berth, struct plan *plan, uint32_t id,
			     const uint64_t gain[NR_HORIZONS])
{
	static const uint64_t nothing[NR_HORIZONS];
	if (!berth_pays(berth, gain, nothing, berth_cost_of(berth, id, berth->promote_ps)))
		return 1;
	return berth_plan_folio(berth, plan, id, berth->fast, "earns more than its move") ? 0
											  : -ENOSPC;
}

static int exchange(struct berth *berth, const struct policy_view *view, struct plan *plan,
		    uint32_t id, const uint64_t gain[NR_HORIZONS])
{
	static const uint64_t nothing[NR_HORIZONS];
	uint64_t loss[NR_HORIZONS];
	uint32_t taker = berth_job_of(view, folio_get(berth->table, id));
	uint32_t victim = pop_victim_for(berth, view, taker, loss);
	if (victim == FOLIO_NONE)
		return 1;
	uint32_t giver = berth_job_of(view, folio_get(berth->table, victim));
	bool returns = taker != giver && berth->fast_of[taker] < view->jobs[taker].floor_pages;
	uint64_t cost = berth_cost_of(berth, id, berth->promote_ps) +
			berth_cost_of(berth, victim, berth->demote_ps);
	if (!berth_pays(berth, gain, returns ? nothing : loss, cost)) {
		berth_push_victim(berth, victim, loss[LONG]);
		return 1;
	}
	if (!berth_plan_folio(berth, plan, victim, berth->slow,
			      returns ? "borrowed memory returned" : "makes room"))
		return -ENOSPC;
	berth->fast_of[giver]--;
	berth_expect(berth, victim, CLASS_LEFT);
	return berth_plan_folio(berth, plan, id, berth->fast, "earns more than what it replaces")
		       ? 0
		       : -ENOSPC;
}

/* On its way, or just arrived. */
static bool is_held(const struct berth *berth, uint32_t id)
{
	return folio_get(berth->table, id)->bits & FOLIO_MOVING || berth_is_settling(berth, id);
}

/* What was touched in this round joins what the sweep found. */
static void gather(struct berth *berth)
{
	for (uint32_t i = 0; i < berth->nr_touched; i++) {
		uint32_t id = berth->touched[i];
		if (folio_is_used(berth->table, id) && !is_held(berth, id) &&
		    berth_is_above_chance(berth, id))
			berth_add_candidate(berth, id, berth_lasting_worth_of(berth, id));
	}
	for (uint32_t at = berth->nr_candidates / 2; at-- > 0;)
		sink(berth->candidates, berth->nr_candidates, at);
}

/* As long as looking for victims brings moves, it goes on. */
static bool find_more(struct berth *berth, const struct policy_view *view, uint32_t *nr_planned)
{
	if (berth->bin_room != BIN_ROOM || berth->swept >= folio_id_end(berth->table) ||
	    *nr_planned < SWEEP_CHUNK / 16)
		return false;
	*nr_planned = 0;
	berth_sweep(berth, view, SWEEP_CHUNK);
	return true;
}

/* Most valued first, into free memory or in the place of what is worth least. What looking for
 * victims finds meanwhile is behind the heap, for nobody. */
void berth_trade(struct berth *berth, const struct policy_view *view, struct plan *plan,
		 uint64_t keep)
{
	uint64_t free_pages = view->nodes[berth->fast].free_pages, budget = view->budget_pages;
	uint32_t nr_failed = 0, nr_planned = 0, nr_left;
	gather(berth);
	nr_left = berth->nr_candidates;
	while (nr_left > 0 && nr_failed < FAILURES_MAX) {
		uint32_t id = pop_candidate(berth->candidates, &nr_left);
		struct folio *folio = folio_get(berth->table, id);
		uint64_t gain[NR_HORIZONS];
		if (room_is_fast(berth->machine, folio->node) || is_held(berth, id))
			continue;
		uint32_t job = berth_job_of(view, folio);
		if (view->jobs[job].is_left_alone)
			continue;
		bool has_room = free_pages > keep && !has_reached_cap(berth, view, job);
		if (budget < (has_room ? 1u : 2u))
			return;
		berth_worth_of(berth, id, gain);
		int error = has_room ? promote_into_room(berth, plan, id, gain)
				     : exchange(berth, view, plan, id, gain);
		if (error < 0)
			return;
		if (error > 0) {
			nr_failed = find_more(berth, view, &nr_planned) ? 0 : nr_failed + 1;
			continue;
		}
		nr_planned++;
		berth_expect(berth, id, CLASS_PAID);
		berth->fast_of[job]++;
		free_pages -= has_room;
		budget -= (has_room ? 1u : 2u);
	}
}

/* Room for new pages, ahead of them, where they are learned to earn more than the least that fast
 * memory holds. Returns the free pages that promotions shall leave. */
uint64_t berth_make_headroom(struct berth *berth, const struct policy_view *view, struct plan *plan)
{
	const struct policy_node *node = &view->nodes[berth->fast];
	uint64_t gain[NR_HORIZONS], loss[NR_HORIZONS], nr_planned = 0;
	if (berth->spilled && node->free_pages < node->capacity_pages / 8)
		berth->reserve = MAX(berth->reserve, node->free_pages);
	berth->spilled = 0;
	uint64_t births = MIN(berth->births_peak, node->capacity_pages / 8);
	uint64_t wanted = births ? births + MAX(berth->reserve, node->low_pages) : 0;
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		struct predict_mean mean = berth_mean_of_class(berth, CLASS_BORN, i, 0);
		gain[i] = berth_worth_of_mean(berth, &mean);
	}
	while (node->free_pages + nr_planned < wanted && nr_planned < view->budget_pages / 2) {
		uint32_t victim = pop_victim_for(berth, view, NOBODY, loss);
		if (victim == FOLIO_NONE)
			break;
		if (!berth_pays(berth, gain, loss,
				berth_cost_of(berth, victim, berth->demote_ps))) {
			berth_push_victim(berth, victim, loss[LONG]);
			break;
		}
		if (!berth_plan_folio(berth, plan, victim, berth->slow, "new pages earn more"))
			break;
		berth->fast_of[berth_job_of(view, folio_get(berth->table, victim))]--;
		nr_planned++;
	}
	return MAX(MIN(wanted, node->free_pages + nr_planned), node->low_pages);
}
