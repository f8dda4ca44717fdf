/* SPDX-License-Identifier: MIT */
/*
 * The hint-fault scanner of one address space: when it runs, how far one run goes, and how its
 * period adapts. Which pages a range holds and whether they may be armed is the caller's business
 * (struct scan_ops): this file is pure bookkeeping and can be tested against a script.
 *
 *     scheduler tick --> runtime > node_stamp + period, and wall > next_scan? --> scan_run
 *
 *     0          offset        offset'                                  end of the last area
 *     |-- area --|##########|--|------- area -------|   |--- area ---|
 *                 armed now: until 256 MiB of ranges held something to arm, or 2 GiB were passed
 *
 * When the last area was passed, seq goes up and the offset returns to 0. One task per space is
 * modelled (the recording's clock is one clock); areas skipped because this PID did not fault in
 * them lately need only its own faults then.
 *
 * Follows kernel/sched/fair.c task_tick_numa, task_numa_work, vma_is_accessed, task_scan_min, _max,
 * update_task_scan_period and task_numa_placement (6.12).
 */
#ifndef BERTH_SIM_KERNEL_SCAN_H
#define BERTH_SIM_KERNEL_SCAN_H

#include "base/types.h"

#define SCAN_DELAY_MS	   1000
#define SCAN_PERIOD_MIN_MS 1000
#define SCAN_PERIOD_MAX_MS 60000
#define SCAN_SIZE_MB	   256
#define SCAN_TICK_NS	   4000000 /* HZ=250, as Debian builds it */

struct scan_config {
	uint64_t delay_ms, period_min_ms, period_max_ms, size_mb; /* sched/numa_balancing/ */
	uint32_t page_bytes;
	uint32_t huge_pages; /* pages of a page-table leaf: 512 */
};

enum scan_skip { /* why an area is passed over, as the kernel's tracepoint has it */
		 SCAN_TAKEN,
		 SCAN_SKIP_UNSUITABLE,	  /* not migratable, hugetlb, shared and read-only,
					     inaccessible */
		 SCAN_SKIP_DELAY,	  /* new */
		 SCAN_SKIP_SEQ_COMPLETED, /* done in this sequence already */
		 SCAN_SKIP_PID_INACTIVE,
		 SCAN_NR_SKIPS,
};

/* One mapping. The caller keeps them sorted by start and never overlapping; what the scanner notes
 * in one survives as long as the mapping. */
struct scan_area {
	uint64_t start, end; /* pages */
	bool is_unsuitable;
	/* What the mapping is: areas.h. The scanner does not look at these. */
	uint8_t kind, protection, advice;
	/* The scanner's own. */
	bool is_known;
	uint64_t start_seq, done_seq;
	uint64_t next_ms, reset_ms;
	bool faulted[2]; /* the task's bit in this and in the last window */
};

struct scan_task {
	uint64_t node_stamp_ns; /* of the task's runtime */
	uint64_t period_ms;
	uint64_t period_max_ms;
	uint64_t next_scan_ms; /* of the wall clock; 0: not begun */
	uint64_t seq;
	uint64_t placed_seq; /* up to which the period was adapted */
	uint64_t retry_ms;   /* when placement is tried again */
	uint64_t offset;     /* page */
	/* Since the last adaptation, in pages: faults entered into the task's statistics. */
	uint64_t nr_remote, nr_local, nr_failed, nr_shared, nr_private;
};

struct scan_ops {
	/* Arms what may be armed of [start, end) and returns how many entries changed. */
	uint64_t (*arm)(void *context, uint64_t start, uint64_t end);
	/* May be NULL. */
	void (*skipped)(void *context, const struct scan_area *area, enum scan_skip why);
};

/* A task as exec leaves it: its first period is the delay. */
void scan_task_init(struct scan_task *task, const struct scan_config *config);
/* Bounds of the period for so many resident pages. */
uint64_t scan_period_min_ms(const struct scan_config *config, uint64_t resident_pages);
uint64_t scan_period_max_ms(const struct scan_config *config, uint64_t resident_pages);

/* A scheduler tick: true when a run is due. runtime: of the task so far. */
bool scan_is_due(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
		 uint64_t runtime_ns, uint64_t resident_pages);
/* One run. Returns how many entries were armed. 0 also when it is too early by the wall clock. */
uint64_t scan_run(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
		  uint64_t resident_pages, struct scan_area *areas, size_t nr_areas,
		  const struct scan_ops *ops, void *context);
/* The run took so long: scanning is held to a 33rd of the task's runtime. */
void scan_charge(struct scan_task *task, uint64_t spent_ns);

/* A fault that is entered into the task's statistics (not one on slow memory without promotion). */
struct scan_fault {
	uint64_t nr_pages;
	bool is_local, is_private, has_failed;
};
void scan_fault(struct scan_task *task, const struct scan_config *config,
		const struct scan_fault *fault, uint64_t now_ms, uint64_t resident_pages);
/* Any hint fault in the area. */
void scan_area_faulted(struct scan_area *area);

#endif
