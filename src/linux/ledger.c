/* SPDX-License-Identifier: MIT */
/* What was decided about pages (ledger.h). */
#include "linux/ledger.h"

#include <stdlib.h>

#include "base/error.h"

#define NODE_UNKNOWN UINT16_MAX

int ledger_init(struct ledger *ledger, const struct machine *machine)
{
	*ledger = (struct ledger){ .machine = machine };
	ledger->pages = calloc((size_t)LEDGER_SETS * LEDGER_WAYS, sizeof(*ledger->pages));
	ledger->events = calloc(LEDGER_EVENTS, sizeof(*ledger->events));
	if (ledger->pages && ledger->events)
		return 0;
	ledger_fini(ledger);
	return -ENOMEM;
}

void ledger_fini(struct ledger *ledger)
{
	free(ledger->pages);
	free(ledger->events);
	*ledger = (struct ledger){ 0 };
}

static struct ledger_page *set_of(const struct ledger *ledger, uint32_t space, uint64_t page)
{
	uint64_t key = page * 0x9e3779b97f4a7c15u + space * 0xc2b2ae3d27d4eb4fu;
	return &ledger->pages[(key >> 40) % LEDGER_SETS * LEDGER_WAYS];
}

static bool is_used(const struct ledger_page *page)
{
	return page->planned_ns || page->moved_ns;
}

const struct ledger_page *ledger_find(const struct ledger *ledger, uint32_t space, uint64_t page)
{
	const struct ledger_page *set = set_of(ledger, space, page);
	for (unsigned i = 0; i < LEDGER_WAYS; i++)
		if (is_used(&set[i]) && set[i].page == page && set[i].space == space)
			return &set[i];
	return NULL;
}

static struct ledger_page *get_page(struct ledger *ledger, uint32_t space, uint64_t page)
{
	struct ledger_page *set = set_of(ledger, space, page), *oldest = set;
	for (unsigned i = 0; i < LEDGER_WAYS; i++) {
		if (is_used(&set[i]) && set[i].page == page && set[i].space == space)
			return &set[i];
		if (MAX(set[i].planned_ns, set[i].moved_ns) <
		    MAX(oldest->planned_ns, oldest->moved_ns))
			oldest = &set[i];
	}
	*oldest = (struct ledger_page){
		.page = page, .space = space, .from = NODE_UNKNOWN, .to = NODE_UNKNOWN
	};
	return oldest;
}

uint64_t ledger_plan(struct ledger *ledger, const struct plan_move *move, uint64_t now_ns)
{
	uint64_t nr_new = 0, nr = MIN(move->nr_pages, LEDGER_RANGE_MAX);
	for (uint64_t i = 0; i < nr; i++) {
		struct ledger_page *page = get_page(ledger, move->space, move->page + i);
		nr_new += !page->planned_ns || now_ns - page->planned_ns >= LEDGER_FORGOTTEN_NS;
		if (!page->planned_ns || now_ns - page->planned_ns >= LEDGER_FORGOTTEN_NS)
			page->planned_ns = MAX(now_ns, 1);
		page->why = move->why;
	}
	return nr_new + (move->nr_pages - nr);
}

static uint16_t node_of(uint32_t node)
{
	return node < NODE_UNKNOWN ? (uint16_t)node : NODE_UNKNOWN;
}

static uint32_t tier_of(const struct ledger *ledger, uint32_t node)
{
	return node < ledger->machine->nr_nodes ? ledger->machine->nodes[node].tier : UINT32_MAX;
}

static bool is_trip(const struct ledger *ledger, const struct ledger_page *page,
		    const struct move_result *result, uint64_t now_ns)
{
	return page->moved_ns && now_ns - page->moved_ns < LEDGER_TRIP_NS &&
	       tier_of(ledger, result->to) == tier_of(ledger, page->from) &&
	       tier_of(ledger, result->to) != tier_of(ledger, page->to);
}

static bool note_move(const struct ledger *ledger, struct ledger_page *page,
		      const struct move_result *result, uint64_t now_ns)
{
	bool is = is_trip(ledger, page, result, now_ns);
	page->nr_trips = (uint16_t)MIN(page->nr_trips + is, UINT16_MAX);
	page->nr_moves = (uint16_t)MIN(page->nr_moves + 1, UINT16_MAX);
	page->from = node_of(result->from);
	page->to = node_of(result->to);
	page->moved_ns = MAX(now_ns, 1);
	page->planned_ns = 0; /* the wish has come true: the next is another */
	return is;
}

/* Goes on where the last event ends, with the same fate. */
static bool joins(const struct ledger_event *last, const struct ledger_event *event)
{
	return last->page + last->nr_pages == event->page && last->space == event->space &&
	       last->time_ns == event->time_ns && last->why == event->why &&
	       last->from == event->from && last->to == event->to &&
	       last->outcome == event->outcome;
}

static void add_event(struct ledger *ledger, const struct ledger_event *event)
{
	if (ledger->nr_events > 0) {
		struct ledger_event *last =
			&ledger->events[(ledger->nr_events - 1) % LEDGER_EVENTS];
		if (joins(last, event)) {
			last->nr_pages += event->nr_pages;
			return;
		}
	}
	ledger->events[ledger->nr_events++ % LEDGER_EVENTS] = *event;
}

/* Told within the last minute: who asks each tick would fill the events with it. */
static bool is_known_refusal(struct ledger *ledger, const struct move_result *result,
			     uint64_t now_ns)
{
	if (result->outcome == MOVE_DONE)
		return false;
	struct ledger_page *page = get_page(ledger, result->space, result->page);
	if (page->refused == result->outcome && now_ns - page->refused_ns < LEDGER_FORGOTTEN_NS)
		return true;
	page->refused = result->outcome;
	page->refused_ns = now_ns;
	page->planned_ns = MAX(page->planned_ns, 1); /* it is in use */
	return false;
}

uint64_t ledger_result(struct ledger *ledger, const struct move_result *result, uint32_t job,
		       uint64_t now_ns)
{
	uint64_t nr_trips = 0, nr = MIN(result->nr_pages, LEDGER_RANGE_MAX);
	const struct ledger_page *first = ledger_find(ledger, result->space, result->page);
	struct ledger_event event = {
		.time_ns = now_ns,
		.page = result->page,
		.nr_pages = result->nr_pages,
		.why = first && first->why ? first->why : "",
		.space = result->space,
		.job = job,
		.from = node_of(result->from),
		.to = node_of(result->to),
		.outcome = result->outcome,
	};
	if (!is_known_refusal(ledger, result, now_ns))
		add_event(ledger, &event);
	if (result->outcome != MOVE_DONE)
		return 0;
	for (uint64_t i = 0; i < nr; i++)
		nr_trips += note_move(ledger, get_page(ledger, result->space, result->page + i),
				      result, now_ns);
	return nr_trips;
}

const struct ledger_event *ledger_event(const struct ledger *ledger, uint64_t age)
{
	uint64_t nr = MIN(ledger->nr_events, LEDGER_EVENTS);
	return age < nr ? &ledger->events[(ledger->nr_events - 1 - age) % LEDGER_EVENTS] : NULL;
}
