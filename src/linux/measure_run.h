/* SPDX-License-Identifier: MIT */
/*
 * The threads that measure: each pinned to one CPU, chasing pointers or streaming over memory that
 * was prepared for it, for a given time.
 */
#ifndef BERTH_LINUX_MEASURE_RUN_H
#define BERTH_LINUX_MEASURE_RUN_H

#include "base/types.h"

#define MEASURE_LINE	   64	/* bytes between what is touched: a cache line */
#define MEASURE_MAX_CHUNKS 4096 /* of a worker; each becomes one figure */

enum measure_kind { MEASURE_CHASE, MEASURE_STREAM };

struct measure_worker {
	enum measure_kind kind;
	uint32_t cpu;
	/* Chase: any line of the cycle, and where it stopped afterwards. Stream: unchanged. */
	char *memory;
	size_t nr_bytes;    /* stream: of its part of the memory */
	uint64_t warmup_ns; /* passed before figures count */
	uint64_t chunk_ns;  /* about how long one figure takes, at least */
	/* Results. */
	int error;	/* the CPU could not be had, or no thread */
	double *chunks; /* ns per line, MEASURE_MAX_CHUNKS of room; NULL: none wanted */
	uint32_t nr_chunks;
	uint64_t streamed_bytes, began_ns, ended_ns;
};

/* Runs all workers at the same time for `time_ns`; 0 or the first worker's error. */
int measure_run(struct measure_worker *workers, uint32_t nr_workers, uint64_t time_ns);

/* Links the lines of [memory, memory + nr_bytes) into one random cycle; nr_bytes is a power of two
 * of at least 4 lines. Ascending writes and no table: as fast on slow memory as can be. */
void measure_link_cycle(char *memory, size_t nr_bytes);
/* The line after line `index` on that cycle, of 2^bits lines. */
uint64_t measure_next_line(uint64_t index, unsigned bits);

#endif
