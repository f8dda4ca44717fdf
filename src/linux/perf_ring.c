/* SPDX-License-Identifier: MIT */
/* Records of perf events (perf_ring.h). */
#include "linux/perf_ring.h"

#include <linux/perf_event.h>
#include <string.h>

#define HEADER_BYTES 8
#define FAULT_BYTES  48 /* bodies */
#define ARMING_BYTES 40
#define LOST_BYTES   16
#define BODY_MAX     64 /* of what is looked into */

static void copy_from(const struct perf_ring *ring, uint64_t at, void *ret, size_t nr_bytes)
{
	uint64_t begin = at & (ring->nr_bytes - 1);
	uint64_t first = MIN(ring->nr_bytes - begin, (uint64_t)nr_bytes);
	memcpy(ret, ring->data + begin, first);
	memcpy((uint8_t *)ret + first, ring->data, nr_bytes - first);
}

static uint64_t word(const uint8_t *body, unsigned number)
{
	uint64_t value;
	memcpy(&value, body + number * sizeof(value), sizeof(value));
	return value;
}

static void take_fault(const uint8_t *body, struct perf_fault *ret)
{
	*ret = (struct perf_fault){
		.pid = (uint32_t)word(body, 0),
		.tid = (uint32_t)(word(body, 0) >> 32),
		.time_ns = word(body, 1),
		.address = word(body, 2),
		.cpu = (uint32_t)word(body, 3),
		.was_accessible = word(body, 4) != 0,
		.page_bytes = word(body, 5),
	};
}

/* False: the registers are those of no kernel function that we know the arguments of. */
static bool take_arming(const uint8_t *body, struct perf_arming *ret)
{
	*ret = (struct perf_arming){
		.pid = (uint32_t)word(body, 0),
		.time_ns = word(body, 1),
		.end = word(body, 3),
		.start = word(body, 4),
	};
	return word(body, 2) == PERF_SAMPLE_REGS_ABI_64 && ret->start < ret->end;
}

static bool take_sample(const struct perf_ring *ring, const uint8_t *body, uint64_t nr_bytes,
			struct perf_record *ret)
{
	ret->kind = ring->kind;
	if (ring->kind == PERF_RING_ARMINGS)
		return nr_bytes == ARMING_BYTES && take_arming(body, &ret->arming);
	if (nr_bytes != FAULT_BYTES)
		return false;
	take_fault(body, &ret->fault);
	return true;
}

/* What its header says lies between tail and head. */
static bool is_whole(const struct perf_ring *ring, const struct perf_event_header *header)
{
	return header->size >= HEADER_BYTES && header->size <= ring->head - ring->tail;
}

bool perf_ring_next(struct perf_ring *ring, struct perf_record *ret)
{
	while (ring->head - ring->tail >= HEADER_BYTES) {
		struct perf_event_header header;
		uint8_t body[BODY_MAX] = { 0 };
		copy_from(ring, ring->tail, &header, sizeof(header));
		if (ring->head - ring->tail > ring->nr_bytes || !is_whole(ring, &header)) {
			ring->nr_broken++;
			break;
		}
		uint64_t nr_bytes = header.size - HEADER_BYTES;
		copy_from(ring, ring->tail + HEADER_BYTES, body, MIN(nr_bytes, sizeof(body)));
		ring->tail += header.size;
		if (header.type == PERF_RECORD_LOST && nr_bytes >= LOST_BYTES)
			ring->nr_lost += word(body, 1);
		if (header.type == PERF_RECORD_SAMPLE && take_sample(ring, body, nr_bytes, ret))
			return true;
	}
	ring->tail = ring->head;
	return false;
}

bool perf_fault_is_hint(const struct perf_fault *fault)
{
	return fault->page_bytes != 0 && !fault->was_accessible;
}
