/* SPDX-License-Identifier: MIT */
/*
 * The shape of an item that a machine writes a million times: the same text but for some numbers.
 * Learned from one item that the JSON reader has parsed, it reads the following ones an order of
 * magnitude faster; whatever differs by one byte is left to the JSON reader.
 */
#ifndef BERTH_TRACE_IMPORT_SHAPE_H
#define BERTH_TRACE_IMPORT_SHAPE_H

#include "base/types.h"

#define IMPORT_SHAPE_MAX   2048 /* bytes of an item; longer ones have no shape */
#define IMPORT_SHAPE_SLOTS 24	/* values of an item; more have no shape */

#define IMPORT_SLOT_IGNORED UINT32_MAX

struct import_slot { /* a value's place in the text of the item, quotes left out */
	uint32_t begin, end;
	uint32_t field; /* where its number goes, or IMPORT_SLOT_IGNORED */
};

struct import_shape {
	uint32_t nr; /* bytes of text; 0: nothing is known yet */
	uint32_t nr_slots;
	uint32_t nr_lines; /* newlines in it */
	struct import_slot slots[IMPORT_SHAPE_SLOTS];
	char text[IMPORT_SHAPE_MAX];
};

/* Begins anew with the first bytes of the input, from the comma before the item on: more than the
 * item, or IMPORT_SHAPE_MAX of it. */
void import_shape_begin(struct import_shape *shape, const char *text, size_t nr);
/* A value at [begin, end) of the item that reads `value`; in ascending order. Refused, and with it
 * the shape, when the text there is another (an escape). */
void import_shape_slot(struct import_shape *shape, uint64_t begin, uint64_t end, const char *value,
		       uint32_t field);
/* The item ends: the shape is known, or forgotten when the item was too much. */
void import_shape_end(struct import_shape *shape, uint64_t nr);

/* Bytes of the item at `text` that has this shape, its numbers in values[field]; 0: it has not.
 * is_first: the item is the first of its array, without the comma that the shape begins with. */
size_t import_shape_match(const struct import_shape *shape, const char *text, size_t nr,
			  bool is_first, uint64_t values[]);

#endif
