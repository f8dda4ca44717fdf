/* SPDX-License-Identifier: MIT */
/* Rings of perf events, any bytes: kind, where tail and head are, then the data. What is read was
 * there, and reading comes to an end. */
#include <stdlib.h>
#include <string.h>

#include "linux/armed.h"
#include "linux/perf_ring.h"

#define RING_BYTES 1024
#define HEAD_BYTES 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct armed *armed, const struct perf_record *record)
{
	if (record->kind == PERF_RING_ARMINGS)
		armed_note(armed, record->arming.pid % 4, record->arming.start / 4096,
			   (record->arming.end - record->arming.start) / 4096 % 65536,
			   record->arming.time_ns);
	else if (perf_fault_is_hint(&record->fault))
		armed_take(armed, record->fault.pid % 4, record->fault.address / 4096,
			   record->fault.time_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[RING_BYTES] = { 0 };
	struct armed armed = { 0 };
	struct perf_record record;
	unsigned nr = 0;
	if (size < HEAD_BYTES || size > RING_BYTES + HEAD_BYTES)
		return 0;
	struct perf_ring ring = { .kind = data[0] & 1 ? PERF_RING_ARMINGS : PERF_RING_FAULTS,
				  .data = bytes,
				  .nr_bytes = RING_BYTES,
				  .tail = (uint64_t)data[1] << 8 | data[2] };
	ring.head = ring.tail + ((uint64_t)data[3] << 8 | data[4]);
	memcpy(bytes, data + HEAD_BYTES, size - HEAD_BYTES);
	while (perf_ring_next(&ring, &record)) {
		use(&armed, &record);
		if (ring.tail > ring.head || ++nr > RING_BYTES)
			abort();
	}
	if (ring.tail != ring.head)
		abort();
	armed_fini(&armed);
	return 0;
}
