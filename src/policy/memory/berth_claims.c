/* SPDX-License-Identifier: MIT */
/*
 * berth: what jobs may claim of fast memory, whatever their pages are worth.
 *
 *     above its cap      it gives back: the kernel gives a job's new pages fast memory while there
 *                        is some, so it can be there at any time
 *     below its floor    what it uses in slow memory comes up, into free memory or in the place of
 *                        pages of jobs above their floors: what was lent is returned
 *
 * Of those that go the longest idle go first:
 *
 *     idle rounds   0  1  2-3  4-7  8-15  ...      one pass counts folios by the log of that,
 *     folios        9  2   40   11    70  ...      the second takes from the right, as many as
 *                          <----------------       there are too many
 *
 * A job claims its floor only for pages that were used in this round or the eight before it, so
 * that a floor that nobody uses moves nothing. Folios that are moving already count as moved.
 *
 * A floor short of less than a 64th is kept from free memory alone: jobs whose floors are what
 * there is would else change pages with each other for ever.
 *
 * Cost: nothing where nobody claims; two or three passes over the table for each who does, at most
 * JOBS_MAX of them in a turn. Turns are many, and passes dear: those for floors come when samples
 * have, or half of what was on its way after the last ones is not any more, but not within a
 * quarter of CLAIM_REST_MS; else after that; and where the table is large, more seldom, for more at
 * a time.
 */
#include "policy/memory/berth_state.h"

#define CLAIM_REST_MS	  1000
#define CLAIM_REST_MAX_MS 4000
#define RECORDS_PER_MS	  1024 /* of the rest, where that is longer */
#define FULL_MS		  2000 /* after a move for which there was no room */
#define SMALL_PART	  64
#define JOBS_MAX	  8
#define NR_LEVELS	  33

static unsigned level_of(const struct berth *berth, const struct folio *folio)
{
	uint32_t idle = berth->now - folio->seen;
	return idle ? 1 + berth_log2_of(idle) : 0;
}

#define ALL_JOBS UINT32_MAX
#define USED_AGO 8 /* rounds */
/* Of a job at a time: a slow mover would else be busy with what goes, and nothing would come. */
#define CLAIM_PAGES 4096
#define CLAIM_PARTS 64 /* or such a part of all records */

struct excess {
	uint32_t job; /* ALL_JOBS: all that are above their floors */
	uint64_t nr_moving, nr_of_level[NR_LEVELS];
	unsigned level;	      /* those idle longer go all, */
	uint64_t nr_at_level; /* of this one so many */
	uint64_t nr_left;     /* to go: a large folio goes whole */
};

static bool is_above_floor(const struct berth *berth, const struct policy_view *view, uint32_t job)
{
	return berth->fast_of[job] > view->jobs[job].floor_pages;
}

/* Known, and of a space that is still there. */
static bool is_there(const struct berth *berth, const struct policy_view *view, uint32_t id)
{
	return folio_is_used(berth->table, id) &&
	       !berth_has_ended(view, folio_get(berth->table, id));
}

static bool may_go(const struct berth *berth, const struct policy_view *view, uint32_t job,
		   uint32_t id)
{
	const struct folio *folio = folio_get(berth->table, id);
	if (!room_is_fast(berth->machine, folio->node) || !is_there(berth, view, id))
		return false;
	uint32_t of = berth_job_of(view, folio);
	return job == ALL_JOBS ? is_above_floor(berth, view, of) : of == job;
}

static void count_levels(const struct berth *berth, const struct policy_view *view,
			 struct excess *excess)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end; id++) {
		if (!may_go(berth, view, excess->job, id))
			continue;
		const struct folio *folio = folio_get(berth->table, id);
		if (folio->bits & FOLIO_MOVING)
			excess->nr_moving += berth_pages_of(berth, id);
		else
			excess->nr_of_level[level_of(berth, folio)] += berth_pages_of(berth, id);
	}
}

/* From which level on `nr` folios go. */
static void choose_level(struct excess *excess, uint64_t nr)
{
	excess->level = NR_LEVELS;
	excess->nr_at_level = 0;
	excess->nr_left = nr;
	while (nr > 0 && excess->level > 0) {
		excess->level--;
		excess->nr_at_level = MIN(nr, excess->nr_of_level[excess->level]);
		nr -= excess->nr_at_level;
	}
}

static void give_back(struct berth *berth, const struct policy_view *view, struct plan *plan,
		      struct excess *excess, const char *why)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end && excess->nr_left > 0; id++) {
		if (!may_go(berth, view, excess->job, id))
			continue;
		const struct folio *folio = folio_get(berth->table, id);
		unsigned level = level_of(berth, folio);
		if (folio->bits & FOLIO_MOVING || level < excess->level)
			continue;
		if (level == excess->level && excess->nr_at_level == 0)
			continue;
		struct unit unit = berth_unit_of(berth, id);
		uint32_t of = berth_job_of(view, folio);
		uint64_t *fast_pages = &berth->fast_of[of];
		if (excess->job == ALL_JOBS &&
		    *fast_pages < view->jobs[of].floor_pages + unit.nr_pages)
			continue;
		if (!berth_plan_unit(berth, plan, &unit, berth->slow, why))
			return;
		plan->moves[plan->nr - 1].is_claimed = excess->job != ALL_JOBS;
		plan->moves[plan->nr - 1].is_due = true;
		if (level == excess->level)
			excess->nr_at_level -= MIN(excess->nr_at_level, unit.step);
		excess->nr_left -= MIN(excess->nr_left, unit.nr_pages);
		*fast_pages -= MIN(*fast_pages, unit.nr_pages);
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
		give_back(berth, view, plan, &excess, "its job is above its cap");
	}
}

/* Used lately, in slow memory, and not just moved there. */
static bool may_come(const struct berth *berth, const struct policy_view *view, uint32_t job,
		     uint32_t id)
{
	const struct folio *folio = folio_get(berth->table, id);
	return berth->now - folio->seen <= USED_AGO && !room_is_fast(berth->machine, folio->node) &&
	       is_there(berth, view, id) && berth_job_of(view, folio) == job;
}

/* How many of its pages want to come, at most `nr`; those that are on their way are not asked
 * for again. */
static uint64_t count_wanted(const struct berth *berth, const struct policy_view *view,
			     uint32_t job, uint64_t nr)
{
	uint32_t end = folio_id_end(berth->table);
	uint64_t nr_wanted = 0, nr_moving = 0;
	for (uint32_t id = 0; id < end; id++) {
		if (!may_come(berth, view, job, id))
			continue;
		if (folio_get(berth->table, id)->bits & FOLIO_MOVING)
			nr_moving += berth_pages_of(berth, id);
		else if (!berth_is_settling(berth, id))
			nr_wanted += berth_pages_of(berth, id);
	}
	return nr > nr_moving ? MIN(nr - nr_moving, nr_wanted) : 0;
}

static void take_up(struct berth *berth, const struct policy_view *view, struct plan *plan,
		    uint32_t job, uint64_t nr)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end && nr > 0; id++) {
		if (!may_come(berth, view, job, id) || berth_is_settling(berth, id) ||
		    folio_get(berth->table, id)->bits & FOLIO_MOVING)
			continue;
		struct unit unit = berth_unit_of(berth, id);
		if (unit.nr_pages > nr)
			continue;
		if (!berth_plan_unit(berth, plan, &unit, berth->fast, "its job is below its floor"))
			return;
		plan->moves[plan->nr - 1].is_due = true;
		berth->fast_of[job] += unit.nr_pages;
		nr -= unit.nr_pages;
	}
}

/* Pages above the floors of others that may go, so that those which want may come. */
static uint64_t lent_pages(const struct berth *berth, const struct policy_view *view)
{
	uint64_t nr = 0;
	for (uint32_t job = 0; job < view->nr_jobs; job++)
		if (is_above_floor(berth, view, job))
			nr += berth->fast_of[job] - view->jobs[job].floor_pages;
	return nr;
}

/* Pages that go for `nr` which come, beyond those that are on their way already. */
static uint64_t count_returned(struct berth *berth, const struct policy_view *view,
			       struct excess *excess, uint64_t nr, uint64_t lent)
{
	if (nr == 0 || lent == 0)
		return 0;
	count_levels(berth, view, excess);
	return MIN(nr, lent - MIN(lent, excess->nr_moving));
}

/* Returns whether it went through all pages; *free_pages: what is left of them. */
static bool keep_floor(struct berth *berth, const struct policy_view *view, struct plan *plan,
		       uint32_t job, uint64_t *free_pages)
{
	uint64_t floor = view->jobs[job].floor_pages, deficit = floor - berth->fast_of[job];
	uint64_t most = MAX(CLAIM_PAGES, folio_id_end(berth->table) / CLAIM_PARTS);
	uint64_t lent = deficit > floor / SMALL_PART ? lent_pages(berth, view) : 0;
	most = MIN(MIN(most, view->budget_pages / 2), *free_pages + lent);
	if (most == 0)
		return false;
	uint64_t nr = count_wanted(berth, view, job, MIN(deficit, most));
	uint64_t from_free = MIN(nr, *free_pages);
	struct excess excess = { .job = ALL_JOBS };
	uint64_t to_return = count_returned(berth, view, &excess, nr - from_free, lent);
	/* Somebody, as the job itself, takes what is made free at once: then room comes first, and
	 * what is on its way is for what was wanted before. */
	bool is_taken = berth->full_ms && berth->now_ms - berth->full_ms < FULL_MS;
	if (is_taken)
		to_return -= MIN(to_return, excess.nr_moving);
	if (to_return > 0) {
		choose_level(&excess, to_return);
		give_back(berth, view, plan, &excess, "borrowed memory returned");
	}
	take_up(berth, view, plan, job, is_taken ? from_free : from_free + to_return);
	*free_pages -= from_free;
	return true;
}

/* Else the passes would find what the last ones found. */
static bool may_claim(const struct berth *berth)
{
	uint32_t passed_ms = berth->now_ms - berth->claimed_ms;
	uint32_t by_size_ms = folio_id_end(berth->table) / RECORDS_PER_MS;
	uint32_t rest_ms = MIN(MAX(CLAIM_REST_MS, by_size_ms), CLAIM_REST_MAX_MS);
	bool is_new = berth->has_news || berth->nr_moving < berth->claimed_moving / 2;
	return !berth->claimed_ms || passed_ms >= (is_new ? rest_ms / 4 : rest_ms);
}

/* Where more claim than are served at a time, the next ones come next time. */
void berth_keep_floors(struct berth *berth, const struct policy_view *view, struct plan *plan)
{
	const struct policy_node *node = &view->nodes[berth->fast];
	uint64_t free_pages = room_above(node->free_pages, node->low_pages);
	uint32_t nr = 0, first = berth->claims_from;
	berth->has_news |= berth->has_new;
	if (!may_claim(berth))
		return;
	for (uint32_t i = 0; i < view->nr_jobs && nr < JOBS_MAX; i++) {
		uint32_t job = (first + i) % view->nr_jobs;
		const struct policy_job *of = &view->jobs[job];
		if (of->is_left_alone || of->slow_pages == 0 ||
		    berth->fast_of[job] >= of->floor_pages)
			continue;
		nr += keep_floor(berth, view, plan, job, &free_pages);
		berth->claims_from = nr == JOBS_MAX ? job + 1 : first;
	}
	if (nr == 0)
		return;
	berth->claimed_ms = MAX(berth->now_ms, 1);
	berth->claimed_moving = berth->nr_moving;
	berth->has_news = false;
}
