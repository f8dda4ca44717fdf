/* SPDX-License-Identifier: MIT */
/*
 * Zipf-distributed ranks: rank r (from 0) is drawn with a probability proportional to
 * 1 / (r + 1)^theta. In integers only, because floating point is slow in an emulated machine.
 *
 *     a random number's top bits choose one of 16,384 equally likely pieces of [0, nr):
 *
 *     ranks  0    1  2 3 4 ...                                         nr
 *            |----|--|-|...|........|................|..................|
 *     its other bits choose a point between the two borders of the piece; borders are fractional
 *
 * The borders are points of the inverse cumulative distribution: sums for the first 4,096 ranks,
 * beyond them the integral by the midpoint rule (relative error below 1e-8). Inside a piece the
 * distribution is taken as even, which is exact where a rank spans pieces, and right to the ratio
 * of the piece's border probabilities elsewhere. 128 KiB, four instructions and one load a draw;
 * Gray and others, "Quickly generating billion-record synthetic databases", 1994, is the customary
 * way, which needs a power each time.
 */
#ifndef BERTH_WORK_ZIPF_H
#define BERTH_WORK_ZIPF_H

#include <stdint.h>

#define ZIPF_PIECE_BITS 14
#define ZIPF_PIECES	(1U << ZIPF_PIECE_BITS)
#define ZIPF_HEAD	4096

struct zipf {
	uint64_t nr;
	double theta;
	uint64_t borders[ZIPF_PIECES + 1]; /* fixed point: 32 bits after the point */
};

/* nr from 1 to 2^31, theta from 0 (even) to 10. */
void zipf_init(struct zipf *zipf, uint64_t nr, double theta);
/* The share of the draws that fall on rank (exact, slow: for placing and tests). */
double zipf_weight(const struct zipf *zipf, uint64_t rank);

static inline uint64_t zipf_draw(const struct zipf *zipf, uint64_t bits)
{
	uint64_t piece = bits >> (64 - ZIPF_PIECE_BITS);
	uint64_t from = zipf->borders[piece], to = zipf->borders[piece + 1];
	uint64_t rest = bits << ZIPF_PIECE_BITS;

	return (from + (uint64_t)((unsigned __int128)rest * (to - from) >> 64)) >> 32;
}

/* A bijection of [0, nr) that scatters neighbours: multiplication by a number coprime to nr. */
struct scatter {
	uint64_t nr, factor;
};

void scatter_init(struct scatter *scatter, uint64_t nr);

static inline uint64_t scatter_at(const struct scatter *scatter, uint64_t rank)
{
	return rank * scatter->factor % scatter->nr;
}

#endif
