/* SPDX-License-Identifier: MIT */
/*
 * linux-numab and linux-tiering: Linux with NUMA balancing by hint faults, in its locality form
 * (mode 1) or its tiering form with demotion (mode 2). linux.h has the picture.
 *
 * Every tunable bears Linux's name, unit and default (6.12); docs/kernel-model.md says what is
 * modelled and what is not.
 */
#include "sim/kernel/linux.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define LINUX_TUNABLES(mode, demotion_default)                                                     \
	{                                                                                          \
		[LINUX_NUMA_BALANCING] = { "numa_balancing",                                       \
					   TUNABLE_COUNT,                                          \
					   mode,                                                   \
					   0,                                                      \
					   3,                                                      \
					   "bits: 1 pages follow their task, 2 hot pages of slow " \
					   "tiers are promoted" },                                 \
		[LINUX_DEMOTION] = { "demotion",                                                   \
				     TUNABLE_FLAG,                                                 \
				     demotion_default,                                             \
				     0,                                                            \
				     1,                                                            \
				     "demotion_enabled: reclaim moves pages to the next tier" },   \
		[LINUX_SCAN_DELAY_MS] = { "scan_delay_ms", TUNABLE_COUNT,                          \
					  SCAN_DELAY_MS,   0,                                      \
					  3600000,	   "before a new program is scanned" },    \
		[LINUX_SCAN_PERIOD_MIN_MS] = { "scan_period_min_ms",                               \
					       TUNABLE_COUNT,                                      \
					       SCAN_PERIOD_MIN_MS,                                 \
					       1,                                                  \
					       3600000,                                            \
					       "a whole pass takes at least so long" },            \
		[LINUX_SCAN_PERIOD_MAX_MS] = { "scan_period_max_ms",                               \
					       TUNABLE_COUNT,                                      \
					       SCAN_PERIOD_MAX_MS,                                 \
					       1,                                                  \
					       3600000,                                            \
					       "a whole pass takes at most so long" },             \
		[LINUX_SCAN_SIZE_MB] = { "scan_size_mb", TUNABLE_COUNT,	   SCAN_SIZE_MB, 1,        \
					 65536,		 "armed in one go" },                      \
		[LINUX_HOT_THRESHOLD_MS] = { "hot_threshold_ms",                                   \
					     TUNABLE_COUNT,                                        \
					     1000,                                                 \
					     1,                                                    \
					     4095,                                                 \
					     "promoted when used again so soon after arming" },    \
		[LINUX_RATE_LIMIT_MBPS] = { "promote_rate_limit_MBps",                             \
					    TUNABLE_COUNT,                                         \
					    65536,                                                 \
					    0,                                                     \
					    1 << 24,                                               \
					    "of candidates, per node and second" },                \
		[LINUX_WATERMARK_SCALE] = { "watermark_scale_factor",                              \
					    TUNABLE_COUNT,                                         \
					    WATERMARK_SCALE_DEFAULT,                               \
					    1,                                                     \
					    WATERMARK_SCALE_MAX,                                   \
					    "distance of the watermarks, per ten thousand" },      \
		[LINUX_MIN_FREE_KBYTES] = { "min_free_kbytes",                                     \
					    TUNABLE_COUNT,                                         \
					    0,                                                     \
					    0,                                                     \
					    1 << 30,                                               \
					    "0: as the kernel computes it" },                      \
		[LINUX_THRESHOLD_FIXED] = { "threshold_fixed",                                     \
					    TUNABLE_FLAG,                                          \
					    0,                                                     \
					    0,                                                     \
					    1,                                                     \
					    "the hot threshold is never adjusted" },               \
		[LINUX_FREE_SPACE_BYPASS] = { "free_space_bypass",                                 \
					      TUNABLE_FLAG,                                        \
					      1,                                                   \
					      0,                                                   \
					      1,                                                   \
					      "with much free fast memory all is promoted" },      \
	}

static const struct tunable numab_tunables[LINUX_NR_TUNABLES] = LINUX_TUNABLES(1, 0);
static const struct tunable tiering_tunables[LINUX_NR_TUNABLES] = LINUX_TUNABLES(2, 1);

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

static bool has_memory(const struct kernel *kernel, uint32_t node)
{
	return kernel->nodes[node].capacity_pages > 0 &&
	       kernel->cost->machine->nodes[node].kind != NODE_NONE;
}

/* What belongs to the kernel's normal zones: all but memory that is plugged in later. */
static bool is_movable(const struct machine_node *node)
{
	return node->kind == NODE_CXL || node->kind == NODE_PMEM;
}

static void set_up_watermarks(struct linux_kernel *state)
{
	const struct kernel *kernel = state->kernel;
	const struct machine *machine = kernel->cost->machine;
	struct watermark_config config = { .scale = kernel->values[LINUX_WATERMARK_SCALE],
					   .page_bytes = kernel->cost->page_bytes };
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		if (has_memory(kernel, i) && !is_movable(&machine->nodes[i]))
			config.lowmem_pages += kernel->nodes[i].capacity_pages;
	config.lowmem_pages = MAX(config.lowmem_pages, 1);
	config.min_free_kbytes = kernel->values[LINUX_MIN_FREE_KBYTES];
	if (config.min_free_kbytes == 0)
		config.min_free_kbytes = watermark_min_free_kbytes(
			cost_scale(config.lowmem_pages, config.page_bytes, 1024));
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		struct linux_node *node = &state->nodes[i];
		uint64_t pages = kernel->nodes[i].capacity_pages;
		if (!has_memory(kernel, i))
			continue;
		watermarks_compute(&config, pages, is_movable(&machine->nodes[i]), &node->marks);
		node->bypass_pages = watermark_bypass_pages(&node->marks, pages, config.page_bytes);
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
		if (machine->nodes[to].tier <= machine->nodes[from].tier || !has_memory(kernel, to))
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
		state->nodes[i].is_top = machine->nodes[i].tier <= slowest;
		mglru_init(&state->nodes[i].lru);
		error = set_up_targets(state, i);
	}
	if (!error)
		set_up_watermarks(state);
	return error;
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
		.is_fixed = values[LINUX_THRESHOLD_FIXED] != 0,
	};
	if (set_up_nodes(state))
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	return 0;
}

void linux_stop(struct kernel *kernel)
{
	struct linux_kernel *state = linux_of(kernel);
	if (!state)
		return;
	for (uint32_t i = 0; state->nodes && i < kernel->cost->nr_nodes; i++)
		free(state->nodes[i].targets);
	for (uint32_t i = 0; i < state->nr_spaces; i++)
		areas_fini(&state->spaces[i].areas);
	free(state->nodes);
	free(state->spaces);
	free(state->armed_ms);
	mglru_pages_fini(&state->lru);
	free(state);
	kernel->state = NULL;
}

static int grow(struct kernel *kernel, uint32_t nr_pages)
{
	struct linux_kernel *state = linux_of(kernel);
	if (mglru_pages_grow(&state->lru, nr_pages))
		return -ENOMEM;
	uint16_t *armed_ms = realloc(state->armed_ms, nr_pages * sizeof(*armed_ms));
	if (!armed_ms)
		return -ENOMEM;
	state->armed_ms = armed_ms;
	return 0;
}

static void tick(struct kernel *kernel)
{
	linux_scan_tick(kernel);
	linux_kswapd_tick(kernel);
}

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
	[LINUX_ALLOCSTALL] = "allocstall",
};

static void counters(const struct kernel *kernel,
		     void (*emit)(void *context, const char *name, uint64_t value), void *context)
{
	const struct linux_kernel *state = linux_of(kernel);
	uint64_t candidates = 0, scanned = 0, runs = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		candidates += state->nodes[i].hot.nr_candidates;
		scanned += state->nodes[i].lru.nr_scanned;
		runs += state->nodes[i].kswapd.nr_runs;
	}
	for (unsigned i = 0; i < LINUX_NR_COUNTERS; i++)
		emit(context, counter_names[i], state->counters[i]);
	emit(context, "pgpromote_candidate", candidates);
	emit(context, "pgscan_anon", scanned);
	emit(context, "pageoutrun", runs);
}

/* One kernel, two settings of it. */
#define LINUX_OPS                                                                                  \
	.needs_order = true, .nr_tunables = LINUX_NR_TUNABLES, .start = linux_start,               \
	.stop = linux_stop, .allocate = linux_allocate, .hint_fault = linux_hint_fault,            \
	.grow = grow, .counters = counters, .tick = tick, .reclaim = linux_reclaim,                \
	.migrate = linux_migrate, .free = linux_release

extern const struct kernel_ops kernel_linux_numab, kernel_linux_tiering;
const struct kernel_ops kernel_linux_numab = {
	.name = "linux-numab",
	.summary = "NUMA balancing (mode 1): a page follows the task that faults on it",
	.tunables = numab_tunables,
	LINUX_OPS,
};

const struct kernel_ops kernel_linux_tiering = {
	.name = "linux-tiering",
	.summary = "NUMA balancing for tiers (mode 2) with demotion, as 6.12 ships it",
	.tunables = tiering_tunables,
	LINUX_OPS,
};
