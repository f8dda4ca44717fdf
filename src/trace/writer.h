/* SPDX-License-Identifier: MIT */
/*
 * Writing a recording.
 *
 * Split in two so that several processes can write one file. A `trace_appender` packs events of one
 * process into blocks and appends each whole block to FILE.part with one write(2) on an O_APPEND
 * descriptor: forked children append to the same file, and a killed writer leaves whole blocks. A
 * `trace_finish` then reads the block headers, appends the complete info, the index and the
 * trailer, and renames FILE.part to FILE: nothing incomplete ever bears the final name.
 *
 * The appender never prints, never exits, and calls nothing but malloc at its creation, zstd, and
 * write; it works inside QEMU. Not thread-safe: the caller locks.
 */
#ifndef BERTH_TRACE_WRITER_H
#define BERTH_TRACE_WRITER_H

#include "trace/trace.h"

/* Creates FILE.part with the header of `info`; -EISDIR, -EACCES, -ENOSPC, ... `ret_fd` is opened
 * O_APPEND | O_CLOEXEC. An old FILE.part is replaced; FILE itself is untouched. */
int trace_create(const char *path, const struct trace_info *info, int *ret_fd,
		 struct printbuf *err);

struct trace_appender;
/* fd: from trace_create, or opened again with O_APPEND; stays the caller's. The space of its
 * events; `thread` changes are cheap but not free. */
int trace_appender_new(int fd, uint32_t space, uint32_t page_bytes, struct trace_appender **ret);
/* Writes what is pending. First error is sticky and returned by every later call. */
int trace_appender_flush(struct trace_appender *appender);
/* Frees without writing (after fork in the child: the parent's pending events are the parent's). */
struct trace_appender *trace_appender_free(struct trace_appender *appender);
void trace_appender_set_fd(struct trace_appender *appender, int fd);

/* Times are ticks and must not step back within one kind of one appender (they are clamped). */
int trace_append_access(struct trace_appender *appender, uint64_t ticks, uint64_t page,
			uint8_t flags, uint32_t thread);
int trace_append_sample(struct trace_appender *appender, uint64_t ticks, uint64_t window_ticks,
			uint64_t page, uint64_t nr_pages, uint32_t hits, uint32_t checks);
int trace_append_count(struct trace_appender *appender, uint64_t epoch_ticks, uint64_t page,
		       uint32_t loads, uint32_t stores);
int trace_append_blocked(struct trace_appender *appender, uint64_t ticks, uint32_t thread,
			 uint64_t blocked_ns);
/* Only in a file whose info has TRACE_STREAM_NODES. */
int trace_append_node(struct trace_appender *appender, uint64_t ticks, uint64_t page,
		      uint32_t node);
/* mapping->time_ns is ticks here; space is the appender's. */
int trace_append_mapping(struct trace_appender *appender, const struct trace_mapping *mapping);

/*
 * Completes FILE.part: `info` as for trace_create, now with all spaces, notes and the measured
 * clock (totals are counted from the blocks; nr_references is taken from info). Trailing garbage
 * of a killed or out-of-space writer is cut off at the last whole block. fsync, then rename. On
 * failure FILE.part stays for a later `berth info`, which reads it to its last whole block.
 */
int trace_finish(const char *path, const struct trace_info *info, struct printbuf *err);

/* The same after -ENOSPC: there is no room for the end either, so the last block or so of `fd` is
 * given up. */
int trace_finish_full_disk(const char *path, int fd, const struct trace_info *info,
			   struct printbuf *err);

/* "FILE.part"; the caller frees. */
char *trace_part_path(const char *path);

#endif
