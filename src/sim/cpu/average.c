/* SPDX-License-Identifier: MIT */
/*
 * Utilisation as the kernel averages it (kernel/sched/pelt.c): periods of about a millisecond, each
 * weighing 0.5^(1/32) of the one after it. Only whole periods count here; the kernel counts the
 * begun one too. Cost: O(periods passed), at most FORGOTTEN.
 */
#include "sim/cpu/internal.h"

#define PERIOD_NS (1 << 20)
#define KEPT	  64132 /* 0.5^(1/32) of 65536 */
#define FORGOTTEN 345	/* periods after which nothing of a value is left */

static void close_period(struct average *average)
{
	uint64_t share = (average->busy_ns * ALL_BP << 8) / PERIOD_NS;
	average->value = (uint32_t)((average->value * (uint64_t)KEPT + share * (65536 - KEPT) +
				     32768) >>
				    16);
	average->busy_ns = 0;
	average->period++;
}

void average_add(struct average *average, uint64_t from_ns, uint64_t to_ns, bool is_busy)
{
	uint64_t last = to_ns / PERIOD_NS, at = from_ns;
	if (last > average->period + FORGOTTEN) {
		*average = (struct average){ last - FORGOTTEN, 0,
					     is_busy ? (uint32_t)ALL_BP << 8 : 0 };
		at = average->period * PERIOD_NS > from_ns ? average->period * PERIOD_NS : from_ns;
	}
	while (average->period < last) {
		uint64_t end_ns = (average->period + 1) * PERIOD_NS;
		if (is_busy && end_ns > at)
			average->busy_ns += end_ns - at;
		at = end_ns > at ? end_ns : at;
		close_period(average);
	}
	if (is_busy && to_ns > at)
		average->busy_ns += to_ns - at;
}

/* A new task is taken for one that will use half of what is left, or as much as those that are
 * there (post_init_entity_util_avg). */
void average_join(struct average *average, uint32_t nr_there)
{
	uint32_t all = (uint32_t)ALL_BP << 8;
	uint32_t half = average->value < all ? (all - average->value) / 2 : 0;
	uint32_t alike = nr_there && average->value ? average->value / nr_there : half;
	average->value += alike < half ? alike : half;
}

uint32_t average_bp(const struct average *average)
{
	uint32_t value = average->value >> 8;
	return value < ALL_BP ? value : ALL_BP;
}
