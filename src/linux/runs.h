/* SPDX-License-Identifier: MIT */
/*
 * What a reading of page tables found, kept until it is told: runs of pages that are alike.
 *
 *     reading:   page 77, 3 pages | page 81, 1 page | page 512, 512 pages, hits 900 of 4096 | ...
 *                  as fast as it goes, up to RUNS_MAX            |
 *     telling:   batch, batch, batch, ...  <---------------------+
 *
 * Why: who is told takes as long as reading does, or longer, and bits are set meanwhile. Where the
 * two take turns, what is read last has been watched for several times as long as what is read
 * first and seems to be used more, by a program to which all are alike.
 *
 * Cost: 16 bytes a run, of which there are half as many as pages in use at most; 1 MiB.
 */
#ifndef BERTH_LINUX_RUNS_H
#define BERTH_LINUX_RUNS_H

#include "base/types.h"
#include "policy/sample.h"

#define RUNS_MAX    65536
#define RUNS_PAGES  65536 /* of one */
#define RUNS_CHECKS 4096  /* of one of which it is known how much it is used */

struct run {
	uint64_t page : 45, nr_pages_less_one : 16;
	uint64_t is_in_window : 1;
	uint64_t is_part : 1; /* hits of RUNS_CHECKS; else one of one */
	uint32_t space;
	uint16_t node, hits : 12, order : 4;
};

struct runs {
	struct run *items;
	uint32_t nr, max;
	uint32_t at; /* the next to be told */
};

/* The sample is one hit of one check, or fewer hits than RUNS_CHECKS of as many; of RUNS_PAGES at
 * most; else -EINVAL. -ENOSPC: it is full, or there is no memory for more; unchanged. */
int runs_add(struct runs *runs, const struct sample *sample);
/* All that there is, or as much as the batch has room for; window_ns is that of runs in one.
 * True: all has been told, and the list is empty. */
bool runs_tell(struct runs *runs, struct sample_batch *batch, uint64_t now_ns, uint64_t window_ns);
void runs_fini(struct runs *runs);

#endif
