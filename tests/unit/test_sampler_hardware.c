/* SPDX-License-Identifier: MIT */
/* The modelled PMU: which misses it picks, and what becomes of samples nobody fetches. */
#include "test.h"

#include "sim/sampler_hardware.h"

static void open_sampler(struct hardware_sampler *sampler, uint64_t loads, uint64_t stores,
			 uint64_t seed)
{
	struct hardware_config config = { .load_period = loads,
					  .store_period = stores,
					  .has_pmu = true };
	void *opened = NULL;
	hardware_init(sampler, &config, seed);
	assert_int_equal(hardware_sampler_ops.open(sampler, &opened, NULL), 0);
	assert_ptr_equal(opened, sampler);
}

static void miss(struct hardware_sampler *sampler, uint64_t page, bool is_store)
{
	struct sample sample = sample_of_page(SAMPLE_HARDWARE, 0, 0, page);
	sample.access = is_store ? SAMPLE_WRITE : SAMPLE_READ;
	if (hardware_is_due(sampler, is_store))
		hardware_take(sampler, &sample);
}

static uint32_t poll(struct hardware_sampler *sampler, struct sample *samples, uint32_t max)
{
	struct sample_batch batch = { samples, 0, max };
	assert_int_equal(hardware_sampler_ops.poll(sampler, 0, &batch), 0);
	return batch.nr;
}

static void test_hardware_counts_loads_and_stores_apart(void **state)
{
	struct hardware_sampler sampler;
	struct sample got[8];
	(void)state;
	open_sampler(&sampler, 4, 10, 13); /* first: 1 + 13 % 4, 1 + 13 % 10 */
	for (uint64_t i = 1; i <= 11; i++)
		miss(&sampler, i, false);
	for (uint64_t i = 101; i <= 113; i++)
		miss(&sampler, i, true);
	miss(&sampler, 12, false);
	assert_int_equal(poll(&sampler, got, 8), 4);
	assert_int_equal(got[0].page, 2);
	assert_int_equal(got[1].page, 6);
	assert_int_equal(got[2].page, 10);
	assert_int_equal(got[2].access, SAMPLE_READ);
	assert_int_equal(got[3].page, 104);
	assert_int_equal(got[3].access, SAMPLE_WRITE);
	assert_int_equal(poll(&sampler, got, 8), 0);
	hardware_sampler_ops.close(&sampler);
}

static void test_hardware_defaults_to_one_period(void **state)
{
	struct hardware_sampler sampler;
	struct sample got[8];
	(void)state;
	open_sampler(&sampler, 0, 0, 0);
	for (uint64_t i = 0; i <= 2 * HARDWARE_PERIOD; i++)
		miss(&sampler, i, false);
	assert_int_equal(poll(&sampler, got, 8), 3);
	assert_int_equal(got[2].page, 2 * HARDWARE_PERIOD);
	hardware_sampler_ops.close(&sampler);
}

static void test_hardware_loses_what_does_not_fit(void **state)
{
	static struct sample got[HARDWARE_MAX + 1];
	struct hardware_sampler sampler;
	(void)state;
	open_sampler(&sampler, 1, 1, 0);
	for (uint64_t i = 0; i < HARDWARE_MAX + 7; i++)
		miss(&sampler, i, false);
	struct sample_batch batch = { got, 0, 10 };
	assert_int_equal(hardware_sampler_ops.poll(&sampler, 0, &batch), 1);
	assert_int_equal(batch.nr, 10);
	assert_int_equal(poll(&sampler, got, HARDWARE_MAX + 1), HARDWARE_MAX - 10);
	assert_int_equal(got[0].page, 10);
	assert_int_equal(sampler.nr_taken, HARDWARE_MAX + 7);
	assert_int_equal(sampler.nr_lost, 7);
	hardware_sampler_ops.close(&sampler);
}

static void test_hardware_is_silent_while_closed(void **state)
{
	struct hardware_sampler sampler;
	struct hardware_config config = { 1, 1 };
	(void)state;
	hardware_init(&sampler, &config, 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_false(hardware_is_due(&sampler, i % 2));
	assert_int_equal(hardware_bytes(&sampler), 0);
	hardware_sampler_ops.close(NULL);
}

static void test_hardware_refuses_without_a_pmu(void **state)
{
	struct hardware_sampler sampler;
	struct hardware_config config = { .has_pmu = false };
	PRINTBUF(err);
	(void)state;
	hardware_init(&sampler, &config, 0);
	assert_int_equal(hardware_sampler_ops.probe(&sampler, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "no PMU"));
	sampler.has_pmu = true;
	assert_int_equal(hardware_sampler_ops.probe(&sampler, &err), 0);
}

/* 1,000 misses in each of the program's milliseconds, 1 us a sample, 1 % of a CPU: 10 samples. */
static void test_hardware_keeps_to_its_share(void **state)
{
	struct hardware_config config = { .load_period = 20,
					  .store_period = 600,
					  .cost_ns = 1000,
					  .share_bp = 100,
					  .dilate = 50,
					  .has_pmu = true };
	struct hardware_sampler sampler;
	struct sample got[64];
	void *opened = NULL;
	uint64_t before = 0;
	(void)state;
	hardware_init(&sampler, &config, 0);
	assert_int_equal(hardware_sampler_ops.open(&sampler, &opened, NULL), 0);
	for (uint64_t ms = 1; ms <= 200; ms++) {
		struct sample_batch batch = { got, 0, 64 };
		for (uint64_t i = 0; i < 1000; i++)
			miss(&sampler, i, false);
		before = ms == 150 ? sampler.nr_taken : before;
		hardware_sampler_ops.poll(&sampler, ms * NS_PER_MS * 50, &batch);
		if (ms == 1)
			assert_int_equal(sampler.period[0], 23); /* 50 samples: a sixth longer */
	}
	uint64_t late = sampler.nr_taken - before;
	assert_in_range(late, 50 * 10 * 5 / 6, 50 * 10 * 7 / 6);
	assert_in_range(sampler.period[0], 85, 120);
	assert_true(sampler.period[1] > 600);
	for (uint64_t ms = 201; ms <= 400; ms++) {
		struct sample_batch batch = { got, 0, 64 };
		hardware_sampler_ops.poll(&sampler, ms * NS_PER_MS * 50, &batch);
	}
	assert_int_equal(sampler.period[0], 20); /* and back when nothing is left to sample */
	assert_int_equal(sampler.period[1], 600);
	hardware_sampler_ops.close(&sampler);
}

/* 100,000 misses a second and 1,000 samples a second of them: the period comes to 100, and every
 * sample says what it stands for. */
static void test_hardware_keeps_a_frequency(void **state)
{
	struct hardware_sampler sampler;
	struct hardware_config config = { .load_period = 7, .hz = 1000, .has_pmu = true };
	struct sample got[4096];
	uint64_t weight = 0;
	uint32_t nr = 0;
	void *opened = NULL;
	(void)state;
	hardware_init(&sampler, &config, 3);
	assert_int_equal(hardware_sampler_ops.open(&sampler, &opened, NULL), 0);
	for (uint64_t tick = 1; tick <= 100; tick++) {
		struct sample_batch batch = { got, 0, 4096 };
		for (uint64_t i = 0; i < 10000; i++)
			miss(&sampler, i, false);
		assert_int_equal(
			hardware_sampler_ops.poll(&sampler, tick * 100 * NS_PER_MS, &batch), 0);
		nr = batch.nr;
		for (uint32_t i = 0; i < nr; i++)
			weight += got[i].period;
	}
	assert_int_equal(sampler.period[0], 100);
	assert_int_equal(nr, 100);
	assert_in_range(weight, 990000, 1010000);
	hardware_sampler_ops.close(&sampler);
}
