/* SPDX-License-Identifier: MIT */
/*
 * Functions of the guest's kernel that the recorder wants to see called (lab/latency/work.h): the
 * agent finds them in /proc/kallsyms and says each as two SYMBOL marks, the lower 16 bits of its
 * address and the next 16, in this order. Kernel text lies in the top 2 GiB. Both 0: this kernel
 * has no such function, by that name.
 *
 * Several names: the first one that there is. Names are those of Linux 6.12 and 7.3.
 */
#ifndef BERTH_LAB_SYMBOLS_H
#define BERTH_LAB_SYMBOLS_H

enum lab_symbol {
	LAB_SYMBOL_SWITCH,	/* to another task */
	LAB_SYMBOL_FAULT,	/* a page fault begins */
	LAB_SYMBOL_HINT_FAULT,	/* ... and is a hint fault */
	LAB_SYMBOL_HINT_DECIDE, /* ... in which promotion is weighed */
	LAB_SYMBOL_MIGRATE,	/* ... which migrates */
	LAB_SYMBOL_SCAN,	/* arming pages for hint faults */
	LAB_SYMBOL_RECLAIM,	/* kswapd or direct reclaim */
	LAB_SYMBOL_COMPACT,	/* kcompactd, kswapd or direct compaction */
	LAB_SYMBOL_COLLAPSE,	/* khugepaged */
	LAB_SYMBOL_STEAL,	/* a block of pages is taken for another kind of allocation */
	LAB_NR_SYMBOLS,
};

#define LAB_SYMBOL_NR_NAMES 2
#define LAB_SYMBOL_NAMES                                                                           \
	{                                                                                          \
		[LAB_SYMBOL_SWITCH] = { "__switch_to_asm" },                                       \
		[LAB_SYMBOL_FAULT] = { "asm_exc_page_fault" },                                     \
		[LAB_SYMBOL_HINT_FAULT] = { "numa_migrate_check" },                                \
		[LAB_SYMBOL_HINT_DECIDE] = { "should_numa_migrate_memory" },                       \
		[LAB_SYMBOL_MIGRATE] = { "migrate_misplaced_folio" },                              \
		[LAB_SYMBOL_SCAN] = { "task_numa_work" },                                          \
		[LAB_SYMBOL_RECLAIM] = { "shrink_node" },                                          \
		[LAB_SYMBOL_COMPACT] = { "compact_zone" },                                         \
		[LAB_SYMBOL_COLLAPSE] = { "collapse_huge_page" },                                  \
		[LAB_SYMBOL_STEAL] = { "try_to_steal_block", "try_to_claim_block" },               \
	}

#endif
