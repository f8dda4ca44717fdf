/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include <string.h>
#include <sys/mman.h>

#define LEAF_BYTES (PAGES_LEAF * sizeof(struct page))

struct page *pages_grow(struct pages *pages, uint64_t number)
{
	struct page *leaf = mmap(NULL, LEAF_BYTES, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (leaf == MAP_FAILED)
		return NULL;
	pages->leaves[number >> PAGES_LEAF_SHIFT] = leaf;
	return &leaf[number & (PAGES_LEAF - 1)];
}

/* Part of one leaf. A large part goes back to the kernel, the odd bytes at its ends aside. */
static void forget_in_leaf(struct page *leaf, uint64_t first, uint64_t nr)
{
	char *start = (char *)&leaf[first], *end = (char *)&leaf[first + nr];
	char *inner_start = (char *)(((uintptr_t)start + 4095) & ~(uintptr_t)4095);
	char *inner_end = (char *)((uintptr_t)end & ~(uintptr_t)4095);
	if (inner_end < inner_start + 16 * 4096) {
		memset(start, 0, (size_t)(end - start));
		return;
	}
	memset(start, 0, (size_t)(inner_start - start));
	memset(inner_end, 0, (size_t)(end - inner_end));
	madvise(inner_start, (size_t)(inner_end - inner_start), MADV_DONTNEED);
}

void pages_forget(struct pages *pages, uint64_t first, uint64_t nr)
{
	uint64_t end = MIN(first + nr, (uint64_t)1 << PAGES_BITS);
	while (first < end) {
		struct page *leaf = pages->leaves[first >> PAGES_LEAF_SHIFT];
		uint64_t at = first & (PAGES_LEAF - 1);
		uint64_t part = MIN(end - first, PAGES_LEAF - at);
		if (leaf)
			forget_in_leaf(leaf, at, part);
		first += part;
	}
}

void pages_move(struct pages *pages, uint64_t from, uint64_t to, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		struct page *leaf = pages->leaves[(from + i) >> PAGES_LEAF_SHIFT];
		struct page *old = leaf ? &leaf[(from + i) & (PAGES_LEAF - 1)] : NULL;
		struct page *new = old && old->frame ? pages_get(pages, to + i) : NULL;
		if (!new)
			continue;
		*new = *old;
		*old = (struct page){ 0 };
	}
}

void pages_fini(struct pages *pages)
{
	for (size_t i = 0; i < PAGES_NR_LEAVES; i++)
		if (pages->leaves[i])
			munmap(pages->leaves[i], LEAF_BYTES);
	memset(pages, 0, sizeof(*pages));
}
