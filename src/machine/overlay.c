/* SPDX-License-Identifier: MIT */
/*
 * What hwloc does not read, from the same root:
 *
 *   sys/devices/system/node/nodeN/cpulist            whose CPUs are whose
 *                                /cpuM               offline CPUs of a node (they stay listed)
 *                                /meminfo            MemFree
 *                                /vmstat             nr_free_pages: MemFree / this = the page size
 *                                /distance           SLIT, one figure per online node
 *                                /access{0,1}/initiators/nodeM, read_latency (ns),
 *                                                    read_bandwidth (MiB/s): HMAT
 *   sys/devices/system/cpu/offline
 *   sys/devices/virtual/memory_tiering/memory_tierN/nodelist
 *   sys/bus/dax/devices/daxA.B, its target_node      what brought a node without CPUs
 *   sys/kernel/mm/numa/demotion_enabled
 *
 * access1 is the best initiator that has CPUs, access0 the best of any kind; sysfs tells no other
 * initiator's figures (numaperf.rst), so the rest follows the rules of figures.c. A file that is
 * not there is nothing: kernels differ. A file that is there and makes no sense is said.
 *
 * Cost: some ten files per node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "machine/build.h"
#include "machine/discover.h"

#define NODES	 "sys/devices/system/node"
#define TIERS	 "sys/devices/virtual/memory_tiering"
#define DAX	 "sys/bus/dax/devices"
#define MAX_SAID 8
#define MAX_PATH 256
#define MAX_PAGE (64 * KIB)

void overlay_partly(struct overlay *overlay, const char *path, const char *reason)
{
	overlay->nr_partly++;
	if (overlay->nr_partly > MAX_SAID)
		return;
	if (overlay->nr_partly > 1)
		prt_str(&overlay->partly, "; ");
	prt_printf(&overlay->partly, "%s: %s", path, reason);
}

void overlay_fini(struct overlay *overlay)
{
	set_fini(&overlay->pmem_nodes);
	set_fini(&overlay->cxl_nodes);
	printbuf_fini(&overlay->partly);
}

static void node_path(char path[MAX_PATH], uint32_t id, const char *file)
{
	snprintf(path, MAX_PATH, NODES "/node%u/%s", id, file);
}

int overlay_cpus(struct overlay *overlay, struct probe *probe)
{
	char path[MAX_PATH];
	for (size_t i = 0; i < probe->nr_nodes; i++) {
		struct probe_node *node = &probe->nodes[i];
		struct set cpus = SET_EMPTY;
		node_path(path, node->id, "cpulist");
		int error = root_read_set(overlay->root, path, &cpus);
		if (error == -ENOMEM)
			return error;
		if (error) {
			if (error != -ENOENT)
				overlay_partly(overlay, path, "not a list of CPUs");
			continue;
		}
		set_fini(&node->cpus);
		node->cpus = cpus;
	}
	return probe_share_cpus(probe);
}

/* The number after `word` in a text of "word  number" lines; false when there is none. */
static bool find_number(const char *text, const char *word, uint64_t *ret)
{
	const char *at = strstr(text, word);
	if (!at)
		return false;
	at += strlen(word);
	at += strspn(at, " \t");
	char *end = NULL;
	errno = 0;
	uint64_t value = strtoull(at, &end, 10);
	if (errno || end == at || *at == '-')
		return false;
	*ret = value;
	return true;
}

static void read_memory(struct overlay *overlay, struct machine_node *node)
{
	char path[MAX_PATH], *text = NULL;
	uint64_t total = 0, free_kib = 0;
	node_path(path, node->id, "meminfo");
	if (root_read(overlay->root, path, &text))
		return;
	if (!find_number(text, "MemTotal:", &total))
		overlay_partly(overlay, path, "has no MemTotal");
	if (find_number(text, "MemFree:", &free_kib) && free_kib <= node->size_bytes / KIB)
		node->free_bytes = free_kib * KIB;
	free(text);
}

/* The nearest power of two to MemFree over the count of free pages: both move while being read,
 * but not by a factor. */
static void read_page_size(struct overlay *overlay, const struct machine_node *node)
{
	char path[MAX_PATH], *text = NULL;
	uint64_t nr_free = 0;
	node_path(path, node->id, "vmstat");
	if (node->free_bytes == UINT64_MAX || root_read(overlay->root, path, &text))
		return;
	if (find_number(text, "nr_free_pages", &nr_free) && nr_free > 0) {
		uint64_t ratio = node->free_bytes / nr_free, page = 4 * KIB;
		while (page < MAX_PAGE && page + page / 2 < ratio)
			page *= 2;
		overlay->machine->page_bytes = (uint32_t)page;
	}
	free(text);
}

static int read_offline_cpus(struct overlay *overlay, const struct set *offline,
			     struct machine_node *node)
{
	char path[MAX_PATH];
	struct root_names names = { 0 };
	int error = 0;
	node_path(path, node->id, "");
	if (root_list(overlay->root, path, &names))
		return 0;
	for (size_t i = 0; i < names.nr && !error; i++) {
		int64_t cpu = root_name_number(names.items[i], "cpu");
		if (cpu >= 0 && set_has(offline, (uint32_t)cpu) &&
		    !set_has(&node->cpus, (uint32_t)cpu))
			error = set_add(&node->offline_cpus, (uint32_t)cpu);
	}
	root_names_fini(&names);
	return error;
}

/* One row: a figure for each online node, in the order of ids. */
static void read_distances(struct overlay *overlay, const struct root_names *online, uint32_t from)
{
	char path[MAX_PATH], *text = NULL;
	struct machine *machine = overlay->machine;
	node_path(path, machine->nodes[from].id, "distance");
	if (root_read(overlay->root, path, &text))
		return;
	char *rest = text;
	size_t nr = 0, nr_nodes = 0;
	for (size_t i = 0; i < online->nr; i++) {
		int64_t id = root_name_number(online->items[i], "node");
		if (id < 0)
			continue;
		nr_nodes++;
		const char *word = strsep(&rest, " ");
		uint64_t distance = 0;
		if (!word || parse_u64(word, &distance) || distance == 0 || distance > UINT32_MAX)
			continue;
		nr++;
		int64_t to = machine_node_index(machine, (uint32_t)id);
		if (to >= 0)
			machine_link_at(machine, from, (uint32_t)to)->distance = (uint32_t)distance;
	}
	if (nr != nr_nodes || (rest && *rest))
		overlay_partly(overlay, path, "does not have one distance for each node");
	free(text);
}

static void set_hmat(struct machine *machine, uint32_t from, uint32_t to, uint64_t latency_ns,
		     uint64_t mib_per_s)
{
	struct machine_link *link = machine_link_at(machine, from, to);
	if (latency_ns > 0 && latency_ns <= MACHINE_MAX_LATENCY_NS) {
		link->latency_ns = latency_ns;
		link->latency_source = FIGURE_HMAT;
	}
	if (mib_per_s > 0 && mib_per_s <= MACHINE_MAX_BANDWIDTH / MIB) {
		link->bandwidth_bytes_per_s = mib_per_s * MIB;
		link->bandwidth_source = FIGURE_HMAT;
	}
}

/* A figure of HMAT: 0 when the firmware does not tell it. */
static uint64_t read_figure(struct overlay *overlay, uint32_t id, unsigned access, const char *what)
{
	char path[MAX_PATH], file[64];
	uint64_t value = 0;
	snprintf(file, sizeof(file), "access%u/initiators/%s", access, what);
	node_path(path, id, file);
	int error = root_read_u64(overlay->root, path, &value);
	if (error && error != -ENOENT)
		overlay_partly(overlay, path, "not a number");
	return error ? 0 : value;
}

static void read_hmat(struct overlay *overlay, uint32_t to, unsigned access)
{
	char path[MAX_PATH], file[64];
	struct machine *machine = overlay->machine;
	struct root_names names = { 0 };
	uint32_t id = machine->nodes[to].id;
	snprintf(file, sizeof(file), "access%u/initiators", access);
	node_path(path, id, file);
	if (root_list(overlay->root, path, &names))
		return;
	uint64_t latency_ns = read_figure(overlay, id, access, "read_latency");
	uint64_t mib_per_s = read_figure(overlay, id, access, "read_bandwidth");
	for (size_t i = 0; i < names.nr; i++) {
		int64_t from_id = root_name_number(names.items[i], "node");
		int64_t from = from_id < 0 ? -1 : machine_node_index(machine, (uint32_t)from_id);
		if (from >= 0 && !set_is_empty(&machine->nodes[from].cpus))
			set_hmat(machine, (uint32_t)from, to, latency_ns, mib_per_s);
	}
	root_names_fini(&names);
}

static void keep_nodes_with_memory(const struct machine *machine, struct set *nodes)
{
	for (int64_t id = set_next(nodes, 0); id >= 0; id = set_next(nodes, (uint32_t)id + 1)) {
		int64_t index = machine_node_index(machine, (uint32_t)id);
		if (index < 0 || !machine_node_has_memory(&machine->nodes[index]))
			set_del(nodes, (uint32_t)id);
	}
}

static void drop_tiers(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_tiers; i++)
		set_fini(&machine->tiers[i].nodes);
	machine->nr_tiers = 0;
	tiers_number_nodes(machine);
}

/* All nodes with memory in one tier each, or none of it: the rule then stands in. */
static void check_tiers(struct overlay *overlay)
{
	struct machine *machine = overlay->machine;
	uint32_t nr_in_tiers = 0, nr_with_memory = 0, nr_numbered = 0;
	for (uint32_t i = 0; i < machine->nr_tiers; i++)
		nr_in_tiers += set_count(&machine->tiers[i].nodes);
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		nr_with_memory += machine_node_has_memory(&machine->nodes[i]);
		nr_numbered += machine->nodes[i].tier != UINT32_MAX;
	}
	if (nr_in_tiers == nr_with_memory && nr_numbered == nr_with_memory)
		return;
	drop_tiers(machine);
	overlay_partly(overlay, TIERS,
		       "not every node with memory is in one tier; "
		       "tiers are computed instead");
}

static int read_tiers(struct overlay *overlay)
{
	struct root_names names = { 0 };
	int error = 0;
	if (root_list(overlay->root, TIERS, &names))
		return 0;
	for (size_t i = 0; i < names.nr && error != -ENOMEM; i++) {
		char path[MAX_PATH];
		struct set nodes = SET_EMPTY;
		int64_t id = root_name_number(names.items[i], "memory_tier");
		if (id < 0)
			continue;
		snprintf(path, sizeof(path), TIERS "/memory_tier%u/nodelist", (uint32_t)id);
		error = root_read_set(overlay->root, path, &nodes);
		if (error && error != -ENOMEM)
			overlay_partly(overlay, path, "not a list of nodes");
		keep_nodes_with_memory(overlay->machine, &nodes);
		if (!error && !set_is_empty(&nodes))
			error = tiers_add(overlay->machine, (uint32_t)id, true, &nodes);
		set_fini(&nodes);
	}
	root_names_fini(&names);
	tiers_number_nodes(overlay->machine);
	if (overlay->machine->nr_tiers > 0)
		check_tiers(overlay);
	return error == -ENOMEM ? error : 0;
}

static int read_dax_device(struct overlay *overlay, const char *name)
{
	char path[MAX_PATH], target[1024];
	uint64_t id = 0;
	snprintf(path, sizeof(path), DAX "/%.100s/target_node", name);
	if (root_read_u64(overlay->root, path, &id) || id > SET_MAX)
		return 0;
	snprintf(path, sizeof(path), DAX "/%.100s", name);
	if (root_readlink(overlay->root, path, target, sizeof(target)))
		return 0;
	if (strstr(target, "/ndbus") || strstr(target, "nd_"))
		return set_add(&overlay->pmem_nodes, (uint32_t)id);
	if (strstr(target, "cxl") || strstr(target, "ACPI0017"))
		return set_add(&overlay->cxl_nodes, (uint32_t)id);
	return 0;
}

static int read_dax(struct overlay *overlay)
{
	struct root_names names = { 0 };
	int error = 0;
	if (root_list(overlay->root, DAX, &names))
		return 0;
	for (size_t i = 0; i < names.nr && !error; i++)
		error = read_dax_device(overlay, names.items[i]);
	root_names_fini(&names);
	return error;
}

static void read_demotion(struct overlay *overlay)
{
	static const char path[] = "sys/kernel/mm/numa/demotion_enabled";
	char *text = NULL;
	if (root_read(overlay->root, path, &text))
		return;
	if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		overlay->machine->demotion_enabled = 1;
	else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		overlay->machine->demotion_enabled = 0;
	else
		overlay_partly(overlay, path, "neither true nor false");
	free(text);
}

static int read_nodes(struct overlay *overlay, const struct set *offline,
		      const struct root_names *online)
{
	struct machine *machine = overlay->machine;
	int error = 0;
	for (uint32_t i = 0; i < machine->nr_nodes && !error; i++) {
		read_memory(overlay, &machine->nodes[i]);
		read_distances(overlay, online, i);
		error = read_offline_cpus(overlay, offline, &machine->nodes[i]);
		if (!machine_node_has_memory(&machine->nodes[i]))
			continue;
		read_hmat(overlay, i, 0);
		read_hmat(overlay, i, 1);
	}
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (machine->nodes[i].free_bytes > 0) {
			read_page_size(overlay, &machine->nodes[i]);
			break;
		}
	return error;
}

int overlay_read(struct overlay *overlay)
{
	struct set offline = SET_EMPTY;
	struct root_names online = { 0 };
	int error = root_read_set(overlay->root, "sys/devices/system/cpu/offline", &offline);
	if (error && error != -ENOENT)
		overlay_partly(overlay, "sys/devices/system/cpu/offline", "not a list of CPUs");
	error = root_list(overlay->root, NODES, &online);
	error = error == -ENOMEM ? error : read_nodes(overlay, &offline, &online);
	root_names_fini(&online);
	set_fini(&offline);
	if (!error)
		error = read_tiers(overlay);
	if (!error)
		error = read_dax(overlay);
	read_demotion(overlay);
	if (overlay->root->is_host)
		overlay->machine->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	return error;
}
