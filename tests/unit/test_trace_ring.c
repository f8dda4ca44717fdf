/* SPDX-License-Identifier: MIT */
/* From a producer through a lane into a file: the node of a page beside its accesses; a lane whose
 * words make no sense. */
#include "test.h"

#include <sys/mman.h>

#include "trace/ring_words.h"
#include "trace_fixture.h"

static struct recording *start(struct ring_producer *producer)
{
	struct recording *recording = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint32_t number;
	assert_true(recording != MAP_FAILED);
	recording->version = RING_VERSION;
	recording->writer_pid = getpid();
	struct lane *lane = ring_claim(recording, TRACE_NONE, 1, &number);
	ring_producer_init(producer, recording, lane);
	return recording;
}

static uint32_t node_of(uint64_t i)
{
	return i % 5 == 4 ? TRACE_NONE : (uint32_t)(i % 5);
}

static void test_nodes_reach_the_file(void **state)
{
	struct ring_producer producer;
	struct recording *recording = start(&producer);
	struct trace_info info = fixture_info();
	struct trace_appender *appender = NULL;
	const struct trace_batch *batch;
	struct trace_reader *reader = NULL;
	uint64_t nr[TRACE_NR_KINDS] = { 0 };
	int fd = -1;
	scratch_make();
	assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	for (uint64_t i = 0; i < 50000; i++) {
		ring_put_node(&producer, 1000 * i, PAGE_MASK - i, node_of(i));
		ring_put_access(&producer, 1000 * i, PAGE_MASK - i, TRACE_TOUCH, 0);
		if (i % 1000 == 0)
			assert_int_equal(ring_drain(recording, ring_lane(recording, 0), appender),
					 0);
	}
	assert_int_equal(ring_drain(recording, ring_lane(recording, 0), appender), 0);
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
	assert_int_equal(trace_open(scratch_path("a.berth"), NULL, &reader, NULL), 0);
	while (trace_next(reader, &batch, NULL) == 1) {
		for (uint32_t i = 0; i < batch->nr; i++, nr[batch->kind]++) {
			assert_int_equal(batch->page[i], PAGE_MASK - nr[batch->kind]);
			assert_int_equal(batch->time_ns[i], 300 * nr[batch->kind]);
			if (batch->kind == TRACE_NODES)
				assert_int_equal(batch->node[i], node_of(nr[TRACE_NODES]));
		}
	}
	assert_int_equal(nr[TRACE_NODES], 50000);
	assert_int_equal(nr[TRACE_ACCESSES], 50000);
	trace_close(reader);
	scratch_remove();
	munmap(recording, RING_FILE_BYTES);
}

static void test_words_without_sense_are_refused(void **state)
{
	static const uint64_t first[] = { 0, (uint64_t)15 << KIND_SHIFT,
					  (uint64_t)KIND_NODE << KIND_SHIFT };
	for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
		struct ring_producer producer;
		struct recording *recording = start(&producer);
		struct lane *lane = ring_lane(recording, 0);
		words_of(lane)[0] = first[i];
		words_of(lane)[1] = 7;
		lane->head = 2; /* one word too few for a node */
		assert_int_equal(ring_drain(recording, lane, NULL), -EBADMSG);
		munmap(recording, RING_FILE_BYTES);
	}
}
