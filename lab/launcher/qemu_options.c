/* SPDX-License-Identifier: MIT */
/* A machine in QEMU's words: see qemu_options.h. Cost: nodes squared. */
#include "lab/launcher/qemu_options.h"

#define HMAT_MAX     65534 /* bases in a figure; 65535 means unknown */
#define DISTANCE_MIN 11	   /* Linux refuses a whole table for one remote distance of 10 */
#define DISTANCE_MAX 254
#define DISTANCE_FAR 20 /* between nodes of which nothing is known */
#define MB_PER_S     1000000

/* What the CPUs of one node see of another's memory; NULL: there are no such CPUs or no memory. */
static const struct machine_link *seen(const struct machine *machine,
				       const struct lab_layout *layout, uint32_t from, uint32_t to)
{
	if (machine->nodes[to].size_bytes == 0)
		return NULL;
	for (uint32_t i = 0; i < layout->nr_vcpus; i++)
		if (layout->node_of_vcpu[i] == from)
			return machine_link(machine, from, to);
	return NULL;
}

/* How coarse the figures must be so that all fit: the same for all. */
struct bases {
	uint64_t latency_ns, megabytes_per_s;
};

static uint64_t megabytes(const struct machine_link *link)
{
	return (link->bandwidth_bytes_per_s + MB_PER_S / 2) / MB_PER_S;
}

static struct bases find_bases(const struct machine *machine, const struct lab_layout *layout)
{
	struct bases bases = { 1, 1 };
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		for (uint32_t to = 0; to < machine->nr_nodes; to++) {
			const struct machine_link *link = seen(machine, layout, from, to);
			if (!link)
				continue;
			while (link->latency_ns / bases.latency_ns >= HMAT_MAX)
				bases.latency_ns *= 10;
			while (megabytes(link) / bases.megabytes_per_s >= HMAT_MAX)
				bases.megabytes_per_s *= 2;
		}
	}
	return bases;
}

static uint64_t rounded(uint64_t value, uint64_t base)
{
	return MAX((value + base / 2) / base, 1) * base;
}

bool lab_qemu_figures(const struct machine *machine, const struct lab_layout *layout,
		      uint32_t from_index, uint32_t to_index, uint64_t *ret_latency_ns,
		      uint64_t *ret_megabytes_per_s)
{
	const struct machine_link *link = seen(machine, layout, from_index, to_index);
	struct bases bases = find_bases(machine, layout);
	if (!link)
		return false;
	*ret_latency_ns = rounded(link->latency_ns, bases.latency_ns);
	*ret_megabytes_per_s = rounded(megabytes(link), bases.megabytes_per_s);
	return true;
}

/* The node with CPUs that is nearest; a node with CPUs is its own. */
static uint32_t initiator_of(const struct machine *machine, const struct lab_layout *layout,
			     uint32_t to)
{
	uint32_t best = layout->node_of_vcpu[0];
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		const struct machine_link *link = seen(machine, layout, from, to);
		const struct machine_link *known = seen(machine, layout, best, to);
		if (link && (!known || link->latency_ns < known->latency_ns))
			best = from;
	}
	return best;
}

static uint64_t fastest_latency(const struct machine *machine, const struct lab_layout *layout)
{
	uint64_t fastest = UINT64_MAX;
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		for (uint32_t to = 0; to < machine->nr_nodes; to++) {
			const struct machine_link *link = seen(machine, layout, from, to);
			if (link)
				fastest = MIN(fastest, link->latency_ns);
		}
	}
	return fastest;
}

/* By the CPUs of one of the two; without any, the slower of what others see of each. 0: unknown. */
static uint64_t latency_between(const struct machine *machine, const struct lab_layout *layout,
				uint32_t a, uint32_t b)
{
	const struct machine_link *link = seen(machine, layout, a, b);
	if (!link)
		link = seen(machine, layout, b, a);
	if (link)
		return link->latency_ns;
	const struct machine_link *one = seen(machine, layout, initiator_of(machine, layout, a), a);
	const struct machine_link *two = seen(machine, layout, initiator_of(machine, layout, b), b);
	return one && two ? MAX(one->latency_ns, two->latency_ns) : 0;
}

static uint32_t distance_between(const struct machine *machine, const struct lab_layout *layout,
				 uint32_t from, uint32_t to)
{
	uint32_t known = machine_link(machine, from, to)->distance;
	if (known == 0) {
		uint64_t latency = latency_between(machine, layout, from, to);
		uint64_t fastest = fastest_latency(machine, layout);
		known = latency ? (uint32_t)MIN(10 * latency / fastest, DISTANCE_MAX)
				: DISTANCE_FAR;
	}
	return MIN(MAX(known, DISTANCE_MIN), DISTANCE_MAX);
}

static void add_node(struct lab_words *words, const struct machine *machine,
		     const struct lab_layout *layout, uint32_t guest)
{
	uint32_t index = layout->machine_node[guest];
	uint64_t size = machine->nodes[index].size_bytes;
	bool has_cpus = false;
	PRINTBUF(text);
	prt_printf(&text, "node,nodeid=%u", guest);
	if (size) {
		lab_words_option(words, "-object", "memory-backend-ram,id=ram%u,size=%lluM", guest,
				 (unsigned long long)(size / MIB));
		prt_printf(&text, ",memdev=ram%u", guest);
	}
	for (uint32_t i = 0; i < layout->nr_vcpus; i++) {
		if (layout->node_of_vcpu[i] != index)
			continue;
		prt_printf(&text, ",cpus=%u", i);
		has_cpus = true;
	}
	if (!has_cpus)
		prt_printf(&text, ",initiator=%u",
			   layout->guest_node[initiator_of(machine, layout, index)]);
	lab_words_option(words, "-numa", "%s", printbuf_str(&text));
}

static void add_distances(struct lab_words *words, const struct machine *machine,
			  const struct lab_layout *layout)
{
	for (uint32_t src = 0; src < layout->nr_nodes; src++)
		for (uint32_t dst = 0; dst < layout->nr_nodes; dst++)
			if (src != dst)
				lab_words_option(
					words, "-numa", "dist,src=%u,dst=%u,val=%u", src, dst,
					distance_between(machine, layout, layout->machine_node[src],
							 layout->machine_node[dst]));
}

static void add_figures(struct lab_words *words, const struct machine *machine,
			const struct lab_layout *layout, uint32_t src, uint32_t dst)
{
	uint64_t latency_ns = 0, megabytes_per_s = 0;
	if (!lab_qemu_figures(machine, layout, layout->machine_node[src], layout->machine_node[dst],
			      &latency_ns, &megabytes_per_s))
		return;
	lab_words_option(words, "-numa",
			 "hmat-lb,initiator=%u,target=%u,hierarchy=memory,"
			 "data-type=access-latency,latency=%llu",
			 src, dst, (unsigned long long)latency_ns);
	lab_words_option(words, "-numa",
			 "hmat-lb,initiator=%u,target=%u,hierarchy=memory,"
			 "data-type=access-bandwidth,bandwidth=%lluM",
			 src, dst, (unsigned long long)megabytes_per_s);
}

void lab_qemu_machine(struct lab_words *words, const struct machine *machine,
		      const struct lab_layout *layout)
{
	uint32_t cores = layout->cpus_per_socket;
	lab_words_option(words, "-machine", "q35,hmat=on");
	lab_words_option(words, "-smp", "%u,sockets=%u,cores=%u,threads=1", layout->nr_vcpus,
			 layout->nr_vcpus / cores, cores);
	lab_words_option(words, "-m", "%lluM", (unsigned long long)(layout->memory_bytes / MIB));
	for (uint32_t guest = 0; guest < layout->nr_nodes; guest++)
		add_node(words, machine, layout, guest);
	add_distances(words, machine, layout);
	for (uint32_t src = 0; src < layout->nr_nodes; src++)
		for (uint32_t dst = 0; dst < layout->nr_nodes; dst++)
			add_figures(words, machine, layout, src, dst);
}

void lab_qemu_notes(struct printbuf *notes, const struct machine *machine,
		    const struct lab_layout *layout)
{
	struct bases bases = find_bases(machine, layout);
	bool other_latency = false, other_bandwidth = false;
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		for (uint32_t to = 0; to < machine->nr_nodes; to++) {
			const struct machine_link *link = seen(machine, layout, from, to);
			uint64_t latency_ns = 0, mb = 0;
			if (!lab_qemu_figures(machine, layout, from, to, &latency_ns, &mb))
				continue;
			other_latency |= latency_ns != link->latency_ns;
			other_bandwidth |= mb * MB_PER_S != link->bandwidth_bytes_per_s;
		}
	}
	if (other_latency)
		prt_printf(notes,
			   "firmware tells the guest's kernel latencies in steps of %llu ns\n",
			   (unsigned long long)bases.latency_ns);
	if (other_bandwidth)
		prt_printf(notes,
			   "firmware tells the guest's kernel bandwidths in steps of %llu MB/s\n",
			   (unsigned long long)bases.megabytes_per_s);
}
