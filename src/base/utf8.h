/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, decoded by hand and measured by an own table: nothing here depends on the locale, so a
 * golden file is the same everywhere. Widths follow Unicode 14 (Debian 12); what that version did
 * not yet assign counts as one column.
 */
#ifndef BERTH_BASE_UTF8_H
#define BERTH_BASE_UTF8_H

#include "base/types.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD: stands for what was not text */

/* Bytes of the character at the start of `text` (1 to 4), or 0 when the bytes are not one (cut,
 * overlong, a surrogate, above U+10FFFF; nr_bytes 0). *ret_code is set only on success; NULL: not
 * wanted. */
size_t utf8_decode(const char *text, size_t nr_bytes, uint32_t *ret_code);
/* Writes 1 to 4 bytes; `code` must be a character (not a surrogate, at most U+10FFFF). */
size_t utf8_encode(uint32_t code, char ret_bytes[4]);
/* Columns of one character: 0 for combining and control characters, 2 for wide ones. */
unsigned utf8_code_width(uint32_t code);
/* Bytes at the start of `text` that are whole valid characters. */
size_t utf8_valid_length(const char *text, size_t nr_bytes);

#endif
