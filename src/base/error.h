/* SPDX-License-Identifier: MIT */
/*
 * Errors as sentences. The library neither logs nor exits: it appends to a printbuf that the
 * caller passed as `err` (NULL: no text wanted) and returns the negative errno, so that a failing
 * path reads   return error_set(err, -EINVAL, "%s: node 3 has no size; write node:dram:64GiB", s);
 */
#ifndef BERTH_BASE_ERROR_H
#define BERTH_BASE_ERROR_H

#include "base/printbuf.h"

/* Exit codes of the command line (design.md). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_SUPPORTED = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_PARTLY = 5,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

/* Appends the sentence (nothing if err is NULL) and returns `error`. */
int error_set(struct printbuf *err, int error, const char *format, ...) berth_printf(3, 4);

/* "FILE: No such file or directory" with a remedy for the common ones; returns `error`. */
int error_file(struct printbuf *err, int error, const char *path, const char *doing);

/* What the errno means, in words; "error 123" when unknown. Never NULL. */
const char *error_text(int error);

/* 0 -> 0; -EPERM, -EACCES -> 4; -EOPNOTSUPP, -ENOSYS -> 3; -EINVAL, -ERANGE -> `usage`; else 1. */
int error_exit_status(int error);

/* The nearest of `names` to `text` (edit distance at most a third of it), or NULL. */
const char *nearest_name(const char *text, const char *const names[], size_t nr_names);

#endif
