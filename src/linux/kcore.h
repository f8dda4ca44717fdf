/* SPDX-License-Identifier: MIT */
/*
 * The kernel's memory, read only: /proc/kcore, to find a process's page tables.
 *
 *     its note NT_TASKSTRUCT: our own task_struct --+
 *     /sys/kernel/btf: offsets of members           |
 *                                                   v
 *       tasks.next -> ... -> task_struct of the process -> mm -> pgd     (pagetable.h from there)
 *
 * Why: where the kernel keeps accessed bits no interface of Debian's kernels tells them for a page
 * (CONFIG_IDLE_PAGE_TRACKING is off in 6.12 and 7.3), but the page tables themselves can be read.
 * What is read may change meanwhile: every address is checked to be memory, a freed table yields
 * wrong bits for one look, and nothing is ever written.
 *
 * Needs CAP_SYS_RAWIO, CONFIG_PROC_KCORE, CONFIG_DEBUG_INFO_BTF, and that lockdown is not
 * "confidentiality". x86-64 only.
 *
 * Cost: opening reads 5 MB of type information (10 ms); finding a process is two reads of a
 * microsecond for each one before it in the list; a read of 4 KiB takes about 0.5 us, 67 us in an
 * emulated guest. Follows fs/proc/kcore.c (6.12).
 */
#ifndef BERTH_LINUX_KCORE_H
#define BERTH_LINUX_KCORE_H

#include <sys/types.h>

#include "machine/root.h"

#define KCORE_MAX_SEGMENTS 4096
#define KCORE_MAX_TASKS	   ((uint32_t)1 << 22) /* PID_MAX_LIMIT */

struct kcore_segment {
	uint64_t virtual, physical, nr_bytes, offset; /* physical: UINT64_MAX when not known */
};

struct kcore {
	int fd;
	struct kcore_segment *segments;
	uint32_t nr_segments;
	uint64_t map_base; /* of the direct map: virtual less physical */
	uint64_t notes_offset, notes_bytes;
	uint64_t first_task;	      /* address of the `tasks` of one: the list is a ring */
	uint32_t tasks, pid, mm, pgd; /* offsets */
	unsigned levels;	      /* of page tables, 4 or 5 */
};

/* Can it be opened? Changes nothing; as sampler_ops.probe. */
int kcore_probe(const struct root *root, struct printbuf *err);
int kcore_open(const struct root *root, struct kcore *ret, struct printbuf *err);
void kcore_fini(struct kcore *kcore);

/* 0, or -EFAULT when it is not memory, or is no more. */
int kcore_read(const struct kcore *kcore, uint64_t address, void *ret, size_t nr_bytes);
int kcore_read_physical(const struct kcore *kcore, uint64_t physical, void *ret, size_t nr_bytes);

/* Address of the task_struct of a process; -ESRCH when it is not in the list. */
int kcore_find_task(const struct kcore *kcore, pid_t pid, uint64_t *ret_task);
/* Where its page table begins; -ESRCH when `task` is not `pid` any more or its memory is gone. */
int kcore_page_table(const struct kcore *kcore, uint64_t task, pid_t pid, uint64_t *ret_physical);

/* From the ELF headers of a file like kcore's; for tests also of any file. */
int kcore_parse_segments(struct kcore *kcore, struct printbuf *err);
/* Then from its notes: where the list of tasks is. `tasks` is known. */
int kcore_parse_notes(struct kcore *kcore, struct printbuf *err);

#endif
