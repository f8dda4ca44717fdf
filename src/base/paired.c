/* SPDX-License-Identifier: MIT */
/* Gains of pairs and their intervals (paired.h). */
#include "base/paired.h"

#include <errno.h>
#include <math.h>

#define FRACTION_STEPS 300   /* more than any a, b of ours need to converge */
#define PRECISE	       1e-15 /* of the continued fraction, relative */
#define TINY	       1e-300
#define QUANTILE_STEPS 200 /* halvings: all bits of a double and the way down from 1e12 */

static double not_zero(double value)
{
	return fabs(value) < TINY ? TINY : value;
}

/* The continued fraction of the incomplete beta function, evaluated by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), value = d;
	for (int m = 1; m <= FRACTION_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / not_zero(1 + even * d);
		c = not_zero(1 + even / c);
		value *= c * d;
		d = 1 / not_zero(1 + odd * d);
		c = not_zero(1 + odd / c);
		value *= c * d;
		if (fabs(c * d - 1) < PRECISE)
			break;
	}
	return value;
}

/* I_x(a, b); the fraction converges quickly on one side of its middle, so the other is mirrored. */
static double incomplete_beta(double a, double b, double x)
{
	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* The probability of more than t, t not negative. */
static double student_above(double t, uint64_t degrees)
{
	double n = (double)degrees;
	return incomplete_beta(n / 2, 0.5, n / (n + t * t)) / 2;
}

double student_quantile(double probability, uint64_t degrees)
{
	double above = probability > 0.5 ? 1 - probability : probability;
	double low = 0, high = 1e12;
	if (!(probability > 0 && probability < 1) || degrees == 0)
		return NAN;
	for (int i = 0; i < QUANTILE_STEPS; i++) {
		double middle = high > 2 * low + 1 ? sqrt((low + 1e-9) * high) : (low + high) / 2;
		if (student_above(middle, degrees) > above)
			low = middle;
		else
			high = middle;
	}
	return probability > 0.5 ? high : -high;
}

static bool is_figure(double value)
{
	return isfinite(value) && value > 0;
}

int paired_add(struct paired *paired, double with, double without)
{
	if (!is_figure(with) || !is_figure(without))
		return -EDOM;
	double d = log(with) - log(without), distance = d - paired->mean;
	paired->nr++;
	paired->mean += distance / (double)paired->nr;
	paired->squares += distance * (d - paired->mean);
	return 0;
}

int paired_gain(const struct paired *paired, double confidence, struct paired_gain *ret)
{
	double n = (double)paired->nr;
	if (paired->nr < 2 || !(confidence > 0 && confidence < 1))
		return -EDOM;
	double error = sqrt(paired->squares / (n - 1) / n);
	double reach = error * student_quantile((1 + confidence) / 2, paired->nr - 1);
	ret->gain = expm1(paired->mean);
	ret->low = expm1(paired->mean - reach);
	ret->high = expm1(paired->mean + reach);
	return 0;
}
