/* SPDX-License-Identifier: MIT */
/*
 * Events on their way from a recorded process to the one that writes the recording.
 *
 * One shared memory file (a memfd that `berth record` makes and the recorder maps): a head, then
 * one lane per process, each a ring of 64-bit words with a single producer (the recorded process,
 * under its own lock) and a single consumer (berth record).
 *
 *     struct recording | lane 0: struct lane, words ... | lane 1 | ...      (sparse)
 *
 * Why shared memory and not a file that the recorded process writes: it shares descriptors, limits
 * and fate with its guest. What is in a lane survives a guest that closes every descriptor, changes
 * root or user, sets a file size limit, or is killed; packing runs on another CPU; and nothing but
 * stores and, at a full ring, a futex wait happens inside the guest's process.
 *
 * Cost: two words per access event, about 2 ns; 1 MiB of address space per process, memory for
 * what is used.
 */
#ifndef BERTH_TRACE_RING_H
#define BERTH_TRACE_RING_H

#include "trace/writer.h"

#define RING_WORDS	((uint64_t)1 << 17) /* a power of two */
#define RING_MAX_LANES	4096
#define RING_PATH_BYTES 1024
#define RING_VERSION	2
#define RING_NAME_BYTES 4096 /* longest name in a mapping record, cut beyond */
#define RING_RECORD_MAX (8 + RING_NAME_BYTES / 8)

/* In the lab: what the kernel did to place memory, which the recording's clock leaves out
 * (lab/latency/work.h), and where and when fragmentation raised a node's watermarks. */
#define RING_MAX_WORKS	8
#define RING_MAX_BOOSTS 256
struct ring_work {
	uint64_t nr, ticks;
};
struct ring_boost {
	uint64_t ticks;
	uint32_t node;
};

/* What the recorder is told, and what all recorded processes share. */
struct recording {
	uint32_t version;
	uint32_t streams; /* enum trace_stream bits */
	uint64_t interval_ticks;
	uint64_t cache_bytes;
	uint32_t cache_ways;
	int32_t writer_pid;
	uint32_t has_writer_gone; /* set by a producer that found writer_pid dead */
	uint32_t is_stopped;	  /* set by the writer: record nothing more */
	uint32_t nr_lanes;	  /* lanes claimed, may pass RING_MAX_LANES: those are lost */
	uint32_t wake;		  /* futex: producers add 1 when a lane fills or a process ends */
	uint32_t exact_clock;	  /* count instructions only by callbacks at block starts (tests) */
	uint64_t clock;		  /* ticks of the furthest process */
	uint64_t nr_references;	  /* counted where every access is seen; else 0 */
	uint64_t first_lost_ticks;
	char program[RING_PATH_BYTES];	   /* of the guest, as found */
	char interpreter[RING_PATH_BYTES]; /* its dynamic loader, "" when static */
	struct ring_work works[RING_MAX_WORKS];
	struct ring_boost boosts[RING_MAX_BOOSTS];
	uint32_t nr_boosts; /* may pass RING_MAX_BOOSTS */
};

enum lane_state { LANE_FREE, LANE_RUNNING, LANE_ENDED };

struct lane {
	uint32_t state; /* enum lane_state */
	int32_t pid;
	uint32_t parent; /* lane of the parent, TRACE_NONE for the first */
	uint32_t nr_lost_threads;
	uint64_t ticks;		  /* of the process, as of its last interval or event */
	uint64_t head;		  /* words ever produced */
	uint64_t tail;		  /* words ever consumed */
	uint32_t wanted;	  /* futex: the producer waits while this is 1 */
	uint32_t consumer_thread; /* of the consumer's last THREAD record */
	uint64_t nr_records;	  /* consumed, for the progress line */
	uint32_t is_executing;	  /* inside execve: if the process ends so, exec succeeded */
	uint32_t exec_thread;
	char exec_path[RING_PATH_BYTES];
};

#define RING_LANE_BYTES ((uint64_t)4096 + RING_WORDS * 8)
#define RING_HEAD_BYTES ((uint64_t)4096 * 2)
#define RING_FILE_BYTES (RING_HEAD_BYTES + RING_MAX_LANES * RING_LANE_BYTES)

_Static_assert(sizeof(struct recording) <= RING_HEAD_BYTES, "the head must fit");
_Static_assert(sizeof(struct lane) <= 4096, "a lane's head must fit");

struct lane *ring_lane(struct recording *recording, uint32_t number);
/* The next free lane, NULL when there are none left (nr_lanes counts on). */
struct lane *ring_claim(struct recording *recording, uint32_t parent, int32_t pid,
			uint32_t *ret_number);

/* Producer. `waiting` ends when the writer died or stopped: then events are dropped. */
struct ring_producer {
	struct recording *recording;
	struct lane *lane;
	uint64_t head, free_until; /* may write words below free_until without looking */
	uint32_t thread;	   /* of the last THREAD record */
	bool is_dead;		   /* drop everything */
};

void ring_producer_init(struct ring_producer *producer, struct recording *recording,
			struct lane *lane);
void ring_put_access(struct ring_producer *producer, uint64_t ticks, uint64_t page, uint8_t flags,
		     uint32_t thread);
void ring_put_count(struct ring_producer *producer, uint64_t epoch_ticks, uint64_t page,
		    uint32_t loads, uint32_t stores);
void ring_put_blocked(struct ring_producer *producer, uint64_t ticks, uint32_t thread,
		      uint64_t blocked_ns);
void ring_put_node(struct ring_producer *producer, uint64_t ticks, uint64_t page, uint32_t node);
/* mapping->time_ns is ticks. */
void ring_put_mapping(struct ring_producer *producer, const struct trace_mapping *mapping);
void ring_wake_writer(struct recording *recording);

/* Consumer: what is there now, into the appender (NULL: thrown away). Bounded by what was there
 * at the call. A malformed record is -EBADMSG (the guest may have scribbled over it): the lane
 * then counts as ended. Else 0 or the appender's error, all words consumed. */
int ring_drain(struct recording *recording, struct lane *lane, struct trace_appender *appender);
bool ring_has_words(struct lane *lane);
/* Sleeps until a producer wakes or `timeout_ns` passed. */
void ring_wait(struct recording *recording, uint32_t seen_wake, uint64_t timeout_ns);

#endif
