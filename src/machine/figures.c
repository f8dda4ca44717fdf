/* SPDX-License-Identifier: MIT */
/*
 * Latency and bandwidth where nobody gave them.
 *
 * Own figures (what the nearest CPUs see of a node), by kind:
 *
 *   dram  80 ns 100 GB/s  a socket's worth of DDR4/DDR5 channels, idle
 *   hbm  120 ns 400 GB/s  one quarter of a Xeon Max's HBM: slower to answer, far wider
 *   cxl  250 ns  30 GB/s  an x8 expander; devices on the market measure 140 to 410 ns (Sun et al.,
 *                         MICRO 2023; SupMario)
 *   pmem 300 ns  38 GB/s  six Optane modules read at random: 305 ns, 39.4 GB/s (Izraelevitz et
 *                         al., 2019)
 *
 * Other nodes' figures: a node with CPUs costs the others 1.7 times its latency and gives 0.6 of
 * its bandwidth; a node without costs all the same (design.md). Where a captured machine tells
 * distances, they refine it: 1.7 belongs to Linux's default remote distance, 20, so
 *
 *   latency = own * (1 + 0.7 * (distance - nearest) / 10)
 *
 * with `nearest` the smallest distance any CPUs have to that node; CPUs that are not the nearest
 * get 0.6 of the bandwidth. Memory whose own CPUs are all offline is remote to everybody.
 *
 * Cost: one pass over the matrix of links.
 */
#include "machine/build.h"

#define REMOTE_LATENCY_TENTHS	17
#define REMOTE_BANDWIDTH_TENTHS 6
#define REMOTE_DISTANCE_MORE	10 /* Linux: 10 is local, 20 remote */

const char *const node_kind_names[] = { "dram", "hbm", "cxl", "pmem", "none", NULL };

struct machine_link figure_of_kind(enum node_kind kind)
{
	static const struct {
		uint64_t latency_ns, bandwidth;
	} usual[NODE_NR_KINDS] = {
		[NODE_DRAM] = { 80, 100000000000 },
		[NODE_HBM] = { 120, 400000000000 },
		[NODE_CXL] = { 250, 30000000000 },
		[NODE_PMEM] = { 300, 38000000000 },
	};
	return (struct machine_link){
		.latency_ns = usual[kind].latency_ns,
		.bandwidth_bytes_per_s = usual[kind].bandwidth,
		.latency_source = FIGURE_DEFAULT,
		.bandwidth_source = FIGURE_DEFAULT,
	};
}

/* The smallest distance from any CPUs to the node; 0 when none is known. */
static uint32_t nearest_distance(const struct machine *machine, uint32_t to)
{
	uint32_t nearest = 0;
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		uint32_t distance = machine_link(machine, from, to)->distance;
		if (set_is_empty(&machine->nodes[from].cpus) || distance == 0)
			continue;
		if (nearest == 0 || distance < nearest)
			nearest = distance;
	}
	return nearest;
}

static uint64_t scaled(uint64_t value, uint64_t times, uint64_t over)
{
	unsigned __int128 product = (unsigned __int128)value * times / over;
	return product > UINT64_MAX ? UINT64_MAX : MAX((uint64_t)product, 1);
}

static struct machine_link by_rule(const struct machine *machine, uint32_t from, uint32_t to,
				   uint32_t nearest)
{
	const struct machine_link *own = machine_link(machine, to, to);
	uint32_t distance = machine_link(machine, from, to)->distance;
	bool owner_has_cpus = !set_is_empty(&machine->nodes[to].cpus);
	struct machine_link link = {
		.latency_ns = own->latency_ns,
		.bandwidth_bytes_per_s = own->bandwidth_bytes_per_s,
		.latency_source = FIGURE_DEFAULT,
		.bandwidth_source = FIGURE_DEFAULT,
		.distance = distance,
	};
	if (owner_has_cpus || (nearest > 0 && distance > nearest))
		link.bandwidth_bytes_per_s = scaled(own->bandwidth_bytes_per_s,
						    REMOTE_BANDWIDTH_TENTHS, 10);
	if (nearest > 0 && distance >= nearest)
		link.latency_ns = scaled(own->latency_ns,
					 REMOTE_DISTANCE_MORE * 10 +
						 (REMOTE_LATENCY_TENTHS - 10) *
							 (uint64_t)(distance - nearest),
					 REMOTE_DISTANCE_MORE * 10);
	else if (owner_has_cpus)
		link.latency_ns = scaled(own->latency_ns, REMOTE_LATENCY_TENTHS, 10);
	link.latency_ns = MIN(link.latency_ns, MACHINE_MAX_LATENCY_NS);
	return link;
}

struct machine_link figure_by_rule(const struct machine *machine, uint32_t from, uint32_t to,
				   bool use_distance)
{
	return by_rule(machine, from, to, use_distance ? nearest_distance(machine, to) : 0);
}

static void fill_link(struct machine_link *link, const struct machine_link *usual)
{
	if (link->latency_source == FIGURE_UNKNOWN) {
		link->latency_ns = usual->latency_ns;
		link->latency_source = usual->latency_source;
	}
	if (link->bandwidth_source == FIGURE_UNKNOWN) {
		link->bandwidth_bytes_per_s = usual->bandwidth_bytes_per_s;
		link->bandwidth_source = usual->bandwidth_source;
	}
}

/* The best that any CPUs see of a node without CPUs is its own figure. */
static void own_from_others(struct machine *machine, uint32_t to)
{
	struct machine_link best = { 0 };
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		const struct machine_link *link = machine_link(machine, from, to);
		if (from == to)
			continue;
		if (link->latency_source > FIGURE_DEFAULT &&
		    (best.latency_ns == 0 || link->latency_ns < best.latency_ns)) {
			best.latency_ns = link->latency_ns;
			best.latency_source = link->latency_source;
		}
		if (link->bandwidth_source > FIGURE_DEFAULT &&
		    link->bandwidth_bytes_per_s > best.bandwidth_bytes_per_s) {
			best.bandwidth_bytes_per_s = link->bandwidth_bytes_per_s;
			best.bandwidth_source = link->bandwidth_source;
		}
	}
	fill_link(machine_link_at(machine, to, to), &best);
}

void figures_own_from_others(struct machine *machine)
{
	for (uint32_t to = 0; to < machine->nr_nodes; to++)
		if (set_is_empty(&machine->nodes[to].cpus))
			own_from_others(machine, to);
}

static struct machine_link usual_own(const struct machine_node *node)
{
	struct machine_link usual = figure_of_kind(node->kind);
	if (!set_is_empty(&node->cpus) || set_is_empty(&node->offline_cpus))
		return usual;
	usual.latency_ns = scaled(usual.latency_ns, REMOTE_LATENCY_TENTHS, 10);
	usual.bandwidth_bytes_per_s = scaled(usual.bandwidth_bytes_per_s, REMOTE_BANDWIDTH_TENTHS,
					     10);
	return usual;
}

void figures_fill(struct machine *machine)
{
	for (uint32_t to = 0; to < machine->nr_nodes; to++) {
		if (!machine_node_has_memory(&machine->nodes[to]))
			continue;
		struct machine_link usual = usual_own(&machine->nodes[to]);
		fill_link(machine_link_at(machine, to, to), &usual);
		uint32_t nearest = nearest_distance(machine, to);
		for (uint32_t from = 0; from < machine->nr_nodes; from++) {
			if (from == to || set_is_empty(&machine->nodes[from].cpus))
				continue;
			struct machine_link rule = by_rule(machine, from, to, nearest);
			fill_link(machine_link_at(machine, from, to), &rule);
		}
	}
}
