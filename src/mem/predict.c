/* SPDX-License-Identifier: MIT */
/* Predictions by class; predict.h has the picture. */
#include "mem/predict.h"

#include <stdlib.h>

#define TRIALS_MAX    8192 /* of one cell, before its past is halved */
#define TRIALS_TRUST  32   /* the weight of what stands in for a cell's own trials */
#define SAMPLES_TRUST 64   /* the same for hardware samples */
#define BP	      10000

int predict_init(struct predict *predict, uint32_t nr_classes, uint32_t nr_parents)
{
	*predict = (struct predict){ .nr_classes = nr_classes, .nr_parents = nr_parents };
	predict->cells = calloc(nr_classes, sizeof(*predict->cells));
	predict->parents = calloc(nr_parents, sizeof(*predict->parents));
	if (predict->cells && predict->parents)
		return 0;
	predict_fini(predict);
	return -ENOMEM;
}

void predict_fini(struct predict *predict)
{
	free(predict->cells);
	free(predict->parents);
	predict->cells = predict->parents = NULL;
}

static void add_trials(struct predict_cell *cell, uint32_t nr, uint64_t touches, uint32_t samples)
{
	if (cell->nr >= TRIALS_MAX || cell->samples > UINT32_MAX / 2) {
		cell->nr /= 2;
		cell->touches /= 2;
		cell->samples /= 2;
	}
	cell->nr += nr;
	cell->touches += touches * nr * PREDICT_ONE;
	cell->samples += MIN(samples, UINT32_MAX / 4);
}

void predict_learn(struct predict *predict, uint32_t class, uint32_t parent, uint32_t nr,
		   uint64_t touches, uint32_t samples)
{
	if (class >= predict->nr_classes || parent >= predict->nr_parents)
		return;
	touches = MIN(touches, UINT32_MAX);
	nr = MIN(nr, TRIALS_MAX);
	add_trials(&predict->cells[class], nr, touches, samples);
	add_trials(&predict->parents[parent], nr, touches, samples);
}

static uint64_t mean_of(const struct predict_cell *cell, uint64_t stand_in)
{
	return (cell->touches + stand_in * TRIALS_TRUST) / (cell->nr + TRIALS_TRUST);
}

/* Samples over those that the same touches would bring elsewhere. */
static uint64_t weight_of(const struct predict_cell *cell, uint64_t stand_in, uint64_t samples_bp)
{
	uint64_t expected = cell->touches / PREDICT_ONE * samples_bp / BP;
	return ((uint64_t)cell->samples * PREDICT_WEIGHT + stand_in * SAMPLES_TRUST) /
	       (expected + SAMPLES_TRUST);
}

struct predict_mean predict_mean(const struct predict *predict, uint32_t class, uint32_t parent,
				 uint64_t prior, uint64_t samples_bp)
{
	struct predict_mean mean = { prior, PREDICT_WEIGHT };
	if (class >= predict->nr_classes || parent >= predict->nr_parents)
		return mean;
	const struct predict_cell *cell = &predict->cells[class];
	const struct predict_cell *wide = &predict->parents[parent];
	mean.touches = mean_of(cell, mean_of(wide, prior));
	if (samples_bp > 0)
		mean.weight = weight_of(cell, weight_of(wide, PREDICT_WEIGHT, samples_bp),
					samples_bp);
	return mean;
}

uint64_t predict_bytes(const struct predict *predict)
{
	return ((uint64_t)predict->nr_classes + predict->nr_parents) * sizeof(*predict->cells);
}
