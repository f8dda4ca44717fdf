/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/random.h"
#include "import_helper.h"
#include "trace/import_samples.h"
#include "trace/import_shape.h"
#include "trace/import_spill.h"

static void test_a_spill_reads_back_what_was_appended(void **state)
{
	static const size_t limits[] = { 1 << 20, 100000, 1000 };
	uint8_t bytes[3000], got[3000];
	struct random random;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct import_spill spill;
		import_spill_init(&spill, limits[i]);
		random_init(&random, 5);
		uint64_t total = 0;
		for (unsigned k = 0; k < 200; k++) {
			size_t nr = (size_t)random_below(&random, sizeof(bytes));
			for (size_t b = 0; b < nr; b++)
				bytes[b] = (uint8_t)((total + b) * 167 >> 8);
			assert_int_equal(import_spill_append(&spill, bytes, nr), 0);
			total += nr;
		}
		assert_int_equal(spill.fd >= 0, total > limits[i]);
		assert_true(spill.size <= MAX(limits[i], (size_t)65536));
		assert_int_equal(import_spill_finish(&spill), 0);
		assert_int_equal(import_spill_bytes(&spill), total);
		for (unsigned k = 0; k < 200; k++) {
			uint64_t offset = random_below(&random, total + 10);
			ssize_t nr = import_spill_read(&spill, offset, got, sizeof(got));
			uint64_t left = offset < total ? total - offset : 0;
			assert_int_equal(nr, MIN(left, sizeof(got)));
			for (ssize_t b = 0; b < nr; b++)
				assert_int_equal(got[b],
						 (uint8_t)((offset + (size_t)b) * 167 >> 8));
		}
		import_spill_fini(&spill);
	}
}

/* What a range must be, from its series, snapshot and place in it. */
static struct event range_of(uint32_t series, uint64_t snapshot, uint32_t i)
{
	uint64_t mix = (series * 1000003 + snapshot) * 0x9e3779b97f4a7c15 + i;
	mix = (mix ^ mix >> 29) * 0xbf58476d1ce4e5b9;
	return (struct event){ .page = mix >> (12 + mix % 50),
			       .nr_pages = 1 + (mix >> 7) % 100000,
			       .hits = (uint32_t)(mix >> 33) % 21 };
}

static uint32_t nr_ranges_of(uint32_t series, uint64_t snapshot)
{
	return (uint32_t)((snapshot * 31 + series) % 40);
}

static void collect(struct import_samples *samples, uint32_t series, uint64_t nr_snapshots,
		    uint64_t step_ns, struct import_snapshot *snapshot)
{
	for (uint64_t i = 0; i < nr_snapshots; i++) {
		for (uint32_t k = 0; k < nr_ranges_of(series, i); k++) {
			struct event range = range_of(series, i, k);
			assert_int_equal(import_snapshot_add(snapshot, range.page, range.nr_pages,
							     range.hits),
					 0);
		}
		assert_int_equal(import_samples_commit(samples, series, snapshot,
						       1000000 + (i + 1) * step_ns, step_ns, 20),
				 0);
	}
}

/* Every range of every series comes back, by series in its order, by time over all. */
static void check_merge(uint32_t nr_series, uint64_t nr_snapshots)
{
	struct import_samples *samples;
	struct import_snapshot snapshot = { 0 };
	assert_int_equal(import_samples_new(&samples), 0);
	for (uint32_t i = 0; i < nr_series; i++) {
		uint32_t series;
		assert_int_equal(import_samples_add_series(samples, &series), 0);
		import_samples_series(samples, series)->space = i;
		collect(samples, i, nr_snapshots, 1000 + 7 * i, &snapshot);
	}
	uint64_t duration_ns, *at = calloc(2 * nr_series, sizeof(*at)), last_ns = 0, nr = 0;
	const struct trace_batch *batch;
	assert_int_equal(import_samples_finish(samples, 1000, &duration_ns), 0);
	while (import_samples_next(samples, &batch) > 0) {
		uint64_t *place = at + 2 * batch->space; /* snapshot, range in it */
		for (uint32_t i = 0; i < batch->nr; i++, place[1]++, nr++) {
			for (; place[1] == nr_ranges_of(batch->space, place[0]); place[0]++)
				place[1] = 0;
			struct event range = range_of(batch->space, place[0], (uint32_t)place[1]);
			if (batch->page[i] != range.page || batch->nr_pages[i] != range.nr_pages ||
			    batch->hits[i] != range.hits || batch->time_ns[i] < last_ns ||
			    batch->time_ns[i] != (place[0] + 1) * (1000 + 7 * batch->space))
				fail_msg("range %llu of space %u is another",
					 (unsigned long long)place[1], batch->space);
			last_ns = batch->time_ns[i];
		}
	}
	assert_int_equal(nr, import_samples_nr_ranges(samples));
	assert_int_equal(duration_ns, nr_snapshots * (1000 + 7 * (nr_series - 1)));
	import_samples_free(samples);
	import_snapshot_fini(&snapshot);
	free(at);
}

static void test_runs_are_merged(void **state)
{
	check_merge(1, 1000);
	check_merge(2, 500);
	check_merge(1000, 10);
}

static void test_runs_are_merged_from_a_file(void **state)
{
	check_merge(3, 40000); /* about 25 MiB */
}

static void test_too_many_runs_and_series(void **state)
{
	struct import_samples *samples;
	struct import_snapshot snapshot = { 0 };
	uint32_t series;
	int error = 0;
	assert_int_equal(import_samples_new(&samples), 0);
	for (unsigned i = 0; i < IMPORT_MAX_SERIES; i++)
		assert_int_equal(import_samples_add_series(samples, &series), 0);
	assert_int_equal(import_samples_add_series(samples, &series), -E2BIG);
	for (unsigned i = 0; i < 10000 && !error; i++) {
		assert_int_equal(import_snapshot_add(&snapshot, 1, 1, 1), 0);
		error = import_samples_commit(samples, 0, &snapshot, 20000 - i, 1, 1);
	}
	assert_int_equal(error, -E2BIG);
	import_samples_free(samples);
	import_snapshot_fini(&snapshot);
}

static void test_a_shape_takes_what_differs_in_digits_only(void **state)
{
	static const char item[] = ",\n {\"a\": \"12\", \"b\": 345, \"c\": \"x 1\"}";
	static struct import_shape shape;
	uint64_t values[2] = { 0 };
	import_shape_begin(&shape, item, strlen(item));
	import_shape_slot(&shape, 10, 12, "12", 0);
	import_shape_slot(&shape, 20, 23, "345", 1);
	import_shape_slot(&shape, 31, 34, "x 1", IMPORT_SLOT_IGNORED);
	import_shape_end(&shape, strlen(item));
	assert_int_equal(shape.nr_lines, 1);
	static const char good[] = ",\n {\"a\": \"9999999999999999999\", \"b\": 0, \"c\": \"y\"}]";
	assert_int_equal(import_shape_match(&shape, good, strlen(good), false, values),
			 strlen(good) - 1);
	assert_int_equal(values[0], 9999999999999999999u);
	assert_int_equal(values[1], 0);
	assert_int_equal(import_shape_match(&shape, good + 1, strlen(good) - 1, true, values),
			 strlen(good) - 2);
	for (size_t nr = 0; nr < strlen(good) - 1; nr++) /* never beyond what is there */
		assert_int_equal(import_shape_match(&shape, good, nr, false, values), 0);
	static const char *const other[] = {
		",\n {\"a\": \"\", \"b\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"1,2\", \"b\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"-1\", \"b\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"10000000000000000000\", \"b\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"1\", \"b\": null, \"c\": \"y\"}",
		",\n {\"a\": \"1\", \"b\": 0.5, \"c\": \"y\"}",
		",\n {\"a\": \"1\", \"b\": 0, \"c\": \"\\\"\"}",
		",\n {\"a\": \"1\", \"b\": 0, \"c\": \"\n\"}",
		", {\"a\": \"1\", \"b\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"1\", \"B\": 0, \"c\": \"y\"}",
		",\n {\"a\": \"1\", \"b\": 0, \"c\": \"y\" }",
	};
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(
			import_shape_match(&shape, other[i], strlen(other[i]), false, values), 0);
}

static void test_items_without_a_shape(void **state)
{
	static struct import_shape shape;
	static char item[3000];
	memset(item, '1', sizeof(item));
	import_shape_begin(&shape, item, sizeof(item));
	import_shape_end(&shape, 100); /* nothing in it varies */
	assert_int_equal(shape.nr, 0);
	import_shape_begin(&shape, item, sizeof(item));
	import_shape_slot(&shape, 10, 11, "1", 0);
	import_shape_end(&shape, sizeof(item)); /* too long */
	assert_int_equal(shape.nr, 0);
	import_shape_begin(&shape, item, sizeof(item));
	import_shape_slot(&shape, 10, 11, "2", 0); /* not what is there: it was escaped */
	import_shape_slot(&shape, 12, 13, "1", 0);
	import_shape_end(&shape, 100);
	assert_int_equal(shape.nr, 0);
	import_shape_begin(&shape, item, sizeof(item));
	for (uint64_t i = 0; i <= IMPORT_SHAPE_SLOTS; i++)
		import_shape_slot(&shape, 10 + 2 * i, 11 + 2 * i, "1", 0);
	import_shape_end(&shape, 100);
	assert_int_equal(shape.nr, 0);
}
