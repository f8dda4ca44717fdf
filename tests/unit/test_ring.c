/* SPDX-License-Identifier: MIT */
/* Records of perf's ring, tracepoints' formats, and snapshots of DAMON out of both. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "linux/damon_event.h"

#define RING_BYTES 256

/* As Linux 6.12 and 7.3 print it. */
static const char format[] =
	"name: damon_aggregated\nID: 734\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:unsigned long target_id;\toffset:8;\tsize:8;\tsigned:0;\n"
	"\tfield:unsigned int nr_regions;\toffset:16;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long start;\toffset:24;\tsize:8;\tsigned:0;\n"
	"\tfield:unsigned long end;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\tfield:unsigned int nr_accesses;\toffset:40;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned int age;\toffset:44;\tsize:4;\tsigned:0;\n\n"
	"print fmt: \"target_id=%lu\", REC->target_id\n";

struct raw { /* a sample with time and the raw bytes of the format above */
	struct perf_event_header header;
	uint64_t time_ns;
	uint32_t nr_raw;
	uint8_t raw[52];
};

static struct damon_events new_events(void)
{
	struct damon_events events = { .page_bytes = 4096 };
	static const char *const names[] = { "target_id", "start", "end", "nr_accesses", "age" };
	for (int i = 0; i < DAMON_NR_FIELDS; i++)
		events.fields[i].name = names[i];
	assert_int_equal(tracepoint_parse(format, &events.number, events.fields, DAMON_NR_FIELDS),
			 0);
	return events;
}

static struct raw region_record(uint64_t target, uint64_t first, uint64_t end, uint32_t hits,
				uint64_t time_ns)
{
	struct raw record = {
		.header = { .type = PERF_RECORD_SAMPLE, .size = sizeof(record) },
		.time_ns = time_ns,
		.nr_raw = sizeof(record.raw),
	};
	uint64_t start_byte = first * 4096, end_byte = end * 4096;
	uint32_t age = 3;
	memcpy(record.raw + 8, &target, 8);
	memcpy(record.raw + 24, &start_byte, 8);
	memcpy(record.raw + 32, &end_byte, 8);
	memcpy(record.raw + 40, &hits, 4);
	memcpy(record.raw + 44, &age, 4);
	return record;
}

static void give(struct damon_events *events, uint64_t target, uint64_t first, uint64_t end,
		 uint32_t hits, uint64_t time_ns)
{
	struct raw record = region_record(target, first, end, hits, time_ns);
	assert_true(damon_events_take(events, (const void *)&record));
}

static void test_format_is_parsed(void **state)
{
	struct damon_events events = new_events();
	assert_int_equal(events.number, 734);
	assert_int_equal(events.fields[DAMON_START].offset, 24);
	assert_int_equal(events.fields[DAMON_START].nr_bytes, 8);
	assert_int_equal(events.fields[DAMON_HITS].offset, 40);
	assert_int_equal(events.fields[DAMON_HITS].nr_bytes, 4);
	uint8_t raw[52] = { [40] = 7, [41] = 1 };
	assert_int_equal(tracepoint_value(&events.fields[DAMON_HITS], raw, sizeof(raw)), 263);
	assert_int_equal(tracepoint_value(&events.fields[DAMON_HITS], raw, 43), 0);
}

static void test_bad_formats(void **state)
{
	static const char *const bad[] = {
		"",
		"ID: 734\n",
		"ID: 0\nformat:\n\tfield:unsigned long start;\toffset:8;\tsize:8;\tsigned:0;\n",
		"ID: 5\n\tfield:unsigned long start;\toffset:9999;\tsize:8;\tsigned:0;\n",
		"ID: 5\n\tfield:unsigned long start;\toffset:8;\tsize:7;\tsigned:0;\n",
		"ID: 5\n\tfield:unsigned long restart;\toffset:8;\tsize:8;\tsigned:0;\n",
		"ID: 5\n\tfield:start",
		"ID: 5\n\tfield:;",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tracepoint_field field = { .name = "start" };
		uint64_t number = 99;
		assert_int_equal(tracepoint_parse(bad[i], &number, &field, 1), -EBADMSG);
		assert_int_equal(number, 99);
	}
}

static void test_snapshots_end_where_addresses_go_back(void **state)
{
	struct damon_events events = new_events();
	give(&events, 0, 10, 20, 1, 100);
	give(&events, 0, 20, 30, 2, 101);
	give(&events, 1, 5, 9, 3, 102);
	assert_int_equal(events.nr_snapshots, 0);
	give(&events, 0, 10, 30, 4, 200);
	assert_int_equal(events.nr_snapshots, 1);
	assert_int_equal(events.ready.nr, 3);
	assert_int_equal(events.ready.items[1].hits, 2);
	assert_int_equal(events.ready.items[1].age, 3);
	assert_int_equal(events.ready.items[2].target, 1);
	assert_int_equal(events.ready.items[2].first, 5);
	assert_int_equal(events.ready.items[2].end, 9);
	assert_int_equal(events.ready.items[2].time_ns, 102);
	damon_events_settle(&events, 249, 50);
	assert_int_equal(events.nr_snapshots, 1);
	damon_events_settle(&events, 250, 50);
	assert_int_equal(events.nr_snapshots, 2);
	assert_int_equal(events.ready.nr, 1);
	assert_int_equal(events.ready.items[0].hits, 4);
	damon_events_settle(&events, 1000, 50);
	assert_int_equal(events.nr_snapshots, 2);
	damon_events_fini(&events);
}

/* One region each time: every one is a snapshot of its own. */
static void test_one_region(void **state)
{
	struct damon_events events = new_events();
	for (uint32_t i = 0; i < 5; i++)
		give(&events, 0, 10, 20, i, i * 100);
	assert_int_equal(events.nr_snapshots, 4);
	assert_int_equal(events.ready.items[0].hits, 3);
	damon_events_fini(&events);
}

static void test_regions_beyond_the_most(void **state)
{
	struct damon_events events = new_events();
	for (uint64_t i = 0; i < DAMON_REGIONS_MAX + 10; i++)
		give(&events, 0, i, i + 1, 1, 1);
	assert_int_equal(events.growing.nr, DAMON_REGIONS_MAX);
	assert_int_equal(events.nr_dropped, 10);
	damon_events_fini(&events);
}

static void test_records_that_are_none_of_ours(void **state)
{
	struct damon_events events = new_events();
	struct raw record = region_record(0, 30, 20, 1, 1); /* ends before it begins */
	assert_true(damon_events_take(&events, (const void *)&record));
	record = region_record(0, 10, 20, 1, 1);
	record.header.type = PERF_RECORD_COMM;
	assert_true(damon_events_take(&events, (const void *)&record));
	record = region_record(0, 10, 20, 1, 1);
	record.header.size = sizeof(record.header) + 8;
	assert_true(damon_events_take(&events, (const void *)&record));
	record = region_record(0, 10, 20, 1, 1);
	record.nr_raw = 16; /* neither start nor end */
	assert_true(damon_events_take(&events, (const void *)&record));
	record = region_record(0, 10, 20, 1, 1);
	record.header.size = sizeof(record.header) + 12 +
			     32; /* cut before the end, as it is told */
	assert_true(damon_events_take(&events, (const void *)&record));
	assert_int_equal(events.growing.nr, 0);
	damon_events_fini(&events);
}

/* What the reader should see, kept aside: records of any size, all over the ring's end. */
struct seen {
	uint32_t expected, nr;
	uint32_t refuse_at; /* this one is refused once */
	bool is_refused;
};

static bool take_numbered(void *context, const struct perf_event_header *record)
{
	struct seen *seen = context;
	const uint8_t *bytes = (const void *)(record + 1);
	if (seen->nr == seen->refuse_at && !seen->is_refused) {
		seen->is_refused = true;
		return false;
	}
	for (size_t i = 0; i < record->size - sizeof(*record); i++)
		assert_int_equal(bytes[i], (uint8_t)(record->type + i));
	assert_int_equal(record->type, 100 + seen->nr % 100);
	seen->nr++;
	return true;
}

static void put_bytes(uint8_t *data, uint64_t at, const void *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		data[(at + i) % RING_BYTES] = ((const uint8_t *)bytes)[i];
}

static void test_records_over_the_end(void **state)
{
	uint8_t data[RING_BYTES] __attribute__((aligned(8)));
	uint8_t *whole = aligned_alloc(8, RING_RECORD_MAX);
	struct ring_bytes bytes = { .data = data, .nr_bytes = RING_BYTES, .whole = whole };
	struct seen seen = { .refuse_at = 37 };
	struct random random;
	random_init(&random, 1);
	for (uint32_t put = 0; seen.nr < 500;) {
		struct perf_event_header header = { .type = 100 + put % 100 };
		header.size = (uint16_t)(8 + 8 * random_below(&random, 12));
		if (bytes.head + header.size - bytes.tail <= RING_BYTES) {
			put_bytes(data, bytes.head, &header, sizeof(header));
			for (uint32_t i = 0; i < header.size - sizeof(header); i++) {
				uint8_t byte = (uint8_t)(header.type + i);
				put_bytes(data, bytes.head + sizeof(header) + i, &byte, 1);
			}
			bytes.head += header.size;
			put++;
		}
		if (random_below(&random, 3) == 0) {
			assert_int_equal(ring_take(&bytes, take_numbered, &seen), 0);
			assert_true(bytes.tail == bytes.head || seen.is_refused);
		}
	}
	assert_true(seen.is_refused);
	free(whole);
}

static bool take_none(void *context, const struct perf_event_header *record)
{
	(*(int *)context)++;
	return true;
}

static void test_lost_records_are_counted(void **state)
{
	uint64_t data[RING_BYTES / 8] = { 0 };
	uint8_t *whole = aligned_alloc(8, RING_RECORD_MAX);
	struct perf_event_header lost = { .type = PERF_RECORD_LOST, .size = 24 };
	memcpy(&data[0], &lost, sizeof(lost));
	data[2] = 41;
	struct ring_bytes bytes = {
		.data = (const uint8_t *)data, .nr_bytes = RING_BYTES, .head = 24, .whole = whole
	};
	int nr = 0;
	assert_int_equal(ring_take(&bytes, take_none, &nr), 41);
	assert_int_equal(nr, 0);
	assert_int_equal(bytes.tail, 24);
	free(whole);
}

/* Sizes that cannot be end the look; the reader neither hangs nor reads on. */
static void test_bad_sizes(void **state)
{
	static const uint16_t sizes[] = { 0, 7, 12, 64 };
	uint8_t *whole = aligned_alloc(8, RING_RECORD_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t data[RING_BYTES / 8] = { 0 };
		struct perf_event_header header = { .type = PERF_RECORD_SAMPLE, .size = sizes[i] };
		memcpy(data, &header, sizeof(header));
		struct ring_bytes bytes = { .data = (const uint8_t *)data,
					    .nr_bytes = RING_BYTES,
					    .head = 32,
					    .whole = whole };
		int nr = 0;
		assert_int_equal(ring_take(&bytes, take_none, &nr), 0);
		assert_int_equal(nr, 0);
		assert_int_equal(bytes.tail, 32);
	}
	free(whole);
}
