/* SPDX-License-Identifier: MIT */
/*
 * Building a machine, for the line parser and for discovery: make room, fill in what is known,
 * then machine_finish() completes it by the rules of design.md.
 *
 *   machine_new(n) -> nodes[] (id, kind, size, cpus) and links[] that are known
 *                  -> machine_finish(): figures that are missing, tiers, demotion targets
 */
#ifndef BERTH_MACHINE_BUILD_H
#define BERTH_MACHINE_BUILD_H

#include "machine/machine.h"

/* More nodes than Linux can have (1,024) by far; keeps the matrix of links below 1 GiB. */
#define MACHINE_MAX_NODES      4096
#define MACHINE_MAX_LATENCY_NS NS_PER_S
#define MACHINE_MAX_BANDWIDTH  ((uint64_t)1000 * 1000 * 1000 * 1000 * 1000) /* 1 PB/s */

/* Nodes all zero, links all unknown. */
int machine_new(uint32_t nr_nodes, struct machine **ret, struct printbuf *err);

/* The link to be changed. On the diagonal of a node without CPUs stands its own figure: what the
 * CPUs nearest to it see. */
struct machine_link *machine_link_at(struct machine *machine, uint32_t from, uint32_t to);

/* Fills what is unknown: figures, tiers (unless there are some already), demotion targets. Sorts
 * nothing: ids must ascend. Fails with a sentence when the machine makes no sense. */
int machine_finish(struct machine *machine, struct printbuf *err);

/* figures.c */
struct machine_link figure_of_kind(enum node_kind kind);
/* What design.md's rule says the CPUs of `from` see of `to`, from the own figures of `to`; with
 * `use_distance` the nodes' distances scale it. */
struct machine_link figure_by_rule(const struct machine *machine, uint32_t from, uint32_t to,
				   bool use_distance);
void figures_fill(struct machine *machine);
/* Gives nodes without CPUs the best figures that any CPUs have of them, where those are known. */
void figures_own_from_others(struct machine *machine);

/* tiers.c */
int tiers_compute(struct machine *machine);
int tiers_set_demotion_targets(struct machine *machine);
/* Adds a tier; the caller keeps them fastest first. */
int tiers_add(struct machine *machine, uint32_t id, bool is_kernels, const struct set *nodes);
/* Puts each node's tier index in place; the slower tier wins a node named twice. */
void tiers_number_nodes(struct machine *machine);

static inline bool machine_node_has_memory(const struct machine_node *node)
{
	return node->size_bytes > 0;
}

#endif
