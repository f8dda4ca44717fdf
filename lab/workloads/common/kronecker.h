/* SPDX-License-Identifier: MIT */
/*
 * Edges of a Kronecker graph with the parameters of Graph500: of the four quarters of the adjacency
 * matrix an edge falls into A = .57, B = .19, C = .19, D = .05, and so on within the quarter, once
 * per bit of a vertex's number. A few vertices get very many edges, most get few, as people and
 * pages have.
 *
 *     16 random bits -> a table of 65,536 -> two levels at once (2 bits of each end)
 *
 * Vertices are then renamed by a bijection, so that numbers say nothing about degrees. Follows the
 * Graph500 specification (graph500.org, 3.0) but not its random numbers. 64 KiB.
 */
#ifndef BERTH_WORK_KRONECKER_H
#define BERTH_WORK_KRONECKER_H

#include <stdint.h>

struct kronecker {
	unsigned scale; /* 2^scale vertices, 1 to 30 */
	uint64_t state;
	uint8_t two_levels[1 << 16]; /* 2 bits of the source, 2 bits of the target */
};

struct kronecker_edge {
	uint64_t source, target;
};

void kronecker_init(struct kronecker *kronecker, unsigned scale, uint64_t seed);
struct kronecker_edge kronecker_next(struct kronecker *kronecker);

#endif
