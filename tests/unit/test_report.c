/* SPDX-License-Identifier: MIT */
/*
 * `berth report` on made-up recordings, against golden output in tests/golden and for the things
 * that must hold whatever it looks like. BERTH_UPDATE_GOLDEN=1 writes the golden files anew: look
 * at the difference before you commit it.
 */
#include "test.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/main.h"
#include "report_fixture.h"

static char directory[64];

static const char *in_directory(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void begin(void)
{
	strcpy(directory, "/tmp/berth-report-XXXXXX");
	assert_non_null(mkdtemp(directory));
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("COLUMNS", "80", 1);
}

static void end(void)
{
	static const char *const names[] = { "a.berth", "a.berth.part", "out" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(in_directory(names[i]));
	assert_int_equal(rmdir(directory), 0);
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		return NULL;
	char *text = calloc(1, 4 << 20);
	assert_non_null(text);
	assert_true(fread(text, 1, (4 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Runs the command; its output, which the caller frees. */
static char *report(const char *recording, int expected, const char *option, const char *value,
		    const char *option2, const char *value2)
{
	const char *out = in_directory("out");
	const char *words[] = { "berth", "report", in_directory(recording),
				"-o",	 out,	   option,
				value,	 option2,  value2 };
	char *argv[10] = { 0 };
	int argc = 0;
	for (size_t i = 0; i < ARRAY_SIZE(words) && words[i]; i++)
		argv[argc++] = (char *)words[i];
	assert_int_equal(berth_main(argc, argv), expected);
	char *text = read_text(out);
	assert_non_null(text);
	return text;
}

/* Paths of the scratch directory never appear: the program's name is in the recording. */
static void compare_golden(const char *name, const char *text)
{
	char path[512];
	const char *top = getenv("TOP");
	snprintf(path, sizeof(path), "%s/tests/golden/%s", top ? top : ".", name);
	if (getenv("BERTH_UPDATE_GOLDEN")) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
		return;
	}
	char *golden = read_text(path);
	assert_non_null(golden);
	assert_string_equal(text, golden);
	free(golden);
}

static void test_text_is_golden(void **state)
{
	begin();
	example_write(in_directory("a.berth"), true);
	char *text = report("a.berth", EXIT_DONE, NULL, NULL, NULL, NULL);
	compare_golden("report_80_utf8.txt", text);
	free(text);
	setenv("LC_ALL", "C", 1);
	setenv("COLUMNS", "110", 1);
	text = report("a.berth", EXIT_DONE, "--rows", "12", NULL, NULL);
	compare_golden("report_110_ascii.txt", text);
	free(text);
	end();
}

/* No line is wider than the terminal, and none holds a control character. */
static void test_lines_fit(void **state)
{
	static const unsigned widths[] = { 64, 70, 80, 100, 133, 200, 300 };
	begin();
	example_write(in_directory("a.berth"), true);
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		char number[16];
		snprintf(number, sizeof(number), "%u", widths[i]);
		setenv("COLUMNS", number, 1);
		char *text = report("a.berth", EXIT_DONE, NULL, NULL, NULL, NULL);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			bool is_table = strstr(line, "0x") || strstr(line, "node:") ||
					strstr(line, "region ") || strncmp(line, "all", 3) == 0;
			if (!is_table && utf8_width(line, strlen(line)) > widths[i])
				fail_msg("at %u columns: %s", widths[i], line);
			for (const char *at = line; *at; at++)
				assert_true((unsigned char)*at >= ' ');
		}
		free(text);
	}
	end();
}

static void test_json_adds_up(void **state)
{
	begin();
	example_write(in_directory("a.berth"), true);
	char *text = report("a.berth", EXIT_DONE, "--format", "json", NULL, NULL);
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);
	if (!root)
		fail_msg("%d: %s", error.line, error.text);
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	json_int_t touched = json_integer_value(json_object_get(root, "touched_bytes"));
	/* heap 422, table 4000, the mapping 1500, libc 140, stack 3 pages */
	assert_int_equal(touched / 4096, 6065);
	json_t *regions = json_object_get(root, "regions"), *region;
	json_int_t sum = 0;
	size_t i;
	json_array_foreach(regions, i, region)
	{
		const char *name = json_string_value(json_object_get(region, "region"));
		json_int_t bytes = json_integer_value(json_object_get(region, "touched_bytes"));
		assert_int_equal(bytes,
				 json_integer_value(json_object_get(region, "hot_bytes")) +
					 json_integer_value(json_object_get(region, "warm_bytes")) +
					 json_integer_value(json_object_get(region, "cold_bytes")));
		if (strcmp(name, "all") != 0)
			sum += bytes;
		else
			assert_int_equal(bytes, touched);
	}
	assert_int_equal(sum, touched);
	json_t *points = json_object_get(json_object_get(root, "curve"), "points"), *point;
	double before = 1e9;
	json_array_foreach(points, i, point)
	{
		double fixed = json_real_value(json_object_get(point, "static_best_upper_ratio"));
		double moves = json_real_value(json_object_get(point, "optimal_lower_ratio"));
		assert_true(fixed <= before && moves <= fixed && moves >= 0.9999);
		before = fixed;
	}
	assert_true(before < 1.0001); /* all of it fast */
	json_decref(root);
	free(text);
	end();
}

static void test_csv_tables(void **state)
{
	static const char *const tables[][2] = {
		{ "regions", "process,region,address,touched_bytes," },
		{ "working-set", "time_ns,mean_bytes,max_bytes,new_bytes\n" },
		{ "curve", "fast_ratio,fast_bytes,served_ratio,static_best_lower_ratio," },
		{ "heatmap", "region,address,touched_bytes,time_ns,heat_ratio\n" },
	};
	begin();
	example_write(in_directory("a.berth"), true);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		char *text = report("a.berth", EXIT_DONE, "--format", "csv", "--table",
				    tables[i][0]);
		assert_true(strncmp(text, tables[i][1], strlen(tables[i][1])) == 0);
		free(text);
	}
	end();
}

static void test_svg_is_escaped(void **state)
{
	begin();
	example_write(in_directory("a.berth"), true);
	char *text = report("a.berth", EXIT_DONE, "--format", "svg", NULL, NULL);
	assert_null(strstr(text, "<script>"));
	assert_non_null(strstr(text, "&lt;script&gt;"));
	assert_non_null(strstr(text, "</svg>"));
	assert_non_null(strstr(text, "libc.so.6"));
	free(text);
	end();
}

static void test_cut_recording(void **state)
{
	begin();
	example_write(in_directory("a.berth"), false);
	char *text = report("a.berth.part", EXIT_PARTLY, NULL, NULL, NULL, NULL);
	assert_non_null(strstr(text, "is cut"));
	assert_non_null(strstr(text, "libc.so.6"));
	free(text);
	end();
}

static void test_empty_recording(void **state)
{
	static const char *const formats[] = { "text", "json", "csv", "svg" };
	begin();
	struct trace_info info = example_info();
	int fd = -1;
	assert_int_equal(trace_create(in_directory("a.berth"), &info, &fd, NULL), 0);
	close(fd);
	assert_int_equal(trace_finish(in_directory("a.berth"), &info, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		char *text = report("a.berth", EXIT_DONE, "--format", formats[i], NULL, NULL);
		if (i == 0)
			assert_non_null(strstr(text, "holds no accesses"));
		free(text);
	}
	end();
}

/* Two processes' samples: ranges stay ranges, and the curve says why it has no slowdown. */
static void write_samples(const char *path)
{
	struct trace_space spaces[2] = {
		{ .id = 0, .parent = TRACE_NONE, .pid = 11, .name = (char *)"one" },
		{ .id = 1, .parent = TRACE_NONE, .pid = 12, .name = (char *)"two" },
	};
	struct trace_info info = example_info();
	struct trace_appender *appender[2];
	int fd = -1;
	info.streams = TRACE_STREAM_SAMPLES;
	info.ns_per_ktick = 1000;
	info.cache = (struct trace_cache){ 0 };
	info.spaces = spaces;
	info.nr_spaces = 2;
	assert_int_equal(trace_create(path, &info, &fd, NULL), 0);
	for (uint32_t s = 0; s < 2; s++)
		assert_int_equal(trace_appender_new(fd, s, 4096, &appender[s]), 0);
	for (uint64_t i = 1; i <= 50; i++)
		for (uint32_t s = 0; s < 2; s++) {
			uint64_t time = i * 100 * NS_PER_MS, window = 100 * NS_PER_MS;
			trace_append_sample(appender[s], time, window, 0x1000, 512,
					    s ? 20 : (uint32_t)(i % 4), 20);
			trace_append_sample(appender[s], time, window, 0x1200, 1 << 20, 0, 20);
			trace_append_sample(appender[s], time, window, 0x7f0000000, 2048,
					    i > 25 ? 10 : 0, 20);
		}
	for (uint32_t s = 0; s < 2; s++) {
		assert_int_equal(trace_appender_flush(appender[s]), 0);
		trace_appender_free(appender[s]);
	}
	close(fd);
	assert_int_equal(trace_finish(path, &info, NULL), 0);
}

static void test_samples(void **state)
{
	begin();
	write_samples(in_directory("a.berth"));
	char *text = report("a.berth", EXIT_DONE, NULL, NULL, NULL, NULL);
	compare_golden("report_samples.txt", text);
	free(text);
	end();
}

static void test_counts(void **state)
{
	begin();
	struct trace_info info = example_info();
	struct trace_appender *appender = NULL;
	int fd = -1;
	info.streams = TRACE_STREAM_COUNTS;
	info.cache = (struct trace_cache){ 0 };
	assert_int_equal(trace_create(in_directory("a.berth"), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	for (uint64_t i = 0; i < 20; i++)
		for (uint64_t page = 0; page < 30; page++)
			trace_append_count(appender, i * 1000, 100 + page, page < 10 ? 90 : 1, 1);
	trace_appender_flush(appender);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(in_directory("a.berth"), &info, NULL), 0);
	char *text = report("a.berth", EXIT_DONE, NULL, NULL, NULL, NULL);
	assert_non_null(strstr(text, "120 KiB were touched"));
	assert_non_null(strstr(text, "of the accesses"));
	free(text);
	end();
}
