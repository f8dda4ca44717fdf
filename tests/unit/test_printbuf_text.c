/* SPDX-License-Identifier: MIT */
/* printbuf by example: storage, layout, width, escapes; and formats against open_memstream(). */
#include "test.h"

#include "base/printbuf.h"
#include "base/random.h"
#include "base/utf8.h"

static void test_storage_modes(void **state)
{
	char storage[8];
	struct printbuf out;
	printbuf_init_fixed(&out, storage, sizeof(storage), 0);
	assert_int_equal(printbuf_left(&out), 7);
	prt_str(&out, "1234567");
	assert_false(printbuf_has_error(&out));
	prt_str(&out, "8");
	assert_true(printbuf_has_error(&out));
	assert_false(out.allocation_failure);
	assert_string_equal(storage, "1234567");
	assert_int_equal(printbuf_left(&out), 0);
	printbuf_reset(&out);
	assert_string_equal(printbuf_str(&out), "");
	assert_false(printbuf_has_error(&out));
	assert_null(printbuf_steal(&out, NULL));
	printbuf_fini(&out);
	assert_false(printbuf_is_valid(&out));
}

static void test_truncates_at_a_character(void **state)
{
	char storage[6];
	struct printbuf out;
	printbuf_init_fixed(&out, storage, sizeof(storage), 0);
	prt_str(&out, "abc漢");
	assert_string_equal(storage, "abc");
	prt_char(&out, 'd'); /* nothing after a cut: it would not be a beginning any more */
	assert_string_equal(storage, "abc");
	printbuf_reset(&out);
	for (const char *at = "abcd漢"; *at; at++) /* half was there before it was cut */
		prt_char(&out, *at);
	assert_string_equal(storage, "abcd");
}

static void test_drops_whole_items(void **state)
{
	char storage[8];
	struct printbuf out;
	printbuf_init_fixed(&out, storage, sizeof(storage), PRINTBUF_DROP_ITEMS);
	prt_str(&out, "12345");
	prt_json_string(&out, "6", 1);
	assert_string_equal(storage, "12345");
	assert_true(printbuf_has_error(&out));
	printbuf_reset(&out);
	prt_printf(&out, "%d", 12345678);
	assert_string_equal(storage, "");
	assert_true(printbuf_has_error(&out));
}

static void test_words(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "  ");
	prt_words(&out, "as far as it goes\nand \303\244\303\244 overlongword on\n", 2, 12);
	assert_string_equal(printbuf_str(&out), "  as far as\n  it goes\n  and \303\244\303\244\n"
						"  overlongword\n  on\n");
	printbuf_reset(&out);
	prt_words(&out, "", 0, 10);
	assert_string_equal(printbuf_str(&out), "\n");
}

static void test_steal(void **state)
{
	struct printbuf out;
	size_t len = 9;
	printbuf_init(&out, 0);
	char *text = printbuf_steal(&out, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
	prt_str(&out, "mine");
	text = printbuf_steal(&out, &len);
	assert_string_equal(text, "mine");
	assert_int_equal(len, 4);
	assert_string_equal(printbuf_str(&out), "");
	free(text);
	prt_str(&out, "again");
	assert_string_equal(printbuf_str(&out), "again");
	printbuf_fini(&out);
	printbuf_fini(&out); /* twice does no harm */
	assert_string_equal(printbuf_str(&out), "");
}

static void *no_memory(void *old, size_t size)
{
	fail();
	return NULL;
}

static void test_atomic_never_allocates(void **state)
{
	PRINTBUF(out);
	assert_true(printbuf_reserve(&out, 20));
	printbuf_atomic_inc(&out);
	printbuf_atomic_inc(&out);
	printbuf_atomic_dec(&out);
	printbuf_realloc = no_memory;
	while (!printbuf_has_error(&out)) {
		prt_u64(&out, 12345);
		prt_printf(&out, "%s\n", "text");
	}
	printbuf_realloc = realloc;
	assert_true(out.allocation_failure);
	assert_int_equal(out.pos, 63);
	printbuf_atomic_dec(&out);
	prt_str(&out, "more");
	assert_int_equal(out.pos, 63);
}

static void test_max_size(void **state)
{
	PRINTBUF(out);
	out.max_size = 1000;
	for (int i = 0; i < 300; i++)
		prt_u64(&out, 12345);
	assert_int_equal(out.pos, 999);
	assert_int_equal(out.size, 1000);
	assert_true(out.overflow);
	assert_false(out.allocation_failure);
	assert_false(printbuf_reserve(&out, SIZE_MAX));
}

static void test_reserve_of_nonsense(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "text");
	assert_false(printbuf_reserve(&out, SIZE_MAX - 2));
	assert_string_equal(printbuf_str(&out), "text");
}

static void test_save_and_restore(void **state)
{
	char storage[16];
	struct printbuf out;
	printbuf_init_fixed(&out, storage, sizeof(storage), 0);
	printbuf_tabstop_push(&out, 4);
	prt_text(&out, "a\tb\n");
	struct printbuf_state saved = printbuf_save(&out);
	printbuf_tabstop_push(&out, 4);
	printbuf_indent_add(&out, 2);
	prt_str(&out, "something far too long");
	assert_true(printbuf_has_error(&out));
	printbuf_restore(&out, &saved);
	assert_false(printbuf_has_error(&out));
	assert_string_equal(storage, "a   b\n");
	prt_text(&out, "c\td");
	assert_string_equal(storage, "a   b\nc   d");
}

static void test_indent(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "a:");
	printbuf_indent_add(&out, 2); /* not at the start of a line: from the next on */
	prt_newline(&out);
	prt_printf(&out, "b\nc\n");
	printbuf_indent_add(&out, 2); /* at the start: at once */
	prt_str(&out, "d");
	prt_newline(&out);
	printbuf_indent_sub(&out, 4);
	prt_str(&out, "e");
	assert_string_equal(printbuf_str(&out), "a:\n  b\n  c\n    d\ne");
}

static void test_tab_stops(void **state)
{
	PRINTBUF(out);
	prt_text(&out, "raw\twithout\rstops\n");
	printbuf_tabstop_push(&out, 6);
	printbuf_tabstop_push(&out, 6);
	prt_text(&out, "é漢\tx\r|\n");
	prt_str(&out, "plain\nline");
	prt_tab(&out);
	prt_u64(&out, 5);
	prt_tab_rjust(&out);
	prt_text(&out, "|\nlonger\tthan both\rend\tpast\n");
	assert_string_equal(printbuf_str(&out), "raw\twithout\rstops\n"
						"é漢        x|\n"
						"plain\nline       5|\n"
						"longer than both end past\n");
}

static void test_aligned(void **state)
{
	PRINTBUF(out);
	printbuf_indent_add(&out, 1);
	prt_aligned(&out, "name\tsize\rnote\n"
			  "漢字\t1\ra\n"
			  "a line without fields, however long\n"
			  "\n"
			  "n\t12345\r\n"
			  "\t\tlast");
	assert_string_equal(printbuf_str(&out), " name   size  note\n"
						" 漢字      1  a\n"
						" a line without fields, however long\n"
						" \n"
						" n     12345\n"
						"              last");
}

static void test_aligned_past_its_columns(void **state)
{
	PRINTBUF(text);
	PRINTBUF(out);
	for (int row = 0; row < 2; row++) {
		for (int i = 0; i < 200; i++)
			prt_printf(&text, "%d\t", row ? i : 1000 + i);
		prt_str(&text, "end\n");
	}
	prt_aligned(&out, printbuf_str(&text));
	assert_non_null(strstr(printbuf_str(&out), "1062  1063  1064  1065"));
	assert_non_null(strstr(printbuf_str(&out), "62    63    64  65  66"));
	assert_false(printbuf_has_error(&out));
}

static void test_newlines(void **state)
{
	PRINTBUF(out);
	prt_ensure_newline(&out);
	prt_trim_newlines(&out);
	assert_string_equal(printbuf_str(&out), "");
	prt_str(&out, "a\n\n\n");
	prt_ensure_newline(&out);
	assert_string_equal(printbuf_str(&out), "a\n\n\n");
	prt_trim_newlines(&out);
	assert_string_equal(printbuf_str(&out), "a");
	prt_ensure_newline(&out);
	prt_ensure_newline(&out);
	assert_string_equal(printbuf_str(&out), "a\n");
}

static size_t width(const char *text)
{
	return utf8_width(text, strlen(text));
}

static void test_width(void **state)
{
	assert_int_equal(width(""), 0);
	assert_int_equal(width("plain"), 5);
	assert_int_equal(width("é"), 1);
	assert_int_equal(width("e\xcc\x81"), 1); /* combining acute */
	assert_int_equal(width("漢字"), 4);
	assert_int_equal(width("ｆ"), 2); /* full width */
	assert_int_equal(width("😀"), 2);
	assert_int_equal(width("█▁▂"), 3);
	assert_int_equal(width("\xe2\x80\x8b"), 0); /* zero width space */
	assert_int_equal(width("\xff\xfe"), 2);	    /* invalid */
	assert_int_equal(width("\xe6\xbc"), 2);	    /* half a character */
	assert_int_equal(width("\x1b"), 0);
	assert_int_equal(utf8_fit("漢字", 6, 3), 3);
	assert_int_equal(utf8_fit("e\xcc\x81x", 4, 1), 3);
	assert_int_equal(utf8_fit("abc", 3, 0), 0);
}

static void test_decode_every_character(void **state)
{
	for (uint32_t code = 1; code <= 0x10ffff; code++) {
		char bytes[4];
		uint32_t back = 0;
		if (code == 0xd800)
			code = 0xe000;
		size_t len = utf8_encode(code, bytes);
		assert_int_equal(utf8_decode(bytes, len, &back), len);
		assert_int_equal(back, code);
		assert_int_equal(utf8_decode(bytes, len - 1, &back), 0);
	}
}

static void test_decode_refuses(void **state)
{
	static const char *const invalid[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xc3\x28",
		"\xe2\x28\xa1",
		"\xf0\x9f\x98",
	};
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		assert_int_equal(utf8_decode(invalid[i], strlen(invalid[i]), NULL), 0);
	assert_int_equal(utf8_decode("", 0, NULL), 0);
	assert_int_equal(utf8_valid_length("é\xff", 3), 2);
}

static void test_fields(void **state)
{
	PRINTBUF(out);
	prt_field_left(&out, "ab", 4);
	prt_char(&out, '|');
	prt_field_right(&out, "é", 4);
	prt_char(&out, '|');
	prt_field_left(&out, "abcdef", 4);
	prt_char(&out, '|');
	prt_field_left(&out, "漢字漢", 5);
	prt_char(&out, '|');
	prt_field_right(&out, "漢字漢", 4);
	prt_char(&out, '|');
	prt_field_left(&out, "abc", 0);
	prt_field_left(&out, "abc", 1);
	assert_string_equal(printbuf_str(&out), "ab  |   é|abc…|漢字…|漢… |…");
}

typedef void (*prt_fn)(struct printbuf *out, const char *text, size_t nr_bytes);

static void check_escape(prt_fn print, const char *text, size_t len, const char *expected)
{
	PRINTBUF(out);
	print(&out, text, len);
	assert_string_equal(printbuf_str(&out), expected);
}

static void test_escapes(void **state)
{
	check_escape(prt_json_string, "", 0, "\"\"");
	check_escape(prt_json_string, "a\"\\/\b\t\n\v\f\r\0\x1f\x7f", 13,
		     "\"a\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0000\\u001f\x7f\"");
	check_escape(prt_json_string, "é\xff\xe6\xbc!", 6,
		     "\"é\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!\"");
	check_escape(prt_csv_field, "", 0, "");
	check_escape(prt_csv_field, "plain é", 8, "plain é");
	check_escape(prt_csv_field, "a,b", 3, "\"a,b\"");
	check_escape(prt_csv_field, "\"", 1, "\"\"\"\"");
	check_escape(prt_csv_field, "a\nb", 3, "\"a\nb\"");
	check_escape(prt_csv_field, " a", 2, "\" a\"");
	check_escape(prt_xml_text, "<&>\"'\x01é", 8, "&lt;&amp;&gt;&quot;&#39;\xef\xbf\xbdé");
	check_escape(prt_safe, "é\x1b[31m\xff\n\xc2\x9b", 11, "é\\x1b[31m\\xff\\x0a\\xc2\\x9b");
	check_escape(prt_safe,
		     "a\xe2\x80\xae"
		     "b",
		     5, "a\\xe2\\x80\\xaeb"); /* right to left */
}

static void test_hex_flags_and_options(void **state)
{
	static const char *const names[] = { "hot", "warm", "cold", NULL };
	PRINTBUF(out);
	prt_hex_bytes(&out, "\x00\x12\xab\xff", 4, 2);
	prt_char(&out, '\n');
	prt_hex_bytes(&out, "\x01\x02", 2, 0);
	prt_char(&out, '\n');
	prt_bitflags(&out, names, 5);
	prt_char(&out, '\n');
	prt_bitflags(&out, names, 0x12);
	prt_char(&out, '\n');
	prt_bitflags(&out, names, (uint64_t)1 << 63);
	prt_bitflags(&out, names, 0);
	prt_char(&out, '\n');
	prt_string_option(&out, names, 1);
	assert_string_equal(printbuf_str(&out),
			    "0012 abff\n0102\nhot,cold\nwarm,0x10\n0x8000000000000000\n"
			    "hot [warm] cold");
}

/* Random formats, in one stream of the C library and in one printbuf. */
static void test_formats_as_open_memstream(void **state)
{
	struct random random;
	random_init(&random, 7);
	for (int round = 0; round < 300; round++) {
		PRINTBUF(out);
		char *text = NULL;
		size_t len = 0;
		FILE *stream = open_memstream(&text, &len);
		for (int i = 0; i < 30; i++) {
			int number = (int)random_u64(&random);
			int columns = (int)random_below(&random, 200);
			double real = random_unit(&random);
			fprintf(stream, "%d %-*s|%.3f%c%x\n\t\r", number, columns, "text", real,
				'c', number);
			prt_printf(&out, "%d %-*s|%.3f%c%x\n\t\r", number, columns, "text", real,
				   'c', number);
		}
		fclose(stream);
		assert_int_equal(out.pos, len);
		assert_string_equal(printbuf_str(&out), text);
		free(text);
	}
}

/* A megabyte of lines in one call: time must not grow with the square. */
static void test_long_text_with_indent(void **state)
{
	PRINTBUF(text);
	PRINTBUF(out);
	for (int i = 0; i < 200000; i++)
		prt_str(&text, "line\n");
	printbuf_indent_add(&out, 3);
	prt_text(&out, printbuf_str(&text));
	assert_int_equal(out.pos, 200000 * 8 + 3);
	assert_false(printbuf_has_error(&out));
}
