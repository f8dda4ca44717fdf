/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: kswapd and direct reclaim take cold pages off a node, and demotion gives them a place in
 * the tiers below.
 *
 * Follows mm/vmscan.c shrink_folio_list and demote_folio_list, mm/memory-tiers.c
 * next_demotion_node: first the nearest node of the next tier (a random one among equals) at LOW
 * and, with its kswapd woken, at MIN, as all allocations of the slow path; then any node below.
 * There is no swap in this model: the slowest tier, and every node when demotion is off, has
 * nothing to reclaim.
 *
 * What kswapd demotes is free only when the time for the batch is over, as the kernel gives pages
 * back after all of a batch are copied: until then promotions find no room.
 *
 * kswapd's CPU time is the brake. Each page it looks at, each page-table entry that ageing walks
 * over, each page it moves takes time (docs/cost-model.md, "The kernel's own time"). It goes on
 * until its time is used up, mostly into the red, since a walk or a batch is never cut; then it
 * waits until time has made up for it. So a burst of promotions outruns it, as it does in life.
 */
#include "sim/kernel/linux.h"

#include <string.h>

#define WHOLE_CPU_BP  10000
#define VERDICT_SLOTS 128

/* What callbacks of one node need. */
struct visit {
	struct linux_kernel *state;
	uint32_t node;
};

static bool can_demote(const struct linux_kernel *state, uint32_t node)
{
	return state->kernel->values[LINUX_DEMOTION] && state->nodes[node].nr_targets > 0;
}

static bool clear_page(struct linux_kernel *state, uint32_t page)
{
	struct kernel_page *entry = &state->kernel->pages[page];
	bool was_young = entry->bits & KERNEL_YOUNG;
	entry->bits &= (uint8_t)~KERNEL_YOUNG;
	return was_young;
}

/* One accessed bit serves a large folio: in the model the bits of all its pages together. */
static bool clear_young(void *context, uint32_t entry)
{
	struct linux_kernel *state = context;
	bool was_young = false;
	state->reclaim_ns += state->kernel->cost->values[COST_RECLAIM];
	if (!(entry & LRU_LARGE))
		return clear_page(state, entry);
	const struct large_folio *folio = large_folio(&state->large, entry & ~LRU_LARGE);
	for (uint32_t at = 0; at < LARGE_PAGES; at++)
		was_young |= folio->pages[at] != LARGE_NONE && clear_page(state, folio->pages[at]);
	return was_young;
}

static bool age_young_page(struct linux_kernel *state, uint32_t node, uint32_t page)
{
	struct lru *lru = &state->nodes[node].lru;
	uint32_t entry = linux_entry(state, page);
	if (lru_is_out(lru, &state->lru, entry))
		return false;
	clear_page(state, page);
	lru_activate(lru, &state->lru, entry);
	return true;
}

/* Most are not young, or not here. */
static inline bool age_page(struct linux_kernel *state, uint32_t node, uint32_t page)
{
	const struct kernel_page *entry = &state->kernel->pages[page];
	return entry->node == node && entry->bits & KERNEL_YOUNG &&
	       age_young_page(state, node, page);
}

/* The 64 entries around, within their page table. */
static void look_around(void *context, uint32_t node, uint32_t page)
{
	struct linux_kernel *state = context;
	const struct stage *stage = state->kernel->stage;
	if (!stage || page & LRU_LARGE) /* one entry maps it, and a page table its neighbours */
		return;
	struct stage_page address = stage_page(stage, page);
	uint64_t start = address.page / AREAS_GAP * AREAS_GAP, end = start + AREAS_GAP;
	if (address.page - start < MGLRU_BATCH / 2)
		end = start + MGLRU_BATCH;
	else if (end - address.page < MGLRU_BATCH / 2)
		start = end - MGLRU_BATCH;
	else
		start = address.page - MGLRU_BATCH / 2, end = address.page + MGLRU_BATCH / 2;
	uint64_t nr_young = 1;
	state->reclaim_ns += (end - start) * state->kernel->cost->values[COST_WALK];
	for (uint64_t at = start; at < end; at++) {
		uint32_t number = stage_find(stage, address.space, at);
		if (number < state->kernel->nr_pages)
			nr_young += age_page(state, node, number);
	}
	if (nr_young * WALK_SUITABLE_FROM >= end - start)
		walk_filter_add(&state->nodes[node].filter, state->nodes[node].lru.gen.max_seq,
				walk_table_of(address.space, address.page));
}

static uint64_t table_of(const struct linux_kernel *state, uint32_t page)
{
	if (!state->kernel->stage)
		return page / WALK_TABLE_PAGES;
	struct stage_page address = stage_page(state->kernel->stage, page);
	return walk_table_of(address.space, address.page);
}

/* What the filter said of page tables that lie in different slots. */
struct verdicts {
	uint64_t tables[VERDICT_SLOTS];
	enum { VERDICT_NONE, VERDICT_PASSED_OVER, VERDICT_WALKED } of[VERDICT_SLOTS];
};

/* Pages come as they were born, so neighbours often follow each other. */
static bool is_walked(struct verdicts *verdicts, const struct walk_filter *filter, uint64_t seq,
		      uint64_t table)
{
	unsigned slot = table % VERDICT_SLOTS;
	if (verdicts->of[slot] == VERDICT_NONE || verdicts->tables[slot] != table) {
		verdicts->tables[slot] = table;
		verdicts->of[slot] = walk_filter_has(filter, seq, table) ? VERDICT_WALKED
									 : VERDICT_PASSED_OVER;
	}
	return verdicts->of[slot] == VERDICT_WALKED;
}

/* Not the page tables that were hardly used last time (walk_filter.h). */
static void walk(void *context, uint32_t node)
{
	struct linux_kernel *state = context;
	struct walk_filter *filter = &state->nodes[node].filter;
	const uint64_t *costs = state->kernel->cost->values;
	uint64_t seq = state->nodes[node].lru.gen.max_seq, nr = 0, nr_young = 0;
	struct walk_counts counts = { 0 };
	struct verdicts verdicts = { 0 };
	walk_filter_reset(filter, seq + 1);
	for (uint32_t page = 0; page < state->kernel->nr_pages; page++) {
		if (state->kernel->pages[page].node == KERNEL_NOWHERE)
			continue;
		if (state->kernel->pages[page].order) { /* one entry, beside the page tables */
			age_page(state, node, page);
			continue;
		}
		uint64_t table = table_of(state, page);
		if (!is_walked(&verdicts, filter, seq, table))
			continue;
		nr++;
		if (!age_page(state, node, page))
			continue;
		nr_young++;
		/* Without memory to count in, a table is passed over next time. */
		(void)walk_counts_add(&counts, table);
	}
	walk_counts_finish(&counts, filter, seq + 1);
	state->reclaim_ns += nr * costs[COST_WALK] + nr_young * costs[COST_AGE];
}

static void count_demoted(struct linux_kernel *state, uint64_t nr_pages)
{
	state->counters[state->is_direct ? LINUX_PGDEMOTE_DIRECT : LINUX_PGDEMOTE_KSWAPD] +=
		nr_pages;
}

/* The copy and the fixed cost of one folio, as the cost model has them. */
static void take_time(struct linux_kernel *state, uint32_t from, uint32_t to, uint64_t nr_pages)
{
	const struct cost_model *cost = state->kernel->cost;
	state->reclaim_ns += cost_folio_ps(cost, from, to, nr_pages) / COST_PS_PER_NS;
}

static void say_why(struct linux_kernel *state)
{
	state->kernel->why = state->is_direct ? "cold: demoted for an allocation that waits"
					      : "cold: demoted by kswapd";
}

static bool demote_to(struct linux_kernel *state, uint32_t page, uint32_t target,
		      enum linux_mark mark)
{
	uint32_t from = state->kernel->pages[page].node;
	if (!linux_has_room(state, target, mark, 1))
		return false;
	say_why(state);
	state->is_batch = !state->is_direct;
	int error = kernel_migrate(state->kernel, page, target);
	state->is_batch = false;
	if (error)
		return false;
	count_demoted(state, 1);
	take_time(state, from, target, 1);
	return true;
}

/* The nearest target at LOW, then with its kswapd woken at MIN, then any that is left. */
static bool demote_page(struct linux_kernel *state, uint32_t node, uint32_t page)
{
	const struct linux_node *from = &state->nodes[node];
	if (demote_to(state, page, from->targets[0], LINUX_MARK_LOW))
		return true;
	linux_wake_kswapd(state, from->targets[0], 0);
	if (demote_to(state, page, from->targets[0], LINUX_MARK_MIN))
		return true;
	for (uint32_t i = 1; i < 2 * from->nr_targets - 1; i++) {
		bool is_low = i < from->nr_targets;
		if (demote_to(state, page, from->targets[is_low ? i : i - from->nr_targets + 1],
			      is_low ? LINUX_MARK_LOW : LINUX_MARK_MIN))
			return true;
	}
	state->counters[LINUX_PGMIGRATE_FAIL]++;
	return false;
}

/* Whole, while a target has room for all of it. */
static bool demote_folio(struct linux_kernel *state, uint32_t node, uint32_t id)
{
	const struct linux_node *from = &state->nodes[node];
	const struct large_folio *folio = large_folio(&state->large, id);
	uint32_t page = LARGE_NONE;
	bool is_moved = false;
	for (uint32_t at = 0; at < LARGE_PAGES && page == LARGE_NONE; at++)
		page = folio->pages[at];
	if (folio->is_queued || page == LARGE_NONE)
		return false;
	state->keeps_large = true;
	say_why(state);
	for (uint32_t i = 0; i < from->nr_targets && !is_moved; i++) {
		is_moved = linux_has_room(state, from->targets[i], LINUX_MARK_MIN, LARGE_PAGES) &&
			   kernel_migrate(state->kernel, page, from->targets[i]) == 0;
		if (is_moved)
			take_time(state, node, from->targets[i], LARGE_PAGES);
	}
	if (is_moved && !state->is_direct)
		state->nodes[node].large_in_flight += LARGE_PAGES;
	state->keeps_large = false;
	state->counters[LINUX_THP_MIGRATION_FAIL] += !is_moved;
	return is_moved;
}

/* What cannot go whole goes in pieces; a piece that cannot go is activated. */
static int64_t evict_folio(struct linux_kernel *state, uint32_t node, uint32_t id)
{
	uint32_t pieces[LARGE_PAGES];
	int64_t nr = 0;
	if (demote_folio(state, node, id)) {
		count_demoted(state, LARGE_PAGES);
		return LARGE_PAGES;
	}
	memcpy(pieces, large_folio(&state->large, id)->pages, sizeof(pieces));
	state->counters[LINUX_THP_MIGRATION_SPLIT]++;
	linux_large_split(state, id);
	for (uint32_t at = 0; at < LARGE_PAGES; at++) {
		if (pieces[at] == LARGE_NONE)
			continue;
		if (demote_page(state, node, pieces[at]))
			nr++;
		else
			lru_add(&state->nodes[node].lru, &state->lru, pieces[at], true);
	}
	return nr;
}

/* A page of the node's ballast. Only the nearest target is tried. */
static int64_t evict_file(struct linux_kernel *state, uint32_t node)
{
	uint32_t to = state->nodes[node].targets[0];
	state->reclaim_ns += state->kernel->cost->values[COST_RECLAIM];
	state->is_batch = !state->is_direct;
	bool is_moved = linux_move_ballast(state, node, to);
	state->is_batch = false;
	if (!is_moved)
		return -1;
	state->counters[LINUX_PGMIGRATE_SUCCESS]++;
	count_demoted(state, 1);
	take_time(state, node, to, 1);
	return 1;
}

static int64_t evict(void *context, uint32_t node, uint32_t entry)
{
	if (entry == LRU_FILE)
		return evict_file(context, node);
	if (entry & LRU_LARGE)
		return evict_folio(context, node, entry & ~LRU_LARGE);
	return demote_page(context, node, entry) ? 1 : -1;
}

static const struct lru_ops reclaim_ops = { clear_young, look_around, walk, evict };

static bool is_on_programs_cpu(const struct linux_kernel *state)
{
	return state->kernel->cost->values[COST_KSWAPD] < WHOLE_CPU_BP;
}

/* Then what kswapd takes moves the clock. */
static bool is_clock_shared(const struct linux_kernel *state)
{
	return is_on_programs_cpu(state) &&
	       state->kernel->cost->values[COST_CLOCK] == COST_CLOCK_SHARED;
}

/* Pages that a walk had found young are put where they belong one by one. */
static uint64_t sorting_ns(const struct linux_kernel *state, struct linux_node *node)
{
	uint64_t nr = lru_nr_moves(&node->lru) - node->nr_moves;
	node->nr_moves += nr;
	return nr * state->kernel->cost->values[COST_SORT];
}

/* What reclaim took since it was last asked comes off the CPU time of this node's kswapd. */
static bool has_time(void *context)
{
	const struct visit *visit = context;
	struct linux_node *node = &visit->state->nodes[visit->node];
	visit->state->reclaim_ns += sorting_ns(visit->state, node);
	node->kswapd_ns -= (int64_t)MIN(visit->state->reclaim_ns, INT64_MAX / 4);
	if (is_on_programs_cpu(visit->state) && !is_clock_shared(visit->state))
		visit->state->stolen_ns += visit->state->reclaim_ns;
	visit->state->reclaim_ns = 0;
	if (node->kswapd_ns > 0)
		linux_land(visit->state, visit->node);
	return node->kswapd_ns > 0;
}

/* kswapd stops within a visit as soon as each zone has what it wants and a batch more, or when its
 * time is up. The DMA zone never has that: its reserve for other zones is larger than what it keeps
 * free. */
static bool is_enough(void *context, uint32_t node, uint64_t nr_reclaimed)
{
	struct linux_kernel *state = context;
	struct visit visit = { state, node };
	struct kswapd_view view;
	(void)nr_reclaimed;
	state->nodes[node].is_cut = !state->is_direct && !has_time(&visit);
	if (state->nodes[node].is_cut)
		return true;
	/* What makes room for a large folio is not stopped by what would do for a page. */
	if (state->nodes[node].has_dma_zone ||
	    (!state->is_direct && state->nodes[node].kswapd.order))
		return false;
	linux_view(state, node, &view);
	return linux_zone_free(state, node) > view.aim_pages + MGLRU_BATCH;
}

/* Between a walk and what follows. */
static bool has_time_left(void *context, uint32_t node)
{
	struct linux_kernel *state = context;
	struct visit visit = { state, node };
	state->nodes[node].is_cut = !state->is_direct && !has_time(&visit);
	return !state->nodes[node].is_cut;
}

static void shrink(void *context, uint32_t priority, uint64_t nr_to_reclaim, uint64_t *scanned,
		   uint64_t *reclaimed)
{
	struct visit *visit = context;
	struct linux_kernel *state = visit->state;
	struct linux_node *node = &state->nodes[visit->node];
	struct lru_shrink request = {
		.node = visit->node,
		.priority = priority,
		.budget_pages = nr_to_reclaim,
		.nr_met = node->is_cut ? node->nr_met : 0,
		.has_aged = node->is_cut && node->has_aged,
		.has_time = has_time_left,
		.is_direct = state->is_direct,
		.is_below_high = linux_zone_free(state, visit->node) <= node->marks.high,
		.is_enough = is_enough,
	};
	node->is_cut = false;
	linux_large_shrink(state, visit->node, priority);
	if (!can_demote(state, visit->node))
		return;
	struct lru *lru = &node->lru;
	uint64_t before = lru_nr_scanned(lru);
	lru_shrink(lru, &state->lru, &request, &reclaim_ops, state);
	state->counters[state->is_direct ? LINUX_PGSCAN_DIRECT : LINUX_PGSCAN_KSWAPD] +=
		lru_nr_scanned(lru) - before;
	state->counters[state->is_direct ? LINUX_PGSTEAL_DIRECT : LINUX_PGSTEAL_KSWAPD] +=
		request.nr_reclaimed;
	node->nr_met = request.nr_met;
	node->has_aged = request.has_aged;
	*scanned += request.nr_scanned;
	*reclaimed += request.nr_reclaimed;
}

static bool was_cut(void *context)
{
	const struct visit *visit = context;
	return visit->state->nodes[visit->node].is_cut;
}

static uint64_t free_pages_of(void *context)
{
	const struct visit *visit = context;
	return linux_zone_free(visit->state, visit->node);
}

static uint64_t inactive_pages_of(void *context)
{
	const struct visit *visit = context;
	return can_demote(visit->state, visit->node)
		       ? lru_nr_inactive(&visit->state->nodes[visit->node].lru)
		       : 0;
}

void linux_view(struct linux_kernel *state, uint32_t node, struct kswapd_view *ret)
{
	*ret = (struct kswapd_view){
		.marks = linux_marks_now(state, node),
		.aim_pages = linux_kswapd_aim(state, node),
		.reserve_pages = linux_reserve(state->kernel, node),
		.free_pages = free_pages_of,
		.inactive_pages = state->nodes[node].lru.is_gen ? inactive_pages_of : NULL,
		.shrink = shrink,
		.has_time = has_time,
		.was_cut = was_cut,
	};
}

void linux_wake_kswapd(struct linux_kernel *state, uint32_t node, uint32_t order)
{
	struct visit visit = { state, node };
	struct kswapd_view view;
	linux_view(state, node, &view);
	view.context = &visit;
	kswapd_wake(&state->nodes[node].kswapd, &view, order);
}

/* Time is not saved up: who slept has no more than one tick's. With a clock that does not run for
 * kswapd, its share is that of the time. With one CPU that it shares, the scheduler's tick decides
 * who runs until the next: the program, then kswapd, and so on. */
static int64_t give_time(const struct linux_kernel *state, struct linux_node *node,
			 uint64_t elapsed_ns)
{
	uint64_t share = state->kernel->cost->values[COST_KSWAPD];
	bool is_shared = is_clock_shared(state);
	uint64_t whole = WHOLE_CPU_BP - (is_shared ? share : 0);
	uint64_t slice_ns = is_shared ? SCAN_TICK_NS : elapsed_ns;
	int64_t more = (int64_t)MIN(cost_scale(slice_ns, share, whole), INT64_MAX / 4);
	node->kswapd_ns = MIN(node->kswapd_ns, 0) + more;
	return more;
}

/* The CPU was kswapd's for what it used of what it was given. */
static void take_cpu(struct linux_kernel *state, const struct linux_node *node, int64_t given_ns)
{
	int64_t used_ns = given_ns - MAX(node->kswapd_ns, 0);
	if (!is_clock_shared(state) || used_ns <= 0)
		return;
	state->kernel->work_ns += (uint64_t)used_ns;
	state->stolen_ns += (uint64_t)used_ns;
	state->tick_ns += (uint64_t)used_ns; /* the clock will have moved by as much */
}

void linux_kswapd_tick(struct kernel *kernel)
{
	struct linux_kernel *state = linux_of(kernel);
	uint64_t elapsed_ns = kernel->now_ns - state->tick_ns;
	state->tick_ns = kernel->now_ns;
	if (is_clock_shared(state) && kernel->now_ns / SCAN_TICK_NS == state->turn)
		return;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		struct linux_node *node = &state->nodes[i];
		struct visit visit = { state, i };
		struct kswapd_view view;
		linux_view(state, i, &view);
		view.context = &visit;
		int64_t given_ns = give_time(state, node, elapsed_ns);
		if (node->small_in_flight + node->large_in_flight > 0)
			has_time(&visit);
		kswapd_run(&node->kswapd, &view, linux_now_ms(kernel));
		if (node->kswapd.state != KSWAPD_WORKING)
			node->boost_pages = 0;
		take_cpu(state, node, given_ns);
	}
	state->turn = (kernel->now_ns + kernel->work_ns) / SCAN_TICK_NS;
}

uint64_t linux_reclaim(struct kernel *kernel, uint32_t node, uint64_t nr_pages)
{
	struct linux_kernel *state = linux_of(kernel);
	struct visit visit = { state, node };
	uint64_t scanned = 0, reclaimed = 0;
	state->is_direct = true;
	for (uint32_t priority = LRU_DEF_PRIORITY; priority >= 1 && reclaimed < nr_pages;
	     priority--)
		shrink(&visit, priority, nr_pages - reclaimed, &scanned, &reclaimed);
	state->is_direct = false;
	kernel->work_ns += state->reclaim_ns;
	state->reclaim_ns = 0; /* the program's own time, not kswapd's */
	return reclaimed;
}
