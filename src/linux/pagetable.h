/* SPDX-License-Identifier: MIT */
/*
 * Walking a process's x86-64 page tables as they lie in memory, without stopping it.
 *
 *     pgd -> (p4d) -> pud -> pmd -> pte        512 entries of 8 bytes each; an entry of the last
 *                       \      \               level, or one with PS above it, maps 2^order pages
 *                        1 GiB  2 MiB
 *
 * A table is read whole, once per walk, into one buffer per level. It may be freed and used for
 * something else while it is read: entries that do not point to memory are passed over by the
 * reader's refusal, and what else comes of it is one wrong bit.
 *
 * Cost: one read of 4 KiB per 2 MiB of mapped memory, 24 KiB of buffers.
 * Follows arch/x86/include/asm/pgtable_types.h and pgtable-invert.h (6.12).
 */
#ifndef BERTH_LINUX_PAGETABLE_H
#define BERTH_LINUX_PAGETABLE_H

#include "base/types.h"

#define PAGETABLE_LEVELS  5
#define PAGETABLE_ENTRIES 512
#define PAGETABLE_NONE	  UINT64_MAX

struct pagetable_page { /* what one entry maps */
	uint64_t page;	/* virtual, in pages; the first of the entry */
	uint64_t frame; /* physical, in pages */
	unsigned order; /* 0, 9 or 18 */
	bool is_accessed, is_written;
};

struct pagetable_reader {
	/* 0, or negative when there is no such memory: the entry is passed over. */
	int (*read)(void *context, uint64_t physical, void *ret, size_t nr_bytes);
	void *context;
};

struct pagetable {
	struct pagetable_reader reader;
	uint64_t root;			 /* physical address of the first table */
	unsigned levels;		 /* 4 or 5 */
	uint64_t held[PAGETABLE_LEVELS]; /* physical address of what the buffer holds, or NONE */
	uint64_t entries[PAGETABLE_LEVELS][PAGETABLE_ENTRIES];
};

/* Forgets what was read before; every walk begins with it. */
void pagetable_begin(struct pagetable *table, const struct pagetable_reader *reader, uint64_t root,
		     unsigned levels);
/* Visits what is mapped in [first, end), virtual pages, ascending, until `visit` returns false.
 * Returns the page where it goes on: `end`, or the first one of what was refused. */
uint64_t pagetable_walk(struct pagetable *table, uint64_t first, uint64_t end,
			bool (*visit)(void *context, const struct pagetable_page *page),
			void *context);

#endif
