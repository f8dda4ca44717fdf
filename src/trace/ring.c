/* SPDX-License-Identifier: MIT */
/* The producer's side of ring.h, and what both sides wait with. Linked into the recorder. */
#include "trace/ring_words.h"

#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS ((uint64_t)50 * NS_PER_MS) /* between looks whether the writer still lives */

struct lane *ring_lane(struct recording *recording, uint32_t number)
{
	return (struct lane *)((char *)recording + RING_HEAD_BYTES + number * RING_LANE_BYTES);
}

struct lane *ring_claim(struct recording *recording, uint32_t parent, int32_t pid,
			uint32_t *ret_number)
{
	uint32_t number = __atomic_fetch_add(&recording->nr_lanes, 1, __ATOMIC_ACQ_REL);
	if (number >= RING_MAX_LANES)
		return NULL;
	struct lane *lane = ring_lane(recording, number);
	lane->pid = pid;
	lane->parent = parent;
	__atomic_store_n(&lane->state, LANE_RUNNING, __ATOMIC_RELEASE);
	*ret_number = number;
	return lane;
}

void ring_futex(uint32_t *word, int operation, uint32_t value, uint64_t timeout_ns)
{
	struct timespec timeout = { .tv_sec = (time_t)(timeout_ns / NS_PER_S),
				    .tv_nsec = (long)(timeout_ns % NS_PER_S) };
	int saved = errno;
	syscall(SYS_futex, word, operation, value, &timeout, NULL, 0);
	errno = saved;
}

void ring_wake_writer(struct recording *recording)
{
	__atomic_fetch_add(&recording->wake, 1, __ATOMIC_RELEASE);
	ring_futex(&recording->wake, FUTEX_WAKE, 1, 0);
}

void ring_wait(struct recording *recording, uint32_t seen_wake, uint64_t timeout_ns)
{
	ring_futex(&recording->wake, FUTEX_WAIT, seen_wake, timeout_ns);
}

void ring_producer_init(struct ring_producer *producer, struct recording *recording,
			struct lane *lane)
{
	*producer = (struct ring_producer){ .recording = recording, .lane = lane };
	if (!lane) {
		producer->is_dead = true;
		return;
	}
	producer->head = lane->head;
	producer->free_until = lane->tail + RING_WORDS;
}

static bool writer_is_gone(struct recording *recording)
{
	if (__atomic_load_n(&recording->is_stopped, __ATOMIC_RELAXED) || recording->has_writer_gone)
		return true;
	int saved = errno;
	recording->has_writer_gone = kill(recording->writer_pid, 0) < 0 && errno == ESRCH;
	errno = saved;
	return recording->has_writer_gone;
}

/* Waits for room for the largest record; sets is_dead when there will never be any. */
static void make_room(struct ring_producer *producer)
{
	struct lane *lane = producer->lane;
	for (;;) {
		uint64_t tail = __atomic_load_n(&lane->tail, __ATOMIC_ACQUIRE);
		producer->free_until = tail + RING_WORDS;
		if (producer->free_until - producer->head >= RING_RECORD_MAX)
			break;
		__atomic_store_n(&lane->wanted, 1, __ATOMIC_SEQ_CST);
		ring_wake_writer(producer->recording);
		if (__atomic_load_n(&lane->tail, __ATOMIC_SEQ_CST) == tail)
			ring_futex(&lane->wanted, FUTEX_WAIT, 1, WAIT_NS);
		if (writer_is_gone(producer->recording)) {
			producer->is_dead = true;
			return;
		}
	}
	/* Look again at half of what is free: that is also when the writer is woken early. */
	uint64_t nr_free = producer->free_until - producer->head;
	if (nr_free < RING_WORDS / 2)
		ring_wake_writer(producer->recording);
	if (nr_free > RING_WORDS / 2)
		producer->free_until -= nr_free / 2;
}

static bool has_room(struct ring_producer *producer)
{
	if (likely(producer->free_until - producer->head >= RING_RECORD_MAX &&
		   producer->free_until > producer->head))
		return true;
	if (!producer->is_dead)
		make_room(producer);
	return !producer->is_dead;
}

static inline void put(struct ring_producer *producer, uint64_t word)
{
	words_of(producer->lane)[producer->head++ & INDEX_MASK] = word;
}

static inline void publish(struct ring_producer *producer)
{
	__atomic_store_n(&producer->lane->head, producer->head, __ATOMIC_RELEASE);
}

void ring_put_access(struct ring_producer *producer, uint64_t ticks, uint64_t page, uint8_t flags,
		     uint32_t thread)
{
	if (!has_room(producer))
		return;
	if (unlikely(thread != producer->thread)) {
		put(producer, (uint64_t)KIND_THREAD << KIND_SHIFT | thread);
		producer->thread = thread;
	}
	put(producer, (uint64_t)KIND_ACCESS << KIND_SHIFT | (uint64_t)flags << DETAIL_SHIFT | page);
	put(producer, ticks);
	publish(producer);
}

void ring_put_count(struct ring_producer *producer, uint64_t epoch_ticks, uint64_t page,
		    uint32_t loads, uint32_t stores)
{
	if (!has_room(producer))
		return;
	put(producer, (uint64_t)KIND_COUNT << KIND_SHIFT | page);
	put(producer, epoch_ticks);
	put(producer, (uint64_t)loads << 32 | stores);
	publish(producer);
}

void ring_put_blocked(struct ring_producer *producer, uint64_t ticks, uint32_t thread,
		      uint64_t blocked_ns)
{
	if (!has_room(producer))
		return;
	put(producer, (uint64_t)KIND_BLOCKED << KIND_SHIFT | thread);
	put(producer, ticks);
	put(producer, blocked_ns);
	publish(producer);
}

void ring_put_node(struct ring_producer *producer, uint64_t ticks, uint64_t page, uint32_t node)
{
	if (!has_room(producer))
		return;
	put(producer, (uint64_t)KIND_NODE << KIND_SHIFT | page);
	put(producer, ticks);
	put(producer, node);
	publish(producer);
}

void ring_put_mapping(struct ring_producer *producer, const struct trace_mapping *mapping)
{
	size_t len = mapping->name ? strnlen(mapping->name, RING_NAME_BYTES) : 0;
	if (!has_room(producer))
		return;
	put(producer,
	    (uint64_t)KIND_MAPPING << KIND_SHIFT | (uint64_t)mapping->op << DETAIL_SHIFT | len);
	put(producer, mapping->time_ns);
	put(producer, mapping->page);
	put(producer, mapping->nr_pages);
	put(producer, mapping->from_page);
	put(producer, mapping->detail);
	put(producer, (uint64_t)mapping->protection << 32 | mapping->thread);
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = 0;
		memcpy(&word, mapping->name + at, MIN(len - at, sizeof(word)));
		put(producer, word);
	}
	publish(producer);
}
