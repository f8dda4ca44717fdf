/* SPDX-License-Identifier: MIT */
/* Covered accesses beside an interpreter: whatever the registers hold, kept accesses touch the
 * lines that covered ones do. */
#include "test.h"

#include "../../recorder/cover.c"
#include "../../recorder/decode.c"
#include "../../recorder/operand.c"
#include "base/random.h"

#define RSP	  4
#define MAX_INSNS 24

/* One access that the interpreter saw. */
struct seen {
	unsigned instruction;
	uint64_t address;
	unsigned nr_bytes;
	bool is_store;
};

struct machine_state {
	uint64_t registers[16];
	struct random *random;
	struct seen seen[2 * MAX_INSNS];
	unsigned nr_seen;
};

static void see(struct machine_state *state, unsigned instruction, uint64_t address,
		unsigned nr_bytes, bool is_store)
{
	state->seen[state->nr_seen++] = (struct seen){ instruction, address, nr_bytes, is_store };
}

static unsigned any_register(struct machine_state *state)
{
	unsigned number = (unsigned)random_below(state->random, 8);
	return number == RSP ? 3 : number;
}

/* A random address near others, now and then anywhere. */
static uint64_t any_value(struct machine_state *state)
{
	return 0x10000 + random_below(state->random, 4096);
}

/* mov or movzx between a register and disp8(base); returns the bytes written to `to`. */
static size_t put_move(struct machine_state *state, unsigned at, uint8_t *to)
{
	unsigned base = random_below(state->random, 3) ? RSP : any_register(state);
	unsigned reg = any_register(state);
	int8_t offset = (int8_t)(8 * (int)random_below(state->random, 24) - 64);
	unsigned kind = (unsigned)random_below(state->random, 4);
	bool is_byte = kind == 3, is_store = kind == 1;
	size_t nr = 0;
	if (!is_byte)
		to[nr++] = 0x48;
	else
		to[nr++] = 0x0f;
	to[nr++] = is_byte ? 0xb6 : is_store ? 0x89 : kind == 2 ? 0x03 : 0x8b;
	to[nr++] = (uint8_t)(0x40 | reg << 3 | base);
	if (base == RSP)
		to[nr++] = 0x24;
	to[nr++] = (uint8_t)offset;
	see(state, at, state->registers[base] + (uint64_t)(int64_t)offset, is_byte ? 1 : 8,
	    is_store);
	if (!is_store)
		state->registers[reg] = any_value(state);
	return nr;
}

static size_t put_stack(struct machine_state *state, unsigned at, uint8_t *to)
{
	unsigned reg = any_register(state);
	switch (random_below(state->random, 5)) {
	case 0:
	case 1:
		to[0] = (uint8_t)(0x50 | reg);
		state->registers[RSP] -= 8;
		see(state, at, state->registers[RSP], 8, true);
		return 1;
	case 2:
		to[0] = (uint8_t)(0x58 | reg);
		see(state, at, state->registers[RSP], 8, false);
		state->registers[RSP] += 8;
		state->registers[reg] = any_value(state);
		return 1;
	case 3: /* add $24,%rsp */
		memcpy(to, (uint8_t[]){ 0x48, 0x83, 0xc4, 24 }, 4);
		state->registers[RSP] += 24;
		return 4;
	default: /* leave */
		to[0] = 0xc9;
		see(state, at, state->registers[5], 8, false);
		state->registers[RSP] = state->registers[5] + 8;
		state->registers[5] = any_value(state);
		return 1;
	}
}

static size_t put_plain(struct machine_state *state, unsigned at, uint8_t *to)
{
	unsigned from = (unsigned)random_below(state->random, 8), reg = any_register(state);
	switch (random_below(state->random, 3)) {
	case 0: /* mov from,reg */
		memcpy(to, (uint8_t[]){ 0x48, 0x89, (uint8_t)(0xc0 | from << 3 | reg) }, 3);
		state->registers[reg] = state->registers[from];
		return 3;
	case 1: /* addq $1,(reg) */
		if (reg == 5)
			reg = 3;
		memcpy(to, (uint8_t[]){ 0x48, 0x83, (uint8_t)reg, 1 }, 4);
		see(state, at, state->registers[reg], 8, false);
		see(state, at, state->registers[reg], 8, true);
		return 4;
	default: /* mov %reg,%rsp: a value that nobody knows */
		memcpy(to, (uint8_t[]){ 0x48, 0x89, (uint8_t)(0xc0 | reg << 3 | RSP) }, 3);
		state->registers[RSP] = state->registers[reg];
		return 3;
	}
}

/* Is the line touched by a kept access, in the same way or by a store that came before? */
static bool is_touched(const struct machine_state *state, const struct cover *cover,
		       const struct seen *covered, uint64_t line)
{
	for (unsigned i = 0; i < state->nr_seen; i++) {
		const struct seen *seen = &state->seen[i];
		if (cover_has(cover, seen->instruction) || seen->address / 64 > line ||
		    (seen->address + seen->nr_bytes - 1) / 64 < line)
			continue;
		if (seen->is_store == covered->is_store ||
		    (seen->is_store && seen->instruction < covered->instruction))
			return true;
	}
	return false;
}

static unsigned run_block(struct random *random)
{
	struct machine_state state = { .random = random };
	struct cover cover;
	unsigned nr_covered = 0;
	for (unsigned i = 0; i < 16; i++)
		state.registers[i] = any_value(&state);
	cover_init(&cover);
	for (unsigned at = 0; at < MAX_INSNS; at++) {
		uint8_t bytes[16] = { 0 };
		unsigned before = state.nr_seen;
		uint64_t kind = random_below(random, 8);
		size_t nr = kind < 4   ? put_move(&state, at, bytes)
			    : kind < 7 ? put_stack(&state, at, bytes)
				       : put_plain(&state, at, bytes);
		struct decoded decoded = decode(bytes, nr);
		struct operand operand = decode_operands(bytes, nr);
		assert_int_equal(decoded.may != ACCESS_NONE, state.nr_seen != before);
		if (state.nr_seen != before && operand.base != OPERAND_UNKNOWN)
			assert_int_equal(operand.nr_bytes, state.seen[before].nr_bytes);
		cover_add(&cover, at, bytes, nr, 0, &decoded);
	}
	cover_solve(&cover);
	for (unsigned i = 0; i < state.nr_seen; i++) {
		const struct seen *seen = &state.seen[i];
		if (!cover_has(&cover, seen->instruction))
			continue;
		nr_covered++;
		assert_true(is_touched(&state, &cover, seen, seen->address / 64));
		assert_true(is_touched(&state, &cover, seen,
				       (seen->address + seen->nr_bytes - 1) / 64));
	}
	return nr_covered;
}

static void test_kept_accesses_touch_what_covered_ones_do(void **state)
{
	struct random random;
	uint64_t nr_covered = 0;
	random_init(&random, 5);
	for (int i = 0; i < 100000; i++)
		nr_covered += run_block(&random);
	assert_true(nr_covered > 200000); /* of 2 million: the rule is used */
}

static void test_relative_to_the_instruction(void **state)
{
	/* mov 0x10(%rip),%eax twice: different addresses, told apart by where they stand. */
	static const uint8_t load[] = { 0x8b, 0x05, 0x10, 0, 0, 0 };
	struct decoded decoded = decode(load, sizeof(load));
	struct cover cover;
	cover_init(&cover);
	cover_add(&cover, 0, load, sizeof(load), 0x1000, &decoded);
	cover_add(&cover, 1, load, sizeof(load), 0x1100, &decoded);
	cover_add(&cover, 2, load, sizeof(load), 0x1000, &decoded);
	cover_solve(&cover);
	assert_true(cover_has(&cover, 0));
	assert_false(cover_has(&cover, 1));
	assert_false(cover_has(&cover, 2));
}

static void test_operands_never_read_past_the_end(void **state)
{
	struct random random;
	random_init(&random, 12);
	for (int i = 0; i < 200000; i++) {
		size_t nr = random_below(&random, 16);
		uint8_t *bytes = malloc(nr ? nr : 1);
		for (size_t j = 0; j < nr; j++)
			bytes[j] = (uint8_t)random_below(&random, 256);
		struct operand operand = decode_operands(bytes, nr);
		assert_true(operand.base < OPERAND_NR_BASES || operand.base == OPERAND_UNKNOWN);
		free(bytes);
	}
}
