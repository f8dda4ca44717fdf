/* SPDX-License-Identifier: MIT */
/*
 * nomad: linux-tiering without exclusion: what was promoted keeps its copy in slow memory, a
 * shadow, as long as nobody writes to the page and the memory is not needed; demotion back to it is
 * free.
 *
 *     hint fault, wanted --> queue --next tick: copy--> promoted, slow frame becomes its shadow
 *                              ^          | written meanwhile: aborted
 *                              +----------+ up to three tries
 *
 *     fast: [page]           write ------------------> shadow dropped
 *             :              demoted to its node ----> the shadow is the page: no copy
 *     slow: [shadow]         node short of memory ---> oldest shadows dropped
 *
 * From Xiang et al., "Nomad: Non-Exclusive Memory Tiering via Transactional Page Migration", OSDI
 * 2024: shadows of promoted pages and what ends them; that shadows are reclaimed before anything
 * else; promotion off the fault's path by a kernel thread; the copy made while the page stays
 * mapped, and thrown away and retried later when the page was dirtied meanwhile; base pages only.
 *
 * berth's reading, where the paper leaves it open or a model of ticks cannot follow it:
 * - Which pages are promoted is linux-tiering's choice (latency, rate); the paper's own queues wait
 *   for active and accessed bits.
 * - A shadow lies in free memory above its node's LOW mark and counts as free: whoever takes memory
 *   below that line ends the oldest shadows.
 * - A copy takes the cost model's time for a page, a tick is longer: with w writes in the tick, the
 *   copy is hit with the chance w x copy / tick. A copy that was hit is paid for.
 * - Three tries, then the page must fault again.
 * - Write faults that end a shadow are not charged.
 *
 * Cost: 13 bytes per page number beside linux.h's; O(1) per move, and per write to a page that has
 * a shadow or waits (KERNEL_TELL_WRITE); other writes cost nothing.
 */
#ifndef BERTH_SIM_KERNEL_NOMAD_H
#define BERTH_SIM_KERNEL_NOMAD_H

#include "sim/kernel/linux.h"

#define NOMAD_TRIES	3
#define NOMAD_QUEUE_MAX 65536 /* pages waiting at once; beyond it they must fault again */

struct nomad_wish {
	uint32_t page;
	uint32_t nr_tries;
};

struct nomad {
	struct lru_pages links;	  /* of shadows, by the number of their page */
	struct lru_list *shadows; /* [node], by age */
	uint16_t *shadow;	  /* [page]: node of its shadow, or KERNEL_NOWHERE */
	uint16_t *writes;	  /* [page]: since it was queued, at most NOMAD_WRITES_MAX; or */
#define NOMAD_NOT_QUEUED UINT16_MAX
#define NOMAD_WRITES_MAX (UINT16_MAX - 1)
	struct nomad_wish *queue;
	uint32_t nr_queue;
	uint64_t nr_hits;      /* demotions without a copy */
	uint64_t nr_written;   /* shadows that a write ended */
	uint64_t nr_reclaimed; /* shadows that gave way to other pages */
	uint64_t nr_aborts;    /* copies thrown away */
};

/* A hint fault wants the page promoted: false when the queue is full. */
bool nomad_queue(struct linux_kernel *state, uint32_t page);

/* Operations of the preset (kernel.h), those that differ from linux.h's. */
int nomad_start(struct kernel *kernel, struct printbuf *err);
void nomad_stop(struct kernel *kernel);
int nomad_grow(struct kernel *kernel, uint32_t nr_pages);
int nomad_allocate(struct kernel *kernel, uint32_t page, uint32_t wish);
void nomad_release(struct kernel *kernel, uint32_t page);
int nomad_migrate(struct kernel *kernel, uint32_t page, uint32_t to);
void nomad_written(struct kernel *kernel, uint32_t page);
void nomad_tick(struct kernel *kernel);
void nomad_counters(const struct kernel *kernel,
		    void (*emit)(void *context, const char *name, uint64_t value), void *context);
bool nomad_is_valid(const struct linux_kernel *state);

#endif
