/* SPDX-License-Identifier: MIT */
/* Gains of pairs: quantiles against printed tables, intervals against an example done by hand, and
 * how often an interval holds the truth. */
#include "test.h"

#include <errno.h>
#include <math.h>

#include "base/paired.h"
#include "base/random.h"

static void assert_near(double value, double wanted, double within)
{
	if (!(fabs(value - wanted) <= within))
		fail_msg("%.12g, not %.12g", value, wanted);
}

/* Tables of Student's distribution to as many digits as they have. */
static void test_quantiles_are_those_of_tables(void **state)
{
	static const struct {
		double probability;
		uint64_t degrees;
		double t;
	} table[] = {
		{ 0.975, 1, 12.7062 },	{ 0.975, 2, 4.30265 },	     { 0.975, 5, 2.57058 },
		{ 0.975, 10, 2.22814 }, { 0.975, 30, 2.04227 },	     { 0.975, 120, 1.97993 },
		{ 0.95, 1, 6.31375 },	{ 0.95, 4, 2.13185 },	     { 0.995, 3, 5.84091 },
		{ 0.9995, 1, 636.619 }, { 0.9995, 7, 5.40788 },	     { 0.75, 9, 0.702722 },
		{ 0.5, 8, 0 },		{ 0.975, 1000000, 1.95997 },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double t = student_quantile(table[i].probability, table[i].degrees);
		assert_near(t, table[i].t, 1e-5 * fabs(table[i].t) + 1e-8);
		assert_near(student_quantile(1 - table[i].probability, table[i].degrees), -t,
			    1e-9 * fabs(t) + 1e-8);
	}
}

/* Closed forms: one degree is Cauchy's distribution; two have t = (2p-1) sqrt(2 / (1-(2p-1)^2)). */
static void test_quantiles_are_those_of_closed_forms(void **state)
{
	for (double p = 0.501; p < 0.9999; p += 0.0173) {
		double q = 2 * p - 1;
		assert_near(student_quantile(p, 1) / tan(M_PI * (p - 0.5)), 1, 1e-10);
		assert_near(student_quantile(p, 2) / (q * sqrt(2 / (1 - q * q))), 1, 1e-10);
	}
}

static void test_bad_probabilities_have_no_quantile(void **state)
{
	static const double bad[] = { 0, 1, -1, 2, NAN, INFINITY };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(isnan(student_quantile(bad[i], 5)));
	assert_true(isnan(student_quantile(0.9, 0)));
}

/* By hand: d = ln 2, ln 4, ln 8 have mean 2 ln 2 and deviation ln 2, so the interval of the mean
 * is 2 ln 2 -+ 4.302653 ln 2 / sqrt 3. */
static void test_interval_by_hand(void **state)
{
	struct paired pairs = { 0 };
	struct paired_gain gain;
	assert_int_equal(paired_add(&pairs, 20, 10), 0);
	assert_int_equal(paired_gain(&pairs, 0.95, &gain), -EDOM);
	assert_int_equal(paired_add(&pairs, 4, 1), 0);
	assert_int_equal(paired_add(&pairs, 0.8, 0.1), 0);
	assert_int_equal(paired_gain(&pairs, 0.95, &gain), 0);
	assert_near(gain.gain, 3, 1e-12);
	assert_near(gain.low, 4 * exp2(-4.30265273 / sqrt(3)) - 1, 1e-7);
	assert_near(gain.high, 4 * exp2(4.30265273 / sqrt(3)) - 1, 1e-6);
	assert_int_equal(paired_gain(&pairs, 1, &gain), -EDOM);
	assert_int_equal(paired_gain(&pairs, 0, &gain), -EDOM);
}

static void test_bad_figures_are_refused(void **state)
{
	static const double bad[] = { 0, -1, NAN, INFINITY };
	struct paired pairs = { 0 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(paired_add(&pairs, bad[i], 1), -EDOM);
		assert_int_equal(paired_add(&pairs, 1, bad[i]), -EDOM);
	}
	assert_int_equal(pairs.nr, 0);
}

/* Sum of twelve even numbers less six: normal enough. */
static double normal(struct random *random)
{
	double sum = -6;
	for (int i = 0; i < 12; i++)
		sum += random_unit(random);
	return sum;
}

/* A gain of 7 % in noise of 10 %, 4,000 times: of the intervals at 90 %, 90 % hold it. */
static void test_intervals_hold_the_truth_as_often_as_they_say(void **state)
{
	struct random random;
	random_init(&random, 1);
	int nr_holding = 0, nr_trials = 4000;
	for (int trial = 0; trial < nr_trials; trial++) {
		struct paired pairs = { 0 };
		struct paired_gain gain;
		for (int i = 0; i < 5; i++) {
			double level = exp(normal(&random)); /* of both: pairs take it out */
			double with = level * 1.07 * exp(0.1 * normal(&random));
			assert_int_equal(
				paired_add(&pairs, with, level * exp(0.1 * normal(&random))), 0);
		}
		assert_int_equal(paired_gain(&pairs, 0.9, &gain), 0);
		assert_true(gain.low < gain.gain && gain.gain < gain.high);
		nr_holding += gain.low < 0.07 && 0.07 < gain.high;
	}
	assert_in_range(nr_holding, nr_trials * 88 / 100, nr_trials * 92 / 100);
}
