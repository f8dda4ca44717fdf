/* SPDX-License-Identifier: MIT */
/*
 * printbuf: storage, growth, overflow, and appending of bytes (printbuf.h says what and why).
 *
 *     buf                  pos              size
 *      |  text              |\0  free        |  parked  |
 *
 * The four files of printbuf: this one; printbuf_layout.c (indent, tab stops, columns);
 * printbuf_numbers.c (numbers and units); printbuf_escape.c (JSON, CSV, XML, hex, flags).
 *
 * Once something did not fit, nothing more is appended: the text stays a prefix of what an
 * unbounded buffer would hold, cut at a character, or in DROP_ITEMS mode at an item.
 *
 * Cost: an append that fits is a comparison and a copy. A heap buffer grows to the next power of
 * two above what is needed, so n bytes cost O(n) in all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/printbuf_internal.h"
#include "base/utf8.h"

#define SMALLEST_HEAP 64

/* What fini leaves behind: an address that faults, and that printbuf_is_valid() knows. */
#define POISON ((char *)(uintptr_t)0x5a5a5a5a5a5a5a5aull)

void *(*printbuf_realloc)(void *old, size_t size) = realloc;

void printbuf_init(struct printbuf *out, unsigned flags)
{
	*out = PRINTBUF_HEAP;
	out->flags = flags;
}

void printbuf_init_fixed(struct printbuf *out, char *storage, size_t size, unsigned flags)
{
	*out = (struct printbuf){ .buf = storage, .size = size, .max_size = size, .flags = flags };
	if (size)
		storage[0] = '\0';
}

void printbuf_fini(struct printbuf *out)
{
	if (out->heap)
		free(out->buf);
	*out = (struct printbuf){ .buf = POISON };
}

void printbuf_reset(struct printbuf *out)
{
	struct printbuf empty = { .buf = out->buf,
				  .size = out->size,
				  .max_size = out->max_size,
				  .atomic = out->atomic,
				  .flags = out->flags,
				  .heap = out->heap };
	*out = empty;
	if (out->size)
		out->buf[0] = '\0';
	printbuf_check(out);
}

const char *printbuf_str(const struct printbuf *out)
{
	return out->size ? out->buf : "";
}

char *printbuf_steal(struct printbuf *out, size_t *ret_len)
{
	if (!out->heap || out->overflow || !printbuf_reserve(out, 0))
		return NULL;
	char *text = out->buf;
	if (ret_len)
		*ret_len = out->pos;
	out->buf = NULL;
	out->size = 0;
	printbuf_reset(out);
	return text;
}

bool printbuf_has_error(const struct printbuf *out)
{
	return out->overflow;
}

size_t printbuf_left(const struct printbuf *out)
{
	size_t size = out->heap ? MAX(out->max_size, out->size) : out->size;
	return out->overflow || size == 0 ? 0 : size - out->pos - 1;
}

static bool tabstops_are_valid(const struct printbuf *out)
{
	if (out->nr_tabstops > PRINTBUF_NR_TABSTOPS || out->cur_tabstop > out->nr_tabstops)
		return false;
	for (unsigned i = 1; i < out->nr_tabstops; i++)
		if (out->tabstops[i] < out->tabstops[i - 1])
			return false;
	return true;
}

bool printbuf_is_valid(const struct printbuf *out)
{
	if (out->buf == POISON || (out->size && !out->buf))
		return false;
	if (out->size ? out->pos >= out->size || out->buf[out->pos] : out->pos)
		return false;
	if (out->last_newline > out->pos || out->last_field > out->pos)
		return false;
	if (out->allocation_failure && !out->overflow)
		return false;
	return tabstops_are_valid(out);
}

void printbuf_atomic_inc(struct printbuf *out)
{
	out->atomic++;
}

void printbuf_atomic_dec(struct printbuf *out)
{
	assert(out->atomic > 0);
	out->atomic--;
}

static size_t power_of_two_above(size_t need)
{
	if (need <= SMALLEST_HEAP)
		return SMALLEST_HEAP;
	if (need > SIZE_MAX / 2)
		return SIZE_MAX;
	return (size_t)1 << (64 - __builtin_clzll(need - 1));
}

/* Storage of `size` bytes in all; parked text stays at its end. */
static int resize(struct printbuf *out, size_t size)
{
	if (out->atomic)
		return -ENOMEM;
	char *buf = printbuf_realloc(out->buf, size);
	if (!buf)
		return -ENOMEM;
	if (out->parked)
		memmove(buf + size - out->parked, buf + out->size, out->parked);
	out->buf = buf;
	out->size = size - out->parked;
	buf[out->pos] = '\0';
	return 0;
}

int printbuf_grow(struct printbuf *out, size_t extra)
{
	size_t used = out->pos + 1 + out->parked;
	if (out->size - out->pos > extra)
		return 0;
	if (!out->heap)
		return -ENOBUFS;
	if (extra <= out->max_size && used + extra <= out->max_size)
		return resize(out, MIN(power_of_two_above(used + extra), out->max_size));
	if (out->flags & PRINTBUF_DROP_ITEMS || out->size + out->parked >= out->max_size)
		return -ENOBUFS;
	int error = resize(out, out->max_size);
	return error ? error : -ENOBUFS;
}

void printbuf_fail(struct printbuf *out, int error)
{
	out->overflow = true;
	out->allocation_failure |= error == -ENOMEM;
}

bool printbuf_reserve(struct printbuf *out, size_t extra)
{
	if (printbuf_has_room(out, extra))
		return true;
	int error = out->overflow ? -ENOBUFS : printbuf_grow(out, extra);
	if (error)
		printbuf_fail(out, error);
	printbuf_check(out);
	return error == 0;
}

/* A lead byte near the end that promises more continuation bytes than follow it. */
void printbuf_trim_half_character(struct printbuf *out)
{
	for (size_t back = 1; back <= 3 && back <= out->pos; back++) {
		unsigned char byte = (unsigned char)out->buf[out->pos - back];
		if ((byte & 0xc0) == 0x80)
			continue;
		size_t len = byte < 0xc2 || byte > 0xf4 ? 1
			     : byte >= 0xf0		? 4
			     : byte >= 0xe0		? 3
							: 2;
		if (len > back) {
			out->pos -= back;
			out->buf[out->pos] = '\0';
		}
		break;
	}
	out->last_newline = MIN(out->last_newline, out->pos);
	out->last_field = MIN(out->last_field, out->pos);
}

/* How many of nr bytes are to be written; when not all, the flags say so. */
static size_t part_that_fits(struct printbuf *out, size_t nr)
{
	if (printbuf_reserve(out, nr))
		return nr;
	return out->flags & PRINTBUF_DROP_ITEMS || out->size == 0 ? 0 : out->size - out->pos - 1;
}

static __attribute__((noinline)) void append_slowly(struct printbuf *out, const char *bytes,
						    size_t nr)
{
	if (out->overflow)
		return;
	size_t part = part_that_fits(out, nr);
	if (part) {
		memcpy(out->buf + out->pos, bytes, part);
		printbuf_commit(out, part);
	}
	if (part < nr && !(out->flags & PRINTBUF_DROP_ITEMS))
		printbuf_trim_half_character(out);
}

void prt_mem(struct printbuf *out, const void *bytes, size_t nr_bytes)
{
	if (!printbuf_has_room(out, nr_bytes)) {
		append_slowly(out, bytes, nr_bytes);
		return;
	}
	if (nr_bytes)
		memcpy(out->buf + out->pos, bytes, nr_bytes);
	printbuf_commit(out, nr_bytes);
}

void prt_char(struct printbuf *out, char c)
{
	if (!printbuf_has_room(out, 1)) {
		append_slowly(out, &c, 1);
		return;
	}
	out->buf[out->pos] = c;
	printbuf_commit(out, 1);
}

void prt_chars(struct printbuf *out, char c, size_t nr)
{
	if (out->overflow)
		return;
	size_t part = printbuf_has_room(out, nr) ? nr : part_that_fits(out, nr);
	if (part) {
		memset(out->buf + out->pos, c, part);
		printbuf_commit(out, part);
	}
	if (part < nr && !(out->flags & PRINTBUF_DROP_ITEMS))
		printbuf_trim_half_character(out);
}

/* Formats into the free tail, growing when it must: the bytes that stand there, uncounted.
 * *ret_error: why some are missing, or 0. */
static size_t format_tail(struct printbuf *out, const char *format, va_list args, int *ret_error)
{
	va_list again;
	va_copy(again, args);
	size_t room = out->size - out->pos;
	int len = vsnprintf(room ? out->buf + out->pos : NULL, room, format, args);
	*ret_error = len < 0 ? -ENOBUFS : 0;
	if (len >= 0 && (size_t)len >= room) {
		*ret_error = printbuf_grow(out, (size_t)len);
		room = out->size - out->pos;
		if (room)
			vsnprintf(out->buf + out->pos, room, format, again);
	}
	va_end(again);
	if (len < 0 || room == 0)
		return 0;
	return MIN((size_t)len, room - 1);
}

void prt_vprintf(struct printbuf *out, const char *format, va_list args)
{
	if (out->overflow)
		return;
	int error = 0;
	size_t nr_raw = format_tail(out, format, args, &error);
	if (error && out->flags & PRINTBUF_DROP_ITEMS) {
		if (out->size)
			out->buf[out->pos] = '\0';
		printbuf_fail(out, error);
		return;
	}
	printbuf_lay_out_tail(out, nr_raw, error);
}

void prt_printf(struct printbuf *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	prt_vprintf(out, format, args);
	va_end(args);
}

void prt_text(struct printbuf *out, const char *text)
{
	prt_printf(out, "%s", text);
}

struct printbuf_state printbuf_save(const struct printbuf *out)
{
	return (struct printbuf_state){
		.pos = out->pos,
		.last_newline = out->last_newline,
		.last_field = out->last_field,
		.indent = out->indent,
		.nr_tabstops = out->nr_tabstops,
		.cur_tabstop = out->cur_tabstop,
		.overflow = out->overflow,
		.allocation_failure = out->allocation_failure,
	};
}

void printbuf_restore(struct printbuf *out, const struct printbuf_state *state)
{
	out->pos = MIN(state->pos, out->pos);
	out->last_newline = MIN(state->last_newline, out->pos);
	out->last_field = MIN(state->last_field, out->pos);
	out->indent = state->indent;
	out->nr_tabstops = state->nr_tabstops;
	out->cur_tabstop = state->cur_tabstop;
	out->overflow = state->overflow;
	out->allocation_failure = state->allocation_failure;
	if (out->size)
		out->buf[out->pos] = '\0';
	printbuf_check(out);
}

struct printbuf_state printbuf_item_begin(const struct printbuf *out)
{
	return printbuf_save(out);
}

void printbuf_item_end(struct printbuf *out, const struct printbuf_state *item)
{
	if (!out->overflow || item->overflow || !(out->flags & PRINTBUF_DROP_ITEMS))
		return;
	bool allocation_failure = out->allocation_failure;
	printbuf_restore(out, item);
	out->overflow = true;
	out->allocation_failure = allocation_failure;
}
