/* SPDX-License-Identifier: MIT */
/*
 * What becomes of pages with a given history: learned from what became of such pages before.
 *
 *     history --> class        trial: a page of the class is watched for one horizon
 *                   |                          |
 *                   v                          v
 *     cells[horizon][class] = { trials, touches, samples }    mean = touches / trials
 *             |
 *             +--> cells[horizon][parent] (few features): stands in while trials are few
 *
 * Why: a rule such as "touched twice is hot" is a guess about programs. The table makes no guess: a
 * page of a table that is scanned once has the same recent touches as one that stays hot, but
 * another history, and after the first few hundred have been watched the table knows what each
 * class is worth. Follows LHD (Beckmann, Chen, Cidon: NSDI'18), which ranks cached objects by the
 * hits that objects of their age got per byte and time, and the tables of branch predictors
 * (McFarling 1993: several tables of different detail, the more detailed one when it is sure).
 *
 * Old trials fade: a cell with many trials is halved, so a table follows a program that changes.
 * Everything is integers.
 *
 * Cost: 24 bytes a cell; a look-up is two cells.
 */
#ifndef BERTH_MEM_PREDICT_H
#define BERTH_MEM_PREDICT_H

#include "base/types.h"

#define PREDICT_ONE    16  /* fixed point: one touch */
#define PREDICT_WEIGHT 256 /* fixed point: the misses behind an average touch */

struct predict_cell {
	uint64_t touches; /* in PREDICT_ONE */
	uint32_t nr;	  /* trials */
	uint32_t samples; /* of the hardware, in the caller's weight */
};

struct predict {
	struct predict_cell *cells;   /* [nr_classes] */
	struct predict_cell *parents; /* [nr_parents] */
	uint32_t nr_classes, nr_parents;
};

struct predict_mean {	  /* of one page over one horizon */
	uint64_t touches; /* in PREDICT_ONE */
	/* Hardware samples per touch of this class over those of all pages, in PREDICT_WEIGHT: more
	 * than one means that a touch stands for more misses than elsewhere. */
	uint64_t weight;
};

int predict_init(struct predict *predict, uint32_t nr_classes, uint32_t nr_parents);
void predict_fini(struct predict *predict);
/* A trial is over: each of `nr` pages that were of `class` got so many touches, and all of them so
 * many samples. */
void predict_learn(struct predict *predict, uint32_t class, uint32_t parent, uint32_t nr,
		   uint64_t touches, uint32_t samples);
/* `prior`: touches (in PREDICT_ONE) to expect when nothing is known of the class. samples_bp:
 * hardware samples per ten thousand touches of all pages; 0: there are none. */
struct predict_mean predict_mean(const struct predict *predict, uint32_t class, uint32_t parent,
				 uint64_t prior, uint64_t samples_bp);
uint64_t predict_bytes(const struct predict *predict);

#endif
