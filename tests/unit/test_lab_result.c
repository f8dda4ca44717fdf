/* SPDX-License-Identifier: MIT */
/* A scripted result as text, JSON and CSV: exact where people and programs read it. */
#include "test.h"

#include <unistd.h>

#include "lab/launcher/lab.h"

#define NR_SAMPLES 3
#define NR_VMSTAT  4

struct scripted {
	struct machine *machine;
	struct lab_result result;
};

static uint64_t *numbers(size_t nr, uint64_t first, uint64_t step)
{
	uint64_t *values = calloc(nr, sizeof(*values));
	assert_non_null(values);
	for (size_t i = 0; i < nr; i++)
		values[i] = first + i * step;
	return values;
}

static void script_series(struct lab_result *result)
{
	static const char *const names[] = { "nr_free_pages", "pgpromote_success",
					     "pgdemote_kswapd", "thp_split_page" };
	static const uint64_t steps[] = { 5, 1234, 0, 0 };
	result->nr_vmstat = NR_VMSTAT;
	result->nr_samples = NR_SAMPLES;
	result->vmstat = calloc(NR_VMSTAT, sizeof(*result->vmstat));
	result->vmstat_series = numbers(NR_SAMPLES * NR_VMSTAT, 0, 0);
	result->sample_ns = numbers(NR_SAMPLES, 0, NS_PER_S);
	result->sample_snapshot = calloc(NR_SAMPLES, sizeof(uint32_t));
	assert_true(result->vmstat && result->sample_snapshot);
	for (size_t k = 0; k < NR_VMSTAT; k++) {
		result->vmstat[k] = (struct lab_number){ .name = strdup(names[k]),
							 .before = 100,
							 .after = 100 + 2 * steps[k] };
		for (size_t i = 0; i < NR_SAMPLES; i++)
			result->vmstat_series[i * NR_VMSTAT + k] = 100 + i * steps[k];
	}
	result->sample_snapshot[0] = UINT32_MAX;
	result->sample_snapshot[2] = 1;
}

static void script_counters(struct lab_result *result)
{
	struct lab_shared *shared = calloc(1, sizeof(*shared));
	assert_non_null(shared);
	shared->model.nr_vcpus = 2;
	shared->model.nr_nodes = 2;
	shared->vcpus[0].counts[0][1] = (struct lab_count){ 10, 20, 30, 4000 };
	shared->vcpus[1].counts[0][1] = (struct lab_count){ 1000000, 2, 3, 4 };
	shared->vcpus[1].counts[3][0] = (struct lab_count){ 7, 0, 0, 0 };
	shared->snapshots[1].counts[1] = (struct lab_count){ 1, 2, 3, 99 };
	result->counters = shared;
}

static void script(struct scripted *scripted)
{
	PRINTBUF(err);
	struct lab_result *result = &scripted->result;
	memset(scripted, 0, sizeof(*scripted));
	assert_int_equal(machine_parse("node:dram=3:512MiB@80ns/100GBps:cpus=0-1 "
				       "node:cxl=5:1GiB@250ns/30GBps",
				       &scripted->machine, &err),
			 0);
	result->words = PRINTBUF_HEAP;
	result->notes = PRINTBUF_HEAP;
	result->kernel_release = strdup("6.12.95");
	result->qemu_version = strdup("10.0.2");
	result->tiers = strdup("memory_tier4 0\nmemory_tier46 1\nnonsense");
	result->boot_wall_ns = 3100 * NS_PER_MS;
	result->wall_ns = 2 * NS_PER_S;
	result->guest_ns = 2 * NS_PER_S + 1;
	result->argv = calloc(3, sizeof(char *));
	result->argv[0] = strdup("hotset");
	result->argv[1] = strdup("a\"b\nc");
	result->nr_nodes = 2;
	result->guest_node = calloc(2, sizeof(uint32_t));
	result->guest_node[1] = 1;
	result->nodes = calloc(2, sizeof(*result->nodes));
	for (int i = 0; i < 2; i++)
		result->nodes[i] = (struct lab_node_series){ numbers(NR_SAMPLES, 400 * MIB, MIB),
							     numbers(NR_SAMPLES, 0, MIB),
							     numbers(NR_SAMPLES, MIB, 0),
							     numbers(NR_SAMPLES, 0, 200 * MIB) };
	prt_str(&result->notes, "one\ntwo\n");
	script_series(result);
	script_counters(result);
}

static void unscript(struct scripted *scripted)
{
	lab_result_fini(&scripted->result);
	machine_free(scripted->machine);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void test_text(void **state)
{
	struct scripted scripted;
	PRINTBUF(out);
	script(&scripted);
	setenv("LC_ALL", "C", 1);
	lab_result_to_text(&out, &scripted.result, scripted.machine);
	const char *text = printbuf_str(&out);
	assert_has(text, "program  hotset a\"b\\x0ac\n");
	assert_has(text, "kernel   6.12.95 under QEMU 10.0.2, delay\n");
	assert_has(text, "time     boot 3.10 s, program 2.00 s wall, 2.00 s guest");
	assert_has(text, "3     dram     4  512 MiB      400 MiB  400 MiB  _-*");
	assert_has(text, "0      5       1,000,010            22           33    4.00 us");
	assert_has(text, "3      3               7");
	assert_has(text, "pgpromote_success  2,468");
	assert_null(strstr(text, "nr_free_pages"));
	assert_null(strstr(text, "thp_split_page"));
	assert_has(text, "note: one\nnote: two\n");
	unscript(&scripted);
}

static void test_end_is_told(void **state)
{
	struct scripted scripted;
	PRINTBUF(out);
	script(&scripted);
	scripted.result.end = LAB_END_PANIC;
	prt_str(&scripted.result.words, "the guest's kernel died: x");
	lab_result_to_text(&out, &scripted.result, scripted.machine);
	assert_has(printbuf_str(&out), "end      panic: the guest's kernel died: x\n");
	unscript(&scripted);
}

static void test_json(void **state)
{
	struct scripted scripted;
	struct json_writer json;
	PRINTBUF(out);
	script(&scripted);
	json_writer_init(&json, &out, false);
	lab_result_to_json(&json, NULL, &scripted.result, scripted.machine);
	const char *text = printbuf_str(&out);
	assert_has(text, "\"end\": \"exited\"");
	assert_has(text, "\"tier\": \"memory_tier46\",\n      \"guest_nodes\": \"1\"");
	assert_has(text, "\"pgpromote_success\": [100,1334,2568]");
	assert_null(strstr(text, "\"pgdemote_kswapd\": ["));
	assert_has(text, "\"pgdemote_kswapd\": {\"before\":100,\"after\":100}");
	assert_has(text, "{\"node\":5,\"load_misses\":1,\"store_misses\":2,"
			 "\"sequential_misses\":3,\"wait_ns\":99}");
	assert_has(text, "\"used_bytes\": [0,209715200,419430400]");
	unscript(&scripted);
}

static void test_csv(void **state)
{
	struct scripted scripted;
	PRINTBUF(out);
	script(&scripted);
	lab_result_to_csv(&out, &scripted.result, scripted.machine);
	assert_string_equal(
		printbuf_str(&out),
		"sample_ns,node3_free_bytes,node3_used_bytes,node3_anon_bytes,node3_file_bytes,"
		"node5_free_bytes,node5_used_bytes,node5_anon_bytes,node5_file_bytes,"
		"node3_misses,node3_wait_ns,node5_misses,node5_wait_ns,"
		"nr_free_pages,pgpromote_success\n"
		"0,419430400,0,0,1048576,419430400,0,0,1048576,,,,,100,100\n"
		"1000000000,420478976,209715200,1048576,1048576,420478976,209715200,1048576,"
		"1048576,0,0,0,0,105,1334\n"
		"2000000000,421527552,419430400,2097152,1048576,421527552,419430400,2097152,"
		"1048576,0,0,6,99,110,2568\n");
	unscript(&scripted);
}

static void test_nothing_came_of_it(void **state)
{
	PRINTBUF(err);
	PRINTBUF(out);
	struct json_writer json;
	struct machine *machine = NULL;
	struct lab_result result = { .end = LAB_END_NO_BOOT,
				     .words = PRINTBUF_HEAP,
				     .notes = PRINTBUF_HEAP };
	assert_int_equal(machine_parse("node:dram:512MiB:cpus=0", &machine, &err), 0);
	json_writer_init(&json, &out, true);
	lab_result_to_json(&json, NULL, &result, machine);
	lab_result_to_text(&out, &result, machine);
	lab_result_to_csv(&out, &result, machine);
	assert_has(printbuf_str(&out), "\"end\":\"no-boot\"");
	assert_int_equal(lab_result_delta(&result, "pgpromote_success"), 0);
	lab_result_fini(&result);
	machine_free(machine);
}

static const char report_text[] =
	"{\n \"policy\": \"berth\", \"sampler\": \"accessed-bits\", \"mover\": \"m\\u001b\",\n"
	" \"has_failed\": false, \"passed_ns\": 1000, \"sampling_ns\": 20, \"moving_ns\": 5,\n"
	" \"deciding_ns\": 3, \"all_ns\": 40, \"sleeps\": 7, \"max_rss_bytes\": 1048576,\n"
	" \"policy_bytes\": 9, \"promoted_pages\": 1234, \"demoted_pages\": 2, \"later\": [1, "
	"{}],\n"
	" \"outcome_pages\": {\"done\": 1236, \"full\": 10, \"busy\": 1}, \"more\": 99,\n"
	" \"series\": [{\"promoted_pages\": 7, \"outcome_pages\": {\"full\": 1}}, 8],\n"
	" \"mover_figures\": {\"sleeps\": 8, \"busy\": 1}}\n";

static void test_report_of_berth(void **state)
{
	PRINTBUF(err);
	PRINTBUF(out);
	struct json_writer json;
	struct lab_berth_report report = { 0 };
	lab_berth_report_to_text(&out, &report);
	assert_int_equal(out.pos, 0);
	assert_int_equal(lab_berth_report_read(report_text, sizeof(report_text) - 1, &report, &err),
			 0);
	assert_int_equal(report.refused_pages, 11);
	assert_int_equal(report.sleeps, 7);
	assert_string_equal(report.mover, "m\\x1b");
	lab_berth_report_to_text(&out, &report);
	assert_string_equal(
		printbuf_str(&out),
		"berth    berth by accessed-bits: sampling 2.00 %, deciding 0.30 %, moving 0.50 %, "
		"in all 4.00 % of a CPU\n"
		"         1,234 pages promoted, 2 demoted, 11 not moved; 1 MiB at most\n");
	printbuf_reset(&out);
	json_writer_init(&json, &out, true);
	lab_berth_report_to_json(&json, NULL, &report);
	assert_has(printbuf_str(&out), "\"promoted_pages\":1234,\"demoted_pages\":2,"
				       "\"refused_pages\":11}");
}

/* Every beginning of a report, and none, is refused with a sentence and nothing returned. */
static void test_cut_report_of_berth(void **state)
{
	for (size_t length = 0; length < sizeof(report_text) - 3; length++) {
		PRINTBUF(err);
		struct lab_berth_report report = { .sleeps = 77 };
		assert_int_equal(lab_berth_report_read(report_text, length, &report, &err),
				 -EBADMSG);
		assert_true(err.pos > 20);
		assert_int_equal(report.sleeps, 77);
		assert_false(report.is_there);
	}
}
