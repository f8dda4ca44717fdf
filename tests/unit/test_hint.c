/* SPDX-License-Identifier: MIT */
/*
 * Hint faults without a kernel: records of perf events in a ring, and for how long pages were
 * armed, beside an oracle that remembers everything.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "linux/armed.h"
#include "linux/perf_record.h"

struct record {
	struct perf_event_header header;
	uint64_t words[8];
};

static struct record record_of(uint32_t type, unsigned nr_words, const uint64_t *words)
{
	struct record record = { .header = { .type = type } };
	record.header.size = (uint16_t)(sizeof(record.header) + nr_words * sizeof(*words));
	memcpy(record.words, words, nr_words * sizeof(*words));
	return record;
}

static void test_faults_are_read(void **state)
{
	static const uint64_t words[] = {
		(uint64_t)71 << 32 | 70, 5, 0x7f0000001234, 3, 0x8000, 2 << 20
	};
	struct record record = record_of(PERF_RECORD_SAMPLE, 6, words);
	struct perf_fault fault;
	struct perf_arming arming;
	(void)state;
	assert_true(perf_fault_read(&record.header, &fault));
	assert_int_equal(fault.pid, 70);
	assert_int_equal(fault.tid, 71);
	assert_int_equal(fault.time_ns, 5);
	assert_int_equal(fault.address, 0x7f0000001234);
	assert_int_equal(fault.cpu, 3);
	assert_int_equal(fault.page_bytes, 2 << 20);
	assert_true(fault.was_accessible);
	assert_false(perf_arming_read(&record.header, &arming));
	record.header.size -= 8;
	assert_false(perf_fault_read(&record.header, &fault));
	record = record_of(PERF_RECORD_THROTTLE, 6, words);
	assert_false(perf_fault_read(&record.header, &fault));
}

static void test_hint_faults_are_told_from_others(void **state)
{
	static const struct {
		struct perf_fault fault;
		bool is_hint;
	} cases[] = {
		{ { .page_bytes = 4096 }, true },			   /* there, not readable */
		{ { .page_bytes = 2 << 20 }, true },			   /* a large one */
		{ { .page_bytes = 4096, .was_accessible = true }, false }, /* copy-on-write */
		{ { .page_bytes = 0 }, false },				   /* the first touch */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(perf_fault_is_hint(&cases[i].fault), cases[i].is_hint);
}

static void test_armings_are_read(void **state)
{
	uint64_t words[] = { (uint64_t)71 << 32 | 70, 5, PERF_SAMPLE_REGS_ABI_64, 0x9000, 0x2000 };
	struct record record = record_of(PERF_RECORD_SAMPLE, 5, words);
	struct perf_arming arming;
	(void)state;
	assert_true(perf_arming_read(&record.header, &arming));
	assert_int_equal(arming.start, 0x2000);
	assert_int_equal(arming.end, 0x9000);
	assert_int_equal(arming.time_ns, 5);
	assert_int_equal(arming.pid, 70);
	record.words[4] = 0x9000; /* nothing in between */
	assert_false(perf_arming_read(&record.header, &arming));
	record = record_of(PERF_RECORD_SAMPLE, 3, words); /* no registers */
	assert_false(perf_arming_read(&record.header, &arming));
	words[2] = PERF_SAMPLE_REGS_ABI_32;
	record = record_of(PERF_RECORD_SAMPLE, 5, words);
	assert_false(perf_arming_read(&record.header, &arming));
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
