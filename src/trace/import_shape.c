/* SPDX-License-Identifier: MIT */
/*
 *     text   ,{"start": "94827419009024", "end": "94827419013120", "nr_accesses": {"samples": 3,
 * ... literal   |   slot 0      | literal|   slot 1      |     literal              |2| ...
 *
 * Matching is one comparison per literal and one pass over the digits of each slot. A slot of
 * interest takes up to 19 digits; an ignored one takes what a number or a plain string may hold.
 * Newlines are in literals only, so their number is that of the shape.
 *
 * Cost: 2.4 KiB; about 60 ns an item of 440 bytes, where a token at a time takes 600.
 */
#include "trace/import_shape.h"

#include <string.h>

#define DIGITS_MAX 19 /* any number of so many digits fits 64 bits */

void import_shape_begin(struct import_shape *shape, const char *text, size_t nr)
{
	shape->nr = 0;
	shape->nr_slots = 0;
	shape->nr_lines = 0;
	nr = MIN(nr, (size_t)IMPORT_SHAPE_MAX);
	memcpy(shape->text, text, nr);
	memset(shape->text + nr, 0, IMPORT_SHAPE_MAX - nr);
}

void import_shape_slot(struct import_shape *shape, uint64_t begin, uint64_t end, const char *value,
		       uint32_t field)
{
	if (shape->nr_slots >= IMPORT_SHAPE_SLOTS || end > IMPORT_SHAPE_MAX || end <= begin ||
	    memcmp(shape->text + begin, value, end - begin)) {
		shape->nr_slots = IMPORT_SHAPE_SLOTS + 1; /* remembered until the end */
		return;
	}
	shape->slots[shape->nr_slots++] = (struct import_slot){ (uint32_t)begin, (uint32_t)end,
								field };
}

void import_shape_end(struct import_shape *shape, uint64_t nr)
{
	if (nr > IMPORT_SHAPE_MAX || shape->nr_slots > IMPORT_SHAPE_SLOTS || !shape->nr_slots)
		return;
	shape->nr = (uint32_t)nr;
	for (uint32_t i = 0; i < shape->nr; i++)
		shape->nr_lines += shape->text[i] == '\n';
}

static const char *take_digits(const char *text, const char *end, uint64_t *ret)
{
	const char *limit = end - text > DIGITS_MAX ? text + DIGITS_MAX : end;
	const char *digit = text;
	uint64_t value = 0;
	for (; digit < limit && (unsigned char)(*digit - '0') <= 9; digit++)
		value = value * 10 + (uint64_t)(*digit - '0');
	*ret = value;
	return digit == text || digit == end || (unsigned char)(*digit - '0') <= 9 ? NULL : digit;
}

static bool is_number_character(char c)
{
	return (unsigned char)(c - '0') <= 9 || c == '.' || c == '-' || c == '+' ||
	       (c | 0x20) == 'e';
}

/* To the closing quote of a plain string, or past the characters of a number. */
static const char *pass_ignored(const char *text, const char *end, bool quoted)
{
	const char *c = text;
	if (quoted)
		while (c < end && *c != '"' && *c != '\\' && *c >= 0x20 && *c < 0x7f)
			c++;
	else
		while (c < end && is_number_character(*c))
			c++;
	return c == text || c == end ? NULL : c;
}

size_t import_shape_match(const struct import_shape *shape, const char *text, size_t nr,
			  bool is_first, uint64_t values[])
{
	const char *at = text, *end = text + nr;
	uint32_t literal = is_first;
	for (uint32_t i = 0; i < shape->nr_slots; i++) {
		const struct import_slot *slot = &shape->slots[i];
		size_t length = slot->begin - literal;
		if ((size_t)(end - at) < length || memcmp(at, shape->text + literal, length))
			return 0;
		at += length;
		if (slot->field == IMPORT_SLOT_IGNORED)
			at = pass_ignored(at, end, shape->text[slot->begin - 1] == '"');
		else
			at = take_digits(at, end, &values[slot->field]);
		if (!at)
			return 0;
		literal = slot->end;
	}
	size_t length = shape->nr - literal;
	if ((size_t)(end - at) < length || memcmp(at, shape->text + literal, length))
		return 0;
	return (size_t)(at + length - text);
}
