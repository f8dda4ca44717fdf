/* SPDX-License-Identifier: MIT */
/*
 * The state of the modelled Linux: nodes with their marks, tiers and demotion targets, spaces, and
 * what grows with the page numbers. linux.h has the picture; linux_presets.c the settings.
 */
#include "sim/kernel/linux.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define SMALL_BYTES 4096u

struct linux_space *linux_space_of(struct linux_kernel *state, uint32_t space)
{
	if (space >= state->nr_spaces) {
		uint32_t nr = MAX(space + 1, state->nr_spaces * 2);
		struct linux_space *spaces = realloc(state->spaces, nr * sizeof(*spaces));
		if (!spaces)
			return NULL;
		memset(spaces + state->nr_spaces, 0, (nr - state->nr_spaces) * sizeof(*spaces));
		state->spaces = spaces;
		state->nr_spaces = nr;
	}
	if (!state->spaces[space].is_used) {
		state->spaces[space].is_used = true;
		scan_task_init(&state->spaces[space].task, &state->scan);
	}
	return &state->spaces[space];
}

/* The CPUs of a node without any are all of the machine's. */
static void set_up_list(struct linux_kernel *state, uint32_t node)
{
	const struct kernel *kernel = state->kernel;
	const struct machine *machine = kernel->cost->machine;
	uint64_t managed = kernel->nodes[node].capacity_pages;
	uint64_t low = state->nodes[node].marks.low;
	size_t nr_cpus = set_count(&machine->nodes[node].cpus);
	for (uint32_t i = 0; nr_cpus == 0 && i < machine->nr_nodes; i++)
		nr_cpus += set_count(&machine->nodes[i].cpus);
	if (managed != KERNEL_UNLIMITED)
		pcp_init(&state->nodes[node].pcp, managed,
			 low - MIN(linux_reserve(kernel, node), low), (uint32_t)nr_cpus,
			 kernel->cost->page_bytes);
}

static void set_up_marks(struct linux_kernel *state)
{
	const struct kernel *kernel = state->kernel;
	struct linux_marks_config config = {
		.scale = kernel->values[LINUX_WATERMARK_SCALE],
		.min_free_kbytes = kernel->values[LINUX_MIN_FREE_KBYTES],
		.has_huge = kernel->values[LINUX_THP] != LINUX_THP_NEVER,
	};
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		struct linux_node *node = &state->nodes[i];
		linux_marks_of(kernel, &config, i, &node->marks);
		uint64_t present = kernel->starts[i].present_pages;
		if (present == KERNEL_UNKNOWN)
			present = kernel->nodes[i].capacity_pages;
		node->bypass_pages = watermark_bypass_pages(&node->marks, present,
							    kernel->cost->page_bytes);
		set_up_list(state, i);
	}
}

static uint32_t slowest_tier_with_cpus(const struct machine *machine)
{
	uint32_t slowest = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (!set_is_empty(&machine->nodes[i].cpus) && machine->nodes[i].tier < UINT32_MAX)
			slowest = MAX(slowest, machine->nodes[i].tier);
	return slowest;
}

/* Nodes of the tiers below in the order demotion tries them: nearer tiers, then lower latency. */
static int set_up_targets(struct linux_kernel *state, uint32_t from)
{
	const struct kernel *kernel = state->kernel;
	const struct machine *machine = kernel->cost->machine;
	struct linux_node *node = &state->nodes[from];
	node->targets = calloc(machine->nr_nodes, sizeof(*node->targets));
	if (!node->targets)
		return -ENOMEM;
	for (uint32_t i = 0; i < kernel->cost->nr_order; i++) {
		uint32_t to = kernel->cost->order[i];
		uint32_t at = node->nr_targets;
		if (machine->nodes[to].tier <= machine->nodes[from].tier ||
		    !linux_node_has_memory(kernel, to))
			continue;
		while (at > 0 &&
		       machine->nodes[node->targets[at - 1]].tier > machine->nodes[to].tier) {
			node->targets[at] = node->targets[at - 1];
			at--;
		}
		node->targets[at] = to;
		node->nr_targets++;
	}
	return 0;
}

static int set_up_nodes(struct linux_kernel *state)
{
	const struct kernel *kernel = state->kernel;
	const struct machine *machine = kernel->cost->machine;
	uint32_t slowest = slowest_tier_with_cpus(machine);
	int error = 0;
	state->nodes = calloc(machine->nr_nodes, sizeof(*state->nodes));
	if (!state->nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < machine->nr_nodes && !error; i++) {
		state->nodes[i].has_dma_zone = machine->nodes[i].id == 0 &&
					       kernel->nodes[i].capacity_pages >= LINUX_DMA_NODE;
		state->nodes[i].is_top = machine->nodes[i].tier <= slowest;
		lru_init(&state->nodes[i].lru,
			 !kernel->values[LINUX_LRU_GEN]		      ? LRU_TWO_LISTS
			 : kernel->values[LINUX_VERSION] >= LINUX_7_3 ? LRU_GEN_7_3
								      : LRU_GEN,
			 kernel->cost->page_bytes);
		large_queue_init(&state->nodes[i].deferred);
		error = set_up_targets(state, i);
	}
	if (!error)
		set_up_marks(state);
	return error;
}

static int set_up_large(struct linux_kernel *state, struct printbuf *err)
{
	const struct kernel *kernel = state->kernel;
	if (kernel->values[LINUX_THP] == LINUX_THP_NEVER)
		return 0;
	if (kernel->cost->page_bytes != SMALL_BYTES)
		return error_set(err, -EOPNOTSUPP,
				 "%s: thp=%s: huge pages are modelled for pages of %u bytes only, "
				 "and the recording's have %u; leave thp out",
				 kernel->ops->name, linux_thp_names[kernel->values[LINUX_THP]],
				 SMALL_BYTES, kernel->cost->page_bytes);
	if (large_init(&state->large))
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	state->thp = (enum linux_thp)kernel->values[LINUX_THP];
	state->lru.large_pages = LARGE_PAGES;
	return 0;
}

int linux_start(struct kernel *kernel, struct printbuf *err)
{
	const uint64_t *values = kernel->values;
	struct linux_kernel *state = calloc(1, sizeof(*state));
	if (!state)
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	kernel->state = state;
	state->kernel = kernel;
	state->scan = (struct scan_config){
		.delay_ms = values[LINUX_SCAN_DELAY_MS],
		.period_min_ms = values[LINUX_SCAN_PERIOD_MIN_MS],
		.period_max_ms = values[LINUX_SCAN_PERIOD_MAX_MS],
		.size_mb = values[LINUX_SCAN_SIZE_MB],
		.page_bytes = kernel->cost->page_bytes,
		.huge_pages = AREAS_GAP,
	};
	state->hot = (struct hot_config){
		.threshold_ms = values[LINUX_HOT_THRESHOLD_MS],
		.adjust_period_ms = values[LINUX_SCAN_PERIOD_MAX_MS],
		.limit_pages_per_s = cost_scale(values[LINUX_RATE_LIMIT_MBPS], 1 << 20,
						kernel->cost->page_bytes),
		.is_fixed = values[LINUX_THRESHOLD] == LINUX_THRESHOLD_IS_FIXED,
		.counts_bypass = values[LINUX_VERSION] >= LINUX_7_3,
	};
	if (set_up_nodes(state))
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	return set_up_large(state, err);
}

void linux_stop(struct kernel *kernel)
{
	struct linux_kernel *state = linux_of(kernel);
	if (!state)
		return;
	for (uint32_t i = 0; state->nodes && i < kernel->cost->nr_nodes; i++)
		free(state->nodes[i].targets);
	for (uint32_t i = 0; i < state->nr_spaces; i++) {
		areas_fini(&state->spaces[i].areas);
		walk_counts_fini(&state->spaces[i].tables);
	}
	free(state->nodes);
	free(state->spaces);
	free(state->armed_ms);
	if (state->thp)
		large_fini(&state->large);
	lru_pages_fini(&state->lru);
	free(state);
	kernel->state = NULL;
}

int linux_grow(struct kernel *kernel, uint32_t nr_pages)
{
	struct linux_kernel *state = linux_of(kernel);
	if (lru_pages_grow(&state->lru, nr_pages))
		return -ENOMEM;
	uint32_t *armed_ms = realloc(state->armed_ms, nr_pages * sizeof(*armed_ms));
	if (!armed_ms)
		return -ENOMEM;
	state->armed_ms = armed_ms;
	return state->thp ? large_grow(&state->large, nr_pages) : 0;
}

/* vmstat_update: every second. */
static void decay_lists(struct linux_kernel *state)
{
	uint64_t second = state->kernel->now_ns / NS_PER_S;
	if (second == state->second)
		return;
	state->second = second;
	for (uint32_t i = 0; i < state->kernel->cost->nr_nodes; i++)
		pcp_decay(&state->nodes[i].pcp);
}

void linux_tick(struct kernel *kernel)
{
	decay_lists(linux_of(kernel));
	linux_scan_tick(kernel);
	linux_kswapd_tick(kernel);
}
