/* SPDX-License-Identifier: MIT */
/* Tables: the three formats of one table, hostile texts, misuse, and running out of memory. */
#include "test.h"

#include <math.h>

#include "base/table.h"

static const struct column columns[] = {
	{ "name", "name", COLUMN_TEXT, 0 },	   { "size_bytes", "size", COLUMN_BYTES, 0 },
	{ "pages", "pages", COLUMN_U64, 0 },	   { "latency_ns", "latency", COLUMN_NS, 0 },
	{ "bytes_per_s", "rate", COLUMN_RATE, 0 }, { "slowdown", "slowdown", COLUMN_RATIO, 2 },
	{ "share", "share", COLUMN_PERCENT, 1 },   { "score", "score", COLUMN_FIXED, 3 },
};

static struct table *make_table(void)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	table_row(table);
	table_text(table, "heap");
	table_u64(table, 3 * MIB / 2);
	table_u64(table, 1234567);
	table_u64(table, 80);
	table_u64(table, 30000000000);
	table_double(table, 1.2345);
	table_double(table, 0.1234);
	table_double(table, 2.5);
	table_row(table);
	table_text(table, "漢字");
	table_u64(table, 4096);
	table_none(table);
	table_row(table);
	table_text(table, NULL);
	for (int i = 0; i < 4; i++)
		table_u64(table, 0);
	table_double(table, NAN);
	table_double(table, INFINITY);
	table_double(table, -1);
	assert_false(table_has_error(table));
	assert_int_equal(table_nr_rows(table), 3);
	return table;
}

static void test_text(void **state)
{
	struct table *table = make_table();
	PRINTBUF(out);
	table_to_text(&out, table);
	assert_string_equal(
		printbuf_str(&out),
		"name      size      pages  latency       rate  slowdown   share   score\n"
		"heap  1.50 MiB  1,234,567    80 ns  30.0 GB/s     1.23x  12.3 %   2.500\n"
		"漢字     4 KiB          -        -          -         -       -       -\n"
		"-          0 B          0     0 ns      0 B/s         -     inf  -1.000\n");
	table_free(table);
}

static void test_csv(void **state)
{
	struct table *table = make_table();
	PRINTBUF(out);
	table_to_csv(&out, table);
	assert_string_equal(printbuf_str(&out),
			    "name,size_bytes,pages,latency_ns,bytes_per_s,slowdown,share,score\n"
			    "heap,1572864,1234567,80,30000000000,1.23,0.123,2.500\n"
			    "漢字,4096,,,,,,\n"
			    ",0,0,0,0,,,-1.000\n");
	table_free(table);
}

static void test_json(void **state)
{
	struct table *table = make_table();
	struct json_writer json;
	PRINTBUF(out);
	json_writer_init(&json, &out, true);
	json_object_begin(&json, NULL);
	table_to_json(&json, "rows", table);
	json_object_end(&json);
	assert_string_equal(
		printbuf_str(&out),
		"{\"rows\":["
		"{\"name\":\"heap\",\"size_bytes\":1572864,\"pages\":1234567,\"latency_ns\":80,"
		"\"bytes_per_s\":30000000000,\"slowdown\":1.23,\"share\":0.123,\"score\":2.500},"
		"{\"name\":\"漢字\",\"size_bytes\":4096,\"pages\":null,\"latency_ns\":null,"
		"\"bytes_per_s\":null,\"slowdown\":null,\"share\":null,\"score\":null},"
		"{\"name\":null,\"size_bytes\":0,\"pages\":0,\"latency_ns\":0,\"bytes_per_s\":0,"
		"\"slowdown\":null,\"share\":null,\"score\":-1.000}]}");
	table_free(table);
}

static void test_hostile_text(void **state)
{
	static const struct column two[] = { { "a", "a", COLUMN_TEXT, 0 },
					     { "b", "b", COLUMN_TEXT, 0 } };
	struct table *table = table_new(two, 2);
	PRINTBUF(text);
	PRINTBUF(csv);
	table_row(table);
	table_text(table, "x\ty\n\x1b[2J");
	table_text(table, "a,\"b\"\n");
	table_to_text(&text, table);
	assert_string_equal(printbuf_str(&text), "a                  b\n"
						 "x\\x09y\\x0a\\x1b[2J  a,\"b\"\\x0a\n");
	table_to_csv(&csv, table);
	assert_string_equal(printbuf_str(&csv), "a,b\n\"x\ty\n\x1b[2J\",\"a,\"\"b\"\"\n\"\n");
	table_free(table);
}

static void test_empty(void **state)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	struct json_writer json;
	PRINTBUF(text);
	PRINTBUF(list);
	table_to_text(&text, table);
	assert_string_equal(printbuf_str(&text),
			    "name  size  pages  latency  rate  slowdown  share  score\n");
	json_writer_init(&json, &list, false);
	table_to_json(&json, NULL, table);
	assert_string_equal(printbuf_str(&list), "[]");
	assert_null(table_free(table));
	assert_null(table_free(NULL));
}

static void test_misuse_is_an_error(void **state)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	table_text(table, "before any row");
	assert_true(table_has_error(table));
	table_free(table);
	table = table_new(columns, 1);
	table_row(table);
	table_u64(table, 5); /* a number in a column of text */
	assert_true(table_has_error(table));
	table_free(table);
	table = table_new(columns, 1);
	table_row(table);
	table_text(table, "a");
	table_text(table, "one too many");
	assert_true(table_has_error(table));
	table_free(table);
}

static unsigned nr_calls, fails_at;

static void *failing_realloc(void *old, size_t size)
{
	return ++nr_calls >= fails_at ? NULL : realloc(old, size);
}

/* Without memory for its texts a table is in error, prints, and does not crash. */
static void test_out_of_memory(void **state)
{
	for (fails_at = 1; fails_at < 6; fails_at++) {
		struct table *table = table_new(columns, 1);
		PRINTBUF(out);
		nr_calls = 0;
		printbuf_realloc = failing_realloc;
		for (int i = 0; i < 2000; i++) {
			table_row(table);
			table_text(table, "a name");
		}
		assert_true(table_has_error(table));
		table_to_text(&out, table);
		assert_true(printbuf_has_error(&out));
		printbuf_realloc = realloc;
		table_free(table);
	}
	table_row(NULL);
	table_text(NULL, "x");
	table_u64(NULL, 1);
	assert_true(table_has_error(NULL));
}

static void test_many_rows(void **state)
{
	struct table *table = table_new(columns, 3);
	PRINTBUF(out);
	for (uint64_t i = 0; i < 50000; i++) {
		table_row(table);
		table_text(table, "n");
		table_u64(table, i);
		table_u64(table, i * i);
	}
	assert_false(table_has_error(table));
	table_to_text(&out, table);
	assert_non_null(strstr(printbuf_str(&out), "\nn     48.8 KiB  2,499,900,001\n"));
	table_free(table);
}
