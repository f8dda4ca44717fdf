/* SPDX-License-Identifier: MIT */
/*
 * The mappings of one address space: what the hint-fault scanner walks, and what decides whether a
 * fault may take a huge page. Recordings that tell of mappings fill it with them; where they do not
 * (imports, the image that execve maps in a guest), areas are made from the pages that are born:
 * neighbours nearer than AREAS_GAP are one.
 *
 *     sorted, never overlapping
 *     [ program: file r-x ][ heap: anonymous rw- ]    [ touched: unknown ]   [ stack ]
 *
 * A change cuts areas at its ends. What is left of a cut area forgets what the scanner noted in it,
 * as a split vm_area_struct does (mm/vma.c __split_vma, vma_numab_state_init); neighbours that are
 * alike and anonymous become one, as in vma_merge; but a program's bss and the heap behind it stay
 * two (seen in guests of both kernels: the scanner takes them one after the other).
 *
 * Unsuitable to the scanner (kernel/sched/fair.c task_numa_work): inaccessible areas, files that
 * are mapped readable and not writable, the kernel's own pages in user space but for the vDSO,
 * which is neither a file's nor of the kinds that are passed over.
 *
 * Cost: O(log n) per birth, O(1) when it lies in the same area as the last; O(n) per change. At
 * most AREAS_MAX areas, the kernel's own default limit of mappings: beyond it a page joins its
 * nearest neighbour that was made from pages, and cuts are not made.
 */
#ifndef BERTH_SIM_KERNEL_AREAS_H
#define BERTH_SIM_KERNEL_AREAS_H

#include "sim/kernel/scan.h"

#define AREAS_GAP 512	/* pages: one page table */
#define AREAS_MAX 65530 /* vm.max_map_count */

enum area_kind {
	AREA_UNKNOWN, /* made from pages */
	AREA_ANONYMOUS,
	AREA_BSS,   /* anonymous too, of the program's image: a neighbour does not join it */
	AREA_STACK, /* anonymous too; how far it reaches is the recorder's guess */
	AREA_FILE,
	AREA_SHARED,
	AREA_CODE,    /* the kernel's, for programs: vdso; no file, so it is scanned */
	AREA_SPECIAL, /* the kernel's own: vvar, vsyscall */
};
enum area_advice { AREA_NO_ADVICE, AREA_HUGE, AREA_NOT_HUGE };
#define AREA_READ  1 /* PROT_READ */
#define AREA_WRITE 2 /* PROT_WRITE */

struct areas {
	struct scan_area *items;
	size_t nr, max;
	size_t last; /* index of the area found last */
};

/* A page is born there. -ENOMEM, else 0. */
int areas_touch(struct areas *areas, uint64_t page);
/* The area that holds the page, or NULL. */
struct scan_area *areas_find(struct areas *areas, uint64_t page);

/* Does any area lie in [page, page + nr_pages), even in part? */
bool areas_overlap(const struct areas *areas, uint64_t page, uint64_t nr_pages);

/* What a recording's name for a mapping stands for. */
enum area_kind area_kind_of(const char *name);
/* Changes of [page, page + nr_pages), which may reach past the last page. -ENOMEM, else 0. */
int areas_map(struct areas *areas, uint64_t page, uint64_t nr_pages, enum area_kind kind,
	      uint32_t protection);
int areas_unmap(struct areas *areas, uint64_t page, uint64_t nr_pages);
int areas_protect(struct areas *areas, uint64_t page, uint64_t nr_pages, uint32_t protection);
int areas_advise(struct areas *areas, uint64_t page, uint64_t nr_pages, enum area_advice advice);
/* mremap: what was at `from` is at `to`; what was at `to` is gone. */
int areas_move(struct areas *areas, uint64_t from, uint64_t to, uint64_t nr_pages);
void areas_fini(struct areas *areas);
bool areas_is_valid(const struct areas *areas);

#endif
