/* SPDX-License-Identifier: MIT */
/*
 * What a process has mapped, with names, and what changed since the last look.
 *
 *     before   [ libc ][ heap ]      [ anon ]
 *     now      [ libc ][ heap    ]              [ data ]
 *     told                   +++      ------     ++++++     part by part, ascending
 *
 * Only whole changes of name count: a region that grows is mapped where it grew, one whose
 * protection changed is the same region. What nobody may read or write (guard areas, reservations)
 * is not mapped, nor is what the kernel lends (vdso, vvar, vsyscall).
 *
 * Cost: 32 bytes and the name per region; a look is the kernel's writing of /proc/PID/maps;
 * comparing is one pass over both.
 * Follows show_map_vma() in fs/proc/task_mmu.c (6.12).
 */
#ifndef BERTH_LINUX_MAPS_H
#define BERTH_LINUX_MAPS_H

#include <sys/types.h>

#include "machine/root.h"

#define MAPS_MAX      ((size_t)1 << 20)
#define MAPS_NAME_MAX 4095 /* of the recording's format */

struct map {
	uint64_t first, end; /* pages */
	uint32_t protection; /* PROT_* bits */
	char *name;	     /* path, "[heap]", "[stack]", "[anon]" as `berth record` has it */
};

struct maps { /* ascending, without overlaps */
	struct map *items;
	size_t nr, max;
};

/* -ESRCH: it ended. */
int maps_read(const struct root *root, pid_t pid, uint32_t page_bytes, struct maps *ret);
/* One line of the kernel's, which is cut to its name; false: it is not one. */
bool maps_parse_line(char *line, uint32_t page_bytes, struct map *ret);
/* Is it the process's to use? */
bool map_is_memory(const struct map *map);
/* Takes one line of the kernel's; what is not one is passed over. -ENOMEM. */
int maps_add_line(struct maps *maps, char *line, uint32_t page_bytes);
/* Calls with each part that is gone, and each that is new, ascending; until negative. */
int maps_compare(const struct maps *before, const struct maps *now,
		 int (*changed)(void *context, const struct map *part, bool is_new), void *context);
void maps_fini(struct maps *maps);

#endif
