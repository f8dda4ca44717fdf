/* SPDX-License-Identifier: MIT */
#include "cover.h"

#include <string.h>

#define SPAN_MAX 64 /* from first to last byte: two lines at most */

void cover_init(struct cover *cover)
{
	cover->nr = 0;
	cover->last_version = 0;
	cover->stack = 0;
	memset(cover->versions, 0, sizeof(cover->versions));
}

static void add_access(struct cover *cover, unsigned instruction, const struct operand *operand,
		       const struct decoded *decoded, uint64_t end)
{
	if (cover->nr == COVER_MAX || decoded->sure == ACCESS_NONE ||
	    operand->base == OPERAND_UNKNOWN)
		return;
	int64_t first = operand->offset;
	if (operand->base == OPERAND_STACK)
		first += cover->stack;
	else if (operand->base == OPERAND_RIP)
		first += (int64_t)end;
	cover->accesses[cover->nr++] =
		(struct cover_access){ .instruction = (uint16_t)instruction,
				       .base = operand->base,
				       .may = decoded->may,
				       .version = cover->versions[operand->base],
				       .first = first,
				       .last = first + operand->nr_bytes - 1 };
}

static void apply_writes(struct cover *cover, const struct operand *operand)
{
	for (unsigned i = 0; i < OPERAND_RIP; i++)
		if (operand->writes & 1u << i)
			cover->versions[i] = ++cover->last_version;
	if (operand->writes & 1u << OPERAND_STACK)
		cover->stack = 0;
	else
		cover->stack += operand->stack_change;
}

void cover_add(struct cover *cover, unsigned instruction, const uint8_t *bytes, size_t nr_bytes,
	       uint64_t end, const struct decoded *decoded)
{
	struct operand operand = decode_operands(bytes, nr_bytes);
	if (decoded->may != ACCESS_NONE)
		add_access(cover, instruction, &operand, decoded, end);
	apply_writes(cover, &operand);
}

/* Does `by` touch what it touches in the way, and at the time, that `access` would? */
static bool can_stand_for(const struct cover_access *by, const struct cover_access *access)
{
	if (by == access || by->is_covered || by->base != access->base ||
	    by->version != access->version)
		return false;
	if (access->may == ACCESS_LOAD)
		return (by->may & ACCESS_LOAD) || by->instruction < access->instruction;
	return by->may & ACCESS_STORE;
}

/* One that contains it. */
static bool cover_by_one(struct cover *cover, struct cover_access *access)
{
	for (uint32_t i = 0; i < cover->nr; i++) {
		struct cover_access *by = &cover->accesses[i];
		if (!can_stand_for(by, access) || by->first > access->first ||
		    by->last < access->last)
			continue;
		by->is_needed = true;
		return true;
	}
	return false;
}

/* The furthest on each side: they then stand for most of what lies between. */
static bool cover_by_two(struct cover *cover, struct cover_access *access)
{
	struct cover_access *left = NULL, *right = NULL;
	for (uint32_t i = 0; i < cover->nr; i++) {
		struct cover_access *by = &cover->accesses[i];
		if (can_stand_for(by, access) && by->last >= access->last &&
		    by->last - access->first <= SPAN_MAX && (!right || by->last > right->last))
			right = by;
	}
	for (uint32_t i = 0; right && i < cover->nr; i++) {
		struct cover_access *by = &cover->accesses[i];
		if (can_stand_for(by, access) && by->first <= access->first &&
		    right->last - by->first <= SPAN_MAX && (!left || by->first < left->first))
			left = by;
	}
	if (!left || !right)
		return false;
	left->is_needed = right->is_needed = true;
	return true;
}

void cover_solve(struct cover *cover)
{
	for (uint32_t i = 0; i < cover->nr; i++) {
		struct cover_access *access = &cover->accesses[i];
		if (access->is_needed || access->may == ACCESS_BOTH)
			continue;
		access->is_covered = cover_by_one(cover, access) || cover_by_two(cover, access);
	}
}

bool cover_has(const struct cover *cover, unsigned instruction)
{
	for (uint32_t i = 0; i < cover->nr; i++)
		if (cover->accesses[i].instruction == instruction)
			return cover->accesses[i].is_covered;
	return false;
}
