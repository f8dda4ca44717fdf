/* SPDX-License-Identifier: MIT */
/*
 * printbuf: the one text buffer of berth.
 *
 * The reconciliation of the kernel's seq_buf (fixed buffer, drops whole items) and bcachefs'
 * printbuf (grows, truncates, flags). One type, two storages: the heap (grows, up to max_size) or
 * the caller's buffer. At a full buffer it truncates at a character, or drops the whole item when
 * it was made with PRINTBUF_DROP_ITEMS. Errors are sticky flags, never return values: print freely,
 * look at printbuf_has_error() once at the end. The text is always NUL-terminated when size > 0.
 *
 * A "character" is a UTF-8 sequence: truncation never leaves half of one. After a first item that
 * did not fit nothing more is appended or taken away, so the text is always a beginning of what an
 * endless buffer would hold (but for a field that was to be right-justified: one that was cut is
 * left where it began). Text to append must not lie in the buffer itself.
 *
 * Not thread-safe: one buffer, one thread. A fixed buffer, and any buffer between
 * printbuf_atomic_inc() and _dec(), never allocates: safe in signal handlers and out of memory
 * (except prt_printf with floating point, which is up to the C library).
 *
 * Cost: an append is a comparison and a copy; the heap grows by powers of two. bench_printbuf
 * measures a typed append beside snprintf().
 *
 *     PRINTBUF(out);
 *     prt_str(&out, "node");
 *     prt_u64(&out, node);
 *     prt_bytes(&out, free_bytes);
 *     if (printbuf_has_error(&out)) ...
 *
 * Source: include/linux/seq_buf.h (6.12); bcachefs-tools printbuf; see docs/ and design.md "Text".
 */
#ifndef BERTH_BASE_PRINTBUF_H
#define BERTH_BASE_PRINTBUF_H

#include <stdarg.h>

#include "base/types.h"

#define PRINTBUF_NR_TABSTOPS 16
#define PRINTBUF_MAX_SIZE    ((size_t)1 << 30) /* default cap of a heap buffer, in bytes */

enum printbuf_flags {
	PRINTBUF_DROP_ITEMS = 1 << 0, /* at a full buffer drop the whole item, as seq_buf does */
	PRINTBUF_HUMAN = 1 << 1,      /* prt_units_*() print 1.50 MiB rather than 1572864 */
	PRINTBUF_SI = 1 << 2,	      /* human units in powers of 1000 rather than 1024 */
};

struct printbuf {
	char *buf;	     /* NULL before the first append of a heap buffer */
	size_t size;	     /* bytes of storage, the NUL included */
	size_t pos;	     /* bytes of text; < size whenever size > 0 */
	size_t max_size;     /* cap of size for a heap buffer */
	size_t parked;	     /* bytes behind `size` that hold text being laid out; else 0 */
	size_t last_newline; /* offset just after the last newline */
	size_t last_field;   /* offset where the current tab field starts */
	unsigned indent;     /* columns put after each newline */
	unsigned atomic;     /* > 0: must not allocate */
	unsigned flags;	     /* enum printbuf_flags */
	unsigned nr_tabstops;
	unsigned cur_tabstop;
	unsigned short tabstops[PRINTBUF_NR_TABSTOPS]; /* columns, ascending */
	bool heap;
	bool overflow;		 /* sticky: something did not fit */
	bool allocation_failure; /* sticky: the reason was memory */
};

/* The allocator, replaceable in tests; realloc(3) by default. Size 0 never occurs. */
extern void *(*printbuf_realloc)(void *old, size_t size);

#define PRINTBUF_HEAP ((struct printbuf){ .heap = true, .max_size = PRINTBUF_MAX_SIZE })

/* A buffer freed when it leaves scope: PRINTBUF(out); */
#define PRINTBUF(name) __attribute__((cleanup(printbuf_fini))) struct printbuf name = PRINTBUF_HEAP

void printbuf_init(struct printbuf *out, unsigned flags);
void printbuf_init_fixed(struct printbuf *out, char *storage, size_t size, unsigned flags);
void printbuf_fini(struct printbuf *out);  /* frees heap storage, poisons the pointer */
void printbuf_reset(struct printbuf *out); /* empties text, flags of errors, indent and tabs */
const char *printbuf_str(const struct printbuf *out);	     /* "" when nothing was written */
char *printbuf_steal(struct printbuf *out, size_t *ret_len); /* caller frees; NULL on error */
bool printbuf_has_error(const struct printbuf *out);
size_t printbuf_left(const struct printbuf *out);   /* bytes a fixed buffer still takes */
bool printbuf_is_valid(const struct printbuf *out); /* invariants; cheap */

/* While > 0 the buffer must not allocate. Nests. */
void printbuf_atomic_inc(struct printbuf *out);
void printbuf_atomic_dec(struct printbuf *out);

/* Make room for `extra` more bytes; false (and sticky flags) when it cannot be had. */
bool printbuf_reserve(struct printbuf *out, size_t extra);

/* Appending. '\n' puts newline + indent; '\t' pads to the next tab stop (a raw tab when none is
 * set); '\r' right-justifies the text since the last field against the next tab stop. Only
 * prt_printf and prt_text interpret these; prt_str, prt_char and prt_mem append as given. */
void prt_char(struct printbuf *out, char c);
static inline void prt_str(struct printbuf *out, const char *text);
void prt_mem(struct printbuf *out, const void *bytes, size_t nr_bytes);
void prt_text(struct printbuf *out, const char *text);
void prt_printf(struct printbuf *out, const char *format, ...) berth_printf(2, 3);
void prt_vprintf(struct printbuf *out, const char *format, va_list args) berth_printf(2, 0);
void prt_chars(struct printbuf *out, char c, size_t nr); /* the same character nr times */

void prt_u64(struct printbuf *out, uint64_t value);
void prt_s64(struct printbuf *out, int64_t value);
void prt_hex(struct printbuf *out, uint64_t value);		       /* without 0x */
void prt_u64_grouped(struct printbuf *out, uint64_t value);	       /* 1,234,567 */
void prt_fixed(struct printbuf *out, double value, unsigned decimals); /* "nan", "inf" as such */

/* Three significant digits and a unit. human: 1.50 Mi (1024) or 1.50 M (SI), no unit name. */
void prt_human(struct printbuf *out, uint64_t value);
void prt_bytes(struct printbuf *out, uint64_t bytes);	   /* 0 B, 4 KiB, 1.50 MiB */
void prt_ns(struct printbuf *out, uint64_t ns);		   /* 80 ns, 1.50 us, 12.3 ms, 1.20 s */
void prt_rate(struct printbuf *out, uint64_t bytes_per_s); /* 30.0 GB/s: decimal, as data sheets */
void prt_percent(struct printbuf *out, double ratio, unsigned decimals); /* 0.1234, 1 -> 12.3 % */
/* Raw or human by the buffer's PRINTBUF_HUMAN flag. */
void prt_units_u64(struct printbuf *out, uint64_t value);
void prt_units_s64(struct printbuf *out, int64_t value);

void prt_newline(struct printbuf *out);
void prt_tab(struct printbuf *out);
void prt_tab_rjust(struct printbuf *out);
void printbuf_indent_add(struct printbuf *out, unsigned columns);
void printbuf_indent_add_nextline(struct printbuf *out, unsigned columns);
void printbuf_indent_sub(struct printbuf *out, unsigned columns);
void printbuf_tabstop_push(struct printbuf *out, unsigned columns); /* after the last stop */
void printbuf_tabstop_pop(struct printbuf *out);
void printbuf_tabstops_reset(struct printbuf *out);
/* Lays out `text`, rows of '\n' and fields of '\t', with columns as wide as their widest field and
 * two spaces between; '\r' instead of '\t' after a field right-justifies it. UTF-8 aware. */
void prt_aligned(struct printbuf *out, const char *text);
/* Words, broken at blanks so that no line passes `columns` (a longer word stands alone), and where
 * the text has a line's end within; then one line's end. The cursor stands at column `indent`,
 * where further lines begin too. */
void prt_words(struct printbuf *out, const char *text, size_t indent, size_t columns);

/* Columns a UTF-8 text takes on a terminal (wide = 2, combining = 0, invalid byte = 1). */
size_t utf8_width(const char *text, size_t nr_bytes);
/* Bytes of `text` that fit in `columns`. */
size_t utf8_fit(const char *text, size_t nr_bytes, size_t columns);
/* Padded or cut (with an ellipsis) to exactly `columns`. */
void prt_field_left(struct printbuf *out, const char *text, size_t columns);
void prt_field_right(struct printbuf *out, const char *text, size_t columns);

void prt_json_string(struct printbuf *out, const char *text, size_t nr_bytes); /* with quotes */
void prt_csv_field(struct printbuf *out, const char *text, size_t nr_bytes);   /* RFC 4180 */
void prt_xml_text(struct printbuf *out, const char *text, size_t nr_bytes);    /* & < > " ' */
/* Control characters and invalid UTF-8 as \xNN: names from outside may be hostile. */
void prt_safe(struct printbuf *out, const char *text, size_t nr_bytes);
void prt_hex_bytes(struct printbuf *out, const void *bytes, size_t nr, unsigned group);
/* names: NULL-terminated. Bits: "a,b" of those set, unknown bits as 0xNN. Option: all, the
 * selected one in brackets. */
void prt_bitflags(struct printbuf *out, const char *const names[], uint64_t bits);
void prt_string_option(struct printbuf *out, const char *const names[], size_t selected);

void prt_trim_newlines(struct printbuf *out);
void prt_ensure_newline(struct printbuf *out);

/* Roll back a partial print: text, columns and sticky flags go back to the saved moment. Save at
 * the start of a field: a '\r' that follows moves the field from its start, and newlines trimmed
 * from before the saved moment do not come back. */
struct printbuf_state {
	size_t pos, last_newline, last_field;
	unsigned indent, nr_tabstops, cur_tabstop;
	bool overflow, allocation_failure;
};
struct printbuf_state printbuf_save(const struct printbuf *out);
void printbuf_restore(struct printbuf *out, const struct printbuf_state *state);

/* A literal's length is known here, and a few moves write it: no calls. */
static inline void prt_str(struct printbuf *out, const char *text)
{
	size_t len = __builtin_strlen(text);
	if (!__builtin_constant_p(len) || out->size - out->pos <= len || out->overflow) {
		prt_mem(out, text, len);
		return;
	}
	__builtin_memcpy(out->buf + out->pos, text, len);
	out->pos += len;
	out->buf[out->pos] = '\0';
}

#endif
