/* SPDX-License-Identifier: MIT */
/*
 * berth: large folios, which move as one.
 *
 *     pages (berth->table)     p p p p p p p p p p p ...   each with its history and its worth
 *     large folios             [ 512 of them           ]   known from the order of samples
 *                                 |
 *     slow: all of it, where its pages together earn more than what they replace and the move,
 *           or one page, where that alone earns more: it leaves the folio, which is split for it,
 *           or nothing
 *     fast: given up whole, and worth what its pages are worth together
 *
 * One accessed bit serves 512 pages, and a program that uses one of them keeps all of them in fast
 * memory. Faults and hardware samples name the page, so pages keep histories of their own: a hot
 * one in a cold folio stands out, and what it alone would earn is weighed against the split.
 *
 * A split costs the program more than the move: the mapping of 512 pages is written anew, 40 ns an
 * entry (docs/cost-model.md, `walk`), and the translation that served them all is gone.
 *
 * Folios of less than 2 MiB count as pages; of more, as several of 2 MiB.
 *
 * As long as nothing names a page of it, all that is known of a large folio is how large a part of
 * it is used. So it has 16 records instead of 512, of 32 pages each; as many of them count as used
 * as that part says, others each time. When a sample names a page, or the folio is no more, each
 * page gets the record that was its 32 pages'. A large folio that was put together from pages that
 * are known keeps the records of these.
 *
 * Cost: 60 bytes per large folio and 28 + 28 for each of its records; its worth takes 16 or 512
 * values, once per folio and round.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/memory/berth_state.h"

#define SPLIT_PS (MOVE_PS + LARGE_PAGES * UINT64_C(40000))

static uint64_t head_of(uint64_t page)
{
	return page & ~(uint64_t)(LARGE_PAGES - 1);
}

/* Pages are mostly asked for in their order, hundreds of one folio: the last answer is kept. */
static uint32_t find_large(struct berth *berth, uint32_t space, uint64_t page)
{
	struct large_found *found = &berth->large_found;
	if (folio_nr(berth->larges) == 0)
		return FOLIO_NONE;
	if (!found->is_good || found->page != head_of(page) || found->space != space)
		*found = (struct large_found){
			.page = head_of(page),
			.space = space,
			.id = folio_find(berth->larges, space, head_of(page), LARGE_ORDER),
			.is_good = true,
		};
	return found->id;
}

struct folio *berth_large_at(struct berth *berth, uint32_t space, uint64_t page)
{
	uint32_t id = find_large(berth, space, page);
	return id == FOLIO_NONE ? NULL : folio_get(berth->larges, id);
}

struct folio *berth_large_of(struct berth *berth, const struct unit *unit)
{
	return unit->nr_pages == 1 ? NULL : berth_large_at(berth, unit->space, unit->page);
}

/* Of the policy's own bits of a large folio: samples named pages of it; or told how many of its
 * pages are used in a window, which is what is known of all of them. */
#define HAS_NAMED_PAGES (1u << 3)
#define HAS_TOLD_SHARE	(1u << 4)
#define IS_WIDE		(1u << 5) /* its records stand for WIDE_PAGES each */

unsigned berth_order_at(struct berth *berth, uint32_t space, uint64_t page)
{
	const struct folio *large = berth_large_at(berth, space, page);
	return large && large->bits & IS_WIDE ? WIDE_ORDER : 0;
}

static void narrow_record(struct berth *berth, uint32_t id)
{
	struct folio wide = *folio_get(berth->table, id);
	struct past past = berth->pasts[id];
	berth_del_record(berth, id);
	for (uint64_t i = 0; i < WIDE_PAGES; i++) {
		id = berth_add_record(berth, wide.space, wide.page + i, 0);
		if (id == FOLIO_NONE)
			return;
		struct folio *folio = folio_get(berth->table, id);
		folio->seen = wide.seen;
		folio->heat = wide.heat;
		folio->node = wide.node;
		folio->bits = wide.bits & ~(unsigned)FOLIO_MARK & 63u;
		berth->nr_moving += (folio->bits & FOLIO_MOVING) != 0;
		berth->pasts[id] = past;
	}
}

void berth_narrow(struct berth *berth, uint32_t space, uint64_t page)
{
	struct folio *large = berth_large_at(berth, space, page);
	if (!large || !(large->bits & IS_WIDE))
		return;
	for (uint64_t i = 0; i < LARGE_PAGES; i += WIDE_PAGES) {
		uint32_t id = folio_find(berth->table, space, large->page + i, WIDE_ORDER);
		if (id != FOLIO_NONE)
			narrow_record(berth, id);
	}
	large->bits &= ~IS_WIDE & 63u;
}

static void drop_large(struct berth *berth, uint32_t space, uint64_t page)
{
	uint32_t id = find_large(berth, space, page);
	if (id == FOLIO_NONE)
		return;
	folio_del(berth->larges, id);
	berth->large_found.is_good = false;
}

void berth_forget_large(struct berth *berth, uint32_t space, uint64_t page)
{
	berth_narrow(berth, space, page);
	drop_large(berth, space, page);
}

static void forget_record(struct berth *berth, uint32_t id)
{
	if (berth->pasts[id].trial_class != CLASS_NONE)
		berth_close_trial(berth, id, &berth->pasts[id]);
	berth_del_record(berth, id);
}

void berth_forget(struct berth *berth, uint32_t id)
{
	struct unit unit = berth_unit_of(berth, id);
	if (unit.step == 1)
		forget_record(berth, id);
	for (uint32_t i = 0; unit.step > 1 && i < unit.nr_pages; i += unit.step) {
		uint32_t member = berth_member(berth, &unit, i);
		if (member != FOLIO_NONE)
			forget_record(berth, member);
	}
	drop_large(berth, unit.space, unit.page);
}

static bool has_records(const struct berth *berth, uint32_t space, uint64_t head)
{
	for (uint64_t i = 0; i < LARGE_PAGES; i++)
		if (folio_find(berth->table, space, head + i, 0) != FOLIO_NONE)
			return true;
	return false;
}

/* NULL: out of memory. */
static struct large_past *large_past_at(struct berth *berth, uint32_t id)
{
	if (id >= berth->max_large_pasts) {
		uint32_t max = MAX(berth->max_large_pasts * 2, MAX(id + 1, 64));
		struct large_past *pasts = realloc(berth->large_pasts, max * sizeof(*pasts));
		if (!pasts)
			return NULL;
		memset(pasts + berth->max_large_pasts, 0,
		       (max - berth->max_large_pasts) * sizeof(*pasts));
		berth->large_pasts = pasts;
		berth->max_large_pasts = max;
	}
	return &berth->large_pasts[id];
}

/* NULL: it is not a large folio, or out of memory. */
static struct large_past *past_of_large(struct berth *berth, const struct unit *unit)
{
	uint32_t id = unit->nr_pages == 1 ? FOLIO_NONE : find_large(berth, unit->space, unit->page);
	return id == FOLIO_NONE ? NULL : large_past_at(berth, id);
}

/* All of it is where one page of it was seen. */
static void take_along(struct berth *berth, const struct folio *large)
{
	unsigned order = large->bits & IS_WIDE ? WIDE_ORDER : 0;
	for (uint64_t i = 0; i < LARGE_PAGES; i += (uint64_t)1 << order) {
		uint32_t id = folio_find(berth->table, large->space, large->page + i, order);
		if (id != FOLIO_NONE)
			folio_get(berth->table, id)->node = large->node;
	}
}

static void note_share(struct berth *berth, struct folio *large, const struct sample *sample)
{
	struct large_past *past = large_past_at(berth,
						find_large(berth, sample->space, large->page));
	if (sample->checks > 1)
		large->bits |= HAS_TOLD_SHARE;
	if (!past || sample->checks == 0)
		return;
	past->told_at = berth->now;
	past->share = (uint32_t)((uint64_t)MIN(sample->hits, sample->checks) * TOLD_ONE /
				 sample->checks);
}

static void note_large(struct berth *berth, const struct sample *sample, uint64_t page)
{
	uint32_t space = sample->space, node = sample->node;
	struct folio *large = berth_large_at(berth, space, page);
	uint32_t id;
	if (!large) {
		if (folio_add(berth->larges, space, head_of(page), LARGE_ORDER, &id))
			return;
		berth->large_found.is_good = false;
		large = folio_get(berth->larges, id);
		large->seen = berth->now - 1;
		if (sample->kind == SAMPLE_HITS && !has_records(berth, space, head_of(page)))
			large->bits |= IS_WIDE;
	}
	if (sample->kind != SAMPLE_HITS)
		large->bits |= HAS_NAMED_PAGES;
	else
		note_share(berth, large, sample);
	if (node == SAMPLE_NONE || large->node == node)
		return;
	large->node = (uint16_t)node;
	take_along(berth, large);
}

void berth_note_order(struct berth *berth, const struct sample *sample)
{
	if (sample->order == SAMPLE_NO_ORDER)
		return;
	bool is_large = sample->order >= LARGE_ORDER;
	if (!is_large && folio_nr(berth->larges) == 0)
		return;
	uint64_t end = sample->page + MIN(sample->nr_pages, RANGE_PAGES_MAX);
	for (uint64_t page = head_of(sample->page); page < end; page += LARGE_PAGES) {
		if (is_large)
			note_large(berth, sample, page);
		else
			berth_forget_large(berth, sample->space, page);
	}
}

struct unit berth_unit_of(struct berth *berth, uint32_t id)
{
	const struct folio *folio = folio_get(berth->table, id);
	bool is_large = berth_large_at(berth, folio->space, folio->page) != NULL;
	return (struct unit){ .id = id,
			      .space = folio->space,
			      .page = is_large ? head_of(folio->page) : folio->page,
			      .nr_pages = is_large ? LARGE_PAGES : 1,
			      .step = 1u << folio->order };
}

uint32_t berth_member(const struct berth *berth, const struct unit *unit, uint32_t i)
{
	if (unit->nr_pages == 1)
		return unit->id;
	return folio_find(berth->table, unit->space, unit->page + i,
			  unit->step == 1 ? 0 : WIDE_ORDER);
}

uint32_t berth_told_of(struct berth *berth, const struct unit *unit)
{
	const struct folio *large = berth_large_of(berth, unit);
	if (!large || !(large->bits & HAS_TOLD_SHARE))
		return TOLD_NOTHING;
	const struct large_past *past = past_of_large(berth, unit);
	return past && past->told_at == berth->now ? past->share : 0;
}

uint32_t berth_value_lasting(struct berth *berth, struct unit *unit)
{
	uint32_t told = berth_told_of(berth, unit);
	uint32_t best = unit->id;
	uint64_t most = 0;
	unit->worth[LONG] = 0;
	for (uint32_t i = 0; i < unit->nr_pages; i += unit->step) {
		uint32_t id = berth_member(berth, unit, i);
		if (id == FOLIO_NONE)
			continue;
		uint64_t worth = berth_lasting_worth_of(berth, id, told);
		unit->worth[LONG] += worth * unit->step;
		best = worth > most ? id : best;
		most = MAX(most, worth);
	}
	return best;
}

static void add_up(struct berth *berth, struct unit *unit)
{
	uint32_t told = berth_told_of(berth, unit);
	unit->worth[SHORT] = unit->worth[LONG] = 0;
	for (uint32_t i = 0; i < unit->nr_pages; i += unit->step) {
		uint32_t id = berth_member(berth, unit, i);
		uint64_t worth[NR_HORIZONS];
		if (id == FOLIO_NONE)
			continue;
		berth_worth_of(berth, id, told, worth);
		unit->worth[SHORT] += worth[SHORT] * unit->step;
		unit->worth[LONG] += worth[LONG] * unit->step;
	}
}

void berth_value_unit(struct berth *berth, struct unit *unit)
{
	struct large_past *kept = past_of_large(berth, unit);
	bool is_kept = kept && kept->at == berth->now && kept->page == unit->page;
	if (is_kept)
		memcpy(unit->worth, kept->worth, sizeof(kept->worth));
	else
		add_up(berth, unit);
	if (!kept || is_kept)
		return;
	kept->at = berth->now;
	kept->page = unit->page;
	memcpy(kept->worth, unit->worth, sizeof(kept->worth));
}

/* The fixed part is paid once, however many pages move. */
uint64_t berth_cost_of_unit(const struct berth *berth, const struct unit *unit, uint64_t per_page)
{
	uint64_t copies = (per_page - MOVE_PS) * unit->nr_pages;
	return berth_cost_of(berth, unit->id, MOVE_PS + copies) + (unit->is_split ? SPLIT_PS : 0);
}

static int64_t earns(const struct berth *berth, const struct unit *unit)
{
	uint64_t cost = berth_cost_of_unit(berth, unit, berth->promote_ps);
	return (int64_t)unit->worth[LONG] - (int64_t)(cost + berth->replaced_ps * unit->nr_pages);
}

void berth_choose_part(struct berth *berth, struct unit *unit)
{
	uint32_t best = berth_value_lasting(berth, unit);
	const struct folio *large = berth_large_of(berth, unit);
	if (!large || !(large->bits & HAS_NAMED_PAGES))
		return; /* one bit says nothing of any page, and chance makes some look better */
	const struct folio *folio = folio_get(berth->table, best);
	struct unit part = { .id = best,
			     .space = folio->space,
			     .page = folio->page,
			     .nr_pages = 1,
			     .step = 1,
			     .is_split = true };
	part.worth[LONG] = berth_lasting_worth_of(berth, best, TOLD_NOTHING);
	int64_t all = earns(berth, unit), one = earns(berth, &part);
	if (one > all && one > 0)
		*unit = part;
}

/* A folio is looked at once per round, by whichever of its pages comes first. */
bool berth_is_first_look(struct berth *berth, const struct unit *unit)
{
	struct folio *large = berth_large_of(berth, unit);
	if (!large)
		return true;
	if (large->seen == berth->now)
		return false;
	large->seen = berth->now;
	return true;
}
