/* SPDX-License-Identifier: MIT */
/* Samples taken apart: what both kernels really said (the seeds of fuzz_lab_sample), and worse. */
#include "test.h"

#include <errno.h>

#include "lab/launcher/sample.h"

static size_t read_seed(const char *name, char *bytes, size_t size)
{
	char path[400];
	const char *top = getenv("TOP");
	snprintf(path, sizeof(path), "%s/fuzz/corpus/fuzz_lab_sample/%s", top ? top : ".", name);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s is not there", path);
	size_t nr = fread(bytes, 1, size, file);
	fclose(file);
	return nr;
}

static uint64_t value(const struct lab_vmstats *stats, const char *name)
{
	uint64_t found = 0;
	if (!lab_vmstats_find(stats, name, &found))
		fail_msg("no counter %s", name);
	return found;
}

/* The same numbers by another way: the text searched for the line. */
static uint64_t number_after(const char *bytes, size_t nr, const char *before)
{
	const char *at = memmem(bytes, nr, before, strlen(before));
	assert_non_null(at);
	return strtoull(at + strlen(before), NULL, 10);
}

static void check_seed(const char *name, bool is_first)
{
	char *bytes = malloc(65536);
	struct lab_reading reading;
	PRINTBUF(err);
	size_t nr = read_seed(name, bytes, 65536);
	if (lab_reading_parse(bytes, nr, &reading, &err) != 0)
		fail_msg("%s: %s", name, printbuf_str(&err));
	assert_int_equal(reading.head.when, is_first ? 0 : 1);
	assert_true(reading.vmstat.nr > 150);
	assert_int_equal(value(&reading.vmstat, "nr_free_pages"),
			 number_after(bytes, nr, "nr_free_pages "));
	assert_int_equal(value(&reading.vmstat, "oom_kill"), 0);
	assert_true(value(&reading.vmstat, "pgalloc_normal") +
			    value(&reading.vmstat, "pgalloc_dma32") >
		    0);
	for (int i = 0; i < LAB_MAX_NODES; i++)
		assert_int_equal(reading.nodes[i].is_present, i < 2);
	assert_int_equal(reading.nodes[0].total_bytes,
			 1024 * number_after(bytes, nr, "Node 0 MemTotal:"));
	assert_int_equal(reading.nodes[1].free_bytes,
			 1024 * number_after(bytes, nr, "Node 1 MemFree:"));
	assert_int_equal(reading.nodes[1].used_bytes,
			 1024 * number_after(bytes, nr, "Node 1 MemUsed:"));
	assert_int_equal(reading.nodes[0].anon_bytes,
			 1024 * number_after(bytes, nr, "Node 0 AnonPages:"));
	assert_int_equal(reading.nodes[0].file_bytes,
			 1024 * number_after(bytes, nr, "Node 0 FilePages:"));
	assert_true(reading.nodes[0].nodestat.nr > 50);
	assert_true(value(&reading.nodes[1].nodestat, "nr_free_pages") > 0);
	assert_int_equal(reading.zoneinfo != NULL, is_first);
	if (is_first) {
		assert_string_equal(reading.tiers, "memory_tier4 0\nmemory_tier70 1\n");
		assert_string_equal(reading.demotion, "false\n");
		assert_memory_equal(reading.zoneinfo, "Node 0, zone", 12);
		assert_memory_equal(reading.cmdline, "console=ttyS0", 13);
		assert_null(strchr(reading.cmdline, '['));
	}
	lab_reading_fini(&reading);
	free(bytes);
}

static void test_real_samples(void **state)
{
	check_seed("linux-6.12-first", true);
	check_seed("linux-6.12-series", false);
	check_seed("linux-7.3-first", true);
	check_seed("linux-7.3-series", false);
}

/* Text behind a head of zeros; no byte behind it may be read. */
static int parse(const char *text, struct lab_reading *ret, struct printbuf *err)
{
	size_t nr = sizeof(struct lab_sample) + strlen(text);
	char *bytes = calloc(1, nr);
	memcpy(bytes + sizeof(struct lab_sample), text, strlen(text));
	int error = lab_reading_parse(bytes, nr, ret, err);
	free(bytes);
	return error;
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"[vmstat]\nnr_free_pages\n",
		"[vmstat]\nnr_free_pages \n",
		"[vmstat]\nnr_free_pages -1\n",
		"[vmstat]\nnr_free_pages 1x\n",
		"[vmstat]\nnr_free_pages 18446744073709551616\n",
		"[vmstat]\nnr_free_pages 12",
		"[vmstat]\n\033[2J\n",
		"[node 0]\nNode 0 MemTotal: 12 MB\n",
		"[node 0]\nNode 0 MemTotal: kB\n",
		"[node 0]\nNode 0 MemTotal: 12 kB?\n",
		"[node 0]\nNode 0 MemFree: 18446744073709551615 kB\n",
		"[nodestat 1]\nx y\n",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lab_reading reading;
		PRINTBUF(err);
		if (parse(bad[i], &reading, &err) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(printbuf_str(&err), "the guest's sample: ", 20);
		assert_null(strchr(printbuf_str(&err), '\033'));
	}
	struct lab_reading reading;
	assert_int_equal(lab_reading_parse("short", 5, &reading, NULL), -EBADMSG);
	char nul[sizeof(struct lab_sample) + 4] = "";
	assert_int_equal(lab_reading_parse(nul, sizeof(nul), &reading, NULL), -EBADMSG);
}

static void test_skips_what_it_does_not_know(void **state)
{
	struct lab_reading reading;
	assert_int_equal(parse("[soup]\nof the day\n[node 32]\nNode 32 MemTotal: 1 kB\n"
			       "[node x]\nNode x MemTotal: lots\n[]\n[nodestat 31]\na 7\n"
			       "[node 2]\nNode 2 Colour: red\nNode 2 MemTotal: 3 kB\n",
			       &reading, NULL),
			 0);
	assert_int_equal(reading.vmstat.nr, 0);
	assert_int_equal(value(&reading.nodes[31].nodestat, "a"), 7);
	assert_int_equal(reading.nodes[2].total_bytes, 3072);
	uint64_t found = 9;
	assert_false(lab_vmstats_find(&reading.nodes[31].nodestat, "b", &found));
	assert_int_equal(found, 9);
	lab_reading_fini(&reading);
}

/* A section said again replaces the first; nothing leaks. */
static void test_section_twice(void **state)
{
	struct lab_reading reading;
	assert_int_equal(parse("[vmstat]\na 1\nb 2\n[vmstat]\nc 3\n[nodestat 0]\nd 4\n"
			       "[nodestat 0]\ne 5\n",
			       &reading, NULL),
			 0);
	assert_int_equal(reading.vmstat.nr, 1);
	assert_int_equal(value(&reading.vmstat, "c"), 3);
	assert_int_equal(reading.nodes[0].nodestat.nr, 1);
	lab_reading_fini(&reading);
}

static void test_bounds_counters(void **state)
{
	PRINTBUF(text);
	struct lab_reading reading;
	prt_str(&text, "[vmstat]\n");
	for (int i = 0; i < LAB_MAX_VMSTAT; i++)
		prt_str(&text, "a 1\n");
	assert_int_equal(parse(printbuf_str(&text), &reading, NULL), 0);
	assert_int_equal(reading.vmstat.nr, LAB_MAX_VMSTAT);
	lab_reading_fini(&reading);
	prt_str(&text, "a 1\n");
	assert_int_equal(parse(printbuf_str(&text), &reading, NULL), -EBADMSG);
}
