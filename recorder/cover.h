/* SPDX-License-Identifier: MIT */
/*
 * Which accesses of a block need not be looked at, because others of the same block touch the same
 * lines whenever it runs.
 *
 *     push %rbp      -8(%rsp0)   kept            mov 8(%rdi),%rax    kept
 *     push %rbx     -16(%rsp0)   covered         mov 16(%rdi),%rcx   covered
 *     call f        -24(%rsp0)   kept            mov 24(%rdi),%rdx   kept
 *
 * An access is known by its base register's value (numbered anew whenever something writes the
 * register) and an offset from it. It is covered by one other that contains it, or by two whose
 * bytes, from the first of one to the last of the other, span at most a line's length plus one and
 * hold its own: whatever the base, they then touch every line that it touches. Loads are covered
 * by loads, or by stores before them; stores by stores. So a block touches and misses exactly the
 * same lines; only their order within the block may differ.
 *
 * Why: a call for every access is most of what recording costs, and a third of all accesses are
 * pushes, pops and neighbours. Cost: quadratic in the accesses of a block, at most COVER_MAX.
 */
#ifndef BERTH_RECORDER_COVER_H
#define BERTH_RECORDER_COVER_H

#include "decode.h"

#define COVER_MAX 48 /* accesses of a block that are compared; further ones are kept */

struct cover_access {
	uint16_t instruction;
	uint8_t base;
	uint8_t may;	     /* enum decoded_access bits */
	uint32_t version;    /* of the base's value */
	int64_t first, last; /* bytes, relative to that value */
	bool is_covered, is_needed;
};

struct cover {
	struct cover_access accesses[COVER_MAX];
	uint32_t nr;
	uint32_t versions[OPERAND_NR_BASES];
	uint32_t last_version;
	int64_t stack; /* what the stack pointer is relative to its last unknown value */
};

void cover_init(struct cover *cover);
/* The instructions in their order; `end`: address of the byte after it. */
void cover_add(struct cover *cover, unsigned instruction, const uint8_t *bytes, size_t nr_bytes,
	       uint64_t end, const struct decoded *decoded);
/* Marks the covered ones; afterwards cover_has() tells. */
void cover_solve(struct cover *cover);
bool cover_has(const struct cover *cover, unsigned instruction);

#endif
