/* SPDX-License-Identifier: MIT */
/*
 * One number for (space, page), so that tables of pages of many spaces sort and hash as one.
 *
 *     63        48 47                                     0
 *     |   space   |   page number, as if sign-extended    |
 *
 * 48 bits of page number are 60 bits of address: more than any machine has, and the kernel's half
 * of the addresses survives because it is a sign extension. Spaces from 65,535 on share the last.
 */
#ifndef BERTH_MEM_KEY_H
#define BERTH_MEM_KEY_H

#include "base/types.h"

#define MEM_PAGE_BITS 48
#define MEM_PAGE_MASK (((uint64_t)1 << MEM_PAGE_BITS) - 1)

static inline uint64_t mem_key(uint32_t space, uint64_t page)
{
	return (uint64_t)MIN(space, UINT32_C(0xffff)) << MEM_PAGE_BITS | (page & MEM_PAGE_MASK);
}

static inline uint32_t mem_key_space(uint64_t key)
{
	return (uint32_t)(key >> MEM_PAGE_BITS);
}

static inline uint64_t mem_key_page(uint64_t key)
{
	return (uint64_t)((int64_t)(key << (64 - MEM_PAGE_BITS)) >> (64 - MEM_PAGE_BITS));
}

/* Mixes all bits into the high ones (Fibonacci hashing); take the top `bits`. */
static inline uint32_t mem_hash(uint64_t key, unsigned bits)
{
	key ^= key >> 29;
	return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits));
}

#endif
