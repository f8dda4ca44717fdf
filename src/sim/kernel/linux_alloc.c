/* SPDX-License-Identifier: MIT */
/*
 * Allocation: the zonelist of the touching CPU's node, one watermark at a time.
 *
 *     above LOW somewhere? --> the first such node, and nobody is woken
 *     else wake every node's kswapd; above MIN somewhere? --> the first such node
 *     else direct reclaim, then whatever is left
 *
 * Hence fast memory below LOW with room in slow memory spills, and does not wake its kswapd. 7.3
 * passes over nodes whose kswapd is at work, at each mark, while there is an idle one with room: so
 * what kswapd frees stays free, and it is done after one round.
 *
 * The marks see what is free but for pages on the CPU's list (pcp.h), from which pages are taken.
 * The first page of a page table takes a page for the table too, of the same node while it has
 * room. Follows mm/page_alloc.c get_page_from_freelist, __alloc_pages_slowpath (6.12,
 * and 7.3 for skip_kswapd_nodes). Not
 * modelled: lowmem reserves, fragmentation, the out-of-memory killer (a full machine ends the
 * simulation).
 */
#include "sim/kernel/linux.h"

#include "base/error.h"

#define DIRECT_BATCH 32 /* SWAP_CLUSTER_MAX */

bool linux_has_room(const struct linux_kernel *state, uint32_t node, enum linux_mark mark,
		    uint64_t nr_pages)
{
	struct watermarks marks = linux_marks_now(state, node);
	return linux_zone_free(state, node) >= linux_mark(&marks, mark) + nr_pages;
}

static struct pcp_zone zone_of(const struct linux_kernel *state, uint32_t node)
{
	return (struct pcp_zone){
		.free_pages = linux_zone_free(state, node),
		.high_pages = linux_marks_now(state, node).high,
		.least_pages = linux_reserve(state->kernel, node),
		.is_reclaimed = state->nodes[node].kswapd.state == KSWAPD_WORKING,
	};
}

static bool take_listed(struct linux_kernel *state, uint32_t node, enum pcp_kind kind)
{
	struct pcp_zone zone = zone_of(state, node);
	return state->kernel->nodes[node].capacity_pages == KERNEL_UNLIMITED ||
	       pcp_alloc(&state->nodes[node].pcp, &zone, kind);
}

/* Before it is given back. */
static void list_freed(struct linux_kernel *state, uint32_t node)
{
	struct pcp_zone zone = zone_of(state, node);
	if (state->kernel->nodes[node].capacity_pages != KERNEL_UNLIMITED)
		pcp_free(&state->nodes[node].pcp, &zone);
}

/* 7.3 looks first for a node whose kswapd has nothing to do. */
static bool is_left_alone(const struct linux_kernel *state, uint32_t node)
{
	return state->kernel->values[LINUX_VERSION] >= LINUX_7_3 &&
	       state->nodes[node].kswapd.state == KSWAPD_WORKING;
}

static bool take_from(struct linux_kernel *state, uint32_t page, uint32_t node,
		      enum linux_mark mark)
{
	if (!linux_has_room(state, node, mark, 1) || !take_listed(state, node, PCP_MOVABLE) ||
	    !kernel_take(state->kernel, page, node))
		return false;
	linux_count_allocated(state, node, 1);
	return true;
}

/* The wish first, then the zonelist; of these the idle nodes, or all. */
static bool take_along(struct linux_kernel *state, uint32_t page, uint32_t wish,
		       enum linux_mark mark, bool is_idle_only)
{
	struct kernel *kernel = state->kernel;
	bool has_wish = wish < kernel->cost->nr_nodes;
	if (has_wish && !(is_idle_only && is_left_alone(state, wish)) &&
	    take_from(state, page, wish, mark))
		return true;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		uint32_t node = kernel->fallback[i];
		if ((is_idle_only && is_left_alone(state, node)) ||
		    !take_from(state, page, node, mark))
			continue;
		kernel->stats.nr_fallen += i > 0 || has_wish;
		return true;
	}
	return false;
}

static bool has_busy_node(const struct linux_kernel *state)
{
	for (uint32_t i = 0; i < state->kernel->nr_fallback; i++)
		if (is_left_alone(state, state->kernel->fallback[i]))
			return true;
	return false;
}

static bool take_falling(struct linux_kernel *state, uint32_t page, uint32_t wish,
			 enum linux_mark mark)
{
	return take_along(state, page, wish, mark, true) ||
	       (has_busy_node(state) && take_along(state, page, wish, mark, false));
}

static bool take_slowly(struct linux_kernel *state, uint32_t page, uint32_t wish)
{
	struct kernel *kernel = state->kernel;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++)
		linux_wake_kswapd(state, kernel->fallback[i], 0);
	if (take_falling(state, page, wish, LINUX_MARK_MIN))
		return true;
	state->counters[LINUX_ALLOCSTALL_MOVABLE]++;
	for (uint32_t i = 0; i < kernel->nr_fallback; i++) {
		linux_reclaim(kernel, kernel->fallback[i], DIRECT_BATCH);
		pcp_drain(&state->nodes[kernel->fallback[i]].pcp);
	}
	return take_falling(state, page, wish, LINUX_MARK_MIN) ||
	       take_falling(state, page, wish, LINUX_MARK_NONE);
}

/* The page is born: its page table too, unless there is one. -ENOMEM. */
static int take_table(struct linux_kernel *state, struct linux_space *space, uint64_t page)
{
	uint32_t nr = space->tables.nr, home = state->kernel->cost->home;
	struct kernel_node *node = &state->kernel->nodes[home];
	int error = walk_counts_add(&space->tables, page / WALK_TABLE_PAGES);
	if (error || space->tables.nr == nr || node->capacity_pages == KERNEL_UNLIMITED ||
	    is_left_alone(state, home) || !linux_has_room(state, home, LINUX_MARK_LOW, 1) ||
	    !take_listed(state, home, PCP_UNMOVABLE))
		return error;
	node->free_pages--;
	node->ballast_pages++;
	return 0;
}

static int enter(struct linux_kernel *state, uint32_t page)
{
	struct kernel *kernel = state->kernel;
	struct lru *lru = &state->nodes[kernel->pages[page].node].lru;
	/* A fault brought it: hot for the generations, inactive for the two lists. */
	lru_forget(&state->lru, page);
	lru_add(lru, &state->lru, page, lru->is_gen);
	lru_fault(lru, &state->lru, page);
	state->armed_ms[page] = LINUX_NOBODY;
	if (!kernel->stage)
		return 0;
	struct stage_page address = stage_page(kernel->stage, page);
	struct linux_space *space = linux_space_of(state, address.space);
	if (!space)
		return -ENOMEM;
	space->nr_resident++;
	int error = take_table(state, space, address.page);
	return error ? error : areas_touch(&space->areas, address.page);
}

int linux_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	struct linux_kernel *state = linux_of(kernel);
	state->last_born = page;
	state->last_born_ns = kernel->now_ns;
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
	list_freed(state, kernel->pages[page].node);
	kernel_give(kernel, page);
}

void linux_land(struct linux_kernel *state, uint32_t node)
{
	struct linux_node *from = &state->nodes[node];
	from->large_in_flight = 0;
	for (; from->small_in_flight > 0; from->small_in_flight--)
		list_freed(state, node);
}

static void leave(struct linux_kernel *state, uint32_t node)
{
	if (state->is_batch)
		state->nodes[node].small_in_flight++;
	else
		list_freed(state, node);
}

bool linux_move_ballast(struct linux_kernel *state, uint32_t from, uint32_t to)
{
	struct kernel_node *nodes = state->kernel->nodes;
	if (nodes[from].ballast_pages == 0 || nodes[to].capacity_pages == KERNEL_UNLIMITED ||
	    !linux_has_room(state, to, LINUX_MARK_LOW, 1) || !take_listed(state, to, PCP_MOVABLE))
		return false;
	leave(state, from);
	nodes[from].ballast_pages--;
	nodes[from].free_pages++;
	nodes[to].ballast_pages++;
	nodes[to].free_pages--;
	return true;
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
	if (from == to || !take_listed(state, to, PCP_MOVABLE))
		return from == to ? -EALREADY : -ENOSPC;
	leave(state, from);
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
