/* SPDX-License-Identifier: MIT */
/*
 * How fast pages may be moved, so that moving does not hurt who uses the memory.
 *
 *     most     a quarter of what the slowest node of the machine can do: the rest is the program's
 *     now      halved by pressure, from the speed of the last batch if that is less; grows back by
 *              a 32nd of most a second                                   most |----.        .--
 *                                                            |    |    .-'
 *                                                       least |    '--'
 *
 * Budgets of the user (bytes per second) are the engine's and come before this.
 *
 * Pure arithmetic: the caller passes the time. Halving at once and coming back in steps is what
 * TCP does with a shared path it cannot see into (additive increase, multiplicative decrease).
 */
#ifndef BERTH_LINUX_PACE_H
#define BERTH_LINUX_PACE_H

#include "machine/machine.h"

#define PACE_LEAST_BYTES  (64 * MIB)	    /* per second: pressure that lasts does not stop it */
#define PACE_PART	  4		    /* of the slowest node's bandwidth */
#define PACE_BACK_SECONDS 32		    /* from nothing to most */
#define PACE_SAVED_NS	  (20 * NS_PER_MS)  /* what it may be ahead by */
#define PACE_PRESS_NS	  (500 * NS_PER_MS) /* between halvings */

struct pace {
	uint64_t most, now, least_seen; /* bytes per second */
	uint64_t grown_ns;		/* until when growing has been counted */
	uint64_t due_ns;		/* when the next batch may begin */
	uint64_t pressed_ns;		/* of the last halving; 0: never */
	uint64_t speed;			/* of the last batch that moved something; 0: none yet */
	uint32_t nr_halved;
};

/* Bytes per second; UINT64_MAX where no bandwidth is known. */
uint64_t pace_most(const struct machine *machine);
void pace_init(struct pace *pace, uint64_t most, uint64_t now_ns);
/* Memory is short, or whatever else says that moving hurts. */
void pace_press(struct pace *pace, uint64_t now_ns);
/* After a batch that took so long: how long to wait before the next one. */
uint64_t pace_spend(struct pace *pace, uint64_t bytes, uint64_t took_ns, uint64_t now_ns);

#endif
