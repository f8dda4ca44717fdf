/* SPDX-License-Identifier: MIT */
/*
 * What the recording's own kernel did: on which node each miss found its page. Recordings of the
 * lab say so (TRACE_NODES): a page's node at its first access, and whenever an access finds it on
 * another one. The counterpart of a simulation's misses per node.
 *
 * Cost: a probe per miss; 4.7 bytes per page, as pagemap.h.
 */
#ifndef BERTH_SIM_FOUND_H
#define BERTH_SIM_FOUND_H

#include "base/printbuf.h"
#include "sim/pagemap.h"
#include "trace/trace.h"

struct found {
	struct pagemap nodes; /* page -> node */
	uint64_t *nr_misses;  /* [node] */
	uint32_t nr_nodes;
	uint64_t nr_unknown; /* misses of pages whose node the recording does not tell */
};

int found_init(struct found *found, uint32_t nr_nodes);
void found_fini(struct found *found);
/* Every batch of the recording, in order; other kinds are passed over. -ENOMEM. */
int found_feed(struct found *found, const struct trace_batch *batch);

#endif
