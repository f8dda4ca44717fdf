/* SPDX-License-Identifier: MIT */
/*
 * Three questions about an x86-64 instruction, answered from its bytes:
 *
 * - Which directions can it access memory in? For the others no callback need be registered, which
 *   is most of what a recorder costs while code is translated. "Both" is always safe.
 * - Does it surely access memory, exactly once in this direction, whenever it completes? Then its
 *   memory callback can count the block's instructions, and no callback of the block's own is
 *   needed. "No" is always safe; a wrong "yes" would miscount the clock.
 * - How many bytes does each of its accesses have at most? Then an aligned access near the end of
 *   a line need not be taken for one that crosses it. "8" (the most one QEMU 7.2 access has) is
 *   always safe.
 *
 * Only the common plain instructions are known; follows the opcode maps of Intel's manual,
 * volume 2, appendix A. tests/cli/record_exact.sh compares the resulting clock and number of
 * accesses with QEMU's own counts over real programs.
 */
#ifndef BERTH_RECORDER_DECODE_H
#define BERTH_RECORDER_DECODE_H

#include "base/types.h"

enum decoded_access {
	ACCESS_NONE = 0,
	ACCESS_LOAD = 1 << 0,
	ACCESS_STORE = 1 << 1,
	ACCESS_BOTH = ACCESS_LOAD | ACCESS_STORE,
};

struct decoded {
	uint8_t may;	   /* enum decoded_access bits */
	uint8_t sure;	   /* LOAD or STORE: its first access, when there surely is one; or NONE */
	uint8_t max_bytes; /* 1, 4, or DECODED_MAX_BYTES */
};

#define DECODED_MAX_BYTES 8

struct decoded decode(const uint8_t *bytes, size_t nr_bytes);

/*
 * Of an instruction that decode() knows: where its operand in memory lies and which registers it
 * writes. What is not known is OPERAND_UNKNOWN and "all".
 */
enum {
	OPERAND_STACK = 4, /* rsp */
	OPERAND_RIP = 16,
	OPERAND_NR_BASES,
	OPERAND_UNKNOWN = 255,
};

struct operand {
	uint8_t base; /* register 0 to 15, OPERAND_RIP (then relative to the next instruction) */
	uint8_t nr_bytes; /* of the access */
	int32_t offset;
	uint32_t writes;      /* bits of registers whose value is then unknown */
	int32_t stack_change; /* known change of rsp, when `writes` does not hold it */
};

struct operand decode_operands(const uint8_t *bytes, size_t nr_bytes);

#endif
