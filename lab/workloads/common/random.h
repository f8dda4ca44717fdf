/* SPDX-License-Identifier: MIT */
/*
 * Seeded random numbers for the workloads: equal seeds make equal runs on every machine.
 * xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2014) takes
 * five instructions and eight bytes; splitmix64 spreads small seeds over all bits.
 */
#ifndef BERTH_WORK_RANDOM_H
#define BERTH_WORK_RANDOM_H

#include <stdint.h>

/* The next of a sequence of well-mixed numbers; also a hash when given a copy of a key. */
static inline uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint64_t random_hash(uint64_t key)
{
	return splitmix64(&key);
}

/* The state of stream `stream` of `seed`; never 0, where xorshift would stay. */
static inline uint64_t random_seed(uint64_t seed, uint64_t stream)
{
	uint64_t state = random_hash(seed) + stream;

	return splitmix64(&state) | 1;
}

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1d;
}

/* A number below `limit` from the high bits of `bits`: a multiplication instead of a division. */
static inline uint64_t random_below(uint64_t bits, uint64_t limit)
{
	return (uint64_t)((unsigned __int128)bits * limit >> 64);
}

/* In [0, 1). */
static inline double random_unit(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

#endif
