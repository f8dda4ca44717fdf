/* SPDX-License-Identifier: MIT */
/* Linux without tiering; linux_plain.h has the picture and the sources. */
#include "sim/kernel/linux_plain.h"

#include <stdlib.h>

#include "base/error.h"

int linux_plain_init(struct linux_plain *plain, const struct kernel *kernel,
		     const struct linux_marks_config *config)
{
	uint32_t nr = kernel->cost->nr_nodes;
	plain->nodes = calloc(nr, sizeof(*plain->nodes));
	if (!plain->nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		linux_marks_of(kernel, config, i, &plain->nodes[i].marks);
	return 0;
}

void linux_plain_stop(struct kernel *kernel)
{
	struct linux_plain *plain = kernel->state;
	if (plain)
		free(plain->nodes);
	free(plain);
	kernel->state = NULL;
}

static bool take_from(struct kernel *kernel, uint32_t page, uint32_t node, enum linux_mark mark)
{
	struct linux_plain *plain = kernel->state;
	if (kernel->nodes[node].free_pages <= linux_mark(&plain->nodes[node].marks, mark) ||
	    !kernel_take(kernel, page, node))
		return false;
	plain->nodes[node].nr_allocated++;
	return true;
}

static bool take_falling(struct kernel *kernel, uint32_t page, uint32_t wish, enum linux_mark mark)
{
	bool has_wish = wish < kernel->cost->nr_nodes;
	if (has_wish && take_from(kernel, page, wish, mark))
		return true;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		if (take_from(kernel, page, kernel->fallback[i], mark)) {
			kernel->stats.nr_fallen += i > 0 || has_wish;
			return true;
		}
	}
	return false;
}

int linux_plain_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct linux_plain *plain = kernel->state;
	if (take_falling(kernel, page, wish, LINUX_MARK_LOW) ||
	    take_falling(kernel, page, wish, LINUX_MARK_MIN))
		return 0;
	plain->nr_stalls++;
	return take_falling(kernel, page, wish, LINUX_MARK_NONE) ? 0 : -ENOMEM;
}

int linux_plain_migrate(struct kernel *kernel, uint32_t page, uint32_t to)
{
	struct linux_plain *plain = kernel->state;
	if (kernel->pages[page].node != to &&
	    kernel->nodes[to].free_pages <= plain->nodes[to].marks.min)
		return -ENOSPC;
	int error = kernel_migrate_plain(kernel, page, to);
	if (error)
		return error;
	plain->nodes[to].nr_allocated++;
	plain->nr_moved++;
	return 0;
}

void linux_plain_marks(const struct kernel *kernel, uint32_t node, uint64_t *ret_min,
		       uint64_t *ret_low)
{
	const struct linux_plain *plain = kernel->state;
	*ret_min = plain->nodes[node].marks.min;
	*ret_low = plain->nodes[node].marks.low;
}

void linux_plain_counters(const struct kernel *kernel,
			  void (*emit)(void *context, const char *name, uint64_t value),
			  void *context)
{
	const struct linux_plain *plain = kernel->state;
	uint64_t normal = 0, movable = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		if (linux_node_is_movable(&kernel->cost->machine->nodes[i]))
			movable += plain->nodes[i].nr_allocated;
		else
			normal += plain->nodes[i].nr_allocated;
	}
	emit(context, "pgalloc_normal", normal);
	emit(context, "pgalloc_movable", movable);
	emit(context, "allocstall_movable", plain->nr_stalls);
	emit(context, "pgfree", kernel->stats.nr_freed + plain->nr_moved);
	emit(context, "pgmigrate_success", plain->nr_moved);
}
