/* SPDX-License-Identifier: MIT */
#include "lab/latency/marks.h"

#include <string.h>

int mark_decode(const uint8_t *bytes, size_t nr_bytes)
{
	static const uint8_t long_nop[4] = { 0x0f, 0x1f, 0x84, 0x00 };
	if (nr_bytes != MARK_BYTES || memcmp(bytes, long_nop, sizeof(long_nop)) != 0)
		return -1;
	uint32_t displacement;
	memcpy(&displacement, bytes + sizeof(long_nop), sizeof(displacement));
	uint32_t mark = displacement - LAB_MARK_MAGIC;
	return mark < LAB_NR_MARKS ? (int)mark : -1;
}

static bool is_prefix(uint8_t byte)
{
	return (byte & 0xf0) == 0x40 || byte == 0x66 || byte == 0xf2 || byte == 0xf3;
}

bool mark_changes_mappings(const uint8_t *bytes, size_t nr_bytes)
{
	size_t at = 0;
	while (at < nr_bytes && is_prefix(bytes[at]))
		at++;
	if (at + 2 >= nr_bytes || bytes[at] != 0x0f)
		return false;
	uint8_t modrm = bytes[at + 2], reg = modrm >> 3 & 7;
	switch (bytes[at + 1]) {
	case 0x22: /* mov to control register */
		return reg == 3 || reg == 4;
	case 0x01: /* invlpg, a memory operand */
		return reg == 7 && modrm >> 6 != 3;
	case 0x38: /* invpcid, 66 0f 38 82 */
		return at > 0 && modrm == 0x82;
	default:
		return false;
	}
}

bool speech_hear(struct speech *speech, enum lab_mark mark, uint32_t *ret_number)
{
	bool is_whole = speech->has_begun && speech->nr_bits == LAB_MARK_BITS;
	switch (mark) {
	case LAB_MARK_BEGIN:
		*speech = (struct speech){ .has_begun = true };
		return false;
	case LAB_MARK_ZERO:
	case LAB_MARK_ONE:
		if (speech->nr_bits < LAB_MARK_BITS)
			speech->number |= (uint32_t)(mark == LAB_MARK_ONE) << speech->nr_bits;
		/* One bit too many is kept in mind: the number is then no number. */
		speech->nr_bits += speech->nr_bits <= LAB_MARK_BITS;
		return false;
	case LAB_MARK_PHASE:
	case LAB_MARK_SNAPSHOT:
	case LAB_MARK_SYMBOL:
		*ret_number = speech->number;
		*speech = (struct speech){ 0 };
		return is_whole;
	default:
		*ret_number = 0;
		return true;
	}
}
