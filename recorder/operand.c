/* SPDX-License-Identifier: MIT */
/* decode_operands(): ModRM, SIB and displacement, and which registers an instruction writes. */
#include <string.h>

#include "decode.h"

#define WRITES_ALL  UINT32_MAX
#define RAX	    0
#define RDX	    2
#define RBP	    5
#define BIT(number) (1u << (number))

struct parts {
	const uint8_t *bytes;
	size_t nr, at; /* at the opcode's next byte */
	uint8_t rex, opcode, modrm;
	bool has_segment, is_unusual, is_two_byte;
};

static const struct operand unknown = { .base = OPERAND_UNKNOWN, .writes = WRITES_ALL };

static bool parse_opcode(struct parts *parts)
{
	for (; parts->at < parts->nr; parts->at++) {
		uint8_t byte = parts->bytes[parts->at];
		if (byte == 0x64 || byte == 0x65)
			parts->has_segment = true;
		else if (byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3)
			parts->is_unusual = true;
		else if (byte != 0x2e && byte != 0x3e)
			break;
	}
	if (parts->at < parts->nr && (parts->bytes[parts->at] & 0xf0) == 0x40)
		parts->rex = parts->bytes[parts->at++];
	if (parts->at >= parts->nr || parts->is_unusual)
		return false;
	parts->opcode = parts->bytes[parts->at++];
	if (parts->opcode == 0x0f) {
		parts->is_two_byte = true;
		if (parts->at >= parts->nr)
			return false;
		parts->opcode = parts->bytes[parts->at++];
	}
	parts->modrm = parts->at < parts->nr ? parts->bytes[parts->at] : 0xc0;
	return true;
}

static unsigned register_of_modrm(const struct parts *parts)
{
	return ((parts->modrm >> 3) & 7) | (parts->rex & 4) << 1;
}

static unsigned rm_of_modrm(const struct parts *parts)
{
	return (parts->modrm & 7) | (parts->rex & 1) << 3;
}

static bool is_register(const struct parts *parts)
{
	return parts->modrm >= 0xc0;
}

/* Signed little-endian of 1 or 4 bytes at `at`; false when cut short. */
static bool read_signed(const struct parts *parts, size_t at, size_t nr_bytes, int32_t *ret)
{
	if (at + nr_bytes > parts->nr)
		return false;
	int8_t byte = (int8_t)parts->bytes[at];
	*ret = byte;
	if (nr_bytes == 4)
		memcpy(ret, &parts->bytes[at], sizeof(*ret));
	return true;
}

/* base + displacement; an index register makes it unknown. */
static void parse_memory(const struct parts *parts, struct operand *ret)
{
	unsigned mode = parts->modrm >> 6, rm = parts->modrm & 7;
	size_t at = parts->at + 1;
	size_t nr_displacement = mode == 1 ? 1 : mode == 2 ? 4 : 0;
	uint8_t base = (uint8_t)rm_of_modrm(parts);
	if (mode == 0 && rm == 5) {
		base = OPERAND_RIP;
		nr_displacement = 4;
	} else if (rm == 4) {
		if (at >= parts->nr)
			return;
		uint8_t sib = parts->bytes[at++];
		bool has_index = ((sib >> 3) & 7) != 4 || (parts->rex & 2);
		if (has_index || (mode == 0 && (sib & 7) == 5))
			return;
		base = (sib & 7) | (uint8_t)((parts->rex & 1) << 3);
	}
	if (parts->has_segment ||
	    (nr_displacement && !read_signed(parts, at, nr_displacement, &ret->offset)))
		return;
	ret->base = base;
}

/* The register operand that byte operations name may be AH to BH: then it is a part of 0 to 3. */
static uint32_t written(unsigned number, bool is_byte)
{
	return BIT(number) | (is_byte ? BIT(number & 3) : 0);
}

static uint32_t writes_of_two_byte(const struct parts *parts)
{
	uint8_t opcode = parts->opcode;
	if ((opcode & 0xf0) == 0x80 || opcode == 0x1f)
		return 0;
	if ((opcode & 0xf0) == 0x90)
		return is_register(parts) ? written(rm_of_modrm(parts), true) : 0;
	if ((opcode & 0xf0) == 0x40 || opcode == 0xaf || opcode == 0xb6 || opcode == 0xb7 ||
	    opcode == 0xbe || opcode == 0xbf)
		return BIT(register_of_modrm(parts));
	return WRITES_ALL;
}

/* add ... cmp: the third bit group of the opcode is the operation, 7 compares. */
static uint32_t writes_of_arithmetic(const struct parts *parts)
{
	bool is_byte = parts->opcode % 2 == 0;
	if (parts->opcode >= 0x38)
		return 0;
	if ((parts->opcode & 7) >= 4)
		return BIT(RAX);
	if (parts->opcode & 2)
		return written(register_of_modrm(parts), is_byte);
	return is_register(parts) ? written(rm_of_modrm(parts), is_byte) : 0;
}

/* Operations that write their ModRM operand: a register, or memory and no register. */
static uint32_t writes_operand(const struct parts *parts)
{
	return is_register(parts) ? written(rm_of_modrm(parts), parts->opcode % 2 == 0) : 0;
}

static uint32_t writes_of_group(const struct parts *parts)
{
	unsigned operation = (parts->modrm >> 3) & 7;
	switch (parts->opcode) {
	case 0x80:
	case 0x81:
	case 0x83:
		return operation == 7 ? 0 : writes_operand(parts);
	case 0xf6:
	case 0xf7:
		if (operation <= 1)
			return 0;
		return operation <= 3 ? writes_operand(parts) : BIT(RAX) | BIT(RDX);
	default: /* 0xfe, 0xff: inc, dec; the rest leaves the block or is not plain */
		return operation <= 1 ? writes_operand(parts) : WRITES_ALL;
	}
}

static uint32_t writes_of_one_byte(const struct parts *parts)
{
	uint8_t opcode = parts->opcode;
	if (opcode < 0x40)
		return (opcode & 7) < 6 ? writes_of_arithmetic(parts) : WRITES_ALL;
	if ((opcode & 0xf0) == 0x70 || opcode == 0xeb || opcode == 0xe9)
		return 0;
	if ((opcode & 0xf0) == 0xb0)
		return written((opcode & 7) | (parts->rex & 1) << 3, opcode < 0xb8);
	switch (opcode) {
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0x8b:
	case 0x8d:
		return BIT(register_of_modrm(parts));
	case 0x8a:
		return written(register_of_modrm(parts), true);
	case 0x84: /* test */
	case 0x85:
	case 0xa8:
	case 0xa9:
		return 0;
	case 0x88:
	case 0x89:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xc7:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return writes_operand(parts);
	case 0x80:
	case 0x81:
	case 0x83:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return writes_of_group(parts);
	case 0x98:
		return BIT(RAX);
	case 0x99:
		return BIT(RDX);
	default:
		return WRITES_ALL;
	}
}

/* push, pop, call, ret; false: none of these. */
static bool parse_stack(const struct parts *parts, struct operand *ret)
{
	uint8_t opcode = parts->opcode;
	unsigned number = (opcode & 7) | (parts->rex & 1) << 3;
	*ret = (struct operand){ .base = OPERAND_STACK, .nr_bytes = 8 };
	if ((opcode & 0xf8) == 0x50 || opcode == 0x68 || opcode == 0x6a || opcode == 0xe8) {
		ret->offset = ret->stack_change = -8;
		return true;
	}
	if ((opcode & 0xf8) == 0x58) {
		ret->stack_change = 8;
		ret->writes = BIT(number);
		return true;
	}
	if (opcode == 0xc9) { /* leave pops from where rbp points to */
		ret->base = RBP;
		ret->writes = BIT(OPERAND_STACK) | BIT(RBP);
		return true;
	}
	ret->stack_change = 8;
	return opcode == 0xc3;
}

/* add or sub of a number to or from rsp, all 64 bits. */
static bool parse_stack_arithmetic(const struct parts *parts, struct operand *ret)
{
	unsigned operation = (parts->modrm >> 3) & 7;
	int32_t number;
	if ((parts->opcode != 0x81 && parts->opcode != 0x83) || !is_register(parts) ||
	    rm_of_modrm(parts) != OPERAND_STACK || !(parts->rex & 8) ||
	    (operation != 0 && operation != 5) ||
	    !read_signed(parts, parts->at + 1, parts->opcode == 0x83 ? 1 : 4, &number) ||
	    number == INT32_MIN)
		return false;
	*ret = (struct operand){ .base = OPERAND_UNKNOWN,
				 .stack_change = operation == 0 ? number : -number };
	return true;
}

static uint8_t size_of(const struct parts *parts)
{
	uint8_t plain = parts->rex & 8 ? 8 : 4;
	if (parts->is_two_byte) {
		if (parts->opcode == 0xb6 || parts->opcode == 0xbe ||
		    (parts->opcode & 0xf0) == 0x90)
			return 1;
		return parts->opcode == 0xb7 || parts->opcode == 0xbf ? 2 : plain;
	}
	if (parts->opcode == 0x63)
		return 4;
	if (parts->opcode == 0xff)
		return ((parts->modrm >> 3) & 7) >= 2 ? 8 : plain;
	return parts->opcode % 2 == 0 && parts->opcode != 0x6b ? 1 : plain;
}

struct operand decode_operands(const uint8_t *bytes, size_t nr_bytes)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	struct parts parts = { .bytes = bytes, .nr = nr_bytes };
	struct operand result = unknown;
	if (nr_bytes == sizeof(endbr64) && memcmp(bytes, endbr64, sizeof(endbr64)) == 0)
		return (struct operand){ .base = OPERAND_UNKNOWN };
	if (!parse_opcode(&parts))
		return unknown;
	if (!parts.is_two_byte &&
	    (parse_stack(&parts, &result) || parse_stack_arithmetic(&parts, &result)))
		return result;
	result = unknown;
	result.writes = parts.is_two_byte ? writes_of_two_byte(&parts) : writes_of_one_byte(&parts);
	if (parts.at < parts.nr && !is_register(&parts) && result.writes != WRITES_ALL) {
		parse_memory(&parts, &result);
		result.nr_bytes = size_of(&parts);
	}
	return result;
}
