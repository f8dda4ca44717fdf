/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/random.h"
#include "import_helper.h"

#define INTERVALS "\"intervals\": {\"sample_us\": \"5000\", \"aggr_us\": \"100000\"}, "
#define REGION(start, end, samples)                                                                \
	"{\"start\": \"" start "\", \"end\": \"" end "\", \"nr_accesses\": {\"samples\": " samples \
	", \"percent\": null}, \"age\": {\"usec\": null, \"aggr_intervals\": \"3\"}}"
#define SNAPSHOT(start, end, regions)                                                              \
	"{\"start_time\": \"" start "\", \"end_time\": \"" end "\", \"regions\": [" regions "]}"
#define RECORD(head, snapshots) "{" head "\"snapshots\": [" snapshots "]}"

static const char two_targets[] = "[" RECORD(
	"\"kdamond_idx\": 0, \"context_idx\": 0, \"scheme_idx\": null, \"target_id\": "
	"0, " INTERVALS,
	SNAPSHOT("1000000000", "1100000000",
		 REGION("4096", "12288", "3") ", " REGION(
			 "140731667070976", "140731668037632",
			 "0")) ", " SNAPSHOT("1100000000", "1200000000",
					     REGION("4096", "8192",
						    "20"))) ", " RECORD("\"kdamond_idx\": 0, "
									"\"context_idx\": 0, "
									"\"scheme_idx\": null, "
									"\"target_id\": "
									"1, " INTERVALS,
									SNAPSHOT(
										"1050000000",
										"1150000000",
										REGION("4294967296",
										       "8589934592",
										       "7"))) "]";

static void test_records_are_merged_by_time(void **state)
{
	static const struct event expected[] = {
		{ 100000000, 1, 2, 100000000, .space = 0, .hits = 3, .checks = 20 },
		{ 100000000, 0x7ffea5064, 236, 100000000, .space = 0, .checks = 20 },
		{ 150000000, 0x100000, 0x100000, 100000000, .space = 1, .hits = 7, .checks = 20 },
		{ 200000000, 1, 1, 100000000, .space = 0, .hits = 20, .checks = 20 },
	};
	struct imported all = import_text(two_targets);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 4);
	assert_memory_equal(all.events, expected, sizeof(expected));
	assert_int_equal(all.info->duration_ns, 200000000);
	assert_int_equal(all.info->streams, TRACE_STREAM_SAMPLES);
	assert_int_equal(all.info->nr_spaces, 2);
	assert_string_equal(all.info->spaces[1].name, "kdamond 0 context 0 target 1");
	assert_int_equal(all.info->spaces[0].kind, TRACE_SPACE_MM);
	assert_int_equal(all.info->spaces[1].kind, TRACE_SPACE_PHYSICAL);
	assert_int_equal(all.info->nr_notes, 0);
	assert_false(all.info->is_cut);
	imported_fini(&all);
}

static void test_framings_give_the_same(void **state)
{
	static const int framings[] = { 15, 31 };
	struct imported plain = import_text(two_targets);
	for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
		size_t nr;
		uint8_t *bytes = compress_text(two_targets, strlen(two_targets), framings[i], &nr);
		struct imported all = import_bytes(bytes, nr);
		assert_int_equal(all.nr, plain.nr);
		assert_memory_equal(all.events, plain.events, plain.nr * sizeof(*plain.events));
		imported_fini(&all);
		free(bytes);
	}
	imported_fini(&plain);
}

/* One record of one snapshot, 1 s to 1.1 s, with that head and these regions. */
static struct imported import_regions(const char *head, const char *regions)
{
	PRINTBUF(text);
	prt_printf(&text,
		   "[{%s\"target_id\": 0, \"snapshots\": [{\"start_time\": \"1,000,000,000\", "
		   "\"end_time\": 1100000000, \"regions\": [%s]}]}]",
		   head, regions);
	return import_bytes(text.buf, text.pos);
}

static void assert_one(struct imported *all, uint64_t page, uint64_t nr_pages, uint32_t hits,
		       uint32_t checks)
{
	assert_int_equal(all->error, 0);
	assert_int_equal(all->nr, 1);
	assert_int_equal(all->events[0].page, page);
	assert_int_equal(all->events[0].nr_pages, nr_pages);
	assert_int_equal(all->events[0].hits, hits);
	assert_int_equal(all->events[0].checks, checks);
	imported_fini(all);
}

static void test_numbers_of_all_ages(void **state)
{
	struct imported all = import_regions(
		INTERVALS, "{\"start\": \"94,827,419,009,024\", \"end\": \"94,827,419,013,120\", "
			   "\"nr_accesses\": {\"samples\": \"1,2\", \"percent\": null}}");
	assert_one(&all, 94827419009024 >> 12, 1, 12, 20);
	all = import_regions(INTERVALS, "{\"start\": 4096, \"end\": 8192, \"nr_accesses\": 4}");
	assert_one(&all, 1, 1, 4, 20);
	all = import_regions(INTERVALS, "{\"nr_accesses\": \"4\", \"end\": 8193, \"start\": 4095}");
	assert_one(&all, 0, 3, 4, 20);
	all = import_regions("\"intervals\": {\"sample_us\": \"5 ms\", \"aggr_us\": \"1 s\"},",
			     REGION("4096", "8192", "9"));
	assert_one(&all, 1, 1, 9, 200);
	all = import_regions(INTERVALS, REGION("4096", "1e5", "21"));
	imported_fini(&all);
	all = import_regions(INTERVALS, "{\"start\": 0, \"end\": 1.048576e6, \"nr_accesses\": 21}");
	assert_one(&all, 0, 256, 21, 21); /* more hits than checks: checks are raised */
	all = import_regions(INTERVALS, "{\"start\": 0, \"end\": \"max\", \"nr_accesses\": 1}");
	assert_one(&all, 0, (uint64_t)1 << 52, 1, 20);
}

static void test_percent_without_samples(void **state)
{
	struct imported all = import_regions(
		INTERVALS, "{\"start\": 0, \"end\": 4096, "
			   "\"nr_accesses\": {\"samples\": null, \"percent\": \"45.5 %\"}}");
	assert_one(&all, 0, 1, 45, 100);
	all = import_regions(
		INTERVALS,
		"{\"start\": 0, \"end\": 4096, \"nr_accesses\": {\"percent\": 5}}, " REGION(
			"4096", "8192", "1"));
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "mixes samples and percent");
	imported_fini(&all);
}

static void test_regions_without_accesses_are_noted(void **state)
{
	struct imported all = import_regions(
		INTERVALS, "{\"start\": 0, \"end\": 4096, \"nr_accesses\": null}, "
			   "{\"start\": 0, \"end\": 4096}, " REGION("4096", "8192", "1"));
	assert_noted(&all, "nothing about accesses were left out: 2");
	assert_one(&all, 1, 1, 1, 20);
}

static void test_missing_intervals_are_noted(void **state)
{
	struct imported all = import_regions("\"intervals\": null, ", REGION("0", "4096", "3"));
	assert_noted(&all, "default of 5 ms is assumed");
	assert_one(&all, 0, 1, 3, 20); /* 100 ms of snapshot / 5 ms */
	all = import_regions("", REGION("0", "4096", "3") ", " REGION("4096", "8192", "77"));
	assert_int_equal(all.events[0].checks, 77); /* it must have looked more often */
	imported_fini(&all);
	all = import_text("[{\"snapshots\": [{\"regions\": [" REGION(
		"0", "4096", "3") "], \"sample_interval_us\": \"1000\", \"end_time\": 1100000000, "
				  "\"start_time\": 1000000000}]}]");
	assert_int_equal(all.info->nr_notes, 0);
	assert_one(&all, 0, 1, 3, 100);
}

static void test_missing_start_is_the_mean_distance(void **state)
{
	struct imported all = import_text(
		"[{\"target_id\": 0, " INTERVALS "\"snapshots\": ["
		"{\"end_time\": 1100000000, \"regions\": [" REGION(
			"0", "4096", "1") "]}, "
					  "{\"end_time\": 1300000000, \"regions\": [" REGION(
						  "0", "4096",
						  "2") "]}, "
						       "{\"start_time\": 1, \"end_time\": "
						       "1300000000, \"regions\": []}]}]");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 2);
	assert_int_equal(all.events[0].time_ns, 100000000);
	assert_int_equal(all.events[0].window_ns, 100000000);
	assert_int_equal(all.info->duration_ns, 300000000);
	imported_fini(&all);
}

static void test_the_made_up_successor_is_left_out(void **state)
{
	struct imported all = import_text("[" RECORD(
		"\"target_id\": 5, " INTERVALS,
		SNAPSHOT("1000000000", "1100000000", REGION("4096", "8192", "1")) ", " SNAPSHOT(
			"1100000000", "1200000000", REGION("0", "0", "-1"))) "]");
	assert_int_equal(all.info->duration_ns, 100000000);
	assert_one(&all, 1, 1, 1, 20);
}

static void test_keys_in_any_order_and_unknown_ones(void **state)
{
	struct imported all = import_text(
		"[ {\"zzz\": [1, {\"a\": [true, false, null]}], \"snapshots\": [{\"regions\": ["
		"{\"x\": {\"start\": 77}, \"nr_accesses\": {\"hz\": 3, \"samples\": 6}, \"end\": "
		"8192,"
		"\"start\": 4096}], \"end_time\": \"1100000000\", \"damos_stats\": [1, 2], "
		"\"start_time\": \"1000000000\"}], \"target_id\": \"x\\u0000y\", "
		"\"scheme_idx\": 2, \"kdamond_idx\": null, "
		"\"intervals\": {\"aggr_us\": 100000, \"ops_update_us\": {}, \"sample_us\": "
		"1000}}]");
	assert_int_equal(all.error, 0);
	assert_string_equal(all.info->spaces[0].name, "target x\\x00y scheme 2");
	assert_one(&all, 1, 1, 6, 100);
}

static void test_records_of_one_target_are_one_space(void **state)
{
#define PART(scheme, start, end, hits)                                                             \
	RECORD("\"target_id\": 0, \"scheme_idx\": " scheme ", " INTERVALS,                         \
	       SNAPSHOT(start, end, REGION("4096", "8192", hits)))
	struct imported all = import_text(
		"[" PART("null", "2000000000", "2100000000",
			 "3") "," PART("null", "1000000000", "1100000000",
				       "1") "," PART("0", "1000000000", "1100000000", "2") "]");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.info->nr_spaces, 2);
	assert_int_equal(all.nr, 3);
	assert_int_equal(all.events[0].hits, 1);
	assert_int_equal(all.events[1].hits, 2);
	assert_int_equal(all.events[1].space, 1);
	assert_int_equal(all.events[2].hits, 3);
	assert_int_equal(all.info->duration_ns, 1100000000);
	imported_fini(&all);
}

enum style { INDENTED, ONE_LINE, COMMAS, MIXED, NR_STYLES };

static void print_region(struct printbuf *out, const struct event *event, enum style style,
			 bool odd)
{
	const char *gap = style == INDENTED || (style == MIXED && odd) ? "\n                " : " ";
	prt_printf(out, "{%s\"start\": \"", gap);
	if (style == COMMAS)
		prt_u64_grouped(out, event->page << 12);
	else
		prt_u64(out, event->page << 12);
	prt_printf(out, "\",%s\"end\": \"%llu\",%s", gap,
		   (unsigned long long)(event->page + event->nr_pages) << 12, gap);
	if (style == MIXED && event->hits % 3 == 0)
		prt_printf(out, "\"age\": {\"usec\": %u}, \"nr_accesses\": %u", event->hits,
			   event->hits);
	else
		prt_printf(out,
			   "\"nr_accesses\": {\"samples\": %u, \"percent\": null}, "
			   "\"age\": {\"usec\": null, \"aggr_intervals\": \"%u\"}",
			   event->hits, event->hits * 3);
	prt_printf(out, "%s}", gap);
}

static void print_record(struct printbuf *out, const struct event *events, uint32_t nr,
			 enum style style)
{
	prt_str(out, "[{\"target_id\": 0, " INTERVALS "\"snapshots\": [");
	for (uint32_t i = 0; i < nr; i++) {
		bool is_first = !i || events[i].time_ns != events[i - 1].time_ns;
		uint64_t end_ns = 1000000000 + events[i].time_ns;
		if (is_first)
			prt_printf(out,
				   "%s{\"start_time\": %llu, \"end_time\": %llu, \"regions\": [",
				   i ? "]}," : "", (unsigned long long)(end_ns - 100000000),
				   (unsigned long long)end_ns);
		prt_str(out, is_first ? "" : style == ONE_LINE ? ", " : ",\n");
		print_region(out, &events[i], style, i & 1);
	}
	prt_str(out, "]}]}]\n");
}

/* Whatever way it is written, and so whichever way it is read, it says the same. */
static void test_styles_give_the_same(void **state)
{
	enum { NR = 20000 };
	struct event *events = calloc(NR, sizeof(*events));
	struct random random;
	random_init(&random, 42);
	uint64_t time_ns = 100000000;
	for (uint32_t i = 0; i < NR; i++) {
		time_ns += random_below(&random, 50) ? 0 : 100000000;
		events[i] = (struct event){
			.time_ns = time_ns,
			.page = random_u64(&random) >> (13 + random_below(&random, 40)),
			.nr_pages = 1 + (random_u64(&random) >> (14 + random_below(&random, 50))),
			.window_ns = 100000000,
			.hits = (uint32_t)random_below(&random, 21),
			.checks = 20
		};
	}
	for (uint32_t i = NR; i-- > 0;) /* times count from the first window */
		events[i].time_ns -= events[0].time_ns - 100000000;
	for (enum style style = 0; style < NR_STYLES; style++) {
		PRINTBUF(text);
		print_record(&text, events, NR, style);
		struct imported all = import_bytes(text.buf, text.pos);
		assert_int_equal(all.error, 0);
		assert_int_equal(all.nr, NR);
		for (uint32_t i = 0; i < NR; i++)
			assert_memory_equal(&all.events[i], &events[i], sizeof(*events));
		imported_fini(&all);
	}
	free(events);
}

static void test_a_cut_at_every_byte(void **state)
{
	size_t nr = strlen(two_targets);
	uint32_t nr_before = 0;
	for (size_t cut = 60; cut < nr; cut++) {
		struct imported all = import_bytes(two_targets, cut);
		if (all.error) {
			assert_int_equal(all.error, -EBADMSG);
			assert_int_equal(nr_before, 0);
			assert_true(strstr(printbuf_str(&all.err), "nothing to read") != NULL);
		} else {
			assert_true(all.info->is_cut);
			assert_true(all.nr >= nr_before && all.nr <= 4);
			assert_noted(&all, "ends too early (inside its JSON)");
			nr_before = all.nr;
		}
		imported_fini(&all);
	}
	assert_int_equal(nr_before, 4);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "[{\"kdamond_idx\": 0, \"snapshots\": []}]", "without regions" },
		{ "[{\"snapshots\": {}}]", "snapshots are not an array" },
		{ "[{\"snapshots\": [3]}]", "a snapshot is not an object" },
		{ "[{\"snapshots\": [{\"regions\": 3}]}]", "regions are not an array" },
		{ "[{\"snapshots\": [{\"regions\": [3]}]}]", "a region is not an object" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": 1}]}]}]",
		  "lacks its start or end" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": {}}]}]}]", "is something else" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": \"x\"}]}]}]", "not readable" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": -1, \"end\": 1}]}]}]",
		  "not readable" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": 9, \"end\": 1, \"nr_accesses\": "
		  "1}]}]}]",
		  "ends before it starts" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": 0, \"end\": 1, "
		  "\"nr_accesses\": 4294967296}]}]}]",
		  "more accesses than" },
		{ "[{\"snapshots\": [{\"regions\": [{\"start\": 0, \"end\": 1, "
		  "\"nr_accesses\": -1}]}]}]",
		  "negative number of accesses" },
		{ "[{\"snapshots\": [{\"regions\": []}]}]", "lacks its end_time" },
		{ "[{\"snapshots\": [{\"end_time\": \"soon\"}]}]", "a time is not readable" },
		{ "[{\"snapshots\": [{\"end_time\": []}]}]", "neither a number nor text" },
		{ "[{\"snapshots\": [{\"end_time\": 99999999999999999999}]}]",
		  "a time is not readable" },
		{ "[{\"snapshots\": [{\"end_time\": 1e99}]}]", "a time is not readable" },
		{ "[{\"snapshots\": [], \"intervals\": 5}]", "intervals are not an object" },
		{ "[{\"snapshots\": [], \"target_id\": []}]", "an index is neither" },
		{ "[{\"snapshots\": [], \"target_id\": "
		  "\"0123456789012345678901234567890123456789\"}]",
		  "an index is longer" },
		{ "[5, \"snapshots\"]", "a record is not an object" },
		{ "[{\"snapshots\": []}] x", "where the end of the text should be" },
		{ "[{\"snapshots\": [}]", "where a value should be" },
		{ "[{\"snapshots\": [\"\x01\"]}]", "control character" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct imported all = import_text(bad[i].text);
		assert_int_equal(all.error, -EBADMSG);
		assert_says(&all, bad[i].says);
		imported_fini(&all);
	}
}

static void test_errors_name_their_line(void **state)
{
	PRINTBUF(text);
	prt_str(&text, "[{\"target_id\": 0,\n\"snapshots\": [{\"end_time\": 5,\n\"regions\": [\n");
	for (unsigned i = 0; i < 1000; i++)
		prt_str(&text, REGION("4096", "8192", "1") ",\n");
	struct printbuf_state before = printbuf_save(&text);
	prt_str(&text, "{\"start\": \"8192\", \"end\": \"4096\", \"nr_accesses\": 1}]}]}]");
	struct imported all = import_bytes(text.buf, text.pos);
	assert_says(&all, "line 1004: a region ends before it starts");
	imported_fini(&all);
	printbuf_restore(&text, &before);
	prt_str(&text, "  {]");
	all = import_bytes(text.buf, text.pos);
	assert_says(&all, "line 1004 column 4: ']' where a key");
	imported_fini(&all);
}

static void test_other_json_is_not_taken(void **state)
{
	static const char *const texts[] = { "[]", "{}", "[{\"snapshot\": 1}]", "[1, 2, 3]",
					     "{\"snapshots\": []}" };
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct imported all = import_text(texts[i]);
		assert_int_equal(all.error, -EBADMSG);
		assert_says(&all, "not a recording");
		imported_fini(&all);
	}
}

static void test_deep_nesting_and_long_strings(void **state)
{
	PRINTBUF(text);
	prt_str(&text, "[{\"snapshots\": ");
	prt_chars(&text, '[', 100000);
	struct imported all = import_bytes(text.buf, text.pos);
	assert_int_equal(all.error, -EBADMSG);
	imported_fini(&all);
	printbuf_reset(&text);
	prt_str(&text, "[{\"snapshots\": [], \"target_id\": \"");
	prt_chars(&text, 'x', 3 << 20);
	all = import_bytes(text.buf, text.pos);
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "more than 1 MiB");
	imported_fini(&all);
}
