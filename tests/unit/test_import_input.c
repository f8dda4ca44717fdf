/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "import_helper.h"
#include "trace/import_common.h"
#include "trace/import_lines.h"

static struct import_input *input_of(const void *bytes, size_t nr)
{
	char path[64];
	int fd;
	struct import_input *input;
	file_of(path, bytes, nr, &fd);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(import_input_new(fd, "file", &input, NULL), 0);
	return input;
}

/* All that the input gives, read in pieces of `piece`; the last status. */
static ssize_t read_all(struct import_input *input, size_t piece, struct printbuf *ret)
{
	char buffer[70000];
	ssize_t nr;
	while ((nr = import_input_read(input, buffer, piece)) > 0)
		prt_mem(ret, buffer, (size_t)nr);
	return nr;
}

static void make_text(struct printbuf *text)
{
	for (uint64_t i = 0; i < 200000; i++)
		prt_printf(text, "%llx line\n", (unsigned long long)(i * i * i));
}

static void test_every_framing_gives_the_same_bytes(void **state)
{
	static const int framings[] = { 0, 15, 31, 9 };
	static const size_t pieces[] = { 1 << 16, 4099 };
	PRINTBUF(text);
	make_text(&text);
	for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
		size_t nr = text.pos;
		uint8_t *bytes = framings[i] ? compress_text(text.buf, text.pos, framings[i], &nr)
					     : NULL;
		struct import_input *input = input_of(bytes ? (void *)bytes : text.buf, nr);
		assert_int_equal(import_input_is_compressed(input), framings[i] != 0);
		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
			PRINTBUF(got);
			assert_int_equal(read_all(input, pieces[k], &got), 0);
			assert_int_equal(got.pos, text.pos);
			assert_memory_equal(got.buf, text.buf, text.pos);
			assert_false(import_input_is_cut(input));
			assert_int_equal(import_input_rewind(input), 0);
		}
		import_input_free(input);
		free(bytes);
	}
}

static void test_members_of_gzip_are_joined(void **state)
{
	size_t nr;
	uint8_t *one = compress_text("first\n", 6, 31, &nr);
	PRINTBUF(file);
	prt_mem(&file, one, nr);
	prt_mem(&file, one, nr);
	prt_chars(&file, '\0', 512); /* padding, as on tapes */
	struct import_input *input = input_of(file.buf, file.pos);
	PRINTBUF(got);
	assert_int_equal(read_all(input, 100, &got), 0);
	assert_string_equal(got.buf, "first\nfirst\n");
	import_input_free(input);
	prt_str(&file, "garbage");
	input = input_of(file.buf, file.pos);
	assert_int_equal(read_all(input, 100, &got), -EBADMSG);
	import_input_free(input);
	free(one);
}

static void test_a_cut_at_every_byte(void **state)
{
	PRINTBUF(text);
	for (unsigned i = 0; i < 100; i++)
		prt_printf(&text, "%u,", i * 7919 % 1000);
	size_t nr;
	uint8_t *bytes = compress_text(text.buf, text.pos, 15, &nr);
	for (size_t cut = 2; cut <= nr; cut++) {
		struct import_input *input = input_of(bytes, cut);
		PRINTBUF(got);
		assert_int_equal(read_all(input, 100, &got), 0);
		assert_int_equal(import_input_is_cut(input), cut < nr);
		assert_true(got.pos <= text.pos);
		assert_memory_equal(printbuf_str(&got), text.buf, got.pos);
		import_input_free(input);
	}
	free(bytes);
}

static void test_a_flipped_bit_changes_nothing_unnoticed(void **state)
{
	PRINTBUF(text);
	for (unsigned i = 0; i < 100; i++)
		prt_printf(&text, "%u,", i * 7919 % 1000);
	size_t nr;
	uint8_t *bytes = compress_text(text.buf, text.pos, 15, &nr);
	for (size_t bit = 16; bit < 8 * nr; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct import_input *input = input_of(bytes, nr);
		PRINTBUF(got);
		ssize_t status = read_all(input, 4096, &got);
		if (status != -EBADMSG && !import_input_is_cut(input)) /* padding */
			assert_string_equal(got.buf, text.buf);
		import_input_free(input);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
}

static void test_free_while_the_thread_waits(void **state)
{
	PRINTBUF(text);
	prt_chars(&text, 'x', 1 << 24);
	size_t nr;
	uint8_t *bytes = compress_text(text.buf, text.pos, 15, &nr);
	char buffer[10];
	for (unsigned i = 0; i < 20; i++) {
		struct import_input *input = input_of(bytes, nr);
		assert_int_equal(import_input_read(input, buffer, sizeof(buffer)), 10);
		import_input_free(input);
	}
	free(bytes);
}

static void assert_lines(struct import_lines *lines, const size_t expected[], size_t nr_expected)
{
	const char *text;
	size_t nr;
	for (size_t i = 0; i < nr_expected; i++) {
		assert_int_equal(import_lines_next(lines, &text, &nr), 1);
		assert_int_equal(nr, MIN(expected[i], IMPORT_LINE_MAX));
		for (size_t k = 0; k < nr; k++)
			assert_int_equal(text[k], 'a' + (char)i);
		assert_int_equal(lines->nr_lines, i + 1);
	}
	assert_int_equal(import_lines_next(lines, &text, &nr), 0);
}

static void test_lines_of_every_length(void **state)
{
	static const size_t lengths[] = { 0,
					  1,
					  IMPORT_LINE_MAX,
					  IMPORT_LINE_MAX + 1,
					  5,
					  300000,
					  2000000,
					  4 * IMPORT_LINE_MAX,
					  262143,
					  262144,
					  3 };
	PRINTBUF(text);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		prt_chars(&text, 'a' + (char)i, lengths[i]);
		prt_str(&text, i % 2 ? "\n" : "\r\n");
	}
	text.pos -= 2; /* the last has no newline */
	struct import_input *input = input_of(text.buf, text.pos);
	struct import_lines lines;
	assert_int_equal(import_lines_init(&lines, input), 0);
	assert_lines(&lines, lengths, ARRAY_SIZE(lengths));
	assert_true(lines.unfinished);
	assert_int_equal(import_lines_rewind(&lines), 0);
	assert_lines(&lines, lengths, ARRAY_SIZE(lengths));
	import_lines_fini(&lines);
	import_input_free(input);
}

static int number(const char *text, uint64_t *ret)
{
	return import_parse_u64(text, strlen(text), ret);
}

static int time_of(const char *text, uint64_t *ret)
{
	return import_parse_time(text, strlen(text), 1000, ret);
}

static void test_numbers(void **state)
{
	uint64_t value = 7;
	assert_int_equal(number("94,827,419,009,024", &value), 0);
	assert_int_equal(value, 94827419009024);
	assert_int_equal(number("18446744073709551615", &value), 0);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(number("max", &value), 0);
	assert_int_equal(number("12.75", &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(number("18446744073709551616", &value), -ERANGE);
	assert_int_equal(number("-1", &value), -ERANGE);
	static const char *const bad[] = { "",	  "-",	 ",1", "1 ",	" 1", "+1",
					   "0x1", "1e3", ".5", "1.2.3", "a" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(number(bad[i], &value), -EINVAL);
	assert_int_equal(value, 12);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = { { "5000", 5000000 },
		     { "5,000", 5000000 },
		     { "5 ms", 5000000 },
		     { "5ms", 5000000 },
		     { "1 s 250 ms", 1250000000 },
		     { "22 h 4 m 8.833 s", 79448833000000 },
		     { "0.5 us", 500 },
		     { "1 d", 86400000000000 },
		     { "0 ns", 0 } };
	uint64_t ns = 7;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(time_of(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	ns = 7;
	static const char *const bad[] = {
		"", "ms", "5 parsecs", "1 s 5", "5 5", "1..5 s", "5 -ms"
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(time_of(bad[i], &ns), -EINVAL);
	assert_int_equal(time_of("18446744073709551615 s", &ns), -ERANGE);
	assert_int_equal(time_of("-5 ms", &ns), -ERANGE);
	assert_int_equal(ns, 7);
}
