/* SPDX-License-Identifier: MIT */
/* The tally per page; see tally.h. */
#include "mem/tally.h"

#include <stdlib.h>
#include <string.h>

#include "mem/key.h"

#define FIRST_BITS 12

int tally_init(struct tally *tally, uint32_t max_units)
{
	*tally = (struct tally){ .max = max_units, .index_bits = FIRST_BITS };
	tally->size = MIN(max_units, UINT32_C(1) << (FIRST_BITS - 1));
	tally->units = malloc(tally->size * sizeof(*tally->units));
	tally->index = calloc((size_t)1 << FIRST_BITS, sizeof(*tally->index));
	if (tally->units && tally->index)
		return 0;
	tally_fini(tally);
	return -ENOMEM;
}

void tally_fini(struct tally *tally)
{
	free(tally->units);
	free(tally->index);
	*tally = (struct tally){ 0 };
}

/* The slot that holds `key`, or the empty one where it belongs. At most half the slots are used. */
static uint32_t *find_slot(const struct tally *tally, uint64_t key)
{
	uint32_t mask = (UINT32_C(1) << tally->index_bits) - 1;
	uint32_t at = mem_hash(key, tally->index_bits);
	while (tally->index[at] && tally->units[tally->index[at] - 1].key != key)
		at = (at + 1) & mask;
	return &tally->index[at];
}

static int grow(struct tally *tally)
{
	uint32_t size = MIN(tally->size * 2, tally->max);
	struct tally_unit *units = realloc(tally->units, size * sizeof(*units));
	if (!units)
		return -ENOMEM;
	tally->units = units;
	uint32_t *index = calloc((size_t)2 << tally->index_bits, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(tally->index);
	tally->index = index;
	tally->index_bits++;
	tally->size = size;
	for (uint32_t i = 0; i < tally->nr; i++)
		*find_slot(tally, tally->units[i].key) = i + 1;
	return 0;
}

static uint32_t add_saturated(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

static void merge(struct tally_unit *into, const struct tally_unit *from)
{
	if (from->count > into->count)
		into->region = from->region;
	into->count = add_saturated(into->count, from->count);
	into->nr_touched = MAX(into->nr_touched, from->nr_touched);
	into->first_interval = MIN(into->first_interval, from->first_interval);
	if (into->last_interval == UINT32_MAX ||
	    (from->last_interval != UINT32_MAX && from->last_interval > into->last_interval))
		into->last_interval = from->last_interval;
}

/* Units become twice as large, in place: a unit moves only towards the front. */
static void coarsen(struct tally *tally)
{
	tally->shift++;
	memset(tally->index, 0, sizeof(*tally->index) << tally->index_bits);
	uint64_t mask = ~(((uint64_t)1 << tally->shift) - 1);
	uint32_t nr = tally->nr;
	tally->nr = 0;
	for (uint32_t i = 0; i < nr; i++) {
		struct tally_unit unit = tally->units[i];
		unit.key &= mask;
		uint32_t *slot = find_slot(tally, unit.key);
		if (*slot) {
			merge(&tally->units[*slot - 1], &unit);
		} else {
			tally->units[tally->nr++] = unit;
			*slot = tally->nr;
		}
	}
}

struct tally_unit *tally_get(struct tally *tally, uint64_t key)
{
	for (;;) {
		uint64_t unit_key = key & ~(((uint64_t)1 << tally->shift) - 1);
		uint32_t *slot = find_slot(tally, unit_key);
		if (*slot)
			return &tally->units[*slot - 1];
		if (tally->nr < tally->size) {
			struct tally_unit *unit = &tally->units[tally->nr++];
			*slot = tally->nr;
			*unit = (struct tally_unit){ .key = unit_key,
						     .last_interval = UINT32_MAX,
						     .region = UINT32_MAX };
			return unit;
		}
		if (tally->size < tally->max) {
			if (grow(tally))
				return NULL;
		} else {
			coarsen(tally); /* ends: at shift 48 one unit a space is left */
		}
	}
}

bool tally_is_valid(const struct tally *tally)
{
	uint64_t mask = ((uint64_t)1 << tally->shift) - 1;
	for (uint32_t i = 0; i < tally->nr; i++)
		if ((tally->units[i].key & mask) != 0 ||
		    *find_slot(tally, tally->units[i].key) != i + 1)
			return false;
	return tally->nr <= tally->size && tally->size <= tally->max;
}
