/* SPDX-License-Identifier: MIT */
/*
 * printbuf: lines, indent, tab stops, fields and columns.
 *
 *     |indent|field 0   |  field 1|field 2
 *     ^      ^          ^         ^
 *     line   last_field tabstops[0], [1], ... in columns from the start of the line
 *
 * The plain appenders do not look for newlines, which keeps them fast; the start of the line is
 * found again here (sync_line), when a column is asked for.
 *
 * Formatted text is laid out in place. It is parked at the far end of the storage, then moved
 * forward piece by piece, with blanks put where its control characters stood:
 *
 *     | text |\0  gap, shrinks by each blank put in  | what is still to be laid out |
 *
 * so that no second buffer is needed and each byte moves twice, whatever the number of lines.
 * Only a buffer that is full moves more: there the parked text loses its end to make a gap.
 */
#include "base/printbuf_internal.h"
#include "base/utf8.h"

#define ALIGNED_MAX_COLUMNS 64 /* fields beyond are put two blanks apart, unaligned */
#define ALIGNED_GUTTER	    2

/* Plain appends may have put newlines: catch up. */
static void sync_line(struct printbuf *out)
{
	if (out->pos == 0)
		return;
	size_t nr = out->pos - out->last_newline;
	const char *newline = memrchr(out->buf + out->last_newline, '\n', nr);
	if (!newline)
		return;
	out->last_newline = (size_t)(newline - out->buf) + 1;
	out->last_field = out->last_newline;
	out->cur_tabstop = 0;
}

static size_t cursor_column(const struct printbuf *out)
{
	if (out->pos == out->last_newline)
		return 0;
	return utf8_width(out->buf + out->last_newline, out->pos - out->last_newline);
}

/* Blanks from the cursor to the current tab stop; -1: it is past it (or there is none left). */
static int64_t blanks_to_stop(const struct printbuf *out)
{
	if (out->cur_tabstop >= out->nr_tabstops)
		return -1;
	return (int64_t)out->tabstops[out->cur_tabstop] - (int64_t)cursor_column(out);
}

static void next_field(struct printbuf *out)
{
	if (out->overflow)
		return;
	out->last_field = out->pos;
	if (out->cur_tabstop < out->nr_tabstops)
		out->cur_tabstop++;
}

void prt_newline(struct printbuf *out)
{
	struct printbuf_state item = printbuf_item_begin(out);
	prt_char(out, '\n');
	if (!out->overflow) {
		out->last_newline = out->pos;
		out->cur_tabstop = 0;
	}
	prt_chars(out, ' ', out->indent);
	if (!out->overflow)
		out->last_field = out->pos;
	printbuf_item_end(out, &item);
}

void prt_tab(struct printbuf *out)
{
	sync_line(out);
	if (out->nr_tabstops == 0) {
		prt_char(out, '\t');
		return;
	}
	int64_t blanks = blanks_to_stop(out);
	prt_chars(out, ' ', blanks > 0 ? (size_t)blanks : 1);
	next_field(out);
}

/* Puts blanks before the current field; the storage may cut the field's end. */
static void shift_field(struct printbuf *out, size_t blanks)
{
	size_t from = out->last_field;
	size_t field = out->pos - from;
	bool fits = printbuf_reserve(out, blanks);
	if (!fits && (out->flags & PRINTBUF_DROP_ITEMS || out->size == 0))
		return;
	size_t room = out->size - 1 - from;
	blanks = MIN(blanks, room);
	field = MIN(field, room - blanks);
	memmove(out->buf + from + blanks, out->buf + from, field);
	memset(out->buf + from, ' ', blanks);
	out->pos = from + blanks + field;
	out->buf[out->pos] = '\0';
	if (!fits)
		printbuf_trim_half_character(out);
	printbuf_check(out);
}

void prt_tab_rjust(struct printbuf *out)
{
	if (out->overflow)
		return;
	sync_line(out);
	if (out->nr_tabstops == 0) {
		prt_char(out, '\r');
		return;
	}
	int64_t blanks = blanks_to_stop(out);
	if (blanks > 0)
		shift_field(out, (size_t)blanks);
	else if (blanks < 0)
		prt_char(out, ' ');
	next_field(out);
}

/* Bytes that a control character will add at the cursor. */
static size_t control_length(struct printbuf *out, char c)
{
	sync_line(out);
	if (c == '\n')
		return 1 + (size_t)out->indent;
	if (out->nr_tabstops == 0)
		return 1;
	int64_t blanks = blanks_to_stop(out);
	return blanks > 0 ? (size_t)blanks : c == '\t' || blanks < 0;
}

static void prt_control(struct printbuf *out, char c)
{
	if (c == '\n')
		prt_newline(out);
	else if (c == '\t')
		prt_tab(out);
	else
		prt_tab_rjust(out);
}

static size_t plain_length(const char *text, size_t nr)
{
	size_t len = 0;
	while (len < nr && text[len] != '\n' && text[len] != '\t' && text[len] != '\r')
		len++;
	return len;
}

/* Makes the gap before the parked text at least `need`, by growing or else by cutting that text's
 * end. Returns 0, or why it was cut. */
static int open_gap(struct printbuf *out, size_t need, int error)
{
	if (out->size - out->pos > need)
		return error;
	if (!error)
		error = printbuf_grow(out, need);
	if (out->size - out->pos > need)
		return error;
	size_t cut = MIN(out->parked, need + 1 - (out->size - out->pos));
	memmove(out->buf + out->size + cut, out->buf + out->size, out->parked - cut);
	out->size += cut;
	out->parked -= cut;
	return error;
}

struct laying_out {
	size_t start;	/* where the item begins */
	size_t shifted; /* blanks put before a field that began before the item */
	int error;	/* why its end is missing, or 0 */
};

static void lay_out_control(struct printbuf *out, struct laying_out *item, char control)
{
	size_t need = control_length(out, control);
	item->error = open_gap(out, need, item->error);
	if (item->error && out->flags & PRINTBUF_DROP_ITEMS)
		return;
	if (control == '\r' && out->last_field < item->start && blanks_to_stop(out) > 0)
		item->shifted = need;
	out->atomic += item->error != 0; /* what could not grow once stays as it is */
	prt_control(out, control);
	out->atomic -= item->error != 0;
}

/* Moves the parked text forward to the cursor, until it or the storage ends. */
static void lay_out_parked(struct printbuf *out, struct laying_out *item)
{
	bool all_or_none = out->flags & PRINTBUF_DROP_ITEMS;
	while (out->parked > 0 && !out->overflow && !(item->error && all_or_none)) {
		const char *text = out->buf + out->size;
		size_t len = plain_length(text, out->parked);
		if (len == 0) {
			char control = *text;
			out->size++;
			out->parked--;
			lay_out_control(out, item, control);
			continue;
		}
		memmove(out->buf + out->pos, text, len);
		out->size += len;
		out->parked -= len;
		printbuf_commit(out, len);
	}
}

void printbuf_lay_out_tail(struct printbuf *out, size_t nr_raw, int error)
{
	struct laying_out item = { .error = error };
	if (nr_raw > 0 && (out->indent || out->nr_tabstops)) {
		sync_line(out);
		struct printbuf_state before = printbuf_item_begin(out);
		item.start = out->pos;
		memmove(out->buf + out->size - nr_raw, out->buf + out->pos, nr_raw);
		out->size -= nr_raw;
		out->parked = nr_raw;
		out->buf[out->pos] = '\0';
		lay_out_parked(out, &item);
		out->size += out->parked;
		out->parked = 0;
		if (item.error && out->flags & PRINTBUF_DROP_ITEMS) {
			memmove(out->buf + before.last_field,
				out->buf + before.last_field + item.shifted,
				item.start - before.last_field);
			printbuf_restore(out, &before);
		}
	} else if (out->size) {
		printbuf_commit(out, nr_raw);
	}
	if (item.error) {
		printbuf_fail(out, item.error);
		if (!(out->flags & PRINTBUF_DROP_ITEMS))
			printbuf_trim_half_character(out);
	}
}

/* The cursor stands where the indent of its line ends. */
static bool is_at_indent(struct printbuf *out)
{
	sync_line(out);
	return out->pos == out->last_newline + out->indent &&
	       strspn(printbuf_str(out) + out->last_newline, " ") == out->indent;
}

void printbuf_indent_add(struct printbuf *out, unsigned columns)
{
	bool here = is_at_indent(out);
	printbuf_indent_add_nextline(out, columns);
	if (!here)
		return;
	prt_chars(out, ' ', columns);
	out->last_field = out->pos;
}

void printbuf_indent_add_nextline(struct printbuf *out, unsigned columns)
{
	assert(out->indent + columns >= out->indent);
	out->indent += columns;
}

void printbuf_indent_sub(struct printbuf *out, unsigned columns)
{
	bool here = !out->overflow && is_at_indent(out);
	columns = MIN(columns, out->indent);
	out->indent -= columns;
	if (!here || columns == 0)
		return;
	out->pos -= columns;
	out->last_field = out->pos;
	out->buf[out->pos] = '\0';
	printbuf_check(out);
}

void printbuf_tabstop_push(struct printbuf *out, unsigned columns)
{
	assert(out->nr_tabstops < PRINTBUF_NR_TABSTOPS);
	unsigned last = out->nr_tabstops ? out->tabstops[out->nr_tabstops - 1] : 0;
	out->tabstops[out->nr_tabstops++] = (unsigned short)MIN(last + columns, UINT16_MAX);
}

void printbuf_tabstop_pop(struct printbuf *out)
{
	assert(out->nr_tabstops > 0);
	out->nr_tabstops--;
	out->cur_tabstop = MIN(out->cur_tabstop, out->nr_tabstops);
}

void printbuf_tabstops_reset(struct printbuf *out)
{
	out->nr_tabstops = 0;
	out->cur_tabstop = 0;
}

void prt_trim_newlines(struct printbuf *out)
{
	if (out->overflow || out->pos == 0)
		return;
	if (is_at_indent(out))
		out->pos -= out->indent;
	while (out->pos > 0 && out->buf[out->pos - 1] == '\n')
		out->pos--;
	out->buf[out->pos] = '\0';
	out->last_newline = 0;
	out->last_field = 0;
	out->cur_tabstop = 0;
	sync_line(out);
	printbuf_check(out);
}

void prt_ensure_newline(struct printbuf *out)
{
	if (out->pos > 0 && !is_at_indent(out))
		prt_newline(out);
}

void prt_field_left(struct printbuf *out, const char *text, size_t columns)
{
	size_t len = strlen(text), width = utf8_width(text, len);
	struct printbuf_state item = printbuf_item_begin(out);
	if (width > columns && columns > 0) {
		len = utf8_fit(text, len, columns - 1);
		width = utf8_width(text, len);
		prt_mem(out, text, len);
		prt_str(out, "…");
		prt_chars(out, ' ', columns - 1 - width);
	} else if (columns > 0) {
		prt_mem(out, text, len);
		prt_chars(out, ' ', columns - width);
	}
	printbuf_item_end(out, &item);
}

void prt_field_right(struct printbuf *out, const char *text, size_t columns)
{
	size_t len = strlen(text), width = utf8_width(text, len);
	struct printbuf_state item = printbuf_item_begin(out);
	if (width < columns) {
		prt_chars(out, ' ', columns - width);
		prt_mem(out, text, len);
	} else {
		prt_field_left(out, text, columns);
	}
	printbuf_item_end(out, &item);
}

/* One field of a text with rows of '\n' and fields ended by '\t' or '\r'. */
struct field {
	const char *text;
	size_t len;
	char end; /* '\t', '\r', '\n' or 0 for the last */
};

static struct field field_at(const char *text)
{
	size_t len = strcspn(text, "\n\t\r");
	return (struct field){ .text = text, .len = len, .end = text[len] };
}

static void measure_columns(const char *text, size_t widths[ALIGNED_MAX_COLUMNS])
{
	size_t column = 0;
	memset(widths, 0, ALIGNED_MAX_COLUMNS * sizeof(*widths));
	for (;;) {
		struct field field = field_at(text);
		if (field.end == '\0')
			break;
		if (field.end != '\n' && column < ALIGNED_MAX_COLUMNS)
			widths[column] = MAX(widths[column], utf8_width(field.text, field.len));
		column = field.end == '\n' ? 0 : column + 1;
		text = field.text + field.len + 1;
	}
}

void prt_aligned(struct printbuf *out, const char *text)
{
	size_t widths[ALIGNED_MAX_COLUMNS];
	size_t column = 0, blanks = 0; /* blanks: put before the next text, never at a line's end */
	struct printbuf_state item = printbuf_item_begin(out);
	measure_columns(text, widths);
	for (;;) {
		struct field field = field_at(text);
		size_t width = utf8_width(field.text, field.len);
		size_t pad = column < ALIGNED_MAX_COLUMNS && widths[column] > width
				     ? widths[column] - width
				     : 0;
		if (field.end == '\r')
			blanks += pad;
		if (field.len > 0) {
			prt_chars(out, ' ', blanks);
			prt_mem(out, field.text, field.len);
			blanks = 0;
		}
		if (field.end == '\0')
			break;
		blanks += ALIGNED_GUTTER + (field.end == '\t' ? pad : 0);
		column++;
		if (field.end == '\n') {
			prt_newline(out);
			column = 0;
			blanks = 0;
		}
		text = field.text + field.len + 1;
	}
	printbuf_item_end(out, &item);
}

void prt_words(struct printbuf *out, const char *text, size_t indent, size_t columns)
{
	size_t at = indent;
	struct printbuf_state item = printbuf_item_begin(out);
	while (*text) {
		size_t len = strcspn(text, " \n"), width = utf8_width(text, len);
		if (at > indent && at + 1 + width > columns) {
			prt_char(out, '\n');
			prt_chars(out, ' ', indent);
			at = indent;
		} else if (at > indent) {
			prt_char(out, ' ');
			at++;
		}
		prt_mem(out, text, len);
		at += width;
		text += len;
		if (*text == '\n' && text[1] != '\0') {
			prt_char(out, '\n');
			prt_chars(out, ' ', indent);
			at = indent;
		}
		text += *text != '\0';
	}
	prt_char(out, '\n');
	printbuf_item_end(out, &item);
}
