/* SPDX-License-Identifier: MIT */
/*
 * The words of a ring (ring.h), for its two sides only. Records start with a word whose top four
 * bits are the kind:
 *
 *     ACCESS   kind | flags << 48 | page,   ticks
 *     THREAD   kind | thread                      (of the accesses that follow)
 *     COUNT    kind | page,   epoch ticks,   loads << 32 | stores
 *     BLOCKED  kind | thread, ticks, ns
 *     NODE     kind | page,   ticks,   node
 *     MAPPING  kind | op << 48 | bytes of name,  ticks, page, nr_pages, from_page, detail,
 *              protection << 32 | thread,  name ...
 *
 * The producer publishes `head` after the words (release), the consumer `tail` after reading them:
 * a process killed in the middle of a record leaves whole records.
 */
#ifndef BERTH_TRACE_RING_WORDS_H
#define BERTH_TRACE_RING_WORDS_H

#include "trace/ring.h"

enum { KIND_ACCESS = 1, KIND_THREAD, KIND_COUNT, KIND_BLOCKED, KIND_MAPPING, KIND_NODE };

#define KIND_SHIFT   60
#define DETAIL_SHIFT 48
#define PAGE_MASK    (((uint64_t)1 << 45) - 1)
#define INDEX_MASK   (RING_WORDS - 1)

static inline uint64_t *words_of(struct lane *lane)
{
	return (uint64_t *)((char *)lane + 4096);
}

void ring_futex(uint32_t *word, int operation, uint32_t value, uint64_t timeout_ns);

#endif
