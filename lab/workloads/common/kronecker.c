/* SPDX-License-Identifier: MIT */
/*
 * The generator of edges (kronecker.h).
 */
#include "lab/workloads/common/kronecker.h"
#include "lab/workloads/common/random.h"

static const double quarters[4] = { 0.57, 0.19, 0.19, 0.05 };

/* Sixteen pairs of quarters share the table by their probability. */
void kronecker_init(struct kronecker *kronecker, unsigned scale, uint64_t seed)
{
	double sum = 0;
	unsigned at = 0;

	kronecker->scale = scale;
	kronecker->state = random_seed(seed, 0);
	for (unsigned pair = 0; pair < 16; pair++) {
		unsigned high = pair >> 2, low = pair & 3, end;

		sum += quarters[high] * quarters[low];
		end = pair == 15 ? 1 << 16 : (unsigned)(sum * (1 << 16) + 0.5);
		for (; at < end; at++)
			kronecker->two_levels[at] = (uint8_t)((high >> 1) << 3 | (low >> 1) << 2 |
							      (high & 1) << 1 | (low & 1));
	}
}

/* A bijection of [0, 2^scale): odd factors and shifts to the right are undone, bit by bit. */
static uint64_t rename_vertex(uint64_t vertex, unsigned scale)
{
	uint64_t mask = (1ULL << scale) - 1;

	vertex = vertex * 0x9e3779b97f4a7c15 & mask;
	vertex ^= vertex >> (scale + 1) / 2;
	vertex = (vertex * 0xbf58476d1ce4e5b9 + 0x94d049bb) & mask;
	return vertex ^ vertex >> (scale + 1) / 2;
}

struct kronecker_edge kronecker_next(struct kronecker *kronecker)
{
	uint64_t source = 0, target = 0, bits = 0;

	for (unsigned level = 0; level < kronecker->scale; level += 2) {
		unsigned pair;

		if (level % 8 == 0)
			bits = random_next(&kronecker->state);
		pair = kronecker->two_levels[bits & 0xffff];
		bits >>= 16;
		source = source << 2 | pair >> 2;
		target = target << 2 | (pair & 3);
	}
	/* An odd scale has drawn one level too many: its lowest bits go. */
	source >>= kronecker->scale & 1;
	target >>= kronecker->scale & 1;
	return (struct kronecker_edge){ rename_vertex(source, kronecker->scale),
					rename_vertex(target, kronecker->scale) };
}
