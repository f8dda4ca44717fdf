/* SPDX-License-Identifier: MIT */
/*
 * A thin layer over inih that knows lines and columns: inih's handler is told neither, and a
 * section without keys is not told at all. Sections and keys come as they stand in the file.
 */
#ifndef BERTH_BASE_INI_H
#define BERTH_BASE_INI_H

#include "base/printbuf.h"

#define INI_LINE_MAX	190 /* inih's own limit is 200 with the line's end */
#define INI_HEADING_MAX 50

struct ini_value { /* a word of the file and where it stands */
	char *text;
	unsigned line, column;
};

struct ini {
	const char *path;
	void *context;
	/* Each returns 0, or a negative errno after a sentence with its place in err. */
	int (*section)(void *context, const struct ini_value *name, struct printbuf *err);
	/* goes_on: an indented line that goes on with the value of the key above. */
	int (*key)(void *context, const struct ini_value *name, const struct ini_value *value,
		   bool goes_on, struct printbuf *err);
};

/* -EINVAL: a line that is none; -E2BIG: one that is too long. */
int ini_parse_text(const char *text, size_t nr_bytes, const struct ini *ini, struct printbuf *err);
/* "FILE:LINE:COLUMN: ", the beginning of a sentence. */
void ini_place(struct printbuf *err, const char *path, const struct ini_value *at);

#endif
