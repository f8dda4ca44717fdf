/* SPDX-License-Identifier: MIT */
/*
 * Pages that could not be moved, so that they are not tried again and again: pinned, shared,
 * locked, of a device. Each failure doubles the time until the next try.
 *
 *     (space, page) -> failures, not before        open addressing, 32 bytes each
 *
 * Bounded: when it is full, all are forgotten; each is then tried once more and comes back.
 */
#ifndef BERTH_LINUX_UNMOVABLE_H
#define BERTH_LINUX_UNMOVABLE_H

#include "base/types.h"

#define UNMOVABLE_MAX	   16384 /* a power of two; half of it is used */
#define UNMOVABLE_FIRST_NS NS_PER_S
#define UNMOVABLE_LAST	   10 /* doublings: 17 minutes */

struct unmovable_page {
	uint64_t page, until_ns;
	uint32_t space;
	uint32_t nr_failures; /* 0: empty */
};

struct unmovable {
	struct unmovable_page *pages; /* UNMOVABLE_MAX of them */
	uint32_t nr;
};

int unmovable_init(struct unmovable *unmovable);
void unmovable_fini(struct unmovable *unmovable);
void unmovable_note(struct unmovable *unmovable, uint32_t space, uint64_t page, uint64_t now_ns);
/* It moved after all, or is gone. */
void unmovable_forget(struct unmovable *unmovable, uint32_t space, uint64_t page);
/* Is it too early to try it again? */
bool unmovable_is_held(const struct unmovable *unmovable, uint32_t space, uint64_t page,
		       uint64_t now_ns);

#endif
