/* SPDX-License-Identifier: MIT */
/*
 * What /proc/vmstat would show, under the names it has there.
 */
#include "sim/kernel/linux.h"

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

void linux_counters(const struct kernel *kernel,
		    void (*emit)(void *context, const char *name, uint64_t value), void *context)
{
	const struct linux_kernel *state = linux_of(kernel);
	uint64_t candidates = 0, scanned = 0, runs = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++) {
		candidates += state->nodes[i].hot.nr_candidates;
		scanned += lru_nr_scanned(&state->nodes[i].lru);
		runs += state->nodes[i].kswapd.nr_runs;
	}
	for (unsigned i = 0; i < LINUX_NR_COUNTERS; i++)
		emit(context, counter_names[i], state->counters[i]);
	emit(context, "pgpromote_candidate", candidates);
	emit(context, "pgscan_anon", scanned);
	emit(context, "pageoutrun", runs);
}
