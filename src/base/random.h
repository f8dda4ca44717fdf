/* SPDX-License-Identifier: MIT */
/*
 * Seeded random numbers: the same seed gives the same numbers on every machine and for ever.
 * xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018). Not for secrets.
 */
#ifndef BERTH_BASE_RANDOM_H
#define BERTH_BASE_RANDOM_H

#include "base/types.h"

struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* 0 .. bound-1, unbiased */
double random_unit(struct random *random);		      /* [0, 1) */

#endif
