/* SPDX-License-Identifier: MIT */
/*
 * A machine for people: a picture of its tiers and nodes, then who sees what at which cost.
 *
 *     memory_tier4   node 0  dram  64.0 GiB  ######                   CPUs 0-15
 *     memory_tier22  node 1  cxl    256 GiB  ########################
 *
 * and for programs: the same as JSON. A figure with a star is berth's rule, not the machine's word.
 */
#include <stdio.h>
#include <string.h>

#include "machine/build.h"

#define BAR_COLUMNS	 24
#define MATRIX_MAX_NODES 16 /* beyond, JSON has the matrix */

struct totals {
	uint64_t bytes, nr_cpus, nr_offline, nr_with_memory, largest;
};

static struct totals totals_of(const struct machine *machine)
{
	struct totals totals = { 0 };
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct machine_node *node = &machine->nodes[i];
		totals.bytes += node->size_bytes;
		totals.nr_cpus += set_count(&node->cpus);
		totals.nr_offline += set_count(&node->offline_cpus);
		totals.nr_with_memory += node->size_bytes > 0;
		totals.largest = MAX(totals.largest, node->size_bytes);
	}
	return totals;
}

static void prt_count(struct printbuf *out, uint64_t nr, const char *what)
{
	prt_u64_grouped(out, nr);
	prt_printf(out, " %s%s", what, nr == 1 ? "" : "s");
}

static void prt_heading(struct printbuf *out, const struct machine *machine,
			const struct totals *totals)
{
	prt_safe(out, machine->name ? machine->name : "machine",
		 strlen(machine->name ? machine->name : "machine"));
	prt_str(out, ": ");
	prt_count(out, machine->nr_nodes, "node");
	prt_str(out, " in ");
	prt_count(out, machine->nr_tiers, "tier");
	prt_str(out, ", ");
	prt_count(out, totals->nr_cpus, "CPU");
	if (totals->nr_offline > 0)
		prt_printf(out, " (and %llu offline)", (unsigned long long)totals->nr_offline);
	prt_str(out, ", ");
	prt_bytes(out, totals->bytes);
	prt_str(out, " of memory in pages of ");
	prt_bytes(out, machine->page_bytes);
	prt_str(out, "\n\n");
}

static void prt_padded_bytes(struct printbuf *out, uint64_t bytes, size_t columns)
{
	char storage[32];
	struct printbuf text;
	printbuf_init_fixed(&text, storage, sizeof(storage), 0);
	prt_bytes(&text, bytes);
	prt_field_right(out, printbuf_str(&text), columns);
}

static void prt_cpus(struct printbuf *out, const struct machine_node *node)
{
	if (set_is_empty(&node->cpus) && set_is_empty(&node->offline_cpus))
		return;
	prt_str(out, "  CPUs ");
	if (set_is_empty(&node->cpus))
		prt_str(out, "none");
	else
		set_to_text(out, &node->cpus);
	if (!set_is_empty(&node->offline_cpus)) {
		prt_str(out, ", offline ");
		set_to_text(out, &node->offline_cpus);
	}
}

static void trim_blanks(struct printbuf *out)
{
	while (out->pos > 0 && out->buf[out->pos - 1] == ' ')
		out->buf[--out->pos] = '\0';
}

static void prt_node_line(struct printbuf *out, const struct machine_node *node, const char *tier,
			  uint64_t largest)
{
	prt_printf(out, "  %-14s node %-4u %-4s ", tier, node->id, node_kind_names[node->kind]);
	prt_padded_bytes(out, node->size_bytes, 9);
	size_t bar = (size_t)((double)node->size_bytes / (double)largest * BAR_COLUMNS + 0.5);
	if (node->size_bytes > 0)
		bar = MAX(bar, 1);
	prt_str(out, "  ");
	prt_chars(out, '#', bar);
	prt_chars(out, ' ', BAR_COLUMNS - bar);
	if (node->free_bytes != UINT64_MAX && node->size_bytes > 0) {
		prt_padded_bytes(out, node->free_bytes, 10);
		prt_str(out, " free");
	}
	prt_cpus(out, node);
	trim_blanks(out);
	prt_char(out, '\n');
}

static void prt_picture(struct printbuf *out, const struct machine *machine,
			const struct totals *totals)
{
	for (uint32_t t = 0; t < machine->nr_tiers; t++) {
		char name[32];
		snprintf(name, sizeof(name), "memory_tier%u%s", machine->tiers[t].id,
			 machine->tiers[t].is_kernels ? "" : "*");
		for (uint32_t i = 0; i < machine->nr_nodes; i++) {
			if (machine->nodes[i].tier != t)
				continue;
			prt_node_line(out, &machine->nodes[i], name, totals->largest);
			name[0] = '\0';
		}
	}
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (machine->nodes[i].size_bytes == 0)
			prt_node_line(out, &machine->nodes[i], "no memory", totals->largest);
	prt_char(out, '\n');
}

static bool is_rule(enum figure_source source)
{
	return source == FIGURE_DEFAULT;
}

static void prt_cell(struct printbuf *out, const struct machine_link *link, bool is_latency)
{
	char cell[32];
	bool star = is_rule(is_latency ? link->latency_source : link->bandwidth_source);
	if (is_latency)
		snprintf(cell, sizeof(cell), "%llu%s", (unsigned long long)link->latency_ns,
			 star ? "*" : " ");
	else
		snprintf(cell, sizeof(cell), "%.4g%s", (double)link->bandwidth_bytes_per_s / 1e9,
			 star ? "*" : " ");
	prt_field_right(out, cell, 9);
}

static void prt_matrix(struct printbuf *out, const struct machine *machine, bool is_latency)
{
	prt_str(out, is_latency ? "  Latency in ns\n" : "  Bandwidth in GB/s\n");
	prt_str(out, "    from \\ to ");
	for (uint32_t to = 0; to < machine->nr_nodes; to++)
		if (machine->nodes[to].size_bytes > 0)
			prt_printf(out, "%8u ", machine->nodes[to].id);
	trim_blanks(out);
	prt_char(out, '\n');
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		if (set_is_empty(&machine->nodes[from].cpus))
			continue;
		prt_printf(out, "    %9u ", machine->nodes[from].id);
		for (uint32_t to = 0; to < machine->nr_nodes; to++)
			if (machine->nodes[to].size_bytes > 0)
				prt_cell(out, machine_link(machine, from, to), is_latency);
		trim_blanks(out);
		prt_char(out, '\n');
	}
}

static bool any_by_rule(const struct machine *machine)
{
	size_t nr = (size_t)machine->nr_nodes * machine->nr_nodes;
	for (uint32_t t = 0; t < machine->nr_tiers; t++)
		if (!machine->tiers[t].is_kernels)
			return true;
	for (size_t i = 0; i < nr; i++)
		if (is_rule(machine->links[i].latency_source) ||
		    is_rule(machine->links[i].bandwidth_source))
			return true;
	return false;
}

static void prt_demotion(struct printbuf *out, const struct machine *machine)
{
	static const char *const states[] = { "off", "on" };
	if (machine->nr_tiers < 2 || !machine->demotion_targets)
		return;
	prt_str(out, "  Demotion ");
	if (machine->demotion_enabled >= 0)
		prt_printf(out, "(now %s) ", states[machine->demotion_enabled]);
	prt_str(out, "goes");
	const char *separator = " ";
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (set_is_empty(&machine->demotion_targets[i]))
			continue;
		prt_printf(out, "%s%u -> ", separator, machine->nodes[i].id);
		set_to_text(out, &machine->demotion_targets[i]);
		separator = ", ";
	}
	prt_char(out, '\n');
}

void machine_to_text(struct printbuf *out, const struct machine *machine)
{
	struct totals totals = totals_of(machine);
	prt_heading(out, machine, &totals);
	prt_picture(out, machine, &totals);
	if (machine->nr_nodes <= MATRIX_MAX_NODES) {
		prt_matrix(out, machine, true);
		prt_matrix(out, machine, false);
	} else {
		prt_printf(out, "  Latencies and bandwidths between %u nodes: --format json\n",
			   machine->nr_nodes);
	}
	prt_demotion(out, machine);
	if (any_by_rule(machine))
		prt_str(out, "  * by berth's rules (docs/machines.md): the machine does not say\n");
}

static const char *source_name(enum figure_source source)
{
	static const char *const names[] = { "unknown", "rule", "hmat", "given", "measured" };
	return names[source];
}

static void set_to_json(struct json_writer *json, const char *key, const struct set *set)
{
	PRINTBUF(list);
	set_to_text(&list, set);
	json_set(json, key, printbuf_str(&list));
}

static void node_to_json(struct json_writer *json, const struct machine *machine, uint32_t index)
{
	const struct machine_node *node = &machine->nodes[index];
	json_object_begin(json, NULL);
	json_u64(json, "id", node->id);
	json_str(json, "kind", node_kind_names[node->kind]);
	json_u64(json, "size_bytes", node->size_bytes);
	if (node->free_bytes != UINT64_MAX)
		json_u64(json, "free_bytes", node->free_bytes);
	else
		json_null(json, "free_bytes");
	set_to_json(json, "cpus", &node->cpus);
	set_to_json(json, "offline_cpus", &node->offline_cpus);
	if (node->tier < machine->nr_tiers)
		json_u64(json, "tier", machine->tiers[node->tier].id);
	else
		json_null(json, "tier");
	if (machine->demotion_targets)
		set_to_json(json, "demotes_to", &machine->demotion_targets[index]);
	json_object_end(json);
}

static void link_to_json(struct json_writer *json, const struct machine *machine, uint32_t from,
			 uint32_t to)
{
	const struct machine_link *link = machine_link(machine, from, to);
	if (link->latency_source == FIGURE_UNKNOWN)
		return;
	json_object_begin(json, NULL);
	json_u64(json, "from", machine->nodes[from].id);
	json_u64(json, "to", machine->nodes[to].id);
	json_u64(json, "latency_ns", link->latency_ns);
	json_str(json, "latency_source", source_name(link->latency_source));
	json_u64(json, "bandwidth_bytes_per_s", link->bandwidth_bytes_per_s);
	json_str(json, "bandwidth_source", source_name(link->bandwidth_source));
	if (link->distance > 0)
		json_u64(json, "distance", link->distance);
	else
		json_null(json, "distance");
	json_object_end(json);
}

static void tiers_to_json(struct json_writer *json, const struct machine *machine)
{
	json_array_begin(json, "tiers");
	for (uint32_t i = 0; i < machine->nr_tiers; i++) {
		json_object_begin(json, NULL);
		json_u64(json, "id", machine->tiers[i].id);
		json_str(json, "source", machine->tiers[i].is_kernels ? "kernel" : "rule");
		set_to_json(json, "nodes", &machine->tiers[i].nodes);
		json_object_end(json);
	}
	json_array_end(json);
}

void machine_members_to_json(struct json_writer *json, const struct machine *machine)
{
	json_str(json, "name", machine->name);
	json_u64(json, "page_bytes", machine->page_bytes);
	if (machine->demotion_enabled >= 0)
		json_bool(json, "demotion_enabled", machine->demotion_enabled == 1);
	else
		json_null(json, "demotion_enabled");
	json_str(json, "partly", machine->partly);
	json_array_begin(json, "nodes");
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		node_to_json(json, machine, i);
	json_array_end(json);
	tiers_to_json(json, machine);
	json_array_begin(json, "links");
	for (uint32_t from = 0; from < machine->nr_nodes; from++)
		for (uint32_t to = 0; to < machine->nr_nodes; to++)
			link_to_json(json, machine, from, to);
	json_array_end(json);
}

void machine_to_json(struct json_writer *json, const char *key, const struct machine *machine)
{
	json_object_begin(json, key);
	machine_members_to_json(json, machine);
	json_object_end(json);
}
