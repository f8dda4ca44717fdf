/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a ring of perf's records, and any text as a tracepoint's format: what is found lies
 * inside, in order, and the reader comes to its end. The first byte is where the tail stands, the
 * second how many eights lie before the head; text begins behind 512 bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/damon_event.h"

#define RING_BYTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct damon_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->nr; i++) {
		const struct damon_region *region = &snapshot->items[i], *last = region - 1;
		if (region->end <= region->first)
			abort();
		if (i > 0 && (region->target < last->target ||
			      (region->target == last->target && region->first < last->end)))
			abort();
	}
}

static void try_ring(struct damon_events *events, const uint8_t *data)
{
	static uint8_t whole[RING_RECORD_MAX] __attribute__((aligned(8)));
	uint64_t ring[RING_BYTES / 8];
	memcpy(ring, data + 2, sizeof(ring));
	struct ring_bytes bytes = { .data = (const uint8_t *)ring,
				    .nr_bytes = RING_BYTES,
				    .tail = (uint64_t)data[0] * 8,
				    .whole = whole };
	bytes.head = bytes.tail + MIN((uint64_t)data[1] * 8, RING_BYTES);
	ring_take(&bytes, damon_events_take, events);
	if (bytes.tail != bytes.head)
		abort(); /* it refuses nothing */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct damon_events events = {
		.fields = { { "target_id", 8, 8 },
			    { "start", 24, 8 },
			    { "end", 32, 8 },
			    { "nr_accesses", 40, 4 },
			    { "age", 44, 4 } },
		.page_bytes = 4096,
	};
	uint64_t number;
	if (size < RING_BYTES + 2 || size > 65536)
		return 0;
	char *text = strndup((const char *)data + RING_BYTES + 2, size - RING_BYTES - 2);
	if (text && tracepoint_parse(text, &number, events.fields, DAMON_NR_FIELDS) == 0)
		for (int i = 0; i < DAMON_NR_FIELDS; i++)
			if (events.fields[i].nr_bytes > 8 ||
			    events.fields[i].offset > TRACEPOINT_MAX_OFFSET)
				abort();
	free(text);
	for (int i = 0; i < DAMON_NR_FIELDS; i++)
		events.fields[i].nr_bytes = MAX(events.fields[i].nr_bytes, 4);
	for (int i = 0; i < 3; i++)
		try_ring(&events, data);
	check(&events.ready);
	check(&events.growing);
	damon_events_fini(&events);
	return 0;
}
