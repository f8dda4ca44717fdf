/* SPDX-License-Identifier: MIT */
/*
 * What every workload of the lab shares: options, phases, memory, failing, and the lines it prints.
 *
 * A workload builds its data (phase 1), runs at a steady pace (phase 2), checks what it computed
 * (phase 3) and prints, on standard output, lines that a program can read:
 *
 *     interval 3 ops 1234944 mops 1.2349 ns 1000034112     about once a second, of phase 2
 *     result: METRIC VALUE UNIT higher|lower               once, last of its kind: what to compare
 *     also: METRIC VALUE UNIT higher|lower                 any number: what else was measured
 *
 * METRIC and UNIT have no spaces; the last word says which way is better. `berth lab compare`
 * compares any program that prints such a result line; nothing else here is needed for that.
 *
 * Exit status: 0 done and checked; 1 the check failed or the memory was refused; 2 wrong options;
 * 3 not possible here. Every workload also runs outside the lab, on any Linux.
 */
#ifndef BERTH_WORK_H
#define BERTH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORK_MAX_THREADS 64

/* Phases of the marker (lab/marker.h) that workloads use. */
enum work_phase {
	WORK_PHASE_OUTSIDE,
	WORK_PHASE_BUILD,
	WORK_PHASE_RUN,
	WORK_PHASE_CHECK,
	WORK_PHASE_PLACE = 15, /* pages are moved by hand: free of charge */
};

enum work_kind {
	WORK_SIZE,	    /* uint64_t, bytes: 700MiB */
	WORK_TIME,	    /* uint64_t, nanoseconds: 300ms, 0.3 (seconds) */
	WORK_COUNT,	    /* uint64_t: 60000000, 60M */
	WORK_SHARE,	    /* double, 0 to 1: 90% or 0.9 */
	WORK_NUMBER,	    /* double: 0.99 */
	WORK_TIME_OR_COUNT, /* struct work_period: 10s or 20M */
	WORK_TEXT,	    /* const char * */
};

struct work_period { /* at most one is not 0; both 0: never */
	uint64_t time_ns, count;
};

struct work_option {
	const char *name; /* without the dashes */
	enum work_kind kind;
	void *value;	 /* holds the default */
	double min, max; /* bounds, in the unit above; max 0: none */
	const char *help;
};

/* Reads argv into the options (the list ends with a name of NULL). --help prints them and exits 0,
 * anything wrong prints a sentence and exits 2. Arguments that are no options are refused. */
void work_begin(const char *name, const char *summary, const struct work_option *options, int argc,
		char **argv);
/* The pure part of the above: 0, or -EINVAL. */
int work_parse(enum work_kind kind, const char *text, void *ret);

/* "NAME: words" on standard error, and the end. */
void work_fail(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* What the program computed is right, or exit 1 with the sentence. */
void work_check(bool is_right, const char *format, ...) __attribute__((format(printf, 2, 3)));

void work_phase(enum work_phase phase);
uint64_t work_now_ns(void);

/* Zeroed, untouched memory at a huge page's border; never NULL. */
void *work_memory(uint64_t bytes);
/* work_memory() and a first touch of every page, lowest first: where it falls, it lies. */
void *work_memory_touched(uint64_t bytes);

void work_result(const char *metric, double value, const char *unit, bool is_higher_better);
void work_also(const char *metric, double value, const char *unit, bool is_higher_better);
/* A sentence for people, on standard output. */
void work_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
