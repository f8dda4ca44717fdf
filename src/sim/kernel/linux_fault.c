/* SPDX-License-Identifier: MIT */
/*
 * Hint faults: arming pages, and what a fault on an armed page leads to.
 *
 * Follows mm/mprotect.c change_pte_range (which pages are armed), mm/memory.c do_numa_page,
 * mm/migrate.c migrate_misplaced_folio_prepare (room above HIGH, or kswapd is woken) and
 * kernel/sched/fair.c task_numa_fault (which faults count for the scan period). All memory is
 * private to its space and each space has one task, on the CPUs of the home node.
 */
#include "sim/kernel/linux.h"

#include "base/error.h"
#include "sim/kernel/nomad.h"

#define TICKS_MAX 4096 /* scheduler ticks looked at in one tick of the simulation */

static bool may_arm(const struct linux_kernel *state, const struct kernel_page *page)
{
	uint64_t mode = state->kernel->values[LINUX_NUMA_BALANCING];
	if (page->bits & KERNEL_HINT || page->node == state->kernel->cost->home)
		return false;
	return (mode & 1) || !state->nodes[page->node].is_top;
}

/* Hot and cold decide over it, not who uses it. */
static bool uses_time(const struct linux_kernel *state, uint32_t page)
{
	return state->kernel->values[LINUX_NUMA_BALANCING] & 2 &&
	       !state->nodes[state->kernel->pages[page].node].is_top;
}

static bool is_clock_shared(const struct linux_kernel *state)
{
	return state->kernel->cost->values[COST_CLOCK] == COST_CLOCK_SHARED;
}

/* A scan of many pages takes its time: each is stamped when its turn comes, where the clock runs on
 * for what the kernel does. */
static uint32_t stamp_of(const struct linux_kernel *state, uint64_t nr_walked, uint64_t nr_armed)
{
	const uint64_t *costs = state->kernel->cost->values;
	uint64_t taken_ns = state->scan_ns + nr_walked * (costs[COST_WALK] + costs[COST_SCAN]) +
			    nr_armed * costs[COST_ARM];
	uint64_t now_ns = state->kernel->now_ns + (is_clock_shared(state) ? taken_ns : 0);
	return (uint32_t)hot_latency_ms(0, now_ns / NS_PER_MS);
}

static uint64_t arm(void *context, uint64_t start, uint64_t end)
{
	struct linux_kernel *state = context;
	struct kernel *kernel = state->kernel;
	const uint64_t *costs = kernel->cost->values;
	uint64_t nr = 0, nr_walked = 0;
	for (uint64_t page = start; page < end; page++) {
		uint32_t number = stage_find(kernel->stage, state->scanned_space, page);
		uint32_t folio = state->thp ? large_at(&state->large, state->scanned_space, page)
					    : LARGE_NONE;
		if (folio < LARGE_SMALL && large_folio(&state->large, folio)->is_pmd) {
			nr_walked++;
			nr += linux_large_arm(state, folio, stamp_of(state, nr_walked, nr));
			page |= LARGE_PAGES - 1;
			continue;
		}
		if (number >= kernel->nr_pages || kernel->pages[number].node == KERNEL_NOWHERE)
			continue;
		nr_walked++;
		if (!may_arm(state, &kernel->pages[number]))
			continue;
		kernel->pages[number].bits |= KERNEL_HINT;
		if (uses_time(state, number))
			*linux_armed_ms(state, number) = stamp_of(state, nr_walked, nr);
		nr++;
	}
	state->counters[LINUX_NUMA_PTE_UPDATES] += nr;
	state->scan_ns += nr_walked * (costs[COST_WALK] + costs[COST_SCAN]) + nr * costs[COST_ARM];
	return nr;
}

static const struct scan_ops arm_ops = { .arm = arm };

/* The program goes on where the scan came in between: in the middle of the page that it touched
 * for the first time just before. Its cache holds that page, so no miss would tell. */
static void touch_current(struct linux_kernel *state)
{
	struct kernel *kernel = state->kernel;
	uint32_t page = state->last_born;
	uint64_t began_ns = kernel->now_ns;
	if (began_ns - state->last_born_ns > kernel->cost->tick_ns || page >= kernel->nr_pages ||
	    !(kernel->pages[page].bits & KERNEL_HINT))
		return;
	/* The scan is over then. */
	kernel->now_ns += is_clock_shared(state) ? state->scan_ns : 0;
	linux_hint_fault(kernel, page, 0);
	kernel->now_ns = began_ns;
}

static void scan_space(struct linux_kernel *state, uint32_t number, uint64_t now_ms)
{
	struct linux_space *space = &state->spaces[number];
	uint64_t now_ns = now_ms * NS_PER_MS;
	uint64_t runtime_ns = now_ns - MIN(state->stolen_ns, now_ns);
	if (!space->is_used || space->nr_resident == 0 ||
	    !scan_is_due(&space->task, &state->scan, now_ms, runtime_ns, space->nr_resident))
		return;
	state->scanned_space = number;
	state->scan_ns = 0;
	scan_run(&space->task, &state->scan, now_ms, space->nr_resident, space->areas.items,
		 space->areas.nr, &arm_ops, state);
	scan_charge(&space->task, state->scan_ns);
	state->kernel->work_ns += state->scan_ns;
	touch_current(state);
}

/* Every 4 ms of the kernel's time, as the scheduler's tick. */
void linux_scan_tick(struct kernel *kernel)
{
	struct linux_kernel *state = linux_of(kernel);
	uint64_t step_ms = SCAN_TICK_NS / NS_PER_MS;
	uint64_t now_ms = linux_now_ms(kernel);
	if (!kernel->stage || kernel->values[LINUX_NUMA_BALANCING] == 0)
		return;
	if (now_ms - state->tick_ms > step_ms * TICKS_MAX)
		state->tick_ms = now_ms - step_ms * TICKS_MAX;
	for (; state->tick_ms + step_ms <= now_ms; state->tick_ms += step_ms)
		for (uint32_t i = 0; i < state->nr_spaces; i++)
			scan_space(state, i, state->tick_ms + step_ms);
}

/* Room above HIGH, or kswapd shall make some. */
static bool has_room_for_promotion(struct linux_kernel *state, uint32_t home, uint64_t nr_pages)
{
	if (linux_zone_free(state, home) > linux_marks_now(state, home).high + nr_pages)
		return true;
	if (state->kernel->values[LINUX_NUMA_BALANCING] & 2) {
		linux_boost(state, home);
		linux_wake_kswapd(state, home, nr_pages > 1 ? LARGE_ORDER : 0);
	}
	return false;
}

/* One task per space: every fault is private. But without mode 2 the first fault on a page of slow
 * memory only notes who it was. */
static bool is_known_user(struct linux_kernel *state, uint32_t page)
{
	uint32_t *user = linux_armed_ms(state, page);
	bool was_nobody = *user == LINUX_NOBODY;
	bool is_top = state->nodes[state->kernel->pages[page].node].is_top;
	bool is_known = is_top || !was_nobody || state->kernel->values[LINUX_NUMA_BALANCING] & 2;
	*user = 0;
	linux_tell(state, page,
		   is_known ? "hint fault: wanted by its task's node"
			    : "hint fault: not wanted, the first fault only notes who uses it");
	return is_known;
}

/* TPP's gate: the fault that finds a page inactive activates it, the next one may promote it. */
static bool passes_gate(struct linux_kernel *state, uint32_t page)
{
	struct lru *lru = &state->nodes[state->kernel->pages[page].node].lru;
	uint32_t entry = linux_entry(state, page);
	if (lru_is_active(lru, &state->lru, entry))
		return true;
	lru_del(lru, &state->lru, entry);
	lru_add(lru, &state->lru, entry, true);
	linux_tell(state, page, "hint fault: not wanted, it was not on the active list");
	return false;
}

static bool is_wanted(struct linux_kernel *state, uint32_t page, uint32_t home)
{
	struct kernel *kernel = state->kernel;
	uint64_t now_ms = linux_now_ms(kernel);
	if (!uses_time(state, page))
		return is_known_user(state, page);
	uint64_t latency_ms = hot_latency_ms(*linux_armed_ms(state, page), now_ms);
	if (kernel->values[LINUX_GATE] == LINUX_GATE_ACTIVE_LRU) {
		if (!passes_gate(state, page))
			return false;
		latency_ms = 0;
	}
	state->hot.bypass_pages = kernel->values[LINUX_FREE_SPACE_BYPASS]
					  ? state->nodes[home].bypass_pages
					  : UINT64_MAX;
	enum hot_verdict verdict = hot_decide(&state->nodes[home].hot, &state->hot, now_ms,
					      latency_ms, linux_zone_free(state, home),
					      linux_nr_pages(state, page));
	linux_tell_hot(state, page, home, latency_ms, verdict);
	return hot_verdict_is_promotion(verdict);
}

static bool tell_full(struct linux_kernel *state, uint32_t page)
{
	linux_tell(state, page, "no room for it above the high watermark; kswapd is woken");
	return false;
}

bool linux_promote(struct linux_kernel *state, uint32_t page, uint32_t home)
{
	bool was_top = state->nodes[state->kernel->pages[page].node].is_top;
	uint64_t nr_pages = linux_nr_pages(state, page);
	uint64_t before = state->counters[LINUX_PGMIGRATE_SUCCESS];
	uint32_t from = state->kernel->pages[page].node;
	linux_thefts(state, home, true);
	if (!has_room_for_promotion(state, home, nr_pages))
		return tell_full(state, page);
	state->keeps_large = true;
	state->kernel->why = "promoted after a hint fault";
	int error = kernel_migrate(state->kernel, page, home);
	state->keeps_large = false;
	/* More than one where a folio went, whole or in pieces. */
	uint64_t nr_moved = state->counters[LINUX_PGMIGRATE_SUCCESS] - before;
	state->kernel->work_ns += cost_folio_ps(state->kernel->cost, from, home, nr_moved) /
				  COST_PS_PER_NS;
	/* Put back within a fault: as what a fault brings in. */
	if (!error)
		lru_fault(&state->nodes[home].lru, &state->lru, linux_entry(state, page));
	state->counters[LINUX_PGMIGRATE_FAIL] += error ? nr_pages : 0;
	state->counters[LINUX_NUMA_PAGES_MIGRATED] += nr_moved;
	state->counters[LINUX_PGPROMOTE_SUCCESS] += was_top ? 0 : nr_moved;
	return !error;
}

static bool promote_or_queue(struct linux_kernel *state, uint32_t page, uint32_t home)
{
	bool is_small_and_slow = state->kernel->pages[page].order == 0 &&
				 !state->nodes[state->kernel->pages[page].node].is_top;
	return state->nomad && is_small_and_slow ? nomad_queue(state, page)
						 : linux_promote(state, page, home);
}

void linux_hint_fault(struct kernel *kernel, uint32_t page, uint8_t flags)
{
	struct linux_kernel *state = linux_of(kernel);
	uint32_t home = kernel->cost->home;
	uint32_t node = kernel->pages[page].node;
	struct stage_page address = stage_page(kernel->stage, page);
	struct linux_space *space = linux_space_of(state, address.space);
	uint64_t nr_pages = linux_nr_pages(state, page);
	(void)flags;
	kernel->pages[page].bits &= (uint8_t)~KERNEL_HINT;
	if (nr_pages > 1)
		linux_large_disarm(state, large_of(&state->large, page));
	state->counters[LINUX_NUMA_HINT_FAULTS]++;
	state->counters[LINUX_NUMA_HINT_FAULTS_LOCAL] += node == home;
	struct scan_area *area = areas_find(&space->areas, address.page);
	if (area)
		scan_area_faulted(area);
	bool is_tried = node != home && is_wanted(state, page, home);
	bool is_moved = is_tried && promote_or_queue(state, page, home);
	if (!is_moved && !state->nodes[node].is_top && kernel->values[LINUX_NUMA_BALANCING] & 2)
		return;
	struct scan_fault fault = { .nr_pages = nr_pages,
				    .is_local = node == home,
				    .is_private = true,
				    .has_failed = is_tried && !is_moved };
	scan_fault(&space->task, &state->scan, &fault, linux_now_ms(kernel), space->nr_resident);
}
