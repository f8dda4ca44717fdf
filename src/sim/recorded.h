/* SPDX-License-Identifier: MIT */
/*
 * Replaying a recording under the conditions it was made in: what its info says about the machine,
 * the kernel and its settings, and the memory as the program started (docs/format.md, "Where it
 * ran"). Recordings made in the lab have all of it, others none.
 *
 *     info.machine            --> -M recording
 *     info.kernel, .settings  --> -P recording, -K recording: "6.12:numa_balancing=2,demotion=1"
 *     info.memory             --> struct kernel_start per node: managed, free, watermarks
 *     "watermark_boosts=..."  --> struct kernel_theft: when fragmentation raised watermarks
 *
 * Marks are sums over zones. The DMA zone of node 0 gives no page to programs when what it keeps
 * for itself and for others (lowmem_reserve: a 256th of the zones above) is more than it has free,
 * so that reserve is added to the marks of node 0: below it, free pages are there but cannot be
 * had.
 *
 * Settings that are none of the kernel's tunables (the policy's text, the command line) are passed
 * over: the recording keeps more than the model knows. numa_balancing=0 without demotion, on the
 * kernel's own watermarks, is the kernel of that version all the same, not linux-none: spilling
 * follows its marks.
 */
#ifndef BERTH_SIM_RECORDED_H
#define BERTH_SIM_RECORDED_H

#include "machine/machine.h"
#include "sim/kernel.h"
#include "trace/trace.h"

#define RECORDED_NAME "recording" /* what -M, -P and -K say for it */

/* -M recording. -EINVAL: the recording has no machine. */
int recorded_machine(const struct trace_info *info, struct machine **ret, struct printbuf *err);
/* Is `text` "recording" or "recording:key=value,..."? */
bool recorded_is_named(const char *text);
/* Puts the kernel's name and keys into `out`, and after them the keys of `text`, which so have the
 * last word. -EINVAL: the recording has no kernel, or one that is not modelled. */
int recorded_spec(const struct trace_info *info, const char *text, struct printbuf *out,
		  struct printbuf *err);
/* starts: [machine node index], of nr_nodes; nodes of which nothing is known are left as a machine
 * starts that nobody uses. */
void recorded_starts(const struct trace_info *info, struct kernel_start *starts, uint32_t nr_nodes);

#define RECORDED_MAX_THEFTS 256
/* When fragmentation raised watermarks: at most RECORDED_MAX_THEFTS, in the order of time; returns
 * how many. What makes no sense ends the list. */
size_t recorded_thefts(const struct trace_info *info, struct kernel_theft *thefts,
		       uint32_t nr_nodes);

#endif
