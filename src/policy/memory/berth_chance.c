/* SPDX-License-Identifier: MIT */
/*
 * berth: is a page seen more often than others, or was that chance?
 *
 *     checks watch for an instant, and see one page in five, say; of 100,000 that are used alike
 *     some are seen three times in a row
 *
 *     seen last time      ####################
 *     of them, now        ####                  as many as of all others: used alike. A page must
 *                                               have been seen far more often than others to move
 *                         ##################    they are others than the rest: to be seen twice
 *                                               says what they are
 *
 * A page passes that was seen more often than an average one is by two and a half deviations, less
 * what the second picture says, if it was seen twice lately: once is too little, however many are
 * seen again. Counted are pages of slow memory, since they are the ones that may move for it.
 *
 * Cost: a few counts per page seen.
 */
#include "policy/memory/berth_state.h"

#define TOLD_LEAST  1024 /* pages that were seen: fewer tell nothing */
#define ALONE_LEAST 4096 /* so many tell all, without those of rounds before */
/* Of a brief count: now, and two rounds ago; decaying rounds down. */
#define TWICE	    (RATE_ONE + RATE_ONE / 2 - 2)
#define DOUBT_LEAST (DOUBT_ONE / 8)

/* It is about to be touched. */
void berth_note_seen(struct berth *berth, uint32_t id)
{
	const struct past *past = &berth->pasts[id];
	if (!berth->is_in_window)
		return;
	uint32_t nr = berth_pages_of(berth, id);
	bool is_again = folio_get(berth->table, id)->seen + 1 == berth->now &&
			past->short_count >= RATE_ONE;
	berth->seen_now += nr;
	berth->again_now += is_again ? nr : 0;
}

/* It changed its node after a round in which it may have been seen. */
void berth_note_gone(struct berth *berth, uint32_t id, bool is_up)
{
	if (folio_get(berth->table, id)->seen + 1 != berth->now ||
	    berth->pasts[id].short_count < RATE_ONE)
		return;
	uint64_t nr = berth_pages_of(berth, id);
	if (!is_up)
		berth->seen_before += nr;
	else
		berth->seen_before -= MIN(berth->seen_before, nr);
}

/* How many were seen again, of those that might have been, and that would have been by chance. */
static void note_doubt(struct berth *berth, const struct policy_view *view)
{
	uint64_t nr_slow = 0;
	for (uint32_t i = 0; i < view->nr_nodes; i++)
		if (!room_is_fast(berth->machine, i))
			nr_slow += view->nodes[i].job_pages;
	uint64_t by_chance = berth->seen_before * berth->seen_now / MAX(nr_slow, 1);
	uint64_t kept = berth->seen_before < ALONE_LEAST; /* half of it, or nothing */
	berth->could = berth->could / 2 * kept + berth->seen_before;
	berth->again = berth->again / 2 * kept + MIN(berth->again_now, berth->seen_before);
	berth->by_chance = berth->by_chance / 2 * kept + MIN(by_chance, berth->seen_before);
	berth->seen_before = berth->seen_now;
	berth->seen_now = berth->again_now = 0;
	if (berth->could < TOLD_LEAST || berth->could <= berth->by_chance)
		berth->doubt = DOUBT_ONE;
	else
		berth->doubt = (uint32_t)MIN((berth->could - berth->again) * DOUBT_ONE /
						     (berth->could - berth->by_chance),
					     DOUBT_ONE);
	berth->doubt = MAX(berth->doubt, DOUBT_LEAST);
}

/* Both are the same for a whole round. */
void berth_note_chance(struct berth *berth, const struct policy_view *view)
{
	berth->chance = MIN(berth->touches_avg * 16 / MAX(berth->nr_pages, 1), CHANCE_ONE);
	if (berth->has_new)
		note_doubt(berth, view);
}

/* So many touches in so many rounds: more than an average page gets by chance? */
static bool is_above(const struct berth *berth, uint64_t touches, uint64_t rounds, uint64_t doubt)
{
	uint64_t chance = berth->chance;
	uint64_t usual = rounds * RATE_ONE * chance / CHANCE_ONE;
	uint64_t variance = usual * RATE_ONE * (CHANCE_ONE - chance) / CHANCE_ONE;
	uint64_t apart = touches > usual ? touches - usual : 0;
	variance = variance * doubt / DOUBT_ONE * doubt / DOUBT_ONE;
	return apart * apart * 4 > variance * 25;
}

/* Its pages share their luck: all of them are counted, those of which nothing is known as not
 * seen. */
static void add_counts(const struct berth *berth, uint32_t id, uint64_t *lasting, uint64_t *brief)
{
	const struct folio *folio = folio_get(berth->table, id);
	const struct past *past = &berth->pasts[id];
	uint32_t at = past->long_at;
	uint64_t count = berth_count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	*lasting += count << folio->order;
	at = past->short_at;
	count = berth_count_at(past->short_count, &at, berth->now, berth->half[SHORT]);
	*brief += count << folio->order;
}

bool berth_is_above_chance(struct berth *berth, const struct unit *unit)
{
	/* Where most are seen each time, dozens of rounds would not tell: those that are not seen
	 * stand out. */
	if (berth->unwatched <= WATCHED || berth->chance >= CHANCE_ONE / 4 * 3)
		return true;
	uint64_t age = berth->now - berth->pasts[unit->id].born + 1, lasting = 0, brief = 0;
	uint64_t rounds = MIN(age, (uint64_t)berth->half[LONG] * 3 / 2);
	uint64_t brief_rounds = MIN(age, (uint64_t)berth->half[SHORT] * 3 / 2);
	for (uint32_t i = 0; i < unit->nr_pages; i += unit->step) {
		uint32_t id = berth_member(berth, unit, i);
		if (id != FOLIO_NONE)
			add_counts(berth, id, &lasting, &brief);
	}
	uint64_t nr = unit->nr_pages;
	uint32_t told = berth_told_of(berth, unit);
	if (told != TOLD_NOTHING && is_above(berth, nr * RATE_ONE * told / TOLD_ONE, nr, DOUBT_ONE))
		return true;
	if (is_above(berth, lasting, rounds * nr, DOUBT_ONE) ||
	    is_above(berth, brief, brief_rounds * nr, DOUBT_ONE))
		return true;
	return brief >= nr * TWICE && is_above(berth, brief, brief_rounds * nr, berth->doubt);
}
