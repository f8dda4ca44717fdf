/* SPDX-License-Identifier: MIT */
/*
 * How long a miss waits (delay): two virtual clocks, in ticks of any clock.
 *
 * Latency. Each vCPU has the time at which its last miss was answered. The next one is answered
 * `latency` after that, or after `now - slack`, whichever is later:
 *
 *     answered = max(answered, now - slack) + latency          wait until `answered`
 *
 * An emulated miss costs something by itself (the page tables are walked in software, the host
 * misses its own caches). That is part of the latency and not on top of it: a chase takes exactly
 * `latency` a step as long as its own cost is below `slack`. Work of up to `slack` between two
 * misses is hidden, as an out-of-order processor hides it; more is not swallowed.
 *
 * Bandwidth. Each node has the time at which its last line was sent, shared by all vCPUs:
 *
 *     sent = max(sent, now - burst) + line                     wait until `sent`
 *
 * so one reader or several get the node's bandwidth and no more, and a reader that is slower by
 * itself waits for nothing. A sequential miss waits for `sent` only, a random one for both.
 */
#ifndef BERTH_LAB_LATENCY_WAITS_H
#define BERTH_LAB_LATENCY_WAITS_H

#include "base/types.h"

#define WAIT_MAX_TRIES 64

static inline uint64_t wait_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t wait_before(uint64_t now, uint64_t ticks)
{
	return now > ticks ? now - ticks : 0;
}

/* When a random miss at `now` is answered. */
static inline uint64_t wait_for_latency(uint64_t *answered, uint64_t now, uint64_t slack,
					uint64_t latency)
{
	return *answered = wait_later(*answered, wait_before(now, slack)) + latency;
}

/* When a line asked for at `now` has been sent. Other vCPUs may win the race for a turn a bounded
 * number of times; then this line goes for free. */
static inline uint64_t wait_for_line(uint64_t *sent, uint64_t now, uint64_t burst, uint64_t line)
{
	uint64_t before = __atomic_load_n(sent, __ATOMIC_RELAXED);
	for (int i = 0; i < WAIT_MAX_TRIES; i++) {
		uint64_t after = wait_later(before, wait_before(now, burst)) + line;
		if (__atomic_compare_exchange_n(sent, &before, after, true, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return after;
	}
	return now;
}

#endif
