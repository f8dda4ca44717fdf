/* SPDX-License-Identifier: MIT */
/*
 * When to look at all pages of the watched processes, and when a few scouts do (scout.h).
 *
 *      check  check  check              check                        check
 *     ---|------|------|-----------------|----------------------------|------->
 *        burst: not saved up for          by the share of a CPU that was saved up since
 *
 * A check costs in proportion to the memory that is watched, and is paid for with what deciding
 * about it takes. The share of a CPU (live.h) says how often, of which at most a second's worth is
 * saved up.
 *
 * Up to four checks come in a row at the beginning, each a quarter as long after the other as it
 * took, and when the scouts see that what is in use has changed: these need not be saved up for. Of
 * that which first brings many moves two follow: one at once, for what it had seen too seldom, one
 * when the mover is done; and another one behind each of these that brings many, eight at most.
 * Where three brought none it ends. A program that is filling its memory for the first time is
 * looked at when it has. Where a dozen checks one after the other brought hardly any moves, each
 * further one has half the share of the one before, down to a 16th. Moves or an alarm bring all of
 * it back. A program that fills its memory slowly, or pauses while it does, is taken to be done:
 * when it has grown by a quarter since and has memory in slow tiers it is looked at as from the
 * beginning, as soon as scouts come by.
 *
 * While more waits to be moved than the mover does in a second, or in the time that the last check
 * took, what a check would find had to wait behind it: there is none, but for the first of a burst,
 * or after ten seconds.
 *
 * Scouts come every second, or as seldom as makes what they cost two percent of a CPU, every
 * four seconds at least; after many checks in vain every two seconds, then every four.
 *
 * Pure arithmetic: the caller passes the time, and what `struct live` says of shares, deciding,
 * plans and backlog.
 */
#ifndef BERTH_LINUX_CHECK_PACE_H
#define BERTH_LINUX_CHECK_PACE_H

#include "linux/live.h"

#define CHECK_BURST	    4 /* in a row, at the beginning and at an alarm */
#define CHECK_BURST_LEAST   3 /* seen, seen again; and what had been seen too seldom by then */
#define CHECK_BURST_EXTRA   8 /* more, while they bring moves */
#define CHECK_BURST_REST    2 /* behind the first that brought many moves; 1 behind the others */
#define CHECK_REST_MIN_NS   (100 * NS_PER_MS)
#define CHECK_REST_PARTS    4  /* and of what the check took at least */
#define CHECK_VAIN_FIRST    12 /* in a row: from then on each has half of the share before */
#define CHECK_SCOUT_NS	    NS_PER_S
#define CHECK_SCOUT_MAX_NS  (4 * NS_PER_S)
#define CHECK_SCOUT_REST    50		      /* times what scouting took */
#define CHECK_GROWING_NS    (200 * NS_PER_MS) /* until it is asked again */
#define CHECK_WINDOW_MIN_NS (10 * NS_PER_MS)
#define CHECK_WINDOW_MAX_NS (2 * NS_PER_S)

struct check_pace {
	uint64_t due_ns, scout_ns; /* the next check; the next scouting */
	uint64_t window_ns;	   /* that the next check is to watch for at least */
	unsigned burst;		   /* checks that need not be saved up for */
	unsigned nr_in_burst;	   /* since it began */
	unsigned extra;		   /* checks by which moves may still lengthen it */
	bool has_found;		   /* one of it brought many moves */
	unsigned nr_behind;	   /* since that one */
	bool is_fruitful;	   /* the last check brought many */
	unsigned nr_vain;	   /* checks in a row that brought hardly any */
	uint64_t paid_ns;	   /* credit was settled until */
	int64_t saved_ns;
	uint64_t beyond_ns;   /* more than the lasting share */
	uint64_t decided_ns;  /* live->deciding_ns that was paid for */
	uint64_t nr_planned;  /* live->nr_planned_pages when the last check ended */
	uint64_t begun_ns;    /* when the last check did; 0: none has */
	uint64_t took_ns;     /* from then until it was over */
	uint64_t nr_resident; /* pages, when last asked */
	uint64_t nr_met;      /* resident at the last check */
	uint64_t nr_looked;   /* resident when a burst last began for that */
	unsigned nr_waits;    /* for it to be filled */
	uint64_t growing_ns;  /* it was growing: until when it is taken to be */
	uint64_t nr_slow_before, nr_fast_before, watched_before_ns; /* in the last check */
};

struct check_seen {
	uint64_t cost_ns; /* CPU time, scouts since the check before included */
	uint64_t watched_ns;
	uint64_t nr_mapped, nr_slow_used; /* pages */
	uint64_t nr_fast_single;	  /* of those used, single pages of fast memory */
};

void check_pace_init(struct check_pace *pace, uint64_t now_ns);
/* The next check is due at once. */
void check_pace_alarm(struct check_pace *pace, uint64_t now_ns);
/* The check that is due now is put off: moves come first. */
bool check_pace_puts_off(struct check_pace *pace, const struct live *live, uint64_t now_ns);
/* The same, since it is filling its memory. */
bool check_pace_is_growing(struct check_pace *pace, uint64_t nr_resident, uint64_t now_ns);
/* By so much that it is looked at as from the beginning. */
bool check_pace_has_grown(const struct check_pace *pace, const struct live *live,
			  uint64_t nr_resident);
/* A check begins; true: more or fewer pages are resident than at the last one. */
bool check_pace_begin(struct check_pace *pace, const struct live *live);
/* It is over, and has been decided about. */
void check_pace_settle(struct check_pace *pace, const struct live *live,
		       const struct check_seen *seen, uint64_t now_ns);
/* Scouts went out at `out_ns`, and what they did took so much of a CPU: when the next ones go. */
void check_pace_scouted(struct check_pace *pace, uint64_t cost_ns, uint64_t out_ns);
/* Nobody who is watched has run: checks and scouts ask again together. */
void check_pace_doze(struct check_pace *pace, uint64_t now_ns);

#endif
