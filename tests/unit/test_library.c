/* SPDX-License-Identifier: MIT */
/* The public library as a program uses it: a machine, a recording, a prediction, and errors. */
#include "test.h"

#include <unistd.h>

#include "berth.h"
#include "trace/writer.h"

static const char line[] = "node:dram:1MiB@80ns/100GBps:cpus=0 node:cxl:64MiB@250ns/30GBps";

/* 1,000 pages missed in turn, ten times over. */
static void write_recording(const char *path)
{
	struct trace_space space = {
		.id = 0, .parent = TRACE_NONE, .pid = 1, .name = (char *)"test"
	};
	struct trace_info info = { .page_bytes = 4096,
				   .ns_per_ktick = 1000,
				   .streams = TRACE_STREAM_MISSES,
				   .cache = { 2 << 20, 16, 64, 0 },
				   .recorder = (char *)"test",
				   .program = (char *)"a program",
				   .native_ns = TRACE_UNKNOWN,
				   .nr_references = TRACE_UNKNOWN,
				   .spaces = &space,
				   .nr_spaces = 1 };
	struct trace_appender *appender = NULL;
	int fd = -1;
	assert_int_equal(trace_create(path, &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(trace_append_access(appender, i * 1000, i % 1000, TRACE_MISS, 0),
				 0);
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(path, &info, NULL), 0);
}

static void test_library_predicts(void **state)
{
	const char *path = "test_library.berth";
	struct berth_error error = { .size = sizeof(error) };
	struct berth_machine *machine = NULL;
	struct berth_recording *recording = NULL;
	struct berth_recording_info info = { .size = sizeof(info) };
	struct berth_prediction rows[2] = { { .size = sizeof(rows[0]) },
					    { .size = sizeof(rows[1]) } };
	const char *const policies[] = { "linux-none", "optimal" };
	char tmp[] = "/tmp/berth-library-XXXXXX";
	assert_non_null(mkdtemp(tmp));
	assert_int_equal(chdir(tmp), 0);
	write_recording(path);
	assert_int_equal(berth_machine_open(line, &machine, &error), 0);
	assert_int_equal(berth_recording_open(path, &recording, &error), 0);
	berth_recording_info(recording, &info);
	assert_int_equal(info.nr_accesses, 10000);
	assert_string_equal(info.program, "a program");
	assert_int_equal(berth_predict(recording, machine, policies, 2, rows, &error), 0);
	assert_int_equal(rows[0].misses, 10000);
	/* Of 256 pages LOW is kept free: 32 and 8. Ten rounds. */
	assert_int_equal(rows[0].fast_misses, 2160);
	assert_true(rows[1].time_ns <= rows[0].time_ns);
	assert_true(rows[1].time_ns >= rows[1].all_fast_ns);
	berth_recording_close(recording);
	berth_machine_close(machine);
	unlink(path);
	rmdir(tmp);
}

static void test_library_says_why(void **state)
{
	struct berth_error error = { .size = sizeof(error) };
	struct berth_error old = { .size = offsetof(struct berth_error, text) + 8 };
	struct berth_machine *machine = NULL;
	assert_true(berth_machine_open("node:dram:0", &machine, &error) < 0);
	assert_null(machine);
	assert_non_null(strstr(error.text, "node:dram:0"));
	assert_true(berth_machine_open("node:dram:0", &machine, &old) < 0);
	assert_true(strlen(old.text) < 8);
	assert_true(berth_machine_open("node:dram:0", &machine, NULL) < 0);
}

static void test_library_machine_line(void **state)
{
	struct berth_machine *machine = NULL;
	assert_int_equal(berth_machine_open(line, &machine, NULL), 0);
	char *text = berth_machine_line(machine);
	assert_string_equal(text, line);
	free(text);
	berth_machine_close(machine);
}
