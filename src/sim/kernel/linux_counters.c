/* SPDX-License-Identifier: MIT */
/*
 * What /proc/vmstat would show, under the names it has there: those that 6.12 and 7.3 print and
 * that the model's pieces move. What a version does not print is not emitted for it, nor what is of
 * huge pages only when there can be none (thp=never).
 *
 * Zones: memory that is plugged in later is ZONE_MOVABLE, all other is Normal (the kernel splits
 * the lowest 4 GiB off as DMA and DMA32). Stalls are all of movable memory: the kernel counts them
 * by the highest zone that the allocation may use, and a page of a program may use every zone.
 *
 * The generations keep no pgrefill, pgactivate and pgdeactivate here: the kernel moves pages that a
 * walk found young when eviction meets them and counts them then; the model moves them at once.
 */
#include "sim/kernel/linux.h"

typedef void emit_fn(void *context, const char *name, uint64_t value);

static const char *const counter_names[LINUX_NR_COUNTERS] = {
	[LINUX_NUMA_PTE_UPDATES] = "numa_pte_updates",
	[LINUX_NUMA_HINT_FAULTS] = "numa_hint_faults",
	[LINUX_NUMA_HINT_FAULTS_LOCAL] = "numa_hint_faults_local",
	[LINUX_NUMA_PAGES_MIGRATED] = "numa_pages_migrated",
	[LINUX_PGMIGRATE_SUCCESS] = "pgmigrate_success",
	[LINUX_PGMIGRATE_FAIL] = "pgmigrate_fail",
	[LINUX_PGPROMOTE_SUCCESS] = "pgpromote_success",
	[LINUX_PGDEMOTE_KSWAPD] = "pgdemote_kswapd",
	[LINUX_PGDEMOTE_DIRECT] = "pgdemote_direct",
	[LINUX_PGSCAN_KSWAPD] = "pgscan_kswapd",
	[LINUX_PGSCAN_DIRECT] = "pgscan_direct",
	[LINUX_PGSTEAL_KSWAPD] = "pgsteal_kswapd",
	[LINUX_PGSTEAL_DIRECT] = "pgsteal_direct",
	[LINUX_PGALLOC_NORMAL] = "pgalloc_normal",
	[LINUX_PGALLOC_MOVABLE] = "pgalloc_movable",
	[LINUX_PGFREE] = "pgfree",
	[LINUX_ALLOCSTALL_MOVABLE] = "allocstall_movable",
	[LINUX_NUMA_HUGE_PTE_UPDATES] = "numa_huge_pte_updates",
	[LINUX_THP_FAULT_ALLOC] = "thp_fault_alloc",
	[LINUX_THP_FAULT_FALLBACK] = "thp_fault_fallback",
	[LINUX_THP_SPLIT_PAGE] = "thp_split_page",
	[LINUX_THP_SPLIT_PMD] = "thp_split_pmd",
	[LINUX_THP_DEFERRED_SPLIT_PAGE] = "thp_deferred_split_page",
	[LINUX_THP_MIGRATION_SUCCESS] = "thp_migration_success",
	[LINUX_THP_MIGRATION_FAIL] = "thp_migration_fail",
	[LINUX_THP_MIGRATION_SPLIT] = "thp_migration_split",
};

/* What the pieces of a node count themselves. */
struct node_sums {
	uint64_t candidates, candidates_nrl;
	uint64_t runs, low_quickly, high_quickly;
	uint64_t refill, activate, deactivate;
};

static void add_node(struct node_sums *sums, const struct linux_node *node)
{
	sums->candidates += node->hot.nr_candidates;
	sums->candidates_nrl += node->hot.nr_candidates_nrl;
	sums->runs += node->kswapd.nr_runs;
	sums->low_quickly += node->kswapd.nr_low_quickly;
	sums->high_quickly += node->kswapd.nr_high_quickly;
	sums->refill += node->lru.two.nr_refill;
	sums->activate += node->lru.two.nr_activate;
	sums->deactivate += node->lru.two.nr_deactivate;
}

static void emit_lists(const struct linux_kernel *state, const struct node_sums *sums,
		       emit_fn *emit, void *context)
{
	const uint64_t *counters = state->counters;
	emit(context, "pgscan_anon", counters[LINUX_PGSCAN_KSWAPD] + counters[LINUX_PGSCAN_DIRECT]);
	emit(context, "pgsteal_anon",
	     counters[LINUX_PGSTEAL_KSWAPD] + counters[LINUX_PGSTEAL_DIRECT]);
	if (state->kernel->values[LINUX_LRU_GEN])
		return;
	emit(context, "pgrefill", sums->refill);
	emit(context, "pgactivate", sums->activate);
	emit(context, "pgdeactivate", sums->deactivate);
}

/* What no kernel counts, but large folios make worth knowing: how long the lists were at most, what
 * was written once and more, by pages and by the folios they lie in, and how much of huge pages was
 * taken and never touched, at most at once. */
static void emit_own(const struct linux_kernel *state, emit_fn *emit, void *context)
{
	const struct kernel *kernel = state->kernel;
	uint64_t page_bytes = kernel->cost->page_bytes;
	uint64_t pages = state->dirty_pages, folio_pages = state->dirty_folio_pages;
	for (uint32_t i = 0; i < kernel->nr_pages; i++) {
		const struct kernel_page *page = &kernel->pages[i];
		bool is_dirty = page->node != KERNEL_NOWHERE && page->bits & KERNEL_DIRTY;
		pages += is_dirty;
		folio_pages += is_dirty && page->order == 0;
	}
	if (state->thp)
		folio_pages += linux_large_dirty_folios(state) * LARGE_PAGES;
	emit(context, "berth_list_entries", state->lru.peak_entries);
	emit(context, "berth_dirty_page_bytes", cost_multiply(pages, page_bytes));
	emit(context, "berth_dirty_folio_bytes", cost_multiply(folio_pages, page_bytes));
	if (!state->thp)
		return;
	emit(context, "nr_anon_transparent_hugepages", state->large.nr_used);
	emit(context, "berth_untouched_bytes", cost_multiply(state->peak_untouched, page_bytes));
}

void linux_counters(const struct kernel *kernel, emit_fn *emit, void *context)
{
	const struct linux_kernel *state = linux_of(kernel);
	struct node_sums sums = { 0 };
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		add_node(&sums, &state->nodes[i]);
	unsigned nr_counters = state->thp ? LINUX_NR_COUNTERS : LINUX_NR_SMALL_COUNTERS;
	for (unsigned i = 0; i < nr_counters; i++)
		emit(context, counter_names[i], state->counters[i]);
	emit_lists(state, &sums, emit, context);
	emit(context, "pageoutrun", sums.runs);
	emit(context, "kswapd_low_wmark_hit_quickly", sums.low_quickly);
	emit(context, "kswapd_high_wmark_hit_quickly", sums.high_quickly);
	emit(context, "pgdemote_khugepaged", 0);
	emit(context, "pgpromote_candidate", sums.candidates);
	emit_own(state, emit, context);
	if (kernel->values[LINUX_VERSION] < LINUX_7_3)
		return;
	emit(context, "pgpromote_candidate_nrl", sums.candidates_nrl);
	emit(context, "pgdemote_proactive", 0);
	emit(context, "pgscan_proactive", 0);
	emit(context, "pgsteal_proactive", 0);
}

void linux_count_allocated(struct linux_kernel *state, uint32_t node, uint64_t nr_pages)
{
	bool is_movable = linux_node_is_movable(&state->kernel->cost->machine->nodes[node]);
	state->counters[is_movable ? LINUX_PGALLOC_MOVABLE : LINUX_PGALLOC_NORMAL] += nr_pages;
}
