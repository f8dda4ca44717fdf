/* SPDX-License-Identifier: MIT */
/* A ring of perf events, any bytes: where tail and head are, then the data. Faults and armings that
 * are read go to the times of armings; reading comes to its end. */
#include <stdlib.h>
#include <string.h>

#include "linux/armed.h"
#include "linux/perf_record.h"
#include "linux/ring.h"

#define RING_BYTES 1024
#define HEAD_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *context, const struct perf_event_header *record)
{
	struct armed *armed = context;
	struct perf_fault fault;
	struct perf_arming arming;
	if (perf_arming_read(record, &arming)) {
		if (arming.start >= arming.end)
			abort();
		armed_note(armed, arming.pid % 4, arming.start / 4096,
			   (arming.end - arming.start) / 4096 % 65536, arming.time_ns);
	}
	if (perf_fault_read(record, &fault) && perf_fault_is_hint(&fault))
		armed_take(armed, fault.pid % 4, fault.address / 4096, fault.time_ns);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[RING_RECORD_MAX] __attribute__((aligned(8)));
	uint64_t ring[RING_BYTES / 8] = { 0 };
	struct armed armed = { 0 };
	if (size < HEAD_BYTES || size > RING_BYTES + HEAD_BYTES)
		return 0;
	struct ring_bytes bytes = { .data = (const uint8_t *)ring,
				    .nr_bytes = RING_BYTES,
				    .tail = (uint64_t)(data[0] << 8 | data[1]) * 8,
				    .whole = whole };
	bytes.head = bytes.tail + MIN((uint64_t)(data[2] << 8 | data[3]) * 8, (uint64_t)RING_BYTES);
	memcpy(ring, data + HEAD_BYTES, size - HEAD_BYTES);
	ring_take(&bytes, take, &armed);
	if (bytes.tail != bytes.head)
		abort();
	armed_fini(&armed);
	return 0;
}
