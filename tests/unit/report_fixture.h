/* SPDX-License-Identifier: MIT */
/*
 * A made-up program with something of everything, written as a recording, the same every time:
 * a heap that grows and is swept, a table that is built in the first half and searched in the
 * second, libraries, a stack, a mapping touched once; and names that try to do harm.
 */
#ifndef BERTH_TEST_REPORT_FIXTURE_H
#define BERTH_TEST_REPORT_FIXTURE_H

#include <unistd.h>

#include "base/random.h"
#include "trace/trace.h"
#include "trace/writer.h"

#define EXAMPLE_MS    200
#define EXAMPLE_HEAP  UINT64_C(0x55d3c0e00)
#define EXAMPLE_TABLE UINT64_C(0x7f12a0000)
#define EXAMPLE_LIBC  UINT64_C(0x7f12c0000)
#define EXAMPLE_ONCE  UINT64_C(0x7f12b0000)
#define EXAMPLE_STACK UINT64_C(0x7ffd3c100)

static struct trace_space example_spaces[1] = {
	{ .id = 0, .parent = TRACE_NONE, .pid = 4242, .name = (char *)"example" },
};
static char *example_notes[] = { (char *)"exec of /bin/\033[31mls was not recorded" };

static struct trace_info example_info(void)
{
	return (struct trace_info){
		.page_bytes = 4096,
		.ns_per_ktick = 1000000, /* a tick is a microsecond here */
		.streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
		.interval_ns = NS_PER_MS,
		.cache = { 2 * MIB, 16, 64, 32 },
		.recorder = (char *)"berth test",
		.program = (char *)"./example --table 100000 \xff<script>",
		.native_ns = TRACE_UNKNOWN,
		.nr_references = TRACE_UNKNOWN,
		.spaces = example_spaces,
		.nr_spaces = 1,
		.notes = example_notes,
		.nr_notes = 1,
	};
}

static void example_map(struct trace_appender *appender, uint64_t page, uint64_t nr,
			const char *name)
{
	struct trace_mapping mapping = {
		.op = TRACE_MAP, .page = page, .nr_pages = nr, .protection = 3, .name = name
	};
	assert_int_equal(trace_append_mapping(appender, &mapping), 0);
}

/* The pages of one millisecond, each touched once; `missing` misses more on each. */
static void example_touch(struct trace_appender *appender, uint64_t ms, uint64_t first, uint64_t nr,
			  uint64_t stride, unsigned missing)
{
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t tick = ms * 1000 + 1;
		uint8_t kind = TRACE_TOUCH | TRACE_MISS | (i % 3 ? 0 : TRACE_WRITE);
		assert_int_equal(trace_append_access(appender, tick, first + i * stride, kind, 0),
				 0);
		for (unsigned m = 0; m < missing; m++)
			trace_append_access(appender, tick, first + i * stride, TRACE_MISS, 0);
	}
}

static void example_millisecond(struct trace_appender *appender, struct random *random, uint64_t ms)
{
	example_touch(appender, ms, EXAMPLE_STACK, 3, 1, 0);
	example_touch(appender, ms, EXAMPLE_LIBC, 40, 1, 1);
	if (ms % 10 == 0)
		example_touch(appender, ms, EXAMPLE_LIBC + 40, 100, 1, 0);
	if (ms < 100) /* building: the table grows */
		example_touch(appender, ms, EXAMPLE_TABLE + ms * 40, 40, 1, 8);
	else /* searching: the top of the table often, the rest now and then */
		for (unsigned i = 0; i < 60; i++)
			example_touch(appender, ms,
				      EXAMPLE_TABLE + (i < 40 ? random_below(random, 200)
							      : random_below(random, 4000)),
				      1, 1, 6);
	example_touch(appender, ms, EXAMPLE_HEAP + ms % 50 * 8, 30, 1, 2); /* sweeps */
	if (ms == 20)
		example_touch(appender, ms, EXAMPLE_ONCE, 1500, 1, 0);
}

/* Writes it; the file is finished when `finish`. */
static void example_write(const char *path, bool finish)
{
	struct trace_info info = example_info();
	struct trace_appender *appender = NULL;
	struct random random;
	int fd = -1;
	random_init(&random, 1);
	assert_int_equal(trace_create(path, &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	example_map(appender, EXAMPLE_HEAP, 1000, "[heap]");
	example_map(appender, EXAMPLE_TABLE, 4096, "[anon]");
	example_map(appender, EXAMPLE_ONCE, 2048, "/srv/da\nta<&>.bin");
	example_map(appender, EXAMPLE_LIBC, 400, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	example_map(appender, EXAMPLE_STACK, 34, "[stack]");
	for (uint64_t ms = 0; ms < EXAMPLE_MS; ms++)
		example_millisecond(appender, &random, ms);
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	if (finish)
		assert_int_equal(trace_finish(path, &info, NULL), 0);
}

#endif
