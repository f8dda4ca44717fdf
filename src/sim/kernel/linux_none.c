/* SPDX-License-Identifier: MIT */
/*
 * linux-none: Linux with all of its tiering switched off. A page goes where its first touch finds
 * room and stays there for life.
 *
 *     above LOW somewhere along the zonelist? --> the first such node
 *     else above MIN somewhere?               --> the first such node
 *     else (direct reclaim has nowhere to put anything: no demotion, no swap) whatever is left
 *
 * So a node keeps LOW free as long as the next one has room, as Linux does: it falls through to
 * the next node rather than waking kswapd. Follows mm/page_alloc.c get_page_from_freelist and
 * __alloc_pages_slowpath (6.12), with the marks of linux_marks.c. Not modelled: per-CPU lists,
 * lowmem reserves, page-table and page-cache pages of others. An agent's move_pages may take a node
 * down to MIN, as its allocations enter the slow path.
 *
 * Cost: no list, no bit: nothing per page beside the table of kernel.h, and only births are looked
 * at, so it replays as fast as a page number can be looked up.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/kernel/linux.h"

enum { NONE_WATERMARK_SCALE, NONE_MIN_FREE_KBYTES, NONE_NR_TUNABLES };

static const struct tunable none_tunables[NONE_NR_TUNABLES] = {
	[NONE_WATERMARK_SCALE] = { "watermark_scale_factor", TUNABLE_COUNT, WATERMARK_SCALE_DEFAULT,
				   1, WATERMARK_SCALE_MAX,
				   "distance of the watermarks, per ten thousand", NULL },
	[NONE_MIN_FREE_KBYTES] = { "min_free_kbytes", TUNABLE_COUNT, 0, 0, 1 << 30,
				   "0: as the kernel computes it", NULL },
};

struct none_node {
	struct watermarks marks;
	uint64_t nr_allocated; /* pgalloc_* */
};

struct none_kernel {
	uint64_t nr_stalls, nr_moved;
	struct none_node nodes[];
};

static int none_start(struct kernel *kernel, struct printbuf *err)
{
	uint32_t nr = kernel->cost->nr_nodes;
	struct linux_marks_config config = {
		.scale = kernel->values[NONE_WATERMARK_SCALE],
		.min_free_kbytes = kernel->values[NONE_MIN_FREE_KBYTES],
	};
	struct none_kernel *state = calloc(1, sizeof(*state) + nr * sizeof(state->nodes[0]));
	if (!state)
		return error_set(err, -ENOMEM, "linux-none: out of memory");
	for (uint32_t i = 0; i < nr; i++)
		linux_marks_of(kernel, &config, i, &state->nodes[i].marks);
	kernel->state = state;
	return 0;
}

static void none_stop(struct kernel *kernel)
{
	free(kernel->state);
	kernel->state = NULL;
}

static bool none_take_from(struct kernel *kernel, uint32_t page, uint32_t node,
			   enum linux_mark mark)
{
	struct none_kernel *state = kernel->state;
	if (kernel->nodes[node].free_pages <= linux_mark(&state->nodes[node].marks, mark) ||
	    !kernel_take(kernel, page, node))
		return false;
	state->nodes[node].nr_allocated++;
	return true;
}

static bool none_take(struct kernel *kernel, uint32_t page, uint32_t wish, enum linux_mark mark)
{
	bool has_wish = wish < kernel->cost->nr_nodes;
	if (has_wish && none_take_from(kernel, page, wish, mark))
		return true;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		if (none_take_from(kernel, page, kernel->fallback[i], mark)) {
			kernel->stats.nr_fallen += i > 0 || has_wish;
			return true;
		}
	}
	return false;
}

static int none_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct none_kernel *state = kernel->state;
	if (none_take(kernel, page, wish, LINUX_MARK_LOW) ||
	    none_take(kernel, page, wish, LINUX_MARK_MIN))
		return 0;
	state->nr_stalls++;
	return none_take(kernel, page, wish, LINUX_MARK_NONE) ? 0 : -ENOMEM;
}

static int none_migrate(struct kernel *kernel, uint32_t page, uint32_t to)
{
	struct none_kernel *state = kernel->state;
	if (kernel->pages[page].node != to &&
	    kernel->nodes[to].free_pages <= state->nodes[to].marks.min)
		return -ENOSPC;
	int error = kernel_migrate_plain(kernel, page, to);
	if (error)
		return error;
	state->nodes[to].nr_allocated++;
	state->nr_moved++;
	return 0;
}

static void none_marks(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		       uint64_t *ret_low)
{
	const struct none_kernel *state = kernel->state;
	*ret_min = state->nodes[node].marks.min;
	*ret_low = state->nodes[node].marks.low;
}

static void none_counters(const struct kernel *kernel,
			  void (*emit)(void *context, const char *name, uint64_t value),
			  void *context)
{
	const struct none_kernel *state = kernel->state;
	uint64_t normal = 0, movable = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		if (linux_node_is_movable(&kernel->cost->machine->nodes[i]))
			movable += state->nodes[i].nr_allocated;
		else
			normal += state->nodes[i].nr_allocated;
	}
	emit(context, "pgalloc_normal", normal);
	emit(context, "pgalloc_movable", movable);
	emit(context, "allocstall_movable", state->nr_stalls);
	emit(context, "pgfree", kernel->stats.nr_freed + state->nr_moved);
	emit(context, "pgmigrate_success", state->nr_moved);
}

extern const struct kernel_ops kernel_linux_none;
const struct kernel_ops kernel_linux_none = {
	.name = "linux-none",
	.summary = "first touch: the local node, then along the zonelist; nothing moves",
	.needs_order = true,
	.tunables = none_tunables,
	.nr_tunables = NONE_NR_TUNABLES,
	.start = none_start,
	.stop = none_stop,
	.allocate = none_allocate,
	.migrate = none_migrate,
	.marks = none_marks,
	.counters = none_counters,
};
