/* SPDX-License-Identifier: MIT */
/*
 * Lines in a window that slides over the file:
 *
 *     buffer  [ given | start ... unread ... end |  free  ]
 *
 * When no newline is left in the window the unread part moves to its front and the rest is filled.
 * A line longer than the window is given cut to IMPORT_LINE_MAX and its tail is passed over, so
 * that a file without newlines costs time but no memory. Cost: 256 KiB, one memchr per line.
 */
#include "trace/import_lines.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (IMPORT_LINE_MAX * 4)

int import_lines_init(struct import_lines *lines, struct import_input *input)
{
	*lines = (struct import_lines){ .input = input };
	lines->buffer = malloc(BUFFER_BYTES);
	return lines->buffer ? 0 : -ENOMEM;
}

void import_lines_fini(struct import_lines *lines)
{
	free(lines->buffer);
	lines->buffer = NULL;
}

int import_lines_rewind(struct import_lines *lines)
{
	lines->start = lines->end = 0;
	lines->nr_lines = 0;
	lines->input_end = lines->in_tail = lines->unfinished = false;
	return import_input_rewind(lines->input);
}

/* Moves the unread part to the front and reads once behind it. */
static int lines_fill(struct import_lines *lines)
{
	memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
	lines->end -= lines->start;
	lines->start = 0;
	ssize_t nr = import_input_read(lines->input, lines->buffer + lines->end,
				       BUFFER_BYTES - lines->end);
	if (nr < 0)
		return (int)nr;
	lines->end += (size_t)nr;
	lines->input_end = nr == 0;
	return 0;
}

/* Ends with the newline or the file. */
static int lines_pass_over_tail(struct import_lines *lines)
{
	while (lines->in_tail) {
		char *from = lines->buffer + lines->start;
		char *newline = memchr(from, '\n', lines->end - lines->start);
		lines->start = newline ? (size_t)(newline - lines->buffer) + 1 : lines->end;
		lines->in_tail = !newline && !lines->input_end;
		int error = lines->in_tail ? lines_fill(lines) : 0;
		if (error)
			return error;
	}
	return 0;
}

static int give(struct import_lines *lines, size_t nr, size_t nr_newline, const char **ret_text,
		size_t *ret_nr)
{
	*ret_text = lines->buffer + lines->start;
	lines->start += nr + nr_newline;
	lines->nr_lines++;
	while (nr && (*ret_text)[nr - 1] == '\r')
		nr--;
	*ret_nr = nr;
	return 1;
}

/* No newline in the window: read on, cut a long line, or give what the file ends with. */
static int lines_next_slow(struct import_lines *lines, const char **ret_text, size_t *ret_nr)
{
	for (;;) { /* at most BUFFER_BYTES reads of one byte */
		size_t unread = lines->end - lines->start;
		char *newline = memchr(lines->buffer + lines->start, '\n', unread);
		size_t nr = newline ? (size_t)(newline - lines->buffer) - lines->start : unread;
		if (newline && nr <= IMPORT_LINE_MAX)
			return give(lines, nr, 1, ret_text, ret_nr);
		if (unread >= IMPORT_LINE_MAX) {
			lines->in_tail = true;
			return give(lines, IMPORT_LINE_MAX, 0, ret_text, ret_nr);
		}
		if (lines->input_end) {
			lines->unfinished |= unread > 0;
			return unread ? give(lines, unread, 0, ret_text, ret_nr) : 0;
		}
		int error = lines_fill(lines);
		if (error)
			return error;
	}
}

int import_lines_next(struct import_lines *lines, const char **ret_text, size_t *ret_nr)
{
	if (unlikely(lines->in_tail)) {
		int error = lines_pass_over_tail(lines);
		if (error)
			return error;
	}
	char *from = lines->buffer + lines->start;
	char *newline = memchr(from, '\n', lines->end - lines->start);
	if (likely(newline && newline - from <= (ptrdiff_t)IMPORT_LINE_MAX))
		return give(lines, (size_t)(newline - from), 1, ret_text, ret_nr);
	return lines_next_slow(lines, ret_text, ret_nr);
}

bool import_line_of(const char *text, size_t nr, bool whole, size_t *inout_at,
		    const char **ret_line, size_t *ret_nr)
{
	size_t at = *inout_at;
	if (at >= nr)
		return false;
	const char *newline = memchr(text + at, '\n', nr - at);
	if (!newline && !whole)
		return false;
	size_t end = newline ? (size_t)(newline - text) : nr;
	*inout_at = end + 1;
	*ret_line = text + at;
	while (end > at && text[end - 1] == '\r')
		end--;
	*ret_nr = end - at;
	return true;
}
