/* SPDX-License-Identifier: MIT */
/* What becomes of pages with a history: means, what stands in for them, and fading. */
#include "test.h"

#include "mem/predict.h"

static void test_predict_begins_with_the_prior(void **state)
{
	struct predict predict;
	(void)state;
	assert_int_equal(predict_init(&predict, 10, 2), 0);
	struct predict_mean mean = predict_mean(&predict, 3, 1, 5 * PREDICT_ONE, 0);
	assert_int_equal(mean.touches, 5 * PREDICT_ONE);
	assert_int_equal(mean.weight, PREDICT_WEIGHT);
	mean = predict_mean(&predict, 10, 1, 7, 0); /* no such class */
	assert_int_equal(mean.touches, 7);
	assert_int_equal(predict_bytes(&predict), 12 * sizeof(struct predict_cell));
	predict_fini(&predict);
}

/* 32 trials weigh as much as what stands in for them: the parent, and for it the prior. */
static void test_predict_learns_the_class_and_its_parent(void **state)
{
	struct predict predict;
	(void)state;
	assert_int_equal(predict_init(&predict, 10, 2), 0);
	for (int i = 0; i < 32; i++)
		predict_learn(&predict, 3, 1, 1, 10, 0);
	/* parent: (32 x 10 + 32 x 0) / 64 = 5; class: (32 x 10 + 32 x 5) / 64 = 7.5 */
	assert_int_equal(predict_mean(&predict, 3, 1, 0, 0).touches, 120);
	assert_int_equal(predict_mean(&predict, 4, 1, 0, 0).touches, 80);
	assert_int_equal(predict_mean(&predict, 4, 0, 0, 0).touches, 0);
	predict_learn(&predict, 10, 1, 1, 1000, 0); /* no such class: nothing is learned */
	predict_learn(&predict, 3, 2, 1, 1000, 0);
	assert_int_equal(predict_mean(&predict, 3, 1, 0, 0).touches, 120);
	predict_fini(&predict);
}

/* 100 trials of one touch; a hundred samples per ten thousand touches everywhere, here ten times
 * as many. */
static void test_predict_weighs_touches_by_samples(void **state)
{
	struct predict predict;
	(void)state;
	assert_int_equal(predict_init(&predict, 2, 1), 0);
	for (int i = 0; i < 10000; i++)
		predict_learn(&predict, 0, 0, 1, 1, i % 10 == 0);
	struct predict_mean mean = predict_mean(&predict, 0, 0, 0, 100);
	assert_int_equal(mean.weight, 1936); /* 7.6: 64 samples stand in for its own */
	for (int i = 0; i < 60000; i++)
		predict_learn(&predict, 1, 0, 1, 1, 0);
	/* Over a quarter: few samples are still told from none. */
	assert_int_equal(predict_mean(&predict, 1, 0, 0, 100).weight, 73);
	predict_fini(&predict);
}

static void test_predict_forgets_old_trials(void **state)
{
	struct predict predict;
	(void)state;
	assert_int_equal(predict_init(&predict, 1, 1), 0);
	for (int i = 0; i < 100000; i++)
		predict_learn(&predict, 0, 0, 1, 8, 0);
	assert_in_range(predict_mean(&predict, 0, 0, 0, 0).touches, 127, 128);
	for (int i = 0; i < 40000; i++)
		predict_learn(&predict, 0, 0, 1, 0, 0);
	assert_in_range(predict_mean(&predict, 0, 0, 0, 0).touches, 0, 8);
	predict_fini(&predict);
}
