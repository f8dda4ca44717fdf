/* SPDX-License-Identifier: MIT */
/*
 * The settings of one kernel that have names: kernels by version, as they come, and kernels set up
 * for tiering. They differ in the defaults of their keys only; every key can be given to each.
 *
 *                     numa_balancing  demotion  version
 *     6.12, 7.3                    1       off  its own    as Debian ships them
 *     linux-numab                  1       off  6.12
 *     linux-tiering                2        on  6.12
 *     nomad                        2        on  6.12       with shadows: nomad.h
 *
 * Keys bear Linux's names, units and defaults (kernel/sched/fair.c, kernel/sched/debug.c,
 * mm/page_alloc.c of 6.12). These are not Linux's:
 *
 *     version    which kernel's rules hold where they differ:
 *                7.3 counts what the free space lets through as pgpromote_candidate_nrl
 *     threshold  fixed: hot_threshold_ms as it is; auto: adjusted every scan_period_max_ms
 *     gate       active-lru: the proposal of the TPP series (Nov 2021): a page of slow memory is
 *                promoted only when its fault finds it active already, else the fault activates it
 *                (the series marks it accessed; berth reads "needs another fault soon" as one).
 *                Whatever the latency and the free space; the rate limit stays. With generations
 *                the two youngest are active, so what was never aged passes at once
 *     wmark      how much of fast memory kswapd keeps free for promotion: promo as upstream;
 *                fixed10mb, HIGH + 10 MiB, as in v10 of the tiering series (Nov 2021), which
 *                reviewers found arbitrary; boost, by the marks' own boost (linux_marks.c)
 *     free_space_bypass  off: latency is looked at however much fast memory is free
 */
#include "sim/kernel/linux.h"
#include "sim/kernel/nomad.h"

#define COUNT(name, initial, min, max, help)                                                       \
	{                                                                                          \
		name, TUNABLE_COUNT, initial, min, max, help, NULL                                 \
	}
#define FLAG(name, initial, help)                                                                  \
	{                                                                                          \
		name, TUNABLE_FLAG, initial, 0, 1, help, NULL                                      \
	}
#define CHOICE(name, initial, words, help)                                                         \
	{                                                                                          \
		name, TUNABLE_CHOICE, initial, 0, ARRAY_SIZE(words) - 1, help, words               \
	}

static const char *const versions[] = { [LINUX_6_12] = "6.12", [LINUX_7_3] = "7.3" };
static const char *const gates[] = {
	[LINUX_GATE_NONE] = "none", [LINUX_GATE_ACTIVE_LRU] = "active-lru"
};
const char *const linux_thp_names[] = {
	[LINUX_THP_NEVER] = "never", [LINUX_THP_MADVISE] = "madvise", [LINUX_THP_ALWAYS] = "always"
};
static const char *const wmarks[] = { [LINUX_WMARK_PROMO] = "promo",
				      [LINUX_WMARK_BOOST] = "boost",
				      [LINUX_WMARK_FIXED_10MB] = "fixed10mb" };
static const char *const thresholds[] = {
	[LINUX_THRESHOLD_AUTO] = "auto", [LINUX_THRESHOLD_IS_FIXED] = "fixed"
};

#define MODE_HELP      "bits: 1 pages follow their task, 2 hot pages of slow tiers are promoted"
#define DEMOTION_HELP  "demotion_enabled: reclaim moves pages to the next tier"
#define WMARK_HELP     "what kswapd keeps free for promotion"
#define THRESHOLD_HELP "whether the hot threshold follows the rate of candidates"

#define LINUX_TUNABLES(mode, demotion, version)                                                    \
	{                                                                                          \
		[LINUX_NUMA_BALANCING] = COUNT("numa_balancing", mode, 0, 3, MODE_HELP),           \
		[LINUX_DEMOTION] = FLAG("demotion", demotion, DEMOTION_HELP),                      \
		[LINUX_SCAN_DELAY_MS] = COUNT("scan_delay_ms", SCAN_DELAY_MS, 0, 3600000,          \
					      "before a new program is scanned"),                  \
		[LINUX_SCAN_PERIOD_MIN_MS] = COUNT("scan_period_min_ms", SCAN_PERIOD_MIN_MS, 1,    \
						   3600000,                                        \
						   "a whole pass takes at least so long"),         \
		[LINUX_SCAN_PERIOD_MAX_MS] = COUNT("scan_period_max_ms", SCAN_PERIOD_MAX_MS, 1,    \
						   3600000, "a whole pass takes at most so long"), \
		[LINUX_SCAN_SIZE_MB] = COUNT("scan_size_mb", SCAN_SIZE_MB, 1, 65536,               \
					     "armed in one go"),                                   \
		[LINUX_HOT_THRESHOLD_MS] = COUNT("hot_threshold_ms", 1000, 1, 4095,                \
						 "promoted when used again so soon after arming"), \
		[LINUX_RATE_LIMIT_MBPS] = COUNT("promote_rate_limit_MBps", 65536, 0, 1 << 24,      \
						"of candidates, per node and second"),             \
		[LINUX_WATERMARK_SCALE] = COUNT("watermark_scale_factor", WATERMARK_SCALE_DEFAULT, \
						1, WATERMARK_SCALE_MAX,                            \
						"distance of the watermarks, per ten thousand"),   \
		[LINUX_MIN_FREE_KBYTES] = COUNT("min_free_kbytes", 0, 0, 1 << 30,                  \
						"0: as the kernel computes it"),                   \
		[LINUX_THRESHOLD] = CHOICE("threshold", LINUX_THRESHOLD_AUTO, thresholds,          \
					   THRESHOLD_HELP),                                        \
		[LINUX_FREE_SPACE_BYPASS] = FLAG("free_space_bypass", 1,                           \
						 "with much free fast memory all is promoted"),    \
		[LINUX_LRU_GEN] = FLAG("lru_gen", 1,                                               \
				       "lru_gen/enabled; off: the LRU of two lists"),              \
		[LINUX_THP] = CHOICE("thp", LINUX_THP_NEVER, linux_thp_names,                      \
				     "transparent_hugepage/enabled"),                              \
		[LINUX_GATE] = CHOICE("gate", LINUX_GATE_NONE, gates,                              \
				      "TPP's: promoted only if active before the fault"),          \
		[LINUX_WMARK] = CHOICE("wmark", LINUX_WMARK_PROMO, wmarks, WMARK_HELP),            \
		[LINUX_VERSION] = CHOICE("version", version, versions,                             \
					 "whose rules hold where kernels differ"),                 \
	}

static const struct tunable tunables_6_12[LINUX_NR_TUNABLES] = LINUX_TUNABLES(1, 0, LINUX_6_12);
static const struct tunable tunables_7_3[LINUX_NR_TUNABLES] = LINUX_TUNABLES(1, 0, LINUX_7_3);
static const struct tunable tiering_tunables[LINUX_NR_TUNABLES] = LINUX_TUNABLES(2, 1, LINUX_6_12);

/* What nomad shares with all, and what it has of its own. */
#define LINUX_COMMON_OPS                                                                           \
	.needs_order = true, .nr_tunables = LINUX_NR_TUNABLES, .hint_fault = linux_hint_fault,     \
	.mapping = linux_mapping, .split = linux_split, .folio = linux_folio,                      \
	.marks = linux_marks_seen
#define LINUX_OPS                                                                                  \
	LINUX_COMMON_OPS, .start = linux_start, .stop = linux_stop, .allocate = linux_allocate,    \
			  .grow = linux_grow, .counters = linux_counters, .tick = linux_tick,      \
			  .migrate = linux_migrate, .free = linux_release

extern const struct kernel_ops kernel_linux_numab, kernel_linux_tiering;
extern const struct kernel_ops kernel_linux_6_12, kernel_linux_7_3, kernel_nomad;

const struct kernel_ops kernel_linux_numab = {
	.name = "linux-numab",
	.summary = "NUMA balancing (mode 1): a page follows the task that faults on it",
	.tunables = tunables_6_12,
	LINUX_OPS,
};

const struct kernel_ops kernel_linux_tiering = {
	.name = "linux-tiering",
	.summary = "NUMA balancing for tiers (mode 2) with demotion, as 6.12 ships it",
	.tunables = tiering_tunables,
	LINUX_OPS,
};

const struct kernel_ops kernel_linux_6_12 = {
	.name = "6.12",
	.summary = "Linux 6.12 as Debian sets it up: mode 1, no demotion",
	.tunables = tunables_6_12,
	LINUX_OPS,
};

const struct kernel_ops kernel_linux_7_3 = {
	.name = "7.3",
	.summary = "Linux 7.3 as Debian sets it up: mode 1, no demotion",
	.tunables = tunables_7_3,
	LINUX_OPS,
};

const struct kernel_ops kernel_nomad = {
	.name = "nomad",
	.summary = "linux-tiering whose promoted pages keep a shadow in slow memory",
	.tunables = tiering_tunables,
	LINUX_COMMON_OPS,
	.start = nomad_start,
	.stop = nomad_stop,
	.grow = nomad_grow,
	.allocate = nomad_allocate,
	.migrate = nomad_migrate,
	.written = nomad_written,
	.tick = nomad_tick,
	.counters = nomad_counters,
	.free = nomad_release,
};
