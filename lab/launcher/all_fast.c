/* SPDX-License-Identifier: MIT */
/*
 * The yardstick `all-fast`: the same CPUs and the same amount of memory, all of it in the fastest
 * tier. What slower nodes had is shared out among the fastest ones by their sizes. A slower node
 * that has CPUs stays without memory; one that has none goes.
 *
 *     dram 512 MiB cpus=0-1 | cxl 1 GiB   ->   dram 1536 MiB cpus=0-1
 */
#include <stdlib.h>

#include "base/error.h"
#include "lab/launcher/policy.h"
#include "machine/build.h"

#define SHARE_BYTES (2 * MIB) /* memory is shared out in whole huge pages */

static bool is_fastest(const struct machine *machine, uint32_t index)
{
	return machine->nodes[index].size_bytes > 0 && machine->nodes[index].tier == 0;
}

static bool is_kept(const struct machine *machine, uint32_t index)
{
	return is_fastest(machine, index) || !set_is_empty(&machine->nodes[index].cpus);
}

/* Of what the slower nodes have, in whole huge pages. */
static uint64_t share_of(const struct machine *machine, uint32_t index)
{
	uint64_t fast = 0, slow = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		*(is_fastest(machine, i) ? &fast : &slow) += machine->nodes[i].size_bytes;
	if (!is_fastest(machine, index))
		return 0;
	uint64_t size = machine->nodes[index].size_bytes;
	uint64_t share = (uint64_t)((unsigned __int128)slow * size / fast);
	return share - share % SHARE_BYTES;
}

/* What rounding left over; the first of the fastest nodes takes it. */
static uint64_t rest_of(const struct machine *machine)
{
	uint64_t rest = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (!is_fastest(machine, i))
			rest += machine->nodes[i].size_bytes;
		rest -= share_of(machine, i);
	}
	return rest;
}

static int copy_node(const struct machine *machine, uint32_t index, struct machine_node *node)
{
	const struct machine_node *from = &machine->nodes[index];
	bool is_fast = is_fastest(machine, index);
	node->kind = is_fast ? from->kind : NODE_NONE;
	node->size_bytes = is_fast ? from->size_bytes + share_of(machine, index) : 0;
	node->free_bytes = UINT64_MAX;
	return set_copy(&node->cpus, &from->cpus);
}

/* kept[i]: the index in `machine` of node i of `fast`. Ids count up: the guest wants no holes. */
static int fill(const struct machine *machine, struct machine *fast, const uint32_t *kept,
		struct printbuf *err)
{
	uint64_t rest = rest_of(machine);
	int error = 0;
	for (uint32_t i = 0; i < fast->nr_nodes && !error; i++) {
		struct machine_node *node = &fast->nodes[i];
		node->id = i;
		error = copy_node(machine, kept[i], node);
		if (node->size_bytes > 0) {
			node->size_bytes += rest;
			rest = 0;
		}
	}
	for (uint32_t from = 0; from < fast->nr_nodes; from++)
		for (uint32_t to = 0; to < fast->nr_nodes; to++)
			if (fast->nodes[to].size_bytes > 0)
				*machine_link_at(fast, from,
						 to) = *machine_link(machine, kept[from], kept[to]);
	if (!error)
		error = machine_finish(fast, err);
	if (error)
		return error;
	PRINTBUF(line);
	machine_to_line(&line, fast);
	fast->name = printbuf_steal(&line, NULL);
	return fast->name ? 0 : error_set(err, -ENOMEM, "out of memory");
}

int lab_all_fast(const struct machine *machine, struct machine **ret, struct printbuf *err)
{
	struct machine *fast = NULL;
	uint32_t nr = 0;
	uint32_t *kept = calloc(machine->nr_nodes, sizeof(*kept));
	if (!kept)
		return error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (is_kept(machine, i))
			kept[nr++] = i;
	int error = machine_new(nr, &fast, err);
	if (!error)
		error = fill(machine, fast, kept, err);
	free(kept);
	if (error)
		machine_free(fast);
	else
		*ret = fast;
	return error;
}
