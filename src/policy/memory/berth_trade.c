/* SPDX-License-Identifier: MIT */
/*
 * berth: which moves pay.
 *
 *     candidates (slow), most valued first --> free memory, above the headroom
 *                                        \--> the place of the least valued victim that its job
 *                                             may take (floors and caps)
 *     classes of new pages                --> headroom: victims leave ahead of them
 *
 * What comes and what goes need not be of one size: a large folio takes the place of many pages, or
 * gives it to many, and then what they earn together decides.
 *
 * Cost: each move looks at one victim or a few, and as many as 512 for a large folio.
 */
#include <stdlib.h>

#include "policy/memory/berth_state.h"

bool berth_plan_unit(struct berth *berth, struct plan *plan, const struct unit *unit, uint32_t to,
		     const char *why)
{
	uint32_t node = folio_get(berth->table, unit->id)->node;
	struct plan_move move = {
		.page = unit->page,
		.nr_pages = unit->nr_pages,
		.space = unit->space,
		.from = node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : node,
		.to = to,
		.why = why,
		.is_split = unit->is_split,
		.order = unit->nr_pages > 1 ? LARGE_ORDER : 0,
	};
	if (plan_add(plan, &move))
		return false;
	for (uint32_t i = 0; i < unit->nr_pages; i += unit->step) {
		uint32_t id = berth_member(berth, unit, i);
		if (id == FOLIO_NONE)
			continue;
		struct folio *folio = folio_get(berth->table, id);
		berth->nr_moving += folio->bits & FOLIO_MOVING ? 0 : unit->step;
		folio->bits |= FOLIO_MOVING;
		berth->nr_trips_planned += berth_would_be_trip(berth, id) ? unit->step : 0;
	}
	if (unit->is_split)
		berth_forget_large(berth, unit->space, unit->page);
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

static bool passes_cap(const struct berth *berth, const struct policy_view *view, uint32_t job,
		       uint64_t nr_pages)
{
	uint64_t cap = view->jobs[job].cap_pages, fast = berth->fast_of[job];
	return fast >= cap || nr_pages > cap - fast;
}

/* May it go for `taker`? What lies within its job's floor is for that job only. */
static bool may_go_for(const struct berth *berth, const struct policy_view *view, uint32_t taker,
		       const struct unit *victim)
{
	uint32_t giver = berth_job_of(view, folio_get(berth->table, victim->id));
	if (taker == giver)
		return true;
	return berth->fast_of[giver] >= view->jobs[giver].floor_pages + victim->nr_pages;
}

/* The least valued of fast memory that `taker` may displace; a taker at its cap changes pages with
 * itself. NOBODY: that may make room. False: none. */
static bool pop_victim_for(struct berth *berth, const struct policy_view *view, uint32_t taker,
			   bool is_at_cap, struct unit *ret)
{
	struct unit passed[VICTIMS_PASSED];
	uint32_t nr = 0;
	bool is_found = false;
	while (!is_found && nr < VICTIMS_PASSED && berth_pop_victim(berth, ret)) {
		bool is_own = taker == berth_job_of(view, folio_get(berth->table, ret->id));
		is_found = may_go_for(berth, view, taker, ret) && (is_own || !is_at_cap);
		if (!is_found)
			passed[nr++] = *ret;
	}
	while (nr > 0)
		berth_push_victim(berth, &passed[--nr]);
	return is_found;
}

/* On its way, or just arrived. */
bool berth_is_held(const struct berth *berth, uint32_t id)
{
	return folio_get(berth->table, id)->bits & FOLIO_MOVING || berth_is_settling(berth, id);
}

/* Could it be promoted, as far as it goes by itself? */
static bool may_rise(const struct berth *berth, const struct policy_view *view, uint32_t id)
{
	const struct folio *folio = folio_get(berth->table, id);
	return !room_is_fast(berth->machine, folio->node) && !berth_is_held(berth, id) &&
	       !view->jobs[berth_job_of(view, folio)].is_left_alone;
}

#define AHEAD_ONE 256

/* An exchange at hand: what comes, and what goes for it. */
struct exchange {
	const struct policy_view *view;
	struct unit *comes;
	bool is_at_cap;	 /* its job */
	uint64_t ahead;	 /* of `needed`, what the kernel wants free */
	uint64_t charge; /* for that, of AHEAD_ONE: all who wait pay for it together */
	uint64_t needed; /* pages that must go */
	uint64_t budget;
	uint32_t nr;	   /* of berth->leaving */
	uint64_t nr_pages; /* of these */
	uint64_t gain[NR_HORIZONS], loss[NR_HORIZONS], cost;
};

/* Where more must go than is needed, since it is one folio, the next candidates come too. */
static void add_followers(struct berth *berth, struct exchange *exchange)
{
	uint64_t left = exchange->nr_pages - exchange->needed;
	left = exchange->ahead ? left * AHEAD_ONE / (AHEAD_ONE + exchange->charge) : left;
	const struct candidate *candidate = berth_look_ahead(berth, 0);
	for (uint32_t i = 0; candidate && left > 0; candidate = berth_look_ahead(berth, ++i)) {
		struct unit unit = berth_unit_of(berth, candidate->id);
		if (unit.nr_pages > 1 || !may_rise(berth, exchange->view, candidate->id))
			continue;
		exchange->gain[LONG] += candidate->worth;
		exchange->cost += berth->promote_ps;
		left--;
	}
}

static void add_victim(struct berth *berth, struct exchange *exchange, const struct unit *victim)
{
	const struct policy_view *view = exchange->view;
	uint32_t taker = berth_job_of(view, folio_get(berth->table, exchange->comes->id));
	uint32_t giver = berth_job_of(view, folio_get(berth->table, victim->id));
	bool returns = taker != giver && berth->fast_of[taker] < view->jobs[taker].floor_pages;
	bool is_ahead = exchange->nr_pages + exchange->ahead >= exchange->needed;
	uint64_t charge = is_ahead ? exchange->charge : AHEAD_ONE;
	exchange->cost += berth_cost_of_unit(berth, victim, berth->demote_ps) * charge / AHEAD_ONE;
	for (unsigned i = 0; i < NR_HORIZONS && !returns; i++)
		exchange->loss[i] += victim->worth[i] * charge / AHEAD_ONE;
	exchange->nr_pages += victim->nr_pages;
	berth->leaving[exchange->nr++] = *victim;
	berth->leaving[exchange->nr - 1].is_returned = returns;
}

/* Finds what shall go; false where that is not enough, or not worth it. */
static bool find_victims(struct berth *berth, struct exchange *exchange)
{
	const struct unit *comes = exchange->comes;
	const struct policy_view *view = exchange->view;
	uint32_t taker = berth_job_of(view, folio_get(berth->table, comes->id));
	while (exchange->nr_pages < exchange->needed) {
		struct unit victim;
		if (!pop_victim_for(berth, view, taker, exchange->is_at_cap, &victim))
			return false;
		add_victim(berth, exchange, &victim);
		if (exchange->nr_pages > exchange->needed)
			add_followers(berth, exchange);
		if (comes->nr_pages + exchange->nr_pages > exchange->budget ||
		    !berth_pays(berth, exchange->gain, exchange->loss, exchange->cost))
			return false;
	}
	return true;
}

static bool plan_exchange(struct berth *berth, struct exchange *exchange, struct plan *plan)
{
	for (uint32_t i = 0; i < exchange->nr; i++) {
		struct unit *victim = &berth->leaving[i];
		const struct folio *folio = folio_get(berth->table, victim->id);
		if (!berth_plan_unit(berth, plan, victim, berth->slow,
				     victim->is_returned ? "borrowed memory returned"
							 : "makes room"))
			return false;
		berth->fast_of[berth_job_of(exchange->view, folio)] -= victim->nr_pages;
		berth_expect(berth, victim, CLASS_LEFT);
	}
	return berth_plan_unit(berth, plan, exchange->comes, berth->fast,
			       "earns more than what it replaces");
}

/* 0: planned; 1: does not pay; negative: no more room in the plan. */
static int exchange(struct berth *berth, struct exchange *exchange, struct plan *plan)
{
	exchange->cost = berth_cost_of_unit(berth, exchange->comes, berth->promote_ps);
	for (unsigned i = 0; i < NR_HORIZONS; i++)
		exchange->gain[i] = exchange->comes->worth[i];
	if (find_victims(berth, exchange))
		return plan_exchange(berth, exchange, plan) ? 0 : -ENOSPC;
	while (exchange->nr > 0)
		berth_push_victim(berth, &berth->leaving[--exchange->nr]);
	return 1;
}

static int promote_into_room(struct berth *berth, struct plan *plan, const struct unit *unit)
{
	static const uint64_t nothing[NR_HORIZONS];
	if (!berth_pays(berth, unit->worth, nothing,
			berth_cost_of_unit(berth, unit, berth->promote_ps)))
		return 1;
	return berth_plan_unit(berth, plan, unit, berth->fast, "earns more than its move")
		       ? 0
		       : -ENOSPC;
}

/* Worth going through all of fast memory for: many would come up, and it was not done lately, or
 * very many would and lately is a while ago. */
static bool may_search(const struct berth *berth)
{
	uint32_t nr_left = berth->nr_heap + berth->nr_ahead - berth->ahead_at;
	bool are_many = nr_left >= berth->nr_pages / SEARCH_PARTS;
	uint32_t rest_ms = are_many ? MAX(berth->search_rest_ms, SEARCH_REST_MS) : SETTLE_MS;
	return nr_left >= SEARCH_LEAST &&
	       (!berth->searched_ms || berth->now_ms - berth->searched_ms >= rest_ms);
}

static void search_all(struct berth *berth, const struct policy_view *view)
{
	berth_drop_victims(berth);
	berth->swept = 0;
	berth_sweep(berth, view, UINT32_MAX);
	berth->searched_ms = MAX(berth->now_ms, 1);
}

/* Of the search in this round. */
static void note_search(struct berth *berth, uint32_t nr_planned)
{
	uint32_t rest_ms = MAX(berth->search_rest_ms, SEARCH_REST_MS);
	bool was_in_vain = nr_planned < SEARCH_LEAST;
	berth->search_rest_ms = was_in_vain ? MIN(2 * rest_ms, SETTLE_MS) : SEARCH_REST_MS;
}

/* As long as looking for victims brings moves, it goes on. Where those that are known are not worth
 * less than what waits, it goes through all: the first that it came to may be any, and those that
 * it came to long ago may be worth less by now. */
static bool find_more(struct berth *berth, const struct policy_view *view, uint32_t *nr_planned)
{
	bool is_fruitful = *nr_planned >= SWEEP_CHUNK / 16;
	if (berth->bin_room != BIN_ROOM || berth->swept >= folio_id_end(berth->table) ||
	    (!is_fruitful && !may_search(berth)))
		return false;
	*nr_planned = 0;
	if (is_fruitful)
		berth_sweep(berth, view, SWEEP_CHUNK);
	else
		search_all(berth, view);
	return true;
}

struct trade {
	const struct policy_view *view;
	struct plan *plan;
	uint64_t free_pages;  /* that promotions may have */
	uint64_t short_pages; /* still to be freed for the kernel */
	uint64_t charge;      /* for each of these, of AHEAD_ONE */
	uint64_t budget;
};

/* What the candidate has become by now. */
static struct unit unit_of_candidate(struct berth *berth, const struct candidate *candidate)
{
	struct unit unit = berth_unit_of(berth, candidate->id);
	if (candidate->is_split && unit.nr_pages > 1) {
		unit.page = folio_get(berth->table, candidate->id)->page;
		unit.nr_pages = 1;
		unit.is_split = true;
	}
	berth_value_unit(berth, &unit);
	return unit;
}

/* 0: planned; 1: does not pay; negative: no more room in plan or memory. */
static int trade_one(struct berth *berth, struct trade *trade, const struct candidate *candidate)
{
	struct unit unit = unit_of_candidate(berth, candidate);
	uint32_t job = berth_job_of(trade->view, folio_get(berth->table, unit.id));
	bool is_at_cap = passes_cap(berth, trade->view, job, unit.nr_pages);
	uint64_t spare = is_at_cap ? 0 : trade->free_pages;
	uint64_t ahead = is_at_cap ? 0 : MIN(trade->short_pages, unit.nr_pages);
	uint64_t wanted = unit.nr_pages + ahead;
	struct exchange swap = { .view = trade->view,
				 .comes = &unit,
				 .is_at_cap = is_at_cap,
				 .ahead = ahead,
				 .charge = trade->charge,
				 .needed = wanted - MIN(spare, wanted),
				 .budget = trade->budget };
	if (trade->budget < unit.nr_pages + swap.needed)
		return unit.nr_pages == 1 ? -ENOSPC : 1;
	int error = swap.needed ? exchange(berth, &swap, trade->plan)
				: promote_into_room(berth, trade->plan, &unit);
	if (error)
		return error;
	/* What a page of a folio was expected to get was the folio's; alone it gets its own. */
	if (!unit.is_split)
		berth_expect(berth, &unit, CLASS_PAID);
	berth->fast_of[job] += unit.nr_pages;
	trade->free_pages += swap.nr_pages;
	trade->free_pages -= MIN(trade->free_pages, wanted);
	trade->short_pages -= ahead;
	trade->budget -= unit.nr_pages + swap.nr_pages;
	return 0;
}

/* Most valued first, into free memory or in the place of what is worth least. Below its low mark
 * each page that comes wakes the kernel's reclaim, which goes through the node's pages until its
 * high mark is reached, in vain without swap, and keeps the program from running meanwhile (5 s in
 * the lab, with huge pages on, which raise the marks). So while pages come, as many more go until
 * that mark is reached: what comes pays for both, all that wait together. */
void berth_trade(struct berth *berth, const struct policy_view *view, struct plan *plan,
		 uint64_t keep)
{
	uint64_t free_pages = room_free_soon(berth->machine, view, berth->fast);
	struct trade trade = { .view = view,
			       .plan = plan,
			       .free_pages = room_above(free_pages, keep),
			       .short_pages = room_above(view->nodes[berth->fast].high_pages,
							 MIN(free_pages, keep)),
			       .budget = view->budget_pages };
	uint32_t nr_failed = 0, nr_planned = 0;
	if (trade.free_pages > 0)
		berth->replaced_ps = 0;
	struct candidate candidate;
	berth_gather(berth);
	trade.charge = MIN(trade.short_pages * AHEAD_ONE / MAX(berth->nr_waiting, 1), AHEAD_ONE);
	while (nr_failed < FAILURES_MAX && berth_next_candidate(berth, &candidate)) {
		if (!may_rise(berth, view, candidate.id))
			continue;
		int error = trade_one(berth, &trade, &candidate);
		if (error < 0)
			return;
		if (error > 0) {
			nr_failed = find_more(berth, view, &nr_planned) ? 0 : nr_failed + 1;
			continue;
		}
		nr_planned++;
	}
	if (berth->searched_ms == MAX(berth->now_ms, 1))
		note_search(berth, nr_planned);
}

/* Room for new pages, ahead of them, where they are learned to earn more than the least that fast
 * memory holds. Returns the free pages that promotions shall leave. */
uint64_t berth_make_headroom(struct berth *berth, const struct policy_view *view, struct plan *plan)
{
	const struct policy_node *node = &view->nodes[berth->fast];
	uint64_t free_pages = room_free_soon(berth->machine, view, berth->fast);
	uint64_t gain[NR_HORIZONS], nr_planned = 0;
	if (berth->spilled && node->free_pages < node->capacity_pages / 8)
		berth->reserve = MAX(berth->reserve, node->free_pages);
	berth->spilled = 0;
	uint64_t births = MIN(berth->births_peak, node->capacity_pages / 8);
	uint64_t wanted = births ? births + MAX(berth->reserve, node->low_pages) : 0;
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		struct predict_mean mean = berth_mean_of_class(berth, CLASS_BORN, i, 0);
		gain[i] = berth_worth_of_mean(berth, &mean);
	}
	while (free_pages + nr_planned < wanted && nr_planned < view->budget_pages / 2) {
		struct unit victim;
		if (!pop_victim_for(berth, view, NOBODY, false, &victim))
			break;
		uint64_t gains[NR_HORIZONS] = { gain[SHORT] * victim.nr_pages,
						gain[LONG] * victim.nr_pages };
		if (!berth_pays(berth, gains, victim.worth,
				berth_cost_of_unit(berth, &victim, berth->demote_ps))) {
			berth_push_victim(berth, &victim);
			break;
		}
		if (!berth_plan_unit(berth, plan, &victim, berth->slow, "new pages earn more"))
			break;
		berth->fast_of[berth_job_of(view, folio_get(berth->table, victim.id))] -=
			victim.nr_pages;
		nr_planned += victim.nr_pages;
	}
	return MAX(MIN(wanted, free_pages + nr_planned), node->low_pages);
}
