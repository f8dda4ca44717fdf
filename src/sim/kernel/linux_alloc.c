/* SPDX-License-Identifier: MIT */
/*
 * Allocation: the zonelist of the touching CPU's node, one watermark at a time.
 *
 *     above LOW somewhere? --> the first such node, and nobody is woken
 *     else wake every node's kswapd; above MIN somewhere? --> the first such node
 *     else direct reclaim, then whatever is left
 *
 * Hence fast memory below LOW with room in slow memory spills, and does not wake its kswapd.
 * Follows mm/page_alloc.c get_page_from_freelist, __alloc_pages_slowpath (6.12). Not modelled:
 * per-CPU lists, lowmem reserves, fragmentation, the out-of-memory killer (a full machine ends the
 * simulation).
 */
#include "sim/kernel/linux.h"

#include "base/error.h"

#define DIRECT_BATCH 32 /* SWAP_CLUSTER_MAX */

bool linux_has_room(const struct linux_kernel *state, uint32_t node, enum linux_mark mark,
		    uint64_t nr_pages)
{
	struct watermarks marks = linux_marks_now(state, node);
	return state->kernel->nodes[node].free_pages >= linux_mark(&marks, mark) + nr_pages;
}

static bool take_from(struct linux_kernel *state, uint32_t page, uint32_t node,
		      enum linux_mark mark)
{
	if (!linux_has_room(state, node, mark, 1) || !kernel_take(state->kernel, page, node))
		return false;
	linux_count_allocated(state, node, 1);
	return true;
}

/* The wish first, then the zonelist. */
static bool take_falling(struct linux_kernel *state, uint32_t page, uint32_t wish,
			 enum linux_mark mark)
{
	struct kernel *kernel = state->kernel;
	if (wish < kernel->cost->nr_nodes && take_from(state, page, wish, mark))
		return true;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		if (take_from(state, page, kernel->fallback[i], mark)) {
			kernel->stats.nr_fallen += i > 0 || wish < kernel->cost->nr_nodes;
			return true;
		}
	}
	return false;
}

static bool take_slowly(struct linux_kernel *state, uint32_t page, uint32_t wish)
{
	struct kernel *kernel = state->kernel;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++)
		linux_wake_kswapd(state, kernel->fallback[i], 0);
	if (take_falling(state, page, wish, LINUX_MARK_MIN))
		return true;
	state->counters[LINUX_ALLOCSTALL_MOVABLE]++;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++)
		linux_reclaim(kernel, kernel->fallback[i], DIRECT_BATCH);
	return take_falling(state, page, wish, LINUX_MARK_MIN) ||
	       take_falling(state, page, wish, LINUX_MARK_NONE);
}

static int enter(struct linux_kernel *state, uint32_t page)
{
	struct kernel *kernel = state->kernel;
	struct lru *lru = &state->nodes[kernel->pages[page].node].lru;
	/* A fault brought it: hot for the generations, inactive for the two lists. */
	lru_add(lru, &state->lru, page, lru->is_gen);
	state->armed_ms[page] = LINUX_NOBODY;
	if (!kernel->stage)
		return 0;
	struct stage_page address = stage_page(kernel->stage, page);
	struct linux_space *space = linux_space_of(state, address.space);
	if (!space)
		return -ENOMEM;
	space->nr_resident++;
	return areas_touch(&space->areas, address.page);
}

int linux_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct linux_kernel *state = linux_of(kernel);
	int small = state->thp ? linux_large_allocate(state, page, wish) : 1;
	if (small <= 0)
		return small;
	linux_thefts(state, kernel->cost->home, false);
	if (!take_falling(state, page, wish, LINUX_MARK_LOW) && !take_slowly(state, page, wish))
		return -ENOMEM;
	return enter(state, page);
}

void linux_release(struct kernel *kernel, uint32_t page)
{
	struct linux_kernel *state = linux_of(kernel);
	bool is_dirty = kernel->pages[page].bits & KERNEL_DIRTY;
	state->dirty_pages += is_dirty;
	if (kernel->pages[page].order) {
		linux_large_release(state, page);
		return;
	}
	state->dirty_folio_pages += is_dirty;
	if (lru_is_listed(&state->lru, page))
		lru_del(&state->nodes[kernel->pages[page].node].lru, &state->lru, page);
	if (kernel->stage) {
		struct linux_space *space = linux_space_of(state,
							   stage_page(kernel->stage, page).space);
		if (space && space->nr_resident > 0)
			space->nr_resident--;
	}
	state->counters[LINUX_PGFREE]++;
	kernel_give(kernel, page);
}

/* A page keeps on its new node what it was on the old one: active or not. */
int linux_migrate(struct kernel *kernel, uint32_t page, uint32_t to)
{
	struct linux_kernel *state = linux_of(kernel);
	uint32_t from = kernel->pages[page].node;
	if (kernel->pages[page].order)
		return linux_large_migrate(state, page, to);
	if (from != to && !linux_has_room(state, to, LINUX_MARK_MIN, 1))
		return -ENOSPC;
	int error = kernel_migrate_plain(kernel, page, to);
	if (error)
		return error;
	/* Its page-table entry is made anew. */
	kernel->pages[page].bits &= (uint8_t)~KERNEL_HINT;
	state->counters[LINUX_PGMIGRATE_SUCCESS]++;
	state->counters[LINUX_PGFREE]++;
	linux_count_allocated(state, to, 1);
	/* Reclaim has taken it off its list already. */
	if (lru_is_listed(&state->lru, page))
		lru_move(&state->nodes[from].lru, &state->nodes[to].lru, &state->lru, page);
	else
		lru_add(&state->nodes[to].lru, &state->lru, page, false);
	return 0;
}
