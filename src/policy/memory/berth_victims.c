/* SPDX-License-Identifier: MIT */
/*
 * berth: the least valued of fast memory, nearly in order.
 *
 *     bins, two per octave of worth:   [0] id id id   [1] id   ...   [127]
 *                                       ^ popped first; worth anew when popped, and pushed back
 *                                         when it has grown by more than a bin
 *
 * Each is a stack of blocks of 255 ids; an empty block goes to whichever bin needs one next.
 *
 * A bin that is full takes no more: the sweep comes by again. What has cooled since it was pushed
 * stays above what is worth more, until those below are gone or all are looked for anew. Cost: O(1)
 * per push, one value per pop; 4 bytes for each page of fast memory, 128 KiB for blocks that are
 * not full.
 */
#include <stdlib.h>

#include "policy/memory/berth_state.h"

#define NO_BLOCK     UINT32_MAX
#define BLOCKS_FIRST 64

static unsigned bin_of(const struct berth *berth, const struct unit *unit)
{
	uint64_t worth = unit->worth[LONG] / unit->nr_pages; /* by the page */
	return MIN(berth_half_octave(worth + berth_surcharge(berth, unit->id)), NR_BINS - 1);
}

/* A large folio is marked as one. */
static struct folio *marked_of(struct berth *berth, const struct unit *unit)
{
	struct folio *large = berth_large_of(berth, unit);
	return large ? large : folio_get(berth->table, unit->id);
}

/* NO_BLOCK: out of memory. */
static uint32_t take_block(struct berth *berth)
{
	uint32_t block = berth->free_bin_block;
	if (block < berth->nr_bin_blocks) {
		berth->free_bin_block = berth->bin_blocks[block].below;
		return block;
	}
	if (berth->nr_bin_blocks == berth->max_bin_blocks) {
		uint32_t max = MAX(berth->max_bin_blocks * 2, BLOCKS_FIRST);
		struct bin_block *blocks = realloc(berth->bin_blocks, max * sizeof(*blocks));
		if (!blocks)
			return NO_BLOCK;
		berth->bin_blocks = blocks;
		berth->max_bin_blocks = max;
	}
	berth->free_bin_block = NO_BLOCK;
	return berth->nr_bin_blocks++;
}

static bool push(struct berth *berth, struct bin *bin, uint32_t id)
{
	uint32_t at = bin->nr % BIN_BLOCK_IDS;
	if (at == 0) {
		uint32_t block = take_block(berth);
		if (block == NO_BLOCK)
			return false;
		berth->bin_blocks[block].below = bin->top;
		bin->top = block;
	}
	berth->bin_blocks[bin->top].ids[at] = id;
	bin->nr++;
	return true;
}

static uint32_t pop(struct berth *berth, struct bin *bin)
{
	uint32_t at = --bin->nr % BIN_BLOCK_IDS, top = bin->top;
	uint32_t id = berth->bin_blocks[top].ids[at];
	if (at == 0) {
		bin->top = berth->bin_blocks[top].below;
		berth->bin_blocks[top].below = berth->free_bin_block;
		berth->free_bin_block = top;
	}
	return id;
}

void berth_push_victim(struct berth *berth, const struct unit *unit)
{
	struct bin *bin = &berth->bins[bin_of(berth, unit)];
	struct folio *folio = marked_of(berth, unit);
	if (folio->bits & FOLIO_MARK)
		return;
	if (bin->nr < berth->bin_room && push(berth, bin, unit->id))
		folio->bits |= FOLIO_MARK;
}

/* As before the first was pushed. In the same round fast memory is then looked at as if it had not
 * been yet. */
void berth_drop_victims(struct berth *berth)
{
	uint32_t end = folio_id_end(berth->table);
	for (uint32_t id = 0; id < end; id++)
		folio_get(berth->table, id)->bits &= ~(unsigned)FOLIO_MARK & 63u;
	end = folio_id_end(berth->larges);
	for (uint32_t id = 0; id < end; id++) {
		struct folio *large = folio_get(berth->larges, id);
		large->bits &= ~(unsigned)FOLIO_MARK & 63u;
		if (large->seen == berth->now && room_is_fast(berth->machine, large->node))
			large->seen--;
	}
	for (unsigned i = 0; i < NR_BINS; i++)
		berth->bins[i].nr = 0;
	berth->nr_bin_blocks = 0;
	berth->free_bin_block = NO_BLOCK;
}

/* Just moved: going back would mostly make both moves vain, so only a few may. */
bool berth_is_settling(const struct berth *berth, uint32_t id)
{
	if (!berth_would_be_trip(berth, id))
		return false;
	uint64_t nr_trips = berth->nr_trips + berth->nr_trips_planned;
	return berth->now_ms - berth->pasts[id].moved_ms < REST_MS ||
	       nr_trips * MOVES_PER_TRIP >= berth->nr_moves;
}

/* The lowest valued of fast memory; false when none is known. */
bool berth_pop_victim(struct berth *berth, struct unit *ret)
{
	for (unsigned i = 0; i < NR_BINS; i++) {
		struct bin *bin = &berth->bins[i];
		while (bin->nr > 0) {
			uint32_t id = pop(berth, bin);
			if (!folio_is_used(berth->table, id))
				continue;
			struct folio *folio = folio_get(berth->table, id);
			struct unit unit = berth_unit_of(berth, id);
			marked_of(berth, &unit)->bits &= ~(unsigned)FOLIO_MARK & 63u;
			folio->bits &= ~(unsigned)FOLIO_MARK & 63u;
			if (!room_is_fast(berth->machine, folio->node) ||
			    folio->bits & FOLIO_MOVING)
				continue;
			if (berth_is_settling(berth, id))
				continue;
			berth_value_unit(berth, &unit);
			if (bin_of(berth, &unit) <= i + 1) {
				berth->replaced_ps = unit.worth[LONG] / unit.nr_pages;
				*ret = unit;
				return true;
			}
			berth_push_victim(berth, &unit);
		}
	}
	return false;
}
