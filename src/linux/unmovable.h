/* SPDX-License-Identifier: MIT */
/*
 * Pages that could not be moved, so that they are not tried again and again, and what they are:
 * pinned, shared, locked, of a device. Each failure doubles the time until the next try.
 *
 *     (space, block of 512 pages) -> failures, not before     open addressing, 40 bytes each
 *                                      |
 *                                      +-- a byte per page: its kind, 0 when it can be moved
 *
 * A block is 2 MiB, as memory is pinned and shared by the buffer: its pages wait together.
 *
 * Cost: 640 KiB of records, untouched until they are used, and 512 bytes per block that has some;
 * 5 MiB at most. Bounded: when it is full, all are forgotten; each is then tried once more and
 * comes back.
 *
 * The kinds are told apart by /proc/kpageflags and kpagecount. Flags: Documentation/admin-guide/
 * mm/pagemap.rst, include/uapi/linux/kernel-page-flags.h (6.12).
 */
#ifndef BERTH_LINUX_UNMOVABLE_H
#define BERTH_LINUX_UNMOVABLE_H

#include "base/types.h"

#define UNMOVABLE_MAX	     16384 /* blocks, a power of two; half of it is used */
#define UNMOVABLE_FIRST_NS   NS_PER_S
#define UNMOVABLE_LAST	     10 /* doublings: 17 minutes */
#define UNMOVABLE_PAGES_BITS 9
#define UNMOVABLE_PAGES	     (1u << UNMOVABLE_PAGES_BITS) /* of a block */

enum unmovable_kind {
	UNMOVABLE_NONE,
	UNMOVABLE_PINNED,  /* referred to from elsewhere in the kernel: a device's, io_uring's */
	UNMOVABLE_SHARED,  /* mapped by another process too */
	UNMOVABLE_LOCKED,  /* mlocked, and held by something else: locking alone does not */
	UNMOVABLE_HUGETLB, /* of the huge page pool: the other node's pool has none */
	UNMOVABLE_DEVICE,  /* mapped memory that is not the process's: DMA-BUF, a device */
	UNMOVABLE_WRITING, /* a file's, being written or not yet */
	UNMOVABLE_DENIED,  /* its cpuset does not allow the node, or the call is not permitted */
	UNMOVABLE_OTHER,   /* what it is cannot be told: /proc/kpageflags is not there */
	UNMOVABLE_NR_KINDS,
};
extern const char *const unmovable_kind_names[]; /* "pinned", ...; NULL-terminated */

struct unmovable_block {
	uint8_t *kinds; /* [page of the block]; NULL: the record is empty */
	uint64_t block, until_ns;
	uint32_t space;
	uint32_t nr_failures, nr_pages;
};

struct unmovable {
	struct unmovable_block *blocks; /* UNMOVABLE_MAX of them */
	uint32_t nr;
	uint64_t nr_pages[UNMOVABLE_NR_KINDS]; /* known to be so now */
};

int unmovable_init(struct unmovable *unmovable);
void unmovable_fini(struct unmovable *unmovable);
/* Without memory for it, it is not remembered. */
void unmovable_note(struct unmovable *unmovable, uint32_t space, uint64_t page,
		    enum unmovable_kind kind, uint64_t now_ns);
/* It moved after all, or is gone. */
void unmovable_forget(struct unmovable *unmovable, uint32_t space, uint64_t page);
/* Is it too early to try it again? */
bool unmovable_is_held(const struct unmovable *unmovable, uint32_t space, uint64_t page,
		       uint64_t now_ns);
bool unmovable_is_valid(const struct unmovable *unmovable);

/* What a page that was refused is. */
enum unmovable_kind unmovable_kind_of(uint64_t kpageflags, uint64_t nr_mapped);

#endif
