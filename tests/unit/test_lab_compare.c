/* SPDX-License-Identifier: MIT */
/*
 * Runs side by side on scripted results: what programs print, medians and ratios, failures, and
 * the table in all its forms (golden in tests/golden/lab; tests/golden/update prints them anew).
 */
#include "test.h"

#include <math.h>
#include <unistd.h>

#include "cli/lab_compare.h"

#define TWO "node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps"

static struct machine *machine_of(const char *line)
{
	struct machine *machine = NULL;
	assert_int_equal(machine_parse(line, &machine, NULL), 0);
	return machine;
}

static struct compare_printed read_text(const char *text, const char *wish)
{
	struct compare_printed printed = { 0 };
	FILE *file = tmpfile();
	assert_non_null(file);
	fputs(text, file);
	fflush(file);
	assert_int_equal(compare_read_file(&printed, fileno(file), wish), 0);
	fclose(file);
	return printed;
}

static void test_program_lines(void **state)
{
	struct compare_printed printed = read_text(
		"hello\n"
		"placed: 25600 of 25600 hot pages on node 0, 9 of 10 others\n"
		"interval 1 ops 1000 mops 1.5 ns 1000000000\n"
		"interval 2 ops 1000 mops 2.5 ns 500000000\n"
		"result: throughput 1.0 Mop/s higher\n"
		"also: run 16.5 s lower\n"
		"result: throughput 3.65 Mop/s higher\n"
		"bye \x1b[1m",
		NULL);
	assert_true(printed.has_value && printed.was_placed);
	assert_true(fabs(printed.value - 3.65) < 1e-9);
	assert_string_equal(printed.metric.name, "throughput");
	assert_string_equal(printed.metric.unit, "Mop/s");
	assert_true(printed.metric.is_higher_better);
	assert_int_equal(printed.nr_series, 2);
	assert_int_equal(printed.series[1].end_ns, 1500000000);
	assert_true(fabs(printed.series[1].rate - 2.5) < 1e-9);
	assert_string_equal(printed.last, "bye \\x1b[1m");
	compare_printed_fini(&printed);
	printed = read_text("also: run 16.5 s lower\nresult: throughput 1 Mop/s higher\n", "run");
	assert_true(printed.has_value && !printed.metric.is_higher_better);
	assert_string_equal(printed.metric.name, "run");
	compare_printed_fini(&printed);
}

static void test_lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"",
		"result:",
		"result: a 1 b",
		"result: a 1 b sideways",
		"result: a one b higher",
		"result: a -1 b higher",
		"result: a nan b higher",
		"result: a 1e999 b higher",
		"result: a 1 b higher more",
		"Result: a 1 b higher",
		"also: a 1 b higher",
		"result: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 b higher",
		"result: \x07 1 b higher",
		"interval 1 ops 2 mops x ns 3",
		"interval 1 ops 2 mops 1 ns -3",
		"interval 1 ops 2 MOPS 1 ns 3",
		"interval 1 ops 2 mops 1",
	};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct compare_printed printed = read_text(lines[i], NULL);
		if (printed.has_value || printed.nr_series || printed.was_placed)
			fail_msg("'%s' was taken", lines[i]);
		compare_printed_fini(&printed);
	}
}

/* A line that never ends, NUL bytes, more intervals than are kept. */
static void test_output_is_bounded(void **state)
{
	struct compare_printed printed = { 0 };
	FILE *file = tmpfile();
	assert_non_null(file);
	for (int i = 0; i < 100000; i++)
		fputc(i % 7 ? 'x' : 0, file);
	fputs("result: a 1 b higher\n", file); /* part of the long line */
	for (int i = 0; i < COMPARE_SERIES_MAX + 10; i++)
		fputs("interval 1 ops 2 mops 1 ns 18446744073709551\n", file);
	fflush(file);
	assert_int_equal(compare_read_file(&printed, fileno(file), NULL), 0);
	fclose(file);
	assert_false(printed.has_value);
	assert_true(printed.nr_series <= COMPARE_SERIES_MAX && printed.nr_series > 100);
	compare_printed_fini(&printed);
	assert_int_equal(compare_read_file(&printed, -1, NULL), -EBADF);
}

static void test_median_and_ratio(void **state)
{
	const double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 };
	struct compare_metric metric = { .is_higher_better = true };
	assert_true(compare_median(odd, 3) == 2);
	assert_true(compare_median(even, 4) == 2.5);
	assert_true(isnan(compare_median(odd, 0)));
	assert_true(odd[0] == 3); /* a copy was sorted */
	assert_true(compare_ratio(&metric, 1, 4) == 0.25);
	metric.is_higher_better = false; /* four times as long: a quarter of the speed */
	assert_true(compare_ratio(&metric, 4, 1) == 0.25);
	assert_true(isnan(compare_ratio(&metric, 0, 1)));
	assert_true(isnan(compare_ratio(&metric, NAN, 1)));
	metric.is_higher_better = true;
	assert_true(isnan(compare_ratio(&metric, 1, 0)));
	assert_true(isnan(compare_ratio(&metric, 1, NAN)));
}

struct script {	      /* one run */
	size_t index; /* of the case */
	double mops;
	uint64_t promoted, demoted, fast_misses, slow_misses;
	const double *series; /* rates of intervals of 10 s, ended by 0 */
};

static struct lab_shared *shared;

static void play_result(struct compare *compare, const struct machine *machine,
			const struct script *script)
{
	struct lab_number vmstat[] = {
		{ (char *)"pgpromote_success", 100, 100 + script->promoted },
		{ (char *)"pgdemote_kswapd", 7, 7 + script->demoted },
		{ (char *)"pgdemote_direct", 0, 1 },
		{ (char *)"pgmigrate_success", 0, script->promoted + script->demoted },
		{ (char *)"pgmigrate_fail", 0, 3 },
	};
	struct lab_result result = {
		.end = LAB_END_EXITED,
		.words = PRINTBUF_HEAP,
		.guest_ns = 60 * NS_PER_S,
		.wall_ns = 61 * NS_PER_S,
		.vmstat = vmstat,
		.nr_vmstat = ARRAY_SIZE(vmstat),
		.counters = shared,
		.nr_nodes = machine->nr_nodes,
	};
	struct compare_printed printed = { .has_value = true, .value = script->mops };
	PRINTBUF(text);
	*shared = (struct lab_shared){ .model = { .nr_vcpus = 1, .nr_nodes = 2 } };
	struct lab_vcpu *vcpu = &shared->vcpus[0];
	vcpu->counts[1][1].nr_load_misses = 5000000; /* the building phase does not count */
	vcpu->nr_instructions = 9000000000;
	vcpu->nr_phase_instructions[1] = 8000000000;
	vcpu->nr_phase_instructions[2] = 1000000000;
	vcpu->counts[2][0].nr_load_misses = script->fast_misses;
	vcpu->counts[2][0].wait_ns = script->fast_misses * 80;
	vcpu->counts[2][1].nr_store_misses = script->slow_misses;
	vcpu->counts[2][1].wait_ns = script->slow_misses * 250;
	prt_printf(&text, "result: throughput %.4f Mop/s higher\n", script->mops);
	for (size_t i = 0; script->series && script->series[i] > 0; i++)
		prt_printf(&text, "interval %zu ops 1 mops %.4f ns 10000000000\n", i + 1,
			   script->series[i]);
	printed = read_text(printbuf_str(&text), NULL);
	assert_int_equal(compare_add_run(compare, script->index, &result, machine, LAB_TIME_DELAY,
					 NULL, &printed),
			 0);
	compare_printed_fini(&printed);
	printbuf_fini(&result.words);
}

static struct compare compare_of(const char *const *policies, size_t nr)
{
	struct compare compare = { .nr_cases = nr, .nr_tiers = 2 };
	compare.cases = calloc(nr, sizeof(*compare.cases));
	assert_non_null(compare.cases);
	for (size_t i = 0; i < nr; i++)
		compare.cases[i] = (struct compare_case){ .policy = policies[i],
							  .kernel = "6.12",
							  .typical = -1 };
	return compare;
}

static const char *const policies[] = { "none", "kernel",
					"kernel:scan_size_mb=512,hot_threshold_ms=30000",
					"static-best", "all-fast" };

/* As in a real comparison: kernel learns over time, one run of three panics. */
static struct compare scripted(const struct machine *machine)
{
	static const double flat[] = { .88, .87, .88, .89, .88, .88, 0 };
	static const double rising[] = { .88, .9, 1.1, 1.5, 1.9, 2.1, 0 };
	static const double best[] = { 3.1, 3.1, 3.09, 3.12, 3.1, 3.1, 0 };
	static const double all[] = { 3.6, 3.7, 3.65, 3.65, 3.6, 3.66, 0 };
	static const struct script scripts[] = {
		{ 0, 0.88, 0, 0, 1000000, 9000000, flat },
		{ 1, 1.89, 41522, 68712, 6000000, 4000000, rising },
		{ 2, 0.69, 281803, 316280, 2000000, 8000000, flat },
		{ 3, 3.10, 0, 0, 9900000, 100000, best },
		{ 4, 3.65, 0, 0, 10000000, 0, all },
		{ 0, 0.90, 0, 0, 1000001, 9000000, flat },
		{ 1, 1.70, 41000, 68000, 5900000, 4000000, rising },
	};
	struct compare compare = compare_of(policies, ARRAY_SIZE(policies));
	struct compare_printed printed = { 0 };
	struct lab_result panic = { .end = LAB_END_PANIC, .status = 1, .words = PRINTBUF_HEAP };
	shared = calloc(1, sizeof(*shared));
	assert_non_null(shared);
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		play_result(&compare, machine, &scripts[i]);
	prt_str(&panic.words, "Kernel panic - not syncing: sysrq triggered crash");
	for (size_t i = 1; i <= 2; i++) /* the third of kernel, the second of its variant */
		assert_int_equal(compare_add_run(&compare, i, &panic, machine, LAB_TIME_DELAY, NULL,
						 &printed),
				 0);
	printbuf_fini(&panic.words);
	free(shared);
	compare_summarize(&compare);
	return compare;
}

static void test_summary(void **state)
{
	struct machine *machine = machine_of(TWO);
	struct compare compare = scripted(machine);
	const struct compare_case *kernel = &compare.cases[1];
	assert_int_equal(kernel->nr_runs, 3);
	assert_int_equal(kernel->nr_ok, 2);
	assert_true(fabs(kernel->median - 1.795) < 1e-9);
	assert_true(fabs(kernel->min - 1.70) < 1e-9 && fabs(kernel->max - 1.89) < 1e-9);
	assert_true(fabs(kernel->mad - 0.095) < 1e-9);
	assert_true(fabs(kernel->of_static_best - 1.795 / 3.10) < 1e-9);
	assert_true(fabs(kernel->of_all_fast - 1.795 / 3.65) < 1e-9);
	assert_non_null(kernel->runs[2].why);
	assert_false(kernel->runs[2].is_ok);
	assert_string_equal(kernel->runs[2].end, lab_end_names[LAB_END_PANIC]);
	const struct compare_run *run = &compare.cases[0].runs[0];
	assert_int_equal(run->figures[COMPARE_MISSES], 10000000);
	assert_int_equal(run->figures[COMPARE_FAST_MISSES], 1000000);
	assert_int_equal(run->wait_ns[1], 9000000ULL * 250);
	assert_int_equal(run->modelled_ns, 300000000 + 1000000ULL * 80 + 9000000ULL * 250);
	assert_int_equal(run->figures[COMPARE_DEMOTED], 1); /* direct reclaim's */
	assert_int_equal(kernel->runs[0].figures[COMPARE_PROMOTED], 41522);
	compare_fini(&compare);
	machine_free(machine);
}

/* A program without a result line is judged by its time; a status that is not 0 is a failure. */
static void test_time_when_nothing_is_said(void **state)
{
	static const char *const one[] = { "none" };
	struct machine *machine = machine_of(TWO);
	struct compare compare = compare_of(one, 1);
	struct compare_printed printed = { .last = "no such file" };
	struct lab_result result = { .end = LAB_END_EXITED,
				     .words = PRINTBUF_HEAP,
				     .guest_ns = 1500000000 };
	compare_add_run(&compare, 0, &result, machine, LAB_TIME_DELAY, NULL, &printed);
	result.status = 3;
	compare_add_run(&compare, 0, &result, machine, LAB_TIME_DELAY, NULL, &printed);
	result.status = 0;
	compare_add_run(&compare, 0, &result, machine, LAB_TIME_DELAY, "latency", &printed);
	compare_summarize(&compare);
	assert_string_equal(compare.metric.name, "time");
	assert_false(compare.metric.is_higher_better);
	assert_int_equal(compare.cases[0].nr_ok, 1);
	assert_true(compare.cases[0].median == 1.5);
	assert_true(isnan(compare.cases[0].of_static_best));
	assert_string_equal(compare.cases[0].runs[1].end, "status 3");
	assert_string_equal(compare.cases[0].runs[1].why, "no such file");
	assert_string_equal(compare.cases[0].runs[2].end, "no metric");
	compare_fini(&compare);
	machine_free(machine);
}

static void check_golden(const char *name, const struct printbuf *out)
{
	PRINTBUF(path);
	static char golden[65536];
	const char *top = getenv("TOP"), *wish = getenv("BERTH_GOLDEN");
	prt_printf(&path, "%s/tests/golden/lab/%s", top ? top : ".", name);
	FILE *file = fopen(printbuf_str(&path), wish ? "w" : "r");
	assert_non_null(file);
	assert_false(printbuf_has_error(out));
	memset(golden, 0, sizeof(golden));
	if (wish)
		assert_int_equal(fwrite(printbuf_str(out), 1, out->pos, file), out->pos);
	else
		assert_true(fread(golden, 1, sizeof(golden) - 1, file) > 0);
	fclose(file);
	if (!wish)
		assert_string_equal(printbuf_str(out), golden);
}

static void test_tables_are_golden(void **state)
{
	struct machine *machine = machine_of(TWO);
	struct compare compare = scripted(machine);
	struct compare_show show = {
		.compare = &compare,
		.machine = machine,
		.program = "hotset --seconds 60",
		.kernels = "6.12.95+deb12-amd64",
		.qemu_version = "10.0.2",
		.repeat = 3,
		.notes = "kernel on 6.12, run 3: panic: Kernel panic - not syncing: sysrq "
			 "triggered crash\n",
		.columns = 80,
		.is_utf8 = true,
	};
	PRINTBUF(narrow);
	PRINTBUF(wide);
	PRINTBUF(json);
	PRINTBUF(csv);
	compare_to_text(&narrow, &show);
	check_golden("compare_80_utf8.txt", &narrow);
	show.columns = 200;
	show.is_utf8 = false;
	compare.cases[1].kernel = "7.3"; /* no yardsticks there */
	compare_summarize(&compare);
	compare_to_text(&wide, &show);
	check_golden("compare_200_ascii.txt", &wide);
	compare_to_json(&json, &show);
	check_golden("compare.json", &json);
	compare_to_csv(&csv, &show);
	check_golden("compare.csv", &csv);
	compare_fini(&compare);
	machine_free(machine);
}

/* Nothing good, nothing run: the table still says what there is. */
static void test_table_of_failures(void **state)
{
	static const char *const two[] = { "none", "\x1b[1m" };
	struct machine *machine = machine_of(TWO);
	struct compare compare = compare_of(two, 2);
	struct compare_printed printed = { 0 };
	struct lab_result result = { .end = LAB_END_OOM, .words = PRINTBUF_HEAP };
	struct compare_show show = { .compare = &compare,
				     .machine = machine,
				     .program = "x",
				     .kernels = "",
				     .repeat = 1,
				     .notes = "",
				     .columns = 80 };
	PRINTBUF(out);
	compare_add_run(&compare, 0, &result, machine, LAB_TIME_DELAY, NULL, &printed);
	compare_summarize(&compare);
	compare_to_text(&out, &show);
	assert_non_null(strstr(printbuf_str(&out), lab_end_names[LAB_END_OOM]));
	assert_non_null(strstr(printbuf_str(&out), "not run"));
	assert_null(strchr(printbuf_str(&out), '\x1b'));
	assert_null(strstr(printbuf_str(&out), "nan"));
	compare_fini(&compare);
	machine_free(machine);
}
