/* SPDX-License-Identifier: MIT */
/* Round trips; trips.h says what they are. */
#include "sim/kernel/trips.h"

#include <stdlib.h>

#include "sim/kernel.h"

/* Out of memory: what cannot be noted is not counted. */
static bool has_room(struct trips *trips, uint32_t nr_pages)
{
	if (nr_pages <= trips->nr_pages)
		return true;
	struct trip *of = realloc(trips->of, (size_t)nr_pages * sizeof(*of));
	if (!of)
		return false;
	for (uint32_t i = trips->nr_pages; i < nr_pages; i++)
		of[i] = (struct trip){ .from = KERNEL_NOWHERE };
	trips->of = of;
	trips->nr_pages = nr_pages;
	return true;
}

static bool is_way_back(const struct machine *machine, uint32_t came_from, uint32_t from,
			uint32_t to)
{
	const struct machine_node *nodes = machine->nodes;
	return to == came_from ||
	       (nodes[to].tier == nodes[came_from].tier && nodes[to].tier != nodes[from].tier);
}

bool trips_note(struct kernel *kernel, uint32_t page, uint32_t from, uint32_t to)
{
	if (!has_room(&kernel->trips, kernel->nr_pages))
		return false;
	struct trip *last = &kernel->trips.of[page];
	uint32_t now_ms = (uint32_t)(kernel->now_ns / NS_PER_MS);
	bool is_trip = last->from != KERNEL_NOWHERE &&
		       is_way_back(kernel->cost->machine, last->from, from, to) &&
		       now_ms - last->when_ms < TRIPS_WINDOW_NS / NS_PER_MS;
	*last = (struct trip){ now_ms, (uint16_t)from };
	return is_trip;
}

void trips_forget(struct trips *trips, uint32_t page)
{
	if (page < trips->nr_pages)
		trips->of[page].from = KERNEL_NOWHERE;
}

void trips_fini(struct trips *trips)
{
	free(trips->of);
	*trips = (struct trips){ 0 };
}
