/* SPDX-License-Identifier: MIT */
/* When a trial stops, how often it is wrong, and what it reads from a metric's command. */
#include "test.h"

#include <errno.h>
#include <math.h>

#include "base/random.h"
#include "cli/trial_decide.h"

/* Adds a pair; the figure without is 1. */
static bool add(struct trial_state *state, double ratio)
{
	int error = 0;
	bool is_known = trial_add(state, ratio, 1, &error);
	assert_int_equal(error, 0);
	return is_known;
}

static void test_looks_are_few(void **state)
{
	struct trial_state trial = { 0 };
	for (int i = 1; i <= 50; i++) { /* noise that never gets narrow */
		assert_false(add(&trial, i % 2 ? 2 : 0.5));
		assert_int_equal(trial.nr_looks,
				 (i >= 3) + (i >= 6) + (i >= 12) + (i >= 24) + (i >= 48));
	}
	assert_int_equal(trial_verdict(&trial), TRIAL_UNKNOWN);
	trial_finish(&trial);
	assert_int_equal(trial.nr_looks, 6);
}

static void test_a_last_look_is_not_repeated(void **state)
{
	struct trial_state trial = { 0 };
	for (int i = 0; i < 6; i++)
		add(&trial, 1.5 + 0.5 * (i % 2));
	assert_int_equal(trial.nr_looks, 2);
	trial_finish(&trial);
	assert_int_equal(trial.nr_looks, 2);
}

static void test_too_few_pairs_say_nothing(void **state)
{
	struct trial_state trial = { 0 };
	trial_finish(&trial);
	assert_int_equal(trial_verdict(&trial), TRIAL_UNKNOWN);
	add(&trial, 2);
	trial_finish(&trial);
	assert_false(trial.has_gain);
	add(&trial, 2.01);
	trial_finish(&trial);
	assert_true(trial.has_gain);
	assert_int_equal(trial_verdict(&trial), TRIAL_GAINS);
}

static void test_a_clear_gain_stops_at_the_first_look(void **state)
{
	static const double ratios[] = { 2, 2.02, 1.99 };
	struct trial_state trial = { 0 };
	assert_false(add(&trial, ratios[0]));
	assert_false(add(&trial, ratios[1]));
	assert_true(add(&trial, ratios[2]));
	assert_int_equal(trial_verdict(&trial), TRIAL_GAINS);
	assert_true(fabs(trial.gain.gain - 1) < 0.01);
}

static void test_a_loss_stops_and_is_told(void **state)
{
	static const double ratios[] = { 0.7, 0.71, 0.69 };
	struct trial_state trial = { 0 };
	add(&trial, ratios[0]);
	add(&trial, ratios[1]);
	assert_true(add(&trial, ratios[2]));
	assert_int_equal(trial_verdict(&trial), TRIAL_LOSES);
}

/* No difference at all, and one too small to be worth anything. */
static void test_no_gain_stops(void **state)
{
	struct trial_state same = { 0 }, little = { 0 };
	bool is_known = false;
	for (int i = 0; i < 3; i++)
		is_known = add(&same, 1 + 0.0001 * (i - 1));
	assert_true(is_known);
	assert_int_equal(trial_verdict(&same), TRIAL_NOTHING);
	for (int i = 0; i < 3; i++)
		is_known = add(&little, 0.998 + 0.0002 * i);
	assert_true(is_known);
	assert_int_equal(trial_verdict(&little), TRIAL_NOTHING);
}

static void test_figures_that_are_none_are_refused(void **state)
{
	struct trial_state trial = { 0 };
	int error = 0;
	assert_false(trial_add(&trial, 0, 1, &error));
	assert_int_equal(error, -EDOM);
	assert_int_equal(trial.pairs.nr, 0);
}

/* Wrong is a verdict of gain or loss where there is none, however long it looks. */
static void test_chance_is_seldom_taken_for_a_gain(void **state)
{
	struct random random;
	int nr_wrong = 0, nr_trials = 2000;
	random_init(&random, 7);
	for (int t = 0; t < nr_trials; t++) {
		struct trial_state trial = { 0 };
		bool is_known = false;
		for (int i = 0; i < 60 && !is_known; i++) {
			double sum = 0;
			for (int k = 0; k < 12; k++)
				sum += random_unit(&random) - 0.5;
			is_known = add(&trial, exp(0.1 * sum));
		}
		trial_finish(&trial);
		enum trial_verdict verdict = trial_verdict(&trial);
		nr_wrong += verdict == TRIAL_GAINS || verdict == TRIAL_LOSES;
	}
	assert_in_range(nr_wrong, 1, nr_trials * 5 / 100);
}

static void test_the_last_number_counts(void **state)
{
	static const struct {
		const char *text;
		double number;
	} cases[] = {
		{ "12", 12 },	       { "a 1\nb 2.5\n", 2.5 },
		{ "-3.25 ms", -3.25 }, { "gain=12.5%", 12.5 },
		{ "1e3", 1000 },       { "x.5", 0.5 },
		{ "p99: 7 of 8", 8 },  { "\x1b[31m 42 \x1b[m\n", 42 },
		{ "3-4", -4 },
	};
	double number = 77;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(trial_last_number(cases[i].text, &number), 0);
		if (number != cases[i].number)
			fail_msg("%s: %g", cases[i].text, number);
	}
	assert_int_equal(trial_last_number("none", &number), -ENODATA);
	assert_int_equal(trial_last_number("", &number), -ENODATA);
	assert_int_equal(trial_last_number("- . x", &number), -ENODATA);
}
