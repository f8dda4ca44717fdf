/* SPDX-License-Identifier: MIT */
/*
 * What time it is, in nanoseconds. Only for what observes, acts or waits: a policy and the
 * simulator are told the time, so that a replay is exact (scripts/check-tidy).
 *
 * Cost: about 20 ns for the first, a system call of 200 ns for the others.
 */
#ifndef BERTH_BASE_CLOCK_H
#define BERTH_BASE_CLOCK_H

#include "base/types.h"

uint64_t clock_now_ns(void);	     /* CLOCK_MONOTONIC: only differences mean something */
uint64_t clock_thread_cpu_ns(void);  /* what the calling thread has run */
uint64_t clock_process_cpu_ns(void); /* what all threads of this process have run */
/* Does nothing for so long, or until a signal. */
void clock_sleep_ns(uint64_t ns);

#endif
