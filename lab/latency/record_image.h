/* SPDX-License-Identifier: MIT */
/*
 * What execve mapped, read from the new image's own memory: the kernel puts the addresses of the
 * program headers, the loader and the vDSO on the stack (the auxiliary vector).
 *
 *     stack pointer -> argc | argv ... 0 | envp ... 0 | type value | ... | 0 0 | ... strings
 *                                                       AT_PHDR, AT_PHNUM -> headers of the program
 *                                                       AT_BASE -> ELF header of its loader
 *
 * Headers are in memory only after the program's start-up code looked at them, so this is tried at
 * each of its first system calls. Follows Linux fs/binfmt_elf.c and the System V ABI, x86-64.
 */
#ifndef BERTH_LAB_LATENCY_RECORD_IMAGE_H
#define BERTH_LAB_LATENCY_RECORD_IMAGE_H

#include "recorder/read_string.h"

#define RECORD_NAME_BYTES    256
#define RECORD_IMAGE_MAX     32 /* mapped parts that are looked at */
#define RECORD_IMAGE_TRIES   64
#define RECORD_STACK_RESERVE ((uint64_t)128 << 10) /* that execve maps below the pointer */
#define RECORD_STACK_LIMIT   ((uint64_t)8 << 20)   /* to which it usually may grow */

/* Bytes read at a virtual address of the guest, 0 when nothing is there. */
typedef read_guest_fn record_read_fn;

struct record_image {
	uint64_t stack; /* pointer at the first instruction; 0: there is nothing to read */
	uint32_t nr_tries;
	uint64_t stack_first, stack_end; /* addresses; end 0: not known yet */
};

struct record_image_part {
	uint64_t address, nr_bytes;
	uint32_t protection;
	const char *name; /* "[stack]", "[bss]", "[vdso]", or one of the two below */
};

struct record_image_parts {
	struct record_image_part items[RECORD_IMAGE_MAX];
	uint32_t nr;
	char program[RECORD_NAME_BYTES], loader[RECORD_NAME_BYTES];
};

/* -EAGAIN: not in memory yet; -EBADMSG: makes no sense. The stack comes first. */
int record_image_read(const struct record_image *image, record_read_fn *read,
		      struct record_image_parts *ret);

#endif
