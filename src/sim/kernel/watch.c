/* SPDX-License-Identifier: MIT */
/* What the kernel tells to who watches; watch.h. */
#include "sim/kernel/watch.h"

#include "sim/kernel.h"

/* A large folio moves under the number of one of its pages, so the watched page may be somewhere
 * else now without having been named. */
static bool is_watched(const struct kernel *kernel, uint32_t page)
{
	const struct kernel_watch *watch = kernel->watch;
	if (watch->page == KERNEL_WATCH_ALL || watch->page == page)
		return true;
	return watch->page < kernel->nr_pages && watch->node != KERNEL_NOWHERE &&
	       kernel->pages[watch->page].node != watch->node;
}

static void see(struct kernel *kernel, const struct kernel_event *event)
{
	struct kernel_watch *watch = kernel->watch;
	struct kernel_event told = *event;
	if (watch->page != KERNEL_WATCH_ALL) {
		told.page = watch->page;
		watch->node = kernel->pages[watch->page].node;
	}
	watch->see(watch->context, &told);
}

void kernel_watch_birth(struct kernel *kernel, uint32_t page, uint32_t wish, bool has_fallen)
{
	uint32_t node = kernel->pages[page].node;
	struct kernel_event event = {
		.kind = KERNEL_BORN,
		.page = page,
		.from = node,
		.to = node,
		.latency_ms = KERNEL_UNKNOWN,
		.threshold_ms = KERNEL_UNKNOWN,
	};
	if (!is_watched(kernel, page))
		return;
	if (wish < kernel->cost->nr_nodes)
		event.why = wish == node ? "where the policy asked for it"
					 : "no room where the policy asked for it";
	else
		event.why = has_fallen ? "the nodes before it had no room to spare"
				       : "the kernel's first choice";
	see(kernel, &event);
}

void kernel_watch_death(struct kernel *kernel, uint32_t page)
{
	struct kernel_event event = {
		.kind = KERNEL_FREED,
		.page = page,
		.from = kernel->pages[page].node,
		.to = kernel->pages[page].node,
		.latency_ms = KERNEL_UNKNOWN,
		.threshold_ms = KERNEL_UNKNOWN,
		.why = "the program gave it back",
	};
	if (page != kernel->watch->page && kernel->watch->page != KERNEL_WATCH_ALL)
		return;
	see(kernel, &event);
	kernel->watch->node = KERNEL_NOWHERE;
}

void kernel_watch_migration(struct kernel *kernel, uint32_t page, uint32_t from, uint32_t to,
			    int error)
{
	struct kernel_event event = {
		.kind = error < 0 ? KERNEL_REFUSED : KERNEL_MOVED,
		.page = page,
		.from = from,
		.to = to,
		.error = error,
		.latency_ms = KERNEL_UNKNOWN,
		.threshold_ms = KERNEL_UNKNOWN,
		.why = kernel->why ? kernel->why : "no reason was given",
	};
	if (is_watched(kernel, page))
		see(kernel, &event);
}

void kernel_tell_watch(struct kernel *kernel, const struct kernel_event *event)
{
	if (kernel->watch->page == KERNEL_WATCH_ALL || kernel->watch->page == event->page)
		see(kernel, event);
}
