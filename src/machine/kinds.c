/* SPDX-License-Identifier: MIT */
/*
 * What kind of memory a node has. The kernel does not say, so this is the first of:
 *
 *   1. hwloc's subtype: HBM, MCDRAM; NVM; CXL...
 *   2. the dax device that brought the memory: below an nvdimm bus pmem, below CXL cxl (overlay.c)
 *   3. the node has CPUs, or had (they are offline): dram
 *   4. the kernel put it into a faster tier than DRAM's: hbm; a slower one: cxl
 *   5. its figures, beside those of DRAM: twice the bandwidth at no more than twice the latency is
 *      hbm, at most 1.25 times the latency dram
 *   6. cxl: memory without CPUs is there because somebody added it
 *
 * All nodes in memory_tier4 proves nothing: users meet kernels that put everything there
 * (facts/tiering.md 1.5).
 */
#include <string.h>

#include "machine/build.h"
#include "machine/discover.h"

static bool kind_of_subtype(const char *subtype, enum node_kind *ret)
{
	static const struct {
		const char *subtype;
		enum node_kind kind;
	} known[] = {
		{ "HBM", NODE_HBM },	  { "MCDRAM", NODE_HBM },  { "NVM", NODE_PMEM },
		{ "CXL-DRAM", NODE_CXL }, { "CXL-NVM", NODE_CXL }, { "CXL", NODE_CXL },
		{ "DRAM", NODE_DRAM },
	};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].subtype, subtype) == 0) {
			*ret = known[i].kind;
			return true;
		}
	}
	return false;
}

/* The first node with CPUs and memory, or -1. */
static int64_t dram_index(const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (machine_node_has_memory(&machine->nodes[i]) &&
		    !set_is_empty(&machine->nodes[i].cpus))
			return i;
	return -1;
}

static enum node_kind kind_of_figures(const struct machine *machine, uint32_t index, uint32_t dram)
{
	const struct machine_link *own = machine_link(machine, index, index);
	const struct machine_link *reference = machine_link(machine, dram, dram);
	if (own->latency_ns == 0 || reference->latency_ns == 0)
		return NODE_CXL;
	if (reference->bandwidth_bytes_per_s > 0 &&
	    own->bandwidth_bytes_per_s / 2 >= reference->bandwidth_bytes_per_s &&
	    own->latency_ns / 2 <= reference->latency_ns)
		return NODE_HBM;
	return own->latency_ns <= reference->latency_ns + reference->latency_ns / 4 ? NODE_DRAM
										    : NODE_CXL;
}

enum node_kind kind_guess(const struct machine *machine, uint32_t index, const char *subtype)
{
	const struct machine_node *node = &machine->nodes[index];
	enum node_kind kind = NODE_CXL;
	if (!machine_node_has_memory(node))
		return NODE_NONE;
	if (kind_of_subtype(subtype, &kind))
		return kind;
	if (!set_is_empty(&node->cpus) || !set_is_empty(&node->offline_cpus))
		return NODE_DRAM;
	int64_t dram = dram_index(machine);
	if (dram < 0)
		return NODE_DRAM;
	uint32_t dram_tier = machine->nodes[dram].tier;
	if (node->tier != UINT32_MAX && dram_tier != UINT32_MAX && node->tier != dram_tier)
		return node->tier < dram_tier ? NODE_HBM : NODE_CXL;
	return kind_of_figures(machine, index, (uint32_t)dram);
}
