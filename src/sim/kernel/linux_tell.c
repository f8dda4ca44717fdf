/* SPDX-License-Identifier: MIT */
/* What `berth explain` is told of hint faults: the verdict on the page, in words. */
#include "sim/kernel/linux.h"

static const char *const verdicts[HOT_NR_VERDICTS] = {
	[HOT_FREE_SPACE] = "hint fault: wanted, fast memory has room to spare",
	[HOT_PROMOTE] = "hint fault: wanted, used again soon enough",
	[HOT_COLD] = "hint fault: not wanted, not used again soon enough",
	[HOT_LIMITED] = "hint fault: not wanted, over the rate limit of this second",
};

void linux_tell_hot(struct linux_kernel *state, uint32_t page, uint32_t home, uint64_t latency_ms,
		    enum hot_verdict verdict)
{
	const struct hot_node *node = &state->nodes[home].hot;
	kernel_tell(state->kernel, .kind = KERNEL_DECIDED, .page = page,
		    .from = state->kernel->pages[page].node, .to = home, .latency_ms = latency_ms,
		    .threshold_ms = node->threshold_ms ? node->threshold_ms
						       : state->hot.threshold_ms,
		    .why = verdicts[verdict]);
}

void linux_tell(struct linux_kernel *state, uint32_t page, const char *why)
{
	kernel_tell(state->kernel, .kind = KERNEL_DECIDED, .page = page,
		    .from = state->kernel->pages[page].node, .to = state->kernel->cost->home,
		    .latency_ms = KERNEL_UNKNOWN, .threshold_ms = KERNEL_UNKNOWN, .why = why);
}
