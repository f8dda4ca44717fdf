/* SPDX-License-Identifier: MIT */
/*
 * Large folios: transparent huge pages of 2 MiB, as the kernel takes, maps, moves and splits them.
 *
 *     first touch of an empty aligned block, all of it in one anonymous area
 *        |-- 512 frames free above MIN on the local node --> one folio, mapped by one entry (PMD)
 *        `-- else a page, and this block has a page table for good: no huge page any more
 *     a part is unmapped --> PMD split; on the deferred split queue of its node
 *     reclaim            --> queued folios are split; others are demoted whole, or split when the
 *                            tiers below have no 512 pages
 *     split              --> each page that was touched is on its own, at the folio's place in the
 *                            list; frames that never were touched are free
 *
 * Frames are taken whole, so what is never touched is paid for all the same: bloat is real. The
 * last rule is the kernel's since 6.12: a split maps pages that are all zero to the shared zero
 * page (mm/migrate.c try_to_map_unused_to_zeropage).
 *
 * An advised area (MADV_HUGEPAGE) may take its folio from farther nodes, others only from the local
 * one (mm/mempolicy.c alloc_pages_mpol). Allocations fall to MIN: without a wish to reclaim the
 * slow path still tries that mark.
 *
 * Follows mm/huge_memory.c (6.12) do_huge_pmd_anonymous_page, vma_thp_gfp_mask (defrag=madvise),
 * __split_huge_page, deferred_split_folio, deferred_split_scan; mm/shrinker.c do_shrink_slab;
 * mm/migrate.c migrate_pages_batch. linux_large_map.c has what follows mappings. Not modelled:
 * khugepaged, sizes between, fragmentation and compaction, huge pages of files, the huge zero page
 * (a first read takes a folio as a write does), splitting of underused folios (off by default:
 * max_ptes_none is 511).
 */
#include "sim/kernel/linux.h"

#include "base/error.h"

#define SHRINK_BATCH 128
#define SHRINK_SHARE 2 /* 4 / DEFAULT_SEEKS */

static struct large_queue *queue_of(struct linux_kernel *state, const struct large_folio *folio)
{
	return &state->nodes[folio->node].deferred;
}

static void change_resident(struct linux_kernel *state, uint32_t number, int64_t nr_pages)
{
	struct linux_space *space = linux_space_of(state, number);
	if (space)
		space->nr_resident += (uint64_t)MAX(nr_pages, -(int64_t)space->nr_resident);
}

static bool is_dirty(const struct linux_kernel *state, const struct large_folio *folio)
{
	bool dirty = folio->was_dirty;
	for (uint32_t at = 0; at < LARGE_PAGES && !dirty; at++)
		dirty = folio->pages[at] != LARGE_NONE &&
			state->kernel->pages[folio->pages[at]].bits & KERNEL_DIRTY;
	return dirty;
}

uint64_t linux_large_dirty_folios(const struct linux_kernel *state)
{
	uint64_t nr = 0;
	for (uint32_t i = 0; i < state->large.nr; i++)
		nr += state->large.folios[i]->is_used && is_dirty(state, state->large.folios[i]);
	return nr;
}

/* All is unmapped, and no page of it has a number any more. */
static void end_folio(struct linux_kernel *state, uint32_t id)
{
	struct large_folio *folio = large_folio(&state->large, id);
	if (folio->is_queued)
		large_queue_del(queue_of(state, folio), &state->large, id);
	if (lru_is_listed(&state->lru, LRU_LARGE | id))
		lru_del(&state->nodes[folio->node].lru, &state->lru, LRU_LARGE | id);
	state->dirty_folio_pages += folio->was_dirty ? LARGE_PAGES : 0;
	state->counters[LINUX_PGFREE] += LARGE_PAGES;
	kernel_unhold(state->kernel, folio->node, LARGE_PAGES);
	large_free(&state->large, id);
}

void linux_large_split_entry(struct linux_kernel *state, uint32_t id)
{
	struct large_folio *folio = large_folio(&state->large, id);
	state->counters[LINUX_THP_SPLIT_PMD] += folio->is_pmd;
	folio->is_pmd = false;
}

int linux_large_unmap(struct linux_kernel *state, uint32_t id, uint32_t from, uint32_t to)
{
	struct large_folio *folio = large_folio(&state->large, id);
	bool is_whole = folio->is_pmd && from == 0 && to == LARGE_PAGES;
	uint32_t nr = large_unmap(folio, from, to);
	change_resident(state, folio->space, -(int64_t)nr);
	if (folio->nr_mapped > 0) {
		linux_large_split_entry(state, id);
		if (nr == 0 || folio->is_queued)
			return 0;
		large_queue_add(queue_of(state, folio), &state->large, id);
		state->counters[LINUX_THP_DEFERRED_SPLIT_PAGE]++;
		return 0;
	}
	folio->is_pmd = false;
	if (folio->is_queued)
		large_queue_del(queue_of(state, folio), &state->large, id);
	/* Unless one entry mapped it all, there is a page table, maybe with pages in holes. */
	int error = large_drop_block(&state->large, id, !is_whole);
	if (folio->nr_touched == 0)
		end_folio(state, id);
	return error;
}

/* What is left of it are its touched pages, each on its own. When the folio is on no list (reclaim
 * has it in hand) they are on none either. */
static void dissolve(struct linux_kernel *state, uint32_t id)
{
	struct large_folio *folio = large_folio(&state->large, id);
	struct kernel *kernel = state->kernel;
	struct lru *lru = &state->nodes[folio->node].lru;
	bool is_listed = lru_is_listed(&state->lru, LRU_LARGE | id);
	uint16_t nr_touched = folio->nr_touched;
	state->dirty_folio_pages += is_dirty(state, folio) ? LARGE_PAGES : 0;
	change_resident(state, folio->space, (int64_t)nr_touched - folio->nr_mapped);
	if (folio->is_queued)
		large_queue_del(queue_of(state, folio), &state->large, id);
	for (uint32_t at = LARGE_PAGES; at-- > 0;) {
		uint32_t page = folio->pages[at];
		if (page == LARGE_NONE)
			continue;
		large_leave(&state->large, page);
		kernel->pages[page].order = 0;
		kernel->pages[page].bits &= (uint8_t)~KERNEL_HINT;
		state->armed_ms[page] = folio->armed_ms;
		lru_forget(&state->lru, page);
		if (is_listed)
			lru_add_piece(lru, &state->lru, page, LRU_LARGE | id);
	}
	if (is_listed)
		lru_del(lru, &state->lru, LRU_LARGE | id);
	state->counters[LINUX_PGFREE] += LARGE_PAGES - nr_touched;
	kernel_unhold(kernel, folio->node, LARGE_PAGES - nr_touched);
}

void linux_large_split(struct linux_kernel *state, uint32_t id)
{
	linux_large_split_entry(state, id);
	dissolve(state, id);
	/* Without memory for the mark the block may get a huge page again: no harm. */
	(void)large_drop_block(&state->large, id, true);
	large_free(&state->large, id);
	state->counters[LINUX_THP_SPLIT_PAGE]++;
}

int linux_split(struct kernel *kernel, uint32_t page)
{
	struct linux_kernel *state = linux_of(kernel);
	linux_large_split(state, large_of(&state->large, page));
	return 0;
}

bool linux_folio(const struct kernel *kernel, uint32_t space, uint64_t page,
		 struct kernel_folio *ret)
{
	const struct linux_kernel *state = linux_of(kernel);
	uint32_t id = state->thp ? large_at(&state->large, space, page) : LARGE_NONE;
	if (id >= LARGE_SMALL || !large_is_mapped(large_folio(&state->large, id), page))
		return false;
	const struct large_folio *folio = large_folio(&state->large, id);
	*ret = (struct kernel_folio){ .page = folio->block * LARGE_PAGES,
				      .nr_pages = LARGE_PAGES,
				      .space = space,
				      .node = folio->node,
				      .order = LARGE_ORDER,
				      .numbers = folio->pages };
	return true;
}

/* Allocation. */

static bool may_be_huge(const struct linux_kernel *state, const struct scan_area *area,
			uint64_t page)
{
	uint64_t start = page / LARGE_PAGES * LARGE_PAGES;
	if (!area || (area->kind != AREA_ANONYMOUS && area->kind != AREA_BSS) ||
	    area->start > start || area->end < start + LARGE_PAGES)
		return false;
	return state->thp == LINUX_THP_ALWAYS ? area->advice != AREA_NOT_HUGE
					      : area->advice == AREA_HUGE;
}

static bool hold_on(struct linux_kernel *state, uint32_t node, enum linux_mark mark)
{
	if (!linux_has_room(state, node, mark, LARGE_PAGES) ||
	    !kernel_hold(state->kernel, node, LARGE_PAGES))
		return false;
	linux_count_allocated(state, node, LARGE_PAGES);
	return true;
}

/* The wished or local node; for an advised area then the zonelist. LINUX_NO_NODE: none has room. */
static uint32_t hold(struct linux_kernel *state, uint32_t wish, bool is_advised)
{
	struct kernel *kernel = state->kernel;
	uint32_t first = wish < kernel->cost->nr_nodes ? wish : kernel->fallback[0];
	if (hold_on(state, first, LINUX_MARK_MIN))
		return first;
	for (uint32_t i = 0; is_advised && i < 2 * kernel->nr_fallback; i++) {
		enum linux_mark mark = i < kernel->nr_fallback ? LINUX_MARK_LOW : LINUX_MARK_MIN;
		uint32_t node = kernel->fallback[i % kernel->nr_fallback];
		if (!hold_on(state, node, mark))
			continue;
		kernel->stats.nr_fallen++;
		return node;
	}
	return LINUX_NO_NODE;
}

/* A page of the folio is touched for the first time. */
static void join(struct linux_kernel *state, uint32_t id, uint64_t address, uint32_t page)
{
	const struct large_folio *folio = large_folio(&state->large, id);
	kernel_take_held(state->kernel, page, folio->node, LARGE_ORDER);
	large_enter(&state->large, id, address, page);
	if (folio->is_armed)
		state->kernel->pages[page].bits |= KERNEL_HINT;
}

static int new_folio(struct linux_kernel *state, const struct stage_page *address, uint32_t page,
		     uint32_t node)
{
	uint32_t id = 0;
	if (large_new(&state->large, address->space, address->page, node, &id) ||
	    lru_pages_grow_large(&state->lru, state->large.max)) {
		kernel_unhold(state->kernel, node, LARGE_PAGES);
		return -ENOMEM;
	}
	large_folio(&state->large, id)->armed_ms = LINUX_NOBODY;
	lru_forget(&state->lru, LRU_LARGE | id);
	lru_add(&state->nodes[node].lru, &state->lru, LRU_LARGE | id,
		state->nodes[node].lru.is_gen);
	lru_fault(&state->nodes[node].lru, &state->lru, LRU_LARGE | id);
	change_resident(state, address->space, LARGE_PAGES);
	join(state, id, address->page, page);
	state->counters[LINUX_THP_FAULT_ALLOC]++;
	state->peak_untouched = MAX(state->peak_untouched,
				    state->large.nr_used * LARGE_PAGES - state->large.nr_touched);
	return 0;
}

int linux_large_allocate(struct linux_kernel *state, uint32_t page, uint32_t wish)
{
	struct stage_page address = stage_page(state->kernel->stage, page);
	struct linux_space *space = linux_space_of(state, address.space);
	uint32_t id = large_at(&state->large, address.space, address.page);
	if (!space)
		return -ENOMEM;
	if (id < LARGE_SMALL && large_is_mapped(large_folio(&state->large, id), address.page)) {
		join(state, id, address.page, page);
		return 0;
	}
	if (id != LARGE_NONE)
		return 1;
	const struct scan_area *area = areas_find(&space->areas, address.page);
	if (may_be_huge(state, area, address.page)) {
		uint32_t node = hold(state, wish, area->advice == AREA_HUGE);
		if (node != LINUX_NO_NODE)
			return new_folio(state, &address, page, node);
		state->counters[LINUX_THP_FAULT_FALLBACK]++;
	}
	return large_mark_small(&state->large, address.space, address.page) ? -ENOMEM : 1;
}

void linux_large_release(struct linux_kernel *state, uint32_t page)
{
	uint32_t id = large_of(&state->large, page);
	uint32_t at = state->large.of[page] % LARGE_PAGES;
	struct large_folio *folio = large_folio(&state->large, id);
	/* As a rule the recording has told of it before. */
	if (large_is_mapped(folio, at))
		linux_large_unmap(state, id, at, at + 1);
	folio->was_dirty |= (state->kernel->pages[page].bits & KERNEL_DIRTY) != 0;
	large_leave(&state->large, page);
	kernel_give_held(state->kernel, page);
	if (folio->nr_mapped == 0 && folio->nr_touched == 0)
		end_folio(state, id);
}

/* Migration. */

static bool move_whole(struct linux_kernel *state, uint32_t id, uint32_t to)
{
	struct large_folio *folio = large_folio(&state->large, id);
	struct kernel_folio frames = { .nr_pages = LARGE_PAGES,
				       .node = folio->node,
				       .order = LARGE_ORDER,
				       .numbers = folio->pages };
	uint32_t entry = LRU_LARGE | id;
	if (!linux_has_room(state, to, LINUX_MARK_MIN, LARGE_PAGES) ||
	    !kernel_migrate_held(state->kernel, &frames, to))
		return false;
	if (lru_is_listed(&state->lru, entry))
		lru_move(&state->nodes[folio->node].lru, &state->nodes[to].lru, &state->lru, entry);
	else
		lru_add(&state->nodes[to].lru, &state->lru, entry, false);
	linux_large_disarm(state, id);
	folio->node = (uint16_t)to;
	state->counters[LINUX_PGMIGRATE_SUCCESS] += LARGE_PAGES;
	state->counters[LINUX_PGFREE] += LARGE_PAGES;
	state->counters[LINUX_THP_MIGRATION_SUCCESS]++;
	linux_count_allocated(state, to, LARGE_PAGES);
	return true;
}

int linux_large_migrate(struct linux_kernel *state, uint32_t page, uint32_t to)
{
	uint32_t id = large_of(&state->large, page);
	const struct large_folio *folio = large_folio(&state->large, id);
	uint32_t pieces[LARGE_PAGES];
	if (folio->node == to)
		return -EALREADY;
	if (!folio->is_queued && move_whole(state, id, to))
		return 0;
	state->counters[LINUX_THP_MIGRATION_FAIL]++;
	if (state->keeps_large && !folio->is_queued)
		return -ENOSPC;
	state->counters[LINUX_THP_MIGRATION_SPLIT]++;
	for (uint32_t at = 0; at < LARGE_PAGES; at++)
		pieces[at] = folio->pages[at];
	linux_large_split(state, id);
	int error = linux_migrate(state->kernel, page, to);
	for (uint32_t at = 0; at < LARGE_PAGES; at++)
		if (pieces[at] != LARGE_NONE && pieces[at] != page)
			kernel_migrate(state->kernel, pieces[at], to);
	return error;
}

uint64_t linux_large_arm(struct linux_kernel *state, uint32_t id, uint32_t now_ms)
{
	struct large_folio *folio = large_folio(&state->large, id);
	bool is_top = state->nodes[folio->node].is_top;
	uint64_t mode = state->kernel->values[LINUX_NUMA_BALANCING];
	if (folio->is_armed || (is_top && !(mode & 1)))
		return 0;
	folio->is_armed = true;
	if (!is_top && mode & 2)
		folio->armed_ms = now_ms;
	for (uint32_t at = 0; at < LARGE_PAGES; at++)
		if (folio->pages[at] != LARGE_NONE)
			state->kernel->pages[folio->pages[at]].bits |= KERNEL_HINT;
	state->counters[LINUX_NUMA_HUGE_PTE_UPDATES]++;
	return LARGE_PAGES;
}

void linux_large_disarm(struct linux_kernel *state, uint32_t id)
{
	struct large_folio *folio = large_folio(&state->large, id);
	folio->is_armed = false;
	for (uint32_t at = 0; at < LARGE_PAGES; at++)
		if (folio->pages[at] != LARGE_NONE)
			state->kernel->pages[folio->pages[at]].bits &= (uint8_t)~KERNEL_HINT;
}

/* The shrinker of the deferred split queue, as every visit of reclaim calls it. */
void linux_large_shrink(struct linux_kernel *state, uint32_t number, uint32_t priority)
{
	struct linux_node *node = &state->nodes[number];
	uint64_t nr = node->deferred.nr;
	if (nr == 0)
		return;
	uint64_t delta = (nr >> priority) * SHRINK_SHARE;
	uint64_t due = MIN((node->deferred_carried >> priority) + delta, 2 * nr);
	uint64_t left = due;
	while (left > 0 && (left >= SHRINK_BATCH || left >= nr) && node->deferred.nr > 0) {
		uint64_t batch = MIN(left, SHRINK_BATCH);
		left -= batch;
		for (; batch > 0 && node->deferred.nr > 0; batch--)
			linux_large_split(state, node->deferred.oldest);
	}
	uint64_t carried = node->deferred_carried + delta;
	carried -= MIN(carried, due - left);
	node->deferred_carried = MIN(carried, 2 * nr);
}
