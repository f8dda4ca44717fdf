/* SPDX-License-Identifier: MIT */
/*
 * berth: the least valued of fast memory, nearly in order.
 *
 *     bins, two per octave of worth:   [0] id id id   [1] id   ...   [127]
 *                                       ^ popped first; worth anew when popped, and pushed back
 *                                         when it has grown by more than a bin
 *
 * A bin that is full takes no more: the sweep comes by again. Cost: O(1) per push, one value per
 * pop; 4 MiB at most.
 */
#include "policy/memory/berth_state.h"

static unsigned bin_of(const struct berth *berth, uint32_t id, uint64_t worth)
{
	return MIN(berth_half_octave(worth + berth_surcharge(berth, id)), NR_BINS - 1);
}

void berth_push_victim(struct berth *berth, uint32_t id, uint64_t worth)
{
	struct bin *bin = &berth->bins[bin_of(berth, id, worth)];
	struct folio *folio = folio_get(berth->table, id);
	if (folio->bits & FOLIO_MARK)
		return;
	if (bin->nr >= berth->bin_room)
		return;
	folio->bits |= FOLIO_MARK;
	bin->ids[bin->nr++] = id;
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

/* lowest valued fast folio, FOLIO_NONE when none is known */
uint32_t berth_pop_victim(struct berth *berth, uint64_t worth[NR_HORIZONS])
{
	for (unsigned i = 0; i < NR_BINS; i++) {
		struct bin *bin = &berth->bins[i];
		while (bin->nr > 0) {
			uint32_t id = bin->ids[--bin->nr];
			if (!folio_is_used(berth->table, id))
				continue;
			struct folio *folio = folio_get(berth->table, id);
			folio->bits &= ~(unsigned)FOLIO_MARK & 63u;
			if (!room_is_fast(berth->machine, folio->node) ||
			    folio->bits & FOLIO_MOVING)
				continue;
			if (berth_is_settling(berth, id))
				continue;
			berth_worth_of(berth, id, worth);
			if (bin_of(berth, id, worth[LONG]) <= i + 1)
				return id;
			berth_push_victim(berth, id, worth[LONG]);
		}
	}
	return FOLIO_NONE;
}
