/* SPDX-License-Identifier: MIT */
/*
 * The processor's events from files as Linux shows them on Intel's and AMD's, and what records of
 * them say; the machine this runs on need not have any.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "linux/hardware_event.h"
#include "root_fixture.h"

#define DEVICES "sys/bus/event_source/devices/"

static void put_intel(const char *device)
{
	static const char *const formats[][2] = { { "event", "config:0-7" },
						  { "umask", "config:8-15" },
						  { "ldlat", "config1:0-15" },
						  { "split", "config:0-3,32-35" },
						  { "edge", "config:18" } };
	char path[128];
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		snprintf(path, sizeof(path), DEVICES "%s/format/%s", device, formats[i][0]);
		put(path, formats[i][1]);
	}
	snprintf(path, sizeof(path), DEVICES "%s/type", device);
	put(path, "4");
	snprintf(path, sizeof(path), DEVICES "%s/events/mem-loads", device);
	put(path, "event=0xcd,umask=0x1,ldlat=3");
}

static void test_intel(void **state)
{
	struct hardware_event event;
	root_begin();
	put_intel("cpu");
	assert_int_equal(hardware_event_find(&root, &event, NULL), 0);
	assert_string_equal(event.name, "PEBS");
	assert_int_equal(event.attr.type, 4);
	assert_int_equal(event.attr.config, 0x1cd);
	assert_int_equal(event.attr.config1, 3);
	assert_int_equal(event.attr.precise_ip, 2);
	assert_false(event.has_leader);
	put(DEVICES "cpu/events/mem-loads-aux", "event=0x03,umask=0x82");
	assert_int_equal(hardware_event_find(&root, &event, NULL), 0);
	assert_true(event.has_leader);
	assert_int_equal(event.leader.config, 0x8203);
	root_end();
}

static void test_hybrid(void **state)
{
	struct hardware_event event;
	root_begin();
	put_intel("cpu_core");
	assert_int_equal(hardware_event_find(&root, &event, NULL), 0);
	assert_int_equal(event.attr.config, 0x1cd);
	root_end();
}

static void test_amd(void **state)
{
	struct hardware_event event;
	root_begin();
	put(DEVICES "ibs_op/type", "11");
	assert_int_equal(hardware_event_find(&root, &event, NULL), 0);
	assert_string_equal(event.name, "IBS");
	assert_int_equal(event.attr.type, 11);
	assert_int_equal(event.attr.config, 1 << 19);
	root_end();
}

static void test_none(void **state)
{
	struct hardware_event event;
	PRINTBUF(err);
	root_begin();
	assert_int_equal(hardware_event_find(&root, &event, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "no PEBS or IBS"));
	printbuf_reset(&err);
	put(DEVICES "arm_spe_0/type", "9");
	assert_int_equal(hardware_event_find(&root, &event, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "SPE"));
	root_end();
}

static void test_terms(void **state)
{
	static const struct {
		const char *terms;
		int error;
		uint64_t config;
	} cases[] = {
		{ "event=0xff", 0, 0xff },
		{ "edge", 0, 1 << 18 },
		{ "event=1,edge", 0, 1 << 18 | 1 },
		{ "split=0xa5", 0, 0xa00000005 },
		{ "event=0x100", -EBADMSG, 0 }, /* does not fit */
		{ "edge=2", -EBADMSG, 0 },
		{ "cmask=1", -EBADMSG, 0 }, /* no such format */
		{ "", -EBADMSG, 0 },
		{ "event=1,", -EBADMSG, 0 },
		{ "=1", -EBADMSG, 0 },
		{ "../type=1", -EBADMSG, 0 },
	};
	root_begin();
	put_intel("cpu");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct perf_event_attr attr = { .size = 0 };
		assert_int_equal(hardware_event_encode(&root, "cpu", cases[i].terms, &attr),
				 cases[i].error);
		assert_int_equal(attr.config, cases[i].config);
	}
	root_end();
}

static void test_bad_formats(void **state)
{
	static const char *const bad[] = {
		"",	     "config",	   "config:",	  "config:x",
		"config:5-", "config:7-0", "config:0-64", "config9:0-7"
	};
	root_begin();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct perf_event_attr attr = { .size = 0 };
		put(DEVICES "cpu/format/event", bad[i]);
		assert_int_equal(hardware_event_encode(&root, "cpu", "event=1", &attr), -EBADMSG);
		assert_int_equal(attr.config, 0);
	}
	root_end();
}

struct record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time_ns, address;
	uint32_t cpu, reserved;
	uint64_t period;
	union perf_mem_data_src source;
};

static void test_records(void **state)
{
	struct record record = {
		.header = { .type = PERF_RECORD_SAMPLE, .size = sizeof(record) },
		.pid = 11,
		.tid = 12,
		.time_ns = 99,
		.address = 0x7f0012345678,
		.cpu = 3,
		.period = 1009,
	};
	struct hardware_access access;
	record.source.mem_op = PERF_MEM_OP_LOAD;
	record.source.mem_lvl = PERF_MEM_LVL_HIT | PERF_MEM_LVL_LOC_RAM;
	assert_true(hardware_event_parse(&record.header, &access));
	assert_int_equal(access.pid, 11);
	assert_int_equal(access.time_ns, 99);
	assert_int_equal(access.address, 0x7f0012345678);
	assert_int_equal(access.cpu, 3);
	assert_int_equal(access.period, 1009);
	assert_int_equal(access.access, SAMPLE_READ);
	assert_true(access.is_memory);
	record.source = (union perf_mem_data_src){ .mem_op = PERF_MEM_OP_STORE,
						   .mem_lvl = PERF_MEM_LVL_HIT | PERF_MEM_LVL_L3 };
	assert_true(hardware_event_parse(&record.header, &access));
	assert_int_equal(access.access, SAMPLE_WRITE);
	assert_false(access.is_memory);
	record.source = (union perf_mem_data_src){ .mem_lvl_num = PERF_MEM_LVLNUM_CXL };
	assert_true(hardware_event_parse(&record.header, &access));
	assert_int_equal(access.access, SAMPLE_ACCESS_UNKNOWN);
	assert_true(access.is_memory);
	record.source = (union perf_mem_data_src){ .mem_lvl_num = PERF_MEM_LVLNUM_NA };
	assert_true(hardware_event_parse(&record.header, &access));
	assert_false(access.is_memory);
}

static void test_records_that_are_none(void **state)
{
	struct record record = { .header = { .type = PERF_RECORD_COMM, .size = sizeof(record) } };
	struct hardware_access access = { .pid = 5 };
	assert_false(hardware_event_parse(&record.header, &access));
	record.header.type = PERF_RECORD_SAMPLE;
	record.header.size = sizeof(record) - 8;
	assert_false(hardware_event_parse(&record.header, &access));
	assert_int_equal(access.pid, 5);
}
