/* SPDX-License-Identifier: MIT */
/*
 * xoshiro256** with splitmix64 as its seeder (random.h).
 * Source: Blackman and Vigna, Scrambled linear pseudorandom number generators, 2018; bounded
 * numbers after Lemire, Fast random integer generation in an interval, 2019.
 */
#include "base/random.h"

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

void random_init(struct random *random, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_SIZE(random->state); i++)
		random->state[i] = splitmix64(&seed);
}

uint64_t random_u64(struct random *random)
{
	uint64_t *state = random->state;
	uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	if (bound == 0)
		return 0;
	/* The high half of number * bound is the result; the first 2^64 % bound low halves are one
	 * too many for some results, and are drawn again. */
	unsigned __int128 product = (unsigned __int128)random_u64(random) * bound;
	if ((uint64_t)product < bound) {
		uint64_t surplus = (0 - bound) % bound;
		while ((uint64_t)product < surplus)
			product = (unsigned __int128)random_u64(random) * bound;
	}
	return (uint64_t)(product >> 64);
}

double random_unit(struct random *random)
{
	return (double)(random_u64(random) >> 11) * 0x1p-53;
}
