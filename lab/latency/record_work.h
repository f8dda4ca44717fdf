/* SPDX-License-Identifier: MIT */
/*
 * The program's clock in QEMU: hooks at the functions that lab/symbols.h names, for work.h, and
 * what record_plugin.c lends for that.
 */
#ifndef BERTH_LAB_LATENCY_RECORD_WORK_H
#define BERTH_LAB_LATENCY_RECORD_WORK_H

#include "lab/latency/access.h"
#include "trace/ring.h"

/* The general ones by their numbers in instructions. */
enum record_register {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R15 = 15,
	FS_BASE,
	CR3,
	RECORD_NR_REGISTERS
};

/* record_plugin.c; on the vCPU's own thread, from a callback that says it reads registers. */
uint64_t record_register(unsigned number);
size_t record_memory(uint64_t address, void *to, size_t nr_bytes);

/* At install. */
void record_work_init(struct recording *recording);
/* The agent said half an address. */
void record_work_symbol(uint32_t half);
void record_work_translate(struct qemu_plugin_tb *tb);
/* Back from the kernel, or from an interrupt of it. */
void record_work_return(bool to_user);
/* Instructions since START, without those of the kernel's work on placement. */
uint64_t record_work_clock(void);
/* START: there is no work yet. */
void record_work_start(void);
/* What it came to goes into the recording. */
void record_work_stop(void);

#endif
