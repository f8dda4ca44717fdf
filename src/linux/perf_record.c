/* SPDX-License-Identifier: MIT */
/* Records of perf events (perf_record.h). */
#include "linux/perf_record.h"

#include <string.h>

#define FAULT_WORDS  6
#define ARMING_WORDS 5

/* The words behind the header; false: another number of them. */
static bool read_words(const struct perf_event_header *record, uint64_t *ret, size_t nr)
{
	if (record->type != PERF_RECORD_SAMPLE ||
	    record->size != sizeof(*record) + nr * sizeof(*ret))
		return false;
	memcpy(ret, record + 1, nr * sizeof(*ret));
	return true;
}

bool perf_fault_read(const struct perf_event_header *record, struct perf_fault *ret)
{
	uint64_t words[FAULT_WORDS];
	if (!read_words(record, words, FAULT_WORDS))
		return false;
	*ret = (struct perf_fault){
		.pid = (uint32_t)words[0],
		.tid = (uint32_t)(words[0] >> 32),
		.time_ns = words[1],
		.address = words[2],
		.cpu = (uint32_t)words[3],
		.was_accessible = words[4] != 0,
		.page_bytes = words[5],
	};
	return true;
}

bool perf_arming_read(const struct perf_event_header *record, struct perf_arming *ret)
{
	uint64_t words[ARMING_WORDS];
	if (!read_words(record, words, ARMING_WORDS) || words[2] != PERF_SAMPLE_REGS_ABI_64 ||
	    words[4] >= words[3])
		return false;
	*ret = (struct perf_arming){
		.pid = (uint32_t)words[0],
		.time_ns = words[1],
		.end = words[3],
		.start = words[4],
	};
	return true;
}

bool perf_fault_is_hint(const struct perf_fault *fault)
{
	return fault->page_bytes != 0 && !fault->was_accessible;
}
