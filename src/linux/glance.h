/* SPDX-License-Identifier: MIT */
/*
 * Glances: how often huge folios are used, each by its one accessed bit.
 *
 *     folios, ascending    77 (1 ms)   78 (250 us)   79 (4 ms)   80 (1 ms)   ...
 *     glance at 1 ms:      cleared                               cleared
 *                             |------------ 1 ms -------------------|-> read: used, not used
 *     seen in all of a few looks: a quarter of the time from now on; in none: four times
 *
 * Why: one bit for 512 pages is set as soon as one of them is used, and in the tens of milliseconds
 * of a window of the sampler that is nearly always: 150 uses a second, a third of a use per page,
 * look like the 8,000 of a hot one. Looks that are short enough to see it unused now and then tell
 * them apart: of uses that come at random at a rate r a look of the length w sees none with the
 * chance exp(-r w), so r = -ln(share of looks that saw none) / w. From that follows what bits of
 * its own would have shown for each of its pages in a window: 1 - exp(-r window / 512). That is
 * what the sampler tells, as hits of checks: a huge folio and single pages that are used as much
 * per byte look alike. Where every look of the shortest kind was a hit nothing more is known than
 * that it is used a lot, and it counts as used wholly.
 *
 * A few looks leave room for chance, and among hundreds of folios that are used alike some look
 * twice as cold. So a folio is told where it lies as what is hard to tell from where it lies: in
 * fast memory as used as much as its looks allow within two deviations (Wilson's bounds of a share,
 * 1927, which hold for few looks, too), in slow memory as little. While no look has seen it unused
 * nothing is ruled out, and in fast memory it counts as used wholly. What then still is to be moved
 * is so for more than chance.
 *
 * Uses do not come at random where a program works in bursts: looks between them see nothing, and
 * those within see everything, of all folios that were looked at together:
 *
 *     work           ####              ####              ####         uses in a look: a mean of 2
 *     looks      |--|    |--|  |--|  |--|  |--|  |--| ...             used: 1 of 8, or 0.13 uses
 *
 * -ln(share without use) of all looks is then less than the mean of that of each batch. What a
 * folio is at most is more by the ratio of the two, and nothing is ruled out where hits mostly come
 * from batches of which all were used, and others were not.
 *
 * The bit is cleared by process_madvise(MADV_COLD) of the 2 MiB, which also flushes that
 * translation; neighbours are one range, with one flush. It tells the kernel's reclaim that the
 * folio is cold, which one in use makes good by being used. It passes over folios that several
 * processes map, and refuses hugetlb and locked memory: these count as before, used or not.
 *
 * A session, before each check of the sampler, is at most 1,024 folios, all in turn, those that
 * were used since the check before: 8 looks at new ones, for as long as its share of CPU time lasts
 * (the owner says so). Known ones have two: a probe of the shortest kind, then one as long as those
 * that tell how often they are used. A probe sees few of those that are used as ever, and nearly
 * all that have become hot, which it makes new ones, to be looked at briefly from then on. A new
 * one that needs long looks is probed, too: there may be no time for these. One more look follows
 * each that is at odds with those before. Short looks come first.
 *
 * What clearing costs is the flush of each range, on every CPU that runs the process: those that
 * want a look of the same length are cleared together, and due ones in between with them, where
 * that is cheaper than another range (both costs are learned). A batch is as large as can be
 * cleared while it is looked at, or in 4 ms: for how long each folio was watched is noted.
 *
 * Cost: 48 bytes, twice, per 2 MiB of huge folios; a session takes the time that it is given at
 * most. Follows madvise_cold_or_pageout_pte_range() in mm/madvise.c (6.12).
 */
#ifndef BERTH_LINUX_GLANCE_H
#define BERTH_LINUX_GLANCE_H

#include "base/types.h"

#define GLANCE_ORDER  9
#define GLANCE_PAGES  ((uint64_t)1 << GLANCE_ORDER)
#define GLANCE_LEVELS 4
#define GLANCE_CHECKS 4096		  /* shares are of so many */
#define GLANCE_BATCH  512		  /* at most */
#define GLANCE_TURN   1024		  /* folios per session */
#define GLANCE_MAX    ((uint32_t)1 << 22) /* 8 TiB of huge folios */

enum glance_bound { GLANCE_AT_LEAST = -1, GLANCE_GUESSED = 0, GLANCE_AT_MOST = 1 };

struct glance_folio {
	uint64_t number;     /* page / 512 */
	uint64_t watched_ns; /* all looks of this length together */
	uint64_t look_ns;    /* of those of another length before; 0: none */
	uint32_t uses[3];    /* in each of them, in 65536ths: at least, as guessed, at most */
	uint32_t space;
	uint8_t level; /* a look is 250 us x 4^level */
	uint8_t hits, checks;
	uint8_t nr_looks; /* in this session */
	uint8_t nr_row;	  /* of the last looks that were alike: */
	bool is_row_used : 1;
	bool is_due : 1;     /* used since the check before */
	bool is_odd : 1;     /* its last look was not as those before */
	bool is_refused : 1; /* its bit cannot be cleared alone */
};

struct glance_list {
	struct glance_folio *items; /* ascending by space and number */
	uint32_t nr, max;
};

/* What looks of one length saw in batches, past sessions fading. */
struct glance_batches {
	uint32_t checks, hits;
	uint32_t whole; /* of the hits, in batches in which every look was one */
	uint64_t uses;	/* of each batch by its own share, in 65536ths, times its looks */
};

struct glance {
	struct glance_batches batches[GLANCE_LEVELS];
	uint32_t bursts; /* how much more folios are used than looks say, in 16ths; at least 16 */
	struct glance_list folios, before;
	uint32_t at_before; /* where the list of the last check has been read to */
	uint32_t at;	    /* of the last folio that was asked for */
	uint32_t hand;	    /* where the next session begins */
	bool is_listing;    /* between glance_begin and glance_end: the list before is whole */
	/* That clearing takes, of a range with its first folio, of each further one of it. */
	uint64_t range_ns, more_ns;
	uint32_t turn[GLANCE_TURN];
	uint32_t nr_turn;
};

/* What a session does to the world; the sampler has the real one, tests have their own. */
struct glance_eyes {
	void *context;
	/* Clears the bits of these, all of one space. Returns how many of the first were; the one
	 * behind them was refused. Negative: the space has ended. */
	int (*clear)(void *context, uint32_t space, const uint64_t *numbers, uint32_t nr);
	/* Reads anew, for the next calls of is_used. False: the space has ended. */
	bool (*begin_reading)(void *context, uint32_t space);
	/* -ENOENT: it is not a huge folio any more. */
	int (*is_used)(void *context, uint64_t number);
	void (*wait)(void *context, uint64_t ns);
	uint64_t (*now_ns)(void *context);
	bool (*has_time)(void *context, uint64_t expected_ns); /* for another batch */
};

/* What is mapped is read: glance_see() for each huge folio, ascending; a session whenever that is
 * over. */
void glance_begin(struct glance *glance);
void glance_see(struct glance *glance, uint32_t space, uint64_t page, bool is_used);
void glance_end(struct glance *glance);
void glance_session(struct glance *glance, const struct glance_eyes *eyes);
/* Of the folio's pages, how many of GLANCE_CHECKS would have been used in a window, its bit having
 * been set in it: as best guessed, or what it is at most or at least; 0 for one
 * that was met in this reading only. */
uint32_t glance_share(struct glance *glance, uint32_t space, uint64_t page, uint64_t window_ns,
		      enum glance_bound bound);
void glance_fini(struct glance *glance);

/* One look more, and what it changes. */
void glance_note(struct glance_folio *folio, bool is_used, uint64_t watched_ns);
/* -ln(nr / of) in 65536ths; 0 < nr <= of <= 65535. */
uint64_t glance_minus_ln(uint32_t nr, uint32_t of);
/* exp(-x / 65536) in 65536ths. */
uint64_t glance_exp_minus(uint64_t x);

#endif
