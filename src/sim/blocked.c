/* SPDX-License-Identifier: MIT */
/* Blocked time per thread; blocked.h says what it is taken for. */
#include "sim/blocked.h"

#include <stdlib.h>

#include "sim/cost.h"

void blocked_time_fini(struct blocked_time *blocked)
{
	free(blocked->threads);
	*blocked = (struct blocked_time){ 0 };
}

static struct blocked_thread *find_thread(struct blocked_time *blocked, uint32_t space,
					  uint32_t thread)
{
	for (uint32_t i = 0; i < blocked->nr; i++) {
		uint32_t at = (blocked->last + i) % blocked->nr; /* mostly the one before */
		if (blocked->threads[at].space == space && blocked->threads[at].thread == thread) {
			blocked->last = at;
			return &blocked->threads[at];
		}
	}
	return NULL;
}

int blocked_time_add(struct blocked_time *blocked, uint32_t space, uint32_t thread,
		     uint64_t blocked_ns)
{
	struct blocked_thread *found = find_thread(blocked, space, thread);
	if (!found && blocked->nr == BLOCKED_THREADS_MAX) {
		blocked->overflow = true;
		return 0;
	}
	if (!found) {
		if (!blocked->threads)
			blocked->threads = calloc(BLOCKED_THREADS_MAX, sizeof(*blocked->threads));
		if (!blocked->threads)
			return -ENOMEM;
		blocked->last = blocked->nr++;
		found = &blocked->threads[blocked->last];
		*found = (struct blocked_thread){ .space = space, .thread = thread };
	}
	found->blocked_ns = cost_add(found->blocked_ns, blocked_ns);
	return 0;
}

uint64_t blocked_time_ns(const struct blocked_time *blocked)
{
	uint64_t least = UINT64_MAX;
	for (uint32_t i = 0; i < blocked->nr; i++)
		least = MIN(least, blocked->threads[i].blocked_ns);
	return blocked->nr == 0 || blocked->overflow ? 0 : least;
}
