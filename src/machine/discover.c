/* SPDX-License-Identifier: MIT */
/*
 * A machine from a root or from hwloc XML.
 *
 *   hwloc in a child (probe.c) -> nodes, sizes, CPUs, known figures
 *   files of the root (overlay.c) -> free memory, offline CPUs, distances, HMAT, tiers, demotion
 *   kinds.c -> what memory it is;   machine_finish() -> the rest by rule
 *
 * Nodes with neither memory nor online CPUs are left out.
 */
#include "machine/discover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "machine/build.h"

static bool is_of_use(const struct probe_node *node)
{
	return node->size_bytes > 0 || !set_is_empty(&node->cpus);
}

static int machine_of_probe(struct probe *probe, const char *shown, struct machine **ret,
			    struct printbuf *err)
{
	uint32_t nr = 0, at = 0;
	for (size_t i = 0; i < probe->nr_nodes; i++)
		nr += is_of_use(&probe->nodes[i]);
	if (nr == 0)
		return error_set(err, -EBADMSG,
				 "%s: no node has memory or CPUs; "
				 "capture the machine again",
				 shown);
	struct machine *machine = NULL;
	int error = machine_new(nr, &machine, err);
	if (error)
		return error;
	machine->name = strdup(shown);
	for (size_t i = 0; i < probe->nr_nodes; i++) {
		if (!is_of_use(&probe->nodes[i]))
			continue;
		machine->nodes[at].id = probe->nodes[i].id;
		machine->nodes[at].size_bytes = probe->nodes[i].size_bytes;
		machine->nodes[at].cpus = probe->nodes[i].cpus;
		probe->nodes[i].cpus = SET_EMPTY;
		at++;
	}
	*ret = machine;
	return machine->name ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static void set_figure(struct machine *machine, const struct probe_figure *figure)
{
	int64_t from = machine_node_index(machine, figure->from);
	int64_t to = machine_node_index(machine, figure->to);
	if (from < 0 || to < 0)
		return;
	struct machine_link *link = machine_link_at(machine, (uint32_t)from, (uint32_t)to);
	if (figure->kind == PROBE_DISTANCE) {
		link->distance = figure->value > UINT32_MAX ? 0 : (uint32_t)figure->value;
		return;
	}
	if (set_is_empty(&machine->nodes[from].cpus) ||
	    !machine_node_has_memory(&machine->nodes[to]) || figure->value == 0)
		return;
	if (figure->kind == PROBE_LATENCY && figure->value <= MACHINE_MAX_LATENCY_NS) {
		link->latency_ns = figure->value;
		link->latency_source = FIGURE_HMAT;
	}
	if (figure->kind == PROBE_BANDWIDTH && figure->value <= MACHINE_MAX_BANDWIDTH) {
		link->bandwidth_bytes_per_s = figure->value;
		link->bandwidth_source = FIGURE_HMAT;
	}
}

static const char *subtype_of(const struct probe *probe, uint32_t id)
{
	for (size_t i = 0; i < probe->nr_nodes; i++)
		if (probe->nodes[i].id == id)
			return probe->nodes[i].subtype;
	return "";
}

static void set_kinds(struct machine *machine, const struct probe *probe,
		      const struct overlay *overlay)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		struct machine_node *node = &machine->nodes[i];
		node->kind = kind_guess(machine, i, subtype_of(probe, node->id));
		if (node->kind == NODE_NONE || !set_is_empty(&node->cpus))
			continue;
		if (set_has(&overlay->pmem_nodes, node->id))
			node->kind = NODE_PMEM;
		else if (set_has(&overlay->cxl_nodes, node->id))
			node->kind = NODE_CXL;
	}
}

static int finish(struct machine *machine, const struct probe *probe, struct overlay *overlay,
		  const char *shown, struct printbuf *err)
{
	PRINTBUF(reason);
	figures_own_from_others(machine);
	set_kinds(machine, probe, overlay);
	int error = machine_finish(machine, &reason);
	if (error == -EINVAL) /* the sentence is about lines; the machine is what is wrong */
		return error_set(err, -EBADMSG, "%s: %.*s", shown,
				 (int)strcspn(printbuf_str(&reason), ";"), printbuf_str(&reason));
	if (!error && overlay->nr_partly > 0) {
		machine->partly = printbuf_steal(&overlay->partly, NULL);
		error = machine->partly ? 0 : -ENOMEM;
	}
	return error ? error_set(err, error, "out of memory") : 0;
}

/* The machine from what hwloc found and, where there is a root, its files. */
static int build(struct probe *probe, struct overlay *overlay, const char *shown,
		 struct machine **ret, struct printbuf *err)
{
	int error = overlay->root ? overlay_cpus(overlay, probe) : probe_share_cpus(probe);
	if (error)
		return error_set(err, error, "out of memory");
	struct machine *machine = NULL;
	error = machine_of_probe(probe, shown, &machine, err);
	/* The root's own files say more than hwloc makes of them, and say when they are damaged. */
	size_t nr_figures = overlay->root ? 0 : probe->nr_figures;
	for (size_t i = 0; i < nr_figures && !error; i++)
		set_figure(machine, &probe->figures[i]);
	overlay->machine = machine;
	if (!error && overlay->root && (error = overlay_read(overlay)))
		error_set(err, error, "out of memory");
	if (!error)
		error = finish(machine, probe, overlay, shown, err);
	if (error)
		machine_free(machine);
	else
		*ret = machine;
	return error;
}

int discover_probe(const struct root *root, struct probe *probe, const char *shown,
		   struct machine **ret, struct printbuf *err)
{
	struct overlay overlay = { .root = root, .partly = PRINTBUF_HEAP };
	int error = build(probe, &overlay, shown, ret, err);
	probe_fini(probe);
	overlay_fini(&overlay);
	return error;
}

int discover_root(const struct root *root, const char *shown, struct machine **ret,
		  struct printbuf *err)
{
	struct probe probe = { 0 };
	int error = probe_root(root->path, root->is_host, shown, &probe, err);
	return error ? error : discover_probe(root, &probe, shown, ret, err);
}

static int read_xml(const char *path, char **ret_xml, size_t *ret_bytes, struct printbuf *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		return error_file(err, -errno, path, "open");
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > PROBE_MAX_XML) {
		close(fd);
		return error_set(err, -EBADMSG, "%s: not a file of at most 64 MiB", path);
	}
	size_t size = (size_t)status.st_size, done = 0;
	char *xml = malloc(size + 1);
	while (xml && done < size) {
		ssize_t nr = read(fd, xml + done, size - done);
		if (nr <= 0)
			break;
		done += (size_t)nr;
	}
	close(fd);
	if (!xml)
		return error_set(err, -ENOMEM, "out of memory");
	xml[done] = '\0';
	*ret_xml = xml;
	*ret_bytes = done + 1; /* hwloc wants the NUL counted */
	return 0;
}

int discover_xml(const char *path, struct machine **ret, struct printbuf *err)
{
	struct probe probe = { 0 };
	char *xml = NULL;
	size_t nr_bytes = 0;
	int error = read_xml(path, &xml, &nr_bytes, err);
	if (!error)
		error = probe_xml(xml, nr_bytes, path, &probe, err);
	free(xml);
	return error ? error : discover_probe(NULL, &probe, path, ret, err);
}
