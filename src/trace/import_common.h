/* SPDX-License-Identifier: MIT */
/* What all importers share: filling a struct trace_info, reading other tools' numbers. */
#ifndef BERTH_TRACE_IMPORT_COMMON_H
#define BERTH_TRACE_IMPORT_COMMON_H

#include "trace/import.h"
#include "trace/import_input.h"

#define IMPORT_PAGE_BYTES 4096
#define IMPORT_PAGE_SHIFT 12
#define IMPORT_PEEK_BYTES 4096 /* inflated bytes that recognise() looks at */

/*
 * info: zeroed by the caller of import->open, who frees its strings afterwards, also on failure.
 * The importer's clock is `ns_per_ktick` unless options override it. Returns -ENOMEM or 0.
 */
int import_info_init(struct trace_info *info, const char *recorder, uint64_t ns_per_ktick,
		     const struct trace_open_options *options, const struct import_input *input);
int import_info_space(struct trace_info *info, enum trace_space_kind kind, int64_t pid,
		      const char *name);
int import_info_note(struct trace_info *info, const char *format, ...) berth_printf(2, 3);
/* Sets nr_ticks and, by the clock, duration_ns. */
void import_info_end(struct trace_info *info, uint64_t nr_ticks);
/* is_cut, and the note that goes with it. */
int import_info_cut(struct trace_info *info, const char *where);

/* ticks * ns_per_ktick / 1000, at most UINT64_MAX. */
uint64_t import_ticks_to_ns(uint64_t ticks, uint64_t ns_per_ktick);

/* Digits with or without thousands commas, "max", a fraction that is dropped. -EINVAL when it is
 * none of these, -ERANGE when negative or beyond 64 bits. */
int import_parse_u64(const char *text, size_t nr, uint64_t *ret);
/* The same with units, summed: "5000", "5 ms", "1 s 250 ms"; a bare number is in `unit_ns`. */
int import_parse_time(const char *text, size_t nr, uint64_t unit_ns, uint64_t *ret_ns);
/* Hexadecimal digits at *inout; moves past them. -EINVAL: none; -ERANGE: more than 16. */
int import_parse_hex(const char **inout, const char *end, uint64_t *ret);

#endif
