/* SPDX-License-Identifier: MIT */
/* Which pages to scout, and what their use means (scout.h): arithmetic only. */
#include "linux/scout.h"

#define CHUNK_SHIFT 9
#define ONE	    65536 /* of a share */

#define WINDOW_TIMES  2 /* what the check watched for */
#define WINDOW_MAX_NS NS_PER_S
#define ALARM_LEAST   2 /* of them */
#define SUSPICION     4 /* squares of deviations */
#define CERTAINTY     16

/* xorshift64: any start but 0. */
static uint64_t next_random(struct scout *scout)
{
	uint64_t x = scout->random ? scout->random : 0x9e3779b97f4a7c15u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return scout->random = x;
}

static void begin_chunk(struct scout *scout, uint32_t space, uint64_t number)
{
	scout->used = (struct scout_chunk){ .space = space, .number = number };
	scout->unused = scout->used;
	scout->nr_mapped = scout->nr_used = 0;
}

/* Of pages more than half of which were used while the check watched, as many are in the scouts'
 * window at least: 1 - 2^-(window / that time). */
static uint64_t least_of(uint64_t window_ns, uint64_t watched_ns)
{
	uint64_t times = window_ns / MAX(watched_ns, 1), rest_ns = window_ns % MAX(watched_ns, 1);
	uint64_t unused = times < 16 ? ONE >> times : 0;
	return ONE - unused + unused / 2 * (rest_ns / 1024) / MAX(watched_ns / 1024, 1);
}

void scout_begin(struct scout *scout, uint64_t watched_ns)
{
	scout->window_ns = MIN(WINDOW_TIMES * watched_ns, WINDOW_MAX_NS);
	for (unsigned i = 0; i < SCOUT_KINDS; i++) {
		struct scout_kind *kind = &scout->kinds[i];
		for (unsigned j = 0; j < SCOUT_CHUNKS; j++)
			kind->chunks[j].nr = 0;
		kind->nr_seen = kind->nr_odd = 0;
		kind->has_usual = false;
		kind->usual = i == SCOUT_HOT ? least_of(scout->window_ns, watched_ns) : ONE;
	}
	scout->cleared_ns = 0;
	begin_chunk(scout, UINT32_MAX, 0);
}

/* Each chunk of a kind has the same chance to be among those that are kept (reservoir sampling). */
static void keep(struct scout *scout, unsigned which, const struct scout_chunk *chunk)
{
	struct scout_kind *kind = &scout->kinds[which];
	uint64_t at = kind->nr_seen++;
	if (at >= SCOUT_CHUNKS)
		at = next_random(scout) % kind->nr_seen;
	if (at < SCOUT_CHUNKS)
		kind->chunks[at] = *chunk;
}

static void end_chunk(struct scout *scout)
{
	if (scout->nr_used * 2 > scout->nr_mapped && scout->used.nr == SCOUT_PAGES)
		keep(scout, SCOUT_HOT, &scout->used);
	else if (scout->unused.nr == SCOUT_PAGES)
		keep(scout, SCOUT_COLD, &scout->unused);
}

static void take(struct scout_chunk *chunk, uint64_t page)
{
	if (chunk->nr < SCOUT_PAGES)
		chunk->pages[chunk->nr++] = (uint16_t)(page & ((1u << CHUNK_SHIFT) - 1));
}

void scout_take(struct scout *scout, uint32_t space, uint64_t page, bool is_used, bool is_slow)
{
	uint64_t number = page >> CHUNK_SHIFT;
	if (scout->used.space != space || scout->used.number != number) {
		end_chunk(scout);
		begin_chunk(scout, space, number);
	}
	if (is_used)
		take(&scout->used, page);
	else if (is_slow)
		take(&scout->unused, page);
	scout->nr_used += is_used;
	scout->nr_mapped++;
}

void scout_end(struct scout *scout)
{
	end_chunk(scout);
	begin_chunk(scout, UINT32_MAX, 0);
}

void scout_begin_count(struct scout *scout)
{
	for (unsigned i = 0; i < SCOUT_KINDS; i++)
		scout->kinds[i].nr = scout->kinds[i].nr_used = 0;
}

void scout_count(struct scout *scout, unsigned kind, bool is_used)
{
	scout->kinds[kind].nr++;
	scout->kinds[kind].nr_used += is_used;
}

/* Apart by more than half of the usual count, and by so many deviations of the difference. */
static bool is_far(uint64_t usual, uint64_t now, uint64_t square)
{
	uint64_t apart = now > usual ? now - usual : usual - now;
	return apart * 2 > usual && apart * apart > square * (usual + now);
}

static enum scout_tells note_odd(struct scout_kind *kind, uint64_t usual)
{
	if (kind->nr_odd == 0)
		kind->nr_odd_used = kind->odd_usual = 0;
	kind->nr_odd++;
	kind->nr_odd_used += kind->nr_used;
	kind->odd_usual += usual;
	if (kind->nr_odd < ALARM_LEAST || !is_far(kind->odd_usual, kind->nr_odd_used, CERTAINTY))
		return SCOUT_SUSPICION;
	kind->nr_odd = 0;
	return SCOUT_ALARM;
}

static enum scout_tells end_kind(struct scout_kind *kind, bool is_more_odd)
{
	uint64_t usual = kind->usual * kind->nr / ONE;
	uint64_t share = (uint64_t)kind->nr_used * ONE / kind->nr;
	bool is_worse = is_more_odd ? kind->nr_used > usual : kind->nr_used < usual;
	if (is_worse && is_far(usual, kind->nr_used, SUSPICION))
		return note_odd(kind, usual);
	kind->nr_odd = 0;
	kind->usual = kind->has_usual ? (kind->usual * 3 + share) / 4 : share;
	kind->has_usual = true;
	return SCOUT_NOTHING;
}

enum scout_tells scout_end_count(struct scout *scout)
{
	enum scout_tells told = SCOUT_NOTHING;
	for (unsigned i = 0; i < SCOUT_KINDS; i++) {
		if (scout->kinds[i].nr == 0)
			continue;
		enum scout_tells tells = end_kind(&scout->kinds[i], i == SCOUT_COLD);
		told = MAX(told, tells);
	}
	return told;
}
