/* SPDX-License-Identifier: MIT */
/* What a recording says of itself, as a JSON document in its own frame. Private to src/trace. */
#ifndef BERTH_TRACE_INFO_H
#define BERTH_TRACE_INFO_H

#include "trace/format.h"

/* Frees what info points to and empties it. */
void trace_info_fini(struct trace_info *info);
/* Defaults: 4 KiB pages, the usual clock, everything else unknown. */
void trace_info_init(struct trace_info *info);

/* The document. extra_note may be NULL. */
void trace_info_to_json(struct printbuf *out, const struct trace_info *info,
			const char *extra_note);
/* -EBADMSG with a sentence about what is wrong (without the file's name). info is initialised. */
int trace_info_from_json(const char *text, size_t nr_bytes, struct trace_info *ret,
			 struct printbuf *err);
/* Makes spaces exist up to `nr` (unnamed, of no parent); -ENOMEM. */
int trace_info_grow_spaces(struct trace_info *info, uint32_t nr);
int trace_info_add_note(struct trace_info *info, const char *note);
int trace_info_add_setting(struct trace_info *info, const char *setting); /* "name=value" */
/* One more node, of which all but the number is unknown; NULL: out of memory. */
struct trace_memory *trace_info_add_memory(struct trace_info *info, uint32_t node);
/* -EINVAL with a sentence when no recording may say so (page size, clock, spaces). */
int trace_info_check(const struct trace_info *info, struct printbuf *err);

extern const char *const trace_space_kind_names[]; /* "mm", "file", "physical", NULL */
extern const char *const trace_stream_names[];	   /* by bit; NULL-terminated */
extern const char *const trace_kind_names[];	   /* "accesses", ..., NULL */
extern const char *const trace_flag_names[];	   /* by bit; NULL-terminated */
extern const char *const trace_mapping_op_names[]; /* "map", ..., NULL */

#endif
