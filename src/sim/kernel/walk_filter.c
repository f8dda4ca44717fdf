/* SPDX-License-Identifier: MIT */
/* Page tables worth an ageing walk; walk_filter.h has the picture and the sources. */
#include "sim/kernel/walk_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define ROOM_FIRST 256

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 31) * 0x9e3779b97f4a7c15u;
	value = (value ^ value >> 29) * 0xbf58476d1ce4e5b9u;
	return value ^ value >> 32;
}

static uint32_t key(uint64_t table, unsigned which)
{
	return (uint32_t)(mix(table) >> which * WALK_FILTER_BITS) & ((1 << WALK_FILTER_BITS) - 1);
}

static bool has_bit(const uint64_t *bits, uint32_t bit)
{
	return bits[bit / 64] >> bit % 64 & 1;
}

bool walk_filter_has(const struct walk_filter *filter, uint64_t seq, uint64_t table)
{
	const uint64_t *bits = filter->bits[seq % 2];
	if (!filter->is_known[seq % 2])
		return true;
	return has_bit(bits, key(table, 0)) && has_bit(bits, key(table, 1));
}

void walk_filter_add(struct walk_filter *filter, uint64_t seq, uint64_t table)
{
	for (unsigned i = 0; i < 2 && filter->is_known[seq % 2]; i++) {
		uint32_t bit = key(table, i);
		filter->bits[seq % 2][bit / 64] |= (uint64_t)1 << bit % 64;
	}
}

void walk_filter_reset(struct walk_filter *filter, uint64_t seq)
{
	memset(filter->bits[seq % 2], 0, sizeof(filter->bits[seq % 2]));
	filter->is_known[seq % 2] = true;
}

static uint32_t slot_of(const struct walk_counts *counts, uint64_t table)
{
	uint32_t slot = (uint32_t)mix(table) & (counts->room - 1);
	while (counts->nr_young[slot] && counts->tables[slot] != table)
		slot = (slot + 1) & (counts->room - 1);
	return slot;
}

static int widen(struct walk_counts *counts)
{
	uint32_t room = counts->room ? counts->room * 2 : ROOM_FIRST;
	struct walk_counts wider = { .room = room, .nr = counts->nr };
	wider.tables = calloc(room, sizeof(*wider.tables));
	wider.nr_young = calloc(room, sizeof(*wider.nr_young));
	if (!wider.tables || !wider.nr_young) {
		free(wider.tables);
		free(wider.nr_young);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < counts->room; i++) {
		if (counts->nr_young[i] == 0)
			continue;
		uint32_t slot = slot_of(&wider, counts->tables[i]);
		wider.tables[slot] = counts->tables[i];
		wider.nr_young[slot] = counts->nr_young[i];
	}
	free(counts->tables);
	free(counts->nr_young);
	*counts = wider;
	return 0;
}

int walk_counts_add(struct walk_counts *counts, uint64_t table)
{
	if (counts->nr * 2 >= counts->room && widen(counts))
		return -ENOMEM;
	uint32_t slot = slot_of(counts, table);
	counts->nr += counts->nr_young[slot] == 0;
	counts->tables[slot] = table;
	counts->nr_young[slot]++;
	return 0;
}

void walk_counts_fini(struct walk_counts *counts)
{
	free(counts->tables);
	free(counts->nr_young);
	*counts = (struct walk_counts){ 0 };
}

void walk_counts_finish(struct walk_counts *counts, struct walk_filter *filter, uint64_t seq)
{
	for (uint32_t i = 0; i < counts->room; i++)
		if (counts->nr_young[i] * WALK_SUITABLE_FROM >= WALK_TABLE_PAGES)
			walk_filter_add(filter, seq, counts->tables[i]);
	walk_counts_fini(counts);
}
