/* SPDX-License-Identifier: MIT */
/*
 * The program's own progress, apart from what the kernel does to place memory. Knows nothing of
 * QEMU (record_work.c does), so that tests drive it with scripted guests.
 *
 * A second in which the kernel takes 20,000 hint faults and moves 5,000 pages holds little of the
 * program. A recording whose clock ran on meanwhile would carry this kernel's placement into every
 * simulation of another. So the clock of a recording made in the lab stands still while
 *
 *     a hint fault is served, from the fault to the return to user mode, promotion included
 *     the scanner arms pages (it works on the way back to user mode)
 *     reclaim or compaction works for an allocation of the program's, to the return to user mode
 *     a kernel thread works that reclaims, compacts or collapses: kswapd, kcompactd, khugepaged
 *
 * and runs for all else: the program, its system calls, first touches, timer ticks, other tasks.
 *
 *     total    |--user--|fault  hint.....|--user--|tick|scan......|--user--|kswapd...|--user--|
 *     clock    |--------|                |-------------|          |--------|         |--------|
 *
 * A fault shows what it is only after some 1,000 instructions; the clock waits until it is past
 * what it has shown by then. A kernel thread shows what it is when it first calls one of these
 * functions; that is before or soon after START, and what it did before is not left out.
 *
 * Tasks are known by the address of their task_struct; one that goes to user mode is no kernel
 * thread, whatever the one was that had this address before.
 *
 * Cost: nothing per access; some nanoseconds per task switch, page fault and return from it.
 */
#ifndef BERTH_LAB_LATENCY_WORK_H
#define BERTH_LAB_LATENCY_WORK_H

#include "base/types.h"

#define WORK_MAX_TASKS 256

enum work_kind {
	WORK_HINT_FAULT, /* that leaves the page where it is, without weighing promotion */
	WORK_REFUSAL,	 /* ... after weighing it */
	WORK_PROMOTION,	 /* hint fault that migrates, or tries to */
	WORK_SCAN,
	WORK_RECLAIM, /* for an allocation that waits */
	WORK_THREAD,  /* slices of kernel threads */
	WORK_NR_KINDS,
};
#define WORK_NAMES                                                                                 \
	{                                                                                          \
		[WORK_HINT_FAULT] = "hint_faults", [WORK_REFUSAL] = "refused_faults",              \
		[WORK_PROMOTION] = "promoting_faults", [WORK_SCAN] = "scans",                      \
		[WORK_RECLAIM] = "direct_reclaim", [WORK_THREAD] = "kernel_threads",               \
	}

struct work_task {
	uint64_t address;
	bool is_user, is_placing;
};

struct work_count {
	uint64_t nr, ticks;
};

struct work {
	struct work_count counts[WORK_NR_KINDS];
	uint64_t done;	/* ticks of work that is over */
	uint64_t shown; /* the clock never goes back */
	struct work_task tasks[WORK_MAX_TASKS];
	uint32_t nr_tasks;
	struct work_task *current; /* NULL: a task beyond WORK_MAX_TASKS */
	/* What the clock stands still for. */
	bool is_open;
	enum work_kind kind;
	uint64_t start;
	/* A window of the program's that another task interrupted. */
	uint64_t waiting_task; /* 0: none */
	enum work_kind waiting_kind;
	/* The page fault under way. */
	uint64_t fault_start;
	bool is_kernel_fault; /* taken in kernel mode: it ends with a return there */
	bool ends_in_kernel;  /* the open window does */
};

/* The task that runs is the program's. */
void work_init(struct work *work);
/* Ticks of the program's own, at `now` of all. */
uint64_t work_clock(struct work *work, uint64_t now);

void work_switch(struct work *work, uint64_t now, uint64_t task);
void work_fault(struct work *work, uint64_t now, bool is_from_kernel);
/* A function that says what is being done was called. */
void work_begin(struct work *work, uint64_t now, enum work_kind kind);
/* An interrupt or exception, or a system call, returns. */
void work_return(struct work *work, uint64_t now, bool to_user);

#endif
