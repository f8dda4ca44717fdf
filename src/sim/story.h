/* SPDX-License-Identifier: MIT */
/*
 * The story of one page in one simulation: where it was born, what was seen of it, what was decided
 * about it and why, where it went, and how many of its misses each place served.
 *
 *     stage --> story --> simulation        the story stands before the simulation and hands each
 *                 ^          |  |           access of its page over alone, so that it knows from
 *                 |  kernel: |  | engine:   which node that one was served
 *                 +-- watch -+  +- watch
 *
 *     born    node 1 |#### 1,204 misses ...
 *     sampled        |   3 samples, then as many more as came
 *     decided        |   not wanted (17 times)
 *     moved   node 0 |######## 20,311 misses ...      a stay: from one move to the next
 *     freed
 *
 * What repeats itself within a stay is folded into one event with a count. Times are the kernel's
 * clock, exact to a tick. A page is an address in a space: when it is unmapped and used again, that
 * is its next life, in the same story.
 *
 * Cost: one pass over the numbers of each chunk (a quarter of a nanosecond per event); 136 bytes
 * per event of the story, at most max_events of them.
 */
#ifndef BERTH_SIM_STORY_H
#define BERTH_SIM_STORY_H

#include "sim/simulation.h"

#define STORY_UNKNOWN	UINT64_MAX
#define STORY_ANY_SPACE UINT32_MAX /* the first space in which the address is used */
#define STORY_MAX	4096
#define STORY_SINGLE	3 /* so many samples are told one by one */

enum story_kind { /* the first three begin or end a stay */
		  STORY_BORN,
		  STORY_MOVED,
		  STORY_FREED,
		  STORY_SAMPLED, /* a sampler reported the page */
		  STORY_DECIDED, /* the kernel decided about it at a hint fault */
		  STORY_REFUSED, /* a move was asked for and did not happen */
		  STORY_NR_KINDS,
};
extern const char *const story_kind_names[STORY_NR_KINDS];

struct story_event {
	enum story_kind kind;
	uint32_t from, to;	    /* nodes */
	uint64_t first_ns, last_ns; /* of the kernel's clock */
	uint64_t nr;		    /* as often */
	const char *why;	    /* static text */
	enum move_outcome outcome;  /* REFUSED */
	/* SAMPLED */
	enum sample_kind sample_kind;
	uint64_t nr_pages;	     /* of the largest range that was reported */
	uint64_t nr_hits, nr_checks; /* summed up; 0 and 0 where samples have none */
	/* SAMPLED, DECIDED: from arming to the fault or of the access; STORY_UNKNOWN: none */
	uint64_t min_latency_ns, max_latency_ns;
	uint64_t threshold_ns; /* DECIDED: the last */
	/* BORN, MOVED: the stay that begins */
	uint64_t end_ns;
	uint64_t nr_loads, nr_stores; /* misses */
	uint64_t nr_touches;	      /* accesses that missed nothing */
};

struct story_config {
	uint64_t page;
	uint32_t space;	     /* or STORY_ANY_SPACE */
	uint32_t nr_spaces;  /* of the recording */
	uint32_t max_events; /* 0: STORY_MAX */
};

struct story {
	struct story_config config;
	struct simulation_watch watch; /* for simulation_config */
	struct simulation *simulation;
	struct stage_consumer inner;
	bool is_found;	     /* config.space is known */
	const char *planned; /* why the last plan moves the page; NULL: it does not */
	struct story_event *events;
	uint32_t nr, stay;    /* stay: index of the last that began one */
	uint64_t nr_left_out; /* events for which there was no room */
	uint64_t nr_lives, nr_moves, nr_samples;
	uint64_t end_ns;
	uint32_t born_on; /* the node of the last birth */
};

int story_new(const struct story_config *config, struct story **ret);
struct story *story_free(struct story *story);
bool story_is_valid(const struct story *story); /* stays follow each other; cheap */

#endif
