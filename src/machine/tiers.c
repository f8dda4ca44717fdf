/* SPDX-License-Identifier: MIT */
/*
 * Memory tiers and demotion targets by the kernel's rule, where the kernel itself does not say
 * (a machine line, an old kernel's captured root).
 *
 * Follows Linux 6.12 mm/memory-tiers.c. Every node has an abstract distance:
 *
 *   adistance = 576 * latency / latency of DRAM * bandwidth of DRAM / bandwidth
 *
 * where firmware (or the line) tells the node's figures; DRAM stands for the first DRAM node with
 * CPUs. When two such nodes differ by more than 10 % in a figure, the kernel gives the rule up.
 * Without figures DRAM is 576 and what a dax driver brought online is 2,880. Nodes whose adistance
 * falls into the same chunk of 128 form memory_tier(adistance / 128): DRAM is tier 4, slow memory
 * without figures tier 22.
 *
 * The kernel adds up read and write figures; a machine here has read figures only, so where they
 * differ the number of a computed tier may too. HBM without figures uses its kind's usual ones,
 * which makes it faster than DRAM: what its owner bought it for.
 *
 * Demotion goes to the nodes of the next slower tier at the smallest distance (all of them when
 * several are equally near).
 *
 * Cost: nodes squared for the targets.
 */
#include <limits.h>
#include <stdlib.h>

#include "machine/build.h"

#define ADISTANCE_DRAM	576 /* 4.5 chunks */
#define ADISTANCE_SLOW	(5 * ADISTANCE_DRAM)
#define ADISTANCE_CHUNK 128

static uint32_t adistance_of_kind(enum node_kind kind)
{
	return kind == NODE_CXL || kind == NODE_PMEM ? ADISTANCE_SLOW : ADISTANCE_DRAM;
}

static bool is_default_dram(const struct machine *machine, uint32_t index, enum node_kind kind)
{
	const struct machine_node *node = &machine->nodes[index];
	return machine_node_has_memory(node) && !set_is_empty(&node->cpus) && node->kind == kind;
}

static bool differs(uint64_t a, uint64_t reference)
{
	uint64_t difference = a > reference ? a - reference : reference - a;
	return (unsigned __int128)difference * 10 > reference;
}

/* The index of the reference node, -1 when there is none or the rule is given up. */
static int64_t reference_node(const struct machine *machine, enum node_kind kind)
{
	int64_t reference = -1;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (!is_default_dram(machine, i, kind))
			continue;
		if (reference < 0) {
			reference = i;
			continue;
		}
		const struct machine_link *a = machine_link(machine, i, i);
		const struct machine_link *b = machine_link(machine, (uint32_t)reference,
							    (uint32_t)reference);
		if (differs(a->latency_ns, b->latency_ns) ||
		    differs(a->bandwidth_bytes_per_s, b->bandwidth_bytes_per_s))
			return -1;
	}
	return reference;
}

static uint32_t adistance_of(const struct machine *machine, uint32_t index, int64_t reference)
{
	const struct machine_link *own = machine_link(machine, index, index);
	enum node_kind kind = machine->nodes[index].kind;
	bool has_figures = own->latency_source > FIGURE_DEFAULT ||
			   own->bandwidth_source > FIGURE_DEFAULT || kind == NODE_HBM;
	if (reference < 0 || !has_figures)
		return adistance_of_kind(kind);
	const struct machine_link *dram = machine_link(machine, (uint32_t)reference,
						       (uint32_t)reference);
	unsigned __int128 distance = (unsigned __int128)ADISTANCE_DRAM * own->latency_ns /
				     dram->latency_ns * dram->bandwidth_bytes_per_s /
				     own->bandwidth_bytes_per_s;
	return distance > INT_MAX ? INT_MAX : (uint32_t)distance;
}

int tiers_add(struct machine *machine, uint32_t id, bool is_kernels, const struct set *nodes)
{
	size_t size = (machine->nr_tiers + 1) * sizeof(*machine->tiers);
	struct machine_tier *tiers = realloc(machine->tiers, size);
	if (!tiers)
		return -ENOMEM;
	machine->tiers = tiers;
	struct machine_tier *tier = &tiers[machine->nr_tiers];
	*tier = (struct machine_tier){ .id = id, .is_kernels = is_kernels };
	machine->nr_tiers++;
	return set_copy(&tier->nodes, nodes);
}

void tiers_number_nodes(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		machine->nodes[i].tier = UINT32_MAX;
	for (uint32_t t = 0; t < machine->nr_tiers; t++) {
		const struct set *nodes = &machine->tiers[t].nodes;
		for (int64_t id = set_next(nodes, 0); id >= 0;
		     id = set_next(nodes, (uint32_t)id + 1)) {
			int64_t index = machine_node_index(machine, (uint32_t)id);
			if (index >= 0)
				machine->nodes[index].tier = t;
		}
	}
}

struct ranked {
	uint32_t tier_id, index;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->tier_id != y->tier_id)
		return x->tier_id < y->tier_id ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* One tier for each run of equal ids. */
static int add_runs(struct machine *machine, const struct ranked *ranked, uint32_t nr)
{
	int error = 0;
	for (uint32_t i = 0; i < nr && !error; i++) {
		if (i == 0 || ranked[i].tier_id != ranked[i - 1].tier_id)
			error = tiers_add(machine, ranked[i].tier_id, false, &SET_EMPTY);
		if (!error)
			error = set_add(&machine->tiers[machine->nr_tiers - 1].nodes,
					machine->nodes[ranked[i].index].id);
	}
	return error;
}

int tiers_compute(struct machine *machine)
{
	struct ranked *ranked = calloc(machine->nr_nodes, sizeof(*ranked));
	uint32_t nr = 0;
	if (!ranked)
		return -ENOMEM;
	bool has_dram = false;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		has_dram |= is_default_dram(machine, i, NODE_DRAM);
	int64_t reference = reference_node(machine, has_dram ? NODE_DRAM : NODE_HBM);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (machine_node_has_memory(&machine->nodes[i]))
			ranked[nr++] = (struct ranked){
				.tier_id = adistance_of(machine, i, reference) / ADISTANCE_CHUNK,
				.index = i,
			};
	qsort(ranked, nr, sizeof(*ranked), compare_ranked);
	int error = add_runs(machine, ranked, nr);
	free(ranked);
	if (!error)
		tiers_number_nodes(machine);
	return error;
}

/* How far memory of `to` is from memory of `from`: distance where known, else latency. */
static uint64_t nearness(const struct machine *machine, uint32_t from, uint32_t to)
{
	const struct machine_link *link = machine_link(machine, from, to);
	if (link->distance > 0)
		return link->distance;
	if (link->latency_ns > 0)
		return link->latency_ns;
	return machine_link(machine, to, to)->latency_ns;
}

static int nearest_of_tier(const struct machine *machine, uint32_t from, uint32_t tier,
			   struct set *targets)
{
	uint64_t best = UINT64_MAX;
	int error = 0;
	for (uint32_t to = 0; to < machine->nr_nodes && !error; to++) {
		if (machine->nodes[to].tier != tier)
			continue;
		uint64_t distance = nearness(machine, from, to);
		if (distance < best) {
			set_fini(targets);
			*targets = SET_EMPTY;
			best = distance;
		}
		if (distance == best)
			error = set_add(targets, machine->nodes[to].id);
	}
	return error;
}

int tiers_set_demotion_targets(struct machine *machine)
{
	machine->demotion_targets = calloc(machine->nr_nodes, sizeof(*machine->demotion_targets));
	if (!machine->demotion_targets)
		return -ENOMEM;
	int error = 0;
	for (uint32_t i = 0; i < machine->nr_nodes && !error; i++) {
		uint32_t tier = machine->nodes[i].tier;
		if (tier < machine->nr_tiers)
			error = nearest_of_tier(machine, i, tier + 1,
						&machine->demotion_targets[i]);
	}
	return error;
}
