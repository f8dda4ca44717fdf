/* SPDX-License-Identifier: MIT */
/* Numbers and guest-physical ranges: see layout.h. Cost: nodes times CPUs. */
#include <string.h>

#include "base/error.h"
#include "lab/launcher/layout.h"

#define LOW_ALL_BELOW (2816 * MIB) /* less than this lies below the hole entirely */
#define LOW_BYTES     (2 * GIB)
#define HIGH_START    (4 * GIB)
#define SIZE_GRAIN    (2 * MIB)
#define NODE_MIN      (16 * MIB)
#define FIRST_MIN     (128 * MIB)
#define TOTAL_MIN     (256 * MIB)
#define TOTAL_MAX     (960 * GIB) /* above, the guest's 40 address bits and AMD's hole interfere */

static bool has_cpus(const struct machine *machine, uint32_t index)
{
	return !set_is_empty(&machine->nodes[index].cpus);
}

static int check_sizes(const struct machine *machine, struct printbuf *err)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct machine_node *node = &machine->nodes[i];
		if (node->size_bytes % SIZE_GRAIN)
			return error_set(err, -EINVAL,
					 "node %u: %llu bytes of memory; the lab builds multiples "
					 "of 2MiB, round it",
					 node->id, (unsigned long long)node->size_bytes);
		if (node->size_bytes && node->size_bytes < NODE_MIN)
			return error_set(err, -EINVAL,
					 "node %u: Linux leaves out nodes of so little memory; "
					 "give it 16MiB or more",
					 node->id);
		if (node->size_bytes > TOTAL_MAX || total + node->size_bytes > TOTAL_MAX)
			return error_set(err, -EINVAL,
					 "the machine has more memory than the lab's 960GiB; "
					 "scale it down");
		total += node->size_bytes;
	}
	if (total < TOTAL_MIN)
		return error_set(err, -EINVAL,
				 "the machine has %llu MiB of memory; a kernel and its root need "
				 "256MiB or more",
				 (unsigned long long)(total / MIB));
	return 0;
}

static int check_counts(const struct machine *machine, enum lab_time time, struct printbuf *err)
{
	uint32_t nr_cpus = 0;
	if (machine->nr_nodes > LAB_MAX_NODES)
		return error_set(
			err, -EINVAL,
			"the machine has %u nodes; the lab builds up to %d, leave some out",
			machine->nr_nodes, LAB_MAX_NODES);
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		nr_cpus += set_count(&machine->nodes[i].cpus);
		if (!has_cpus(machine, i) && machine->nodes[i].size_bytes == 0)
			return error_set(err, -EINVAL,
					 "node %u has neither memory nor CPUs; Linux would not "
					 "number it, leave it out",
					 machine->nodes[i].id);
	}
	if (nr_cpus == 0)
		return error_set(err, -EINVAL,
				 "no node of the machine has CPUs; add some, such as "
				 "node:dram:512MiB:cpus=0-1");
	if (nr_cpus > LAB_MAX_VCPUS && time != LAB_TIME_ICOUNT)
		return error_set(err, -EINVAL,
				 "the machine has %u CPUs; the lab builds up to %d, leave some out",
				 nr_cpus, LAB_MAX_VCPUS);
	return 0;
}

/* CPUs keep their numbers: they are 0..n-1 and introduce the nodes in order. */
static bool keeps_numbers(const struct machine *machine)
{
	int64_t first = -1;
	uint32_t nr = 0, highest = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct set *cpus = &machine->nodes[i].cpus;
		if (set_is_empty(cpus))
			continue;
		if (set_next(cpus, 0) <= first)
			return false;
		first = set_next(cpus, 0);
		nr += set_count(cpus);
		highest = MAX(highest, (uint32_t)set_last(cpus));
	}
	return highest + 1 == nr;
}

static void number_cpus(struct lab_layout *layout, const struct machine *machine)
{
	bool keep = keeps_numbers(machine);
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct set *cpus = &machine->nodes[i].cpus;
		for (int64_t cpu = set_next(cpus, 0); cpu >= 0;
		     cpu = set_next(cpus, (uint32_t)cpu + 1)) {
			uint32_t vcpu = keep ? (uint32_t)cpu : layout->nr_vcpus;
			layout->node_of_vcpu[vcpu] = i;
			layout->cpu_of_vcpu[vcpu] = (uint32_t)cpu;
			layout->nr_vcpus++;
		}
	}
}

static void number_one_cpu(struct lab_layout *layout, const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (!has_cpus(machine, i))
			continue;
		layout->node_of_vcpu[0] = i;
		layout->cpu_of_vcpu[0] = (uint32_t)set_next(&machine->nodes[i].cpus, 0);
		layout->nr_vcpus = 1;
		return;
	}
}

/* A node is a socket when its CPUs are neighbours and every other node has as many. */
static uint32_t socket_size(const struct lab_layout *layout)
{
	uint32_t size = 0;
	while (size < layout->nr_vcpus && layout->node_of_vcpu[size] == layout->node_of_vcpu[0])
		size++;
	if (size == 0 || layout->nr_vcpus % size)
		return 1;
	for (uint32_t i = 0; i < layout->nr_vcpus; i++) {
		bool is_first = i % size == 0;
		bool is_other = i > 0 && layout->node_of_vcpu[i] != layout->node_of_vcpu[i - 1];
		if (i > 0 && is_first != is_other)
			return 1;
	}
	return size;
}

static void give_number(struct lab_layout *layout, uint32_t index)
{
	layout->guest_node[index] = layout->nr_nodes;
	layout->machine_node[layout->nr_nodes++] = index;
}

static bool has_vcpu(const struct lab_layout *layout, uint32_t index)
{
	for (uint32_t i = 0; i < layout->nr_vcpus; i++)
		if (layout->node_of_vcpu[i] == index)
			return true;
	return false;
}

/* Nodes with memory come only after all with CPUs. Under icount, a node that lost its CPUs and has
 * no memory would not exist: it is put last, and QEMU describes it all the same. */
static void number_nodes(struct lab_layout *layout, const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (has_vcpu(layout, i))
			give_number(layout, i);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (!has_vcpu(layout, i) && machine->nodes[i].size_bytes)
			give_number(layout, i);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (!has_vcpu(layout, i) && !machine->nodes[i].size_bytes)
			give_number(layout, i);
}

static void add_range(struct lab_layout *layout, uint64_t start, uint64_t end, uint32_t node)
{
	if (start < end)
		layout->ranges[layout->nr_ranges++] =
			(struct lab_range){ .start = start, .end = end, .node = node };
}

static void lay_out_memory(struct lab_layout *layout, const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		layout->memory_bytes += machine->nodes[i].size_bytes;
	uint64_t low = layout->memory_bytes < LOW_ALL_BELOW ? layout->memory_bytes : LOW_BYTES;
	uint64_t at = 0;
	for (uint32_t guest = 0; guest < layout->nr_nodes; guest++) {
		uint32_t index = layout->machine_node[guest];
		uint64_t end = at + machine->nodes[index].size_bytes;
		uint64_t high = MAX(at, low);
		add_range(layout, at, MIN(end, low), index);
		if (high < end)
			add_range(layout, HIGH_START + high - low, HIGH_START + end - low, index);
		at = end;
	}
}

/* The kernel's early memory comes from the first node that has any. */
static int check_first(const struct lab_layout *layout, const struct machine *machine,
		       struct printbuf *err)
{
	const struct machine_node *node = &machine->nodes[layout->ranges[0].node];
	if (node->size_bytes >= FIRST_MIN)
		return 0;
	return error_set(
		err, -EINVAL,
		"node %u, the guest's first with memory, holds its kernel and needs 128MiB "
		"or more",
		node->id);
}

int lab_layout_init(const struct machine *machine, enum lab_time time, struct lab_layout *ret,
		    struct printbuf *err)
{
	struct lab_layout layout;
	memset(&layout, 0, sizeof(layout));
	int error = check_counts(machine, time, err);
	if (!error)
		error = check_sizes(machine, err);
	if (error)
		return error;
	if (time == LAB_TIME_ICOUNT)
		number_one_cpu(&layout, machine);
	else
		number_cpus(&layout, machine);
	layout.cpus_per_socket = socket_size(&layout);
	number_nodes(&layout, machine);
	lay_out_memory(&layout, machine);
	error = check_first(&layout, machine, err);
	if (!error)
		*ret = layout;
	return error;
}

void lab_layout_notes(struct printbuf *notes, const struct lab_layout *layout,
		      const struct machine *machine)
{
	uint32_t nr_cpus = 0;
	bool other_cpus = false;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr_cpus += set_count(&machine->nodes[i].cpus);
	if (layout->nr_vcpus < nr_cpus)
		prt_printf(notes, "%u CPUs became 1: icount has one instruction clock\n", nr_cpus);
	for (uint32_t i = 0; i < layout->nr_vcpus; i++)
		other_cpus |= layout->cpu_of_vcpu[i] != i;
	if (other_cpus)
		prt_printf(notes, "CPUs are numbered from 0 in the guest, node by node\n");
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (!has_vcpu(layout, i) && !machine->nodes[i].size_bytes)
			prt_printf(notes,
				   "node %u, without its CPUs, has nothing left and is not there\n",
				   machine->nodes[i].id);
		else if (machine->nodes[i].id != layout->guest_node[i])
			prt_printf(notes, "node %u is node %u in the guest\n", machine->nodes[i].id,
				   layout->guest_node[i]);
}
