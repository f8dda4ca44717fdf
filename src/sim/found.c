/* SPDX-License-Identifier: MIT */
/* Misses where the recording's kernel had the pages; found.h says more. */
#include "sim/found.h"

#include <stdlib.h>

#include "base/error.h"

int found_init(struct found *found, uint32_t nr_nodes)
{
	*found = (struct found){ .nr_nodes = nr_nodes };
	found->nr_misses = calloc(nr_nodes, sizeof(*found->nr_misses));
	return found->nr_misses ? pagemap_init(&found->nodes) : -ENOMEM;
}

void found_fini(struct found *found)
{
	pagemap_fini(&found->nodes);
	free(found->nr_misses);
	*found = (struct found){ 0 };
}

static int note_nodes(struct found *found, const struct trace_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		pagemap_take(&found->nodes, batch->space, batch->page[i]);
		if (batch->node[i] >= found->nr_nodes)
			continue;
		int error = pagemap_set(&found->nodes, batch->space, batch->page[i],
					batch->node[i]);
		if (error)
			return error;
	}
	return 0;
}

static void count_misses(struct found *found, const struct trace_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		if (!(batch->flags[i] & TRACE_MISS))
			continue;
		uint32_t node = pagemap_find(&found->nodes, batch->space, batch->page[i]);
		if (node == PAGEMAP_NONE)
			found->nr_unknown++;
		else
			found->nr_misses[node]++;
	}
}

int found_feed(struct found *found, const struct trace_batch *batch)
{
	if (batch->kind == TRACE_NODES)
		return note_nodes(found, batch);
	if (batch->kind == TRACE_ACCESSES)
		count_misses(found, batch);
	return 0;
}
