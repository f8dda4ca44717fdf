/* SPDX-License-Identifier: MIT */
/*
 * What was decided about pages, and what became of it: the memory of `berth explain` and of the
 * counts of round trips. Bounded, whatever is moved.
 *
 *     pages    8,192 sets of 8: (space, page) -> why it was planned last, when it moved last and
 *              to where, how often, how often back again. In a full set the oldest is forgotten.
 *     events   the last 32,768: what moved or was refused, from, to, why. Neighbours with the same
 *              fate at the same time are one event, and the same refusal of a page is told
 *              once a minute.
 *
 * A round trip is a move that takes a page back to the tier where it came from, within TRIP_NS of
 * the move that brought it. Every page of a range counts.
 *
 * Cost: 5 MiB; a search of one set, LEDGER_WAYS, per page that is planned or moved.
 */
#ifndef BERTH_LINUX_LEDGER_H
#define BERTH_LINUX_LEDGER_H

#include "machine/machine.h"
#include "policy/mover.h"

#define LEDGER_SETS	    8192
#define LEDGER_WAYS	    8
#define LEDGER_EVENTS	    32768
#define LEDGER_RANGE_MAX    4096 /* pages of one result that are told apart */
#define LEDGER_TRIP_NS	    (120 * NS_PER_S)
#define LEDGER_FORGOTTEN_NS (60 * NS_PER_S) /* planned again after it: another wish */

struct ledger_page {
	uint64_t page;
	uint64_t planned_ns, moved_ns; /* 0: never */
	const char *why;	       /* of the last plan; static text */
	uint32_t space;
	uint16_t nr_moves, nr_trips;
	uint16_t from, to;   /* of the last move; nodes */
	uint8_t refused;     /* outcome, the last time that it was told; MOVE_DONE: never */
	uint64_t refused_ns; /* when */
};

struct ledger_event {
	uint64_t time_ns;
	uint64_t page, nr_pages;
	const char *why; /* "": not known any more */
	uint32_t space, job;
	uint16_t from, to; /* nodes; UINT16_MAX: not known */
	uint8_t outcome;   /* enum move_outcome */
};

struct ledger {
	const struct machine *machine; /* borrowed */
	struct ledger_page *pages;
	struct ledger_event *events;
	uint64_t nr_events; /* ever */
};

int ledger_init(struct ledger *ledger, const struct machine *machine);
void ledger_fini(struct ledger *ledger);
/* How many of the pages were not wanted already within the last minute. */
uint64_t ledger_plan(struct ledger *ledger, const struct plan_move *move, uint64_t now_ns);
/* How many of the pages made a round trip by it. */
uint64_t ledger_result(struct ledger *ledger, const struct move_result *result, uint32_t job,
		       uint64_t now_ns);
/* NULL: nothing is known of it (any more). */
const struct ledger_page *ledger_find(const struct ledger *ledger, uint32_t space, uint64_t page);
/* The `age`-th last event; NULL when there is none. */
const struct ledger_event *ledger_event(const struct ledger *ledger, uint64_t age);

#endif
