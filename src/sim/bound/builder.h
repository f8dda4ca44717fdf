/* SPDX-License-Identifier: MIT */
/* The problem builder from inside: builder.c fills it, replay.c reads it. */
#ifndef BERTH_SIM_BOUND_BUILDER_H
#define BERTH_SIM_BOUND_BUILDER_H

#include "sim/bound.h"

struct log_entry {
	uint32_t life;
	uint32_t loads, stores;
};

struct page_state {
	uint32_t life;	/* NONE: not alive */
	uint32_t entry; /* of the log; valid when tick is the present one */
	uint32_t tick;
};

struct slot_state {
	uint32_t first_entry;
	uint32_t epoch;
};

struct epoch_state {
	uint64_t compute_ns;
};

struct array { /* a growing array; the typed pointer is beside it */
	size_t nr, max;
};

struct problem_builder {
	const struct cost_model *cost;
	struct page_state *pages;
	uint32_t nr_pages;
	struct log_entry *log;
	struct slot_state *slots;
	struct epoch_state *epochs;
	struct placement_life *lives;
	struct array nr_log, nr_slots, nr_epochs, nr_lives;
	uint8_t *movable; /* [slot] */
	struct array nr_movable;
	bool died_in_slot;   /* somebody died in the slot under way */
	bool something_came; /* a birth, death or miss since the slot under way began */
	bool is_finished;
	struct placement_problem *problem; /* made once, then only capacities change */
	uint64_t most_alive;		   /* pages together in one slot, at most */
};

#endif
