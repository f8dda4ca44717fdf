/* SPDX-License-Identifier: MIT */
/* Snapshots out of records (damon_event.h). */
#include "linux/damon_event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const field_names[DAMON_NR_FIELDS] = {
	[DAMON_TARGET] = "target_id", [DAMON_START] = "start", [DAMON_END] = "end",
	[DAMON_HITS] = "nr_accesses", [DAMON_AGE] = "age",
};

int damon_events_find(const struct root *root, uint32_t page_bytes, struct damon_events *ret)
{
	struct damon_events events = { .page_bytes = page_bytes };
	for (int i = 0; i < DAMON_NR_FIELDS; i++)
		events.fields[i].name = field_names[i];
	int error = tracepoint_find(root, DAMON_EVENT, &events.number, events.fields,
				    DAMON_NR_FIELDS);
	if (!error)
		*ret = events;
	return error;
}

void damon_events_attr(const struct damon_events *events, struct perf_event_attr *ret)
{
	*ret = (struct perf_event_attr){
		.type = PERF_TYPE_TRACEPOINT,
		.config = events->number,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.wakeup_watermark = 0,
	};
}

static bool is_after(const struct damon_region *last, const struct damon_region *next)
{
	return next->target > last->target ||
	       (next->target == last->target && next->first >= last->end);
}

static void finish_growing(struct damon_events *events)
{
	struct damon_snapshot whole = events->growing;
	if (whole.nr == 0)
		return;
	events->growing = events->ready;
	events->growing.nr = 0;
	events->ready = whole;
	events->nr_snapshots++;
}

static void add_region(struct damon_events *events, const struct damon_region *region)
{
	struct damon_snapshot *growing = &events->growing;
	if (growing->nr > 0 && !is_after(&growing->items[growing->nr - 1], region))
		finish_growing(events);
	if (growing->nr == growing->max) {
		uint32_t max = growing->max ? growing->max * 2 : 1024;
		struct damon_region *items = max <= DAMON_REGIONS_MAX
						     ? realloc(growing->items, max * sizeof(*items))
						     : NULL;
		if (!items) {
			events->nr_dropped++;
			return;
		}
		growing->items = items;
		growing->max = max;
	}
	growing->items[growing->nr++] = *region;
}

/* Time, number of bytes, bytes: as the attributes ask for. */
bool damon_events_take(void *context, const struct perf_event_header *record)
{
	struct damon_events *events = context;
	const struct tracepoint_field *fields = events->fields;
	const uint8_t *at = (const void *)(record + 1);
	size_t left = record->size - sizeof(*record);
	struct damon_region region = { 0 };
	uint32_t nr_raw;
	if (record->type != PERF_RECORD_SAMPLE || left < sizeof(region.time_ns) + sizeof(nr_raw))
		return true;
	memcpy(&region.time_ns, at, sizeof(region.time_ns));
	at += sizeof(region.time_ns);
	memcpy(&nr_raw, at, sizeof(nr_raw));
	at += sizeof(nr_raw);
	left -= sizeof(region.time_ns) + sizeof(nr_raw);
	size_t nr = MIN(nr_raw, left);
	region.target = (uint32_t)tracepoint_value(&fields[DAMON_TARGET], at, nr);
	region.first = tracepoint_value(&fields[DAMON_START], at, nr) / events->page_bytes;
	region.end = tracepoint_value(&fields[DAMON_END], at, nr) / events->page_bytes;
	region.hits = (uint32_t)tracepoint_value(&fields[DAMON_HITS], at, nr);
	region.age = (uint32_t)tracepoint_value(&fields[DAMON_AGE], at, nr);
	if (region.end > region.first)
		add_region(events, &region);
	return true;
}

void damon_events_settle(struct damon_events *events, uint64_t now_ns, uint64_t quiet_ns)
{
	const struct damon_snapshot *growing = &events->growing;
	if (growing->nr > 0 && growing->items[growing->nr - 1].time_ns + quiet_ns <= now_ns)
		finish_growing(events);
}

void damon_events_clear(struct damon_events *events)
{
	events->ready.nr = events->growing.nr = 0;
}

void damon_events_fini(struct damon_events *events)
{
	free(events->ready.items);
	free(events->growing.items);
	*events = (struct damon_events){ 0 };
}
