/* SPDX-License-Identifier: MIT */
/* The consumer's side of ring.h. */
#include <linux/futex.h>
#include <string.h>

#include "trace/ring_words.h"

struct drain {
	struct lane *lane;
	struct trace_appender *appender;
	uint64_t at, end;
	int error; /* of the appender */
};

static uint64_t take(struct drain *drain)
{
	return words_of(drain->lane)[drain->at++ & INDEX_MASK];
}

static int drain_mapping(struct drain *drain, uint64_t first)
{
	static char name[RING_NAME_BYTES + 8]; /* one consumer per process */
	size_t len = first & 0xffffff;
	struct trace_mapping mapping = { .op = (first >> DETAIL_SHIFT) & 0xff };
	if (len > RING_NAME_BYTES || mapping.op > TRACE_PROTECT ||
	    drain->end - drain->at < 6 + (len + 7) / 8)
		return -EBADMSG;
	mapping.time_ns = take(drain);
	mapping.page = take(drain);
	mapping.nr_pages = take(drain);
	mapping.from_page = take(drain);
	mapping.detail = take(drain);
	uint64_t last = take(drain);
	mapping.protection = (uint32_t)(last >> 32);
	mapping.thread = (uint32_t)last;
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = take(drain);
		memcpy(name + at, &word, sizeof(word));
	}
	name[len] = '\0';
	mapping.name = name;
	if (drain->appender && !drain->error)
		drain->error = trace_append_mapping(drain->appender, &mapping);
	return 0;
}

static int drain_small(struct drain *drain, uint64_t first, unsigned kind)
{
	static const uint8_t nr_more[] = {
		[KIND_ACCESS] = 1, [KIND_COUNT] = 2, [KIND_BLOCKED] = 2, [KIND_NODE] = 2
	};
	if (drain->end - drain->at < nr_more[kind])
		return -EBADMSG;
	uint64_t ticks = take(drain);
	uint64_t more = nr_more[kind] > 1 ? take(drain) : 0;
	if (!drain->appender || drain->error)
		return 0;
	if (kind == KIND_ACCESS)
		drain->error = trace_append_access(drain->appender, ticks, first & PAGE_MASK,
						   (uint8_t)(first >> DETAIL_SHIFT),
						   drain->lane->consumer_thread);
	else if (kind == KIND_COUNT)
		drain->error = trace_append_count(drain->appender, ticks, first & PAGE_MASK,
						  (uint32_t)(more >> 32), (uint32_t)more);
	else if (kind == KIND_NODE)
		drain->error = trace_append_node(drain->appender, ticks, first & PAGE_MASK,
						 (uint32_t)more);
	else
		drain->error = trace_append_blocked(drain->appender, ticks, (uint32_t)first, more);
	return 0;
}

static int drain_record(struct drain *drain)
{
	uint64_t first = take(drain);
	unsigned kind = (unsigned)(first >> KIND_SHIFT);
	switch (kind) {
	case KIND_THREAD:
		drain->lane->consumer_thread = (uint32_t)first;
		return 0;
	case KIND_ACCESS:
	case KIND_COUNT:
	case KIND_BLOCKED:
	case KIND_NODE:
		return drain_small(drain, first, kind);
	case KIND_MAPPING:
		return drain_mapping(drain, first);
	default:
		return -EBADMSG;
	}
}

bool ring_has_words(struct lane *lane)
{
	return __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE) != lane->tail;
}

int ring_drain(struct recording *recording, struct lane *lane, struct trace_appender *appender)
{
	struct drain drain = { .lane = lane, .appender = appender, .at = lane->tail };
	drain.end = __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE);
	int error = drain.end - drain.at > RING_WORDS ? -EBADMSG : 0;
	while (!error && drain.at != drain.end) {
		error = drain_record(&drain);
		lane->nr_records++;
		/* Room is given back early, so that the producer need not wait for the whole. */
		if ((drain.at & ~(INDEX_MASK >> 3)) != (lane->tail & ~(INDEX_MASK >> 3)))
			__atomic_store_n(&lane->tail, drain.at, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&lane->tail, drain.end, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&lane->wanted, 0, __ATOMIC_SEQ_CST))
		ring_futex(&lane->wanted, FUTEX_WAKE, 1, 0);
	(void)recording;
	return error ? error : drain.error;
}
