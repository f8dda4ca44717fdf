/* SPDX-License-Identifier: MIT */
/*
 * The doctor's look at the machine: its nodes and figures, and which tier the kernel has put each
 * node into, and why.
 *
 * The why follows mm/memory-tiers.c (6.12), as machine/tiers.c does: DRAM has the abstract distance
 * 576, a tier is 128 wide, so DRAM is memory_tier4; firmware's figures (HMAT) scale it; what a dax
 * driver brings online without figures is 5 times as far: memory_tier22.
 */
#include <string.h>

#include "linux/doctor.h"

#define TIER_DRAM	 4
#define TIER_DAX_DEFAULT 22
#define SINCE_TIERS	 6001

static uint32_t nr_with_memory(const struct machine *machine)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr += machine->nodes[i].size_bytes > 0;
	return nr;
}

/* Nodes whose latency is only a usual value of their kind. */
static void find_guessed(const struct machine *machine, struct set *ret)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct machine_link *own = machine_link(machine, i, i);
		if (machine->nodes[i].size_bytes > 0 && own->latency_source <= FIGURE_DEFAULT)
			set_add(ret, machine->nodes[i].id);
	}
}

void doctor_check_machine(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_PREDICT, "machine", true);
	const struct machine *machine = doctor->machine;
	if (!machine) {
		doctor_summary(finding, "not known");
		doctor_note(doctor, finding, DOCTOR_MISSING, "berth machine tells why",
			    "no machine can be made of what is there");
		return;
	}
	struct set guessed = SET_EMPTY;
	uint32_t nr_cpus = 0, nr = nr_with_memory(machine);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr_cpus += set_count(&machine->nodes[i].cpus);
	doctor_summary(finding, "%u CPU%s, %u node%s with memory, %u tier%s", nr_cpus,
		       nr_cpus == 1 ? "" : "s", nr, nr == 1 ? "" : "s", machine->nr_tiers,
		       machine->nr_tiers == 1 ? "" : "s");
	find_guessed(machine, &guessed);
	if (!set_is_empty(&guessed)) {
		PRINTBUF(nodes);
		set_to_text(&nodes, &guessed);
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "berth machine --measure; its line goes into -M",
			    "firmware does not tell how fast node%s %s %s: usual values are used",
			    set_count(&guessed) == 1 ? "" : "s", printbuf_str(&nodes),
			    set_count(&guessed) == 1 ? "is" : "are");
	}
	set_fini(&guessed);
	if (machine->partly)
		doctor_note(doctor, finding, DOCTOR_LIMITED, NULL, "read in part: %s",
			    machine->partly);
}

static void prt_figures(struct printbuf *out, const struct machine_link *own)
{
	prt_ns(out, own->latency_ns);
	prt_str(out, " and ");
	prt_rate(out, own->bandwidth_bytes_per_s);
}

/* Why this node is in this tier. */
static void prt_why(struct printbuf *out, const struct machine *machine, uint32_t index)
{
	const struct machine_node *node = &machine->nodes[index];
	const struct machine_link *own = machine_link(machine, index, index);
	uint32_t tier = machine->tiers[node->tier].id;
	bool has_cpus = !set_is_empty(&node->cpus);
	if (own->latency_source == FIGURE_HMAT || own->bandwidth_source == FIGURE_HMAT) {
		prt_str(out, has_cpus && tier == TIER_DRAM ? "it has CPUs, firmware tells "
							   : "firmware (HMAT) tells ");
		prt_figures(out, own);
	} else if (tier == TIER_DRAM && has_cpus) {
		prt_str(out, "it has CPUs and is taken for DRAM");
	} else if (tier == TIER_DRAM) {
		prt_str(out, "it has no CPUs, but firmware tells no figures (HMAT), and so it is "
			     "taken for DRAM");
	} else if (tier == TIER_DAX_DEFAULT) {
		prt_str(out, "a dax driver brought it online, without figures of firmware: five "
			     "times as far as DRAM");
	} else {
		prt_str(out, "its driver told the kernel figures that are not shown");
	}
}

static void note_nodes(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct machine *machine = doctor->machine;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct machine_node *node = &machine->nodes[i];
		if (node->tier >= machine->nr_tiers)
			continue;
		PRINTBUF(why);
		prt_why(&why, machine, i);
		doctor_note(doctor, finding, DOCTOR_OK, NULL, "node %u in memory_tier%u: %s",
			    node->id, machine->tiers[node->tier].id, printbuf_str(&why));
	}
}

static bool has_node_without_cpus(const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (machine->nodes[i].size_bytes > 0 && set_is_empty(&machine->nodes[i].cpus))
			return true;
	return false;
}

static void note_one_tier(struct doctor *doctor, struct doctor_finding *finding)
{
	if (has_node_without_cpus(doctor->machine))
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "firmware with HMAT or CDAT figures; user space cannot put a node "
			    "into another tier. For berth: measure it (berth machine --measure)",
			    "all nodes are in one tier: the kernel neither promotes nor demotes "
			    "between them");
	else
		doctor_note(doctor, finding, DOCTOR_OFF, NULL,
			    "every node with memory has CPUs and is as fast: no tiers to move "
			    "memory between");
}

static void check_demotion(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "demotion", false);
	int enabled = doctor->machine->demotion_enabled;
	if (enabled < 0) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	doctor_summary(finding, "%s by the kernel, when a fast node runs out of memory",
		       enabled ? "on:" : "off: none");
	if (!enabled && doctor->machine->nr_tiers > 1)
		doctor_note(doctor, finding, DOCTOR_OFF,
			    "echo true >/sys/kernel/mm/numa/demotion_enabled",
			    "a fast node that fills up swaps or kills instead of demoting; what "
			    "berth demotes itself does not need it");
}

void doctor_check_tiers(struct doctor *doctor)
{
	const struct machine *machine = doctor->machine;
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "tiers", false);
	if (!machine) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	if (nr_with_memory(machine) < 2) {
		doctor_summary(finding, "one node with memory");
		doctor_note(doctor, finding, DOCTOR_OFF, NULL,
			    "there is nowhere to move memory to");
		return;
	}
	for (uint32_t t = 0; t < machine->nr_tiers; t++) {
		doctor_summary(finding, "%smemory_tier%u: ", t ? "; " : "", machine->tiers[t].id);
		set_to_text(&finding->summary, &machine->tiers[t].nodes);
	}
	if (!machine->tiers[0].is_kernels)
		doctor_note(doctor, finding, DOCTOR_UNKNOWN,
			    doctor->version && doctor->version < SINCE_TIERS ? "a newer kernel"
									     : NULL,
			    "the kernel does not show its tiers; these follow its rule");
	note_nodes(doctor, finding);
	if (machine->nr_tiers == 1)
		note_one_tier(doctor, finding);
	check_demotion(doctor);
}
