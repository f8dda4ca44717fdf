/* SPDX-License-Identifier: MIT */
/*
 * printbuf against a naive oracle: the same operations on a string that never fills. Seeded random
 * sequences of every operation run at every capacity from 0 to more than enough, in the caller's
 * storage and on the heap, truncating and dropping items, and with an allocator that fails at the
 * k-th call for every k. After every operation the two are compared:
 *
 *     it fits                 the texts are equal
 *     it did not, truncating  what is there is the oracle's text cut at the capacity
 *     it did not, dropping    what is there is the oracle's text before the operation
 *     something was cut       nothing changes any more
 */
#include "test.h"

#include "base/printbuf.h"
#include "base/random.h"
#include "base/units.h"

#define TEXT_MAX 8192
#define NR_OPS	 10

/* The oracle knows lines and fields only by looking at its text from the front. */
struct oracle {
	char text[TEXT_MAX];
	size_t len, field;
	unsigned indent, stops[4], nr_stops, stop;
	size_t peak; /* the most that the current operation needed */
};

static void oracle_add(struct oracle *oracle, const char *text, size_t len)
{
	assert_true(oracle->len + len < TEXT_MAX);
	memcpy(oracle->text + oracle->len, text, len);
	oracle->len += len;
	oracle->text[oracle->len] = '\0';
	if (oracle->len > oracle->peak)
		oracle->peak = oracle->len;
}

static void oracle_blanks(struct oracle *oracle, size_t nr)
{
	while (nr-- > 0)
		oracle_add(oracle, " ", 1);
}

static size_t oracle_line(const struct oracle *oracle)
{
	size_t line = oracle->len;
	while (line > 0 && oracle->text[line - 1] != '\n')
		line--;
	return line;
}

static size_t oracle_column(const struct oracle *oracle)
{
	size_t line = oracle_line(oracle);
	return utf8_width(oracle->text + line, oracle->len - line);
}

/* A plain append may have begun a new line. */
static void oracle_sync(struct oracle *oracle)
{
	size_t line = oracle_line(oracle);
	if (oracle->field < line) {
		oracle->field = line;
		oracle->stop = 0;
	}
}

static void oracle_control(struct oracle *oracle, char c)
{
	oracle_sync(oracle);
	if (c == '\n') {
		oracle_add(oracle, "\n", 1);
		oracle_blanks(oracle, oracle->indent);
		oracle->field = oracle->len;
		oracle->stop = 0;
		return;
	}
	if (oracle->nr_stops == 0) {
		oracle_add(oracle, &c, 1);
		return;
	}
	size_t stop = oracle->stop < oracle->nr_stops ? oracle->stops[oracle->stop] : 0;
	size_t column = oracle_column(oracle), field = oracle->len - oracle->field;
	char moved[TEXT_MAX];
	memcpy(moved, oracle->text + oracle->field, field);
	if (c == '\r' && column < stop) {
		oracle->len -= field;
		oracle_blanks(oracle, stop - column);
		oracle_add(oracle, moved, field);
	} else if (c == '\t' && column < stop) {
		oracle_blanks(oracle, stop - column);
	} else if (c == '\t' || column > stop || oracle->stop >= oracle->nr_stops) {
		oracle_blanks(oracle, 1);
	}
	oracle->field = oracle->len;
	oracle->stop += oracle->stop < oracle->nr_stops;
}

/* A formatted item: all of it must have room before it is laid out too. */
static void oracle_text(struct oracle *oracle, const char *text)
{
	size_t len = strlen(text);
	bool has_layout = oracle->indent || oracle->nr_stops;
	size_t peak = oracle->len + len;
	for (size_t i = 0; i < len; i++) {
		if (has_layout && strchr("\n\t\r", text[i]))
			oracle_control(oracle, text[i]);
		else
			oracle_add(oracle, text + i, 1);
		if (oracle->len + (len - i - 1) > peak)
			peak = oracle->len + (len - i - 1);
	}
	oracle->peak = peak;
}

static bool oracle_at_indent(const struct oracle *oracle)
{
	size_t line = oracle_line(oracle);
	for (size_t i = line; i < oracle->len; i++)
		if (oracle->text[i] != ' ')
			return false;
	return oracle->len - line == oracle->indent;
}

/* Operations. The text of a plain one is what it prints into an empty buffer: whether that is
 * right, other tests say. */
struct op {
	void (*print)(struct printbuf *out, uint64_t argument);
	void (*oracle)(struct oracle *oracle, uint64_t argument); /* NULL: plain */
	bool is_loose; /* may hold '\r', which can shrink what was cut */
};

static const char *const texts[] = {
	"",
	"a",
	"node0: ",
	"tab\tand\nline\r",
	"é",
	"漢字",
	"\xf0\x9f\x98\x80!",
	"\xff\xe2\x82",
	"longer than sixty-four bytes, so that a small heap buffer must grow at once for it.",
	"x\ty\rz\n",
	"\"q\"\\,<&>'\x01",
	"1\r22\r333\r4444\n",
	"e\xcc\x81",
};
static const char *const names[] = { "hot", "warm", "cold", NULL };

static const char *text_of(uint64_t argument)
{
	return texts[argument % ARRAY_SIZE(texts)];
}

static double double_of(uint64_t argument)
{
	return (double)(int64_t)argument / 65536.0;
}

#define PLAIN(name, call)                                                                          \
	static void print_##name(struct printbuf *out, uint64_t a)                                 \
	{                                                                                          \
		call;                                                                              \
	}
PLAIN(str, prt_str(out, text_of(a)))
PLAIN(mem, prt_mem(out, text_of(a), strlen(text_of(a)) / 2))
PLAIN(char, prt_char(out, "a \n~"[a % 4]))
PLAIN(chars, prt_chars(out, '=', a % 9))
PLAIN(u64, prt_u64(out, a >> a % 64))
PLAIN(s64, prt_s64(out, (int64_t)a >> a % 64))
PLAIN(hex, prt_hex(out, a >> a % 64))
PLAIN(grouped, prt_u64_grouped(out, a >> a % 64))
PLAIN(fixed, prt_fixed(out, double_of(a), a % 5))
PLAIN(human, prt_human(out, a >> a % 64))
PLAIN(bytes, prt_bytes(out, a >> a % 64))
PLAIN(ns, prt_ns(out, a >> a % 64))
PLAIN(rate, prt_rate(out, a >> a % 64))
PLAIN(percent, prt_percent(out, double_of(a), a % 3))
PLAIN(units_u64, prt_units_u64(out, a >> a % 64))
PLAIN(units_s64, prt_units_s64(out, (int64_t)a >> a % 64))
PLAIN(bytes_exact, prt_bytes_exact(out, a % 64 << a % 40))
PLAIN(ns_exact, prt_ns_exact(out, a % 64 * 1000000))
PLAIN(rate_exact, prt_rate_exact(out, a % 64 * 1000000))
PLAIN(left, prt_field_left(out, text_of(a), a % 12))
PLAIN(right, prt_field_right(out, text_of(a), a % 12))
PLAIN(json, prt_json_string(out, text_of(a), strlen(text_of(a))))
PLAIN(csv, prt_csv_field(out, text_of(a), strlen(text_of(a))))
PLAIN(xml, prt_xml_text(out, text_of(a), strlen(text_of(a))))
PLAIN(safe, prt_safe(out, text_of(a), strlen(text_of(a))))
PLAIN(hex_bytes, prt_hex_bytes(out, text_of(a), strlen(text_of(a)), a % 4))
PLAIN(bitflags, prt_bitflags(out, names, a % 32))
PLAIN(option, prt_string_option(out, names, a % 4))
PLAIN(printf, prt_printf(out, "%s|%d", text_of(a), (int)a))
PLAIN(text, prt_text(out, text_of(a)))
PLAIN(aligned, prt_aligned(out, text_of(a)))
PLAIN(newline, prt_newline(out))
PLAIN(tab, prt_tab(out))
PLAIN(rjust, prt_tab_rjust(out))
PLAIN(trim, prt_trim_newlines(out))
PLAIN(ensure, prt_ensure_newline(out))
PLAIN(indent, printbuf_indent_add(out, a % 5))
PLAIN(indent_next, printbuf_indent_add_nextline(out, a % 5))
PLAIN(unindent, printbuf_indent_sub(out, a % 5))
PLAIN(push, if (out->nr_tabstops < 4) printbuf_tabstop_push(out, 1 + a % 9))
PLAIN(pop, if (out->nr_tabstops > 0) printbuf_tabstop_pop(out))
PLAIN(reset_stops, printbuf_tabstops_reset(out))

static void oracle_printf(struct oracle *oracle, uint64_t a)
{
	char text[512];
	snprintf(text, sizeof(text), "%s|%d", text_of(a), (int)a);
	oracle_text(oracle, text);
}

static void oracle_prt_text(struct oracle *oracle, uint64_t a)
{
	oracle_text(oracle, text_of(a));
}

/* The fields are put apart in an empty buffer; the rows are lines of this one. */
static void oracle_aligned(struct oracle *oracle, uint64_t a)
{
	PRINTBUF(rows);
	prt_aligned(&rows, text_of(a));
	for (const char *at = printbuf_str(&rows); *at; at++) {
		if (*at == '\n')
			oracle_control(oracle, '\n');
		else
			oracle_add(oracle, at, 1);
	}
}

static void oracle_newline(struct oracle *oracle, uint64_t a)
{
	oracle_control(oracle, '\n');
}

static void oracle_tab(struct oracle *oracle, uint64_t a)
{
	oracle_control(oracle, '\t');
}

static void oracle_rjust(struct oracle *oracle, uint64_t a)
{
	oracle_control(oracle, '\r');
}

static void oracle_trim(struct oracle *oracle, uint64_t a)
{
	if (oracle->len == 0)
		return;
	if (oracle_at_indent(oracle))
		oracle->len -= oracle->indent;
	while (oracle->len > 0 && oracle->text[oracle->len - 1] == '\n')
		oracle->len--;
	oracle->field = oracle_line(oracle);
	oracle->stop = 0;
}

static void oracle_ensure(struct oracle *oracle, uint64_t a)
{
	if (oracle->len > 0 && !oracle_at_indent(oracle))
		oracle_control(oracle, '\n');
}

static void oracle_indent(struct oracle *oracle, uint64_t a)
{
	oracle_sync(oracle);
	if (oracle_at_indent(oracle)) {
		oracle_blanks(oracle, a % 5);
		oracle->field = oracle->len;
	}
	oracle->indent += a % 5;
}

static void oracle_indent_next(struct oracle *oracle, uint64_t a)
{
	oracle->indent += a % 5;
}

static void oracle_unindent(struct oracle *oracle, uint64_t a)
{
	unsigned columns = MIN(a % 5, oracle->indent);
	oracle_sync(oracle);
	if (oracle_at_indent(oracle) && columns) {
		oracle->len -= columns;
		oracle->field = oracle->len;
	}
	oracle->indent -= columns;
}

static void oracle_push(struct oracle *oracle, uint64_t a)
{
	unsigned last = oracle->nr_stops ? oracle->stops[oracle->nr_stops - 1] : 0;
	if (oracle->nr_stops < 4)
		oracle->stops[oracle->nr_stops++] = last + 1 + a % 9;
}

static void oracle_pop(struct oracle *oracle, uint64_t a)
{
	oracle->nr_stops -= oracle->nr_stops > 0;
	oracle->stop = MIN(oracle->stop, oracle->nr_stops);
}

static void oracle_reset_stops(struct oracle *oracle, uint64_t a)
{
	oracle->nr_stops = oracle->stop = 0;
}

static const struct op ops[] = {
	{ print_str },
	{ print_mem },
	{ print_char },
	{ print_chars },
	{ print_u64 },
	{ print_s64 },
	{ print_hex },
	{ print_grouped },
	{ print_fixed },
	{ print_human },
	{ print_bytes },
	{ print_ns },
	{ print_rate },
	{ print_percent },
	{ print_units_u64 },
	{ print_units_s64 },
	{ print_bytes_exact },
	{ print_ns_exact },
	{ print_rate_exact },
	{ print_left },
	{ print_right },
	{ print_json },
	{ print_csv },
	{ print_xml },
	{ print_safe },
	{ print_hex_bytes },
	{ print_bitflags },
	{ print_option },
	{ print_printf, oracle_printf, true },
	{ print_printf, oracle_printf, true },
	{ print_text, oracle_prt_text, true },
	{ print_text, oracle_prt_text, true },
	{ print_aligned, oracle_aligned },
	{ print_newline, oracle_newline },
	{ print_tab, oracle_tab },
	{ print_rjust, oracle_rjust },
	{ print_trim, oracle_trim },
	{ print_ensure, oracle_ensure },
	{ print_indent, oracle_indent },
	{ print_indent_next, oracle_indent_next },
	{ print_unindent, oracle_unindent },
	{ print_push, oracle_push },
	{ print_push, oracle_push },
	{ print_pop, oracle_pop },
	{ print_reset_stops, oracle_reset_stops },
};

static void oracle_apply(struct oracle *oracle, const struct op *op, unsigned flags, uint64_t a)
{
	oracle->peak = oracle->len;
	if (op->oracle) {
		op->oracle(oracle, a);
		return;
	}
	PRINTBUF(plain);
	plain.flags = flags;
	op->print(&plain, a);
	oracle_add(oracle, printbuf_str(&plain), plain.pos);
}

/* The longest beginning of text[0..max) that does not end within a character. */
static size_t cut_at_character(const char *text, size_t max)
{
	for (size_t back = 1; back <= 3 && back <= max; back++) {
		unsigned char byte = (unsigned char)text[max - back];
		if (byte >= 0xc2 && byte <= 0xf4)
			return (byte >= 0xf0   ? 4u
				: byte >= 0xe0 ? 3u
					       : 2u) > back
				       ? max - back
				       : max;
		if (byte < 0x80 || byte >= 0xc0)
			break;
	}
	return max;
}

/* A field whose '\r' was cut off stays where it was: what follows the blanks that '\r' would have
 * put is then what is there. Returns where that field begins, or pos. */
static size_t unjustified_from(const struct printbuf *out, const struct oracle *after)
{
	size_t same = 0, moved;
	while (same < out->pos && out->buf[same] == after->text[same])
		same++;
	moved = same + strspn(after->text + same, " ");
	if (same < out->pos && moved > same)
		assert_memory_equal(out->buf + same, after->text + moved, out->pos - same);
	return moved > same ? same : out->pos;
}

/* The operation did not fit in `size` bytes. */
static void check_cut(const struct printbuf *out, const struct oracle *before,
		      const struct oracle *after, bool is_loose)
{
	const char *text = printbuf_str(out);
	if (out->flags & PRINTBUF_DROP_ITEMS || out->size == 0) {
		size_t expected = out->size ? before->len : 0;
		assert_int_equal(out->pos, expected);
		assert_memory_equal(text, before->text, expected);
		return;
	}
	size_t max = MIN(out->size - 1, after->len);
	size_t expected = cut_at_character(after->text, max);
	assert_true(out->pos <= max);
	if (is_loose) {
		assert_true(out->pos + 16 >= expected);
		assert_memory_equal(text, after->text, unjustified_from(out, after));
		return;
	}
	assert_int_equal(out->pos, expected);
	assert_memory_equal(text, after->text, out->pos);
}

/* Returns whether everything fitted. limit: capacity in bytes, the NUL included. */
static bool run_sequence(struct printbuf *out, uint64_t seed, size_t limit, size_t *ret_len)
{
	struct oracle oracle = { .len = 0 };
	struct random random;
	random_init(&random, seed);
	for (int i = 0; i < NR_OPS; i++) {
		const struct op *op = &ops[random_below(&random, ARRAY_SIZE(ops))];
		uint64_t argument = random_u64(&random);
		struct oracle before = oracle;
		char frozen[TEXT_MAX];
		bool was_cut = out->overflow;
		memcpy(frozen, printbuf_str(out), out->pos + 1);
		op->print(out, argument);
		assert_true(printbuf_is_valid(out));
		assert_int_equal(strlen(printbuf_str(out)), out->pos);
		if (was_cut) {
			assert_string_equal(printbuf_str(out), frozen);
			continue;
		}
		void *(*allocator)(void *, size_t) = printbuf_realloc;
		printbuf_realloc = realloc; /* it is not the oracle's turn to fail */
		oracle_apply(&oracle, op, out->flags, argument);
		printbuf_realloc = allocator;
		if (out->overflow) {
			assert_true(out->allocation_failure || oracle.peak >= limit);
			check_cut(out, &before, &oracle, op->is_loose);
		} else {
			assert_true(oracle.peak < limit || (limit == 0 && oracle.peak == 0));
			assert_int_equal(out->pos, oracle.len);
			assert_memory_equal(printbuf_str(out), oracle.text, oracle.len);
		}
	}
	*ret_len = oracle.len;
	return !out->overflow;
}

static unsigned nr_calls, fails_at;

static void *counting_realloc(void *old, size_t size)
{
	return ++nr_calls == fails_at ? NULL : realloc(old, size);
}

static void run_fixed(uint64_t seed, size_t nr, unsigned flags)
{
	struct printbuf out;
	size_t len = 0;
	char *storage = malloc(nr + 1); /* exactly: the sanitizer watches its end */
	storage[nr] = 'G';
	printbuf_init_fixed(&out, storage, nr, flags);
	run_sequence(&out, seed, nr, &len);
	assert_false(out.allocation_failure);
	assert_int_equal(storage[nr], 'G');
	printbuf_fini(&out);
	free(storage);
}

static void run_capped(uint64_t seed, size_t nr, unsigned flags)
{
	struct printbuf out;
	size_t len = 0;
	printbuf_init(&out, flags);
	out.max_size = nr;
	run_sequence(&out, seed, nr, &len);
	assert_true(out.size <= nr);
	printbuf_fini(&out);
}

/* Every call of the allocator fails once; at the first k that is never reached nothing fails. */
static void run_failing(uint64_t seed, unsigned flags)
{
	printbuf_realloc = counting_realloc;
	for (fails_at = 1;; fails_at++) {
		struct printbuf out;
		size_t len = 0;
		nr_calls = 0;
		printbuf_init(&out, flags);
		bool all = run_sequence(&out, seed, SIZE_MAX, &len);
		printbuf_fini(&out);
		assert_int_equal(all, nr_calls < fails_at);
		if (all)
			break;
	}
	printbuf_realloc = realloc;
}

static void test_every_capacity(void **state)
{
	for (uint64_t seed = 1; seed <= 800; seed++) {
		struct printbuf out;
		size_t len = 0;
		printbuf_init(&out, 0);
		run_sequence(&out, seed, SIZE_MAX, &len);
		printbuf_fini(&out);
		for (size_t nr = 0; nr <= len + 8; nr++)
			for (unsigned flags = 0; flags <= PRINTBUF_DROP_ITEMS; flags++) {
				run_fixed(seed, nr, flags | (seed % 4 * PRINTBUF_HUMAN));
				run_capped(seed, nr, flags | (seed % 4 * PRINTBUF_HUMAN));
			}
	}
}

static void test_allocator_fails_at_each_call(void **state)
{
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		run_failing(seed, 0);
		run_failing(seed, PRINTBUF_DROP_ITEMS);
	}
}

static void test_long_sequences_on_the_heap(void **state)
{
	for (uint64_t seed = 5000; seed < 9000; seed++) {
		PRINTBUF(out);
		size_t len = 0;
		assert_true(run_sequence(&out, seed, SIZE_MAX, &len));
		assert_int_equal(out.pos, len);
	}
}
