/* SPDX-License-Identifier: MIT */
/*
 * Two questions about an x86-64 instruction, answered from its bytes:
 *
 * - Does it surely access memory, exactly once in this direction, whenever it completes? Then its
 *   memory callback can count the block's instructions, and no callback of the block's own is
 *   needed. "No" is always safe; a wrong "yes" would miscount the clock.
 * - How many bytes does each of its accesses have at most? Then an aligned access near the end of
 *   a line need not be taken for one that crosses it. "8" (the most one QEMU access has) is always
 *   safe.
 *
 * Only the common plain instructions are known; follows the opcode maps of Intel's manual,
 * volume 2, appendix A. tests/cli/record_clock.sh compares the resulting clock with QEMU's own
 * count of instructions over real programs.
 */
#ifndef BERTH_RECORDER_DECODE_H
#define BERTH_RECORDER_DECODE_H

#include "base/types.h"

enum decoded_access { ACCESS_UNSURE, ACCESS_LOAD, ACCESS_STORE };

struct decoded {
	enum decoded_access sure; /* the first access of it, when there surely is one */
	unsigned max_bytes;	  /* 1, 4, or DECODED_MAX_BYTES */
};

#define DECODED_MAX_BYTES 8

struct decoded decode(const uint8_t *bytes, size_t nr_bytes);

#endif
