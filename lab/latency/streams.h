/* SPDX-License-Identifier: MIT */
/*
 * Which misses a prefetcher would hide: those that continue a run of lines, up or down.
 *
 *     new[8]       last lines of runs of one miss, the oldest replaced
 *     running[8]   last lines of runs that went on, replaced only by others that do
 *
 * A miss within STREAM_REACH lines of the end of a run continues it. Two tables, so that random
 * misses between the steps of a run (a graph's edges in order, its vertices at random) do not
 * displace it. Lines are virtual: a run goes on into the next page, as it does in processors with a
 * next-page prefetcher, and the kernel's copying runs in its direct map. Numbers are cut to 32
 * bits: 256 GiB of 64-byte lines, beyond which two runs in a thousand million are confused.
 *
 * Cost: 16 compares, in vector registers. Follows: Intel's optimization manual on the streamer (32
 * streams, one up and one down a page); AMD's is alike.
 */
#ifndef BERTH_LAB_LATENCY_STREAMS_H
#define BERTH_LAB_LATENCY_STREAMS_H

#include "base/types.h"

#define STREAMS_NR   8
#define STREAM_REACH 2

struct streams {
	uint32_t running[STREAMS_NR];
	uint32_t new[STREAMS_NR];
	uint32_t next_running, next_new;
};

/* Lines within reach give 0 to 2 * STREAM_REACH; all others wrap above it. */
static inline uint32_t streams_find(const uint32_t lines[STREAMS_NR], uint32_t line)
{
	uint32_t found = STREAMS_NR;
	for (uint32_t i = 0; i < STREAMS_NR; i++)
		if (line - lines[i] + STREAM_REACH <= 2 * STREAM_REACH)
			found = i;
	return found;
}

/* Does this miss continue a run? */
static inline bool streams_follow(struct streams *streams, uint64_t wide_line)
{
	uint32_t line = (uint32_t)wide_line, at = streams_find(streams->running, line);
	if (at < STREAMS_NR) {
		streams->running[at] = line;
		return true;
	}
	at = streams_find(streams->new, line);
	if (at == STREAMS_NR) {
		streams->new[streams->next_new++ % STREAMS_NR] = line;
		return false;
	}
	streams->running[streams->next_running++ % STREAMS_NR] = line;
	return true;
}

#endif
