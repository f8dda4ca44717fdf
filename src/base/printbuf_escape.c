/* SPDX-License-Identifier: MIT */
/*
 * printbuf: text from outside made safe for JSON, CSV, XML and terminals; bytes as hexadecimal;
 * bit flags and options by name.
 *
 * All escapers walk the text once, character by character, and copy the stretches between the
 * characters that need change as they are. What is not UTF-8 becomes U+FFFD, or in prt_safe(),
 * which a person reads to find out what was there, \xNN.
 */
#include "base/printbuf_internal.h"
#include "base/utf8.h"

#define ESCAPE_MAX 24

/* Writes what stands for a character into `ret` and returns its length; 0: the character as it is.
 * len is 0 for a byte that is not part of a character; code is then that byte. */
typedef size_t (*escape_fn)(uint32_t code, const char *bytes, size_t len, char ret[ESCAPE_MAX]);

static size_t put(char ret[ESCAPE_MAX], const char *text)
{
	size_t len = strlen(text);
	memcpy(ret, text, len);
	return len;
}

static void prt_escaped(struct printbuf *out, const char *text, size_t nr_bytes, escape_fn escape)
{
	char instead[ESCAPE_MAX];
	size_t plain = 0; /* where what is not yet copied begins */
	for (size_t at = 0; at < nr_bytes;) {
		uint32_t code = (unsigned char)text[at];
		size_t len = utf8_decode(text + at, nr_bytes - at, &code);
		size_t nr = escape(code, text + at, len, instead);
		if (nr > 0) {
			prt_mem(out, text + plain, at - plain);
			prt_mem(out, instead, nr);
			plain = at + MAX(len, 1);
		}
		at += MAX(len, 1);
	}
	prt_mem(out, text + plain, nr_bytes - plain);
}

static size_t escape_json(uint32_t code, const char *bytes, size_t len, char ret[ESCAPE_MAX])
{
	static const char letters[] = "btn?fr";
	if (len == 0)
		return put(ret, UTF8_REPLACEMENT);
	if (code >= 0x20 && code != '"' && code != '\\')
		return 0;
	ret[0] = '\\';
	ret[1] = (char)code;
	if (code >= 0x20)
		return 2;
	if (code >= '\b' && code <= '\r' && code != '\v') {
		ret[1] = letters[code - '\b'];
		return 2;
	}
	memcpy(ret + 1, "u00", 3);
	ret[4] = (char)('0' + (code >> 4));
	ret[5] = "0123456789abcdef"[code & 15];
	return 6;
}

void prt_json_string(struct printbuf *out, const char *text, size_t nr_bytes)
{
	struct printbuf_state item = printbuf_item_begin(out);
	prt_char(out, '"');
	prt_escaped(out, text, nr_bytes, escape_json);
	prt_char(out, '"');
	printbuf_item_end(out, &item);
}

static size_t escape_csv(uint32_t code, const char *bytes, size_t len, char ret[ESCAPE_MAX])
{
	if (len == 0)
		return put(ret, UTF8_REPLACEMENT);
	return code == '"' ? put(ret, "\"\"") : 0;
}

static bool csv_needs_quotes(const char *text, size_t nr_bytes)
{
	if (nr_bytes == 0)
		return false;
	if (text[0] == ' ' || text[nr_bytes - 1] == ' ')
		return true;
	for (size_t i = 0; i < nr_bytes; i++)
		if (text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r')
			return true;
	return false;
}

void prt_csv_field(struct printbuf *out, const char *text, size_t nr_bytes)
{
	struct printbuf_state item = printbuf_item_begin(out);
	bool quotes = csv_needs_quotes(text, nr_bytes);
	prt_chars(out, '"', quotes);
	prt_escaped(out, text, nr_bytes, escape_csv);
	prt_chars(out, '"', quotes);
	printbuf_item_end(out, &item);
}

/* XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF. */
static size_t escape_xml(uint32_t code, const char *bytes, size_t len, char ret[ESCAPE_MAX])
{
	if (len == 0 || code == 0xfffe || code == 0xffff)
		return put(ret, UTF8_REPLACEMENT);
	if (code < 0x20 && code != '\t' && code != '\n' && code != '\r')
		return put(ret, UTF8_REPLACEMENT);
	switch (code) {
	case '&':
		return put(ret, "&amp;");
	case '<':
		return put(ret, "&lt;");
	case '>':
		return put(ret, "&gt;");
	case '"':
		return put(ret, "&quot;");
	case '\'':
		return put(ret, "&#39;");
	default:
		return 0;
	}
}

void prt_xml_text(struct printbuf *out, const char *text, size_t nr_bytes)
{
	struct printbuf_state item = printbuf_item_begin(out);
	prt_escaped(out, text, nr_bytes, escape_xml);
	printbuf_item_end(out, &item);
}

/* Control characters of both sets, line and paragraph separators, and what reorders text. */
static bool is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static size_t escape_unsafe(uint32_t code, const char *bytes, size_t len, char ret[ESCAPE_MAX])
{
	size_t at = 0;
	if (len > 0 && !is_unsafe(code))
		return 0;
	for (size_t i = 0; i < MAX(len, 1); i++) {
		unsigned char byte = (unsigned char)bytes[i];
		ret[at++] = '\\';
		ret[at++] = 'x';
		ret[at++] = "0123456789abcdef"[byte >> 4];
		ret[at++] = "0123456789abcdef"[byte & 15];
	}
	return at;
}

void prt_safe(struct printbuf *out, const char *text, size_t nr_bytes)
{
	struct printbuf_state item = printbuf_item_begin(out);
	prt_escaped(out, text, nr_bytes, escape_unsafe);
	printbuf_item_end(out, &item);
}

void prt_hex_bytes(struct printbuf *out, const void *bytes, size_t nr, unsigned group)
{
	struct printbuf_state item = printbuf_item_begin(out);
	for (size_t i = 0; i < nr && !out->overflow; i++) {
		unsigned char byte = ((const unsigned char *)bytes)[i];
		if (group && i && i % group == 0)
			prt_char(out, ' ');
		prt_char(out, "0123456789abcdef"[byte >> 4]);
		prt_char(out, "0123456789abcdef"[byte & 15]);
	}
	printbuf_item_end(out, &item);
}

void prt_bitflags(struct printbuf *out, const char *const names[], uint64_t bits)
{
	struct printbuf_state item = printbuf_item_begin(out);
	const char *comma = "";
	for (unsigned i = 0; i < 64 && names[i]; i++) {
		if (!(bits >> i & 1))
			continue;
		bits &= ~((uint64_t)1 << i);
		prt_str(out, comma);
		prt_str(out, names[i]);
		comma = ",";
	}
	if (bits) {
		prt_str(out, comma);
		prt_str(out, "0x");
		prt_hex(out, bits);
	}
	printbuf_item_end(out, &item);
}

void prt_string_option(struct printbuf *out, const char *const names[], size_t selected)
{
	struct printbuf_state item = printbuf_item_begin(out);
	for (size_t i = 0; names[i]; i++) {
		prt_str(out, i ? " " : "");
		prt_str(out, i == selected ? "[" : "");
		prt_str(out, names[i]);
		prt_str(out, i == selected ? "]" : "");
	}
	printbuf_item_end(out, &item);
}
