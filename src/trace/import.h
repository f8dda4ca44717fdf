/* SPDX-License-Identifier: MIT */
/*
 * Files of other tools, read as if they were recordings (trace_open finds the kind by content):
 * Valgrind lackey --trace-mem, lists of hex addresses, damo records (json, json_compressed,
 * perf script text). Each importer is one file with one `struct trace_import`.
 */
#ifndef BERTH_TRACE_IMPORT_H
#define BERTH_TRACE_IMPORT_H

#include "trace/trace.h"

struct trace_import {
	const char *name;    /* "lackey" */
	const char *summary; /* "Valgrind lackey --trace-mem=yes text" */
	/* The first bytes of the file (up to 4 KiB): 0 not mine .. 100 surely mine. */
	int (*recognise)(const uint8_t *bytes, size_t nr_bytes);
	/* fd at 0, seekable; owned by the importer from here on, also on failure. A first pass that
	 * fills info (program, duration, totals) is welcome if it is cheap. info arrives as
	 * trace_info_init() leaves it; the caller frees what it points to, also on failure. */
	int (*open)(int fd, const char *path, const struct trace_open_options *options,
		    void **ret_state, struct trace_info *info, struct printbuf *err);
	int (*next)(void *state, const struct trace_batch **ret_batch, struct printbuf *err);
	void (*close)(void *state);
};

extern const struct trace_import trace_import_lackey;
extern const struct trace_import trace_import_hexlist;
extern const struct trace_import trace_import_damo_json;
extern const struct trace_import trace_import_damo_perf;

extern const struct trace_import *const trace_imports[]; /* NULL-terminated; trace/imports.c */

#endif
