/* SPDX-License-Identifier: MIT */
/* The lines of a text file, one after another, in bounded memory. */
#ifndef BERTH_TRACE_IMPORT_LINES_H
#define BERTH_TRACE_IMPORT_LINES_H

#include "trace/import_input.h"

#define IMPORT_LINE_MAX ((size_t)64 << 10) /* the rest of a longer line is passed over */

struct import_lines {
	struct import_input *input; /* borrowed */
	char *buffer;
	size_t start, end; /* unread text within buffer */
	uint64_t nr_lines; /* given out so far: the number of the line last given */
	bool input_end;
	bool in_tail;	 /* the line last given was too long: pass over the rest of it first */
	bool unfinished; /* the line last given had no newline: the file ends there */
};

int import_lines_init(struct import_lines *lines, struct import_input *input);
void import_lines_fini(struct import_lines *lines);
int import_lines_rewind(struct import_lines *lines);

/*
 * 1: *ret_text holds *ret_nr bytes, neither newline nor carriage return, not NUL-terminated, until
 * the next call; 0: the end; negative errno: the input failed.
 */
int import_lines_next(struct import_lines *lines, const char **ret_text, size_t *ret_nr);

/* Over bytes in memory, for recognise(): the next whole line, or false. An unfinished last line
 * counts only when the bytes are the whole file (nr < size of a peek). */
bool import_line_of(const char *text, size_t nr, bool whole, size_t *inout_at,
		    const char **ret_line, size_t *ret_nr);

#endif
