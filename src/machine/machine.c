/* SPDX-License-Identifier: MIT */
/*
 * The machine itself: making room, completing, checking, comparing, asking.
 *
 *   nodes[]   0: node 0 dram   1: node 1 dram   2: node 4 cxl        (ascending ids)
 *   links[]   from \ to   0     1     2
 *             0          own  rule  rule      a row for each node with CPUs; a node without has
 *             1         rule   own  rule      only its own figure, on the diagonal
 *             2            .     .   own
 *   tiers[]   0: {0,1}   1: {4}               (fastest first)
 *
 * Cost: 32 bytes per link, so 4 KiB at 8 nodes and 32 MiB at Linux's most, 1,024.
 */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "machine/build.h"

int machine_new(uint32_t nr_nodes, struct machine **ret, struct printbuf *err)
{
	if (nr_nodes == 0)
		return error_set(err, -EINVAL,
				 "no node; write one such as "
				 "node:dram:64GiB:cpus=0-3");
	if (nr_nodes > MACHINE_MAX_NODES)
		return error_set(err, -EINVAL, "%u nodes; at most %u are taken", nr_nodes,
				 MACHINE_MAX_NODES);
	struct machine *machine = calloc(1, sizeof(*machine));
	if (!machine)
		return error_set(err, -ENOMEM, "out of memory");
	machine->nodes = calloc(nr_nodes, sizeof(*machine->nodes));
	machine->links = calloc((size_t)nr_nodes * nr_nodes, sizeof(*machine->links));
	if (!machine->nodes || !machine->links) {
		machine_free(machine);
		return error_set(err, -ENOMEM, "out of memory for %u nodes", nr_nodes);
	}
	machine->nr_nodes = nr_nodes;
	machine->page_bytes = 4096;
	machine->demotion_enabled = -1;
	for (uint32_t i = 0; i < nr_nodes; i++) {
		machine->nodes[i].free_bytes = UINT64_MAX;
		machine->nodes[i].tier = UINT32_MAX;
	}
	*ret = machine;
	return 0;
}

struct machine *machine_free(struct machine *machine)
{
	if (!machine)
		return NULL;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		set_fini(&machine->nodes[i].cpus);
		set_fini(&machine->nodes[i].offline_cpus);
		if (machine->demotion_targets)
			set_fini(&machine->demotion_targets[i]);
	}
	for (uint32_t i = 0; i < machine->nr_tiers; i++)
		set_fini(&machine->tiers[i].nodes);
	free(machine->demotion_targets);
	free(machine->nodes);
	free(machine->links);
	free(machine->tiers);
	free(machine->name);
	free(machine->partly);
	free(machine);
	return NULL;
}

struct machine_link *machine_link_at(struct machine *machine, uint32_t from, uint32_t to)
{
	return &machine->links[(size_t)from * machine->nr_nodes + to];
}

const struct machine_link *machine_link(const struct machine *machine, uint32_t from_index,
					uint32_t to_index)
{
	return &machine->links[(size_t)from_index * machine->nr_nodes + to_index];
}

int64_t machine_node_index(const struct machine *machine, uint32_t id)
{
	uint32_t low = 0, high = machine->nr_nodes;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (machine->nodes[middle].id == id)
			return middle;
		if (machine->nodes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/* The machine as a whole: something to compute with, something to remember in. */
static int check_whole(const struct machine *machine, struct printbuf *err)
{
	uint64_t total = 0;
	bool has_cpus = false;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (machine->nodes[i].size_bytes > INT64_MAX - total)
			return error_set(err, -EINVAL,
					 "the nodes together have 2^63 bytes or more; "
					 "write smaller sizes");
		total += machine->nodes[i].size_bytes;
		has_cpus |= !set_is_empty(&machine->nodes[i].cpus);
	}
	if (total == 0)
		return error_set(err, -EINVAL,
				 "no node has memory; write one such as node:dram:64GiB:cpus=0-3");
	if (!has_cpus)
		return error_set(err, -EINVAL,
				 "no node has CPUs; add :cpus=0-3 to the node that has them");
	return 0;
}

static int check_overlap(const struct machine *machine, struct printbuf *err)
{
	struct set seen = SET_EMPTY;
	int error = 0;
	for (uint32_t i = 0; i < machine->nr_nodes && !error; i++) {
		const struct machine_node *node = &machine->nodes[i];
		struct set both = SET_EMPTY;
		error = set_copy(&both, &node->cpus);
		set_and(&both, &seen);
		int64_t cpu = error ? -1 : set_next(&both, 0);
		if (cpu >= 0)
			error = error_set(err, -EINVAL,
					  "CPU %lld belongs to node %u and to another; "
					  "give each CPU to one node",
					  (long long)cpu, node->id);
		set_fini(&both);
		if (!error)
			error = set_or(&seen, &node->cpus);
	}
	set_fini(&seen);
	return error;
}

int machine_finish(struct machine *machine, struct printbuf *err)
{
	int error = check_whole(machine, err);
	if (!error)
		error = check_overlap(machine, err);
	if (error)
		return error;
	figures_fill(machine);
	if (machine->nr_tiers == 0)
		error = tiers_compute(machine);
	if (!error)
		error = tiers_set_demotion_targets(machine);
	return error ? error_set(err, error, "out of memory") : 0;
}

static bool link_is_valid(const struct machine *machine, uint32_t from, uint32_t to)
{
	const struct machine_link *link = machine_link(machine, from, to);
	bool needed = machine_node_has_memory(&machine->nodes[to]) &&
		      (from == to || !set_is_empty(&machine->nodes[from].cpus));
	if (!needed)
		return link->latency_ns == 0 && link->bandwidth_bytes_per_s == 0;
	return link->latency_ns > 0 && link->latency_source != FIGURE_UNKNOWN &&
	       link->bandwidth_bytes_per_s > 0 && link->bandwidth_source != FIGURE_UNKNOWN;
}

static bool node_is_valid(const struct machine *machine, uint32_t index)
{
	const struct machine_node *node = &machine->nodes[index];
	if (index > 0 && machine->nodes[index - 1].id >= node->id)
		return false;
	if (node->kind >= NODE_NR_KINDS || !set_is_valid(&node->cpus))
		return false;
	if (!machine_node_has_memory(node))
		return node->kind == NODE_NONE && node->tier == UINT32_MAX;
	return node->kind != NODE_NONE && node->tier < machine->nr_tiers &&
	       set_has(&machine->tiers[node->tier].nodes, node->id);
}

static bool tiers_are_valid(const struct machine *machine)
{
	uint64_t nr_in_tiers = 0, nr_with_memory = 0;
	for (uint32_t i = 0; i < machine->nr_tiers; i++) {
		if (i > 0 && machine->tiers[i - 1].id >= machine->tiers[i].id)
			return false;
		nr_in_tiers += set_count(&machine->tiers[i].nodes);
	}
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr_with_memory += machine_node_has_memory(&machine->nodes[i]);
	return nr_in_tiers == nr_with_memory;
}

bool machine_is_valid(const struct machine *machine)
{
	if (check_whole(machine, NULL) || check_overlap(machine, NULL))
		return false;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (!node_is_valid(machine, i))
			return false;
		for (uint32_t to = 0; to < machine->nr_nodes; to++)
			if (!link_is_valid(machine, i, to))
				return false;
	}
	return tiers_are_valid(machine);
}

static bool links_are_equal(const struct machine *a, const struct machine *b)
{
	size_t nr = (size_t)a->nr_nodes * a->nr_nodes;
	for (size_t i = 0; i < nr; i++)
		if (a->links[i].latency_ns != b->links[i].latency_ns ||
		    a->links[i].bandwidth_bytes_per_s != b->links[i].bandwidth_bytes_per_s)
			return false;
	return true;
}

bool machine_is_equal(const struct machine *a, const struct machine *b)
{
	if (a->nr_nodes != b->nr_nodes)
		return false;
	for (uint32_t i = 0; i < a->nr_nodes; i++) {
		const struct machine_node *x = &a->nodes[i], *y = &b->nodes[i];
		if (x->id != y->id || x->kind != y->kind || x->size_bytes != y->size_bytes ||
		    !set_is_equal(&x->cpus, &y->cpus))
			return false;
	}
	return links_are_equal(a, b);
}

struct fallback {
	uint32_t index, id, distance;
	uint64_t latency_ns;
	bool is_self;
};

static int compare_fallback(const void *a, const void *b)
{
	const struct fallback *x = a, *y = b;
	if (x->is_self != y->is_self)
		return x->is_self ? -1 : 1;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	if (x->latency_ns != y->latency_ns)
		return x->latency_ns < y->latency_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* A node without CPUs has no latencies to others: theirs to their own CPUs order them instead. */
static struct fallback fallback_of(const struct machine *machine, uint32_t from, uint32_t to)
{
	const struct machine_link *link = machine_link(machine, from, to);
	return (struct fallback){
		.index = to,
		.id = machine->nodes[to].id,
		.distance = link->distance > 0 ? link->distance : UINT32_MAX,
		.latency_ns = link->latency_ns > 0 ? link->latency_ns
						   : machine_link(machine, to, to)->latency_ns,
		.is_self = from == to,
	};
}

int machine_fallback_order(const struct machine *machine, uint32_t from_index,
			   uint32_t **ret_indexes, uint32_t *ret_nr)
{
	struct fallback *order = calloc(machine->nr_nodes, sizeof(*order));
	uint32_t *indexes = calloc(machine->nr_nodes, sizeof(*indexes));
	uint32_t nr = 0;
	if (!order || !indexes) {
		free(order);
		free(indexes);
		return -ENOMEM;
	}
	for (uint32_t to = 0; to < machine->nr_nodes; to++)
		if (machine_node_has_memory(&machine->nodes[to]))
			order[nr++] = fallback_of(machine, from_index, to);
	qsort(order, nr, sizeof(*order), compare_fallback);
	for (uint32_t i = 0; i < nr; i++)
		indexes[i] = order[i].index;
	free(order);
	*ret_indexes = indexes;
	*ret_nr = nr;
	return 0;
}
