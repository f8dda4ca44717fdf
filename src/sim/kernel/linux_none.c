/* SPDX-License-Identifier: MIT */
/*
 * linux-none: Linux with all of its tiering switched off. A page goes where its first touch finds
 * room: the node of the touching CPU first, then along the kernel's fallback list; it stays there
 * for life.
 *
 * Follows mm/page_alloc.c get_page_from_freelist over the node's zonelist (facts: an allocation
 * falls through to the next node rather than waking kswapd). Not modelled: watermarks (0.1 % of a
 * node and less), per-CPU lists, page-table and page-cache pages of others.
 */
#include "sim/kernel.h"

static int first_touch(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	return kernel_take_falling(kernel, page, wish);
}

extern const struct kernel_ops kernel_linux_none;
const struct kernel_ops kernel_linux_none = {
	.name = "linux-none",
	.summary = "first touch: the local node, then along the fallback list; nothing moves",
	.needs_order = true,
	.allocate = first_touch,
};
