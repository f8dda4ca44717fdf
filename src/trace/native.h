/* SPDX-License-Identifier: MIT */
/* Reads .berth files proper; trace_open() puts importers beside it. Private to src/trace. */
#ifndef BERTH_TRACE_NATIVE_H
#define BERTH_TRACE_NATIVE_H

#include "trace/trace.h"

struct native;

bool native_recognise(const uint8_t *bytes, size_t nr_bytes);
/* fd is the native's from here on, also on failure. info is filled (trace_info_fini() after). */
int native_open(int fd, const char *path, const struct trace_open_options *options,
		struct native **ret, struct trace_info *info, struct printbuf *err);
int native_next(struct native *native, const struct trace_batch **ret_batch, struct printbuf *err);
int native_seek(struct native *native, uint64_t time_ns, struct printbuf *err);
void native_close(struct native *native);

#endif
