/* SPDX-License-Identifier: MIT */
/*
 * The pace of a workload: hands out operations in small lots, to one thread or several, until the
 * operations or the time are used up; looks at the clock once a lot; prints a line every second.
 *
 *     pace_run(&pace, work, argument)
 *        thread 0 (the caller)   thread 1 ...
 *          while (nr = pace_next(pace, thread))      lots come from one common pool, so
 *                  do nr operations                   all threads end at about the same time
 *
 * After a lot a thread looks, unless another one does just then: it prints the interval and may
 * hold all others still (pace_hold), with the clock and the count of operations standing, for
 * placing pages free of charge or for moving a hot set.
 *
 * Follows the rule that a fixed number of operations, not a fixed time, makes two runs comparable:
 * operations are the default, a time is for those who want one. Cost: a clock reading (which in an
 * emulated machine may be a slow device's) and an atomic addition per lot.
 */
#ifndef BERTH_WORK_PACE_H
#define BERTH_WORK_PACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lab/workloads/common/work.h"

struct pace_thread {			       /* a cache line of its own */
	_Alignas(64) _Atomic uint64_t nr_done; /* whole lots */
	uint64_t lot;			       /* being done */
};

struct pace {
	/* Set by the program before pace_run(). */
	uint64_t operations; /* 0: no limit */
	uint64_t time_ns;    /* 0: no limit */
	uint64_t nr_threads;
	uint64_t before_bytes; /* touched by pace_default(), given back by pace_run() */
	uint64_t think;	       /* rounds of a loop without memory after each operation */
	uint32_t lot;	       /* operations between two looks at the clock; 0: 1,024 */
	/* Called by one thread at a time after a lot with the operations done and the time passed
	 * so far: may call pace_hold(). NULL: nothing. */
	void (*after_lot)(struct pace *pace, void *argument, uint64_t nr_done, uint64_t passed_ns);

	/* What came of it. */
	uint64_t nr_done, passed_ns;

	/* Private. */
	void *argument, *before;
	void (*work)(struct pace *pace, unsigned thread, void *argument);
	_Atomic uint64_t nr_handed;
	uint64_t start_ns, stood_ns;
	uint64_t said_ns, said_done, nr_said;
	_Atomic bool is_over, is_held;
	atomic_flag is_looking;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned nr_still; /* threads that wait or have ended */
	struct pace_thread threads[WORK_MAX_THREADS];
};

/* Options --seconds, --operations, --before, --think (and --threads) of a list of options. */
#define PACE_OPTIONS(pace)                                                                         \
	{ "operations", WORK_COUNT, &(pace)->operations, 1, 0, "end after so many operations" },   \
		{ "before",                                                                        \
		  WORK_SIZE,                                                                       \
		  &(pace)->before_bytes,                                                           \
		  0,                                                                               \
		  0,                                                                               \
		  "touched before all else, and given back before the run: what follows falls "    \
		  "elsewhere" },                                                                   \
		{ "think",                                                                         \
		  WORK_COUNT,                                                                      \
		  &(pace)->think,                                                                  \
		  0,                                                                               \
		  1000000,                                                                         \
		  "computes so many rounds of a loop between two operations, in lots" },           \
	{                                                                                          \
		"seconds", WORK_TIME, &(pace)->time_ns, 0, 0,                                      \
			"end after this time instead, or when both are given at the first of them" \
	}
#define PACE_THREADS(pace)                                                                         \
	{                                                                                          \
		"threads", WORK_COUNT, &(pace)->nr_threads, 1, WORK_MAX_THREADS, "threads"         \
	}

/* Gives the default number of operations when neither limit was asked for; touches --before. WHEN:
 * before anything is built. */
void pace_default(struct pace *pace, uint64_t operations);
/* Runs work() in nr_threads threads and returns when all have ended: phase 2 of the marker. */
void pace_run(struct pace *pace, void (*work)(struct pace *pace, unsigned thread, void *argument),
	      void *argument);
/* The last lot of this thread is done: how many to do now; 0: end. */
uint64_t pace_next(struct pace *pace, unsigned thread);
/* From after_lot(): calls what() while every other thread waits between two lots. With is_free the
 * clock stands meanwhile, under phase 15 of the marker. */
void pace_hold(struct pace *pace, void (*what)(void *argument), void *argument, bool is_free);
/* Million operations per second of the whole run. */
double pace_mops(const struct pace *pace);

#endif
