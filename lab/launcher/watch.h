/* SPDX-License-Identifier: MIT */
/*
 * Reads the guest's console for what a kernel says when it dies, is stuck or has no memory left.
 *
 *     bytes --> lines --> stamp and level taken off --> the first line of each kind is kept
 *
 * A kernel under emulation on a busy host reports stalls that pass: a stall is a suspicion that
 * the next sign of life clears (lab_watch_clear_stall). Panics and oopses are final (the guest
 * boots with oops=panic).
 *
 * The console is the guest's: any bytes may come, lines of any length. Memory: a line of
 * LAB_WATCH_LINE bytes per kind; the rest of a longer one is skipped.
 *
 * Source: Linux 6.12 kernel/panic.c, arch/x86/kernel/dumpstack.c, kernel/rcu/tree_stall.h,
 * kernel/watchdog.c, kernel/hung_task.c, mm/oom_kill.c (what they print).
 */
#ifndef BERTH_LAB_WATCH_H
#define BERTH_LAB_WATCH_H

#include "base/types.h"

#define LAB_WATCH_LINE 256

enum lab_sign {
	LAB_SIGN_PANIC, /* "Kernel panic - not syncing: ..." */
	LAB_SIGN_OOPS,	/* "BUG: ...", "Oops: ...", "kernel BUG at ..." */
	LAB_SIGN_STALL, /* RCU stall, soft or hard lockup, hung task */
	LAB_SIGN_OOM,	/* "Out of memory: Killed process ..." */
	LAB_NR_SIGNS,
};

struct lab_watch {
	char line[LAB_WATCH_LINE]; /* the one being received */
	size_t length;
	/* First line of each kind, and the last line of all; "" none. Only printable ASCII. */
	char signs[LAB_NR_SIGNS][LAB_WATCH_LINE];
	char last[LAB_WATCH_LINE];
	uint64_t nr_bytes, nr_lines, nr_stalls;
};

void lab_watch_feed(struct lab_watch *watch, const void *bytes, size_t nr_bytes);
/* The console ended: what was received of the last line counts. */
void lab_watch_end(struct lab_watch *watch);
void lab_watch_clear_stall(struct lab_watch *watch);
/* What the guest died of, best first: oops (the cause), then panic. NULL: nothing. */
const char *lab_watch_death(const struct lab_watch *watch);
const char *lab_watch_sign(const struct lab_watch *watch, enum lab_sign sign); /* NULL: none */
/* Died of a breakpoint that nobody handled: a kernel patches its code with breakpoints (jump
 * labels, static calls, tracepoints), and an emulated CPU may run one that is no longer there. Not
 * a fault of the guest. */
bool lab_watch_is_breakpoint(const struct lab_watch *watch);

#endif
