/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <string.h>

static const struct decoded unsure = { ACCESS_BOTH, ACCESS_NONE, DECODED_MAX_BYTES };
static const struct decoded none = { ACCESS_NONE, ACCESS_NONE, DECODED_MAX_BYTES };

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

static struct decoded one(enum decoded_access access, unsigned nr_bytes)
{
	return (struct decoded){ access, access, (uint8_t)nr_bytes };
}

/* Loads, then may store what it made of it. */
static struct decoded load_and_store(unsigned nr_bytes)
{
	return (struct decoded){ ACCESS_BOTH, ACCESS_LOAD, (uint8_t)nr_bytes };
}

/* push, pop, call, ret, leave: always 8 bytes. */
static bool decode_stack(uint8_t opcode, struct decoded *ret)
{
	if ((opcode & 0xf8) == 0x50 || opcode == 0xe8 || opcode == 0x68 || opcode == 0x6a)
		*ret = one(ACCESS_STORE, DECODED_MAX_BYTES);
	else if ((opcode & 0xf8) == 0x58 || opcode == 0xc3 || opcode == 0xc9)
		*ret = one(ACCESS_LOAD, DECODED_MAX_BYTES);
	else
		return false;
	return true;
}

/* Registers, immediates, jumps: no operand that could be in memory. */
static bool is_register_only(uint8_t opcode)
{
	if (opcode < 0x40)
		return (opcode & 7) == 4 || (opcode & 7) == 5;
	return (opcode & 0xf0) == 0x70 || (opcode & 0xf0) == 0xb0 || opcode == 0x8d ||
	       opcode == 0x90 || opcode == 0x98 || opcode == 0x99 || opcode == 0xa8 ||
	       opcode == 0xa9 || opcode == 0xe9 || opcode == 0xeb;
}

/* Opcodes that access memory only by their ModRM operand. */
static bool is_plain(uint8_t opcode)
{
	if (opcode < 0x40)
		return (opcode & 7) < 4;
	switch (opcode) {
	case 0x63: /* movsxd */
	case 0x69: /* imul */
	case 0x6b:
	case 0x80: /* add ... cmp with an immediate */
	case 0x81:
	case 0x83:
	case 0x84: /* test */
	case 0x85:
	case 0x88: /* mov */
	case 0x89:
	case 0x8a:
	case 0x8b:
	case 0xc0: /* shifts */
	case 0xc1:
	case 0xc6: /* mov immediate */
	case 0xc7:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xf6: /* test, not, neg, mul, imul, div, idiv */
	case 0xf7:
		return true;
	default:
		return false;
	}
}

/* FE and FF: inc, dec, and for FF call, jmp, push; the far ones are not plain. */
static struct decoded decode_ff(uint8_t opcode, uint8_t modrm, unsigned plain_bytes)
{
	unsigned operation = (modrm >> 3) & 7;
	bool is_register = modrm >= 0xc0;
	if (operation <= 1)
		return is_register ? none : load_and_store(opcode == 0xfe ? 1 : plain_bytes);
	if (opcode == 0xfe || operation == 3 || operation == 5 || operation == 7)
		return unsure;
	if (operation == 4)
		return is_register ? none : one(ACCESS_LOAD, DECODED_MAX_BYTES);
	return is_register ? one(ACCESS_STORE, DECODED_MAX_BYTES)
			   : load_and_store(DECODED_MAX_BYTES);
}

/* A plain opcode with its operand in memory. Of these, the even ones work on bytes. */
static struct decoded decode_operand(uint8_t opcode, unsigned operation, unsigned plain_bytes)
{
	unsigned nr_bytes = opcode % 2 == 0 ? 1 : plain_bytes;
	if (opcode < 0x40) /* 38 to 3b compare */
		return (opcode & 2) || opcode >= 0x38 ? one(ACCESS_LOAD, nr_bytes)
						      : load_and_store(nr_bytes);
	switch (opcode) {
	case 0x80:
	case 0x81:
	case 0x83:
		return operation == 7 ? one(ACCESS_LOAD, nr_bytes) : load_and_store(nr_bytes);
	case 0x88:
	case 0x89:
		return one(ACCESS_STORE, nr_bytes);
	case 0xc6:
	case 0xc7:
		return operation == 0 ? one(ACCESS_STORE, nr_bytes) : unsure;
	case 0xf6:
	case 0xf7:
		return operation == 2 || operation == 3 ? load_and_store(nr_bytes)
							: one(ACCESS_LOAD, nr_bytes);
	case 0xc0:
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return unsure;
	default:
		return one(ACCESS_LOAD, nr_bytes);
	}
}

/* 0F xx. */
static struct decoded decode_two_byte(uint8_t opcode, const uint8_t *modrm, unsigned plain_bytes)
{
	if ((opcode & 0xf0) == 0x80 || opcode == 0x1f) /* jcc; nop */
		return none;
	bool is_load = opcode == 0xb6 || opcode == 0xb7 || opcode == 0xbe || opcode == 0xbf ||
		       opcode == 0xaf || (opcode & 0xf0) == 0x40;
	bool is_set = (opcode & 0xf0) == 0x90;
	if (!modrm || (!is_load && !is_set))
		return unsure;
	if (*modrm >= 0xc0)
		return none;
	if (is_set)
		return one(ACCESS_STORE, 1);
	if (opcode == 0xb6 || opcode == 0xbe) /* movzx and movsx from a byte */
		return one(ACCESS_LOAD, 1);
	if (opcode == 0xb7 || opcode == 0xbf)
		return one(ACCESS_LOAD, 4);
	return one(ACCESS_LOAD, plain_bytes); /* cmov loads whether it moves or not */
}

struct decoded decode(const uint8_t *bytes, size_t nr)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	struct decoded result;
	struct prefixes prefixes;
	if (nr == sizeof(endbr64) && memcmp(bytes, endbr64, sizeof(endbr64)) == 0)
		return none;
	size_t at = skip_prefixes(bytes, nr, &prefixes);
	if (at >= nr || prefixes.is_unusual)
		return unsure;
	unsigned plain_bytes = prefixes.is_wide ? DECODED_MAX_BYTES : 4;
	uint8_t opcode = bytes[at++];
	if (opcode == 0x0f && at < nr)
		return decode_two_byte(bytes[at], at + 1 < nr ? &bytes[at + 1] : NULL, plain_bytes);
	if (is_register_only(opcode))
		return none;
	if (decode_stack(opcode, &result))
		return result;
	if (at >= nr)
		return unsure;
	if (opcode == 0xfe || opcode == 0xff)
		return decode_ff(opcode, bytes[at], plain_bytes);
	if (!is_plain(opcode))
		return unsure;
	return bytes[at] >= 0xc0 ? none : decode_operand(opcode, (bytes[at] >> 3) & 7, plain_bytes);
}
