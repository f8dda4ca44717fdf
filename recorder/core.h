/* SPDX-License-Identifier: MIT */
/*
 * The recorder's core: from accesses to events. Knows nothing of QEMU, so that tests drive it.
 *
 *     access -> filter of its thread (one load, one compare) -> nothing to say, nearly always
 *                  | not there
 *                  v
 *               page table: first in this interval?  -> TOUCH
 *               shared cache: not there?             -> MISS       -> ring (trace/ring.h)
 *
 * The filter of a thread is its private cache, direct-mapped, FILTER_LINES of 64 bytes: `loads`
 * holds the lines in it, `stores` those among them that were stored to in this interval. It is
 * emptied when an interval ends (its lines count as just used in the shared cache then), so a hit
 * in it is never a first touch, and touches are exact. An entry is compared with the line of the
 * access's first byte at the place of its last byte: an access that crosses two lines never
 * matches.
 *
 * Time is the instructions a thread executed. Each block of code that runs adds its instructions
 * to `left`, which is negative until the interval is over; the clock of the process is that of its
 * furthest thread, and its events carry that clock. Code is looked at per block: at its first run,
 * and at the end of each interval for the blocks that ran in it.
 *
 * Locking: one lock per process around everything but filter hits; not taken while there is one
 * thread. A system call's buffers go through the same filter, as kernel copies do.
 */
#ifndef BERTH_RECORDER_CORE_H
#define BERTH_RECORDER_CORE_H

#include <pthread.h>
#include <stddef.h>

#include "cache.h"
#include "pages.h"
#include "regions.h"
#include "trace/ring.h"

#define FILTER_LINES   2048
#define CORE_THREADS   1024		   /* at a time; further ones run unrecorded */
#define CORE_BLOCKS    ((uint32_t)1 << 22) /* translated blocks at a time */
#define LINES_PER_PAGE (1 << (PAGE_SHIFT - CACHE_LINE_SHIFT))

struct thread {
	int64_t left;	     /* instructions executed minus those due at `deadline`; hot */
	uint64_t deadline;   /* end of the interval this thread is in, in its ticks */
	uint32_t generation; /* of the core, for which the filter holds */
	uint32_t number;     /* in the recording */
	bool is_alive;
	/* The system call it is in. */
	int64_t call;
	uint64_t arguments[6];
	uint64_t entered_ns;
	uint64_t entered_cpu_ns;
	int64_t nr_waits; /* voluntary context switches, when last looked at */
	uint64_t loads[FILTER_LINES], stores[FILTER_LINES];
};

/*
 * A translated block of code, as its callback gets it: instructions << 48 | address of the byte
 * that says it ran in this interval. So that counting it touches one byte and no line of memory
 * has to come first.
 */
typedef uint64_t block_run;
#define BLOCK_COUNT_SHIFT      48
#define BLOCK_MAX_INSTRUCTIONS 0xffff

/* What is known of it besides. */
struct block {
	uint64_t first_line;
	uint32_t nr_lines;
};

struct core {
	struct recording *recording;
	struct ring_producer ring;
	uint32_t lane;	  /* space of the process */
	bool is_parallel; /* more than one thread was ever seen: take the lock */
	bool is_ended;
	uint8_t wanted; /* enum trace_flag bits that make an event */
	uint8_t shown;	/* ... that may stand in one */
	bool wants_all, wants_counts;
	uint32_t epoch;	     /* number of the interval, for touches */
	uint32_t generation; /* filters of another one must be emptied */
	uint32_t nr_threads; /* ever; the next number */
	uint32_t nr_lost_threads;
	uint32_t nr_alive;
	uint64_t interval_start, interval_end;
	uint64_t clock;	     /* of the furthest thread */
	uint64_t last_event; /* its ticks; events never step back */
	uint64_t nr_references;
	pthread_mutex_t lock;
	struct cache cache;
	struct pages pages;
	struct regions regions;
	struct counts *counts; /* counts.h; NULL unless wanted */
	uint8_t *has_run;      /* CORE_BLOCKS of each, filled as needed */
	struct block *blocks;
	uint32_t nr_blocks;
	uint64_t *run_counts; /* of the blocks that count by inlined code */
	uint32_t *counted_blocks;
	uint32_t nr_counted;
};

extern struct core core;
extern struct thread core_threads[CORE_THREADS];

/* Once per process tree, in the first process. 0 or negative errno. */
int core_init(struct recording *recording);
void core_fini(void); /* for tests */
/* In the child after fork, with the lock held by the forking thread. */
void core_forked(uint32_t parent_lane);

/* `creator` NULL for the first. */
void core_thread_start(struct thread *thread, const struct thread *creator);
void core_thread_end(struct thread *thread);

void core_lock(void);
void core_unlock(void);

/* The slow path: any access that the filter does not answer. Takes the lock itself. */
void core_access(struct thread *thread, uint64_t address, uint64_t nr_bytes, uint8_t flags);
/* The same for an access within one line. */
void core_access_line(struct thread *thread, uint64_t line, uint8_t flags);
/* `left` reached 0. */
void core_tick(struct thread *thread);

/* With the lock held: */
uint64_t core_now(struct thread *thread); /* brings the process clock up to this thread's */
void core_raise(struct thread *thread, uint64_t ticks); /* its clock, after it waited */
void core_end_interval(struct thread *thread);
void core_mapping(struct thread *thread, enum trace_mapping_op op, uint64_t address,
		  uint64_t nr_bytes, const char *name, uint64_t detail, uint32_t protection);
void core_blocked(struct thread *thread, uint64_t blocked_ns);
/* What is known so far goes out: the process may end without another word. */
void core_pause(struct thread *thread);
void core_forget(uint64_t address, uint64_t nr_bytes);
void core_move(uint64_t from, uint64_t to, uint64_t nr_bytes);
/* The last words of the process: the interval that is under way. */
void core_end(struct thread *thread);

/* A block was translated and is about to run; 0 when there is no room (its instructions are
 * then not counted, which never happens before 4 million blocks). `thread`: who translates, NULL
 * when not known. Takes the lock. */
block_run core_block(struct thread *thread, uint64_t address, uint64_t nr_bytes,
		     uint32_t nr_instructions);
/* A number for inlined code to count the block's runs in. Takes the lock. */
uint64_t *core_block_counter(block_run run);
/* All translated blocks are gone; nobody runs. */
void core_flush_blocks(void);

static inline uint64_t thread_ticks(const struct thread *thread)
{
	return thread->deadline + (uint64_t)thread->left;
}

/* False: the line is in the filter, nothing to say. `last`: bytes of the access minus 1. */
static inline bool filter_misses(const uint64_t *lines, uint64_t address, unsigned last)
{
	uint64_t place = (address + last) >> CACHE_LINE_SHIFT;
	return unlikely(lines[place & (FILTER_LINES - 1)] != address >> CACHE_LINE_SHIFT);
}

static inline bool filter_misses_load(const struct thread *thread, uint64_t address, unsigned last)
{
	return filter_misses(thread->loads, address, last);
}

static inline bool filter_misses_store(const struct thread *thread, uint64_t address, unsigned last)
{
	return filter_misses(thread->stores, address, last);
}

/* True: the interval is over. */
static inline bool count_block(struct thread *thread, block_run run)
{
	*(uint8_t *)(uintptr_t)(run & (((uint64_t)1 << BLOCK_COUNT_SHIFT) - 1)) = 1;
	thread->left += (int64_t)(run >> BLOCK_COUNT_SHIFT);
	return unlikely(thread->left >= 0);
}

#endif
