/* SPDX-License-Identifier: MIT */
/* What a recording says about where it was made, and a simulation that starts there. */
#include "test.h"

#include <string.h>

#include "base/error.h"
#include "sim/kernel/linux.h"
#include "sim/recorded.h"
#include "sim_fixture.h"
#include "trace/info.h"

#define LINE "node:dram:64MiB@80ns/100GBps:cpus=0 node:cxl:128MiB@250ns/30GBps"

static void lab_info(struct trace_info *info)
{
	static const char *const settings[] = {
		"policy=kernel:scan_size_mb=64",
		"scan_size_mb=64",
		"numa_balancing=1",
		"numa_balancing_promote_rate_limit_MBps=100",
		"hot_threshold_ms=900000", /* more than the model takes: its default stays */
		"numa_balancing=2",
		"demotion_enabled=true",
		"cmdline=console=ttyS0",
	};
	trace_info_init(info);
	info->machine = strdup(LINE);
	info->kernel = strdup("6.12.117+deb13-amd64");
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		assert_int_equal(trace_info_add_setting(info, settings[i]), 0);
	*trace_info_add_memory(info, 0) = (struct trace_memory){ .node = 0,
								 .total_pages = 16384,
								 .managed_pages = 16000,
								 .free_pages = 15000,
								 .min_pages = 100,
								 .low_pages = 125,
								 .high_pages = 150,
								 .promo_pages = TRACE_UNKNOWN };
}

static void test_recorded_kernel_has_the_settings_read_last(void **state)
{
	struct trace_info info;
	PRINTBUF(out);
	PRINTBUF(err);
	(void)state;
	lab_info(&info);
	assert_int_equal(recorded_spec(&info, "recording", &out, &err), 0);
	const char *text = printbuf_str(&out);
	assert_memory_equal(text, "6.12:", 5);
	assert_non_null(strstr(text, "numa_balancing=2"));
	assert_null(strstr(text, "numa_balancing=1"));
	assert_non_null(strstr(text, "demotion=1"));
	assert_non_null(strstr(text, "scan_size_mb=64"));
	assert_non_null(strstr(text, "promote_rate_limit_MBps=100"));
	assert_null(strstr(text, "hot_threshold_ms"));
	printbuf_reset(&out);
	assert_int_equal(recorded_spec(&info, "recording:demotion=0", &out, &err), 0);
	text = printbuf_str(&out);
	assert_string_equal(text + strlen(text) - strlen(",demotion=0"), ",demotion=0");
	trace_info_fini(&info);
}

static void test_recorded_names_are_told_apart(void **state)
{
	(void)state;
	assert_true(recorded_is_named("recording"));
	assert_true(recorded_is_named("recording:a=1"));
	assert_false(recorded_is_named("recordings"));
	assert_false(recorded_is_named("linux-none"));
	assert_false(recorded_is_named(""));
}

/* As recordings of qemu-user have it. */
static void test_recorded_takes_empty_words_for_none(void **state)
{
	struct trace_info info = { .machine = (char *)"", .kernel = (char *)"" };
	struct machine *machine = NULL;
	PRINTBUF(out);
	PRINTBUF(err);
	(void)state;
	assert_int_equal(recorded_machine(&info, &machine, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "which machine"));
	printbuf_reset(&err);
	assert_int_equal(recorded_spec(&info, "recording", &out, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "which kernel"));
}

static void test_recorded_says_what_a_recording_lacks(void **state)
{
	struct trace_info info;
	struct machine *machine = NULL;
	PRINTBUF(out);
	PRINTBUF(err);
	(void)state;
	trace_info_init(&info);
	assert_int_equal(recorded_machine(&info, &machine, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "which machine"));
	assert_null(machine);
	printbuf_reset(&err);
	assert_int_equal(recorded_spec(&info, "recording", &out, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "which kernel"));
	printbuf_reset(&err);
	info.kernel = strdup("5.4.0-generic");
	assert_int_equal(recorded_spec(&info, "recording", &out, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "5.4.0-generic"));
	assert_int_equal(out.pos, 0);
	trace_info_fini(&info);
}

/* Ballast is never given out, marks are those found with the DMA zone's reserve of 47 pages, and
 * the rest is as without a start. */
static void test_recorded_memory_is_where_the_kernel_starts(void **state)
{
	struct trace_info info;
	struct kernel_start starts[2];
	struct cost_account account;
	struct cost_model *cost = NULL;
	struct kernel *kernel = NULL;
	uint64_t capacity[2];
	(void)state;
	lab_info(&info);
	struct machine *machine = machine_of(LINE);
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	for (uint32_t i = 0; i < 2; i++)
		capacity[i] = cost_capacity_pages(cost, i);
	recorded_starts(&info, starts, 2);
	assert_int_equal(kernel_new_at(kernel_find("6.12"), cost, &account, capacity, starts, NULL,
				       0, &kernel, NULL),
			 0);
	assert_int_equal(kernel->nodes[0].capacity_pages, 16000);
	assert_int_equal(kernel->nodes[0].free_pages, 15000);
	assert_int_equal(kernel->nodes[0].ballast_pages, 1000);
	assert_int_equal(kernel->nodes[1].free_pages, capacity[1]);
	const struct linux_node *node = &linux_of(kernel)->nodes[0];
	assert_int_equal(node->marks.min, 100 + 47);
	assert_int_equal(node->marks.high, 150 + 47);
	assert_int_equal(node->marks.promo, 175 + 47); /* one gap more, where it is not known */
	assert_int_equal(node->bypass_pages, 175 + 47 + (1 << 18));
	assert_int_equal(kernel_grow(kernel, 20000), 0);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(kernel_fault(kernel, i, UINT32_MAX), 0);
	/* The last refill of the CPU's list may have left some there. */
	assert_true(linux_zone_free(linux_of(kernel), 0) <= 125 + 47);
	assert_in_range(kernel->nodes[0].free_pages, 125 + 47, 125 + 47 + 3 * 32);
	assert_true(kernel_is_valid(kernel));
	kernel_free(kernel);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
	trace_info_fini(&info);
}

/* What makes no sense ends the list. */
static void test_recorded_thefts_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t nr;
	} cases[] = {
		{ "watermark_boosts=0@1500 0@1501 1@2000", 3 },
		{ "watermark_boosts=", 0 },
		{ "watermark_boosts=0@1500 7@1501", 1 }, /* no such node */
		{ "watermark_boosts=0@1500 x 0@1600", 1 },
		{ "watermark_boosts=0 0@1600", 0 },
		{ "watermark_boosts=0@99999999999999999999", 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel_theft thefts[RECORDED_MAX_THEFTS];
		struct trace_info info;
		trace_info_init(&info);
		assert_int_equal(trace_info_add_setting(&info, cases[i].text), 0);
		assert_int_equal(recorded_thefts(&info, thefts, 2), cases[i].nr);
		if (cases[i].nr > 0)
			assert_int_equal(thefts[0].at_ns, 1500 * NS_PER_MS);
		trace_info_fini(&info);
	}
}

/* A theft waits for an allocation: a first touch after its time, or a promotion about its time. It
 * raises all marks by a block, and by 1.5 x HIGH of the zone at most, or a block. */
static void test_recorded_thefts_raise_marks(void **state)
{
	static const struct kernel_theft thefts[] = { { 5 * NS_PER_S, 0 }, { 5 * NS_PER_S, 0 } };
	struct cost_account account;
	struct cost_model *cost = NULL;
	struct kernel *kernel = NULL;
	uint64_t capacity[2] = { 16384, 32768 };
	(void)state;
	struct machine *machine = machine_of(LINE);
	assert_int_equal(cost_model_new(machine, 4096, 64, NULL, &cost, NULL), 0);
	assert_int_equal(cost_account_init(&account, cost), 0);
	assert_int_equal(
		kernel_new(kernel_find("6.12"), cost, &account, capacity, NULL, 0, &kernel, NULL),
		0);
	struct linux_kernel *linux_state = linux_of(kernel);
	uint64_t high = linux_marks_now(linux_state, 0).high;
	kernel->thefts = thefts;
	kernel->nr_thefts = 2;
	kernel->recorded_ns = 2 * NS_PER_S;
	linux_thefts(linux_state, 0, true);
	kernel->recorded_ns = 4 * NS_PER_S;
	linux_thefts(linux_state, 0, false);
	linux_thefts(linux_state, 1, true);
	assert_int_equal(linux_marks_now(linux_state, 0).high, high);
	linux_thefts(linux_state, 0, true);
	assert_int_equal(linux_marks_now(linux_state, 0).high, high + high * 3 / 2);
	assert_int_equal(kernel->nr_thefts, 0);
	kernel_free(kernel);
	cost_account_fini(&account);
	cost_model_free(cost);
	machine_free(machine);
}
