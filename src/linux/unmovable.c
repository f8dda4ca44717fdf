/* SPDX-License-Identifier: MIT */
/* Remembering what cannot be moved (unmovable.h). */
#include "linux/unmovable.h"

#include <stdlib.h>
#include <string.h>

int unmovable_init(struct unmovable *unmovable)
{
	*unmovable = (struct unmovable){ .pages = calloc(UNMOVABLE_MAX,
							 sizeof(*unmovable->pages)) };
	return unmovable->pages ? 0 : -ENOMEM;
}

void unmovable_fini(struct unmovable *unmovable)
{
	free(unmovable->pages);
	*unmovable = (struct unmovable){ 0 };
}

/* Its record, or the empty one where it would be. */
static struct unmovable_page *find(const struct unmovable *unmovable, uint32_t space, uint64_t page)
{
	uint64_t key = page * 0x9e3779b97f4a7c15u ^ space * 0xc2b2ae3d27d4eb4fu;
	for (uint64_t at = key >> 32;; at++) {
		struct unmovable_page *found = &unmovable->pages[at & (UNMOVABLE_MAX - 1)];
		if (found->nr_failures == 0 || (found->page == page && found->space == space))
			return found;
	}
}

void unmovable_note(struct unmovable *unmovable, uint32_t space, uint64_t page, uint64_t now_ns)
{
	struct unmovable_page *found = find(unmovable, space, page);
	if (found->nr_failures == 0 && unmovable->nr >= UNMOVABLE_MAX / 2) {
		memset(unmovable->pages, 0, UNMOVABLE_MAX * sizeof(*unmovable->pages));
		unmovable->nr = 0;
		found = find(unmovable, space, page);
	}
	if (found->nr_failures == 0)
		unmovable->nr++;
	found->page = page;
	found->space = space;
	found->until_ns = now_ns + (UNMOVABLE_FIRST_NS << MIN(found->nr_failures, UNMOVABLE_LAST));
	if (found->nr_failures < UINT32_MAX)
		found->nr_failures++;
}

/* The record stays, so that others behind it are still found; its next failure counts as a first.
 */
void unmovable_forget(struct unmovable *unmovable, uint32_t space, uint64_t page)
{
	struct unmovable_page *found = find(unmovable, space, page);
	if (found->nr_failures == 0)
		return;
	found->nr_failures = 1;
	found->until_ns = 0;
}

bool unmovable_is_held(const struct unmovable *unmovable, uint32_t space, uint64_t page,
		       uint64_t now_ns)
{
	const struct unmovable_page *found = find(unmovable, space, page);
	return found->nr_failures > 0 && now_ns < found->until_ns;
}
