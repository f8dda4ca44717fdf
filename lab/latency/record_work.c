/* SPDX-License-Identifier: MIT */
/*
 * Hooks for work.h. A function's first instruction begins a block, as all that is jumped to does;
 * so only the first of each block is looked at when code is translated.
 *
 * Beside the clock: when the kernel takes part of a block of one kind of pages for another kind,
 * it raises the watermarks of that zone (mm/page_alloc.c, boost_watermark). Which allocation does
 * that hangs on how memory is fragmented, which no model of the program knows; so the times are
 * written down and given to whoever replays the recording. The zone is told by its address: struct
 * zone lies in its node's own memory, which the kernel maps 1:1.
 */
#include "lab/latency/record_work.h"

#include "lab/latency/model.h"
#include "lab/latency/work.h"
#include "lab/symbols.h"

#define KERNEL_TEXT 0xffffffff00000000u
#define PAGE_OFFSET                                                                                \
	(((uint64_t)1 << 36) - 1) /* what the kernel's 1:1 mapping begins with is above */
#define PAGEBLOCK     9		  /* order of a block: 2 MiB */
#define USER_MODE     3
#define FAULT_CS_WORD 2 /* error code, rip, cs */

static struct {
	struct recording *recording;
	struct work work;
	uint64_t addresses[LAB_NR_SYMBOLS];
	uint32_t nr_halves;
} own;

static void switches(unsigned vcpu, void *data)
{
	work_switch(&own.work, access_clock(), record_register(RSI));
}

static void faults(unsigned vcpu, void *data)
{
	uint64_t words[FAULT_CS_WORD + 1] = { 0 };
	record_memory(record_register(RSP), words, sizeof(words));
	work_fault(&own.work, access_clock(), (words[FAULT_CS_WORD] & USER_MODE) != USER_MODE);
}

static void begins(unsigned vcpu, void *data)
{
	work_begin(&own.work, access_clock(), (enum work_kind)(uintptr_t)data);
}

/* try_to_steal_block(zone, page, current_order, ...) */
static void steals(unsigned vcpu, void *data)
{
	struct recording *recording = own.recording;
	uint32_t node = model_node(&model.cpus[0], record_register(RDI) & PAGE_OFFSET);
	if ((int32_t)record_register(RDX) >= PAGEBLOCK || node == MODEL_NO_NODE)
		return;
	if (recording->nr_boosts < RING_MAX_BOOSTS)
		recording->boosts[recording->nr_boosts] = (struct ring_boost){ record_work_clock(),
									       node };
	recording->nr_boosts++;
}

static const struct hook {
	plugin_exec_fn call;
	enum work_kind kind;
} hooks[LAB_NR_SYMBOLS] = {
	[LAB_SYMBOL_SWITCH] = { switches, 0 },
	[LAB_SYMBOL_FAULT] = { faults, 0 },
	[LAB_SYMBOL_HINT_FAULT] = { begins, WORK_HINT_FAULT },
	[LAB_SYMBOL_HINT_DECIDE] = { begins, WORK_REFUSAL },
	[LAB_SYMBOL_MIGRATE] = { begins, WORK_PROMOTION },
	[LAB_SYMBOL_SCAN] = { begins, WORK_SCAN },
	[LAB_SYMBOL_RECLAIM] = { begins, WORK_RECLAIM },
	[LAB_SYMBOL_COMPACT] = { begins, WORK_RECLAIM },
	[LAB_SYMBOL_COLLAPSE] = { begins, WORK_RECLAIM },
	[LAB_SYMBOL_STEAL] = { steals, 0 },
};

void record_work_init(struct recording *recording)
{
	own.recording = recording;
	work_init(&own.work);
}

void record_work_start(void)
{
	work_init(&own.work);
}

void record_work_symbol(uint32_t half)
{
	uint32_t number = own.nr_halves / 2, shift = own.nr_halves % 2 * 16;
	if (number >= LAB_NR_SYMBOLS)
		return;
	own.addresses[number] |= (uint64_t)half << shift;
	own.nr_halves++;
}

void record_work_translate(struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	uint64_t address = qemu_plugin_insn_vaddr(first);
	if (address < KERNEL_TEXT)
		return;
	for (unsigned i = 0; i < LAB_NR_SYMBOLS; i++)
		if (own.addresses[i] && address == (KERNEL_TEXT | own.addresses[i]))
			qemu_plugin_register_vcpu_insn_exec_cb(first, hooks[i].call,
							       PLUGIN_READS_REGISTERS,
							       (void *)(uintptr_t)hooks[i].kind);
}

void record_work_return(bool to_user)
{
	work_return(&own.work, access_clock(), to_user);
}

uint64_t record_work_clock(void)
{
	return work_clock(&own.work, access_clock());
}

void record_work_stop(void)
{
	_Static_assert((int)WORK_NR_KINDS <= (int)RING_MAX_WORKS, "kinds of work");
	for (unsigned i = 0; i < WORK_NR_KINDS; i++)
		own.recording->works[i] = (struct ring_work){ own.work.counts[i].nr,
							      own.work.counts[i].ticks };
}
