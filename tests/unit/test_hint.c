/* SPDX-License-Identifier: MIT */
/*
 * Hint faults without a kernel: records of perf events in a ring, and for how long pages were
 * armed, beside an oracle that remembers everything.
 */
#include "test.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "linux/armed.h"
#include "linux/perf_ring.h"

#define RING_BYTES 256

struct writer { /* as the kernel: round and round */
	uint8_t data[RING_BYTES];
	uint64_t head;
};

static void put(struct writer *writer, const void *bytes, size_t nr_bytes)
{
	for (size_t i = 0; i < nr_bytes; i++)
		writer->data[writer->head++ % RING_BYTES] = ((const uint8_t *)bytes)[i];
}

static void put_record(struct writer *writer, uint32_t type, const uint64_t *words, unsigned nr)
{
	struct perf_event_header header = { .type = type,
					    .size = (uint16_t)(sizeof(header) + nr * 8) };
	put(writer, &header, sizeof(header));
	put(writer, words, nr * sizeof(*words));
}

static uint64_t pid_tid(uint32_t pid, uint32_t tid)
{
	return (uint64_t)tid << 32 | pid;
}

static void put_fault(struct writer *writer, uint64_t time_ns, uint64_t physical,
		      uint64_t page_bytes)
{
	uint64_t words[] = { pid_tid(70, 71), time_ns, 0x7f0000001234, 3, physical, page_bytes };
	put_record(writer, PERF_RECORD_SAMPLE, words, 6);
}

static void test_faults_are_read_round_the_end(void **state)
{
	struct writer writer = { .head = RING_BYTES * 5 + 200 };
	struct perf_ring ring = { PERF_RING_FAULTS, writer.data, RING_BYTES, writer.head, 0, 0, 0 };
	struct perf_record record;
	(void)state;
	for (uint64_t time_ns = 1; time_ns < 40; time_ns++) {
		uint64_t lost[] = { 9, time_ns };
		put_record(&writer, PERF_RECORD_LOST, lost, 2);
		put_fault(&writer, time_ns, 0, 4096);
		put_record(&writer, PERF_RECORD_THROTTLE, lost, 2);
		ring.head = writer.head;
		assert_true(perf_ring_next(&ring, &record));
		assert_int_equal(record.kind, PERF_RING_FAULTS);
		assert_int_equal(record.fault.time_ns, time_ns);
		assert_int_equal(record.fault.address, 0x7f0000001234);
		assert_int_equal(record.fault.pid, 70);
		assert_int_equal(record.fault.tid, 71);
		assert_int_equal(record.fault.cpu, 3);
		assert_false(perf_ring_next(&ring, &record));
		assert_int_equal(ring.tail, writer.head);
	}
	assert_int_equal(ring.nr_lost, 39 * 40 / 2);
	assert_int_equal(ring.nr_broken, 0);
}

static void test_hint_faults_are_told_from_others(void **state)
{
	struct writer writer = { .head = 0 };
	struct perf_ring ring = { PERF_RING_FAULTS, writer.data, RING_BYTES, 0, 0, 0, 0 };
	static const struct {
		uint64_t physical, page_bytes;
		bool is_hint;
	} cases[] = {
		{ 0, 4096, true },	 /* there, not readable */
		{ 0, 2 << 20, true },	 /* a large one */
		{ 0x1000, 4096, false }, /* copy-on-write */
		{ 0, 0, false },	 /* the first touch */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct perf_record record;
		put_fault(&writer, 1, cases[i].physical, cases[i].page_bytes);
		ring.head = writer.head;
		assert_true(perf_ring_next(&ring, &record));
		assert_int_equal(perf_fault_is_hint(&record.fault), cases[i].is_hint);
	}
}

static void test_armings_are_read(void **state)
{
	struct writer writer = { .head = 0 };
	struct perf_ring ring = { PERF_RING_ARMINGS, writer.data, RING_BYTES, 0, 0, 0, 0 };
	uint64_t good[] = { pid_tid(70, 71), 5, PERF_SAMPLE_REGS_ABI_64, 0x9000, 0x2000 };
	uint64_t backwards[] = { pid_tid(70, 71), 5, PERF_SAMPLE_REGS_ABI_64, 0x2000, 0x9000 };
	uint64_t none[] = { pid_tid(70, 71), 5, PERF_SAMPLE_REGS_ABI_NONE };
	struct perf_record record;
	(void)state;
	put_record(&writer, PERF_RECORD_SAMPLE, backwards, 5);
	put_record(&writer, PERF_RECORD_SAMPLE, none, 3);
	put_record(&writer, PERF_RECORD_SAMPLE, good, 5);
	ring.head = writer.head;
	assert_true(perf_ring_next(&ring, &record));
	assert_int_equal(record.kind, PERF_RING_ARMINGS);
	assert_int_equal(record.arming.start, 0x2000);
	assert_int_equal(record.arming.end, 0x9000);
	assert_int_equal(record.arming.time_ns, 5);
	assert_int_equal(record.arming.pid, 70);
	assert_false(perf_ring_next(&ring, &record));
}

static void test_impossible_sizes_end_the_reading(void **state)
{
	struct writer writer = { .head = 0 };
	struct perf_ring ring = { PERF_RING_FAULTS, writer.data, RING_BYTES, 0, 0, 0, 0 };
	struct perf_event_header header = { .type = PERF_RECORD_SAMPLE, .size = 4 };
	struct perf_record record;
	(void)state;
	put(&writer, &header, sizeof(header));
	put_fault(&writer, 1, 0, 4096);
	ring.head = writer.head;
	assert_false(perf_ring_next(&ring, &record));
	assert_int_equal(ring.nr_broken, 1);
	header.size = 200; /* more than there is */
	put(&writer, &header, sizeof(header));
	ring.head = writer.head;
	assert_false(perf_ring_next(&ring, &record));
	assert_int_equal(ring.nr_broken, 2);
	ring.head += 2 * RING_BYTES; /* more than fits */
	assert_false(perf_ring_next(&ring, &record));
	assert_int_equal(ring.nr_broken, 3);
	put_fault(&writer, 2, 0, 4096);
	ring.tail = writer.head - 56;
	ring.head = writer.head;
	assert_true(perf_ring_next(&ring, &record));
}

static void test_a_page_is_armed_since_its_last_fault(void **state)
{
	struct armed armed = { 0 };
	(void)state;
	assert_int_equal(armed_take(&armed, 1, 1000, 5), ARMED_UNKNOWN);
	armed_note(&armed, 1, 900, 200, 10);
	armed_note(&armed, 1, 900, 200, 20);
	assert_int_equal(armed_take(&armed, 1, 1000, 25), 15);
	assert_int_equal(armed_take(&armed, 1, 1000, 26), ARMED_UNKNOWN);
	armed_note(&armed, 1, 900, 200, 30);
	armed_note(&armed, 1, 900, 200, 50);
	assert_int_equal(armed_take(&armed, 1, 1000, 45), 15); /* told late: 50 was after it */
	assert_int_equal(armed_take(&armed, 1, 1000, 70), 20);
	assert_int_equal(armed_take(&armed, 1, 1001, 70), 60);
	assert_int_equal(armed_take(&armed, 2, 1000, 70), ARMED_UNKNOWN);
	assert_int_equal(armed_take(&armed, 1, 5000, 70), ARMED_UNKNOWN);
	armed_note(&armed, 1, 0, 0, 80);
	armed_fini(&armed);
}

#define SPACES 3
#define PAGES  2048
#define MOST   400

struct oracle { /* all armings of each chunk, the last fault of each page */
	uint64_t times_ns[SPACES][PAGES / ARMED_PAGES][MOST];
	unsigned nr[SPACES][PAGES / ARMED_PAGES];
	unsigned faulted[SPACES][PAGES];
};

static uint64_t oracle_take(struct oracle *oracle, unsigned space, unsigned page, uint64_t now_ns)
{
	unsigned chunk = page / ARMED_PAGES, nr = oracle->nr[space][chunk];
	unsigned first = oracle->faulted[space][page];
	oracle->faulted[space][page] = nr;
	if (first == nr)
		return ARMED_UNKNOWN;
	unsigned oldest = nr > ARMED_TIMES ? nr - ARMED_TIMES : 0;
	return now_ns - oracle->times_ns[space][chunk][MAX(first, oldest)];
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* Fewer than 256 armings of a chunk: what a byte per page can tell. */
static void test_latencies_are_those_of_the_oracle(void **state)
{
	struct oracle *oracle = calloc(1, sizeof(*oracle));
	struct armed armed = { 0 };
	uint32_t seed = 1;
	(void)state;
	for (uint64_t now_ns = 1; now_ns < 20000; now_ns++) {
		unsigned space = next_random(&seed) % SPACES, page = next_random(&seed) % PAGES;
		unsigned chunk = page / ARMED_PAGES;
		if (next_random(&seed) % 16) {
			assert_int_equal(armed_take(&armed, space, page, now_ns),
					 oracle_take(oracle, space, page, now_ns));
		} else if (oracle->nr[space][chunk] < 255) {
			armed_note(&armed, space, page, 1, now_ns);
			oracle->times_ns[space][chunk][oracle->nr[space][chunk]++] = now_ns;
		}
	}
	armed_fini(&armed);
	free(oracle);
}
