/* SPDX-License-Identifier: MIT */
/* Reading perf's ring (ring.h). */
#include "linux/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The record at `tail`, in one piece; NULL when there is no whole one. */
static const struct perf_event_header *record_at(const struct ring_bytes *bytes, uint64_t tail)
{
	uint64_t left = bytes->head - tail, at = tail & (bytes->nr_bytes - 1);
	struct perf_event_header header;
	if (left < sizeof(header))
		return NULL;
	memcpy(&header, bytes->data + at, sizeof(header)); /* 8 bytes at 8: never over the end */
	if (header.size < sizeof(header) || header.size % 8 || header.size > left)
		return NULL;
	if (at + header.size <= bytes->nr_bytes)
		return (const void *)(bytes->data + at);
	uint64_t first = bytes->nr_bytes - at;
	memcpy(bytes->whole, bytes->data + at, first);
	memcpy(bytes->whole + first, bytes->data, header.size - first);
	return (const void *)bytes->whole;
}

uint64_t ring_take(struct ring_bytes *bytes, ring_take_fn *take, void *context)
{
	uint64_t nr_lost = 0;
	while (bytes->tail != bytes->head) {
		const struct perf_event_header *record = record_at(bytes, bytes->tail);
		if (!record) {
			bytes->tail = bytes->head;
			break;
		}
		uint64_t lost[2]; /* id of the event, how many */
		if (record->type == PERF_RECORD_LOST &&
		    record->size >= sizeof(*record) + sizeof(lost)) {
			memcpy(lost, record + 1, sizeof(lost));
			nr_lost += lost[1];
		} else if (!take(context, record)) {
			break;
		}
		bytes->tail += record->size;
	}
	return nr_lost;
}

void ring_read(struct ring *ring, ring_take_fn *take, void *context)
{
	struct perf_event_mmap_page *control = ring->map;
	if (ring->fd < 0)
		return;
	/* Records are written before head is; they are read before tail is given back. */
	ring->bytes.head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	ring->nr_lost += ring_take(&ring->bytes, take, context);
	__atomic_store_n(&control->data_tail, ring->bytes.tail, __ATOMIC_RELEASE);
}

void ring_close(struct ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->map_bytes);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring->bytes.whole);
	*ring = (struct ring){ .fd = -1 };
}

int ring_open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int group,
		    unsigned long flags)
{
	attr->size = sizeof(*attr);
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, group, flags | PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int ring_map(int fd, unsigned order, struct ring *ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), nr_bytes = page << order;
	struct ring ring = { .fd = fd, .map_bytes = page + nr_bytes };
	ring.bytes.whole = aligned_alloc(8, RING_RECORD_MAX);
	ring.bytes.nr_bytes = nr_bytes;
	void *map = ring.bytes.whole ? mmap(NULL, ring.map_bytes, PROT_READ | PROT_WRITE,
					    MAP_SHARED, ring.fd, 0)
				     : MAP_FAILED;
	if (map == MAP_FAILED) {
		int error = ring.bytes.whole ? -errno : -ENOMEM;
		ring_close(&ring);
		return error;
	}
	ring.map = map;
	ring.bytes.data = (const uint8_t *)map + page;
	*ret = ring;
	return 0;
}

int ring_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group, unsigned order,
	      struct ring *ret)
{
	int fd = ring_open_event(attr, pid, cpu, group, 0);
	return fd < 0 ? fd : ring_map(fd, order, ret);
}
