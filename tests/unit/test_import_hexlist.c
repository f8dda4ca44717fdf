/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "import_helper.h"

static void test_all_forms_of_a_line(void **state)
{
	struct imported all = import_text("# misses\n"
					  "0x7f3a10024b40 R\r\n"
					  "7F3A10025b80,W\n"
					  "\n"
					  "W\t7f3a10026bc0 # written\n"
					  "7f3a10027bc0 1\n"
					  "  7f3a10028bc0\n"
					  "l 0X1000\n"
					  "ffffffffffffffff");
	assert_int_equal(all.error, 0);
	static const struct event expected[] = {
		{ .page = 0x7f3a10024, .flags = TRACE_MISS },
		{ .page = 0x7f3a10025, .flags = TRACE_MISS | TRACE_WRITE },
		{ .page = 0x7f3a10026, .flags = TRACE_MISS | TRACE_WRITE },
		{ .page = 0x7f3a10027, .flags = TRACE_MISS | TRACE_WRITE, .time_ns = 0 },
		{ .page = 0x7f3a10028, .flags = TRACE_MISS, .time_ns = 1 },
		{ .page = 1, .flags = TRACE_MISS, .time_ns = 1 },
		{ .page = UINT64_MAX >> 12, .flags = TRACE_MISS, .time_ns = 1 },
	};
	assert_int_equal(all.nr, ARRAY_SIZE(expected));
	assert_memory_equal(all.events, expected, sizeof(expected));
	assert_int_equal(all.info->streams, TRACE_STREAM_MISSES);
	assert_int_equal(all.info->nr_misses, all.nr);
	assert_int_equal(all.info->nr_ticks, all.nr);
	imported_fini(&all);
}

static void assert_bad(const char *text, const char *says)
{
	struct imported all = import_text(text);
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, says);
	imported_fini(&all);
}

#define MANY "7f3a10024b40\n7f3a10024b40\n7f3a10024b40\n7f3a10024b40\n7f3a10024b40\n"

static void test_bad_lines_are_named(void **state)
{
	assert_bad(MANY MANY "7f3a10024b4g\n", "line 11 is not a hexadecimal address");
	assert_bad(MANY MANY "7f3a10024b40 X\n", "line 11");
	assert_bad(MANY MANY "7f3a10024b40 R R\n", "line 11");
	assert_bad(MANY MANY "R\n", "line 11");
	assert_bad(MANY MANY "W 7f3a10024b40 W\n", "line 11");
	assert_bad(MANY MANY "0x\n", "line 11");
	assert_bad(MANY MANY "10000000000000000\n", "line 11");
	assert_bad(MANY MANY "-1\n", "line 11");
	assert_bad(MANY MANY "\x1b[31m\n", "'\\x1b[31m'");
}

static void test_other_lists_are_not_taken(void **state)
{
	assert_bad("1\n2\n3\n", "not a recording");
	assert_bad("name,size\n7f3a10024b40,1\n", "not a recording");
	assert_bad("# only a comment\n", "not a recording");
	assert_bad("cafe babe\n", "not a recording");
}

static void test_long_lines_are_bad_lines(void **state)
{
	PRINTBUF(text);
	prt_str(&text, MANY MANY);
	prt_chars(&text, '0', 1 << 20);
	prt_str(&text, "\n");
	assert_bad(text.buf, "line 11 is not a hexadecimal address with an optional R or W: "
			     "'0000000000000000000000000000000000000000'...");
}

static void test_nul_bytes_are_bad_lines(void **state)
{
	struct imported all = import_bytes(MANY MANY "7f3a\0\n", sizeof(MANY MANY) + 5);
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "'7f3a\\x00'");
	imported_fini(&all);
}

static void test_a_cut_compressed_list_gives_whole_lines(void **state)
{
	PRINTBUF(text);
	for (uint64_t i = 0; i < 20000; i++)
		prt_printf(&text, "%016llx\n", (unsigned long long)(i * 0x9e3779b97f4a7c15 | 1));
	size_t nr;
	uint8_t *bytes = compress_text(text.buf, text.pos, 15, &nr);
	struct imported all = import_bytes(bytes, nr / 2);
	assert_int_equal(all.error, 0);
	assert_true(all.info->is_cut);
	assert_true(all.nr > 5000 && all.nr < 15000);
	for (uint64_t i = 0; i < all.nr; i++)
		assert_int_equal(all.events[i].page, (i * 0x9e3779b97f4a7c15 | 1) >> 12);
	imported_fini(&all);
	free(bytes);
}
