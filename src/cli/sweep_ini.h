/* SPDX-License-Identifier: MIT */
/*
 * A thin layer over inih that knows lines and columns: inih's handler is told neither, and a
 * section without keys is not told at all. Sections and keys come as they stand in the file.
 */
#ifndef BERTH_CLI_SWEEP_INI_H
#define BERTH_CLI_SWEEP_INI_H

#include "cli/sweep.h"

struct sweep_ini {
	const char *path;
	void *context;
	/* Each returns 0, or a negative errno after a sentence with its place in err. */
	int (*section)(void *context, const struct sweep_value *name, struct printbuf *err);
	/* goes_on: an indented line that goes on with the value of the key above. */
	int (*key)(void *context, const struct sweep_value *name, const struct sweep_value *value,
		   bool goes_on, struct printbuf *err);
};

/* -EINVAL: a line that is none; -E2BIG: one that is too long. */
int sweep_ini_parse(const char *text, size_t nr_bytes, const struct sweep_ini *ini,
		    struct printbuf *err);
/* "FILE:LINE:COLUMN: ", the beginning of a sentence. */
void sweep_ini_place(struct printbuf *err, const char *path, const struct sweep_value *at);

#endif
