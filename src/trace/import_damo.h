/* SPDX-License-Identifier: MIT */
/* What the two formats of damo records share: from series of snapshots to a recording's info. */
#ifndef BERTH_TRACE_IMPORT_DAMO_H
#define BERTH_TRACE_IMPORT_DAMO_H

#include "trace/import_common.h"
#include "trace/import_samples.h"

#define IMPORT_DAMO_NS_PER_KTICK 1000 /* a tick is a nanosecond: damo knows real time */

/* The space of that name, made when there is none; -E2BIG beyond IMPORT_MAX_SERIES. */
int import_damo_space(struct trace_info *info, const char *name, uint32_t *ret_space);
/* All is collected: totals, kinds of spaces, notes; begins the replay. info was initialised. */
int import_damo_finish(struct import_samples *samples, struct trace_info *info);
/* A sentence for an errno of the store of samples; returns `error`. */
int import_damo_explain(const char *path, int error, struct printbuf *err);

#endif
