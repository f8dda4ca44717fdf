/* SPDX-License-Identifier: MIT */
/*
 * Linux with its tiering: what puts the pieces together. linux_presets.c has the settings that
 * bear names; linux_none.c is the same kernel with all of it off, and cheaper.
 *
 *     birth --> linux_alloc.c: zonelist and watermarks --> lru (node)
 *     access to an armed page --> linux_fault.c: hot.c decides, promotes, or wakes kswapd
 *     tick --> scan.c arms ranges; kswapd.c works: lru takes cold pages --> linux_reclaim.c
 *
 * Cost: 11 bytes per page number beside the table of kernel.h.
 */
#ifndef BERTH_SIM_KERNEL_LINUX_H
#define BERTH_SIM_KERNEL_LINUX_H

#include "sim/kernel.h"
#include "sim/kernel/areas.h"
#include "sim/kernel/hot.h"
#include "sim/kernel/kswapd.h"
#include "sim/kernel/large.h"
#include "sim/kernel/lru.h"
#include "sim/kernel/pcp.h"
#include "sim/kernel/scan.h"
#include "sim/kernel/walk_filter.h"
#include "sim/kernel/watermark.h"

enum linux_tunable {
	LINUX_NUMA_BALANCING, /* bits: 1 locality, 2 tiering */
	LINUX_DEMOTION,
	LINUX_SCAN_DELAY_MS,
	LINUX_SCAN_PERIOD_MIN_MS,
	LINUX_SCAN_PERIOD_MAX_MS,
	LINUX_SCAN_SIZE_MB,
	LINUX_HOT_THRESHOLD_MS,
	LINUX_RATE_LIMIT_MBPS,
	LINUX_WATERMARK_SCALE,
	LINUX_MIN_FREE_KBYTES,
	LINUX_THRESHOLD,
	LINUX_FREE_SPACE_BYPASS,
	LINUX_LRU_GEN,
	LINUX_THP,
	LINUX_GATE,
	LINUX_WMARK,
	LINUX_VERSION,
	LINUX_NR_TUNABLES,
};

/* Words of the keys that take one; linux_presets.c says what they mean. */
enum linux_version { LINUX_6_12, LINUX_7_3 };
enum linux_gate { LINUX_GATE_NONE, LINUX_GATE_ACTIVE_LRU };
enum linux_wmark { LINUX_WMARK_PROMO, LINUX_WMARK_BOOST, LINUX_WMARK_FIXED_10MB };
enum linux_threshold { LINUX_THRESHOLD_AUTO, LINUX_THRESHOLD_IS_FIXED };

enum linux_thp { LINUX_THP_NEVER, LINUX_THP_MADVISE, LINUX_THP_ALWAYS };
extern const char *const linux_thp_names[];

#define LINUX_NOBODY   UINT32_MAX
#define LINUX_NO_NODE  UINT32_MAX
#define LINUX_DMA_NODE 32768 /* pages: smaller first nodes are toys, not PCs */

enum linux_counter { /* of /proc/vmstat */
		     LINUX_NUMA_PTE_UPDATES,
		     LINUX_NUMA_HINT_FAULTS,
		     LINUX_NUMA_HINT_FAULTS_LOCAL,
		     LINUX_NUMA_PAGES_MIGRATED,
		     LINUX_PGMIGRATE_SUCCESS,
		     LINUX_PGMIGRATE_FAIL,
		     LINUX_PGPROMOTE_SUCCESS,
		     LINUX_PGDEMOTE_KSWAPD,
		     LINUX_PGDEMOTE_DIRECT,
		     LINUX_PGSCAN_KSWAPD,
		     LINUX_PGSCAN_DIRECT,
		     LINUX_PGSTEAL_KSWAPD,
		     LINUX_PGSTEAL_DIRECT,
		     LINUX_PGALLOC_NORMAL,
		     LINUX_PGALLOC_MOVABLE,
		     LINUX_PGFREE,
		     LINUX_ALLOCSTALL_MOVABLE,
		     LINUX_NR_SMALL_COUNTERS,
		     /* Of huge pages. */
		     LINUX_NUMA_HUGE_PTE_UPDATES = LINUX_NR_SMALL_COUNTERS,
		     LINUX_THP_FAULT_ALLOC,
		     LINUX_THP_FAULT_FALLBACK,
		     LINUX_THP_SPLIT_PAGE,
		     LINUX_THP_SPLIT_PMD,
		     LINUX_THP_DEFERRED_SPLIT_PAGE,
		     LINUX_THP_MIGRATION_SUCCESS,
		     LINUX_THP_MIGRATION_FAIL,
		     LINUX_THP_MIGRATION_SPLIT,
		     LINUX_NR_COUNTERS,
};

struct linux_node {
	struct watermarks marks; /* without the boost: linux_marks_now() */
	uint64_t boost_pages;
	uint64_t bypass_pages;
	struct pcp pcp; /* part of the node's free pages: linux_zone_free() */
	struct hot_node hot;
	struct lru lru;
	struct kswapd kswapd;
	struct large_queue deferred; /* folios to split, as a part of them was unmapped */
	uint64_t deferred_carried;   /* splits that the shrinker still owes */
	int64_t kswapd_ns; /* CPU time it has left; negative: it is still busy with what it did */
	bool is_cut;	   /* kswapd's last visit ended because its time was up */
	uint64_t nr_met;   /* pages that it had met on the lists by then */
	uint64_t nr_moves; /* by the LRU, that reclaim's time was taken for */
	bool has_aged;	   /* it had begun with a walk */
	/* Demoted by kswapd in a batch that it has not had the time for: free when it has. */
	uint64_t small_in_flight, large_in_flight;
	uint32_t *targets; /* where demotion goes: the next tier's nearest first, then the rest */
	uint32_t nr_targets;
	struct walk_filter filter;
	bool has_dma_zone; /* the first node of a PC */
	bool is_top;	   /* at or above the slowest tier that has CPUs */
};

struct linux_space {
	struct areas areas;
	struct scan_task task;
	struct walk_counts tables; /* page tables, with the pages ever born in each */
	uint64_t nr_resident;
	bool is_used;
};

struct linux_kernel {
	struct kernel *kernel;
	struct scan_config scan;
	struct hot_config hot;
	struct linux_node *nodes;
	struct lru_pages lru;
	/* [page]: as the kernel's last_cpupid, one field for two things: of slow memory in mode 2
	 * when it was armed, HOT_TIME_BITS of it; else who faulted last: LINUX_NOBODY or 0. */
	uint32_t *armed_ms;
	struct linux_space *spaces;
	uint32_t nr_spaces;
	uint32_t scanned_space; /* being scanned, for arm() */
	uint64_t scan_ns;	/* that the scan under way takes */
	uint64_t stolen_ns;	/* from the program, by a kswapd that shares its CPU */
	uint64_t reclaim_ns;	/* that reclaim has taken since it was last settled */
	uint32_t last_born;	/* page, and when */
	uint64_t last_born_ns;
	uint64_t tick_ms; /* last scheduler tick that was looked at */
	uint64_t tick_ns;
	uint64_t turn;	 /* shared clock: the scheduler's tick at which kswapd last had the CPU */
	uint64_t second; /* the last one whose end was looked at */
	enum linux_thp thp;
	struct large_table large; /* empty when thp is never */
	uint64_t peak_untouched;  /* pages of large folios, at most at once */
	bool keeps_large;	  /* what migrates now fails rather than being split */
	/* Of lives that are over: pages that were written, and pages of the folios they lay in. */
	uint64_t dirty_pages, dirty_folio_pages;
	bool is_batch;	     /* what migrates now is moved by kswapd */
	bool is_direct;	     /* reclaim on behalf of an allocation, not by kswapd */
	struct nomad *nomad; /* of that preset; else NULL */
	uint64_t counters[LINUX_NR_COUNTERS];
};

static inline struct linux_kernel *linux_of(const struct kernel *kernel)
{
	return kernel->state;
}

/* Where a page is on the lists: by itself, or with its large folio. */
static inline uint32_t linux_entry(const struct linux_kernel *state, uint32_t page)
{
	return unlikely(state->kernel->pages[page].order)
		       ? LRU_LARGE | large_of(&state->large, page)
		       : page;
}

static inline uint64_t linux_nr_pages(const struct linux_kernel *state, uint32_t page)
{
	return (uint64_t)1 << state->kernel->pages[page].order;
}

/* The field for times of arming and last users: one for all pages of a large folio. */
static inline uint32_t *linux_armed_ms(const struct linux_kernel *state, uint32_t page)
{
	return unlikely(state->kernel->pages[page].order)
		       ? &large_folio(&state->large, large_of(&state->large, page))->armed_ms
		       : &state->armed_ms[page];
}

static inline uint64_t linux_now_ms(const struct kernel *kernel)
{
	return kernel->now_ns / NS_PER_MS;
}

/* linux.c */
int linux_start(struct kernel *kernel, struct printbuf *err);
void linux_stop(struct kernel *kernel);
int linux_grow(struct kernel *kernel, uint32_t nr_pages);
void linux_tick(struct kernel *kernel);
struct linux_space *linux_space_of(struct linux_kernel *state,
				   uint32_t space); /* NULL: no memory */

/* linux_mapping.c */
int linux_mapping(struct kernel *kernel, const struct trace_mapping *mapping);

/* linux_large.c; with thp=never none of it may be called but linux_folio. */
/* 0: the page has a frame of a large folio; 1: it is to be a page by itself; or -ENOMEM. */
int linux_large_allocate(struct linux_kernel *state, uint32_t page, uint32_t wish);
void linux_large_release(struct linux_kernel *state, uint32_t page);
int linux_large_migrate(struct linux_kernel *state, uint32_t page, uint32_t to);
/* Arms it as one, or not at all. Returns how many pages that were. */
uint64_t linux_large_arm(struct linux_kernel *state, uint32_t id, uint32_t now_ms);
/* No page of it is armed any more. */
void linux_large_disarm(struct linux_kernel *state, uint32_t id);
void linux_large_split(struct linux_kernel *state, uint32_t id);
/* The folio is mapped by a page table from now on. */
void linux_large_split_entry(struct linux_kernel *state, uint32_t id);
/* Pages [from, to) of the folio go. -ENOMEM. */
int linux_large_unmap(struct linux_kernel *state, uint32_t id, uint32_t from, uint32_t to);
void linux_large_shrink(struct linux_kernel *state, uint32_t node, uint32_t priority);
/* Folios with a page that was written. Looks at all pages of all. */
uint64_t linux_large_dirty_folios(const struct linux_kernel *state);
int linux_split(struct kernel *kernel, uint32_t page);
bool linux_folio(const struct kernel *kernel, uint32_t space, uint64_t page,
		 struct kernel_folio *ret);

/* linux_large_map.c */
int linux_large_mapping(struct linux_kernel *state, const struct trace_mapping *mapping);

/* linux_counters.c */
void linux_counters(const struct kernel *kernel,
		    void (*emit)(void *context, const char *name, uint64_t value), void *context);

void linux_count_allocated(struct linux_kernel *state, uint32_t node, uint64_t nr_pages);

/* linux_marks.c */
struct linux_marks_config {
	uint64_t scale;		  /* watermark_scale_factor */
	uint64_t min_free_kbytes; /* 0: as the kernel computes it */
	bool has_huge;		  /* and as khugepaged raises it */
};
/* The marks of a node as boot sets them, or as they were found (kernel->starts); all 0 for a node
 * without memory. */
void linux_marks_of(const struct kernel *kernel, const struct linux_marks_config *config,
		    uint32_t node, struct watermarks *ret);
bool linux_node_has_memory(const struct kernel *kernel, uint32_t node);
/* Memory that is plugged in later: ZONE_MOVABLE. */
bool linux_node_is_movable(const struct machine_node *node);
enum linux_mark { LINUX_MARK_LOW, LINUX_MARK_MIN, LINUX_MARK_NONE };
static inline uint64_t linux_mark(const struct watermarks *marks, enum linux_mark mark)
{
	return mark == LINUX_MARK_LOW ? marks->low : mark == LINUX_MARK_MIN ? marks->min : 0;
}
/* With the boost that is in force. */
struct watermarks linux_marks_now(const struct linux_kernel *state, uint32_t node);
/* kernel_ops.marks */
void linux_marks_seen(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		      uint64_t *ret_low);
/* kswapd works until more than this is free. */
uint64_t linux_kswapd_aim(const struct linux_kernel *state, uint32_t node);
/* A page is about to be allocated on the node, for a first touch or a promotion: blocks that the
 * recording says were taken at about this time are taken by it. */
void linux_thefts(struct linux_kernel *state, uint32_t node, bool is_promotion);
/* A promotion found no room; no effect but with wmark=boost. */
void linux_boost(struct linux_kernel *state, uint32_t node);

/* linux_alloc.c */
/* Free pages that the watermarks see: not those on a CPU's list, nor of a batch under way. */
static inline uint64_t linux_zone_free(const struct linux_kernel *state, uint32_t node)
{
	const struct linux_node *of = &state->nodes[node];
	uint64_t free_pages = state->kernel->nodes[node].free_pages;
	uint64_t hidden = pcp_count(&of->pcp) + of->small_in_flight + of->large_in_flight;
	return free_pages - MIN(hidden, free_pages);
}

/* Pages of the DMA zone that programs do not get; each mark counts them in. */
static inline uint64_t linux_reserve(const struct kernel *kernel, uint32_t node)
{
	uint64_t reserve = kernel->starts[node].reserve_pages;
	return reserve == KERNEL_UNKNOWN ? 0 : reserve;
}
/* Would this many pages leave the node at the mark at least? */
bool linux_has_room(const struct linux_kernel *state, uint32_t node, enum linux_mark mark,
		    uint64_t nr_pages);
int linux_allocate(struct kernel *kernel, uint32_t page, uint32_t wish);
void linux_release(struct kernel *kernel, uint32_t page);
int linux_migrate(struct kernel *kernel, uint32_t page, uint32_t to);
/* Of a page in use since before the program. False: no room. */
bool linux_move_ballast(struct linux_kernel *state, uint32_t from, uint32_t to);
/* The batch that kswapd moved off the node is done. */
void linux_land(struct linux_kernel *state, uint32_t node);

/* linux_fault.c */
void linux_hint_fault(struct kernel *kernel, uint32_t page, uint8_t flags);
void linux_scan_tick(struct kernel *kernel);
/* What a fault, or the thread that it asked, does in the end: false when there is no room. */
bool linux_promote(struct linux_kernel *state, uint32_t page, uint32_t home);

/* linux_tell.c: to who watches; page's fault was decided so. */
void linux_tell_hot(struct linux_kernel *state, uint32_t page, uint32_t home, uint64_t latency_ms,
		    enum hot_verdict verdict);
void linux_tell(struct linux_kernel *state, uint32_t page, const char *why);

/* linux_reclaim.c */
void linux_view(struct linux_kernel *state, uint32_t node, struct kswapd_view *ret);
/* order: of the folio that found no room. */
void linux_wake_kswapd(struct linux_kernel *state, uint32_t node, uint32_t order);
void linux_kswapd_tick(struct kernel *kernel);
/* Direct reclaim of one node; returns pages freed there. */
uint64_t linux_reclaim(struct kernel *kernel, uint32_t node, uint64_t nr_pages);

#endif
