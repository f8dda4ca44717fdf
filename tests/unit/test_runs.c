/* SPDX-License-Identifier: MIT */
/* What a reading found is told in its order, as it was, whatever room batches have. */
#include "test.h"

#include "linux/runs.h"

#define NR	  1000
#define NOW_NS	  77
#define WINDOW_NS 88

static struct sample sample_at(uint64_t page, uint64_t nr_pages, uint32_t hits, uint32_t checks)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, NOW_NS, 3, page);
	sample.nr_pages = nr_pages;
	sample.hits = hits;
	sample.checks = checks;
	sample.node = 1;
	sample.order = 0;
	return sample;
}

/* Each differs from the one before. */
static struct sample nth(unsigned i)
{
	struct sample sample = sample_at((UINT64_C(1) << 44) + i * 100000u, 1 + i % RUNS_PAGES, 1,
					 1);
	if (i % 3 == 0) {
		sample.hits = i % RUNS_CHECKS;
		sample.checks = RUNS_CHECKS;
		sample.order = 9;
	}
	sample.window_ns = i % 2 ? WINDOW_NS : SAMPLE_UNKNOWN;
	sample.space = UINT32_MAX - i;
	sample.node = i % 5 ? i : UINT16_MAX;
	return sample;
}

static void test_runs_are_told_as_they_were(void **state)
{
	struct sample room[7];
	struct runs runs = { 0 };
	unsigned nr = 0;
	bool is_all = false;
	(void)state;
	for (unsigned i = 0; i < NR; i++) {
		struct sample sample = nth(i);
		assert_int_equal(runs_add(&runs, &sample), 0);
	}
	while (!is_all) {
		struct sample_batch batch = { room, 0, ARRAY_SIZE(room) };
		is_all = runs_tell(&runs, &batch, NOW_NS, WINDOW_NS);
		for (unsigned i = 0; i < batch.nr; i++, nr++) {
			struct sample expected = nth(nr);
			assert_memory_equal(&room[i], &expected, sizeof(expected));
		}
		assert_true(is_all || batch.nr == batch.max);
	}
	assert_int_equal(nr, NR);
	struct sample_batch batch = { room, 0, ARRAY_SIZE(room) };
	assert_true(runs_tell(&runs, &batch, NOW_NS, WINDOW_NS));
	assert_int_equal(batch.nr, 0);
	runs_fini(&runs);
}

static void test_runs_are_bounded(void **state)
{
	struct sample room[1], sample = sample_at(1, 1, 1, 1);
	struct runs runs = { 0 };
	(void)state;
	for (unsigned i = 0; i < RUNS_MAX; i++)
		assert_int_equal(runs_add(&runs, &sample), 0);
	assert_int_equal(runs_add(&runs, &sample), -ENOSPC);
	assert_int_equal(runs.nr, RUNS_MAX);
	struct sample_batch batch = { room, 0, 1 };
	assert_false(runs_tell(&runs, &batch, NOW_NS, WINDOW_NS));
	runs_fini(&runs);
}

static void test_runs_refuse_what_they_cannot_keep(void **state)
{
	const struct sample samples[] = {
		sample_at(1, 0, 1, 1),
		sample_at(1, RUNS_PAGES + 1, 1, 1),
		sample_at(1, 1, 0, 1),
		sample_at(1, 1, 1, 2),
		sample_at(1, 1, 4096, RUNS_CHECKS),
		sample_at(UINT64_C(1) << 45, 1, 1, 1),
		sample_of_page(SAMPLE_HARDWARE, NOW_NS, 3, 1),
	};
	struct sample nowhere = sample_at(1, 1, 1, 1);
	struct runs runs = { 0 };
	(void)state;
	nowhere.node = SAMPLE_NONE;
	for (unsigned i = 0; i < ARRAY_SIZE(samples); i++)
		assert_int_equal(runs_add(&runs, &samples[i]), -EINVAL);
	assert_int_equal(runs_add(&runs, &nowhere), -EINVAL);
	assert_int_equal(runs.nr, 0);
	runs_fini(&runs);
}
