/* SPDX-License-Identifier: MIT */
/*
 * Which pages are worth asking about: those that moved most, and those that lost most.
 *
 *     stage --> survey --> simulation      per page number: moves, misses, what it lost
 *                  ^ moves, refusals
 *                  +--- kernel: watch      at the end of each life: into two short lists
 *
 * What a page lost is the time of its misses beyond that of the fastest node, plus that of its
 * moves: what a policy with all the fast memory in the world would have saved on it. Misses are
 * charged to the node where the page is at the end of the chunk of at most 4,096 events in which
 * they lie, so a page that moves within one is a little off; story.h counts exactly.
 *
 * Lives are listed, not addresses: one that is unmapped and used again counts anew.
 *
 * Cost: one load and one store per miss; 40 bytes per page number; a finished life costs a look at
 * the end of each list, and up to nr_top when it enters one.
 */
#ifndef BERTH_SIM_SURVEY_H
#define BERTH_SIM_SURVEY_H

#include "sim/simulation.h"

#define SURVEY_TOP_MAX 1000

struct survey_life {
	struct stage_page address;
	uint64_t born_ns, end_ns;    /* of the kernel's clock */
	uint64_t nr_misses, nr_fast; /* misses; of these, served by the fast tier */
	uint64_t lost_ps;
	uint32_t nr_moves, nr_refused;
};

struct survey_top {
	struct survey_life *lives; /* best first */
	uint32_t nr;
};

struct survey_page { /* of a life that goes on */
	uint64_t born_ns, lost_ps;
	uint64_t nr_misses, nr_fast;
	uint32_t nr_moves, nr_refused;
};

struct survey {
	struct simulation_watch watch; /* for simulation_config */
	struct simulation *simulation;
	struct stage_consumer inner;
	struct survey_page *pages; /* [page number] */
	uint32_t nr_pages, max_top;
	struct survey_top by_moves, by_loss;
	uint64_t nr_lives, nr_moved; /* lives that ended, and of these, that moved */
	uint64_t lost_ps;	     /* of all */
};

/* max_top: 1 to SURVEY_TOP_MAX lives in each list. */
int survey_new(uint32_t max_top, struct survey **ret);
struct survey *survey_free(struct survey *survey);

#endif
