/* SPDX-License-Identifier: MIT */
/*
 * Linux without tiering: allocation by the watermarks, and nothing afterwards. linux-none and
 * interleave are this and a choice of the first node.
 *
 *     above LOW on the first node, or along the zonelist? --> the first such node
 *     else above MIN somewhere?                           --> the first such node
 *     else (direct reclaim has nowhere to put anything: no demotion, no swap) whatever is left
 *
 * So a node keeps LOW free as long as the next one has room, as Linux does: it falls through to
 * the next node rather than waking kswapd. Follows mm/page_alloc.c get_page_from_freelist and
 * __alloc_pages_slowpath (6.12), with the marks of linux_marks.c. Not modelled: per-CPU lists,
 * lowmem reserves, page-table and page-cache pages of others. An agent's move_pages may take a node
 * down to MIN, as its allocations enter the slow path.
 */
#ifndef BERTH_SIM_KERNEL_LINUX_PLAIN_H
#define BERTH_SIM_KERNEL_LINUX_PLAIN_H

#include "sim/kernel/linux.h"

struct linux_plain { /* kernel->state, or the first member of it */
	uint64_t nr_stalls, nr_moved;
	struct {
		struct watermarks marks;
		uint64_t nr_allocated; /* pgalloc_* */
	} * nodes;
};

#define LINUX_PLAIN_WATERMARK_SCALE                                                                \
	{                                                                                          \
		"watermark_scale_factor", TUNABLE_COUNT, WATERMARK_SCALE_DEFAULT, 1,               \
			WATERMARK_SCALE_MAX, "distance of the watermarks, per ten thousand", NULL  \
	}
#define LINUX_PLAIN_MIN_FREE_KBYTES                                                                \
	{                                                                                          \
		"min_free_kbytes", TUNABLE_COUNT, 0, 0, 1 << 30, "0: as the kernel computes it",   \
			NULL                                                                       \
	}

int linux_plain_init(struct linux_plain *plain, const struct kernel *kernel,
		     const struct linux_marks_config *config);
/* Operations (kernel.h); stop frees the state as well. `wish`: the first node to look at. */
void linux_plain_stop(struct kernel *kernel);
int linux_plain_allocate(struct kernel *kernel, uint32_t page, uint32_t wish);
int linux_plain_migrate(struct kernel *kernel, uint32_t page, uint32_t to);
void linux_plain_marks(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		       uint64_t *ret_low);
void linux_plain_counters(const struct kernel *kernel,
			  void (*emit)(void *context, const char *name, uint64_t value),
			  void *context);

#endif
