/* SPDX-License-Identifier: MIT */
/*
 * The policy `kernel`: Linux's own memory tiering. Hint faults find what is accessed on slow nodes
 * (numa_balancing=2), demotion makes room on fast ones.
 *
 * Tunables bear the kernel's names. Facts, tried on 6.12 and 7.3: the files of debugfs take any
 * 32-bit number, and a scan_size_mb of 0 makes both kernels divide by zero at the next tick, so the
 * ranges here end where values stop making sense. numa_balancing takes 0 to 4; 4 is no mode.
 *
 * Source: kernel/sched/fair.c, mm/memory-tiers.c (6.12).
 */
#include "lab/launcher/policy_kind.h"

#define DEBUG	"/sys/kernel/debug/sched/numa_balancing/"
#define HOUR_MS 3600000

static const struct policy_key keys[] = {
	{ "mode", "", "2", 0, 3, NULL, NULL, "numa_balancing: 0 off, 1 sockets, 2 tiers, 3 both" },
	{ "demotion", "", "1", 0, 1, NULL, NULL, "demote what is cold instead of dropping it" },
	{ "scan_delay_ms", "ms", "1000", 0, HOUR_MS, NULL, DEBUG "scan_delay_ms",
	  "before a new program is scanned" },
	{ "scan_period_min_ms", "ms", "1000", 1, HOUR_MS, NULL, DEBUG "scan_period_min_ms",
	  "shortest time for a scan of all its memory" },
	{ "scan_period_max_ms", "ms", "60000", 1, HOUR_MS, NULL, DEBUG "scan_period_max_ms",
	  "longest time for a scan of all its memory" },
	{ "scan_size_mb", "MiB", "256", 1, 65536, NULL, DEBUG "scan_size_mb",
	  "unmapped by one step of a scan" },
	{ "hot_threshold_ms", "ms", "1000", 0, HOUR_MS, NULL, DEBUG "hot_threshold_ms",
	  "accessed within this after a scan: hot" },
	{ "promote_rate_limit_MBps", "MiB/s", "65536", 0, INT32_MAX, NULL,
	  "/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps",
	  "per node that is promoted to" },
};

static uint32_t nr_nodes_with_memory(const struct machine *machine)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr += machine->nodes[i].size_bytes > 0;
	return nr;
}

static int check(const struct policy_build *build, struct printbuf *err)
{
	uint64_t mode = policy_value(build, "mode");
	uint64_t min_ms = policy_value(build, "scan_period_min_ms");
	uint64_t max_ms = policy_value(build, "scan_period_max_ms");
	if (min_ms > max_ms)
		return error_set(
			err, -EINVAL,
			"kernel: scan_period_min_ms=%llu is above scan_period_max_ms=%llu; "
			"give both",
			(unsigned long long)min_ms, (unsigned long long)max_ms);
	if (nr_nodes_with_memory(build->machine) < 2)
		return error_set(err, -EINVAL,
				 "kernel: this machine has one node with memory, so there is "
				 "nothing to move; describe a second node, or take none");
	if (build->machine->nr_tiers < 2 && (mode == 2 || mode == 0))
		return error_set(err, -EINVAL,
				 "kernel: all nodes of this machine are in one tier, so mode=%llu "
				 "has nothing to move; give a node more latency, or write "
				 "kernel:mode=1",
				 (unsigned long long)mode);
	return 0;
}

static int add_settings(struct policy_build *build, struct printbuf *err)
{
	policy_set(build, "/sys/kernel/mm/numa/demotion_enabled", "%llu",
		   (unsigned long long)policy_value(build, "demotion"));
	policy_set(build, "/proc/sys/kernel/numa_balancing", "%llu",
		   (unsigned long long)policy_value(build, "mode"));
	return 0;
}

const struct policy_kind policy_kernel = {
	.name = "kernel",
	.summary = "Linux's own tiering: hint faults promote, reclaim demotes",
	.keys = keys,
	.nr_keys = ARRAY_SIZE(keys),
	.check = check,
	.add_settings = add_settings,
};
