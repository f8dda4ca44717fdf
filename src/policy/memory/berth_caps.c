/* SPDX-License-Identifier: MIT */
/*
 * berth: a job above its cap gives back, whatever its pages are worth.
 *
 * The kernel gives a job's new pages fast memory while there is some, so it can be above its cap at
 * any time. Of what is known of it in fast memory the longest idle goes first:
 *
 *     idle rounds   0  1  2-3  4-7  8-15  ...      one pass counts folios by the log of that,
 *     folios        9  2   40   11    70  ...      the second takes from the right, as many as
 *                          <----------------       there are too many
 *
 * Folios that are moving already count as given back.
 *
 * Cost: nothing for jobs within their caps; two passes over the table for each that is not, at most
 * JOBS_MAX of them in a turn.
 */
#include "policy/memory/berth_state.h"

#define JOBS_MAX  8
#define NR_LEVELS 33

static unsigned level_of(const struct berth *berth, const struct folio *folio)
{
	uint32_t idle = berth->now - folio->seen;
	return idle ? 1 + berth_log2_of(idle) : 0;
}

struct excess {
	uint32_t job;
	uint64_t nr_moving, nr_of_level[NR_LEVELS];
	unsigned level;	      /* those idle longer go all, */
	uint64_t nr_at_level; /* of this one so many */
};

static bool is_of_job(const struct berth *berth, const struct policy_view *view, uint32_t job,
		      uint32_t id)
{
	if (!folio_is_used(berth->table, id))
		return false;
	const struct folio *folio = folio_get(berth->table, id);
	return room_is_fast(berth->machine, folio->node) && berth_job_of(view, folio) == job &&
	       !berth_has_ended(view, folio);
}

static void count_levels(const struct berth *berth, const struct policy_view *view,
			 struct excess *excess)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end; id++) {
		if (!is_of_job(berth, view, excess->job, id))
			continue;
		const struct folio *folio = folio_get(berth->table, id);
		if (folio->bits & FOLIO_MOVING)
			excess->nr_moving++;
		else
			excess->nr_of_level[level_of(berth, folio)]++;
	}
}

/* From which level on `nr` folios go. */
static void choose_level(struct excess *excess, uint64_t nr)
{
	excess->level = NR_LEVELS;
	excess->nr_at_level = 0;
	while (nr > 0 && excess->level > 0) {
		excess->level--;
		excess->nr_at_level = MIN(nr, excess->nr_of_level[excess->level]);
		nr -= excess->nr_at_level;
	}
}

static void give_back(struct berth *berth, const struct policy_view *view, struct plan *plan,
		      struct excess *excess)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end; id++) {
		if (!is_of_job(berth, view, excess->job, id))
			continue;
		const struct folio *folio = folio_get(berth->table, id);
		unsigned level = level_of(berth, folio);
		if (folio->bits & FOLIO_MOVING || level < excess->level)
			continue;
		if (level == excess->level && excess->nr_at_level == 0)
			continue;
		if (!berth_plan_folio(berth, plan, id, berth->slow, "its job is above its cap"))
			return;
		excess->nr_at_level -= level == excess->level;
		berth->fast_of[excess->job]--;
	}
}

void berth_keep_caps(struct berth *berth, const struct policy_view *view, struct plan *plan)
{
	unsigned nr = 0;
	for (uint32_t job = 0; job < view->nr_jobs && nr < JOBS_MAX; job++) {
		uint64_t cap = view->jobs[job].cap_pages, fast = berth->fast_of[job];
		struct excess excess = { .job = job };
		if (fast <= cap)
			continue;
		nr++;
		count_levels(berth, view, &excess);
		if (fast - cap <= excess.nr_moving)
			continue;
		choose_level(&excess, MIN(fast - cap - excess.nr_moving, view->budget_pages));
		give_back(berth, view, plan, &excess);
	}
}
