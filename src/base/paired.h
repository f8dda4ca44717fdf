/* SPDX-License-Identifier: MIT */
/*
 * Is it faster with something than without? Pairs of figures, one with it and one without, taken
 * near each other in time, so that what drifts hits both.
 *
 *     pair     d = ln(with / without)      a ratio: what is 10 % faster stays so at any level
 *     gain     exp(mean of d) - 1          the geometric mean of the ratios
 *     interval exp(mean -+ t * deviation / sqrt(n)) - 1, t of Student's distribution with n - 1
 *              degrees of freedom
 *
 * Assumes that d is about normal: a mean of few d is. Cost: 24 bytes whatever the number of pairs.
 *
 * Source: Student, "The probable error of a mean", Biometrika 6 (1908); Abramowitz and Stegun,
 * Handbook of Mathematical Functions, 26.5.8 (incomplete beta function as a continued fraction) and
 * 26.7.1.
 */
#ifndef BERTH_BASE_PAIRED_H
#define BERTH_BASE_PAIRED_H

#include "base/types.h"

struct paired {
	uint64_t nr;
	double mean, squares; /* of d: its mean, and the sum of squared distances from it */
};

struct paired_gain { /* 0.1: 10 % more with it */
	double gain, low, high;
};

/* -EDOM: a figure is not above 0 or not finite; nothing is added. */
int paired_add(struct paired *paired, double with, double without);
/* confidence: 0.95 for an interval that holds the truth 19 times in 20. -EDOM: fewer than two
 * pairs, or a confidence that is not between 0 and 1. */
int paired_gain(const struct paired *paired, double confidence, struct paired_gain *ret);

/* What Student's distribution stays below with this probability (above 0, below 1). */
double student_quantile(double probability, uint64_t degrees);

#endif
