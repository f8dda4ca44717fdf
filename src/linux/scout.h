/* SPDX-License-Identifier: MIT */
/*
 * Scouting: a few pages watched all the time tell when it is worth looking at all of them again.
 *
 *     a check of everything -->  8 chunks of 2 MiB with mostly used pages:  8 used ones of each
 *                                8 other chunks of slow memory:             8 unused ones of each
 *     each second           -->  cleared; twice the check's window later: how many were used?
 *
 *         used of those that were used      far fewer than usual --+
 *         used of those that were not       far more than usual  --+--> suspicion: again, at once
 *
 *         and so again, both together beyond chance                --> alarm: check everything now
 *
 * Why: clearing the bits of a process costs in proportion to its memory, so a sampler that keeps to
 * its share of a CPU comes by rarely, and a hot set that moves would lie in slow memory for as
 * long. They watch for twice as long as the check did, since that was long enough to see a part of
 * the pages used and not all: in a second, cold pages of a busy program are mostly used, too, and
 * nobody would see that the hot ones have cooled.
 *
 * What is usual is a decaying mean. A count is a suspicion where it differs by more than half and
 * by two deviations; the next one then follows at once. An alarm needs two or a few more in a row
 * which together differ by four deviations: less would be chance, and a program that rests for the
 * length of a window is not one whose use has changed.
 *
 * Single pages are cleared by process_madvise(MADV_COLD), which no other interface does for less
 * than a whole process. It also tells the kernel's reclaim that they are cold, which a page in use
 * makes good by being used. It would split a folio that it covers in part: only folios of one page
 * are scouted. Their chunk is looked at again just before; whether a frame is such a folio is asked
 * once, while it is that page's.
 *
 * The first ones of a chunk are taken, which mostly are side by side: each range that is cleared
 * has the kernel flush translations on every CPU that runs the process, which is what scouting
 * costs most.
 *
 * Cost: 16 tables of 4 KiB read twice and 16 ranges cleared, each second; 5 KiB.
 * Follows madvise_cold_or_pageout_pte_range() in mm/madvise.c (6.12).
 */
#ifndef BERTH_LINUX_SCOUT_H
#define BERTH_LINUX_SCOUT_H

#include "base/types.h"

#define SCOUT_CHUNKS 8 /* of each kind */
#define SCOUT_PAGES  8 /* of each chunk */

struct scout_chunk {
	uint64_t number; /* page / 512 */
	uint32_t space, nr;
	uint16_t pages[SCOUT_PAGES];   /* within the chunk */
	uint64_t singles[SCOUT_PAGES]; /* frames that are folios of one page; 0: not asked yet */
};

struct scout_kind {
	struct scout_chunk chunks[SCOUT_CHUNKS];
	uint32_t nr_seen; /* chunks of this kind in the last check */
	/* Used of what is scouted, in 65536ths: a decaying mean; before the first count the least
	 * (of what was used) or the most that can be. */
	uint64_t usual;
	bool has_usual;
	uint32_t nr, nr_used; /* of this time */
	/* Suspicious counts in a row, and what is usual in all of them. */
	uint32_t nr_odd, nr_odd_used;
	uint64_t odd_usual;
};

enum { SCOUT_HOT, SCOUT_COLD, SCOUT_KINDS };

struct scout {
	struct scout_kind kinds[SCOUT_KINDS];
	struct scout_chunk used, unused; /* of the chunk that is being read */
	uint32_t nr_mapped, nr_used;	 /* of it */
	uint64_t random;
	uint64_t window_ns;  /* to watch for */
	uint64_t cleared_ns; /* 0: what bits say is not ours */
};

/* A check that watched for so long begins; after scout_see() for each page in ascending order it
 * ends. What it saw used tells how much of that must be used in the first count. */
void scout_begin(struct scout *scout, uint64_t watched_ns);
void scout_take(struct scout *scout, uint32_t space, uint64_t page, bool is_used, bool is_slow);
/* Most pages are more of a chunk of which enough was taken, or none is to be. */
static inline void scout_see(struct scout *scout, uint32_t space, uint64_t page, bool is_used,
			     bool is_slow)
{
	const struct scout_chunk *used = &scout->used;
	bool is_same = used->number == page >> 9 && used->space == space;
	bool is_full = is_used ? used->nr == SCOUT_PAGES
			       : !is_slow || scout->unused.nr == SCOUT_PAGES;
	if (!is_same || !is_full) {
		scout_take(scout, space, page, is_used, is_slow);
		return;
	}
	scout->nr_mapped++;
	scout->nr_used += is_used;
}
void scout_end(struct scout *scout);

enum scout_tells { SCOUT_NOTHING, SCOUT_SUSPICION, SCOUT_ALARM };

/* This time begins; counts one page of a kind; ends. A kind of which nothing was counted tells
 * nothing. */
void scout_begin_count(struct scout *scout);
void scout_count(struct scout *scout, unsigned kind, bool is_used);
enum scout_tells scout_end_count(struct scout *scout);

#endif
