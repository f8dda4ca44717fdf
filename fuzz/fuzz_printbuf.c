/* SPDX-License-Identifier: MIT */
/*
 * printbuf driven by bytes: each chooses an operation, the bytes after it are its text. The same
 * operations go into a heap buffer and into fixed ones; until the fixed one is cut the two are
 * equal, and no operation may leave an invalid buffer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/printbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned take(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* The next n bytes without NUL, n below 64. */
static size_t take_text(struct input *input, char text[64])
{
	size_t nr = take(input) % 64, len = 0;
	for (; len < nr && input->size; len++)
		text[len] = (char)take(input);
	text[len] = '\0';
	return strlen(text);
}

static void print_text(struct printbuf *out, unsigned op, const char *text, size_t len)
{
	switch (op % 8) {
	case 0:
		prt_text(out, text);
		break;
	case 1:
		prt_aligned(out, text);
		break;
	case 2:
		prt_json_string(out, text, len);
		break;
	case 3:
		prt_csv_field(out, text, len);
		break;
	case 4:
		prt_safe(out, text, len);
		break;
	case 5:
		prt_field_left(out, text, op / 8);
		break;
	case 6:
		prt_printf(out, "%s\t%u\r\n", text, op);
		break;
	default:
		prt_str(out, text);
	}
}

static void print_layout(struct printbuf *out, unsigned op)
{
	switch (op % 8) {
	case 0:
		printbuf_indent_add(out, op / 8 % 8);
		break;
	case 1:
		printbuf_indent_sub(out, op / 8 % 8);
		break;
	case 2:
		if (out->nr_tabstops < PRINTBUF_NR_TABSTOPS)
			printbuf_tabstop_push(out, op / 8);
		break;
	case 3:
		if (out->nr_tabstops > 0)
			printbuf_tabstop_pop(out);
		break;
	case 4:
		prt_trim_newlines(out);
		break;
	case 5:
		prt_newline(out);
		break;
	case 6:
		prt_tab(out);
		break;
	default:
		prt_tab_rjust(out);
	}
}

static void check(const struct printbuf *heap, const struct printbuf *fixed)
{
	if (!printbuf_is_valid(heap) || !printbuf_is_valid(fixed) || heap->overflow)
		abort();
	if (!fixed->overflow && strcmp(printbuf_str(heap), printbuf_str(fixed)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char storage[256], text[64];
	struct printbuf fixed;
	PRINTBUF(heap);
	printbuf_init_fixed(&fixed, storage, 1 + take(&input) % sizeof(storage),
			    take(&input) & PRINTBUF_DROP_ITEMS);
	while (input.size > 0) {
		unsigned op = take(&input);
		if (op & 1) {
			size_t len = take_text(&input, text);
			print_text(&heap, op / 2, text, len);
			print_text(&fixed, op / 2, text, len);
		} else {
			print_layout(&heap, op / 2);
			print_layout(&fixed, op / 2);
		}
		check(&heap, &fixed);
	}
	return 0;
}
