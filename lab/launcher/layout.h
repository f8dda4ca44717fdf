/* SPDX-License-Identifier: MIT */
/*
 * What the guest makes of a machine: its node and CPU numbers, and where each node's memory lies
 * in guest-physical space.
 *
 * Nodes. QEMU wants node numbers from 0 without holes, and Linux numbers nodes as it meets them in
 * the SRAT: those with CPUs first (in the order of their first CPUs), then those with memory only.
 * guest_node[] says which number each node of the machine has in the guest; a line whose nodes
 * with CPUs come first keeps its order. Everything else here and in lab/counters.h counts nodes as
 * indexes of machine->nodes.
 *
 * CPUs. 0..n-1 stay as they are when each node's first CPU is above that of the node before;
 * others are numbered anew, node by node. Under icount there is one CPU, the first of the first
 * node that has any.
 *
 *     guest-physical:  0 ........... low   4 GiB ...........
 *                      | node 0 | node 1 |   | node 1 | node 2 |    by guest's node number (q35)
 *
 * Source: QEMU 10 hw/i386/pc_q35.c (of 2816 MiB or more, 2 GiB lie below the hole, else all); Linux
 * 6.12 drivers/acpi/numa/srat.c.
 */
#ifndef BERTH_LAB_LAYOUT_H
#define BERTH_LAB_LAYOUT_H

#include "lab/counters.h"
#include "machine/machine.h"

struct lab_layout {
	uint64_t memory_bytes;
	uint32_t nr_nodes, nr_ranges, nr_vcpus;
	uint32_t guest_node[LAB_MAX_NODES];	 /* [machine's node index] */
	uint32_t machine_node[LAB_MAX_NODES];	 /* [guest's node number]: index */
	struct lab_range ranges[LAB_MAX_RANGES]; /* ascending, without overlap */
	uint32_t node_of_vcpu[LAB_MAX_VCPUS];	 /* machine's node index */
	uint32_t cpu_of_vcpu[LAB_MAX_VCPUS];	 /* the machine's CPU number */
	uint32_t
		cpus_per_socket; /* a socket is a node; 1: CPUs are no neighbours, or not as many */
};

/* -EINVAL: QEMU or the lab cannot build this machine; err says which limit. */
int lab_layout_init(const struct machine *machine, enum lab_time time, struct lab_layout *ret,
		    struct printbuf *err);
/* Sentences, one a line, on what the guest has otherwise than the machine. */
void lab_layout_notes(struct printbuf *notes, const struct lab_layout *layout,
		      const struct machine *machine);

#endif
