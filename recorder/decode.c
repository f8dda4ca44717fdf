/* SPDX-License-Identifier: MIT */
#include "decode.h"

struct prefixes {
	bool is_wide;	 /* REX.W */
	bool is_unusual; /* an operand size, repeat or lock prefix: sizes and counts may differ */
};

/* Returns how many bytes are prefixes. */
static size_t skip_prefixes(const uint8_t *bytes, size_t nr, struct prefixes *ret)
{
	size_t at = 0;
	*ret = (struct prefixes){ 0 };
	for (; at < nr; at++) {
		uint8_t byte = bytes[at];
		if (byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3)
			ret->is_unusual = true;
		else if (byte != 0x2e && byte != 0x3e && byte != 0x64 && byte != 0x65)
			break;
	}
	if (at < nr && (bytes[at] & 0xf0) == 0x40)
		ret->is_wide = bytes[at++] & 8;
	return at;
}

/* push, pop, call, ret, leave: always 8 bytes. */
static enum decoded_access stack_access(uint8_t opcode)
{
	if ((opcode & 0xf8) == 0x50 || opcode == 0xe8 || opcode == 0x68 || opcode == 0x6a)
		return ACCESS_STORE;
	if ((opcode & 0xf8) == 0x58 || opcode == 0xc3 || opcode == 0xc9)
		return ACCESS_LOAD;
	return ACCESS_UNSURE;
}

/* 0F xx with a memory operand. */
static struct decoded decode_two_byte(uint8_t opcode, unsigned plain_bytes)
{
	switch (opcode) {
	case 0xb6: /* movzx, movsx from a byte, then from two */
	case 0xbe:
		return (struct decoded){ ACCESS_LOAD, 1 };
	case 0xb7:
	case 0xbf:
		return (struct decoded){ ACCESS_LOAD, 4 };
	case 0xaf: /* imul */
		return (struct decoded){ ACCESS_LOAD, plain_bytes };
	default:
		if ((opcode & 0xf0) == 0x40) /* cmov loads whether it moves or not */
			return (struct decoded){ ACCESS_LOAD, plain_bytes };
		return (struct decoded){ ACCESS_UNSURE, DECODED_MAX_BYTES };
	}
}

/* Groups whose operation stands in the middle of the ModRM byte. */
static enum decoded_access group_access(uint8_t opcode, unsigned operation)
{
	switch (opcode) {
	case 0xc6: /* mov immediate */
	case 0xc7:
		return operation == 0 ? ACCESS_STORE : ACCESS_UNSURE;
	case 0xf6: /* test, not, neg, mul, imul, div, idiv */
	case 0xf7:
		return ACCESS_LOAD;
	case 0xfe: /* inc, dec */
		return operation <= 1 ? ACCESS_LOAD : ACCESS_UNSURE;
	default: /* 0xff: inc, dec, call, jmp, push; the far ones are not plain */
		return operation == 3 || operation >= 5 ? ACCESS_UNSURE : ACCESS_LOAD;
	}
}

/* One-byte opcodes with a memory operand. */
static enum decoded_access operand_access(uint8_t opcode, unsigned operation)
{
	if (opcode < 0x40 && (opcode & 7) < 4)
		return ACCESS_LOAD;
	switch (opcode) {
	case 0x63: /* movsxd */
	case 0x69: /* imul */
	case 0x6b:
	case 0x80: /* add ... cmp with an immediate */
	case 0x81:
	case 0x83:
	case 0x84: /* test */
	case 0x85:
	case 0x8a: /* mov */
	case 0x8b:
		return ACCESS_LOAD;
	case 0x88:
	case 0x89:
		return ACCESS_STORE;
	case 0xc6:
	case 0xc7:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return group_access(opcode, operation);
	default:
		return ACCESS_UNSURE;
	}
}

struct decoded decode(const uint8_t *bytes, size_t nr)
{
	static const struct decoded unsure = { ACCESS_UNSURE, DECODED_MAX_BYTES };
	struct prefixes prefixes;
	size_t at = skip_prefixes(bytes, nr, &prefixes);
	if (at >= nr || prefixes.is_unusual)
		return unsure;
	uint8_t opcode = bytes[at++];
	enum decoded_access sure = stack_access(opcode);
	if (sure)
		return (struct decoded){ sure, DECODED_MAX_BYTES };
	bool is_two_byte = opcode == 0x0f;
	if (is_two_byte && at < nr)
		opcode = bytes[at++];
	if (at >= nr || bytes[at] >= 0xc0) /* no ModRM byte, or a register operand */
		return unsure;
	unsigned plain_bytes = prefixes.is_wide ? DECODED_MAX_BYTES : 4;
	if (is_two_byte)
		return decode_two_byte(opcode, plain_bytes);
	sure = operand_access(opcode, (bytes[at] >> 3) & 7);
	if (!sure)
		return unsure;
	if (opcode == 0xff) /* call, jmp and push are 8 bytes wide */
		plain_bytes = DECODED_MAX_BYTES;
	/* Of the opcodes known here, the even ones work on bytes. */
	return (struct decoded){ sure, opcode % 2 == 0 ? 1 : plain_bytes };
}
