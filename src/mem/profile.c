/* SPDX-License-Identifier: MIT */
/* The pass over a recording; the picture of its parts is in profile.h. */
#include "mem/profile.h"

#include <stdlib.h>
#include <string.h>

#include "mem/key.h"

/* Imports know no interval: 1 ms, or for a short recording a round number of which there are at
 * least a hundred. */
static uint64_t interval_of(const struct trace_info *info)
{
	static const uint64_t steps[] = { 5, 2, 1 };
	if (info->interval_ns)
		return info->interval_ns;
	if (!info->duration_ns)
		return PROFILE_INTERVAL_DEFAULT_NS;
	for (uint64_t unit = PROFILE_INTERVAL_DEFAULT_NS; unit; unit /= 10)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
			if (steps[i] * unit <= PROFILE_INTERVAL_DEFAULT_NS &&
			    steps[i] * unit * 100 <= info->duration_ns)
				return steps[i] * unit;
	return 1;
}

int profile_new(const struct trace_info *info, struct profile **ret)
{
	struct profile *profile = calloc(1, sizeof(*profile));
	if (!profile)
		return -ENOMEM;
	uint32_t precise = TRACE_STREAM_TOUCHES | TRACE_STREAM_ALL | TRACE_STREAM_COUNTS;
	profile->page_bytes = info->page_bytes;
	profile->interval_ns = interval_of(info);
	profile->interval_end_ns = profile->interval_ns;
	profile->is_samples = (info->streams & ~(uint32_t)TRACE_STREAM_NODES) ==
			      TRACE_STREAM_SAMPLES;
	profile->counts_misses_only = !(info->streams & precise) && !profile->is_samples;
	profile->order_unknown = info->streams & TRACE_STREAM_COUNTS;
	if (profile->is_samples)
		profile->measure = PROFILE_HITS;
	else if (info->streams & TRACE_STREAM_MISSES ||
		 (info->streams & TRACE_STREAM_ALL && info->cache.size_bytes))
		profile->measure = PROFILE_MISSES;
	else
		profile->measure = PROFILE_ACCESSES;
	if (tally_init(&profile->tally, TALLY_MAX_UNITS) ||
	    grid_init(&profile->grid, GRID_MAX_BLOCKS)) {
		profile_free(profile);
		return -ENOMEM;
	}
	*ret = profile;
	return 0;
}

struct profile *profile_free(struct profile *profile)
{
	if (!profile)
		return NULL;
	for (uint32_t i = 0; i < profile->nr_regions; i++)
		free(profile->regions[i].name);
	free(profile->regions);
	free(profile->snapshot);
	regions_fini(&profile->names);
	tally_fini(&profile->tally);
	grid_fini(&profile->grid);
	free(profile);
	return NULL;
}

void profile_fit_time(struct profile *profile, uint64_t interval)
{
	while (interval >> profile->grid.bin_shift >= GRID_BINS) {
		grid_halve_time(&profile->grid);
		workingset_halve_time(&profile->workingset);
	}
}

/* Intervals [from, to) in which nothing was touched. */
static void add_quiet(struct profile *profile, uint64_t from, uint64_t to)
{
	unsigned shift = profile->grid.bin_shift;
	while (from < to) {
		uint64_t end = ((from >> shift) + 1) << shift;
		end = end > from ? MIN(to, end) : to; /* it wraps in the last bin of all time */
		workingset_add(&profile->workingset, (unsigned)(from >> shift), 0, end - from);
		from = end;
	}
}

/* Closes the current interval, and begins the one that holds time_ns. */
static void advance(struct profile *profile, uint64_t time_ns)
{
	uint64_t next = time_ns / profile->interval_ns;
	profile_fit_time(profile, next);
	workingset_add(&profile->workingset,
		       (unsigned)(profile->interval >> profile->grid.bin_shift),
		       profile->touched_now, 1);
	add_quiet(profile, profile->interval + 1, next);
	profile->touched_now = 0;
	profile->interval = next;
	profile->interval_end_ns = time_ns - time_ns % profile->interval_ns + profile->interval_ns;
	if (profile->interval_end_ns < profile->interval_ns)
		profile->interval_end_ns = UINT64_MAX;
}

/* The first event on a unit in this interval. */
static int touch(struct profile *profile, struct tally_unit *unit, uint64_t key)
{
	unsigned bin = (unsigned)(profile->interval >> profile->grid.bin_shift);
	uint64_t pages = (uint64_t)1 << profile->tally.shift;
	uint32_t interval = (uint32_t)MIN(profile->interval, (uint64_t)UINT32_MAX - 1);
	if (unit->last_interval == UINT32_MAX) {
		unit->first_interval = interval;
		profile->workingset.bins[bin].new_pages += pages;
	}
	unit->last_interval = interval;
	unit->nr_touched++;
	unit->region = regions_find(&profile->names, key);
	profile->touched_now += pages;
	uint32_t space = MIN(mem_key_space(key), (uint32_t)PROFILE_MAX_SPACES - 1);
	int error = 0;
	struct grid_block *block = grid_block_get(
		&profile->grid, mem_key(space, key & MEM_PAGE_MASK), true, &error);
	if (!block)
		return error;
	grid_use_bin(&profile->grid, bin);
	block->cells[bin].heat += (double)pages;
	return 0;
}

/* One page seen `count` times at time_ns. */
static inline int add_page(struct profile *profile, struct tally_unit **unit, uint64_t key,
			   uint64_t time_ns, uint32_t count)
{
	if (unlikely(time_ns >= profile->interval_end_ns) && time_ns != UINT64_MAX)
		advance(profile, time_ns);
	uint64_t unit_key = key & ~(((uint64_t)1 << profile->tally.shift) - 1);
	if (!*unit || (*unit)->key != unit_key) {
		*unit = tally_get(&profile->tally, key);
		if (!*unit)
			return -ENOMEM;
	}
	uint32_t sum = (*unit)->count + count;
	(*unit)->count = likely(sum >= count) ? sum : UINT32_MAX;
	if (unlikely((*unit)->last_interval !=
		     (uint32_t)MIN(profile->interval, (uint64_t)UINT32_MAX - 1)))
		return touch(profile, *unit, key);
	return 0;
}

static int add_accesses(struct profile *profile, const struct trace_batch *batch)
{
	uint8_t wanted = profile->measure == PROFILE_MISSES ? TRACE_MISS : 0;
	struct tally_unit *unit = NULL;
	for (uint32_t i = 0; i < batch->nr; i++) {
		uint32_t count = !wanted || (batch->flags[i] & wanted);
		int error = add_page(profile, &unit, mem_key(batch->space, batch->page[i]),
				     batch->time_ns[i], count);
		if (error)
			return error;
	}
	return 0;
}

static int add_counts(struct profile *profile, const struct trace_batch *batch)
{
	struct tally_unit *unit = NULL;
	for (uint32_t i = 0; i < batch->nr; i++) {
		uint64_t count = (uint64_t)batch->loads[i] + batch->stores[i];
		int error = add_page(profile, &unit, mem_key(batch->space, batch->page[i]),
				     batch->time_ns[i], (uint32_t)MIN(count, UINT32_MAX));
		if (error)
			return error;
	}
	return 0;
}

static int add_mappings(struct profile *profile, const struct trace_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		int error = regions_add(&profile->names, &batch->mappings[i]);
		if (error)
			return error;
	}
	return 0;
}

int profile_add(struct profile *profile, const struct trace_batch *batch)
{
	if (!batch->nr)
		return 0;
	if (batch->kind == TRACE_ACCESSES || batch->kind == TRACE_COUNTS ||
	    batch->kind == TRACE_SAMPLES) {
		profile->nr_events += batch->nr;
		profile->end_ns = MAX(profile->end_ns, batch->time_ns[batch->nr - 1]);
	}
	switch (batch->kind) {
	case TRACE_ACCESSES:
		return add_accesses(profile, batch);
	case TRACE_COUNTS:
		return add_counts(profile, batch);
	case TRACE_SAMPLES:
		return profile->is_samples ? profile_add_samples(profile, batch) : 0;
	case TRACE_MAPPINGS:
		return add_mappings(profile, batch);
	case TRACE_BLOCKED:
		for (uint32_t i = 0; i < batch->nr; i++)
			profile->blocked_ns += batch->blocked_ns[i];
		return 0;
	default:
		return 0;
	}
}

void profile_close_time(struct profile *profile, uint64_t duration_ns)
{
	if (!profile->nr_events)
		return;
	uint64_t end = duration_ns ? duration_ns - 1 : 0;
	if (end >= profile->interval_end_ns && end != UINT64_MAX)
		advance(profile, end);
	profile_fit_time(profile, profile->interval);
	workingset_add(&profile->workingset,
		       (unsigned)(profile->interval >> profile->grid.bin_shift),
		       profile->touched_now, 1);
	profile->nr_intervals = profile->interval + 1;
}
