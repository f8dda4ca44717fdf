/* SPDX-License-Identifier: MIT */
/*
 * What the daemon answered, for printing: errors, rows of an array as names and values, or the
 * whole copied into other JSON.
 */
#ifndef BERTH_CLI_REPLY_H
#define BERTH_CLI_REPLY_H

#include "base/json.h"

#define REPLY_MAX_VALUES 64 /* of one row */
#define REPLY_MAX_DEPTH	 16

struct reply_row { /* "cpus.now" -> "0-3"; null is not there */
	struct {
		char *name, *value;
	} values[REPLY_MAX_VALUES];
	uint32_t nr;
};

const char *reply_value(const struct reply_row *row, const char *name); /* NULL: not there */
/* As a terminal may have it; nothing where it is not there. */
void reply_prt(struct printbuf *out, const struct reply_row *row, const char *name);
uint64_t reply_u64(const struct reply_row *row, const char *name); /* 0: not there */

/* The daemon's own error: its sentence, and the exit status it names. 0: it is none. */
int reply_error(const char *text, struct printbuf *err);
/* Calls `take` with each object of the array of that name, or with the object of that name.
 * -EINVAL: not an answer of a daemon. */
int reply_rows(const char *text, const char *name,
	       void (*take)(void *context, const struct reply_row *row), void *context);
/* All of it, as a member or an item; what is no whole value of JSON writes nothing: -EINVAL. */
int reply_copy(const char *text, struct json_writer *json, const char *key);

/* Asks and says what went wrong. 0: the answer is in `ret`; else an exit status. is_quiet: that no
 * daemon runs is no error, and the answer is empty then. */
int reply_ask(const char *socket, const char *state, const char *line, bool is_quiet,
	      struct printbuf *ret);

#endif
