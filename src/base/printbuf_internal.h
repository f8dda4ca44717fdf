/* SPDX-License-Identifier: MIT */
/* Shared by the files of printbuf; not for others. */
#ifndef BERTH_BASE_PRINTBUF_INTERNAL_H
#define BERTH_BASE_PRINTBUF_INTERNAL_H

#include <assert.h>
#include <string.h>

#include "base/printbuf.h"

/* With BERTH_CHECK_LEVEL >= 3 (debug, fuzz and sanitizer builds) every operation is checked. */
#if defined(BERTH_CHECK_LEVEL) && BERTH_CHECK_LEVEL >= 3
#define printbuf_check(out) assert(printbuf_is_valid(out))
#else
#define printbuf_check(out) ((void)0)
#endif

/* Room for nr more bytes and the NUL, and nothing was cut before. */
static inline bool printbuf_has_room(const struct printbuf *out, size_t nr)
{
	return likely(out->size - out->pos > nr && !out->overflow);
}

/* The tail was written by the caller: count it. */
static inline void printbuf_commit(struct printbuf *out, size_t nr)
{
	out->pos += nr;
	out->buf[out->pos] = '\0';
	printbuf_check(out);
}

/* 0; -ENOBUFS: the cap or the fixed storage is reached; -ENOMEM. On failure as much as can be had
 * was had when the buffer truncates. Sets no flags. */
int printbuf_grow(struct printbuf *out, size_t extra);

/* Sets the sticky flags for what printbuf_grow() returned. */
void printbuf_fail(struct printbuf *out, int error);

/* Drops a character cut in two from the end. */
void printbuf_trim_half_character(struct printbuf *out);

/* Several appends that PRINTBUF_DROP_ITEMS must drop or keep as one. */
struct printbuf_state printbuf_item_begin(const struct printbuf *out);
void printbuf_item_end(struct printbuf *out, const struct printbuf_state *item);

/* Lays out the nr_raw bytes that stand behind the text, not yet counted: interprets the control
 * characters if the buffer has an indent or tab stops. error: what was lost before, or 0. */
void printbuf_lay_out_tail(struct printbuf *out, size_t nr_raw, int error);

#endif
