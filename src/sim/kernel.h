/* SPDX-License-Identifier: MIT */
/*
 * The modelled kernel: frames, page-table bits, and the small pieces that act on them.
 *
 * The kernel belongs to the world, not to the policies: it allocates, reclaims and demotes on its
 * own, below whatever agent runs. -K names a preset and sets its tunables.
 *
 *     pages[]: one struct kernel_page (4 bytes) per dense page number
 *     +--------------+--------+-------+
 *     | node (16)    | bits   | order |   node == KERNEL_NOWHERE: not allocated
 *     +--------------+--------+-------+
 *
 * A preset is one file below sim/kernel/ and one line in sim/kernel/kernels.c.
 */
#ifndef BERTH_SIM_KERNEL_H
#define BERTH_SIM_KERNEL_H

#include "base/random.h"
#include "sim/cost.h"
#include "sim/kernel/trips.h"
#include "sim/kernel/watch.h"
#include "sim/stage.h"

#define KERNEL_NOWHERE	 UINT16_MAX
#define KERNEL_UNLIMITED UINT64_MAX
/* Of migrate(): the page moved to a frame that held it already, which costs nothing. */
#define KERNEL_NOT_COPIED 1

enum kernel_page_bits {
	KERNEL_ACCESSED =
		1 << 0, /* set by every access when kernel.keeps_bits, cleared by readers */
	KERNEL_DIRTY = 1 << 1,
	KERNEL_HINT = 1 << 2,	    /* armed for a hint fault */
	KERNEL_YOUNG = 1 << 3,	    /* the kernel's own accessed bit: set by every access when
				     * kernel.ops->hint_fault, cleared by ageing and reclaim */
	KERNEL_TELL_WRITE = 1 << 4, /* kernel.ops->written wants to hear of writes */
};

struct kernel_page {
	uint16_t node;
	uint8_t bits; /* enum kernel_page_bits */
	uint8_t order;
};

struct kernel_node {
	uint64_t capacity_pages; /* KERNEL_UNLIMITED: never full */
	uint64_t free_pages;
	uint64_t ballast_pages; /* in use since before the program, and for ever */
	uint64_t held_pages;	/* of large folios, never touched: frames without a page number */
};

/* A node as the program starts, where that is known; KERNEL_UNKNOWN what is not: it has the pages
 * of its capacity, all of them free, and the watermarks that the kernel computes for them. */
#define KERNEL_UNKNOWN UINT64_MAX
struct kernel_start {
	uint64_t present_pages, managed_pages, free_pages;
	uint64_t min_pages, low_pages, high_pages, promo_pages;
	uint64_t reserve_pages; /* of its DMA zone: counted in each of these marks */
};
extern const struct kernel_start kernel_start_unknown;

/* Fragmentation made the kernel take a block of a node's memory for another kind of allocation, at
 * this time of the recording: what a model of the program cannot know is told by the recording. */
struct kernel_theft {
	uint64_t at_ns;
	uint32_t node;
};

struct kernel_stats {
	uint64_t nr_allocated, nr_fallen; /* allocations; of these, not on the first choice */
	uint64_t nr_freed;
	uint64_t nr_promoted, nr_demoted, nr_sideways; /* pages moved, by anyone */
	uint64_t nr_refused;	 /* migrations that found no room or no page */
	uint64_t nr_round_trips; /* pages that went back soon: kernel/trips.h */
};

/* Pages that were taken as one and move as one. */
struct kernel_folio {
	uint64_t page, nr_pages; /* the first, aligned to nr_pages */
	uint32_t space, node;
	uint32_t order;
	const uint32_t *numbers; /* [nr_pages]: page numbers; UINT32_MAX: never touched */
};

struct kernel_ops;
struct kernel {
	const struct kernel_ops *ops;
	const struct cost_model *cost;
	struct cost_account *account; /* pays for migrations */
	struct kernel_page *pages;
	uint32_t nr_pages;
	struct kernel_node *nodes;   /* [machine node index] */
	struct kernel_start *starts; /* [machine node index] */
	uint32_t *fallback;	     /* allocation order of home */
	uint32_t nr_fallback;
	uint64_t values[TUNABLES_MAX];	   /* of ops->tunables */
	uint64_t now_ns;		   /* the kernel's clock: recording time x dilation */
	uint64_t recorded_ns;		   /* the recording's, at the last tick */
	const struct kernel_theft *thefts; /* that have had no effect yet */
	size_t nr_thefts;
	uint64_t work_ns; /* of its own work, since whoever moves the clock last looked */
	struct random random;
	bool keeps_bits;	   /* somebody reads accessed bits */
	const struct stage *stage; /* addresses of pages; NULL: none of the presets that scan */
	void *state;		   /* the preset's own */
	struct kernel_stats stats;
	struct trips trips;
	const char *why;	    /* whoever asks for a migration says so before: static text */
	struct kernel_watch *watch; /* NULL: nobody */
};

struct kernel_ops {
	const char *name;
	const char *summary;
	bool needs_order; /* refuses recordings that only count */
	const struct tunable *tunables;
	size_t nr_tunables;

	/* Not NULL: every page is on this one node for ever, so nobody needs to look at pages, and
	 * nothing below is called. */
	uint32_t (*pin)(const struct cost_model *cost);

	/* WHEN: once, after all fields above are set. May be NULL, like start/stop. */
	int (*start)(struct kernel *kernel, struct printbuf *err);
	void (*stop)(struct kernel *kernel);

	/* Takes a frame for a page that has none: through kernel_take(). `wish` is a node an agent
	 * asked for, or UINT32_MAX. 0, or -ENOMEM when nothing is left anywhere.
	 * WHEN: at the first access of a life. */
	int (*allocate)(struct kernel *kernel, uint32_t page, uint32_t wish);

	/* WHEN: at every write to a page with KERNEL_TELL_WRITE, after it was charged and after the
	 * hint fault. NULL: no page has that. */
	void (*written)(struct kernel *kernel, uint32_t page);

	/* The page was armed (KERNEL_HINT); the kernel disarms it.
	 * WHEN: at the first access after arming, after it was charged. Not NULL: pages get
	 * KERNEL_YOUNG at every access. */
	void (*hint_fault)(struct kernel *kernel, uint32_t page, uint8_t flags);

	/* Page numbers are below nr_pages from now on. 0 or -ENOMEM. May be NULL. */
	int (*grow)(struct kernel *kernel, uint32_t nr_pages);

	/* The node's watermarks, as /proc/zoneinfo shows them. NULL: there are none. */
	void (*marks)(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		      uint64_t *ret_low);

	/* The counters of /proc/vmstat that the preset keeps, under Linux's names. May be NULL.
	 * WHEN: at the end. */
	void (*counters)(const struct kernel *kernel,
			 void (*emit)(void *context, const char *name, uint64_t value),
			 void *context);

	/* WHEN: at every tick, before any agent. NULL: nothing to do. */
	void (*tick)(struct kernel *kernel);

	/* Moves one page, and the large folio that it lies in with it; which is split when there is
	 * no room for all of it. 0; KERNEL_NOT_COPIED; -ENOENT no such page; -ENOSPC no room;
	 * -EALREADY it is there.
	 * NULL: kernel_migrate_plain. WHEN: a mover or the preset itself asks. */
	int (*migrate)(struct kernel *kernel, uint32_t page, uint32_t to);

	/* The page leaves its large folio, which is split: from now on it moves alone. 0; -ENOENT
	 * no such page; -EALREADY it is alone. NULL: there are no large folios. */
	int (*split)(struct kernel *kernel, uint32_t page);

	/* The large folio that is mapped at `page` of `space`, touched there or not. False: none.
	 * NULL: there are no large folios. */
	bool (*folio)(const struct kernel *kernel, uint32_t space, uint64_t page,
		      struct kernel_folio *ret);

	/* A mapping was made or undone. NULL: mappings are made from the pages touched. WHEN:
	 * before the pages of an undone one are freed. */
	int (*mapping)(struct kernel *kernel, const struct trace_mapping *mapping);

	/* Gives the frame back: through kernel_give(). NULL: kernel_give alone.
	 * WHEN: at the end of a life. Pages without a frame never come here. */
	void (*free)(struct kernel *kernel, uint32_t page);
};

extern const struct kernel_ops *const kernels[]; /* NULL-terminated; sim/kernel/kernels.c */
const struct kernel_ops *kernel_find(const char *name);
/* Not in the list: everything on the fastest, or on the slowest node, which never fills up. */
extern const struct kernel_ops kernel_all_fast, kernel_all_slow;

/* capacity_pages: [node]; copied. values: of ops->tunables, NULL for defaults. */
int kernel_new(const struct kernel_ops *ops, const struct cost_model *cost,
	       struct cost_account *account, const uint64_t *capacity_pages, const uint64_t *values,
	       uint64_t seed, struct kernel **ret, struct printbuf *err);
/* The same as the machine was found: starts is [node], copied; NULL: all unknown. What they know
 * goes before capacity_pages. */
int kernel_new_at(const struct kernel_ops *ops, const struct cost_model *cost,
		  struct cost_account *account, const uint64_t *capacity_pages,
		  const struct kernel_start *starts, const uint64_t *values, uint64_t seed,
		  struct kernel **ret, struct printbuf *err);
struct kernel *kernel_free(struct kernel *kernel);
int kernel_grow(struct kernel *kernel, uint32_t nr_pages);

/* Building blocks of presets (kernel/frames.c). */
bool kernel_take(struct kernel *kernel, uint32_t page, uint32_t node); /* false: full */
void kernel_give(struct kernel *kernel, uint32_t page);
int kernel_migrate_plain(struct kernel *kernel, uint32_t page, uint32_t to);
/* Frames for a large folio: taken as one, then page by page as pages of it get numbers. */
bool kernel_hold(struct kernel *kernel, uint32_t node, uint64_t nr_pages); /* false: no room */
void kernel_unhold(struct kernel *kernel, uint32_t node, uint64_t nr_pages);
void kernel_take_held(struct kernel *kernel, uint32_t page, uint32_t node, uint32_t order);
void kernel_give_held(struct kernel *kernel, uint32_t page);
/* Moves all frames and pages of the folio, touched or not. False: no room, nothing moved. */
bool kernel_migrate_held(struct kernel *kernel, const struct kernel_folio *folio, uint32_t to);

/* What the world calls. */
int kernel_fault(struct kernel *kernel, uint32_t page, uint32_t wish);
int kernel_migrate(struct kernel *kernel, uint32_t page, uint32_t to);
int kernel_split(struct kernel *kernel, uint32_t page);
/* The large folio of a page number, or of an address; false: it is alone, or not in memory. */
bool kernel_folio_of(const struct kernel *kernel, uint32_t page, struct kernel_folio *ret);
bool kernel_folio_at(const struct kernel *kernel, uint32_t space, uint64_t page,
		     struct kernel_folio *ret);
void kernel_release(struct kernel *kernel, uint32_t page);
bool kernel_is_valid(const struct kernel *kernel); /* frames add up; walks all pages */

#endif
