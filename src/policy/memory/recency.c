/* SPDX-License-Identifier: MIT */
/*
 * recency: promote what was touched twice, demote what lies idle.
 *
 * The plain recency policy that others are measured against, in the spirit of second-chance
 * (Corbato 1968) and of the kernel's own "twice in a row" rule (workingset activation, NUMA hint
 * faults): one touch may be a scan that never comes back; a page seen in `touches` checks, each at
 * most `window` checks after the one before, is taken to come back again.
 *
 *     slow:  touch, touch again within window --> candidate --> promoted when there is room
 *     fast:  no touch for `idle` checks       --> demoted, but only when room is wanted
 *
 * Room is made by a clock hand over the folio table, at most `scan` records per decision, so that a
 * decision costs O(samples + scan) however large the job is. Demotions stand before promotions in
 * the plan, because the room they make is what the promotions take.
 *
 * Clock: one check is one decide(). Bytes: 28 per tracked page (mem/folio.h) and 256 KiB of
 * candidates.
 */
#include <stdlib.h>

#include "base/error.h"
#include "mem/folio.h"
#include "policy/memory/room.h"
#include "policy/policy.h"

#define CANDIDATES_MAX	65536
#define RANGE_PAGES_MAX 65536 /* of one sample: a range may be as large as the address space */
#define FORGET_FACTOR	16    /* a slow page idle this many times `idle` is no longer tracked */

enum { TOUCHES, WINDOW, IDLE, HEADROOM, SCAN, NR_TUNABLES };

static const struct tunable recency_tunables[NR_TUNABLES] = {
	[TOUCHES] = { "touches", TUNABLE_COUNT, 2, 1, 1000,
		      "checks with a touch before promotion" },
	[WINDOW] = { "window", TUNABLE_COUNT, 20, 1, 1000000,
		     "checks that may pass between two touches" },
	[IDLE] = { "idle", TUNABLE_COUNT, 50, 1, 1000000,
		   "checks without a touch before demotion" },
	[HEADROOM] = { "headroom", TUNABLE_BP, 200, 0, 10000,
		       "share of fast memory kept free above the low watermark" },
	[SCAN] = { "scan", TUNABLE_COUNT, 16384, 1, 1000000,
		   "pages looked at for idleness per decision" },
};

struct recency {
	const struct machine *machine;
	struct folio_table *table;
	uint64_t values[NR_TUNABLES];
	uint32_t now;  /* in checks */
	uint32_t hand; /* next folio id to look at */
	uint32_t nr_candidates;
	uint32_t candidates[CANDIDATES_MAX];
};

static int recency_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct recency *recency = calloc(1, sizeof(*recency));
	if (!recency || folio_table_new(&recency->table)) {
		free(recency);
		return error_set(err, -ENOMEM, "recency: out of memory");
	}
	recency->machine = config->machine;
	recency->now = 1;
	for (size_t i = 0; i < NR_TUNABLES; i++)
		recency->values[i] = config->values[i];
	*ret_policy = recency;
	return 0;
}

static void recency_free(void *policy)
{
	struct recency *recency = policy;
	if (!recency)
		return;
	folio_table_free(recency->table);
	free(recency);
}

/* heat counts the checks with a touch; a pause longer than the window starts again. */
static void touch(struct recency *recency, struct folio *folio)
{
	if (folio->seen == recency->now)
		return;
	bool goes_on = folio->seen && recency->now - folio->seen <= recency->values[WINDOW];
	folio->heat = goes_on && folio->heat < FOLIO_HEAT_MAX ? folio->heat + 1 : 1;
	folio->seen = recency->now;
}

static void observe_page(struct recency *recency, const struct sample *sample, uint64_t page)
{
	uint32_t id = folio_find(recency->table, sample->space, page, 0);
	if (id == FOLIO_NONE && folio_add(recency->table, sample->space, page, 0, &id))
		return; /* out of memory or range: the page stays unknown */
	struct folio *folio = folio_get(recency->table, id);
	bool first_in_check = folio->seen != recency->now;
	touch(recency, folio);
	if (sample->node != SAMPLE_NONE)
		folio->node = (uint16_t)sample->node;
	if (first_in_check && !room_is_fast(recency->machine, folio->node) &&
	    folio->heat >= recency->values[TOUCHES] && !(folio->bits & FOLIO_MOVING) &&
	    recency->nr_candidates < CANDIDATES_MAX)
		recency->candidates[recency->nr_candidates++] = id;
}

static void recency_observe(void *policy, const struct sample_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct sample *sample = &batch->samples[i];
		if (sample->kind == SAMPLE_HITS && sample->hits == 0)
			continue;
		uint64_t nr = MIN(sample->nr_pages, RANGE_PAGES_MAX);
		for (uint64_t j = 0; j < nr; j++)
			observe_page(policy, sample, sample->page + j);
	}
}

static void learn(struct recency *recency, const struct move_result *result, uint64_t page)
{
	uint32_t id = folio_find(recency->table, result->space, page, 0);
	if (id == FOLIO_NONE)
		return;
	struct folio *folio = folio_get(recency->table, id);
	if (result->outcome == MOVE_REFUSED_GONE) {
		folio_del(recency->table, id);
		return;
	}
	folio->bits &= ~(unsigned)FOLIO_MOVING & 63u;
	if (result->node != PLAN_NODE_ANY)
		folio->node = (uint16_t)result->node;
}

static void recency_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		for (uint64_t j = 0; j < results[i].nr_pages; j++)
			learn(policy, &results[i], results[i].page + j);
}

static int plan_folio(struct plan *plan, struct folio *folio, uint32_t to, const char *why)
{
	struct plan_move move = {
		.page = folio->page,
		.nr_pages = 1,
		.space = folio->space,
		.from = folio->node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : folio->node,
		.to = to,
		.why = why,
	};
	int error = plan_add(plan, &move);
	if (!error)
		folio->bits |= FOLIO_MOVING;
	return error;
}

/* Turns the hand until `wanted` idle pages are planned to leave `from`, or `scan` were seen. */
static uint64_t make_room(struct recency *recency, struct plan *plan, uint32_t from, uint32_t to,
			  uint64_t wanted)
{
	uint32_t end = folio_id_end(recency->table);
	uint64_t made = 0, budget = MIN(recency->values[SCAN], end);
	for (; budget > 0 && made < wanted; budget--, recency->hand++) {
		if (recency->hand >= end)
			recency->hand = 0;
		if (!folio_is_used(recency->table, recency->hand))
			continue;
		struct folio *folio = folio_get(recency->table, recency->hand);
		uint64_t idle = recency->now - folio->seen;
		if (folio->bits & FOLIO_MOVING || idle < recency->values[IDLE])
			continue;
		if (folio->node == from)
			made += plan_folio(plan, folio, to, "idle") == 0;
		else if (!room_is_fast(recency->machine, folio->node) &&
			 idle > recency->values[IDLE] * FORGET_FACTOR)
			folio_del(recency->table, recency->hand);
	}
	return made;
}

static void promote(struct recency *recency, struct plan *plan, uint32_t to, uint64_t room)
{
	for (uint32_t i = 0; i < recency->nr_candidates && room > 0; i++) {
		if (!folio_is_used(recency->table, recency->candidates[i]))
			continue;
		struct folio *folio = folio_get(recency->table, recency->candidates[i]);
		if (folio->seen != recency->now || room_is_fast(recency->machine, folio->node) ||
		    folio->bits & FOLIO_MOVING)
			continue;
		if (plan_folio(plan, folio, to, "touched again"))
			return;
		room--;
	}
}

static int recency_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct recency *recency = policy;
	uint32_t fast = room_roomiest(recency->machine, view, true);
	uint32_t slow = room_roomiest(recency->machine, view, false);
	if (fast < view->nr_nodes && slow < view->nr_nodes) {
		const struct policy_node *node = &view->nodes[fast];
		uint64_t headroom = node->low_pages +
				    node->capacity_pages / 10000 * recency->values[HEADROOM] +
				    node->capacity_pages % 10000 * recency->values[HEADROOM] /
					    10000;
		uint64_t wanted = headroom + MIN(recency->nr_candidates, view->budget_pages / 2);
		uint64_t room = node->free_pages > headroom ? node->free_pages - headroom : 0;
		if (wanted > node->free_pages) {
			uint64_t lacking = MIN(wanted - node->free_pages, view->budget_pages);
			uint64_t made = make_room(recency, plan, fast, slow, lacking);
			uint64_t free_pages = node->free_pages + made;
			room = free_pages > headroom ? free_pages - headroom : 0;
		}
		promote(recency, plan, fast, room);
	}
	recency->nr_candidates = 0;
	recency->now++;
	return 0;
}

static uint64_t recency_bytes(const void *policy)
{
	const struct recency *recency = policy;
	return sizeof(*recency) + folio_table_bytes(recency->table);
}

extern const struct policy_ops policy_recency;
const struct policy_ops policy_recency = {
	.name = "recency",
	.summary = "promote what was touched twice, demote what lies idle",
	.needs = SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE,
	.needs_order = true,
	.tunables = recency_tunables,
	.nr_tunables = NR_TUNABLES,
	.new = recency_new,
	.observe = recency_observe,
	.completed = recency_completed,
	.decide = recency_decide,
	.memory_bytes = recency_bytes,
	.free = recency_free,
};
