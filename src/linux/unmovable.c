/* SPDX-License-Identifier: MIT */
/* Remembering what cannot be moved (unmovable.h). */
#include "linux/unmovable.h"

#include <linux/kernel-page-flags.h>
#include <stdlib.h>
#include <string.h>

/* Of /proc/kpageflags, too, but in the kernel's own header only. */
#define KPF_RESERVED 32
#define KPF_MLOCKED  33

const char *const unmovable_kind_names[] = { "movable", "pinned",  "shared", "locked", "hugetlb",
					     "device",	"writing", "denied", "other",  NULL };

static bool has(uint64_t flags, unsigned flag)
{
	return flags >> flag & 1;
}

/* Huge pages first: their count is not of pages. What is written back belongs to a file; the rest
 * of what nobody else maps is held by a reference of the kernel. */
enum unmovable_kind unmovable_kind_of(uint64_t kpageflags, uint64_t nr_mapped)
{
	bool is_file = !has(kpageflags, KPF_ANON) && !has(kpageflags, KPF_SWAPBACKED);
	if (has(kpageflags, KPF_HUGE))
		return UNMOVABLE_HUGETLB;
	if (has(kpageflags, KPF_NOPAGE) || has(kpageflags, KPF_RESERVED))
		return UNMOVABLE_DEVICE;
	if (nr_mapped > 1)
		return UNMOVABLE_SHARED;
	if (has(kpageflags, KPF_MLOCKED))
		return UNMOVABLE_LOCKED;
	if (has(kpageflags, KPF_WRITEBACK) || (is_file && has(kpageflags, KPF_DIRTY)))
		return UNMOVABLE_WRITING;
	return UNMOVABLE_PINNED;
}

int unmovable_init(struct unmovable *unmovable)
{
	*unmovable = (struct unmovable){ .blocks = calloc(UNMOVABLE_MAX,
							  sizeof(*unmovable->blocks)) };
	return unmovable->blocks ? 0 : -ENOMEM;
}

static void forget_all(struct unmovable *unmovable)
{
	for (uint32_t i = 0; unmovable->nr > 0 && i < UNMOVABLE_MAX; i++)
		free(unmovable->blocks[i].kinds);
	memset(unmovable->nr_pages, 0, sizeof(unmovable->nr_pages));
	unmovable->nr = 0;
}

void unmovable_fini(struct unmovable *unmovable)
{
	if (unmovable->blocks)
		forget_all(unmovable);
	free(unmovable->blocks);
	*unmovable = (struct unmovable){ 0 };
}

/* Its record, or the empty one where it would be: half of them are. */
static struct unmovable_block *find(const struct unmovable *unmovable, uint32_t space,
				    uint64_t block)
{
	uint64_t key = block * 0x9e3779b97f4a7c15u ^ space * 0xc2b2ae3d27d4eb4fu;
	for (uint64_t at = key >> 32;; at++) {
		struct unmovable_block *found = &unmovable->blocks[at & (UNMOVABLE_MAX - 1)];
		if (!found->kinds || (found->block == block && found->space == space))
			return found;
	}
}

static struct unmovable_block *find_or_add(struct unmovable *unmovable, uint32_t space,
					   uint64_t block)
{
	struct unmovable_block *found = find(unmovable, space, block);
	if (found->kinds)
		return found;
	uint8_t *kinds = calloc(UNMOVABLE_PAGES, sizeof(*kinds));
	if (!kinds)
		return NULL;
	if (unmovable->nr >= UNMOVABLE_MAX / 2) {
		forget_all(unmovable);
		memset(unmovable->blocks, 0, UNMOVABLE_MAX * sizeof(*unmovable->blocks));
		found = find(unmovable, space, block);
	}
	*found = (struct unmovable_block){ .kinds = kinds, .block = block, .space = space };
	unmovable->nr++;
	return found;
}

/* Pages of a block that fail together are one failure. */
void unmovable_note(struct unmovable *unmovable, uint32_t space, uint64_t page,
		    enum unmovable_kind kind, uint64_t now_ns)
{
	struct unmovable_block *block = find_or_add(unmovable, space, page >> UNMOVABLE_PAGES_BITS);
	if (!block || kind == UNMOVABLE_NONE)
		return;
	uint8_t *known = &block->kinds[page & (UNMOVABLE_PAGES - 1)];
	if (*known)
		unmovable->nr_pages[*known]--;
	else
		block->nr_pages++;
	*known = (uint8_t)kind;
	unmovable->nr_pages[kind]++;
	if (now_ns < block->until_ns)
		return;
	block->until_ns = now_ns + (UNMOVABLE_FIRST_NS << MIN(block->nr_failures, UNMOVABLE_LAST));
	if (block->nr_failures < UINT32_MAX)
		block->nr_failures++;
}

/* The record stays, so that others behind it are still found; when all its pages are forgotten its
 * next failure counts as a first. */
void unmovable_forget(struct unmovable *unmovable, uint32_t space, uint64_t page)
{
	struct unmovable_block *block = find(unmovable, space, page >> UNMOVABLE_PAGES_BITS);
	uint8_t *known = block->kinds ? &block->kinds[page & (UNMOVABLE_PAGES - 1)] : NULL;
	if (!known || !*known)
		return;
	unmovable->nr_pages[*known]--;
	*known = UNMOVABLE_NONE;
	if (--block->nr_pages == 0)
		block->until_ns = block->nr_failures = 0;
}

bool unmovable_is_held(const struct unmovable *unmovable, uint32_t space, uint64_t page,
		       uint64_t now_ns)
{
	const struct unmovable_block *block = find(unmovable, space, page >> UNMOVABLE_PAGES_BITS);
	return block->kinds && now_ns < block->until_ns &&
	       block->kinds[page & (UNMOVABLE_PAGES - 1)] != UNMOVABLE_NONE;
}

bool unmovable_is_valid(const struct unmovable *unmovable)
{
	uint64_t counts[UNMOVABLE_NR_KINDS] = { 0 };
	uint32_t nr = 0;
	for (uint32_t i = 0; i < UNMOVABLE_MAX; i++) {
		const struct unmovable_block *block = &unmovable->blocks[i];
		uint32_t nr_pages = 0;
		nr += block->kinds != NULL;
		for (uint32_t j = 0; block->kinds && j < UNMOVABLE_PAGES; j++) {
			if (block->kinds[j] >= UNMOVABLE_NR_KINDS)
				return false;
			counts[block->kinds[j]]++;
			nr_pages += block->kinds[j] != UNMOVABLE_NONE;
		}
		if (nr_pages != block->nr_pages ||
		    (block->kinds && find(unmovable, block->space, block->block) != block))
			return false;
	}
	counts[UNMOVABLE_NONE] = 0;
	return nr == unmovable->nr && memcmp(counts, unmovable->nr_pages, sizeof(counts)) == 0;
}
