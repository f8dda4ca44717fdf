/* SPDX-License-Identifier: MIT */
/*
 * A perf event and the ring of records that the kernel fills for it.
 *
 *     perf_event_open -> mmap:   | control page | 2^order pages of records, round and round |
 *                                  head: the kernel's; tail: ours, moved when records were read
 *
 * A record is a header (type, misc, size of all of it) and what its type says; it may go over the
 * end of the ring and on at its beginning, and is then put together in a buffer of 64 KiB, the
 * longest that a header can tell. What the kernel dropped because the ring was full it counts in
 * records of their own.
 *
 * ring_take is what is between head and tail, without a kernel, so that any bytes can be tried.
 *
 * Cost: one memory barrier per look, no system call; nothing is copied but records over the end.
 * Follows include/uapi/linux/perf_event.h (6.12).
 */
#ifndef BERTH_LINUX_RING_H
#define BERTH_LINUX_RING_H

#include <linux/perf_event.h>
#include <sys/types.h>

#include "base/types.h"

#define RING_RECORD_MAX 65536
#define RING_ORDER_MAX	12 /* pages: 16 MiB */

/* WHEN: for each record in turn; `record` is aligned to 8 bytes and gone when this returns. False:
 * no more now, and this record comes again. */
typedef bool ring_take_fn(void *context, const struct perf_event_header *record);

struct ring_bytes { /* what a ring is without its event */
	const uint8_t *data;
	uint64_t nr_bytes; /* a power of two */
	uint64_t head, tail;
	uint8_t *whole; /* RING_RECORD_MAX bytes, aligned */
};

struct ring {
	int fd; /* -1: closed */
	void *map;
	size_t map_bytes;
	struct ring_bytes bytes;
	uint64_t nr_lost; /* records that the kernel dropped */
};

/* An event of a thread (cpu -1), of a CPU (pid -1), or of a cgroup on a CPU (pid its descriptor,
 * flags PERF_FLAG_PID_CGROUP), in the group of another or alone (-1). Its file descriptor, or
 * negative errno. */
int ring_open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int group,
		    unsigned long flags);
/* The same with a ring of 2^order pages. 0 or negative errno, also as mmap(2) says. */
int ring_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group, unsigned order,
	      struct ring *ret);
/* The ring of an event that is open; fd is the ring's from then on, and closed on failure. */
int ring_map(int fd, unsigned order, struct ring *ret);
void ring_close(struct ring *ring);
/* Takes what is there; what was lost is counted and not handed on. */
void ring_read(struct ring *ring, ring_take_fn *take, void *context);

/* From tail to head; moves tail behind what was taken. Returns how many records were lost, as
 * records of type PERF_RECORD_LOST tell. A size that cannot be ends it: the rest is skipped. */
uint64_t ring_take(struct ring_bytes *bytes, ring_take_fn *take, void *context);

#endif
