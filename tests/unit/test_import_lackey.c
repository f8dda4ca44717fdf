/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "import_helper.h"

static const char small[] = "==6889== Lackey, an example Valgrind tool\n"
			    "==6889== Command: /bin/true --x\n"
			    "==6889== \n"
			    "I  0401ab70,3\n"
			    " S 1fff000708,8\n"
			    "I  0401ab73,5\n"
			    " L 1fff000ffc,8\n"
			    " M 0421c7cc,4\n"
			    "==6889== Exit code:       0\n";

static void test_each_line_is_an_event(void **state)
{
	struct imported all = import_text(small);
	static const struct event expected[] = {
		{ .time_ns = 0, .page = 0x401a, .flags = TRACE_FETCH },
		{ .time_ns = 0, .page = 0x1fff000, .flags = TRACE_WRITE },
		{ .time_ns = 5000, .page = 0x401a, .flags = TRACE_FETCH },
		{ .time_ns = 5000, .page = 0x1fff000 },
		{ .time_ns = 5000, .page = 0x1fff001 },
		{ .time_ns = 5000, .page = 0x421c, .flags = TRACE_WRITE },
	};
	imported_fini(&all);
	struct trace_open_options options = { .ns_per_ktick = 5000000 };
	all = import_bytes_with(small, strlen(small), &options);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, ARRAY_SIZE(expected));
	assert_memory_equal(all.events, expected, sizeof(expected));
	assert_int_equal(all.info->nr_references, 5);
	assert_int_equal(all.info->nr_ticks, 2);
	assert_int_equal(all.info->duration_ns, 10000);
	assert_int_equal(all.info->streams, TRACE_STREAM_ALL);
	assert_int_equal(all.info->cache.size_bytes, 0);
	assert_string_equal(all.info->program, "/bin/true --x");
	assert_int_equal(all.info->spaces[0].pid, 6889);
	assert_int_equal(all.info->nr_notes, 0);
	imported_fini(&all);
}

static void test_public_sets_have_neither_blanks_nor_fetches(void **state)
{
	static const char text[] = "L 7ffe1000,8\r\nS 0x7ffe2000,8\r\nM 7ffe3000,8\r\n";
	size_t nr;
	uint8_t *bytes = compress_text(text, strlen(text), 31, &nr);
	struct imported all = import_bytes(bytes, nr);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 3);
	assert_int_equal(all.info->nr_ticks, 3);
	assert_int_equal(all.events[1].page, 0x7ffe2);
	assert_noted(&all, "each line is one tick");
	imported_fini(&all);
	free(bytes);
}

static void test_foreign_lines_are_counted(void **state)
{
	struct imported all = import_text("==1== Lackey, an example Valgrind tool\n"
					  "hello world\n"
					  "I  0401ab70,3\n"
					  " L 1fff,8,9\n"
					  " S 1fff000708,0\n"
					  "I  11112222333344445,3\n"
					  "I  0401ab70,99999999\n"
					  "I  0401ab70,3\nI  0401ab70,3\nI  0401ab70,3\n"
					  "I  0401ab70,3\n");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 5);
	assert_noted(&all, "not lackey's were passed over: 5, the first of them line 2");
	imported_fini(&all);
}

static void test_more_foreign_lines_than_accesses_are_refused(void **state)
{
	struct imported all = import_text("==1== Lackey, an example Valgrind tool\n"
					  "I  0401ab70,3\na\nb\n");
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "more lines are not lackey's (2) than are (1)");
	imported_fini(&all);
}

static void test_without_trace_mem_is_refused(void **state)
{
	struct imported all = import_text("==1== Lackey, an example Valgrind tool\n");
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "--trace-mem=yes");
	imported_fini(&all);
}

static void test_access_at_the_end_of_memory(void **state)
{
	struct imported all = import_text(" L ffffffffffffffff,65536\n L 0,65536\n L 1,65536\n");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 1 + 16 + 17);
	assert_int_equal(all.events[0].page, UINT64_MAX >> 12);
	assert_int_equal(all.events[33].page, 16);
	imported_fini(&all);
}

static void test_batches_of_many_events(void **state)
{
	enum { NR = 30000 };
	PRINTBUF(text);
	for (uint64_t i = 0; i < NR; i++)
		prt_printf(&text, "%s%llx,%d\n", i % 2 ? " L " : "I  ",
			   (unsigned long long)(i << 12 | 0xfff), i % 7 ? 1 : 2);
	struct imported all = import_text(text.buf);
	assert_int_equal(all.error, 0);
	assert_true(all.nr > NR && all.nr_batches >= NR / TRACE_BATCH_EVENTS);
	uint32_t k = 0;
	for (uint64_t i = 0; i < NR; i++) {
		for (uint64_t page = i; page <= i + (i % 7 == 0); page++, k++) {
			assert_int_equal(all.events[k].page, page);
			assert_int_equal(all.events[k].time_ns, i / 2 * 300 / 1000);
		}
	}
	imported_fini(&all);
}

static void test_cut_inside_a_line(void **state)
{
	struct imported all = import_text("I  0401ab70,3\nI  0401ab73,5\n S 1fff0");
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 2);
	assert_true(all.info->is_cut);
	assert_noted(&all, "inside a line");
	imported_fini(&all);
}

static void test_cut_inside_compressed_data(void **state)
{
	PRINTBUF(text);
	for (uint64_t i = 0; i < 20000; i++)
		prt_printf(&text, "I  %llx,3\n", (unsigned long long)(i * 0x9e3779b97f4a7c15));
	size_t nr;
	uint8_t *bytes = compress_text(text.buf, text.pos, 31, &nr);
	struct imported all = import_bytes(bytes, nr / 2);
	assert_int_equal(all.error, 0);
	assert_true(all.nr > 5000 && all.nr < 15000);
	assert_true(all.info->is_cut);
	imported_fini(&all);
	bytes[nr / 2] ^= 0x10;
	all = import_bytes(bytes, nr);
	assert_int_equal(all.error, -EBADMSG);
	assert_says(&all, "compressed data are damaged");
	imported_fini(&all);
	free(bytes);
}

static void test_long_lines_and_nul_bytes(void **state)
{
	enum { NR = 1 << 20 };
	PRINTBUF(text);
	prt_str(&text, "I  0401ab70,3\n");
	prt_chars(&text, 'x', NR);
	prt_str(&text, "\nI  0401bb73,5\n");
	prt_mem(&text, "a\0b\n", 4);
	prt_str(&text, "I  0401cb73,5");
	struct imported all = import_bytes(text.buf, text.pos);
	assert_int_equal(all.error, 0);
	assert_int_equal(all.nr, 3);
	assert_int_equal(all.events[2].page, 0x401c);
	assert_noted(&all, "not lackey's were passed over: 2, the first of them line 2");
	imported_fini(&all);
}

static void test_several_programs_are_noted(void **state)
{
	struct imported all = import_text("==1== Lackey, an example\n==1== Command: a\x1b[31m\n"
					  "==2== Command: b\nI  0401ab70,3\n");
	assert_int_equal(all.error, 0);
	assert_string_equal(all.info->program, "a\\x1b[31m");
	assert_noted(&all, "accesses of 2 programs are mixed");
	imported_fini(&all);
}

static void test_a_seek_reads_again(void **state)
{
	char path[64];
	int fd;
	file_of(path, small, strlen(small), &fd);
	struct trace_reader *reader;
	const struct trace_batch *batch;
	struct trace_open_options options = { .ns_per_ktick = 1000000 };
	assert_int_equal(trace_open(path, &options, &reader, NULL), 0);
	assert_int_equal(trace_seek(reader, 1000, NULL), 0);
	assert_int_equal(trace_next(reader, &batch, NULL), 1);
	assert_int_equal(batch->nr, 4);
	trace_close(reader);
	close(fd);
}
