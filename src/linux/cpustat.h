/* SPDX-License-Identifier: MIT */
/*
 * What each CPU did since the last look, from /proc/stat: busy, stolen (hypervisor, interrupts),
 * elapsed. The file counts in ticks of 10 ms unless the kernel accounts precisely, so a look after
 * less than some ticks is coarse: a window of 40 ms tells in steps of a quarter, and in one of 20
 * ms a CPU that is busy for half of the time may show nothing. Whether a CPU is idle is told from
 * the `recent` figures, of the last 100 to 200 ms:
 *
 *     looks    .  .  .  .  .  .  .  .  .  .  .  .
 *                    older          newer       |     100 ms from anchor to anchor
 *                    |------- recent -----------|
 *
 * Cost: one pread of an open file, about 1 us per CPU; 112 bytes per CPU.
 * Source: fs/proc/stat.c (6.12), proc(5).
 */
#ifndef BERTH_LINUX_CPUSTAT_H
#define BERTH_LINUX_CPUSTAT_H

#include "base/printbuf.h"
#include "base/types.h"
#include "machine/root.h"

#define CPUSTAT_RECENT_NS (100 * NS_PER_MS) /* at least, once it has run for so long */

struct cpustat_ticks { /* since the kernel started */
	uint64_t busy, stolen, all;
};

struct cpustat_cpu {
	uint64_t busy_ns, stolen_ns, elapsed_ns; /* since the look before the last */
	uint64_t recent_busy_ns, recent_stolen_ns, recent_ns;
	struct cpustat_ticks last, newer, older;
	bool is_online;
};

struct cpustat {
	int fd;
	struct cpustat_cpu *cpus;
	uint32_t nr_cpus; /* one above the highest number that was seen */
	char *text;
	size_t text_size;
	uint64_t ns_per_tick;
};

int cpustat_init(struct cpustat *stat, const struct root *root, struct printbuf *err);
void cpustat_fini(struct cpustat *stat);
/* -EBADMSG: no line of a CPU. A CPU without a line is offline; what comes back counts from then. */
int cpustat_look(struct cpustat *stat);
/* The same from a text, for tests. */
int cpustat_parse(struct cpustat *stat, const char *text);

#endif
